# Every target includes its set-up: the first one that needs Python builds .venv from requirements.lock.

SHELL := /bin/sh
.DEFAULT_GOAL := help
# The first installed interpreter that is new enough. make PYTHON=… selects another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PY := .venv/bin/python
FAULT_RUNS ?= 30
BAD_INPUTS ?= 2500
HISTORIES ?= 2000
KILLS ?= 25
KILL_STEPS ?= all
PAUSES ?= 20
CHANGES ?= 1500
MEASURE ?=
RECORDS ?= 1000000
ROLLOVER ?= 0
ROWS_MB ?= 200
LENGTH ?= 5
MINUTES ?= 30
FAULTS = tests/embedded/test_kill.py tests/embedded/test_kill_operations.py tests/embedded/test_pause.py tests/embedded/test_order.py \
	tests/embedded/test_scale_out.py tests/embedded/test_faults.py tests/unit/pipeline tests/unit/sources tests/unit/checkpoints \
	tests/unit/model
# Options that several targets share.
OPTIONS = $(if $(FUNC),--func=$(FUNC)) $(RUN_ARGS)

# A local emulator runs Lambdas with the Python of this machine.
ifeq ($(ENV),local)
LAMBDA_PYTHON ?= here
endif
DEPLOYED = data, layer, queue, search, lambda, container
DEPLOY = $(PY) -m infra.deploy
DEPLOY_OPTIONS = --env=$(ENV) $(if $(FUNC),--func=$(FUNC)) $(if $(ARCH),--arch=$(ARCH)) \
	$(if $(LAMBDA_PYTHON),--python=$(LAMBDA_PYTHON))
asked = test -n "$(TARGET)" -a -n "$(ENV)" || { echo "make $@ needs TARGET=… and ENV=… (example: make $@ TARGET=data ENV=lab); TARGET is one of: $(DEPLOYED)" >&2; exit 2; }

.PHONY: help run shim invoke build sbom plan deploy destroy test test-infra test-page test-real test-rows test-faults test-build test-image test-mutants endurance bench bench-full test-bench watch check format lock clean

help: ## list all targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/ready ## run the service on this machine (FUNC=images, RUN_ARGS='--option=value …')
	@$(PY) -m infra.shim run $(OPTIONS)

shim: .venv/ready $(if $(filter localstack,$(SHIM)),build/localstack/ready) ## start only the embedded servers for AWS and search (AWS_PORT=4566 SEARCH_PORT=9200 SHIM=docker|localstack)
	@$(PY) -m infra.shim up $(OPTIONS)

invoke: .venv/ready ## call the Lambda handler once with a recorded event (EVENT=file.json)
	@test -n "$(EVENT)" || { echo "make invoke needs EVENT=FILE (example: make invoke EVENT=tests/data/insert.json)" >&2; exit 2; }
	@$(PY) -m infra.shim invoke $(OPTIONS) "$(EVENT)"

build: .venv/ready ## build TARGET=layer|lambda|image|wheel|examples into dist; for other targets download Terraform providers (FUNC=images ARCH=arm64 ENV=lab)
	@test -n "$(TARGET)" || { echo "make build needs TARGET=… (example: make build TARGET=layer); TARGET is one of: layer, lambda, image, wheel, examples; data, queue, search, container" >&2; exit 2; }
	@$(if $(filter data queue search container,$(TARGET)),$(DEPLOY) prepare $(TARGET) $(DEPLOY_OPTIONS),\
		$(PY) -m infra.build $(TARGET) $(if $(FUNC),--func=$(FUNC)) $(if $(ARCH),--arch=$(ARCH)) \
			$(if $(LAMBDA_PYTHON),--python=$(LAMBDA_PYTHON)))

plan: .venv/ready ## show the changes that make deploy would apply (TARGET=… ENV=lab)
	@$(call asked)
	@$(DEPLOY) plan $(TARGET) $(DEPLOY_OPTIONS)

deploy: .venv/ready ## deploy TARGET=data|layer|queue|search|lambda|container, in this order, to ENV=lab (AUTO_APPROVE=-auto-approve)
	@$(call asked)
	@$(DEPLOY) deploy $(TARGET) $(DEPLOY_OPTIONS) -- $(AUTO_APPROVE)

destroy: .venv/ready ## remove the resources of make deploy; use the opposite order (TARGET=… ENV=lab)
	@$(call asked)
	@$(DEPLOY) destroy $(TARGET) $(DEPLOY_OPTIONS) -- $(AUTO_APPROVE)

sbom: .venv/ready build/sbom/ready ## list the shipped packages of the lock file as CycloneDX in dist/streamdex.cdx.json (FUNC=images)
	@$(PY) -m infra.build.sbom $(if $(FUNC),--func=$(FUNC))

test: .venv/ready ## run the tests; end-to-end tests use the embedded servers (COVERAGE=1: measure coverage)
	@$(PY) -m pytest -n 3 --dist=worksteal $(if $(COVERAGE),--cov --cov-report=term) $(TEST_ARGS)

test-page: .venv/ready ## run the tests of the service's page in an installed Chromium (CHROMIUM=/path/to/it)
	@STREAMDEX_REQUIRE_BROWSER=1 STREAMDEX_LENGTH=$(LENGTH) $(PY) -m pytest tests/browser $(TEST_ARGS)

test-infra: .venv/ready ## check the Terraform targets and deploy to an emulator (needs Terraform and a provider)
	@$(PY) -m pytest -n 2 --dist=loadfile tests/infra -o faulthandler_timeout=0 $(TEST_ARGS)

test-real: .venv/ready ## run the contract tests and the samples on real servers (needs Java, Maven, MariaDB, PostgreSQL)
	@$(PY) -m pytest tests/real $(TEST_ARGS)

test-image: .venv/ready ## build the image and run it without a container engine (needs Linux, root, buildah and debootstrap)
	@$(PY) -m pytest tests/image $(TEST_ARGS)

test-rows: .venv/ready ## load a CSV object of ROWS_MB (200) into SQLite, MariaDB and PostgreSQL; report rows, seconds, memory
	@STREAMDEX_ROWS_MB=$(ROWS_MB) $(PY) -m pytest -q tests/real/test_rows_size.py $(TEST_ARGS)

test-faults: .venv/ready ## run long fault, kill, pause, bad-input and property tests, and the long tests that make test leaves out
	@STREAMDEX_KILLS=$(KILLS) STREAMDEX_PAUSES=$(PAUSES) STREAMDEX_CHANGES=$(CHANGES) STREAMDEX_FAULT_RUNS=$(FAULT_RUNS) \
		STREAMDEX_BAD_INPUT_EXAMPLES=$(BAD_INPUTS) STREAMDEX_HISTORIES=$(HISTORIES) STREAMDEX_LENGTH=$(LENGTH) \
		STREAMDEX_KILL_STEPS=$(KILL_STEPS) \
		$(PY) -m pytest -n 3 --dist=worksteal -q --show-capture=no $(FAULTS) $(TEST_ARGS)
	@STREAMDEX_LENGTH=$(LENGTH) $(PY) -m pytest -n 3 --dist=worksteal -q -m long $(addprefix --deselect=,$(FAULTS))

test-build: .venv/ready ## test the built artifacts: the layer and the code on a bare interpreter, the package
	@$(PY) -m pytest -n 2 --dist loadfile tests/build $(TEST_ARGS)

test-mutants: .venv/ready build/mutants/ready ## change the core line by line and report the changes that no test notices (MINUTES=30, SINCE=REV: only changed modules, SAMPLE=600 SEED=1: a random sample)
	@echo "$(CURDIR)/$$(echo .venv/lib/python*/site-packages)" >"$$(echo build/mutants/lib/python*/site-packages)/project.pth"
	@build/mutants/bin/python -m tests.mutants --minutes=$(MINUTES) $(if $(SINCE),--since=$(SINCE)) $(if $(SAMPLE),--sample=$(SAMPLE)) $(if $(SEED),--seed=$(SEED))

endurance: .venv/ready ## send RECORDS (1000000) through the container on real servers; memory, open files and threads must stay flat
	@$(PY) -m tests.endurance --records=$(RECORDS) --rollover=$(ROLLOVER)

bench: .venv/ready build/bench/ready ## compare speed with peers and limits, in about 10 minutes on 2 idle cores (MEASURE='--only=cpu')
	@$(PY) -m benchmarks $(MEASURE)

bench-full: .venv/ready build/bench/ready ## measure every size and peer, and a backfill of a million items
	@$(PY) -m benchmarks --size=full $(MEASURE)

test-bench: .venv/ready ## run every benchmark with a few records, on the embedded servers and without peers
	@$(PY) -m benchmarks --size=tiny --without-real --into=build/bench-tiny

watch: .venv/ready ## rerun the unit tests that a saved file affects
	@$(PY) -m pytest_watcher . --now --delay 0.2 --patterns '**/*.py' --ignore-patterns '**/.venv/**' --runner .venv/bin/pytest --testmon -q tests/unit

check: .venv/ready ## check format, lint, types and import rules
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports

format: .venv/ready ## format the code and fix lint errors where possible
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

lock: ## renew requirements.lock from pyproject.toml
	@$(PYTHON) -m venv build/uv && build/uv/bin/python -m pip install --quiet uv
	@build/uv/bin/uv pip compile pyproject.toml --quiet --upgrade --all-extras --group shim --group build --group dev \
		--universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--output-file requirements.lock
	@for lock in infra/shim/localstack infra/build/sbom tests/mutants/mutants; do \
		build/uv/bin/uv pip compile --quiet --group $${lock##*/} --universal --python-version 3.11 --generate-hashes \
			--no-header --no-emit-index-url --output-file $$lock.lock || exit; \
	done

# Tools with their own environments and lock files.
build/localstack/ready: infra/shim/localstack.lock
build/sbom/ready: infra/build/sbom.lock
build/mutants/ready: tests/mutants/mutants.lock
build/localstack/ready build/sbom/ready build/mutants/ready:
	@$(PYTHON) -m venv --clear $(@D) && $(@D)/bin/python -m pip install --quiet \
		--disable-pip-version-check --require-hashes --no-deps -r $< && touch $@

clean: ## remove .venv, all build output, and the data of runs (.streamdex)
	@rm -rf .venv .streamdex build dist .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .testmondata*

# The peers of the benchmarks, in their own environments.
build/bench/ready: benchmarks/requirements.lock benchmarks/package-lock.json | .venv/ready
	@command -v npm >/dev/null || { echo "make bench needs Node and npm for one of the peers. Install them." >&2; exit 2; }
	@mkdir -p build/bench && cp benchmarks/package.json benchmarks/package-lock.json build/bench/
	@$(PYTHON) -m venv --clear build/bench/venv
	@build/bench/venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r benchmarks/requirements.lock
	@cd build/bench && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch build/bench/ready

.venv/ready: requirements.lock
	@test -n "$(PYTHON)" || { echo "streamdex needs Python 3.11 or newer. Install it, or run make PYTHON=…" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module. Install it (Debian and Ubuntu: apt install python3-venv)." >&2; exit 2; }
	@mkdir -p build; \
	waited=; \
	until mkdir build/venv.lock 2>/dev/null; do \
		test -n "$$waited" || echo "waiting for another make that builds .venv (if there is none, remove build/venv.lock)"; \
		waited=1; sleep 1; \
	done; \
	trap 'rmdir build/venv.lock' EXIT; trap 'exit 130' INT TERM; \
	if [ -n "$$waited" ] && [ .venv/ready -nt requirements.lock ]; then exit 0; fi; \
	echo "building .venv from requirements.lock; this takes about a minute and happens once"; \
	$(PYTHON) -m venv --clear .venv && \
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock && \
	touch .venv/ready
