"""The command `import`: makes a checkpoint of a model that was trained elsewhere."""

from dataclasses import replace

from rich.console import Console

from training.commands.expand import expanded
from training.commands.parse import data_path
from training.importing.import_model import import_model as run_import
from training.importing.options import ImportOptions


@expanded(without=("limit_bytes",))
def import_model(options: ImportOptions) -> None:
    """Make a checkpoint of a model that was trained elsewhere, so that the service and all commands can use it.

    No code in a file of weights is run.
    The preprocessing is compared with that of the library that the model is from.
    --check looks for mistakes on labelled photos before anything is written.
    """
    console = Console()
    if options.check is not None:
        options = replace(options, check=data_path(options.check, options.cache, console))
    run_import(options, console)
