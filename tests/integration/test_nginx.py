"""The configuration of nginx in deploy/, used by a real nginx in front of the service; skipped where there is none."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from models.pictures import encode
from tests.app.events import events
from tests.app.live_service import Live, drawn, eventually
from tests.app.page.service_process import free_port
from tests.integration.project import REPOSITORY

CONFIGURATION = (REPOSITORY / "deploy" / "nginx.conf").read_text(encoding="utf-8")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def value_of(directive: str) -> str:
    """The value of a directive that occurs once outside of locations."""
    (value,) = re.findall(rf"^ {{4,8}}{directive} ([^;]+);", CONFIGURATION, flags=re.MULTILINE)
    return str(value)


def test_the_limits_fit_those_of_the_service() -> None:
    """nginx refuses the same bodies, waits longer than any request takes, and is the one that closes connections."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert int(value_of("client_max_body_size")) == defaults["max_bytes"]
    assert f"over {defaults['max_bytes']:,} bytes" in CONFIGURATION
    assert float(value_of("proxy_read_timeout").removesuffix("s")) > defaults["deadline_s"]
    to_clients, to_service = re.findall(r"keepalive_timeout (\d+)s;", CONFIGURATION)
    assert float(to_service) < defaults["keep_alive_s"] <= float(to_clients)
    assert f"server 127.0.0.1:{defaults['port']} " in CONFIGURATION


@dataclass(frozen=True)
class Nginx:
    """A running nginx."""

    port: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def accepts(self) -> bool:
        """Whether it accepts connections already."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextlib.contextmanager
def running(folder: Path, service: int) -> Iterator[Nginx]:
    """Run nginx with the configuration, but with ports of this test, its files in a folder, and less patience."""
    nginx = Nginx(free_port())
    text = CONFIGURATION.replace("listen 8080;", f"listen 127.0.0.1:{nginx.port};")
    text = text.replace("server 127.0.0.1:8000 ", f"server 127.0.0.1:{service} ")
    text = re.sub(r"(client_(?:header|body)_timeout) 10s;", r"\1 1s;", text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder / kind};\n" for kind in kinds)
    file = folder / "nginx.conf"
    file.write_text(text.replace("http {\n", f"http {{\n{paths}", 1), encoding="utf-8")
    # The workers of root would run as another user, who may not open the folder of the test.
    user = "user root root;" if os.geteuid() == 0 else ""
    command = [str(NGINX), "-p", str(folder), "-c", str(file), "-g", f"daemon off; pid {folder / 'pid'}; {user}"]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(nginx.accepts)
            yield nginx
        finally:
            process.terminate()


@pytest.fixture
def nginx(live: Live, tmp_path: Path) -> Iterator[Nginx]:
    with running(tmp_path, int(live.url.rpartition(":")[2])) as proxy:
        yield proxy


@needs_nginx
def test_an_upload_is_answered_as_by_the_service_itself(live: Live, nginx: Nginx) -> None:
    picture = encode(drawn())
    direct = live.client.post("/classify", files={"image": picture}).json()
    for path in ("/classify", "/mirage/classify"):
        assert httpx.post(nginx.url + path, files={"image": picture}, timeout=60).json() == direct
    problem = httpx.post(f"{nginx.url}/classify", content=b"text")
    assert problem.status_code == 415 and problem.headers["content-type"] == "application/problem+json"
    assert httpx.get(f"{nginx.url}/health/ready").json() == {"status": "ready"}


@needs_nginx
def test_a_slow_upload_reaches_the_service_when_it_is_complete(live: Live, nginx: Nginx) -> None:
    """Until then the service has no request, and no connection of its client."""
    picture = encode(drawn())
    with socket.create_connection(("127.0.0.1", nginx.port), timeout=60) as client:
        head = f"POST /classify HTTP/1.1\r\nHost: test\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
        client.sendall(head + picture[:100])
        with pytest.raises(TimeoutError):
            client.settimeout(0.5)
            client.recv(1)
        assert not live.server.server_state.tasks
        client.settimeout(60)
        client.sendall(picture[100:])
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")


@needs_nginx
@pytest.mark.parametrize("sent", [b"GET / HT", b"POST /classify HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"])
def test_the_connection_of_a_client_that_sends_nothing_more_is_closed(nginx: Nginx, sent: bytes) -> None:
    """There is no answer: nginx ends such a request without one."""
    with socket.create_connection(("127.0.0.1", nginx.port), timeout=60) as client:
        client.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1000) == b""


@needs_nginx
def test_an_oversized_body_is_refused_before_it_is_sent_to_the_service(nginx: Nginx) -> None:
    response = httpx.post(f"{nginx.url}/classify", content=bytes(20_000_001))
    assert (response.status_code, response.headers["content-type"]) == (413, "application/problem+json")
    assert response.headers["server"] == "nginx"
    details = response.json()
    assert details["type"] == "urn:mirage:problem:content-too-large" and "20,000,000" in details["detail"]


@needs_nginx
def test_an_event_stream_arrives_in_pieces(live: Live, nginx: Nginx) -> None:
    """The first event is read while the task still runs; when the client leaves, the task ends."""
    path = "/mirage/ideal/cat?steps=1000&crops=32&patience=0"
    with httpx.stream("GET", nginx.url + path, headers={"Accept": "text/event-stream"}, timeout=60) as stream:
        name, event = next(events(stream.iter_lines()))
        assert (name, event["steps"]) == ("progress", 1000)
        eventually(lambda: live.service.engine.alive == 1)
    eventually(lambda: live.service.engine.alive == 0)


@needs_nginx
def test_the_service_learns_where_it_is_published_and_by_whom_it_is_asked(nginx: Nginx) -> None:
    """The prefix and the host are nginx's; those that a client claims are not believed."""
    lies = {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Host": "evil.example"}
    for prefix in ("/mirage", ""):
        document = httpx.get(f"{nginx.url}{prefix}/openapi.json", headers=lies).json()
        assert document.get("servers", []) == ([{"url": prefix}] if prefix else [])
        assert "evil" not in httpx.get(f"{nginx.url}{prefix}/docs", headers=lies).text


@needs_nginx
def test_an_address_with_too_many_open_requests_is_refused(nginx: Nginx) -> None:
    """20 uploads that do not end are as many as it may have; the probe has no limit."""
    upload = b"POST /classify HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\nhalf"
    with contextlib.ExitStack() as clients:
        for _ in range(20):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", nginx.port)))
            client.sendall(upload)
        eventually(lambda: httpx.get(f"{nginx.url}/models").status_code == 429)
        refused = httpx.get(f"{nginx.url}/models")
        assert (refused.json()["type"], refused.headers["retry-after"]) == ("urn:mirage:problem:too-many-requests", "2")
        assert httpx.get(f"{nginx.url}/health/live").status_code == 200


@needs_nginx
def test_without_a_service_the_client_is_told_to_come_back(tmp_path: Path) -> None:
    with running(tmp_path, free_port()) as alone:
        response = httpx.get(f"{alone.url}/models")
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert response.json()["type"] == "urn:mirage:problem:service-unavailable"
