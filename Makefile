# Lengthwise. `make help` lists what there is.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PEERS  := .venv-peers
UV     := $(BIN)/uv
# Versions and hashes of packages. `LOCK=` installs the newest that pyproject.toml allows.
LOCK   := constraints.txt
# Certificates of the system: the proxy of a company has its own.
INSTALL = $(UV) pip install --quiet --system-certs --python $(1)/bin/python $(if $(LOCK),-c $(LOCK)) -e
DOCS   := results/local/docs
NODE_MODULES := dashboards/node_modules
# Without bytecode files, each process compiles TensorFlow and MLflow anew, which takes longer than
# importing them.
unexport PYTHONDONTWRITEBYTECODE
# Settings that narrow or widen the matrix, passed on to `bench run` where given.
RUN_OPTIONS = $(if $(TASK),--task "$(TASK)") $(if $(DATA),--data "$(DATA)") \
  $(if $(ARCHITECTURES),--architectures "$(ARCHITECTURES)") $(if $(LENGTHS),--lengths "$(LENGTHS)") \
  $(if $(EVALUATION_LENGTHS),--evaluation-lengths "$(EVALUATION_LENGTHS)") \
  $(if $(METHODS),--methods "$(METHODS)") $(if $(SEEDS),--seeds "$(SEEDS)") $(if $(BENCHMARK),--benchmark "$(BENCHMARK)") \
  $(if $(STEPS),--steps "$(STEPS)") $(if $(MODEL_SIZE),--model-size "$(MODEL_SIZE)") $(if $(MODE),--mode "$(MODE)") \
  $(if $(filter 1,$(DOWNLOAD)),--download) $(OPTIONS)

.PHONY: help setup bench probe decode card tune peers ladder ui server dashboard leaderboard docs reference test-quick test test-jax test-torch test-slow check audit check-javascript format lock system-packages clean
.DEFAULT_GOAL := help
# What needs neither the framework nor cells of its own.
QUICK_TESTS := $(addprefix tests/suite/,api records matrix analysis report) tests/tasks \
  tests/test_docs.py tests/test_dependencies.py tests/test_community.py
# The longest first, so that both workers end together.
BACKEND_TESTS := tests/conformance/test_architectures.py \
  tests/baselines tests/test_guides.py tests/suite/worker/test_carried_state.py tests/suite/worker/test_steps.py \
  tests/suite/methods/test_adversarial_training.py tests/suite/methods/test_efficient_tuning.py
# The costs are TensorFlow's, and so is the training of a published result.
SLOW_BACKEND_TESTS := tests/conformance/test_architectures.py \
  $(filter-out %/test_costs.py %/test_duplication.py,$(wildcard tests/baselines/test_*.py))

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18
	@echo
	@echo "Settings: TASK DATA ARCHITECTURES LENGTHS EVALUATION_LENGTHS METHODS SEEDS BENCHMARK STEPS MODEL_SIZE MODE DOWNLOAD=1 BENCH_HOME"
	@echo "Example:  make bench TASK=ner LENGTHS=128,512 SEEDS=0,1,2"

bench: $(VENV)/.run ## run a task's matrix: make bench TASK=ner
	@$(BIN)/bench run $(RUN_OPTIONS)

probe: $(VENV)/.run ## measure speed and memory against length, without data
	@$(BIN)/bench run --mode probe $(RUN_OPTIONS)

decode: $(VENV)/.run ## measure prefill and token-by-token generation against the context
	@$(BIN)/bench run --mode decode $(RUN_OPTIONS)

card: $(VENV)/.run ## measure a model against length: make card MODEL=llama (OPTIONS=)
	@$(BIN)/bench card "$(MODEL)" $(OPTIONS)

tune: $(VENV)/.run ## choose each entry's learning rate on validation: make tune BENCHMARK=core TASK=ner
	@$(BIN)/bench tune $(RUN_OPTIONS)

peers: $(PEERS)/.run ## compare our speed and memory with PyTorch's, eager and compiled (CASES="bert-512 vit-64")
	@$(PEERS)/bin/python -m tests.peers.compare $(CASES)

ladder: $(PEERS)/.run ## show the rates of full attention by library, from a product to a layer (OPTIONS="--length 2048")
	@$(PEERS)/bin/python -m tests.peers.ladder $(OPTIONS)

ui: $(VENV)/.run ## open the MLflow UI on 127.0.0.1:5000 (PORT=)
	@$(BIN)/bench ui $(if $(PORT),--port "$(PORT)")

server: $(VENV)/.server ## serve MLflow to a team: PostgreSQL, names and passwords (PORT=)
	@$(BIN)/bench server $(if $(PORT),--port "$(PORT)")

dashboard: $(VENV)/.run ## draw the dashboard from your records: results/local/site/index.html
	@$(BIN)/bench dashboard

leaderboard: $(VENV)/.run ## rank what is published: results/LEADERBOARD.md, results/leaderboard, and the site
	@$(BIN)/bench leaderboard
	@$(BIN)/bench dashboard --published

docs: $(VENV)/.docs ## build the documentation site, with search and the API reference: results/local/docs (CHARTS=)
	@rm -rf $(DOCS) $(DOCS)-source && mkdir -p $(DOCS)-source/results
	@cp -R README.md CONTRIBUTING.md SECURITY.md CITATION.cff LICENSE docs $(DOCS)-source
	@cp -R results/*.md results/leaderboard $(DOCS)-source/results
	@TF_CPP_MIN_LOG_LEVEL=3 PYTHONPATH=. $(BIN)/sphinx-build --quiet --fail-on-warning --keep-going \
	  --conf-dir docs --doctree-dir $(DOCS)-source/.doctrees $(DOCS)-source $(DOCS)
	@rm -rf $(DOCS)-source
	@echo $(DOCS)/index.html

reference: docs ## build the API reference, a part of the documentation site
	@echo $(DOCS)/reference/index.html

test-quick: $(VENV)/.dev ## test planning, records, analysis, reports, tasks and documents: the loop of a developer
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not (slow or alone or real_data)" $(QUICK_TESTS)

test: $(VENV)/.dev ## run all but the slow tests
	@$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m "not slow and not alone"
	@$(BIN)/python -m pytest -m "alone and not slow" $$(grep -rl "mark.alone" --include="test_*.py" tests)

test-jax: $(VENV)/.dev ## run the architectures' quick tests on JAX
	@KERAS_BACKEND=jax $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder \
	  -m "not slow" $(BACKEND_TESTS)

test-torch: $(PEERS)/.run ## run the architectures' tests on PyTorch
	@KERAS_BACKEND=torch $(PEERS)/bin/python -m pytest -m "not slow" $(BACKEND_TESTS)

test-slow: $(VENV)/.slow ## run the slow tests: all cases of which the quick ones are a part
	@$(BIN)/python -m pytest -m slow
	@KERAS_BACKEND=jax $(BIN)/python -m pytest -m slow $(SLOW_BACKEND_TESTS)

check: $(VENV)/.dev check-javascript audit ## lint, format, types, import layers, benchmarks, leaderboard, vulnerabilities
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports
	@$(BIN)/bench benchmarks --check > /dev/null
	@$(BIN)/bench leaderboard --check

audit: $(VENV)/.dev ## look up known vulnerabilities of the locked packages (needs the network)
	@grep -o '^[A-Za-z][^\\]*' constraints.txt > $(VENV)/audit.txt
	@$(BIN)/pip-audit --progress-spinner off --no-deps --disable-pip -r $(VENV)/audit.txt \
	  --vulnerability-service osv $(AUDIT_OPTIONS) > $(VENV)/audit.log 2>&1 || \
	  { ! grep -E 'ConnectionError|ConnectTimeout|ReadTimeout|HTTPError' $(VENV)/audit.log > $(VENV)/audit.txt && \
	    { cat $(VENV)/audit.log; exit 1; } || \
	    echo "No audit: the vulnerability service was not reached ($$(tail -n 1 $(VENV)/audit.txt | cut -c 1-160))."; }

check-javascript: $(NODE_MODULES)/.installed ## lint, format and type-check the JavaScript of the site
	@cd dashboards && npm run --silent check

format: $(VENV)/.dev ## put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@if command -v npm > /dev/null; then $(MAKE) --no-print-directory $(NODE_MODULES)/.installed && \
	  cd dashboards && npm run --silent format; fi

setup: $(VENV)/.run ## install what running needs, and extras: make setup EXTRAS=jax,hub
	@$(if $(EXTRAS),$(call INSTALL,$(VENV)) ".[$(EXTRAS)]")

lock: $(UV) ## write the versions and hashes of all packages to constraints.txt (OPTIONS=--upgrade)
	@$(UV) pip compile --quiet --system-certs pyproject.toml --all-extras --universal --python-version 3.11 \
	  --fork-strategy fewest --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  $(OPTIONS) --output-file constraints.txt
	@# torch has no hashes, so that a CPU build of the same version is accepted.
	@sed -i '/^torch==/,/[^\\]$$/{/--hash/d; s/ \\$$//}' constraints.txt

system-packages: ## install from Debian what the skippable tests need (needs root)
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core postgresql

clean: ## remove the virtual environment and caches; records stay
	rm -rf $(VENV) $(NODE_MODULES) .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed. Received: $$($(PYTHON) --version). Set PYTHON=python3.13, say." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "python -m venv failed: install your system's venv package (Debian: python3-venv)." >&2; exit 2; }

# The version and the hashes of the lock, once: a newer lock does not replace it.
$(UV): | $(VENV)/bin/python
	@sed -n '/^uv==/,/[^\\]$$/p' constraints.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt

$(VENV)/.run: pyproject.toml constraints.txt | $(UV)
	@echo "Installing ... (TensorFlow takes longest: a download of 0.6 GB, 1.9 GB on disk)"
	@$(call INSTALL,$(VENV)) .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(UV)
	@echo "Installing ... (TensorFlow, JAX and a browser's driver take longest: downloads of 1 GB)"
	@$(call INSTALL,$(VENV)) ".[dev,jax,hub,slurm]"
	@touch $@ $(VENV)/.run

$(VENV)/.docs: $(VENV)/.run
	@$(call INSTALL,$(VENV)) ".[docs]"
	@touch $@

$(NODE_MODULES)/.installed: dashboards/package.json dashboards/package-lock.json
	@command -v npm > /dev/null || \
	  { echo "npm was not found. Received: PATH=$$PATH. Install Node.js 20 or newer to check the JavaScript." >&2; \
	    exit 2; }
	@echo "Installing the JavaScript tools ..."
	@cd dashboards && npm ci --silent --no-audit --no-fund
	@touch $@

# What only some of the slow tests and a team's server need.
$(VENV)/.server: $(VENV)/.run
	@$(call INSTALL,$(VENV)) ".[server]"
	@touch $@

$(VENV)/.slow: $(VENV)/.dev
	@$(call INSTALL,$(VENV)) ".[dev,jax,hub,slurm,ray,server,docs]"
	@touch $@ $(VENV)/.server $(VENV)/.docs

$(PEERS)/bin/python: | $(VENV)/bin/python
	@$(VENV)/bin/python -m venv $(PEERS)

# A folder of wheels that is set for pip may have a CPU build of PyTorch.
$(PEERS)/.run: export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
$(PEERS)/.run: pyproject.toml constraints.txt | $(PEERS)/bin/python $(UV)
	@echo "Installing PyTorch and transformers (about 5 GB with GPU libraries) ..."
	@$(call INSTALL,$(PEERS)) ".[peers,dev,hub,jax]"
	@touch $@
