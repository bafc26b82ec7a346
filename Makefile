# labelkit: every command of the project. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := reproduce
.PHONY: reproduce setup chapters book test lint bench lesson runs resume lock clean help

# The first Python of the path that is new enough. Choose another one with `make PYTHON=/path/to/python3`.
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
UV_VERSION := 0.13.9
VENV := .venv
PY := $(VENV)/bin/python
export OPEN3D_DISABLE_WEB_VISUALIZER := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1

reproduce: $(VENV)/.complete  ## set up, run every chapter at the smoke budget, build the book (the default)
	@status=0
	$(PY) -m labelkit.publish.chapters --budget smoke || status=$$?
	$(PY) -m labelkit.publish.book || status=$$?
	exit $$status

setup: $(VENV)/.complete  ## make .venv from requirements.lock (done by itself when another target needs it)

# The stamp is the last thing written. Without it the folder is a half-made one and is made afresh;
# with it, a newer requirements.lock or pyproject.toml only brings the packages up to date.
$(VENV)/.complete: requirements.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then
		echo "labelkit needs Python 3.11 or newer; none was found on the path (choose one with make PYTHON=...)." >&2; exit 2
	fi
	if [ ! -e $@ ]; then
		rm -rf $(VENV)
		if ! $(PYTHON) -m venv $(VENV); then
			rm -rf $(VENV)
			echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 2
		fi
	fi
	rm -f $@
	$(PY) -m pip install --quiet uv==$(UV_VERSION) || echo "uv could not be installed; pip does its work, more slowly."
	# uv is quick; with the system's certificates where its own do not do (a proxy, say); pip where uv fails altogether.
	export UV_COMPILE_BYTECODE=1
	uv() { $(PY) -m uv --version >/dev/null 2>&1 && $(PY) -m uv pip install --quiet --python $(PY) "$$@"; }
	install() { uv "$$@" || uv --system-certs "$$@" || $(PY) -m pip install "$$@"; }
	install --require-hashes -r requirements.lock
	install --no-deps -e .
	touch $@

chapters: $(VENV)/.complete  ## run every chapter at the smoke budget, into build/
	@$(PY) -m labelkit.publish.chapters --budget smoke

book: $(VENV)/.complete  ## build the book from the committed lesson executions
	@$(PY) -m labelkit.publish.book

test: $(VENV)/.complete  ## the whole test suite, with the book that it looks at (PYTEST="-k name" narrows it)
	@status=0
	$(PY) -m labelkit.publish.book || status=$$?
	$(PY) -m pytest $(PYTEST) || status=$$?
	exit $$status

lint: $(VENV)/.complete  ## ruff: rules and format
	@$(PY) -m ruff check labelkit tests $(wildcard benchmarks)
	$(PY) -m ruff format --check labelkit tests $(wildcard benchmarks)

bench: $(VENV)/.complete  ## speed and memory, as ratios within one run, into build/benchmarks (STORE=1: also the files in data/results that claims read)
	@$(PY) -m labelkit.publish.benchmarks $(if $(STORE),--store)

lesson: $(VENV)/.complete  ## make lesson PAPER=cps: run one chapter at the lesson budget; on success replace its committed execution and records
	@if [ -z "$(PAPER)" ]; then echo "Name the chapter: make lesson PAPER=cps" >&2; exit 2; fi
	$(PY) -m labelkit.publish.chapters --budget lesson --paper $(PAPER)

runs: $(VENV)/.complete  ## make runs PAPERS=cps BUDGET=full [RUNS=..] [PROFILE=laptop|slurm] [GPUS=0] [NODES=1]: run files as jobs, by Snakemake
	@$(PY) -m labelkit.workflow $(or $(PROFILE),laptop) papers=$(PAPERS) runs=$(RUNS) budget=$(or $(BUDGET),full) \
		gpus=$(or $(GPUS),0) nodes=$(or $(NODES),1)

resume: $(VENV)/.complete  ## go on with chapters and runs that were interrupted (finished records and checkpoints are kept)
	@status=0
	$(PY) -m labelkit.publish.chapters --resume || status=$$?
	$(PY) -m labelkit.workflow resume || status=$$?
	exit $$status

lock: $(VENV)/.complete  ## resolve the dependencies of pyproject.toml anew into requirements.lock
	@$(PY) -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
		--no-annotate --no-header --all-extras pyproject.toml -o requirements.lock.partial
	mv requirements.lock.partial requirements.lock

clean:  ## remove build/ (runs, checkpoints, book); .venv and everything committed stay
	@rm -rf build

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20
