"""Image classifiers of Hugging Face: a folder with config.json, preprocessor_config.json and weights, or a name.

Only these files are read. Python code in the folder or the repository is never run, and a configuration that asks for
it is refused.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor, nn

from models import architectures
from models.architectures import BadWeights
from models.architectures.transformers_networks import PREFIX, transformers, without_dropped
from models.spec import Spec
from models.store import WeightsUnavailable
from training.importing.class_names import choose_names
from training.importing.model import BadSource, Preprocessing, SourceModel
from training.importing.sources.processors import preprocessing_fields
from training.importing.stored_names import names_in
from training.importing.weights_file import common_dtype, file_digest, full_precision, read_weights

CONFIG, PROCESSOR, INDEX = "config.json", "preprocessor_config.json", "model.safetensors.index.json"
WEIGHTS = ("model.safetensors", INDEX, "pytorch_model.bin")
"""The files of weights, in the order in which they are preferred."""
LARGEST_JSON = 20_000_000
"""Largest size of a JSON file in bytes."""
LARGEST_NUMBER = 1_000_000
"""Largest number of classes."""
MULTI_LABEL = "multi_label_classification"
"""The `problem_type` of a network of several labels per picture."""
FAULTS = {"missing": "missing", "unknown": "unexpected", "of another shape": "mismatched"}
"""What can be wrong with weights, and transformers' word for it."""
CODE = ("auto_map", "custom_pipelines")
"""Entries of a configuration that name Python code of the repository."""


def is_folder(path: Path) -> bool:
    """Whether this is the folder of a model of Hugging Face."""
    return (path / CONFIG).is_file()


def download(name: str) -> Path:
    """The files of a repository of the Hugging Face Hub, downloaded where the cache lacks them.

    Raises WeightsUnavailable, UnknownArchitecture.
    """
    transformers()
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, allow_patterns=[CONFIG, PROCESSOR, INDEX, "model*.safetensors"]))
        if any((folder / weights).is_file() for weights in WEIGHTS):
            return folder
        return Path(snapshot_download(name, allow_patterns=[CONFIG, PROCESSOR, WEIGHTS[-1]]))  # only if it must be
    except Exception as error:  # no network, no such repository: the library raises nearly anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsUnavailable(
            f"there is no file or folder {name}, and no model of this name can be downloaded from the Hugging Face Hub "
            f"({reason}): give the path of a file of weights, of a folder with {CONFIG}, or the name of a model"
        ) from error


def read(folder: Path, classes: Sequence[str] | None, *, name: str = "", background: bool = False) -> SourceModel:
    """The model in a folder; raises BadSource, BadWeightsFile, BadWeights, UnknownArchitecture, BadConfiguration."""
    config = _read_json(folder, CONFIG)
    if code := [key for key in CODE if key in config]:
        raise BadSource(
            f"{folder / CONFIG} asks for Python code of the repository ({code[0]}), which is never run: export the "
            "network with torch.export (.pt2), or register its class as an architecture of your own"
        )
    if config.get("problem_type") == "regression":
        raise BadSource(f"{folder} is a model of numbers (regression), and no classifier")
    if "quantization_config" in config:
        raise BadSource(f"the weights in {folder} are quantised: import the model in float32 or float16")
    if "pretrained_cfg" in config:
        raise BadSource(
            f"{folder} is a model of timm: give its file of weights, and --architecture timm/"
            f"{str(config.get('architecture'))[:100]}"
        )
    weights, digest, chosen_weights = _read_weights(folder)
    configuration = without_dropped(config)
    own = names_in(configuration.pop("id2label", None), by_index=True)
    configuration.pop("label2id", None)
    channels = _whole("num_channels", configuration.get("num_channels"), 3)
    kind = str(config.get("model_type", ""))
    labels = _whole("num_labels", configuration.pop("num_labels", None), len(own or ()))

    def build(outputs: int) -> nn.Module:
        return architectures.build(PREFIX + kind, outputs, configuration=configuration)

    sketch = architectures.sketch(weights, lambda: build(labels or 2))
    outputs = labels or _outputs(sketch, weights)
    architectures.sketch(weights, lambda: build(outputs))
    network = build(outputs)
    _load(network, full_precision(weights))
    chosen = choose_names(outputs, given=classes, own=own, background=background)
    warnings = (*chosen.warnings, *chosen_weights)
    if classes is None and own == tuple(f"LABEL_{index}" for index in range(outputs)):
        warnings += ("the classes have no names but LABEL_0, LABEL_1 and so on: give --classes",)
    multi_label = chosen.fields["multi_label"] or (config.get("problem_type") == MULTI_LABEL and not chosen.binary)
    processor = _processor(folder, kind)
    spec = Spec(
        PREFIX + kind,
        **{**chosen.fields, "multi_label": multi_label},
        configuration=configuration,
        **preprocessing_fields(processor, channels),
    )
    source = {
        "kind": "huggingface",
        "name": name or folder.resolve().name,
        "sha256": digest,
        "dtype": common_dtype(weights),
        "licence": "unknown",
        "versions": {"transformers": transformers().__version__},
    }
    return SourceModel(network, spec, source, _preprocessing(processor), warnings)


def _outputs(network: Any, weights: Mapping[str, Tensor]) -> int:
    """The number of rows of the head's weights; 2, transformers' own default, where they are not found."""
    last = weights.get(f"{architectures.head_name(network.network)}.weight")
    return len(last) if last is not None and last.numel() and last.ndim else 2


def _whole(name: str, value: Any, default: int) -> int:
    """A number above 0 of the configuration; raises BadSource for anything else."""
    if value is None:
        return default
    if type(value) is not int or not 0 < value <= LARGEST_NUMBER:
        raise BadSource(f"{CONFIG} has {name}={str(value)[:100]!r}, which is no number of labels or channels")
    return value


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    file = _inside(folder, name)
    if not file.is_file():
        raise BadSource(f"{folder} has no {name}")
    if file.stat().st_size > LARGEST_JSON:
        raise BadSource(f"{file} has more than {LARGEST_JSON / 1e6:.0f} MB: this is no description of a model")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadSource(f"{file} is no JSON ({error})") from error
    if not isinstance(content, dict):
        raise BadSource(f"{file} is no JSON object")
    return content


def _inside(folder: Path, name: str) -> Path:
    """A file of the folder; raises BadSource for a name or a link that leads out of it.

    The cache of the Hugging Face Hub keeps the files of a model as links to `blobs`, two folders above.
    """
    file, root = folder / name, folder.resolve()
    roots = [root, *([root.parents[1] / "blobs"] if root.parent.name == "snapshots" else [])]
    if Path(name).name != name or not any(file.resolve().is_relative_to(root) for root in roots):
        raise BadSource(f"{name[:200]!r} leads out of {folder}: copy the files of the model into one folder")
    return file


def _read_weights(folder: Path) -> tuple[dict[str, Tensor], str, tuple[str, ...]]:
    """All weights of the folder, the SHA-256 of their file, and warnings.

    The SHA-256 of several files is that of what `sha256sum` prints of them.
    """
    present = next((name for name in WEIGHTS if _inside(folder, name).is_file()), None)
    if present is None:
        raise BadSource(f"{folder} has no weights: one of {', '.join(WEIGHTS)}")
    file = _inside(folder, present)
    if present != INDEX:
        stored = read_weights(file)
        return dict(stored.weights), file_digest(file), stored.warnings
    listed = _read_json(folder, INDEX).get("weight_map")
    if not isinstance(listed, dict) or not all(isinstance(name, str) for name in listed.values()):
        raise BadSource(f"{file} lists no files of weights")
    weights: dict[str, Tensor] = {}
    digests = hashlib.sha256()
    for name in sorted(set(listed.values())):
        if not name.endswith(".safetensors"):
            raise BadSource(f"{file} lists {name[:200]!r}, which is no .safetensors file")
        shard = _inside(folder, name)
        weights |= read_weights(shard).weights
        digests.update(f"{file_digest(shard)}  {name}\n".encode())
    return weights, digests.hexdigest(), ()


def _load(network: Any, weights: Mapping[str, Tensor]) -> None:
    """Load weights by the names that they have in transformers' files; raises BadWeights."""
    try:
        architectures.load_exactly(network, {f"network.{key}": tensor for key, tensor in weights.items()})
    except BadWeights:
        _load_renamed(network, weights)


def _load_renamed(network: Any, weights: Mapping[str, Tensor]) -> None:
    """Load weights as transformers does, which knows the names that its networks had in earlier versions."""
    inner = network.network
    with _quiet():
        try:
            loaded, report = type(inner).from_pretrained(
                None,
                config=inner.config,
                state_dict=dict(weights),
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are in the report
            )
        except Exception as error:  # transformers raises nearly anything on weights of another network
            raise BadWeights(f"these weights are not of this architecture ({str(error)[:300]})") from error
    faults = {fault: sorted(map(_key, report[f"{name}_keys"])) for fault, name in FAULTS.items()}
    if any(faults.values()):
        details = [f"{len(keys)} {fault}: {', '.join(keys[:3])}" for fault, keys in faults.items() if keys]
        raise BadWeights(f"these weights are not of this architecture ({'; '.join(details)})")
    inner.load_state_dict(loaded.state_dict())


def _key(entry: Any) -> str:
    """The name of a weight in transformers' report, which has the shapes beside it where these are wrong."""
    return str(entry[0] if isinstance(entry, tuple) else entry)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' progress bar, and its report, of which the error has what counts."""
    logging = transformers().utils.logging
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def _processor(folder: Path, kind: str) -> Any:
    """transformers' own preprocessing of the model, from its file."""
    library = transformers()
    from transformers.models.auto import image_processing_auto

    processors: Mapping[str, Mapping[str, str]] = vars(image_processing_auto)["IMAGE_PROCESSOR_MAPPING_NAMES"]
    if not _inside(folder, PROCESSOR).is_file():
        raise BadSource(
            f"{folder} has no {PROCESSOR}, which says how pictures are preprocessed: copy it from where the model was "
            "trained"
        )
    values = _read_json(folder, PROCESSOR)
    if "auto_map" in values:
        raise BadSource(f"{folder / PROCESSOR} asks for Python code of the repository, which is never run")
    known = {name for names in processors.values() for name in names.values()}
    named = str(values.get("image_processor_type") or values.get("feature_extractor_type") or "")
    name = named.replace("FeatureExtractor", "ImageProcessor").removesuffix("Fast")
    if not named:
        name = (processors.get(kind) or {}).get("torchvision", "")
    if name not in known:
        raise BadSource(
            f"transformers has no image processor {named[:100]!r}: import the weights alone, with their preprocessing "
            "as options, or as a program of torch.export (.pt2)"
        )
    try:
        return getattr(library, name)(**{key: value for key, value in values.items() if not key.endswith("_type")})
    except Exception as error:  # the values may be anything
        raise BadSource(f"{folder / PROCESSOR} cannot be used ({type(error).__name__}: {error})") from error


def _preprocessing(processor: Any) -> Preprocessing:
    def preprocess(image: Image.Image) -> Tensor:
        pixels: Tensor = processor(images=image, return_tensors="pt")["pixel_values"]
        return pixels

    return preprocess
