"""The settings of the service and their meaning. Only this module reads the environment variables MIRAGE_*."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.addresses import parse_host, parse_network, parse_origin, parse_prefix
from models.pictures import MAX_PIXELS
from models.store import BUNDLED

UNIX = "unix:"
"""Prefix of MIRAGE_HOST that makes the rest the path of a unix socket."""
Names = Annotated[tuple[str, ...], NoDecode]
"""Texts that are separated by commas in the environment (pydantic-settings would read JSON)."""


class Settings(BaseSettings):
    """The settings, read from environment variables `MIRAGE_...` or from a file `.env` with the same names."""

    model_config = SettingsConfigDict(env_prefix="MIRAGE_", env_file=".env", extra="ignore", frozen=True)

    host: str = Field(
        default="127.0.0.1",
        description="IP address or host name to listen on: 127.0.0.1 accepts clients on this machine only, 0.0.0.0 "
        "accepts all clients over IPv4, and :: all over IPv6. unix:/path/to/file listens on a unix socket, not a port.",
    )
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        description="TCP port to listen on, from 0 to 65535. 0 takes any free port; the service prints which one.",
    )
    models: Names = Field(
        default=(),
        description="Names of the models to serve, separated by commas: names of checkpoints, imagenet/<architecture>, "
        "or timm/<name>. The first one is the default of requests that name no model. If this is empty, every "
        "checkpoint in MIRAGE_CHECKPOINTS is served.",
    )
    architectures: Names = Field(
        default=(),
        description="Functions that register networks of your own, package.module:function, separated by commas. Each "
        "returns a mapping from names of architectures to functions that take the number of classes and return a "
        "torch.nn.Module. Packages can have an entry point in the group mirage.architectures instead.",
    )
    checkpoints: Path = Field(
        default=BUNDLED, description="Folder of the checkpoints (*.safetensors) that the training module has written."
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="Device that runs the networks: auto, cpu, cuda, cuda:1 (the second GPU) or mps. auto takes cuda "
        "if there is a GPU, else mps, else cpu.",
    )
    max_rows: int = Field(
        default=32,
        ge=1,
        le=4096,
        description="Largest number of pictures in one batch of the network, from 1 to 4096. Lower it if the device "
        "runs out of memory.",
    )
    max_waiting: int = Field(
        default=64,
        ge=1,
        le=10_000,
        description="Largest number of requests that wait or run at the same time, from 1 to 10000. Further requests "
        "are refused with status 503 and a Retry-After header.",
    )
    deadline_s: float = Field(
        default=120.0,
        gt=0,
        le=86_400,
        description="Seconds after which a request that has no result yet is ended with status 504, at most 86400 (one "
        "day).",
    )
    max_bytes: int = Field(
        default=20_000_000,
        ge=1_000,
        description="Largest size of a request body in bytes, at least 1000. Larger ones are refused with status 413.",
    )
    max_pixels: int = Field(
        default=MAX_PIXELS,
        ge=1_000,
        description="Largest number of pixels of one picture, at least 1000. All pictures that are decoded at the same "
        "time, and all that are attacked, drawn or explained, may not have more together either; this bounds the "
        "memory that they need.",
    )
    cache: Path = Field(
        default=Path("~/.cache/mirage"),
        validate_default=True,
        description="Folder of the database that stores finished ideal pictures, so that the same request is answered "
        "at once.",
    )
    cache_bytes: int = Field(
        default=256_000_000,
        ge=0,
        description="Largest total size in bytes of the ideal pictures that are stored in MIRAGE_CACHE. Those that "
        "were not used for the longest time are deleted first; 0 stores nothing.",
    )
    api_keys: Names = Field(
        default=(),
        description="API keys, separated by commas. If there are any, every request must send one of them in the "
        "header X-API-Key, except requests for the health probes, the files of the page, /docs and /openapi.json. If "
        "this is empty, no key is needed.",
    )
    cors_origins: Names = Field(
        default=(),
        description="Origins (scheme, host and port) whose web pages may call the service from a browser, separated by "
        "commas, for example http://localhost:3000. * allows every page; if this is empty, no page of another origin "
        "may.",
    )
    root_path: str = Field(
        default="",
        description="Path under which a reverse proxy publishes the service, for example /mirage. The proxy may remove "
        "it from the requests or leave it in. It must not be a path of the service itself, such as /docs.",
    )
    forwarded_allow_ips: Names = Field(
        default=("127.0.0.1",),
        description="IP addresses and networks of the reverse proxies whose X-Forwarded-... headers are trusted, "
        "separated by commas. * trusts every client, which is safe only if all requests come through a proxy.",
    )
    trusted_hosts: Names = Field(
        default=(),
        description="Host names that requests may have in their Host header, separated by commas, for example "
        "example.com or *.example.com for all subdomains. Other requests, except the health probes, are refused with "
        "status 400. If this is empty, every name is accepted.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest severity of the messages that are logged: debug, info, warning or error."
    )

    @field_validator("cache")
    @classmethod
    def _expand_home(cls, folder: Path) -> Path:
        return Path(os.path.expanduser(folder))  # Path.expanduser raises if the user has no home folder

    @field_validator("host")
    @classmethod
    def _check_host(cls, host: str) -> str:
        if host.strip() == UNIX:
            raise ValueError("'unix:' needs the path of a unix socket: set it for example to unix:/run/mirage.sock")
        return host.strip() or "127.0.0.1"  # to the operating system, an empty host means all addresses

    @property
    def unix_socket(self) -> Path | None:
        """Path of the unix socket to listen on; None if the service listens on a port."""
        return Path(os.path.expanduser(self.host[len(UNIX) :])).absolute() if self.host.startswith(UNIX) else None

    @field_validator("cors_origins")
    @classmethod
    def _parse_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(parse_origin(origin) for origin in origins)

    @field_validator("root_path")
    @classmethod
    def _parse_prefix(cls, path: str) -> str:
        return parse_prefix(path)

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _parse_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(parse_network(network) for network in networks)

    @field_validator("trusted_hosts")
    @classmethod
    def _parse_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(parse_host(host) for host in hosts)

    @field_validator(
        "models", "architectures", "api_keys", "cors_origins", "forwarded_allow_ips", "trusted_hosts", mode="before"
    )
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value
