"""The text that is printed when the models are loaded: the address, and commands to try that work unchanged."""

import shlex
from urllib.parse import quote

from app.engine.registry import Registry
from app.settings import Settings
from models.classes import ClassNames, UnknownClass

EXAMPLE_PICTURE = "docs/pictures/chelsea.png"
MAX_CLASS_LENGTH = 200
"""Largest number of characters of a class name in a URL; longer names are replaced by the index."""
REACHABLE_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - translated, not bound
"""Hosts that clients on this machine can open, by those that mean "all addresses"."""


def service_url(settings: Settings) -> str:
    """The URL of the service, with the path prefix under which a proxy publishes it."""
    if settings.unix_socket is not None:
        return f"http://localhost{settings.root_path}"
    host = settings.host.replace("%", "%25")  # a link-local address may name its network interface: fe80::1%eth0
    host = REACHABLE_HOSTS.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{settings.port}{settings.root_path}"


def display_address(settings: Settings) -> str:
    """The URL of the service, or its unix socket, for people to read."""
    return service_url(settings) if settings.unix_socket is None else f"unix:{settings.unix_socket}"


def greeting(settings: Settings, registry: Registry) -> str:
    """The models and the address that they are served at, and three commands to try."""
    base_url, socket, address = service_url(settings), settings.unix_socket, display_address(settings)
    ready = registry.ready()
    if registry.default not in [model.name for model in ready]:
        return (
            f"Mirage listens at {address}, but its default model could not be loaded: the log above and "
            f"{base_url}/models say why"
        )
    curl = "  curl" if socket is None else f"  curl --unix-socket {shlex.quote(str(socket))}"

    def url(path: str) -> str:
        return shlex.quote(base_url + path)  # some shells read brackets, as in [::1], as a pattern

    hint = "" if socket is not None else f" (open it in a browser; {base_url}/docs describes every endpoint)"
    return "\n".join(
        [
            f"Mirage serves {', '.join(model.name for model in ready)} on {registry.device} at {address}{hint}",
            f"{curl} -F image=@{EXAMPLE_PICTURE} {url('/classify')}",
            f"{curl} -o ideal.png {url(f'/ideal/{class_in_url(ready[0].spec.names)}')}",
            f"{curl} -o fooled.png -F image=@{EXAMPLE_PICTURE} {url('/adversarial')}",
        ]
    )


def class_in_url(names: ClassNames) -> str:
    """The first class that a URL can name unambiguously, percent-encoded: by name if possible, else by index."""
    for index, name in enumerate(names.classes):
        for text in (name.replace(" ", "_"), name, str(index)):
            # Clients remove the segments . and .. from a path, even if they are percent-encoded.
            if text not in (".", "..") and len(text) <= MAX_CLASS_LENGTH and _is_class(names, text, index):
                return quote(text, safe="")
    return "0"


def _is_class(names: ClassNames, text: str, index: int) -> bool:
    try:
        return names.find(text) == index
    except UnknownClass:
        return False
