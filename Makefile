# Two commands do everything on a machine that has only Python 3.11 and make:
#   make demo    the whole pipeline, with a small marketplace site and a crowd
#   make test    the tests
PYTHON ?= python3
BIN := .venv/bin
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
TOOL_LOCK := requirements/uv.txt
LOCK := requirements/lock.txt

# Each process of a test would compile all it imports: 8 seconds of CPU for Beam and Great Expectations.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/bytecode

.PHONY: setup demo test check lint types promises languages bench beacon kafka flink sbom image audit fuzz lock clean
.DEFAULT_GOAL := setup

setup: .venv/.ready

.venv/bin/uv: $(TOOL_LOCK)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(TOOL_LOCK)
	@touch $@

.venv/.ready: .venv/bin/uv $(LOCK) pyproject.toml
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(TOOL_LOCK) $(LOCK)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: setup
	@$(BIN)/throng demo $(ARGS)

# Tests of one file stay in one process, and share what it made for them. Files begin in the order of
# tests/conftest.py, the longest first; else those of the fewest tests, which are the longest, would be the last.
test: setup
	@$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder $(ARGS)

check: lint types
lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
types: setup
	@$(BIN)/mypy

# docs/promises.md: sentence, rule, test; docs/fields.md: every column. Commit them with what has changed them; tests
# compare.
promises: setup
	@$(BIN)/throng policy fields --out docs/fields.md
	@$(BIN)/throng policy promises --out docs/promises.md

# dashboards/languages/*.po: brought up to date with the words of pages; a test compares. What each lacks is said.
languages: setup
	@$(BIN)/python -m dashboards.languages $(ARGS)

bench: setup
	@$(BIN)/python -m benchmarks $(ARGS)

# The scripts are written by hand and shipped minified; needs Node, and only when one of them changes.
SCRIPTS := ingest/beacon
TERSER := npx --yes terser@5.44.1
SMALL := --compress passes=3,unsafe=true --mangle
# Neither sends true or false of its own: 1 and 0 are shorter. What a view remembers nobody else reads.
SMALLEST := --compress passes=3,unsafe=true,booleans_as_integers=true --mangle
VIEW := served|shown|small|looked|found|blind|inner|doubt|viewed|most|plays|entry|part|over|timer|state|mute|clicks|area|need|long
beacon:
	$(TERSER) $(SCRIPTS)/beacon.js $(SMALLEST) --output $(SCRIPTS)/t.js
	$(TERSER) $(SCRIPTS)/adverts.js $(SMALLEST) --mangle-props 'regex=/^($(VIEW))$$/' --output $(SCRIPTS)/v.js
	$(TERSER) $(SCRIPTS)/performance.js $(SMALLEST) --output $(SCRIPTS)/p.js
	$(TERSER) $(SCRIPTS)/platforms.js $(SMALL) --output $(SCRIPTS)/cmp.js
	$(TERSER) $(SCRIPTS)/texts.js $(SCRIPTS)/asking.js --enclose $(SMALL) --output $(SCRIPTS)/banner.js
	$(TERSER) $(SCRIPTS)/texts.js $(SCRIPTS)/panel.js --enclose $(SMALL) --output $(SCRIPTS)/privacy.js

# A Kafka broker on 127.0.0.1:9092 until Ctrl-C, from jars that are fetched once and checked; needs Java and Maven.
kafka: setup
	@$(BIN)/python -m tests.kafka.broker run $(ARGS)

# What is installed, with hashes and licences: dist/throng.cdx.json (CycloneDX).
sbom: setup
	@$(BIN)/python -m requirements.bill

# The image of deploy/compose and deploy/kubernetes; needs Docker.
image: sbom
	@rm -f dist/throng-*.whl
	@$(BIN)/python -m hatchling build -t wheel -d dist
	docker build -f deploy/compose/Dockerfile -t throng:$(VERSION) .

# Known weaknesses of what is locked, by a copy of OSV's advisories; `ARGS="--advisories all.zip"` without a network.
# Fails where there is no copy that is new enough, too: not audited is not clean.
audit: setup
	@$(BIN)/python -m requirements.audit $(or $(ARGS),--fetch)

# Bytes thrown at every parser, a minute each; ARGS="tcf weblog --seconds 3600". Goes on from what it found before.
fuzz: setup
	@$(BIN)/python -m tests.fuzz.run $(ARGS)

# A Flink cluster with its workers, in a network of its own, and a shell in there (or ARGS="throng facts …") until
# that ends; needs Java, Maven and Go for what is fetched once and checked, and Linux.
flink: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.flink.cluster $(ARGS)

# A new lock starts from nothing: an old file would be taken as a wish to keep its versions.
lock: .venv/bin/uv
	@rm -f $(LOCK)
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -o $(LOCK)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
