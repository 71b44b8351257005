# Every chore has its one name here, and CI calls the same names. `make help` lists them.

PYTHON ?= python3
ACCORD_PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# The demo has a store of its own, so that nobody's own ACCORD_STORE is touched by it.
DEMO_STORE := sqlite:///var/demo.db

.PHONY: help run up-local down-local test programs test-api fuzz test-foreign interop digests money-laws sweeps mutants check faults audit-faults bench bench-audit bench-kafka bench-pages bench-show bench-verify lock lock-foreign clean
.DEFAULT_GOAL := help

# The users of docker-compose.yml.
USERS = POSTGRES KAFKA API KEYS INTAKE NOTARY RELAY COURIER PROJECTOR PUBLISHER SINKS READER AUDITOR

help: ## list the chores
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: $(VENV)/.runtime ## play the demo into var/demo.db, then serve it on ACCORD_PORT
	@mkdir -p var
	@$(BIN)/accord demo --store $(DEMO_STORE)
	@exec $(BIN)/accord up --open --store $(DEMO_STORE) --port $(ACCORD_PORT)

secrets: ## write a password for each user of docker-compose.yml into .env, once
	@test -f .env || (umask 077; for name in $(USERS); do \
	  echo ACCORD_PASSWORD_$$name=$$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n'); done > .env)

up-local: $(VENV)/.dev ## start all of production on this machine, with its data in var/local
	@$(BIN)/python -m dev.local up

down-local: ## stop what `make up-local` started; the data stays
	@$(BIN)/python -m dev.local down

# Many tests start `accord`, which takes half as long again where its bytecode may not be kept.
test: check programs ## everything that CI runs: check, then all tests
	@$(IN_MEMORY) PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

# A store waits for the disk at each commit, which takes most of the time of a test that writes. So
# the files of tests are in memory where programs may run from it and six million kilobytes are free.
define IN_MEMORY
room=$$(df --output=avail /dev/shm 2>/dev/null | tail -n 1); \
if test "$${room:-0}" -gt 6000000 && ! grep -q '^[^ ]* /dev/shm .*noexec' /proc/mounts; then \
  TMPDIR=$$(mktemp -d -p /dev/shm accord-XXXXXX) && chmod a+rx "$$TMPDIR" && export TMPDIR \
  && trap 'rm -rf "$$TMPDIR"' EXIT && trap 'exit 130' INT TERM || exit 1; fi;
endef

# Debian starts no server that it installs where RUNLEVEL is 1.
programs: ## install the browser and the proxy of the tests, where Debian's packages can be installed
	@missing=$$(PATH="$$PATH:/usr/sbin"; for each in chromium nginx; do \
	  command -v $$each >/dev/null || printf '%s ' $$each; done); test -z "$$missing" \
	|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && export RUNLEVEL=1 \
	  && { apt-get install --quiet=2 --no-install-recommends $$missing >/dev/null \
	    || { apt-get update --quiet=2 && apt-get install --quiet=2 --no-install-recommends $$missing >/dev/null; }; }; } \
	|| echo "Missing, so not tested with: $$missing"

test-api: $(VENV)/.dev ## draw a hundred requests for each operation of the API from its document
	@ACCORD_API_EXAMPLES=100 $(BIN)/python -m pytest tests/journeys/test_schemathesis.py

fuzz: $(VENV)/.dev ## send 20,000 requests with any JSON value at any place of an event
	@ACCORD_FUZZ_EXAMPLES=20000 $(BIN)/python -m pytest --capture=no tests/journeys/test_fuzz.py

test-foreign: $(VENV)/.dev ## send events with the SDKs of Python, JavaScript and Go (needs node and go)
	@$(BIN)/python -m pytest -m foreign tests/journeys/foreign

interop: $(VENV)/.dev ## check bundles and witnesses with public implementations; write docs/interop.md
	@$(BIN)/python -m tests.interop

digests: $(VENV)/.dev ## write docs/digests.md: the SHA-256 of both verifiers and of their rules, as lines of pins
	@$(BIN)/python -m tests.audit.test_digests

money-laws: $(VENV)/.dev ## compare the ledger with the model over 5,000 random lives, in four orders each
	@$(BIN)/python -m tests.model.laws

sweeps: $(VENV)/.dev ## test all combinations of which `make test` runs a part (an hour or more)
	@$(IN_MEMORY) ACCORD_SWEEPS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses 2 --dist loadgroup \
	  $$(git grep --files-with-matches 'tests.sweeps import' -- 'tests/*test_*.py')

mutants: $(VENV)/.dev ## change the rules of money at random for an hour; a test must notice
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT \
	&& $(PYTHON) -m venv "$$copy/.tool" \
	&& "$$copy/.tool/bin/python" -m pip --quiet --disable-pip-version-check install $(MUTATION_TOOL) \
	&& git ls-files -z | xargs -0 cp --parents --target-directory "$$copy" \
	&& export PATH="$(CURDIR)/$(BIN):$$copy/.tool/bin:$$PATH" PYTHONDONTWRITEBYTECODE=1 && cd "$$copy" \
	&& cosmic-ray init dev/mutants.toml session.sqlite \
	&& cr-filter-operators session.sqlite dev/mutants.toml \
	&& (timeout $(MUTATION_SECONDS) cosmic-ray exec dev/mutants.toml session.sqlite || test $$? = 124) \
	&& cr-report --no-show-pending --surviving-only --show-diff session.sqlite

MUTATION_TOOL := cosmic-ray==8.7.0
MUTATION_SECONDS ?= 3600

check: $(VENV)/.dev ## form, lint, types, import contracts, and that documented commands exist
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest --quiet tests/test_project.py

faults: $(VENV)/.dev ## kill, restart and pause everything while events flow (about twenty minutes)
	@ACCORD_FAULTS=full $(BIN)/python -m pytest --capture=no tests/faults

audit-faults: $(VENV)/.dev ## change twenty thousand evidence bundles; both verifiers must agree on each
	@ACCORD_FAULTS=full $(BIN)/python -m pytest --capture=no tests/audit/test_lies.py tests/audit/test_mutations.py

bench: $(VENV)/.runtime ## measure ingest, replay and rebuild beside the plain limits
	@$(BIN)/python -m benchmarks

bench-audit: $(VENV)/.runtime ## measure what the verifiable log costs
	@$(BIN)/python -m benchmarks.audit

bench-verify: $(VENV)/.runtime ## measure how fast an evidence bundle is verified and replayed
	@$(BIN)/python -m benchmarks.audit.verifying

bench-kafka: $(VENV)/.dev ## measure the processes on Kafka beside bare loops of the same clients
	@$(BIN)/python -m benchmarks.kafka

bench-pages: $(VENV)/.runtime ## measure the first pages at a hundred and at a thousand partnerships
	@$(BIN)/python -m benchmarks.pages

bench-show: $(VENV)/.runtime ## measure show and history on logs of ten thousand to a million events
	@$(BIN)/python -m benchmarks.show

lock: ## write both lock files anew from pyproject.toml
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT \
	&& $(PYTHON) -m venv "$$tools" \
	&& "$$tools/bin/python" -m pip --quiet --disable-pip-version-check install $(LOCK_TOOL) \
	&& resolve() { echo '# Written by `make lock` from pyproject.toml.' \
		&& "$$tools/bin/uv" pip compile pyproject.toml $(LOCK_FLAGS) "$$@"; } \
	&& resolve > "$$tools/runtime" \
	&& resolve --group dev --constraints "$$tools/runtime" > "$$tools/dev" \
	&& cp "$$tools/runtime" requirements.lock && cp "$$tools/dev" requirements-dev.lock

LOCK_TOOL := uv==0.13.9
LOCK_FLAGS := --quiet --universal --python-version 3.11 --group build \
	--generate-hashes --no-header --no-annotate

# Locks name versions and hashes only; npm also writes addresses of sponsors, which are left out.
lock-foreign: ## write the lock files of the clients in JavaScript and Go anew
	@for each in $(FOREIGN)/go $(INTEROP)/go; do (cd $$each && go mod tidy) || exit 1; done
	@for each in $(FOREIGN)/issuer $(FOREIGN)/javascript $(FOREIGN)/specifications $(INTEROP)/javascript; do (cd $$each \
		&& npm install --package-lock-only --ignore-scripts --no-audit --no-fund \
			--omit-lockfile-registry-resolved && node -e "$$NO_ADDRESSES") || exit 1; done

FOREIGN := tests/journeys/foreign
INTEROP := tests/interop
define NO_ADDRESSES
const fs = require("fs"), lock = JSON.parse(fs.readFileSync("package-lock.json"));
for (const each of Object.values(lock.packages)) { delete each.funding; delete each.resolved; }
fs.writeFileSync("package-lock.json", JSON.stringify(lock, null, 2) + "\n");
endef
export NO_ADDRESSES

clean: ## remove the environment, the demo's store and all caches
	@rm -rf $(VENV) var build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is younger than what it was made from, so a second run installs nothing.
$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@echo 'Setting up Accord in $(VENV) (once; it takes less than a minute) …' >&2
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo 'Setting up the tools for tests in $(VENV) …' >&2
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
		"Accord needs Python 3.11 or newer, but $(PYTHON) is " + sys.version.split()[0] \
		+ ". Name another: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
