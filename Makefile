# Everything there is to run. `make help` lists it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIN := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate
LOCK := $(PIN) pyproject.toml requirements/build.in
SOURCES := worker producers demo tests benchmarks chaos monitoring compose docs

CHAOS_SECONDS ?= 20
CHAOS_SEED ?=

.DEFAULT_GOAL := help
.PHONY: help demo run chaos test test-unit test-mutation lint format docs docs-check lock dev clean \
	chart-audit pictures image-proof compose-proof compose-secrets bench bench-quick bench-gateway bench-load

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-16s %s\n", $$1, $$2}'

demo:  ## Send a day's traffic through a complete stack and check how every signal ended
	@$(PYTHON) demo/bootstrap.py $(VENV) demo
	@$(BIN)/python -m demo

run:  ## Keep a server, a worker, a gateway and an endpoint running to try things out
	@$(PYTHON) demo/bootstrap.py $(VENV) demo
	@$(BIN)/python -m demo.run

chaos:  ## Let a storm blow over a complete stack and check every signal; CHAOS_SECONDS=600 CHAOS_SEED=7
	@$(PYTHON) demo/bootstrap.py $(VENV) demo
	@$(BIN)/python -m chaos --seconds $(CHAOS_SECONDS) $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))

dev:  ## Make the environment that tests and linters need
	@$(PYTHON) demo/bootstrap.py $(VENV) dev

test: lint docs-check  ## Everything a contributor must pass
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 --dist worksteal  # they wait more than they work
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-unit: dev  ## The tests that need no server: seconds
	$(BIN)/pytest tests/unit

test-mutation: dev  ## Break each promise in one line and see the tests notice
	$(BIN)/pytest tests/mutation

lint: dev  ## Types, style, and the direction of imports
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: dev  ## Let the formatter have its way
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

docs: dev  ## Write what comes from the code: parts of the documentation, rules, dashboards
	$(BIN)/python docs/generate.py
	$(BIN)/python -m monitoring

docs-check: dev  ## Fail if any of it is stale
	$(BIN)/python docs/generate.py --check
	$(BIN)/python -m monitoring --check

image-proof: dev  ## Build the image with Docker or Podman and see it work; ENGINE=podman BASE=… PIP_CONF=…
	@$(BIN)/python -m tests.image.prove

compose-proof: dev  ## Bring up the stack of docker-compose.yml with Docker and see it work; STAND_IN=… without a registry
	@$(BIN)/python -m tests.compose.prove

chart-audit: dev  ## Look for unsafe manifests with checkov, in an environment of its own
	$(BIN)/python -m tests.helm.write .run/chart
	@[ -x .run/checkov/bin/checkov ] || { $(PYTHON) -m venv .run/checkov && .run/checkov/bin/pip install --quiet checkov; }
	.run/checkov/bin/checkov --config-file tests/helm/checkov.yaml --directory .run/chart

pictures: dev  ## Take the pictures of the dashboards again (docs/monitoring.md says what it needs): five minutes
	$(BIN)/python -m docs.pictures

lock: dev  ## Pin and hash the dependencies again
	@command -v uv >/dev/null || { echo "uv is needed: pip install uv"; exit 1; }
	$(LOCK) -o requirements/runtime.txt
	$(LOCK) --extra demo --extra gateway -o requirements/demo.txt
	$(LOCK) --extra encryption --extra gateway --extra otel -o requirements/image.txt
	$(PIN) requirements/sbom.in -o requirements/sbom.txt
	$(LOCK) --all-extras --group dev -o requirements/dev.txt
	$(LOCK) --extra demo --group bench --constraint requirements/dev.txt -o requirements/bench.txt

bench:  ## Measure speed beside bare scripts, Celery, Dramatiq and RQ: most of an hour
	@$(PYTHON) demo/bootstrap.py $(VENV) bench
	@$(BIN)/python -m benchmarks

bench-quick:  ## The essentials of it in less than a minute
	@$(PYTHON) demo/bootstrap.py $(VENV) bench
	@$(BIN)/python -m benchmarks --quick

bench-gateway: dev  ## Signals per second over HTTP beside bare FastAPI
	$(BIN)/python -m benchmarks.gateway

bench-load: dev  ## Lines per second of signal-producer load beside Celery's send_task
	$(BIN)/python -m benchmarks.load

compose-secrets:  ## Make the passwords and keys that docker-compose.yml wants, once
	@$(PYTHON) compose/make_secrets.py

clean:  ## Forget what was built and installed here
	rm -rf $(VENV) .run build dist *.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache
