"""Long runs against the service: python -m soak COMMAND. Each ends with exit code 1 if it finds anything."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from soak.openapi.fuzz import fuzz
from soak.outcome import Outcome, timed, write

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


@app.command()
def everything(
    results: Annotated[Path, typer.Option(help="JSON file for the figures, written after each part.")] = RESULTS,
) -> None:
    """Run all parts, one after the other, in about 40 minutes."""
    _run({"schemathesis": lambda: fuzz(cases=10_000, minutes=20, seed=0)}, results)


def _run(parts: dict[str, Callable[[], Outcome]], results: Path | None = None) -> None:
    """Run the parts and print what they found; ends with exit code 1 if any promise was broken."""
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
