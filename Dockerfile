# The service, and the training module, in one image.
#
#   docker build -t mirage:gpu .
#   docker build -t mirage:cpu --build-arg TORCH_BACKEND=cpu .
#   docker build -t mirage:gpu --build-arg EXTRAS=timm,huggingface .
#
# The first installs PyTorch from the package registry, with CUDA inside: the host needs only NVIDIA's driver and
# container toolkit. The second installs PyTorch's own CPU build at the lock's versions; its hashes are not in the lock.
# The third adds the libraries that models imported from them need; pyproject.toml lists all extras.

ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
# No caches in a layer; bytecode now, since nothing can be written later.
ENV UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/mirage
ARG TORCH_BACKEND=
# Gigabytes that only a change of the locks changes: a layer of their own.
COPY Makefile requirements-install.lock requirements.lock ./
RUN make dependencies TORCH_BACKEND="${TORCH_BACKEND}"
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY models ./models
COPY training ./training
COPY app ./app
COPY client ./client
RUN make install TORCH_BACKEND="${TORCH_BACKEND}" && .venv/bin/python -m compileall -q app models training
ARG EXTRAS=
COPY requirements-dev.lock ./
RUN test -z "${EXTRAS}" || make extras EXTRAS="${EXTRAS}" TORCH_BACKEND="${TORCH_BACKEND}"

FROM ${PYTHON_IMAGE}
# Only /var/cache/mirage is written to (torchvision's downloads, ideal pictures); everything else works
# on a read-only root with a /tmp.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /tmp mirage \
    && install -d -o mirage -g mirage /var/cache/mirage
COPY --from=build /opt/mirage /opt/mirage
WORKDIR /opt/mirage
# USER is for getpass, which fails where neither it nor /etc/passwd names the user (docker run --user).
ENV PATH="/opt/mirage/.venv/bin:${PATH}" \
    HOME=/tmp \
    USER=mirage \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TORCH_HOME=/var/cache/mirage \
    MIRAGE_CACHE=/var/cache/mirage/ideals \
    MIRAGE_HOST=0.0.0.0 \
    MIRAGE_PORT=8000
USER 10001:10001
EXPOSE 8000
# http.client, because it ignores proxy settings. A first start may download weights, and runs every model once.
HEALTHCHECK --interval=15s --timeout=5s --start-period=180s --retries=3 CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['MIRAGE_PORT']), timeout=4); c.request('GET', '/health/ready'); sys.exit(c.getresponse().status != 200)"]
CMD ["python", "-m", "app"]
