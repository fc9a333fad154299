"""What the probe makes of photos that people took, where they lie beside the repository."""

from pathlib import Path

import pytest
from rich.console import Console

from models import checkpoint
from training.cache import Cache
from training.fit import fit
from training.options import FitOptions

WEIGHTS = "mobilenet_v2-imagenet1k.safetensors"


def probed(shared: Path, place: Path, data: str) -> FitOptions:
    """A checkpoint of the head alone."""
    job = FitOptions(
        data=shared / "data" / data,
        output=place / "probe.safetensors",
        architecture="mobilenet_v2",
        weights=shared / "weights" / WEIGHTS,
        phase="probe",
        runs=place / "runs",
        cache=Cache(place / "cache"),
        robustness_photos=0,
    )
    fit(job, Console(quiet=True))
    return job


@pytest.mark.slow
def test_37_breeds_from_seven_photos_each(shared: Path, tmp_path: Path) -> None:
    """75 % of the 111 photos that the data set's own list keeps for the test."""
    found = checkpoint.read(probed(shared, tmp_path, "oxford-iiit-pet.zip").output)
    assert len(found.spec.classes) == 37 and "Great Pyrenees" in found.spec.classes
    assert found.provenance["metrics"]["photos"] == 111 and found.provenance["metrics"]["accuracy"] >= 0.75


@pytest.mark.slow
def test_ants_and_bees(shared: Path, tmp_path: Path) -> None:
    """93 % of the photos in the data set's own folder `val`."""
    metrics = checkpoint.read(probed(shared, tmp_path, "hymenoptera.zip").output).provenance["metrics"]
    assert metrics["validation"]["photos"] > 100 and metrics["validation"]["accuracy"] >= 0.93
