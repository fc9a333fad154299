"""Classification networks by name: building one, loading its weights, replacing its head.

A name without a slash is torchvision's, or one that was registered; `timm/...` and `transformers/...` are networks of
these libraries, and `exported` is a program (models/program).
"""

from models.architectures.build import EXPORTED, build
from models.architectures.errors import BadConfiguration, BadWeights, UnknownArchitecture
from models.architectures.heads import check_head, features, head, head_name, set_head
from models.architectures.registered import BadRegistration, register
from models.architectures.torchvision_networks import TENSORFLOWS, architectures, of_size, weight_choices
from models.architectures.weights import load_backbone, load_exactly, sketch, stem_name

__all__ = [
    "EXPORTED",
    "TENSORFLOWS",
    "BadConfiguration",
    "BadRegistration",
    "BadWeights",
    "UnknownArchitecture",
    "architectures",
    "build",
    "check_head",
    "features",
    "head",
    "head_name",
    "load_backbone",
    "load_exactly",
    "of_size",
    "register",
    "set_head",
    "sketch",
    "stem_name",
    "weight_choices",
]
