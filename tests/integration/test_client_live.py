"""The client against a running service: what it does when the service is full, refuses, stops, or starts again."""

import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from mirage import (
    ConnectionLost,
    KeyRefused,
    Mirage,
    MirageError,
    NotFound,
    NotReached,
    Overloaded,
    RequestRefused,
)
from mirage.results.classification import Classification
from models.pictures import encode
from tests.app.live_service import Live, drawn, eventually, serve

SLOW = {"attack": "pgd", "epsilon": "1/255", "confidence": 100, "steps": 1000}
"""An attack that does not succeed, and so takes all of its steps."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_attack_is_watched_and_its_file_holds(live: Live, picture: bytes, tmp_path: Path) -> None:
    """The class and the norms that the result names are those of the file that is saved."""
    with Mirage(live.url) as client:
        before = client.classify(picture)
        target = before.predictions[1].label
        with client.fool.stream(picture, target=target, previews=True) as steps:
            events = list(steps)
        saved = steps.result.save(tmp_path / "fooled.png")
        after = client.classify(saved)
    assert [event.step for event in events] == sorted(event.step for event in events)
    assert any(event.preview is not None and event.change is not None for event in events)
    assert steps.result.success and after.predictions[0].label == target
    shown = steps.result._repr_html_()
    assert [shown.count(word) for word in ("<img", ">before<", "amplified", ">after<")] == [3, 1, 1, 1]
    change = (np.asarray(steps.result.image, float) - np.asarray(steps.result.before, float)) / 255
    assert np.abs(change).max() == pytest.approx(steps.result.norms.linf, abs=1e-6)
    assert np.sqrt((change**2).sum()) == pytest.approx(steps.result.norms.l2, rel=1e-5)


def test_leaving_a_stream_ends_the_task_of_the_service(live: Live, picture: bytes) -> None:
    with Mirage(live.url) as client:
        with client.fool.stream(picture, **SLOW) as steps:  # type: ignore[arg-type]
            next(steps)
            assert live.service.engine.alive == 1
        eventually(lambda: live.service.engine.alive == 0)
        assert client.health().status == "ready"


def test_closing_the_client_ends_its_requests(live: Live, picture: bytes) -> None:
    client, ended = Mirage(live.url), threading.Event()

    def wait() -> None:
        with pytest.raises(BaseException):  # noqa: B017  # cancelled: what that raises is Python's matter
            client.fool(picture, **SLOW)  # type: ignore[arg-type]
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: live.service.engine.alive == 1)
    client.close()
    thread.join(30)
    assert ended.is_set()
    eventually(lambda: live.service.engine.alive == 0)


def test_a_full_service_answers_every_picture_in_the_end(checkpoints: Path, tmp_path: Path) -> None:
    """Twelve requests at a time where two places are for classifications: those that are refused come again."""
    paths = [tmp_path / f"{number}.png" for number in range(48)]
    for number, path in enumerate(paths):
        path.write_bytes(encode(drawn(40, 48, seed=number)))
    with serve(checkpoints=checkpoints, max_waiting=4) as live, Mirage(live.url) as client:
        results = list(client.classify_many(paths, concurrency=12))
        metrics = httpx.get(f"{live.url}/metrics").text
    assert [path for path, _ in results] == paths
    assert all(isinstance(result, Classification) for _, result in results)
    assert re.search(
        r'^mirage_http_requests_total\{.*route="/classify/batch",status="503"\} [1-9]', metrics, re.MULTILINE
    )


def test_a_service_that_stays_full_is_an_error_that_says_when(checkpoints: Path, picture: bytes) -> None:
    with serve(checkpoints=checkpoints, max_waiting=1) as live, Mirage(live.url, retry_s=0) as client:
        with client.fool.stream(picture, **SLOW) as steps:  # type: ignore[arg-type]
            next(steps)
            with pytest.raises(Overloaded) as caught:
                client.fool(picture)
        assert caught.value.retry_after_s and "try again in" in str(caught.value)


def test_keys(checkpoints: Path, picture: bytes) -> None:
    with serve(checkpoints=checkpoints, api_keys=("right",)) as live:
        for key in ("", "wrong"):
            with Mirage(live.url, api_key=key) as client:
                with pytest.raises(KeyRefused):
                    client.classify(picture)
                with pytest.raises(KeyRefused), client.fool.stream(picture):
                    pass
                with pytest.raises(KeyRefused):
                    list(client.classify_many([picture] * 20))
        with Mirage(live.url, api_key="right") as client:
            assert client.classify(picture).model == "tiny"


def test_a_restart_in_the_middle_of_a_stream_is_told_and_many_pictures_survive_it(
    checkpoints: Path, picture: bytes
) -> None:
    """The stream is not begun again; the pictures that are left are classified by the next service at this address."""
    port = free_port()
    results: list[object] = []
    began = threading.Event()

    def source() -> Iterator[bytes]:
        for number in range(400):
            if number == 300:
                began.set()
            yield picture

    with Mirage(f"http://127.0.0.1:{port}", retry_s=120) as client:
        worker = threading.Thread(target=lambda: results.extend(client.classify_many(source(), concurrency=2)))
        with (
            serve(checkpoints=checkpoints, port=port, drain_s=0, stop_s=1) as live,
            client.fool.stream(picture, **SLOW) as steps,  # type: ignore[arg-type]
        ):
            next(steps)
            worker.start()
            eventually(began.is_set)
            live.server.should_exit = True
            with pytest.raises(MirageError) as caught:
                steps.finish()
        assert isinstance(caught.value, ConnectionLost | Overloaded), "or the service still said that it stops"
        with pytest.raises(NotReached), Mirage(f"http://127.0.0.1:{port}") as other:
            other.health()
        with serve(checkpoints=checkpoints, port=port):
            worker.join(120)
    assert len(results) == 400 and all(isinstance(result, Classification) for _, result in results)  # type: ignore[misc]


def test_a_unix_socket(checkpoints: Path, picture: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.sock"
    if len(os.fspath(path)) > 100:
        pytest.skip("the path of the temporary folder is too long for a unix socket")
    with serve(checkpoints=checkpoints, host=f"unix:{path}"), Mirage(f"unix:{path}") as client:
        assert client.classify(picture).model == "tiny"
        assert client.model_card("tiny").startswith("# tiny")


def test_what_the_client_refuses_costs_the_service_nothing(live: Live, picture: bytes) -> None:
    with Mirage(live.url) as client:
        for call in (
            lambda: client.classify(picture, model="none"),
            lambda: client.ideal("no such class"),
            lambda: client.features(picture, "no such layer"),
        ):
            with pytest.raises(NotFound):
                call()
        with pytest.raises(RequestRefused):
            client.fool(picture, epsilon="lots")
        assert live.service.engine.alive == 0
