"""What an operator may choose; the only reader of the environment."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.addresses import parse_host, parse_network, parse_origin, parse_prefix
from models.pictures import MAX_PIXELS
from models.store import BUNDLED

UNIX = "unix:"
Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Environment variables `MIRAGE_...`, or the same in a file `.env`."""

    model_config = SettingsConfigDict(env_prefix="MIRAGE_", env_file=".env", extra="ignore", frozen=True)

    host: str = Field(
        default="127.0.0.1",
        description="address or name to listen on; 0.0.0.0 for all of IPv4, :: for all of IPv6, unix:/path for a unix "
        "socket",
    )
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    models: Names = Field(
        default=(),
        description="models to serve, comma separated, the first is the default; empty: every checkpoint there is",
    )
    checkpoints: Path = Field(default=BUNDLED, description="folder of checkpoints")
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1, mps"
    )
    max_rows: int = Field(default=32, ge=1, le=4096, description="pictures that go through the network at once")
    max_waiting: int = Field(default=64, ge=1, le=10_000, description="requests at work at once; further ones get 503")
    deadline_s: float = Field(default=120.0, gt=0, le=86_400, description="seconds after which a request is given up")
    max_bytes: int = Field(default=20_000_000, ge=1_000, description="largest request body")
    max_pixels: int = Field(
        default=MAX_PIXELS,
        ge=1_000,
        description="most pixels of one picture, and of all together that are attacked, drawn or explained at one time",
    )
    cache: Path = Field(
        default=Path("~/.cache/mirage"), validate_default=True, description="folder in which ideal pictures are kept"
    )
    cache_bytes: int = Field(default=256_000_000, ge=0, description="how much is kept there at most; 0 keeps nothing")
    api_keys: Names = Field(default=(), description="keys of which every request must carry one; empty: open to all")
    cors_origins: Names = Field(
        default=(),
        description="origins whose web pages may call the service from a browser, comma separated, such as "
        "http://localhost:3000; * allows every page; empty: none",
    )
    root_path: str = Field(default="", description="path below which a proxy publishes the service, such as /mirage")
    forwarded_allow_ips: Names = Field(
        default=("127.0.0.1",),
        description="IP addresses and networks of the proxies whose X-Forwarded-... headers are trusted, comma "
        "separated; * trusts all",
    )
    trusted_hosts: Names = Field(
        default=(),
        description="host names for which requests are answered (their header Host), comma separated; *.example.com "
        "for all below it; empty: every name",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="how much is logged")

    @field_validator("cache")
    @classmethod
    def _at_home(cls, folder: Path) -> Path:
        return Path(os.path.expanduser(folder))  # Path's own raises where there is no home

    @field_validator("host")
    @classmethod
    def _place(cls, host: str) -> str:
        if host.strip() == UNIX:
            raise ValueError("a unix socket without a path: give one, for example unix:/run/mirage.sock")
        return host.strip() or "127.0.0.1"  # an empty variable opens nothing to the network

    @property
    def unix_socket(self) -> Path | None:
        """The file of the unix socket to listen on, where it is one."""
        return Path(os.path.expanduser(self.host[len(UNIX) :])).absolute() if self.host.startswith(UNIX) else None

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(parse_origin(each) for each in origins)

    @field_validator("root_path")
    @classmethod
    def _prefix(cls, path: str) -> str:
        return parse_prefix(path)

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(parse_network(each) for each in networks)

    @field_validator("trusted_hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(parse_host(each) for each in hosts)

    @field_validator("models", "api_keys", "cors_origins", "forwarded_allow_ips", "trusted_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value
