"""The services of docker-compose.yml, as far as they can be checked without Docker."""

import importlib.util
import os
import re
import subprocess
import sys

import pytest
import yaml

from app.settings import Settings
from models.store import BUNDLED
from tests.integration.project import REPOSITORY, environment, last, stages

COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
SERVING, TRAINING = ("serve", "serve-cpu"), ("train", "train-cpu")


def mounts(service: str) -> dict[str, tuple[str, bool]]:
    """The volumes of a service: target -> source and whether it is read-only."""
    targets = {}
    for mount in SERVICES[service]["volumes"]:
        # A source may have a default, ${NAME:-value}, whose colon is no separator.
        match = re.fullmatch(r"(\$\{\w+:-(?P<default>[^}]*)\}|(?P<plain>[^:]*)):(?P<target>[^:]*)(?P<ro>:ro)?", mount)
        assert match is not None, mount
        targets[match["target"]] = (match["default"] or match["plain"], match["ro"] is not None)
    return targets


def test_services_and_their_profiles() -> None:
    """No service starts without a profile, and each profile starts one."""
    assert {name: service["profiles"] for name, service in SERVICES.items()} == {
        "serve": ["gpu"],
        "serve-cpu": ["cpu"],
        "train": ["train"],
        "train-cpu": ["train-cpu"],
    }


@pytest.mark.parametrize("name", [*SERVING, *TRAINING])
def test_every_service_is_locked_down(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", [*SERVING, *TRAINING])
def test_only_the_services_for_gpus_reserve_one(name: str) -> None:
    service, gpu = SERVICES[name], not name.endswith("-cpu")
    extras = {"EXTRAS": "${EXTRAS:-}"}
    assert ("ARG", "EXTRAS=") in stages()[1]
    assert ("deploy" in service) == gpu
    if gpu:
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
        assert service["image"] == "mirage:gpu"
        assert service["build"] == {"context": ".", "args": extras}
    else:
        assert service["image"] == "mirage:cpu"
        assert service["build"] == {"context": ".", "args": {"TORCH_BACKEND": "cpu", **extras}}
        assert ("ARG", "TORCH_BACKEND=") in stages()[1]


@pytest.mark.parametrize("name", SERVING)
def test_the_service_is_published_only_on_this_machine(name: str) -> None:
    assert SERVICES[name]["ports"] == [f"127.0.0.1:{Settings.model_fields['port'].default}:{last('EXPOSE')}"]
    assert "network_mode" not in SERVICES[name]


@pytest.mark.parametrize("name", SERVING)
def test_the_environment_of_a_service_has_only_known_settings(name: str) -> None:
    """The host, port and checkpoints that compose sets agree with the image and with the volumes."""
    settings = SERVICES[name]["environment"]
    assert {key.removeprefix("MIRAGE_").lower() for key in settings} <= set(Settings.model_fields)
    assert settings["MIRAGE_HOST"] == "0.0.0.0"
    assert str(settings["MIRAGE_PORT"]) == last("EXPOSE")
    source, read_only = mounts(name)[settings["MIRAGE_CHECKPOINTS"]]
    assert read_only
    assert (REPOSITORY / source).resolve() == BUNDLED.resolve()


@pytest.mark.parametrize("name", SERVING)
def test_only_the_cache_of_weights_is_writable(name: str) -> None:
    """The cache is the folder that torchvision uses, and a volume that outlives the container."""
    writable = {target: source for target, (source, read_only) in mounts(name).items() if not read_only}
    assert writable == {environment()["TORCH_HOME"]: "torch"}
    assert "torch" in COMPOSE["volumes"]
    (made,) = [rest for instruction, rest in stages()[-1] if instruction == "RUN"]
    assert f"install -d -o mirage -g mirage {environment()['TORCH_HOME']}" in made


@pytest.mark.parametrize("name", SERVING)
def test_the_service_ends_by_itself_before_it_is_killed(name: str) -> None:
    grace = SERVICES[name]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > Settings.model_fields["stop_s"].default


@pytest.mark.parametrize("name", TRAINING)
def test_training_is_offline_and_writes_only_its_output(name: str) -> None:
    service = SERVICES[name]
    assert service["network_mode"] == "none"
    assert "ports" not in service
    read_only = {target: is_read_only for target, (_, is_read_only) in mounts(name).items()}
    assert read_only == {"/data": True, "/output": False, environment()["TORCH_HOME"]: True}
    assert service["working_dir"] == "/output", "where the run folder is made"
    assert service["entrypoint"][:2] == ["python", "-m"]
    assert importlib.util.find_spec(f"{service['entrypoint'][2]}.__main__") is not None


def test_the_command_in_the_comments_of_compose_has_options_that_exist() -> None:
    """The help of `fit` names --output, the only option of the command."""
    text = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
    (command,) = re.findall(r"# docker compose run --rm train (.*)", text)
    assert command.split()[2:] == ["--output", "/output/model.safetensors"]
    variables = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
    help_command = [sys.executable, "-m", "training", command.split()[0], "--help"]
    done = subprocess.run(help_command, cwd=REPOSITORY, env=variables, check=True, capture_output=True, text=True)
    assert "--output" in done.stdout
