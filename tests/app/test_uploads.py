"""The picture in a request."""

from tests.app.conftest import Live
from tests.app.routes.test_classify import problem


def test_requests_without_a_picture(live: Live) -> None:
    assert "-F image=@" in problem(live, 422, files={"photo": b"x"})["detail"]
    assert "-F image=@" in problem(live, 422, files={"other": b"x"}, data={"image": "text"})["detail"]
    assert "Content-Type image/*" in problem(live, 415, json={})["detail"]
    charset = {"Content-Type": "multipart/form-data; boundary=x; charset=punycode"}
    body = b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1\r\n--x--\r\n'
    assert "charset" in problem(live, 400, content=body, headers=charset)["detail"]


def test_misplaced_and_misspelt_options_are_errors(live: Live, picture: bytes) -> None:
    assert "topp" in problem(live, 422, params={"topp": 1}, files={"image": picture})["detail"]
    assert "?model=" in problem(live, 422, data={"model": "x"}, files={"image": picture})["detail"]


def test_empty_options_and_capitals_are_fine(live: Live, picture: bytes) -> None:
    assert live.client.post("/classify?model=&top=", files={"image": picture}).status_code == 200
    answer = live.client.post("/classify", content=picture, headers={"Content-Type": "IMAGE/PNG"})
    assert answer.status_code == 200
