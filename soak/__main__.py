"""Long runs against the service: python -m soak COMMAND. Each ends with exit code 1 if it finds anything."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from soak.faults.run import FAULTS
from soak.faults.run import faults as plant_faults
from soak.load.load import Times, load
from soak.memory.parts import container_parts, memory_parts
from soak.openapi.fuzz import fuzz
from soak.outcome import Outcome, timed, write
from soak.pictures.in_process import decode_mutated
from soak.pictures.over_http import send_mutated
from soak.reload.reload import reload
from soak.stop.stop import stop

RESULTS = Path("soak.json")

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def runs() -> None:
    """Long runs against the service. Each ends with exit code 1 if it finds anything."""


@app.command()
def schemathesis(
    cases: Annotated[int, typer.Option(help="Number of requests to send at least.", min=2)] = 10_000,
    minutes: Annotated[float, typer.Option(help="Time after which the run ends in any case.", min=0.1)] = 60,
    seed: Annotated[int, typer.Option(help="Seed of the first round; each further round has the next one.")] = 0,
) -> None:
    """Send generated requests, without and with API keys, and compare each response with the OpenAPI document."""
    _run({"schemathesis": lambda: fuzz(cases=cases, minutes=minutes, seed=seed)})


@app.command("load")
def load_command(
    seconds: Annotated[
        float,
        typer.Option(help="Seconds of the whole run, at least 170; those of the overload follow from it.", min=170),
    ] = 760,
) -> None:
    """Ask a service for as much as it can do, then for four times as much, and look at it a minute later."""
    _run({"load": lambda: load(times=Times.within(seconds))})


@app.command("stop")
def stop_command(
    load_s: Annotated[float, typer.Option(help="Seconds of load before each end.", min=1)] = 10,
    drain_s: Annotated[float, typer.Option(help="MIRAGE_DRAIN_S of the service.", min=0.5)] = 5,
    stop_s: Annotated[float, typer.Option(help="MIRAGE_STOP_S of the service.", min=1)] = 25,
) -> None:
    """End a service under load by SIGTERM, by a second SIGTERM, and by kill -9, and start it again."""
    _run({"stop": lambda: stop(load_s=load_s, drain_s=drain_s, stop_s=stop_s)})


@app.command("reload")
def reload_command(
    seconds: Annotated[float, typer.Option(help="Seconds for which checkpoints are replaced.", min=10)] = 120,
) -> None:
    """Replace a checkpoint every five seconds under load, and compare each answer with those of the two versions."""
    _run({"reload": lambda: reload(seconds=seconds)})


@app.command()
def faults(
    only: Annotated[str | None, typer.Option(help="Name of a fault, to plant no other one.")] = None,
) -> None:
    """Plant faults in a service and around it, and compare what clients see with docs/reference/operations.md."""
    if only is not None and only not in FAULTS:
        raise typer.BadParameter(f"there is no fault {only}; choose one of {', '.join(FAULTS)}")
    _run({"faults": lambda: plant_faults(only=only)})


@app.command()
def pictures(
    count: Annotated[int, typer.Option(help="Number of damaged pictures to decode.", min=1)] = 100_000,
    requests: Annotated[int, typer.Option(help="Number of damaged pictures to send to a service.", min=1)] = 2_000,
    seed: Annotated[int, typer.Option(help="Seed of the first picture; each further one has the next.")] = 0,
) -> None:
    """Decode damaged pictures of all formats and measure time and memory of each; then send some to a service."""
    _run(_pictures(count, requests, seed))


@app.command()
def memory(
    photos: Annotated[int, typer.Option(help="Number of photos of 25 megapixels to send at once.", min=1)] = 100,
) -> None:
    """Send many large photos at once, and compare the memory of a service with what it may take. Needs Linux."""
    _run(memory_parts(photos))


@app.command()
def everything(
    results: Annotated[Path, typer.Option(help="JSON file for the figures, written after each part.")] = RESULTS,
) -> None:
    """Run all parts, one after the other: of `memory` those in a container."""
    parts: dict[str, Callable[[], Outcome]] = {
        "faults": plant_faults,
        "stop": stop,
        "reload": lambda: reload(seconds=120),
        **container_parts(100),
        "load": lambda: load(times=Times()),
        **_pictures(100_000, 2_000, 0),
        "schemathesis": lambda: fuzz(cases=10_000, minutes=20, seed=0),
    }
    _run(parts, results)


def _pictures(count: int, requests: int, seed: int) -> dict[str, Callable[[], Outcome]]:
    return {
        "pictures": lambda: decode_mutated(count=count, seed=seed),
        "pictures over HTTP": lambda: send_mutated(count=requests, seed=seed),
    }


def _run(parts: dict[str, Callable[[], Outcome]], results: Path | None = None) -> None:
    """Run the parts and print what they found; ends with exit code 1 if any promise was broken."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that services are ended, too
    outcomes: dict[str, Outcome] = {}
    for name, part in parts.items():
        print(f"== {name}", flush=True)
        outcomes[name] = outcome = timed(part)
        for figure, value in outcome.figures.items():
            print(f"{figure}: {value}")
        for problem in outcome.problems:
            print(f"found: {problem}", file=sys.stderr)
        print(f"{len(outcome.problems)} problems found in {outcome.seconds:.0f} s", flush=True)
        if results is not None:
            write(outcomes, results)
    raise typer.Exit(1 if any(outcome.problems for outcome in outcomes.values()) else 0)


if __name__ == "__main__":
    app()
