"""The accuracy of a probe on real photos, which are in a folder outside the repository."""

from pathlib import Path

import pytest
from rich.console import Console

from models import checkpoint
from training.cache import Cache
from training.fit import fit
from training.options import FitOptions

WEIGHTS = "mobilenet_v2-imagenet1k.safetensors"


def fit_probe(shared: Path, place: Path, data: str) -> FitOptions:
    """Train only the head; the options name the checkpoint."""
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
def test_a_probe_recognises_37_breeds_from_seven_photos_each(shared: Path, tmp_path: Path) -> None:
    """It is right on 75 % of the 111 photos of the data set's own test split."""
    pets = checkpoint.read(fit_probe(shared, tmp_path, "oxford-iiit-pet.zip").output)
    assert len(pets.spec.classes) == 37 and "Great Pyrenees" in pets.spec.classes
    assert pets.provenance["metrics"]["photos"] == 111 and pets.provenance["metrics"]["accuracy"] >= 0.75


@pytest.mark.slow
def test_a_probe_distinguishes_ants_and_bees(shared: Path, tmp_path: Path) -> None:
    """It is right on 93 % of the photos in the data set's own folder `val`."""
    metrics = checkpoint.read(fit_probe(shared, tmp_path, "hymenoptera.zip").output).provenance["metrics"]
    assert metrics["validation"]["photos"] > 100 and metrics["validation"]["accuracy"] >= 0.93
