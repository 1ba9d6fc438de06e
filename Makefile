.DEFAULT_GOAL := help
SHELL := bash
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= $(or $(shell command -v python3.11 2>/dev/null),python3)
WORKLOAD ?= gamedeployment
INSTALL ?=
DURATION ?= 900
SEED ?= 0
BIN := .venv/bin
DOCS := .venv-docs/bin

.PHONY: help setup demo cluster cluster-down image image-load dist docs version crds lint format test test-unit test-long test-attack test-upstream bench lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 18

.venv/ready: requirements/dev.txt pyproject.toml
	@echo "setting up the virtual environment in .venv: about a minute"
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "No: Python 3.11 or newer with venv is needed, and $(PYTHON) is none: install it (Debian: apt install python3 python3-venv), or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/build.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

setup: .venv/ready ## virtual environment with everything, at locked versions

demo: setup ## the quick start on a real cluster, told step by step (WORKLOAD=gamestatefulset, INSTALL=helm)
	@$(BIN)/python -m examples.quickstart.demo --workload=$(WORKLOAD) $(if $(INSTALL),--install=$(INSTALL))

cluster: setup ## a cluster: yours by KUBECONFIG, kind where Docker answers, else one built here
	@$(BIN)/python -m devcluster up

cluster-down: setup ## end the cluster and the operators beside it
	@$(BIN)/python -m devcluster.operator
	@$(BIN)/python -m devcluster down

image: setup ## the image as an OCI archive in dist/, by docker, podman or buildah (BASE=… for a base of your own)
	@$(BIN)/python -m release image

image-load: setup ## load it into kind or the cluster built here
	@$(BIN)/python -m release load

dist: setup ## everything a release is made of, from what is committed, with checksums, in dist/
	@$(BIN)/python -m release dist

.venv-docs/ready: requirements/docs.txt
	@echo "setting up mkdocs in .venv-docs: half a minute"
	$(PYTHON) -m venv .venv-docs
	$(DOCS)/pip install -q --disable-pip-version-check --require-hashes -r $<
	touch $@

docs: .venv-docs/ready ## the documents as a site in build/site; every warning is an error
	NO_MKDOCS_2_WARNING=1 $(DOCS)/python -m mkdocs build --strict

version: setup ## write a version into every file that has it (VERSION=0.2.0)
	@$(BIN)/python -m release version "$(VERSION)"
	@$(MAKE) crds

crds: setup ## write crds/, docs/api.md and docs/schemas/ from the models
	@$(BIN)/python -m operators.api crds
	@$(BIN)/python -m operators.api.reference
	@$(BIN)/python -m operators.api.editors

lint: setup ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: lint docs ## everything: lint, the site, unit, properties, integration and end-to-end on a real cluster
	$(BIN)/python -m pytest tests/unit tests/properties -q -n 2 --dist worksteal
	$(BIN)/python -m tests.lanes --durations=15

test-unit: setup ## only what needs no cluster
	$(BIN)/python -m pytest tests -q -n 2 --no-cluster

test-attack: setup ## hostile input of every kind against real processes, watched by a judge (DURATION=900 seconds, SEED=0)
	GAME_OPERATORS_ATTACK_SECONDS=$(DURATION) GAME_OPERATORS_ATTACK_SEED=$(SEED) $(BIN)/python -m pytest tests/attack -q -s --timeout $$(($(DURATION) + 600))

test-long: test-attack ## the attack, and the random histories, 50,000 of them: an hour or two on two cores
	GAME_OPERATORS_EXAMPLES=50000 $(BIN)/python -m pytest tests/properties -q --timeout 14400 -n 2 --dist worksteal

test-upstream: setup ## Kubernetes' own tests of StatefulSet against GameStatefulSet; compiles them first (ARGS=--native: the control)
	@$(BIN)/python -m tests.upstream.run $(ARGS)
	@$(BIN)/python -m tests.upstream.document

bench: setup ## requests, CPU, memory and time of the operators at 100, 500 and 1000 pods (WORKLOAD=gamestatefulset)
	@$(BIN)/python -m bench.run --workload=$(WORKLOAD)

lock: ## lock all dependencies anew (needs uv)
	uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 pyproject.toml -o requirements/runtime.txt
	uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements/dev.txt
	uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 requirements/build.in -o requirements/build.txt
	uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 requirements/docs.in -o requirements/docs.txt
