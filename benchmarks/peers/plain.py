"""A plain FastAPI handler around the network: python -m benchmarks.peers.plain PORT async|def."""

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, UploadFile

from benchmarks.peers.network import answers, load, preprocess


def serve(port: int, kind: str) -> None:
    """Serve POST /classify: `async` on the event loop, one picture after the other; `def` on FastAPI's threads."""
    classifier = load()
    app = FastAPI()

    def classify(file: bytes) -> dict[str, Any]:
        return answers(preprocess(file, classifier).unsqueeze(0), classifier)[0]

    if kind == "async":

        @app.post("/classify")
        async def handle(image: UploadFile) -> dict[str, Any]:
            return classify(await image.read())
    else:

        @app.post("/classify")
        def handle_on_thread(image: UploadFile) -> dict[str, Any]:
            return classify(image.file.read())

    uvicorn.run(app, port=port, log_level="error")


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
