"""mirage: the command line. The commands are imported inside `main`, so that Ctrl-C ends it without a traceback."""

import io
import os
import signal
import sys
from typing import NoReturn

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells report it: 128 and the number of the signal."""


def main() -> NoReturn:
    """Run the command line and exit with a code of `mirage.command_line.exits`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the shell has closed it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # class names may be in any language, and the console in another one
            stream.reconfigure(errors="backslashreplace")
    try:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, as in the background
            signal.signal(signal.SIGINT, _interrupt)
        from mirage.command_line.commands import app

        app(prog_name="mirage")
        sys.exit(0)
    except KeyboardInterrupt:
        _end_interrupted()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _end_interrupted()
        raise


def _interrupt(*_: object) -> NoReturn:
    """Raise KeyboardInterrupt at the first Ctrl-C; those that follow do not disturb the end, which takes seconds."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_interrupted() -> NoReturn:
    """End as if by the signal itself: a loop of the shell around this command then ends, too."""
    print("mirage: interrupted", file=sys.stderr, flush=True)
    if os.name == "posix":
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(INTERRUPTED)
