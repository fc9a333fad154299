"""Random numbers by their seed."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from safetensors.torch import load_file

from soak.faults.scene import write_models
from soak.seeded import seeded


def drawn(seed: int) -> list[float]:
    """Return three numbers; other threads may draw theirs in the pauses."""
    numbers = []
    with seeded(seed):
        for _ in range(3):
            numbers.append(torch.rand(()).item())
            time.sleep(0.01)
    return numbers


def test_threads_draw_what_each_would_draw_alone() -> None:
    alone = [drawn(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(drawn, range(4))) == alone
    assert len({tuple(numbers) for numbers in alone}) == 4


def test_checkpoints_have_the_same_weights_on_whichever_thread_they_are_written(tmp_path: Path) -> None:
    def written(number: int) -> dict[str, torch.Tensor]:
        folder = tmp_path / str(number)
        folder.mkdir()
        write_models(folder)
        return {f"{file.stem} {name}": value for file in sorted(folder.glob("*.safetensors"))
                for name, value in load_file(file).items()}  # fmt: skip

    alone = written(0)
    with ThreadPoolExecutor(4) as threads:
        for weights in threads.map(written, range(1, 9)):
            assert weights.keys() == alone.keys()
            assert all(torch.equal(weights[name], alone[name]) for name in alone)
