"""A checkpoint of a small network with random weights, so that a long run spends its time in the service."""

from pathlib import Path

from models import architectures, checkpoint
from models.spec import Spec
from soak.seeded import seeded

NAME = "tiny"
"""Name of the model: that of its file."""

SPEC = Spec("squeezenet1_1", ("cat", "dog", "Siamese cat", "sea_lion"), input_size=32, resize=36)


def write_checkpoint(folder: Path) -> None:
    """Write the checkpoint and its model card into the folder."""
    with seeded(0):
        network = architectures.build(SPEC.architecture, len(SPEC.classes))
        checkpoint.save(folder / f"{NAME}.safetensors", network, SPEC, {"recipe": {"seed": 0}})
    (folder / f"{NAME}.md").write_text("# tiny\n\nRandom weights.\n", encoding="utf-8")
