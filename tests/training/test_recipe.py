from dataclasses import fields
from typing import Any, get_type_hints

import pytest
from typer.testing import CliRunner

from training.__main__ import app
from training.provenance import recipe_options
from training.recipe import ROBUST, BadRecipe, Recipe


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"validation": 0.5, "test": 0.4}, "0.8 together at most"),
        ({"epochs": -1}, "epochs must be 0 to 100,000, not -1"),
        ({"batch_size": 0}, "batch_size must be 1 to"),
        ({"input_size": 2000}, "input_size must be 16 to 1,024, not 2,000"),
        ({"patience": 0}, "patience must be 1 to"),
        ({"layer_decay": 1.5}, "layer_decay must be 0.01 to 1, not 1.5"),
        ({"momentum": -0.1}, "momentum must be 0 to 1"),
        ({"dropout": 1.5}, "dropout must be 0 to 0.99, not 1.5"),
        ({"crop_scale": (0.5, 0.2)}, "the smaller first"),
        ({"probe_penalties": ()}, "one or more numbers, all above 0"),
        ({"backbone_rate": 0.0}, "learning rates must be above 0"),
        ({"attack_steps": 1, "cutmix": 1.0}, "attack_steps and cutmix exclude each other"),
        ({"label_smoothing": float("nan")}, "label_smoothing must be 0 to 0.99, not nan"),
    ],
)
def test_impossible_values_are_refused(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRecipe, match=message):
        Recipe(**choices)


def test_every_field_has_a_description_and_is_an_option() -> None:
    hints = get_type_hints(Recipe, include_extras=True)
    assert all(hints[field.name].__metadata__[0] for field in fields(Recipe))
    result = CliRunner(env={"COLUMNS": "300", "NO_COLOR": "1", "TERMINAL_WIDTH": "300"}).invoke(app, ["fit", "--help"])
    for field in fields(Recipe):
        assert f"--{field.name.replace('_', '-')}" in result.output, field.name
    assert "Default: 8, with --robust 16." in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(),
        ROBUST,
        Recipe(
            epochs=3, grey=True, crop_scale=(0.2, 0.9), channels_last=False, dropout=0.5, probe_penalties=(0.1, 2.0)
        ),
        Recipe(attack_steps=4, epsilon=0.05),
    ],
)
def test_the_options_of_a_recipe_give_that_recipe(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card prints these options, and the command line must understand them."""
    recipes: list[Recipe] = []

    def run(options: Any, console: object) -> None:
        recipes.append(options.recipe)

    monkeypatch.setattr("training.commands.fit.run_fit", run)
    arguments = ["fit", "tests", "--output", "x.safetensors", *recipe_options(recipe)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert recipes == [recipe]
