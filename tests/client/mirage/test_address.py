"""Addresses and keys, as users write them."""

import pytest

from mirage.address import Address
from mirage.errors import BadAddress


def test_the_argument_goes_before_the_variable_and_the_variable_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Address.of(None, None).url == "http://127.0.0.1:8000"
    monkeypatch.setenv("MIRAGE_URL", "http://one:1")
    monkeypatch.setenv("MIRAGE_API_KEY", "secret")
    assert Address.of(None, None) == Address("http://one:1", "", "secret")
    assert Address.of("http://two:2/", "other") == Address("http://two:2", "", "other")
    assert Address.of(None, "").api_key == ""


@pytest.mark.parametrize("url", ["https://example.com/mirage/", "http://[::1]:8000", " http://localhost:8000 "])
def test_addresses_of_all_kinds(url: str) -> None:
    assert Address.of(url, None).url == url.strip().rstrip("/")


def test_a_unix_socket() -> None:
    address = Address.of("unix:/run/mirage.sock", None)
    assert address.socket == "/run/mirage.sock" and str(address) == "unix:/run/mirage.sock"


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8000", "localhost", "ftp://host", "http://", "http://host:0", "http://host:99999", "http://a b",
     "http://host/?x=1", "http://host/#x", "http://user@host", "http://:secret@host", "unix:", "http://h\u00f6st"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_how_to_write_one(url: str) -> None:
    with pytest.raises(BadAddress, match=r"http://127\.0\.0\.1:8000|unix:/run"):
        Address.of(url, None)


@pytest.mark.parametrize("url", ["http://user:sec/ret@host", "user:secret@host:8000", "ftp://user:secret@host"])
def test_a_password_in_an_address_is_not_shown(url: str) -> None:
    with pytest.raises(BadAddress) as caught:
        Address.of(url, None)
    assert "sec" not in str(caught.value) and "host" in str(caught.value)


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schl\u00fcssel"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(BadAddress) as caught:
        Address.of(None, key)
    assert key not in str(caught.value)


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(Address.of(None, "secret"))
