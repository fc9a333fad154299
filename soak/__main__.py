"""Long runs against the service: python -m soak COMMAND. Each ends with exit code 1 if it finds anything."""

import sys
from typing import Annotated

import typer

from soak.openapi.fuzz import fuzz

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
    result = fuzz(cases=cases, minutes=minutes, seed=seed)
    for text in result.problems:
        print(f"found: {text}", file=sys.stderr)
    print(f"{result.cases:,} requests, {len(result.problems)} kinds of failures found")
    raise typer.Exit(1 if result.problems else 0)


if __name__ == "__main__":
    app()
