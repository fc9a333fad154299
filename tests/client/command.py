"""Runs the command `mirage` in this process, as a script or on a terminal."""

from dataclasses import dataclass

from typer.testing import CliRunner

from mirage.command_line.commands import app


@dataclass(frozen=True)
class Done:
    """What the command printed, and its exit code."""

    code: int
    out: str
    err: str
    out_bytes: bytes


def mirage(*arguments: object) -> Done:
    """Run the command with standard output and standard error in pipes. An unexpected error is raised."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="mirage")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr, result.stdout_bytes)
