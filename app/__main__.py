"""python -m app: starts the service and prints its address and commands to try."""

import gc
import os
import signal

if __name__ == "__main__":
    # Importing PyTorch takes seconds. Until then, Ctrl-C ends the process at once and without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # The default action would not do for SIGTERM: in a container, the first process has none.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    gc.disable()  # what is imported stays: to search it for garbage takes a tenth of the time

    from app.startup.rounding import round_alike
    from app.startup.spinning import spin_briefly

    round_alike()
    spin_briefly()

import contextlib
import io
import logging
import socket
import sys
import threading
import time

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from app.engine.catalogue import NotServed
from app.engine.registry import Registry
from app.main import create_app
from app.memory.allocator import keep_freed_memory
from app.server.open_files import allow_connections
from app.server.server import Server
from app.settings import Settings
from app.startup.greeting import display_address, greeting
from app.startup.late_imports import import_late
from app.startup.sockets import CannotListen, open_sockets
from app.telemetry import logs
from app.telemetry.log_output import LAST_WORDS_S
from models.architectures import BadRegistration

logger = logging.getLogger("app")
BROKEN = 70
"""Exit code of a service whose engine has failed too often (EX_SOFTWARE in BSD's sysexits.h)."""
TOLD_S = 1.0
"""Seconds for the last answers to be sent."""


def main() -> None:
    """Serve until interrupted. If the service cannot start, print one line that says why and end with exit code 1."""
    _escape_unprintable_letters()
    keep_freed_memory()
    # Before the server is there to stop in steps, and after it has stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = _read_settings()
    logs.configure(settings.log_level, settings.log_format)
    try:
        # Before any model is loaded: if the address is taken, the process must end, and no thread may run by then.
        with open_sockets(settings) as opened:
            _serve(opened.settings, opened.sockets)
    except (BadRegistration, NotServed, CannotListen, RuntimeError) as error:
        sys.exit(_one_line(str(error)))
    finally:
        _end_despite_threads()


def _serve(settings: Settings, sockets: list[socket.socket]) -> None:
    def when_loaded(registry: Registry) -> None:
        app.state.service.decoders.start()
        # On a thread of its own, since a pipe that nobody empties would hold up the loader.
        threading.Thread(target=_say, args=[greeting(settings, registry)], name="greeter", daemon=True).start()
        # On a thread of its own, so that the loader's ends: its OpenMP threads would slow down the engine's passes.
        arguments = [lambda: app.state.service.engine.alive > 0]
        threading.Thread(target=import_late, args=arguments, name="importer", daemon=True).start()

    app = create_app(settings, on_loaded=when_loaded, on_broken=_give_up)
    allow_connections(settings.max_connections)
    server = Server(app, settings)
    with contextlib.suppress(KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        logger.info("listening at %s (press Ctrl-C to stop)", display_address(settings))
        server.run(sockets=sockets)


def _say(text: str) -> None:
    """Print the text, if anybody reads it."""
    with contextlib.suppress(OSError, ValueError):
        print(text, flush=True)


def _give_up() -> None:
    """End the process, so that its supervisor starts another one, once those who wait have been told."""
    logger.critical("the service cannot go on: the process ends with exit code %d", BROKEN)
    time.sleep(TOLD_S)
    os._exit(BROKEN)


def _escape_unprintable_letters() -> None:
    """Print letters that the console or pipe cannot show as escapes, since class names may be in any language."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _read_settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        sys.exit(_one_line("; ".join(_setting_fault(fault) for fault in error.errors())))
    except (SettingsError, UnicodeDecodeError, OSError) as error:
        sys.exit(_one_line(f"the file .env cannot be read ({error}): save it as lines NAME=VALUE in UTF-8"))


def _setting_fault(fault: ErrorDetails) -> str:
    """What is wrong with a setting, what its value was, and what it may be."""
    name = str(fault["loc"][0])
    field = Settings.model_fields[name]
    if fault["type"] == "value_error":  # raised by app/settings.py or app/addresses.py, with a message that says all
        return f"MIRAGE_{name.upper()}: {fault['msg'].removeprefix('Value error, ')}"
    reason = "this value is not known" if fault["type"] == "string_pattern_mismatch" else fault["msg"]
    value = "" if name == "api_keys" else f"{str(fault['input'])[:100]!r} is not valid: "
    default = field.get_default(call_default_factory=True, validated_data={})
    return f"MIRAGE_{name.upper()}: {value}{reason}; choose another value. {field.description} Default: {default}"


def _one_line(text: str) -> str:
    return "mirage: " + " ".join(text.split())


def _end_despite_threads() -> None:
    """End the process at once if other threads are still inside PyTorch: Python's own end would abort them.

    Usually there are none. A download that goes on, or a second Ctrl-C, leaves some. The same where nobody reads what
    was printed: Python's own end would wait for that, or change the exit code.
    """
    error = sys.exc_info()[1]
    logging.shutdown()
    threads = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    message = error.code if isinstance(error, SystemExit) and isinstance(error.code, str) else ""
    ends_at_once = any(thread.daemon for thread in threads)
    if _print_last(message if ends_at_once else "") and not ends_at_once:
        return
    failed = error is not None and not (isinstance(error, SystemExit) and error.code in (0, None))
    os._exit(1 if failed else 0)


def _print_last(message: str) -> bool:
    """Print a message, if there is one, and all that waits to be printed; whether that worked within a second."""
    done = threading.Event()

    def print_all() -> None:
        with contextlib.suppress(OSError, ValueError):
            if message:
                print(message, file=sys.stderr)
            for stream in filter(None, (sys.stdout, sys.stderr)):
                stream.flush()
            done.set()

    threading.Thread(target=print_all, name="last words", daemon=True).start()
    return done.wait(LAST_WORDS_S)


if __name__ == "__main__":
    gc.freeze()  # nor is it searched later
    gc.enable()
    main()
