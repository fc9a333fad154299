"""Fixtures of all tests: small networks, generated pictures, and real weights and photos where they are available."""

import os
import urllib.error
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from safetensors.torch import load_file
from skimage import data as skimage_data
from torch import Tensor, nn

from models import architectures
from models.classifier import Classifier
from models.spec import Spec
from models.store import Model, load
from tests.networks import LinearNetwork, unnormalised

REPOSITORY = Path(__file__).parents[1]

# derandomize: a test that fails, fails again. No deadline: the machine may be busy, and tests must not depend on time.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# The networks are so small that threads mostly wait for each other: on a busy machine, one is 5 times as fast as two.
# The same in processes that tests start.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide the settings and the weight cache of the developer from every test, and make every download fail."""
    for name in os.environ:
        if name.startswith("MIRAGE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.getbasetemp() / "no-weights"))

    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError("tests have no network")

    monkeypatch.setattr(torch.hub, "urlopen", refuse)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder beside the repository with weights and photos; a test that needs it is skipped without it."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "weights").is_dir():
        pytest.skip("needs ../shared with weights and photos")
    return folder


@pytest.fixture(scope="session")
def imagenet_home(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a TORCH_HOME that has the ImageNet weights of ../shared under the file names of torchvision."""
    home = tmp_path_factory.mktemp("torch-home")
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    names = {
        "mobilenet_v2-imagenet1k": "mobilenet_v2-b0353104.pth",
        "squeezenet1_1-imagenet1k": "squeezenet1_1-b8a52dc0.pth",
    }
    for stored, published in names.items():
        torch.save(load_file(shared / "weights" / f"{stored}.safetensors"), folder / published)
    return home


@pytest.fixture(scope="session")
def imagenet(imagenet_home: Path) -> Model:
    """Return MobileNetV2, trained on ImageNet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(imagenet_home))
        return load("imagenet/mobilenet_v2")


@pytest.fixture(scope="session")
def imagenet_photos(shared: Path) -> list[tuple[int, bytes]]:
    """Return a hundred photos as (ImageNet class index, bytes of the file)."""
    with zipfile.ZipFile(shared / "data" / "imagenet-samples.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
        return [(int(Path(name).name[:4]), archive.read(name)) for name in names]


@pytest.fixture(scope="session")
def chelsea() -> Tensor:
    """Return the photo of a cat that is part of scikit-image, uint8 [3, 300, 451]."""
    return torch.from_numpy(skimage_data.chelsea()).permute(2, 0, 1).contiguous()


Draw = Callable[..., Tensor]


@pytest.fixture(scope="session")
def draw() -> Draw:
    """Return draw(height, width, seed=0), which draws smooth colours as uint8 [3, height, width], levels 48 to 208."""

    def picture(height: int, width: int, seed: int = 0) -> Tensor:
        random = np.random.Generator(np.random.PCG64(seed))
        down, across = np.mgrid[0:height, 0:width] / 16
        colours = [np.sin(random.normal() * down + random.normal() * across + random.uniform(0, 6)) for _ in range(3)]
        return torch.from_numpy((128 + 80 * np.stack(colours)).round().astype(np.uint8))

    return picture


@pytest.fixture
def linear() -> Classifier:
    """Return a linear classifier of 16 x 16 pixels with three classes."""
    return Classifier(LinearNetwork(3, 16), unnormalised(3, 16))


@pytest.fixture(scope="session")
def weights_of_linear() -> Tensor:
    """Return the weight of the fixture `linear` as [classes, 3, 16, 16]."""
    return LinearNetwork(3, 16).layer.weight.detach().reshape(3, 3, 16, 16)


@pytest.fixture(scope="session")
def tiny() -> Classifier:
    """Return a small convolutional network of four classes that resizes to 36, crops to 32 and has batch norm."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(3, 12, 3, stride=2, padding=1),
            nn.BatchNorm2d(12),
            nn.SiLU(),
            nn.Conv2d(12, 16, 3, stride=2, padding=1, groups=4),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(64, 4),
        )
        # The logits of a new head hardly differ between pictures; those of this one do.
        network[-1].weight.data.mul_(20)
    spec = Spec("squeezenet1_1", ("red fox", "Siamese_cat", "3", "dog"), input_size=32, resize=36)
    return Classifier(network, spec)


@pytest.fixture(scope="session")
def squeezenet_spec() -> Spec:
    """Return the spec of a real architecture at a small input size."""
    return Spec("squeezenet1_1", ("ant", "bee", "cat"), input_size=32, resize=36)


@pytest.fixture
def squeezenet(squeezenet_spec: Spec) -> Iterator[nn.Module]:
    """Return SqueezeNet 1.1 with seeded random weights and three classes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield architectures.build("squeezenet1_1", len(squeezenet_spec.classes))
