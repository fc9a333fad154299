"""The command line: python -m training check | fit | evaluate | find-lr | export."""

import gc
import sys

from training.data.workers import warm_up

if __name__ == "__main__" and sys.argv[1:2] in (["check"], ["fit"]):
    warm_up()  # its workers' imports and this process's own take seconds each: at the same time, not in turn

gc.disable()  # it would look through all that torch defines again and again: a quarter of the imports' time
import typer  # noqa: E402

from training.commands import judge, make  # noqa: E402

gc.freeze()
gc.enable()

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(judge.check)
app.command()(make.fit)
app.command()(judge.evaluate)
app.command("find-lr")(make.find_lr)
app.command()(judge.export)

if __name__ == "__main__":
    app()
