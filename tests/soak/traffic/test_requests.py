"""Requests as bytes, and mixes of them."""

import random

from soak.traffic.requests import Mix, form, get, post, quick, slow


def test_options_stand_in_the_query_and_the_body_follows_its_length() -> None:
    request = post("/adversarial", b"picture", attack="pgd", epsilon="1/255", deadline_s=8.0)
    line, *headers = request.head.decode().split("\r\n")
    assert line == "POST /adversarial?attack=pgd&epsilon=1%2F255&deadline_s=8.0 HTTP/1.1"
    assert "Content-Length: 7" in headers and "Content-Type: image/png" in headers
    assert (request.operation, request.body, request.deadline_s) == ("/adversarial", b"picture", 8.0)
    assert get("/models").head == b"GET /models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def test_a_form_has_a_part_for_each_picture() -> None:
    body, kind = form([b"one", b"two"])
    boundary = kind.partition("boundary=")[2].encode()
    assert body.count(b"--" + boundary) == 3 and body.endswith(b"--" + boundary + b"--\r\n")
    assert b"\r\n\r\none\r\n" in body and b"\r\n\r\ntwo\r\n" in body


def test_a_mix_draws_by_weight_and_the_same_with_the_same_seed() -> None:
    often, never = get("/often"), get("/never")
    mix = Mix({"often": (3, lambda _: often), "never": (0, lambda _: never)})
    assert {mix.draw(random.Random(seed)).operation for seed in range(20)} == {"/often"}
    for whole in (quick(), slow()):
        first, second = ([whole.draw(random.Random(seed)).head for seed in range(50)] for _ in range(2))
        assert first == second


def test_all_operations_on_pictures_are_asked_for() -> None:
    drawn = [mix.draw(random.Random(seed)).operation for mix in (quick(), slow()) for seed in range(100)]
    assert set(drawn) == {"/classify", "/classify/batch", "/adversarial", "/explain", "/ideal/{class}"}
