"""The command line: python -m training check | fit | evaluate | find-lr | export."""

import sys

from training.data.loading.workers import quick_imports, warm_up

if __name__ == "__main__" and sys.argv[1:2] in (["check"], ["fit"]):
    warm_up()  # its workers' imports and this process's own take seconds each: at the same time, not in turn

with quick_imports():
    import typer

    from training.commands import judge, make
    from training.console import write_any_text

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(judge.check)
app.command()(make.fit)
app.command()(judge.evaluate)
app.command("find-lr")(make.find_lr)
app.command()(judge.export)

if __name__ == "__main__":
    write_any_text(sys.stdout, sys.stderr)
    app()
