"""Image classifiers of Hugging Face: a folder with config.json, preprocessor_config.json and weights, or a name.

Only these files are read. Python code in the folder or the repository is never run, and a configuration that asks for
it is refused.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from models import architectures
from models.architectures import BadWeights
from models.architectures.transformers_networks import DROPPED, PREFIX, transformers
from models.spec import Spec
from models.store import WeightsUnavailable
from training.importing.class_names import choose_names
from training.importing.model import BadSource, Preprocessing, SourceModel
from training.importing.sources.processors import preprocessing_fields
from training.importing.weights_file import common_dtype, file_digest, full_precision, names_in, read_weights

CONFIG, PROCESSOR, INDEX = "config.json", "preprocessor_config.json", "model.safetensors.index.json"
WEIGHTS = ("model.safetensors", INDEX, "pytorch_model.bin")
"""The files of weights, in the order in which they are preferred."""
LARGEST_JSON = 20_000_000
"""Largest size of a JSON file in bytes."""
MULTI_LABEL = "multi_label_classification"
"""The `problem_type` of a network of several labels per picture."""
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
        return Path(snapshot_download(name, allow_patterns=[CONFIG, PROCESSOR, *WEIGHTS, "model-*.safetensors"]))
    except Exception as error:  # no network, no such repository: the library raises nearly anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsUnavailable(
            f"there is no file or folder {name}, and no model of this name can be downloaded from the Hugging Face Hub "
            f"({reason}): give the path of a file of weights, of a folder with {CONFIG}, or the name of a model"
        ) from error


def read(folder: Path, classes: Sequence[str] | None, *, name: str = "") -> SourceModel:
    """The model in a folder; raises BadSource, BadWeightsFile, BadWeights, UnknownArchitecture, BadConfiguration."""
    config = _read_json(folder, CONFIG)
    if code := [key for key in CODE if key in config]:
        raise BadSource(
            f"{folder / CONFIG} asks for Python code of the repository ({code[0]}), which is never run: export the "
            "network with torch.export (.pt2), or register its class as an architecture of your own"
        )
    if "quantization_config" in config:
        raise BadSource(f"the weights in {folder} are quantised: import the model in float32 or float16")
    weights, file = _read_weights(folder)
    configuration = {key: value for key, value in config.items() if key not in DROPPED}
    own = names_in(configuration.pop("id2label", None))
    configuration.pop("label2id", None)
    outputs = int(configuration.pop("num_labels", None) or len(own or ()) or 2)
    kind = str(config.get("model_type", ""))
    network = architectures.build(PREFIX + kind, outputs, configuration=configuration)
    _load(network, full_precision(weights))
    names, background, warnings = choose_names(outputs, given=classes, own=own)
    if classes is None and own == tuple(f"LABEL_{index}" for index in range(outputs)):
        warnings += ("the classes have no names but LABEL_0, LABEL_1 and so on: give --classes",)
    processor = _processor(folder, kind)
    spec = Spec(
        PREFIX + kind,
        names,
        background=background,
        multi_label=config.get("problem_type") == MULTI_LABEL,
        configuration=configuration,
        **preprocessing_fields(processor, int(configuration.get("num_channels", 3))),
    )
    source = {
        "kind": "huggingface",
        "name": name or folder.name,
        "sha256": file_digest(file),
        "dtype": common_dtype(weights),
        "licence": "unknown",
        "versions": {"transformers": transformers().__version__},
    }
    return SourceModel(network, spec, source, _preprocessing(processor), warnings)


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
    file = folder / name
    roots = [folder.resolve(), *([folder.resolve().parents[1] / "blobs"] if "snapshots" in folder.parts else [])]
    if Path(name).name != name or not any(file.resolve().is_relative_to(root) for root in roots):
        raise BadSource(f"{name[:200]!r} leads out of {folder}: copy the files of the model into one folder")
    return file


def _read_weights(folder: Path) -> tuple[dict[str, Tensor], Path]:
    """All weights of the folder, and the file, or the list of files, in which they are."""
    present = next((name for name in WEIGHTS if _inside(folder, name).is_file()), None)
    if present is None:
        raise BadSource(f"{folder} has no weights: one of {', '.join(WEIGHTS)}")
    file = _inside(folder, present)
    if present != INDEX:
        return dict(read_weights(file).weights), file
    listed = _read_json(folder, INDEX).get("weight_map")
    if not isinstance(listed, dict) or not all(isinstance(name, str) for name in listed.values()):
        raise BadSource(f"{file} lists no files of weights")
    weights: dict[str, Tensor] = {}
    for name in sorted(set(listed.values())):
        if not name.endswith(".safetensors"):
            raise BadSource(f"{file} lists {name[:200]!r}, which is no .safetensors file")
        weights |= read_weights(_inside(folder, name)).weights
    return weights, file


def _load(network: Any, weights: Mapping[str, Tensor]) -> None:
    """Load weights by the names that they have in transformers' files; raises BadWeights."""
    try:
        architectures.load_exactly(network, {f"network.{key}": tensor for key, tensor in weights.items()})
    except BadWeights:
        _load_renamed(network, weights)


def _load_renamed(network: Any, weights: Mapping[str, Tensor]) -> None:
    """Load weights as transformers does, which knows the names that its networks had in earlier versions."""
    inner = network.network
    transformers().utils.logging.disable_progress_bar()
    loaded, report = type(inner).from_pretrained(
        None, config=inner.config, state_dict=dict(weights), output_loading_info=True
    )
    kinds = ("missing_keys", "unexpected_keys", "mismatched_keys")
    faults = {kind: sorted(map(str, report[kind])) for kind in kinds if report[kind]}
    if faults:
        details = "; ".join(f"{kind.replace('_', ' ')}: {', '.join(keys[:3])}" for kind, keys in faults.items())
        raise BadWeights(f"these weights are not of this architecture ({details})")
    inner.load_state_dict(loaded.state_dict())


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
    if name not in known:
        name = (processors.get(kind) or {}).get("torchvision", "")
    if not name:
        raise BadSource(f"transformers has no image processor {named[:100]!r}")
    try:
        return getattr(library, name)(**{key: value for key, value in values.items() if not key.endswith("_type")})
    except Exception as error:  # the values may be anything
        raise BadSource(f"{folder / PROCESSOR} cannot be used ({type(error).__name__}: {error})") from error


def _preprocessing(processor: Any) -> Preprocessing:
    def preprocess(image: Image.Image) -> Tensor:
        pixels: Tensor = processor(images=image, return_tensors="pt")["pixel_values"]
        return pixels

    return preprocess
