"""Programs that torch.export.save wrote (.pt2): networks of any architecture, without their Python code."""

from collections.abc import Sequence
from pathlib import Path

from models import architectures
from models.program.graph import to_json
from models.program.network import Program
from models.spec import Spec
from training.importing.class_names import choose_names
from training.importing.model import IMAGENETS, BadSource, SourceModel
from training.importing.programs.reader import read_program
from training.importing.sources.channels import with_channels
from training.importing.weights_file import file_digest


def read(file: Path, classes: Sequence[str] | None, *, background: bool = False) -> SourceModel:
    """The network in a .pt2 file; raises BadProgram, BadSource."""
    program = read_program(file)
    _, channels, height, width = program.graph.pixels.shape
    if channels > 4:
        raise BadSource(f"{file.name} takes {channels} channels, and pictures have at most four")
    configuration = to_json(program.graph)
    network = architectures.build(architectures.EXPORTED, program.classes, configuration=configuration)
    architectures.load_exactly(network, program.weights)
    assert isinstance(network, Program)
    network.check_sizes()
    chosen = choose_names(program.classes, given=classes, own=None, background=background)
    size = height if height == width else (height, width)
    # As torchvision does it for ImageNet: 224 pixels of 256.
    resize = round(height * 256 / 224) if height == width else size
    spec = Spec(
        architectures.EXPORTED,
        input_size=size,
        resize=resize,
        **chosen.fields,
        configuration=configuration,
    )
    source = {
        "kind": "exported",
        "file": file.name,
        "sha256": file_digest(file),
        "licence": "unknown",
        "versions": {"exported by torch": program.torch_version} if program.torch_version else {},
    }
    return SourceModel(network, with_channels(spec, channels), source, None, chosen.warnings, IMAGENETS)
