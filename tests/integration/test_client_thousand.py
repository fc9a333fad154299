"""A thousand pictures through the client and the command line, against a service with a bundled model.

benchmarks/client_many.py measures how full the batches are meanwhile.
"""

import json
from pathlib import Path

import pytest

from mirage import Mirage
from mirage.results.classification import Classification
from models.pictures import encode
from models.store import BUNDLED
from tests.app.live_service import drawn, serve
from tests.client.command import mirage

COUNT = 1000


@pytest.mark.slow
def test_a_thousand_pictures_are_all_classified(tmp_path: Path) -> None:
    """Each like the same picture alone; and by the command, in a file that has each once."""
    files = [encode(drawn(180, 180, seed=number)) for number in range(8)]
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"{number:04}.png").write_bytes(files[number % len(files)])
    with serve(checkpoints=BUNDLED, models=("cats-dogs",)) as live, Mirage(live.url) as client:
        alone = [client.classify(file).predictions for file in files]
        results = [result for _, result in client.classify_many(sorted(folder.iterdir()))]
        done = mirage("classify", folder, "-o", tmp_path / "results.jsonl", "--url", live.url)
    assert len(results) == COUNT and done.code == 0
    for number, result in enumerate(results):
        assert isinstance(result, Classification)
        for prediction, expected in zip(result.predictions, alone[number % len(files)], strict=True):
            assert prediction.label == expected.label
            assert prediction.probability == pytest.approx(expected.probability, abs=1e-3)
    paths = [json.loads(line)["path"] for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert paths == [str(folder / f"{number:04}.png") for number in range(COUNT)]
