"""The options of gradient ascent, which every method of ideal pictures takes."""

from dataclasses import dataclass
from typing import Annotated

from models.ideal.subject import ClassObjective
from models.options import Option


@dataclass(frozen=True)
class Ascent:
    """The options of gradient ascent, which every method takes, with the usual defaults of the effort `thorough`."""

    objective: Annotated[
        ClassObjective,
        Option(
            "What gradient ascent raises for a class: its logit, its log-probability (cross_entropy), or the lead of "
            "its logit over the highest other logit (margin). For a channel it is always the mean activation, and the "
            "option is not allowed."
        ),
    ] = "logit"
    steps: Annotated[
        int,
        Option(
            "Largest number of steps of gradient ascent. More steps work the picture out further, and take "
            "proportionally more time.",
            least=1,
            most=2000,
        ),
    ] = 96
    crops: Annotated[
        int,
        Option(
            "Number of random crops of the picture that the network looks at in each step; with 0 it looks at the "
            "whole picture. More crops make a picture that is recognised more reliably, and take proportionally "
            "more time.",
            least=0,
            most=32,
        ),
    ] = 4
    batch: Annotated[
        int,
        Option(
            "Number of crops in one query to the network, if it is larger than `crops`: the gradients of several "
            "consecutive steps are then computed together, all at the same picture, which takes less time than a query "
            "for each step. A value of at most `crops` changes nothing: each step has a query of its own. So have the "
            "steps of the first eighth, in which the shapes emerge, and all steps with crops=0. A CPU computes at most "
            "4 crops at once, and at most (1024 // size) ** 2 steps share a query, where size is the picture's side in "
            "pixels: a step of a large picture takes long.",
            least=1,
            most=32,
        ),
    ] = 1
    noise: Annotated[
        float,
        Option(
            "Largest standard deviation of the Gaussian noise on what the network looks at in each step, with pixel "
            "values from 0 to 1. More noise makes bolder shapes and suppresses fine patterns; with 0 there is none.",
            least=0.0,
            most=1.0,
        ),
    ] = 0.2
    noise_rise: Annotated[
        float,
        Option(
            "Fraction of `steps` in which the noise rises linearly from none to its full strength; with 0 it is full "
            "from the first step; with 1 it never is, and neither `sure` nor `patience` ends the ascent. At the first "
            "steps the picture is faint, and noise hides it from the network.",
            least=0.0,
            most=1.0,
        ),
    ] = 0.0
    patience: Annotated[
        int,
        Option(
            "Number of steps after which the ascent ends early if the class or channel was not recognised better in "
            "any of them. With 0 it does not end early for this reason, but `sure` may still end it. Steps count once "
            "the noise has reached its full strength. Larger values wait longer for late progress.",
            least=0,
            most=2000,
        ),
    ] = 20
    sure: Annotated[
        float,
        Option(
            "Mean probability of the class over 8 steps from which the ascent ends early, once the noise has risen; "
            "with 1 it does not. For a channel the option is not allowed.",
            least=0.0,
            most=1.0,
        ),
    ] = 1.0
    tv: Annotated[
        float,
        Option(
            "Weight of the total variation, the mean difference of neighbouring pixels, which is subtracted from the "
            "objective. Larger values make smoother pictures; far too large ones make them grey.",
            least=0.0,
            most=2000.0,
        ),
    ] = 20.0
    final_rate: Annotated[
        float,
        Option(
            "Learning rate of the last of `steps` as a fraction of that of the first; it falls linearly. With 1 it "
            "stays the same. Smaller values let the picture settle towards the end.",
            least=0.0,
            most=1.0,
        ),
    ] = 1.0
