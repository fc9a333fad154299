"""python -m app: serve, and say where and how to try it."""

import signal

if __name__ == "__main__":
    # PyTorch takes seconds to import: meanwhile Ctrl-C ends the process at once, and without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import contextlib
import io
import logging
import os
import socket
import sys
import threading
from typing import Any

import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError

from app.engine.allocator import keep_freed_memory
from app.engine.registry import NotServed
from app.main import create_app
from app.settings import Settings
from app.startup.greeting import greeting, shown_address
from app.startup.sockets import CannotListen, listening

__all__ = ["greeting", "main"]
logger = logging.getLogger("app")


def main() -> None:
    """Serve until interrupted; where that cannot begin, one line and exit code 1."""
    _print_all_letters()
    keep_freed_memory()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises its signals anew when it has ended
    settings = _settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        # Before any model is loaded: where there is no place to listen, no thread may be alive at the end.
        with listening(settings) as opened:
            _serve(opened.settings, opened.sockets)
    except (NotServed, CannotListen, RuntimeError) as error:
        sys.exit(_one_line(str(error)))
    finally:
        _end_with_threads()


def _serve(settings: Settings, sockets: list[socket.socket]) -> None:
    app = create_app(settings, on_loaded=lambda registry: print(greeting(settings, registry), flush=True))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level=settings.log_level,
            proxy_headers=False,  # app.web.middleware.proxy reads them
            # Work in flight is finished, but for no longer than any request may take.
            timeout_graceful_shutdown=round(settings.deadline_s) + 1,
        )
    )
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        logger.info("listening at %s (Ctrl-C to stop)", shown_address(settings))
        server.run(sockets=sockets)


def _print_all_letters() -> None:
    """Class names have letters of all languages, and a console or a pipe may know only some: those become escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        sys.exit(_one_line("; ".join(_fault(each) for each in error.errors())))
    except (SettingsError, UnicodeDecodeError, OSError) as error:
        sys.exit(_one_line(f"the settings cannot be read ({error}): save the file .env as lines NAME=VALUE in UTF-8"))


def _fault(fault: Any) -> str:
    name = str(fault["loc"][0])
    field = Settings.model_fields[name]
    if fault["type"] == "value_error":  # a text of app.web.middleware.origins, which says all
        return f"MIRAGE_{name.upper()}: {fault['msg'].removeprefix('Value error, ')}"
    wanted = "this value is not known" if fault["type"] == "string_pattern_mismatch" else fault["msg"]
    came = "" if name == "api_keys" else f", and {str(fault['input'])[:100]!r} came"
    return f"MIRAGE_{name.upper()}: {wanted}{came}: choose another ({field.description}; {field.default} if unset)"


def _one_line(text: str) -> str:
    return "mirage: " + " ".join(text.split())


def _end_with_threads() -> None:
    """End the process at once where threads are left that may be inside PyTorch: Python's own end would abort them.

    Ordinarily there are none; a download that goes on, or a second Ctrl-C, leaves some.
    """
    error = sys.exc_info()[1]
    if not any(each.daemon for each in threading.enumerate() if each is not threading.main_thread()):
        return
    if isinstance(error, SystemExit) and isinstance(error.code, str):
        print(error.code, file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    failed = error is not None and not (isinstance(error, SystemExit) and error.code in (0, None))
    os._exit(1 if failed else 0)


if __name__ == "__main__":
    main()
