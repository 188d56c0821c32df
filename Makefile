# One environment in .venv, made on first use from python3.11+ alone. Everything runs as `.venv/bin/python -m ...`:
# console scripts break when the path of the checkout has a space in it.

PY := .venv/bin/python
WORKERS ?= 2

# Another environment's settings must not leak in. Tests start hundreds of processes: each would compile all sources anew.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_USER PIP_TARGET PIP_PREFIX PYTHONDONTWRITEBYTECODE

PIP = $(PY) -m pip --disable-pip-version-check --quiet install -c constraints.txt

# One thread per worker, or the workers fight for the cores; tests of threads ask for theirs. Numba's cache is left alone.
# Tests in one xdist group (tests/conftest.py: those of one cell) share a worker and so a compilation.
PYTEST = RNNBENCH_NUM_THREADS=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $(PY) -m pytest -q -n $(WORKERS) --dist loadgroup

SUPPORTED = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

.DEFAULT_GOAL := help
.PHONY: help report docs test test-fast test-slow test-paper test-cuda test-peers lint format clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

report: .venv/.installed ## run the smoke preset of every experiment, then write reports/index.html
	@rc=0; $(PY) -m rnnbench run all --preset smoke || rc=$$?; \
	$(PY) -m rnnbench report || exit $$?; \
	exit $$rc

docs: .venv/.installed ## write reports/cells/index.html: a page per cell, with its equations and its data-flow graph
	@$(PY) -m rnnbench docs

test: .venv/.installed ## run the test suite: no GPU, no CUDA packages, no peers
	@$(PYTEST) -m "not slow and not paper and not peers and not gpu and not cuda"

test-fast: .venv/.installed ## test one cell for each feature of the cell contract: about a minute
	@$(PYTEST) --fast -m "not slow and not paper and not peers and not gpu and not cuda"

test-slow: .venv/.installed ## run the slow tests that `make test` leaves out
	@$(PYTEST) -m "slow and not peers and not gpu and not cuda"

test-paper: .venv/.installed ## start a trial of each experiment's preset "paper", stop it, and see it go on
	@$(PYTEST) -n 0 -m paper tests/test_paper.py

test-cuda: .venv/.cuda ## install numba-cuda, and check every CUDA kernel without a GPU; with one, on it too
	@NUMBA_ENABLE_CUDASIM=1 $(PYTEST) -m "cuda and not gpu" tests/test_cuda_simulator*.py
	@$(PYTEST) -m "cuda and not gpu" --ignore-glob='*test_cuda_simulator*.py'
	@$(PYTEST) -n 0 -m gpu -rs

test-peers: .venv/.peers ## install torch, torchrecurrent, ONNX Runtime and JAX, and compare with them
	@$(PYTEST) -m "peers and not gpu and not cuda"

lint: .venv/.installed ## check style and formatting
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

format: .venv/.installed ## mend style and formatting
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

# One call of each benchmark in .venv, uncommitted changes included; nothing is kept. BENCH=regex picks some.
BENCH ?= .
bench: .venv/.installed ## take a quick look at the speed of everything; nothing is saved
	@$(PY) -m benchmarks.quick --bench "$(BENCH)"

# Commits, not the working tree, each built in an environment of asv's own.
HEAD ?= HEAD
FACTOR ?= 1.1
ROUNDS ?= 6
bench-compare: .venv/.installed ## compare the speed of commit HEAD with that of BASE=<commit>
	@$(PY) -m benchmarks.compare "$(BASE)" "$(HEAD)" "$(FACTOR)" "$(BENCH)" "$(ROUNDS)"

COMMITS ?= HEAD^!
bench-record: .venv/.installed ## measure COMMITS (HEAD^!) and add them to results/asv
	@$(PY) -m benchmarks.record "$(COMMITS)" "$(BENCH)"

bench-html: .venv/.installed ## write reports/asv/index.html from the results in results/asv
	@$(PY) -m asv publish
	@echo "$$PWD/reports/asv/index.html (it needs a web server: $(PY) -m asv preview)"

.PHONY: bench bench-compare bench-record bench-html

clean: ## remove caches, builds and the generated report; .venv and results stay
	@find . -name .venv -prune -o -name .asv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
	@rm -rf build dist *.egg-info .pytest_cache .hypothesis .ruff_cache reports

# setuptools first and no build isolation: the build uses the pinned version too.
.venv/.installed: pyproject.toml setup.py constraints.txt
	@if ! [ -x $(PY) ]; then \
		rm -rf .venv; \
		for python in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11); do \
			if "$$python" -c '$(SUPPORTED)' >/dev/null 2>&1; then \
				echo "creating .venv with $$python"; \
				"$$python" -m venv .venv && break; \
				rm -rf .venv; exit 1; \
			fi; \
		done; \
	fi
	@if ! [ -x $(PY) ]; then \
		echo "rnnbench needs Python 3.11, 3.12 or 3.13, and $(or $(PYTHON),python3) is not one of them: say 'make PYTHON=/path/to/python3.11 ...'." >&2; \
		exit 1; \
	fi
	@echo "installing rnnbench and its development tools into .venv"
	@$(PIP) setuptools
	@$(PIP) --no-build-isolation -e ".[dev]"
	@touch $@

.venv/.cuda: .venv/.installed
	@echo "installing the extra cuda into .venv"
	@$(PIP) --no-build-isolation -e ".[cuda]"
	@touch $@

# pip's own settings (an index, a folder of wheels) decide whether this is torch's CPU wheel or the large CUDA one.
.venv/.peers: .venv/.installed
	@echo "installing the peers into .venv"
	@$(PIP) torch onnx onnxruntime jax torchrecurrent
	@touch $@
