"""python -m app: serve, and say where and how to try it."""

import logging
import sys

import uvicorn
from pydantic import ValidationError

from app.main import create_app
from app.registry import NotServed, Registry
from app.settings import Settings
from models.allocator import keep_freed_memory

PICTURE = "docs/pictures/chelsea.png"


def greeting(settings: Settings, registry: Registry) -> str:
    """The address, and three lines to try."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    address = f"http://{host}:{settings.port}"
    if registry.state(registry.names[0]) != "ready":
        return (
            f"Mirage answers at {address}, but its default model could not be loaded: see above, and {address}/models"
        )
    ready = [name for name in registry.names if registry.state(name) == "ready"]
    classes = registry.get().spec.classes
    return "\n".join(
        [
            f"Mirage serves {', '.join(ready)} on {registry.device} at {address} (try it at {address}/docs)",
            f"  curl -F image=@{PICTURE} {address}/classify",
            f"  curl -o ideal.png {address}/ideal/{classes[0].replace(' ', '_')}",
            f"  curl -o fooled.png -F image=@{PICTURE} {address}/adversarial",
        ]
    )


def main() -> None:
    """Serve until interrupted."""
    keep_freed_memory()
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(
            "mirage: "
            + "; ".join(f"MIRAGE_{fault['loc'][0]}".upper() + f": {fault['msg']}" for fault in error.errors())
        )
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        app = create_app(settings, on_loaded=lambda registry: print(greeting(settings, registry), flush=True))
    except (NotServed, RuntimeError) as error:
        sys.exit(f"mirage: {error}")
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        log_level=settings.log_level,
        # Work in flight is finished, but for no longer than any request may take.
        timeout_graceful_shutdown=round(settings.deadline_s) + 1,
    )


if __name__ == "__main__":
    main()
