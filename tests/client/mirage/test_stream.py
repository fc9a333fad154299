"""A task that is watched: its steps, its result, and what happens where either is missing."""

import asyncio
import base64
from io import BytesIO

import httpx
import pytest
from PIL import Image

from mirage import AsyncMirage, BadOption, ConnectionLost, Mirage, Overloaded, RequestRefused, UnexpectedResponse
from tests.client.answers import URL, Answers, Pieces, event, problem, refusal, stream

PROGRESS = {"step": 1, "steps": 2, "score": 0.5, "success": False, "eta_s": 1.5}


def png() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (5, 4)).save(buffer, "PNG")
    return buffer.getvalue()


EXPLAINED = {
    "model": "tiny", "version": "v", "method": "grad_cam", "layer": None, "missing": None, "options": {"steps": 3},
    "target": {"label": "dog", "index": 1, "probability": 0.5}, "top": {"label": "dog", "index": 1, "probability": 0.5},
    "passes": {"forward": 1, "backward": 1}, "seconds": 0.5,
    **dict.fromkeys(("image", "heat_map"), "data:image/png;base64," + base64.b64encode(png()).decode()),
}  # fmt: skip


def test_steps_then_the_result() -> None:
    pieces = Pieces(
        [event("progress", PROGRESS), event("progress", PROGRESS | {"step": 2}), event("result", EXPLAINED)]
    )
    answers = Answers(stream(pieces))
    with Mirage(URL, transport=answers) as client, client.explain.stream(b"picture", target="dog") as steps:
        assert [step.step for step in steps] == [1, 2]
        assert steps.result.target.label == "dog" and steps.result.files["image"] == png()
        assert list(steps) == [], "an iterator that has ended stays so"
    assert answers.requests[0].headers["accept"].startswith("text/event-stream") and pieces.closed


def test_the_result_without_a_look_at_the_steps() -> None:
    pieces = Pieces([event("progress", PROGRESS), event("result", EXPLAINED)])
    with Mirage(URL, transport=Answers(stream(pieces))) as client, client.explain.stream(b"picture") as steps:
        assert steps.finish() is steps.result


def test_leaving_the_block_closes_the_connection_at_once() -> None:
    """The service drops the task when its client is gone; the events that are left are not waited for."""
    pieces = Pieces([event("progress", PROGRESS)] * 100)
    with Mirage(URL, transport=Answers(stream(pieces))) as client:
        with client.explain.stream(b"picture") as steps:
            next(steps)
            with pytest.raises(BadOption, match="has not ended"):
                steps.result  # noqa: B018
        assert pieces.closed and pieces.given < 100
        with pytest.raises(BadOption, match="was left"):
            next(steps)


def test_the_same_for_asyncio() -> None:
    async def watch() -> list[int]:
        pieces = Pieces([event("progress", PROGRESS), event("result", EXPLAINED)])
        async with (
            AsyncMirage(URL, transport=Answers(stream(pieces))) as client,
            client.explain.stream(b"picture") as steps,
        ):
            numbers = [step.step async for step in steps]
            assert steps.result.model == "tiny"
        return numbers

    assert asyncio.run(watch()) == [1]


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([event("progress", PROGRESS)], ConnectionLost),
        ([event("progress", PROGRESS), httpx.ReadError("reset")], ConnectionLost),
        ([event("progress", PROGRESS), event("problem", problem(422))], RequestRefused),
        ([event("progress", PROGRESS), event("problem", problem(503))], Overloaded),
        ([event("progress", PROGRESS), b"event: result\ndata: {\n\n"], UnexpectedResponse),
        ([event("progress", PROGRESS), event("progress", {"step": "x"})], UnexpectedResponse),
    ],
)
def test_a_task_that_fails_is_an_error_and_is_not_begun_again(
    pieces: list[bytes | Exception], kind: type[Exception]
) -> None:
    """Also where the service stops in the middle: what the user has seen so far would come again."""
    answers = Answers(stream(Pieces(pieces)))
    with Mirage(URL, transport=answers) as client, client.explain.stream(b"picture") as steps:
        assert next(steps).eta_s == 1.5
        with pytest.raises(kind):
            list(steps)
    assert len(answers.requests) == 1


def test_a_refused_task_is_sent_again_before_its_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr("mirage.connection.sleep", pause)
    answers = Answers(refusal(503, retry_after="3"), stream(Pieces([event("result", EXPLAINED)])))
    with Mirage(URL, transport=answers) as client, client.explain.stream(b"picture") as steps:
        assert steps.finish().model == "tiny"
    assert paused == [3]
