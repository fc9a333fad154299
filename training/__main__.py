"""Train, import and measure image classifiers: python -m training COMMAND.

The commands are check, fit, import, evaluate, compare, find-lr and export.
"""

import sys

from training.data.loading.workers import quick_imports, warm_up

WITH_WORKERS = ("check", "fit", "import", "evaluate", "compare", "find-lr")
"""Commands that decode photos in worker processes."""

if __name__ == "__main__" and sys.argv[1:2] and sys.argv[1] in WITH_WORKERS and "--help" not in sys.argv:
    warm_up()  # the imports of its workers and of this process take seconds each: let them run at the same time
    if sys.stdout.isatty():
        print("loading PyTorch ...", flush=True)  # nothing else can be printed for the first seconds

with quick_imports():
    import typer

    from training.commands.check import check
    from training.commands.compare import compare
    from training.commands.evaluate import evaluate
    from training.commands.export import export
    from training.commands.find_lr import find_lr
    from training.commands.fit import fit
    from training.commands.import_command import import_model
    from training.commands.register import register_architectures
    from training.console import write_any_text

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(check)
app.command()(fit)
app.command("import")(import_model)
app.command()(evaluate)
app.command()(compare)
app.command("find-lr")(find_lr)
app.command()(export)

if __name__ == "__main__":
    write_any_text(sys.stdout, sys.stderr)
    register_architectures()
    app()
