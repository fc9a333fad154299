# Every target works from a fresh clone: it first installs what it needs, unless that is already installed.

.DEFAULT_GOAL := help
.PHONY: help install dependencies extras serve test check types browser format train lesson bench gpu soak oracles \
	vendor lock audit sbom release-check docs

# The newest Python from 3.11 on that can make virtual environments; `make PYTHON=/path/to/python3 ...` chooses another.
PYTHON ?= $(shell for name in python3.14 python3.13 python3.12 python3.11 python3; do \
	"$$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { command -v "$$name"; break; }; done)

IN := .venv/bin/python -m
# A company's proxy may sign with a certificate that only the system's list of authorities contains, so uv uses that.
AUTHORITIES := /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem
UV := .venv/bin/uv $(if $(wildcard $(AUTHORITIES)),--system-certs) pip
INSTALL := $(UV) install --python .venv/bin/python

# Another build of PyTorch than the registry's own, by uv's name: cpu, cu126, rocm7.2, auto. Choose it once per .venv.
TORCH_BACKEND ?=

# Packages that the chosen build of PyTorch replaces. The lock has the hashes of the registry's files only, so these
# packages are installed at the lock's versions without a check of their hashes. All others are still checked.
TORCH_PACKAGES := torch|torchvision|triton|nvidia-[a-z0-9-]*|cuda-[a-z0-9-]*
ifeq ($(TORCH_BACKEND),)
install_lock = $(INSTALL) --require-hashes -r $(1)
else
install_lock = awk '/^[a-z]/ { own = /^($(TORCH_PACKAGES))==/ } !own' $(1) > .venv/$(1) && \
	$(INSTALL) --require-hashes -r .venv/$(1)
endif

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

serve: .venv/serve-ready ## start the service on http://127.0.0.1:8000 (settings: variables MIRAGE_*, or a file .env)
	$(IN) app

# One process per core, each with one thread: 1.8 times as fast on two cores. At most four, since each loads PyTorch.
# Tests start dozens of processes. Compiled bytecode saves each of them seconds, so it is kept in .venv even where the
# environment forbids to write it beside the sources.
KEEP_BYTECODE := env -u PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX="$(CURDIR)/.venv/bytecode"

test: .venv/dev-ready ## run all tests except slow ones and those that need a GPU or a browser
	$(KEEP_BYTECODE) $(IN) pytest --numprocesses auto --maxprocesses 4 --dist worksteal

browser: .venv/dev-ready ## test the page in Chromium, if it is installed
	$(KEEP_BYTECODE) $(IN) pytest -m browser tests --numprocesses 2 --dist loadfile

check: .venv/dev-ready ## check lint, format, types and import contracts
	$(IN) ruff check .
	$(IN) ruff format --check .
	$(IN) mypy
	.venv/bin/lint-imports
	$(MAKE) --no-print-directory types

# The JavaScript of the page is served as it is. TypeScript only checks its types, against the OpenAPI document. Where
# npm is missing nothing is checked: whoever changes only Python need not install Node.js.
NPM := $(shell command -v node >/dev/null && command -v npm)

ifneq ($(NPM),)
types: .venv/dev-ready app/page/node_modules/ready ## check types in the page's JavaScript and, by pyright, in the client (part of `make check`)
	.venv/bin/python -c 'import json, app.main; print(json.dumps(app.main.create_app().openapi()))' \
		> app/page/types/openapi.json
	cd app/page && node_modules/.bin/openapi-typescript types/openapi.json --output types/api.d.ts \
		--root-types --root-types-no-schema-prefix >/dev/null
	cd client && ../app/page/node_modules/.bin/pyright --warnings
	cd app/page && node_modules/.bin/tsc --project tsconfig.json
else
types:
	@echo 'Node.js and npm were not found: the types in the JavaScript of the page, and the client by pyright, were not checked.'
endif

format: .venv/dev-ready ## rewrite the sources in the format that `make check` requires
	$(IN) ruff check --fix .
	$(IN) ruff format .

train: .venv/serve-ready ## train a model: make train DATA=folder-or-zip OUTPUT=model.safetensors
	@test -n "$(DATA)" && test -n "$(OUTPUT)" || \
		{ echo 'DATA (the photos) or OUTPUT (the checkpoint to write) is missing: make train DATA=photos.zip' \
		'OUTPUT=model.safetensors' >&2; exit 2; }
	$(IN) training fit "$(DATA)" --output "$(OUTPUT)" $(ARGS)

lesson: .venv/dev-ready ## execute the notebooks of docs/lesson and store their outputs, or one: make lesson NAME=...
	.venv/bin/python docs/lesson/execute.py $(NAME)

bench: .venv/dev-ready ## run all benchmarks, or one: make bench NAME=network
	$(IN) benchmarks $(NAME)

gpu: .venv/dev-ready ## test and measure on a GPU, in at most 8 minutes; records the figures in docs/benchmarks
	status=0; timeout 240 $(IN) pytest -m gpu tests || status=$$?; \
	timeout 240 $(IN) benchmarks --only gpu && exit $$status

soak: .venv/soak-ready ## test a running service for half an hour: load, faults, damaged pictures; writes soak.json
	$(IN) python -m soak everything

oracles: .venv/oracles-ready ## install other attack libraries, with which tests and benchmarks then compare ours

# -W: a broken link, an unknown name or a missing docstring ends the build. Nothing is read from the internet.
docs: .venv/docs-ready ## build the documentation site: open build/site/index.html
	$(IN) docsite
	$(IN) sphinx --fail-on-warning --fresh-env --keep-going --quiet -c docs . build/site
	@echo 'The site is build/site/index.html'

install: .venv/serve-ready ## install what the service and training need, without tools for tests

# At the versions of the lock for development, which has them all.
extras: .venv/serve-ready ## add libraries that some models need: make extras EXTRAS=timm,huggingface
	@test -n "$(EXTRAS)" || { echo 'EXTRAS is missing: make extras EXTRAS=timm,huggingface' >&2; exit 2; }
	$(INSTALL) --no-build-isolation --constraints requirements-dev.lock --editable '.[$(EXTRAS)]'

dependencies: .venv/dependencies # the same without this project: a layer of the image that its sources do not change

vendor: app/page/node_modules/ready ## copy the library of the page at the version of its lock to app/page/files/vendor
	node app/page/vendor.mjs

lock: .venv/installer ## update the locks from pyproject.toml; make lock UPGRADE=1 also takes the newest versions
	$(COMPILE) requirements-install.lock --group install
	$(COMPILE) requirements.lock pyproject.toml client/pyproject.toml --extra terminal
	$(COMPILE) requirements-dev.lock pyproject.toml client/pyproject.toml --extra dev --extra terminal \
		--constraints requirements.lock
	$(COMPILE) requirements-oracles.lock pyproject.toml --extra oracles --constraints requirements-dev.lock
	$(COMPILE) requirements-soak.lock pyproject.toml --extra soak --constraints requirements-dev.lock \
		--constraints requirements-oracles.lock
	$(COMPILE) requirements-docs.lock pyproject.toml --extra docs --constraints requirements-dev.lock \
		--constraints requirements-oracles.lock --constraints requirements-soak.lock
	$(COMPILE) requirements-audit.lock --group audit --constraints requirements-dev.lock \
		--constraints requirements-oracles.lock --constraints requirements-soak.lock \
		--constraints requirements-docs.lock
	$(if $(NPM),cd app/page && npm $(if $(UPGRADE),update,install) --package-lock-only --ignore-scripts)

# Nothing that is looked up is installed first. Errors 1 and 3 differ; make itself ends with status 2 after both.
audit: .venv/audit-ready ## look up known vulnerabilities of all locked packages: Error 1 if found, 3 if not checked
	$(IN) supply_chain.audit $(ARGS)

sbom: .venv/serve-ready .venv/audit-ready ## write sbom.cdx.json, the software bill of materials of the service
	$(IN) supply_chain.sbom

release-check: .venv/dev-ready ## build both packages, install each into an empty environment, and try it there
	$(IN) supply_chain.release

# --universal: one lock for all systems and Pythons. It has no index address: uv's own configuration names the index.
COMPILE = $(UV) compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate $(if $(UPGRADE),--upgrade) --output-file

# A virtual environment whose Python no longer exists (it was upgraded, or the folder was copied) is created again.
ifneq ($(shell .venv/bin/python -c 'import pip' 2>/dev/null && echo works),works)
.PHONY: .venv/installer
CLEAR := --clear
endif

.venv/installer: requirements-install.lock
	@test -n "$(PYTHON)" || \
		{ echo 'No Python 3.11 or newer with venv was found: install one (Debian, Ubuntu: apt install python3-venv),' \
		'or name yours: make PYTHON=/path/to/python3' >&2; exit 1; }
	"$(PYTHON)" -m venv $(CLEAR) .venv
	$(IN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements-install.lock
	@touch $@

.venv/dependencies: requirements.lock .venv/installer
ifneq ($(TORCH_BACKEND),)
	$(INSTALL) --no-deps --torch-backend=$(TORCH_BACKEND) \
		$$(sed -nE 's/^((torch|torchvision)==[^ ;]+).*/\1/p' requirements.lock)
endif
	$(call install_lock,requirements.lock)
	@touch $@

.venv/serve-ready: pyproject.toml client/pyproject.toml client/mirage/version.py .venv/dependencies
	$(INSTALL) --no-deps --no-build-isolation --editable . --editable client
	@touch $@

.venv/dev-ready: requirements-dev.lock .venv/serve-ready
	$(call install_lock,requirements-dev.lock)
	@touch $@

.venv/oracles-ready: requirements-oracles.lock .venv/dev-ready
	$(call install_lock,requirements-oracles.lock)
	@touch $@

.venv/soak-ready: requirements-soak.lock .venv/dev-ready
	$(call install_lock,requirements-soak.lock)
	@touch $@

.venv/docs-ready: requirements-docs.lock .venv/dev-ready
	$(call install_lock,requirements-docs.lock)
	@touch $@

.venv/audit-ready: requirements-audit.lock .venv/installer
	$(call install_lock,requirements-audit.lock)
	@touch $@

app/page/node_modules/ready: app/page/package.json app/page/package-lock.json app/page/.npmrc
	@test -n "$(NPM)" || \
		{ echo 'npm was not found: install Node.js 20 or newer, and npm where it is a package of its own' >&2; exit 1; }
	cd app/page && npm ci --ignore-scripts
	@touch $@
