"""The settings of the service and their meaning. Only this module reads the environment variables MIRAGE_*."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ByteSize, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.addresses import parse_host, parse_network, parse_origin, parse_prefix
from app.memory.machine import SHARE, available_bytes
from models.pictures import MAX_PIXELS
from models.store import BUNDLED

UNIX = "unix:"
"""Prefix of MIRAGE_HOST that makes the rest the path of a unix socket."""
Names = Annotated[tuple[str, ...], NoDecode]
"""Texts that are separated by commas in the environment (pydantic-settings would read JSON)."""


def default_memory() -> ByteSize:
    """Four fifths of the memory of the machine or the container."""
    return ByteSize(int(SHARE * available_bytes()))


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
        "checkpoint in MIRAGE_CHECKPOINTS is served, also those that are added later. The default is then the first in "
        "alphabetical order at the start, for as long as the service runs.",
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
    reload_s: float = Field(
        default=2.0,
        ge=0,
        le=3600,
        description="Seconds between two looks at MIRAGE_CHECKPOINTS, from 0 to 3600. A checkpoint that was added, "
        "replaced or removed, and has not changed since the last look, is loaded or removed while the service runs. 0 "
        "looks only at the start.",
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
        "runs out of memory. Batches are smaller where more pictures at once bring nothing, or would take more than a "
        "fifth of MIRAGE_MEMORY.",
    )
    max_waiting: int = Field(
        default=64,
        ge=1,
        le=10_000,
        description="Largest number of requests that wait or run at the same time, from 1 to 10000. Further requests "
        "are refused with status 503 and a Retry-After header that says when there should be room. At most three "
        "quarters of the places are for POST /classify and POST /classify/batch, and three quarters for all others.",
    )
    deadline_s: float = Field(
        default=120.0,
        gt=0,
        le=86_400,
        description="Seconds since its arrival after which a request that has no result yet is ended with status 504, "
        "at most 86400 (one day).",
    )
    body_idle_s: float = Field(
        default=10.0,
        gt=0,
        le=3_600,
        description="Seconds for which a client may send nothing while the service waits for the body of its request. "
        "Then the request is ended with status 408.",
    )
    keep_alive_s: float = Field(
        default=75.0,
        gt=0,
        le=3_600,
        description="Seconds after which a connection without a request is closed. Behind a proxy, this must be longer "
        "than the proxy keeps idle connections to the service open.",
    )
    max_connections: int = Field(
        default=1_000,
        ge=1,
        le=100_000,
        description="Largest number of open connections, from 1 to 100000. For one more, the connection that has been "
        "idle for longest is closed; if none is idle, the new one is refused with status 503 and a Retry-After header.",
    )
    drain_s: float = Field(
        default=5.0,
        ge=0,
        le=3_600,
        description="Seconds after SIGTERM for which the service still accepts requests, while its readiness probe "
        "already answers 503, so that load balancers stop sending requests before the service stops listening.",
    )
    stop_s: float = Field(
        default=25.0,
        gt=0,
        le=90_000,
        description="Seconds after SIGTERM when the process has ended at the latest, at least twice MIRAGE_DRAIN_S. "
        "Requests that would take longer end with their best result so far, if they allow that, or with status 503.",
    )
    max_bytes: int = Field(
        default=20_000_000,
        ge=1_000,
        description="Largest size of a request body in bytes, at least 1000. Larger ones are refused with status 413.",
    )
    max_pixels: int = Field(
        default=MAX_PIXELS,
        ge=1_000,
        description="Largest number of pixels of one picture, at least 1000. It is checked in the header of the file, "
        "before the picture is decoded.",
    )
    memory: ByteSize = Field(
        default_factory=default_memory,
        ge=200_000_000,
        description="Memory that the service and its decoder processes may take together, in bytes or with a unit such "
        "as 2.5GB or 4GiB, at least 200MB. Request bodies, pictures that are decoded, pictures under work and the "
        "network's batches share it; requests wait for it, or are refused. Without it, the service takes four fifths "
        "of the machine's memory, or of the container's if that has a limit.",
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
        description="API keys for all operations, separated by commas. If there are any, here or in "
        "MIRAGE_API_KEYS_FILE, every request must send one of them in the header X-API-Key, except requests for the "
        "health probes, the files of the page, /docs and /openapi.json. If both are empty, no key is needed.",
    )
    api_keys_file: Path | None = Field(
        default=None,
        description="File of API keys with roles and quotas, as python -m app.keys writes it. It holds hashes, not the "
        "keys, and is read again within a second when it changes.",
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

    log_format: Literal["text", "json"] = Field(
        default="text",
        description="Format of the log: text (readable lines) or json (one JSON object a record).",
    )
    traces: Literal["off", "otlp"] = Field(
        default="off",
        description="Where traces of the requests go: off (there are none) or otlp (to an OpenTelemetry collector, "
        "over HTTP). The collector's address and all else are set by OpenTelemetry's own variables, such as "
        "OTEL_EXPORTER_OTLP_ENDPOINT. otlp needs the extra otel.",
    )

    @field_validator("cache")
    @classmethod
    def _expand_home(cls, folder: Path) -> Path:
        return Path(os.path.expanduser(folder))  # Path.expanduser raises if the user has no home folder

    @field_validator("api_keys_file", mode="before")
    @classmethod
    def _expand_file(cls, file: object) -> object:
        return os.path.expanduser(file) or None if isinstance(file, str) else file

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

    @field_validator("stop_s")
    @classmethod
    def _check_stop(cls, stop_s: float, info: ValidationInfo) -> float:
        drain_s = info.data.get("drain_s", 0)
        if stop_s < 2 * drain_s:
            raise ValueError(
                f"{stop_s:g} is less than twice MIRAGE_DRAIN_S, which is {drain_s:g}: choose a larger value, or lower "
                "MIRAGE_DRAIN_S, so that there is time to finish requests"
            )
        return stop_s

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

    @field_validator("api_keys", mode="before")
    @classmethod
    def _refuse_only_commas(cls, keys: object) -> object:
        # Pydantic calls this before `_split_at_commas`, because it stands after it. Empty is what `docker compose`
        # passes for a variable that is not set. Anything else was meant to be a key, and the service must not be open
        # to everybody because of a mistake in it.
        if isinstance(keys, str) and keys and not keys.replace(",", "").strip():
            raise ValueError("it is set, but contains no key: write at least one key, or remove the setting")
        return keys
