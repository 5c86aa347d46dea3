# One word per chore; CI calls the same words. Needs Python >= 3.11, a Rust toolchain >= 1.85, and make.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help dev demo check test test-fast bench bench-peers chaos soak fuzz clean

help:  ## list these words
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/.made: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --group dev
	touch $@

dev: .venv/.made  ## set everything up in .venv: the package in place, its tools, the native crate in release
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[all]' --editable './tui[web]'

demo: dev  ## the main job on real input: runs the quickstart notebook and audits its books
	$(BIN)/python -m currant_lab demo

check: dev  ## ruff, mypy strict, stubtest, import-linter, clippy, rustfmt
	$(BIN)/ruff check currant_lab tui tests
	$(BIN)/ruff format --check currant_lab tui tests
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest currant_lab._native
	$(BIN)/lint-imports
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets --all-features -- -D warnings

test: dev  ## all tests: the Rust core without Python, then everything else
	cargo test --quiet --package currant-native --no-default-features
	$(BIN)/python -m pytest -n 2

test-fast: dev  ## the tests that need no database
	$(BIN)/python -m pytest -n 2 tests/unit

bench: dev  ## the foundation's figures beside their floors
	$(BIN)/python -m tests.benchmarks.foundation

bench-peers: dev  ## the same no-op job by other Python queues, in the same run; wants Debian's redis-server
	$(BIN)/python -m tests.benchmarks.peers

ROUNDS ?= 50
SEED ?= $(shell $(PYTHON) -c 'import random; print(random.randrange(2**31))')

chaos: dev  ## break everything for ROUNDS rounds from SEED, and audit the books after each (root: full disks, splits)
	$(BIN)/python -m tests.chaos --rounds $(ROUNDS) --seed $(SEED)

SECONDS ?= 60
fuzz: dev  ## look SECONDS long for an input that breaks a decoder; the Rust ones too, where cargo-fuzz and a nightly are
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt atheris
	$(BIN)/python -m tests.fuzz $(SECONDS)
	cd native && cargo +nightly fuzz run wire -- -max_total_time=$(SECONDS)

MINUTES ?= 10

soak: dev  ## work for MINUTES at a steady rate, and see that memory and tables stay flat
	$(BIN)/python -m tests.soak $(MINUTES)

clean:  ## remove what was built
	rm -rf .venv target
