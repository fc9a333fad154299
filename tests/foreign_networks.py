"""Small networks of timm and transformers with random weights, which give different photos different classes."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from skimage import data
from torch import Tensor, nn

from tests.networks import normalise_by

CLASSES = ("cat", "dog", "tree frog", "lemon", "tea cup")
"""Names of the classes of networks from transformers."""
QUICK_TIMM = ("test_vit", "test_resnet")
"""Networks of two families that timm has for tests."""
TIMM = (
    "test_convnext",
    "test_efficientnet",
    "resnet18",
    "vit_tiny_patch16_224",
    "convnext_atto",
    "mobilenetv3_small_050",
    "swin_tiny_patch4_window7_224",
    "deit_tiny_distilled_patch16_224",
    "mixer_s32_224",
    "coatnet_nano_rw_224",
    "maxvit_nano_rw_256",
    "densenet121",
    "repvgg_a0",
    "edgenext_xx_small",
    "levit_128s",
    "xcit_nano_12_p16_224",
    "poolformer_s12",
    "mobilevit_xxs",
    "eva02_tiny_patch14_224",
)
"""Small networks of timm, of other families."""


@cache
def photos() -> tuple[Tensor, ...]:
    """Twelve pictures, uint8 [3, h, w]: four parts of each of three photos that come with scikit-image."""
    pictures = []
    for photo in (data.chelsea(), data.astronaut(), data.coffee()):
        levels = torch.from_numpy(photo).permute(2, 0, 1).contiguous()
        height, width = levels.shape[1:]
        pictures += [
            levels,
            levels[:, : height // 2].contiguous(),
            levels[:, :, width // 3 :].contiguous(),
            levels[:, height // 4 :, : 2 * width // 3].contiguous(),
        ]
    return tuple(pictures)


def twenty(draw: Callable[..., Tensor]) -> list[Tensor]:
    """The photos and eight drawn pictures of other sizes."""
    sizes = ((240, 320), (100, 80), (333, 500), (64, 64), (256, 256), (224, 224), (50, 200), (600, 401))
    return [*photos(), *(draw(*size, seed=seed) for seed, size in enumerate(sizes))]


def lively(network: nn.Module, head: str, channels: int, side: int) -> nn.Module:
    """Random weights with which all parts count, and a head whose classes are photos; in eval mode.

    Networks begin with residual branches and scales that are 0 or nearly so. The statistics of batch norms are those of
    photos. Row i of the head has the features of photo i without what all photos share.
    """
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):  # smooth, as those of trained networks are
                layer.weight.copy_(0.2 * layer.weight + layer.weight.mean(dim=(2, 3), keepdim=True))
                if layer.bias is not None:  # without, layer norms enlarge the rounding of nearly constant patches
                    layer.bias.copy_(torch.randn(layer.bias.shape, generator=random))
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1 and not parameter.any():
                parameter.copy_(torch.randn(parameter.shape, generator=random) / parameter[0].numel() ** 0.5)
            elif parameter.ndim == 1 and name.endswith(("weight", "gamma", "scale")) and parameter.abs().max() < 0.1:
                parameter.fill_(1 if name.endswith("weight") else 0.2)
        resized = [
            nn.functional.interpolate(photo[None].float() / 255, (side, side), mode="bilinear", antialias=True)
            for photo in photos()
        ]
        pixels = 4 * (torch.cat(resized) - 0.45)
        pixels = pixels if channels == 3 else pixels[:, :1].expand(-1, channels, -1, -1)
        normalise_by(network, pixels)
        layer, inputs = network.get_submodule(head), []
        hook = layer.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
        network(pixels)
        hook.remove()
        centred = inputs[0] - inputs[0].mean(dim=0)
        rows = centred.repeat(len(layer.weight) // len(centred) + 1, 1)[: len(layer.weight)]
        layer.weight.copy_(5 * rows / centred.square().sum(dim=1).mean())
        layer.bias.copy_(-layer.weight @ inputs[0].mean(dim=0))
    return network


def timm_network(name: str, classes: int = 7, **options: Any) -> nn.Module:
    """A lively network of timm."""
    import timm

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: nn.Module = timm.create_model(name, num_classes=classes, **options)
    configuration = network.pretrained_cfg
    head, side = configuration["classifier"], options.get("img_size", configuration["input_size"][1])
    return lively(network, head if isinstance(head, str) else head[0], options.get("in_chans", 3), side)


def transformers_cases() -> dict[str, tuple[Any, Any]]:
    """A model and its image processor for each of several types of transformers."""
    import transformers as library

    small = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 64}
    stages = {"hidden_sizes": [16, 32, 32, 64], "depths": [1, 1, 1, 1]}
    imagenet = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    labels = {"id2label": dict(enumerate(CLASSES)), "label2id": {name: index for index, name in enumerate(CLASSES)}}
    cases: dict[str, tuple[type, dict[str, Any], Any]] = {
        "vit": (library.ViTConfig, small, library.ViTImageProcessor()),
        "deit": (library.DeiTConfig, small, library.DeiTImageProcessor()),
        "beit": (library.BeitConfig, small, library.BeitImageProcessor()),
        "resnet": (
            library.ResNetConfig,
            {"embedding_size": 16, **stages},
            library.ConvNextImageProcessor(size={"shortest_edge": 224}, crop_pct=0.875),
        ),
        "convnext": (
            library.ConvNextConfig,
            {**stages, "layer_scale_init_value": 0.1},
            library.ConvNextImageProcessor(size={"shortest_edge": 384}),
        ),
        "swin": (
            library.SwinConfig,
            {"embed_dim": 24, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 2, 2]},
            library.ViTImageProcessor(resample=3, **imagenet),
        ),
        "mobilenet_v2": (library.MobileNetV2Config, {"depth_multiplier": 0.35}, library.MobileNetV2ImageProcessor()),
        "mobilevit": (library.MobileViTConfig, {}, library.MobileViTImageProcessor(size={"shortest_edge": 288})),
        "efficientnet": (
            library.EfficientNetConfig,
            {"image_size": 224, "width_coefficient": 1.0, "depth_coefficient": 0.3, "hidden_dim": 1280},
            library.EfficientNetImageProcessor(
                size={"height": 224, "width": 224}, rescale_factor=1 / 127.5, rescale_offset=True
            ),
        ),
        "levit": (library.LevitConfig, {}, library.LevitImageProcessor()),
        "dinov2": (
            library.Dinov2Config,
            {**small, "image_size": 518},
            library.BitImageProcessor(size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}, **imagenet),
        ),
        "regnet": (
            library.RegNetConfig,
            {"embedding_size": 16, **stages, "groups_width": 8},
            library.ConvNextImageProcessor(size={"shortest_edge": 224}),
        ),
    }
    return {name: (make(**{**labels, **fields}), processor) for name, (make, fields, processor) in cases.items()}


def transformers_network(config: Any, side: int = 224) -> nn.Module:
    """A lively image classifier of transformers with this configuration."""
    import transformers as library

    kind = getattr(library, type(config).__name__.replace("Config", "ForImageClassification"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: nn.Module = kind(config)
    wrapped = _Logits(network)
    name = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)][-1]
    lively(wrapped, f"network.{name}", config.num_channels, side)
    return network.eval()


class _Logits(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network(pixels).logits


def save(folder: Path, network: Any, processor: Any) -> Path:
    """Write a model as transformers does."""
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
