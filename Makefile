# Every target makes .venv and installs what it needs the first time: the package, and an extra of pyproject.toml.
# Variables: ARGS (flags of the command), RUN (a run directory), PYTHON (the interpreter for .venv).

VENV := .venv
BIN := $(VENV)/bin
RUN_GIVEN := $(if $(RUN),yes)
RUN ?= runs/mlp
ARGS ?=
# One word for the shell, whatever is in it; the commands expand a leading ~ themselves.
QUOTED_RUN = '$(subst ','\'',$(RUN))'

.DEFAULT_GOAL := help
.PHONY: help train sample project evaluate export report compare explorer tensorboard bench study docs test lint format clean

help:  ## Show this
	@echo "make TARGET [ARGS=\"--flag=value ...\"] [RUN=runs/mlp]"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "All flags of training: make train ARGS=--help"

train: $(VENV)/.base  ## Train the MLP GAN on MNIST in RUN, or resume it
	@$(BIN)/python -m experiments.train $(if $(RUN_GIVEN),--run_dir=$(QUOTED_RUN)) $(ARGS)

sample: $(VENV)/.base  ## Draw a grid of 100 digits from RUN
	@$(BIN)/python -m experiments.sample --run_dir=$(QUOTED_RUN) $(ARGS)

project: $(VENV)/.base  ## Find the latents of an image (ARGS=--image=FILE) in RUN
	@$(BIN)/python -m experiments.project --run_dir=$(QUOTED_RUN) $(ARGS)

evaluate: $(VENV)/.base  ## Say how good the generator of RUN is, beside what real images get
	@$(BIN)/python -m experiments.evaluate --run_dir=$(QUOTED_RUN) $(ARGS)

export: $(VENV)/.export  ## Write the generator of RUN for other programs: SavedModel, TFLite, ONNX
	@$(BIN)/python -m experiments.export --run_dir=$(QUOTED_RUN) $(ARGS)

report: $(VENV)/.$(if $(wildcard .explorer),export,base)  ## Write RUN/report.html: losses, samples, metrics, and with `make explorer` more
	@$(BIN)/python -m experiments.report --runs=$(QUOTED_RUN) $(ARGS)

compare: $(VENV)/.base  ## Say whether RUN is normal: its curves over bands of reference runs
	@$(BIN)/python -m experiments.compare --runs=$(QUOTED_RUN) $(ARGS)

explorer:  ## Fetch ONNX Runtime Web (npm), for a latent explorer in reports
	@command -v npm >/dev/null || { echo "error: npm is needed (Debian: apt install npm)" >&2; exit 1; }
	@npm install --silent --no-audit --no-fund --prefix .explorer onnxruntime-web@1.30

tensorboard: $(VENV)/.base  ## Open TensorBoard on all runs, or on RUN if it is given
	@$(BIN)/python -m gan tensorboard $(if $(RUN_GIVEN),--runs=$(QUOTED_RUN)) $(ARGS)

bench: $(VENV)/.keras2  ## Measure steps per second beside other frameworks
	@$(BIN)/python -m experiments.benchmark $(ARGS)

study: $(VENV)/.study  ## Train and evaluate every run of a study, write its table (hours)
	@$(BIN)/python -m experiments.study $(ARGS)

docs: $(VENV)/.docs  ## Make the docs as a site in site/
	@$(BIN)/python -m experiments.docs_site $(ARGS)

test: $(VENV)/.dev  ## Run the tests, on real MNIST; the slow ones with ARGS="-m slow"
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal -m "not slow" $(ARGS)

lint: $(VENV)/.dev  ## Check format, style and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(VENV)/.dev  ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:  ## Remove .venv and caches; runs stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

# The first interpreter that TensorFlow has wheels for; PYTHON=... chooses another.
SUPPORTED := import sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))
$(BIN)/python:
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.10); do \
	  if "$$python" -c '$(SUPPORTED)' 2>/dev/null; then \
	    echo "creating $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv $(VENV) && exit 0; \
	    rm -rf $(VENV); \
	    echo "error: $$python cannot make a virtual environment (Debian: apt install python3-venv)" >&2; \
	    exit 1; \
	  fi; \
	done; \
	echo "error: TensorFlow needs Python 3.10 to 3.13, none found; give one with PYTHON=..." >&2; exit 1

# A file for each part that is there; another pyproject.toml installs anew what is asked for next.
EXTRAS := docs export keras2 study dev
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable
.NOTPARALLEL:  # two pips at a time would spoil .venv

$(VENV)/.base: pyproject.toml | $(BIN)/python
	@echo "installing TensorFlow and the rest into $(VENV), about 2 GB, once"
	@$(INSTALL) .
	@touch $@

$(EXTRAS:%=$(VENV)/.%): $(VENV)/.%: $(VENV)/.base
	@echo "adding the extra $* to $(VENV), once"
	@$(INSTALL) '.[$*]'
	@touch $@ $(if $(filter dev,$*),$(EXTRAS:%=$(VENV)/.%))  # dev holds the others
