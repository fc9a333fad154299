"""The README names every endpoint, and files that exist. test_code_blocks.py runs its commands."""

import re
from pathlib import Path

from app.main import create_app
from app.settings import Settings

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_every_file_that_the_readme_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPOSITORY / target).exists(), target


def test_no_placeholder_is_left_in_the_readme() -> None:
    """Placeholders of figures look like CAT_JSON or TIME_BEFORE."""
    assert re.findall(r"\b[A-Z]+_(?:JSON|LINE|BEFORE|AFTER|CAT|DOG)\b", README) == []


def test_every_endpoint_is_in_the_table_of_the_readme() -> None:
    """The endpoints are the paths of the OpenAPI document, and the two of the documentation itself."""
    paths = create_app(Settings(_env_file=None, models=("imagenet/mobilenet_v2",))).openapi()["paths"]
    for path in [*paths, "/docs", "/openapi.json"]:
        assert re.search(rf"`(?:GET |POST )?{re.escape(path)}[`?]", README), path
