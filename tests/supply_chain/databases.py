"""A stand-in for the databases that an audit asks: OSV's query API, and the one of npm's registry."""

import gzip
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Databases(ThreadingHTTPServer):
    """Knows the vulnerabilities of packages by their names, and notes about which versions it was asked.

    `python` has texts of the form of OSV's, `javascript` advisories of the form of npm's.
    """

    def __init__(self, python: Mapping[str, Any], javascript: Mapping[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.python, self.javascript = python, javascript
        self.asked: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        """The address of npm's registry; OSV's queries go to the path /v1/query."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Databases

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        question = json.loads(body)
        if self.path == "/v1/query":
            name = question["package"]["name"]
            self.server.asked.append((name, question["version"]))
            answer = {"vulns": self.server.python[name]} if name in self.server.python else {}
        else:
            self.server.asked += [(name, version) for name, versions in question.items() for version in versions]
            answer = {name: faults for name, faults in self.server.javascript.items() if name in question}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        """npm asks for the other versions of a vulnerable package; it does without them."""
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextmanager
def run_databases(
    python: Mapping[str, Any] | None = None, javascript: Mapping[str, Any] | None = None
) -> Iterator[Databases]:
    """Answer on a port of this machine until the block ends."""
    with Databases(python or {}, javascript or {}) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
