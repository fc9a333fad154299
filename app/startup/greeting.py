"""What is printed when the models are loaded: the address, and lines to try that work as they stand."""

import shlex
from urllib.parse import quote

from app.engine.registry import Registry
from app.settings import Settings
from models.classes import ClassNames, UnknownClass

PICTURE = "docs/pictures/chelsea.png"
LONGEST = 200
"""Characters of a class in an address."""
ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}


def address_of(settings: Settings) -> str:
    """The service's address, with the prefix below which a proxy shows it."""
    if settings.unix_socket is not None:
        return f"http://localhost{settings.root_path}"
    host = settings.host.replace("%", "%25")  # of a link-local address with its interface
    host = ANY.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{settings.port}{settings.root_path}"


def shown_address(settings: Settings) -> str:
    """The address, or the unix socket."""
    return address_of(settings) if settings.unix_socket is None else f"unix:{settings.unix_socket}"


def greeting(settings: Settings, registry: Registry) -> str:
    """The address, and three lines to try."""
    address, socket, shown = address_of(settings), settings.unix_socket, shown_address(settings)
    if registry.state(registry.names[0]) != "ready":
        return f"Mirage answers at {shown}, but its default model could not be loaded: see above, and {address}/models"
    ready = [name for name in registry.names if registry.state(name) == "ready"]
    curl = "  curl" if socket is None else f"  curl --unix-socket {shlex.quote(str(socket))}"

    def url(path: str) -> str:
        return shlex.quote(address + path)  # brackets are a pattern to some shells

    hint = "" if socket is not None else f" (try it at {address}/docs)"
    return "\n".join(
        [
            f"Mirage serves {', '.join(ready)} on {registry.device} at {shown}{hint}",
            f"{curl} -F image=@{PICTURE} {url('/classify')}",
            f"{curl} -o ideal.png {url(f'/ideal/{class_in_url(registry.get().spec.names)}')}",
            f"{curl} -o fooled.png -F image=@{PICTURE} {url('/adversarial')}",
        ]
    )


def class_in_url(names: ClassNames) -> str:
    """A class as the end of a path, quoted: the first whose name, or else whose index, is read back as this class."""
    for index, name in enumerate(names.classes):
        for text in (name.replace(" ", "_"), name, str(index)):
            # Clients take the dots for a folder and its parent, quoted or not.
            if text not in (".", "..") and len(text) <= LONGEST and _names(names, text, index):
                return quote(text, safe="")
    return "0"


def _names(names: ClassNames, text: str, index: int) -> bool:
    try:
        return names.find(text) == index
    except UnknownClass:
        return False
