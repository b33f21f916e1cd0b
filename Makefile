# Every target may be called again at any time; what is done already is not done twice.
# Windows has no make: README.md has the same commands written out.

VENV := .venv
PYTHON := $(VENV)/bin/python
TORCH := $(shell grep '^torch==' requirements.lock)
# A new lock has a new name here, and the file is only made when all is installed:
# a second call starts at once, an interrupted one is done again
READY := $(VENV)/.ready-$(shell cksum < requirements.lock | tr ' ' '-')
BROWSER := $(VENV)/.browser-$(shell cksum < pyproject.toml | tr ' ' '-')
KERNELS := $(VENV)/.kernels-$(shell cksum < pyproject.toml | tr ' ' '-')
PUBLISH := build/web/.ready-$(shell cat pyproject.toml course_utils/authoring/web/package-lock.json | cksum | tr ' ' '-')
COLAB := .venv-colab/.ready-$(shell cat requirements.lock tests/colab/requirements.txt | cksum | tr ' ' '-')
# What would lead pip and Python elsewhere
export PIP_USER := 0
export PYTHONNOUSERSITE := 1
unexport PIP_TARGET PIP_PREFIX PYTHONPATH PYTHONHOME
FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

# What was installed once is trusted only as long as its Python runs: folders are moved, Pythons removed
ifneq ($(wildcard $(VENV)/.ready-*),)
ifneq ($(shell $(PYTHON) -c 'print(1)' 2>/dev/null),1)
$(shell rm -f $(VENV)/.ready-* $(VENV)/.browser-* $(VENV)/.kernels-* build/web/.ready-*)
endif
endif

OTHERS := tests/bench/.packages/.ready

.PHONY: help lab test test-quick test-browser test-colab test-handouts handouts slides book catalogue edition bench \
	notebook stamp data lock
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lab: say-lab $(READY)  ## install into .venv if need be, open JupyterLab (LAB_ARGS=... is passed on)
	@$(PYTHON) -m jupyter lab notebooks $(LAB_ARGS)

test: say-test $(KERNELS)  ## install into .venv if need be, run ruff, all tests, all notebooks (ARGS=... for pytest)
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m pytest $(ARGS)

test-quick: say-test-quick $(KERNELS)  ## ruff and the tests in three minutes: no notebooks, nothing marked slow (ARGS=...)
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m pytest tests -m "not slow" $(ARGS)

test-browser: say-test-browser $(BROWSER)  ## widgets, first and last notebook (NB="03 07", NB=all) in a real Chromium
	@$(PYTHON) -m pytest tests/browser $(if $(NB),--notebooks "$(NB)") $(ARGS)

test-colab: say-test-colab $(READY) $(COLAB)  ## first and last notebook (NB as above) with the packages of Google Colab
	@$(PYTHON) -m pytest tests/colab $(if $(NB),--notebooks "$(NB)") $(ARGS)

test-handouts: say-test-handouts $(PUBLISH)  ## handouts, slides and book of all notebooks (NB as above), checked in Chromium
	@$(PYTHON) -m pytest tests/authoring --notebooks "$(or $(NB),all)" $(ARGS)

handouts: say-handouts $(PUBLISH)  ## PDFs for students and teachers, and one volume (NB="05 09" or all), in build/handouts
	@$(PYTHON) -m course_utils handouts $(NB)

slides: say-slides $(PUBLISH)  ## slides, one HTML file a notebook (NB as above), in build/slides
	@$(PYTHON) -m course_utils slides $(NB)

book: say-book $(PUBLISH)  ## all notebooks as a web site that needs no server, in build/book
	@$(PYTHON) -m course_utils book

catalogue: say-catalogue $(READY)  ## texts for translators in build/catalogue; brings the translations up to date
	@$(PYTHON) -m course_utils catalogue

# The shell has a LANG of its own, which is not meant
edition: say-edition $(READY)  ## the notebooks in another language, LANG=ko, in build/ko
	@$(if $(filter command,$(origin LANG)),,echo "Say which language: make edition LANG=ko" >&2; exit 1)
	@LANG=C.UTF-8 $(PYTHON) -m course_utils edition $(LANG)

bench: say-bench $(READY) $(OTHERS)  ## the course's network beside others, two hours; writes tests/bench/README.md
	@$(PYTHON) -m tests.bench.throughput
	@$(PYTHON) -m tests.bench.tournament
	@$(PYTHON) -m tests.bench.table

notebook: say-notebook $(READY)  ## run a notebook (NB=01, NB=02, ...) from top to bottom and store clean outputs
	@$(if $(NB),,echo "Say which notebook: make notebook NB=01" >&2; exit 1)
	@$(PYTHON) -m course_utils notebook notebooks/$(NB)*.ipynb

stamp: say-stamp $(READY)  ## write the address of the repository, REPO=owner/name, into badges and set-up cells
	@$(PYTHON) -m course_utils stamp $(REPO)

data: say-data $(READY)  ## build data/ anew; needs npm, apt-get and the network
	@for builder in garments photographs emoji encoders tokenizer; do $(PYTHON) data/build/$$builder.py || exit 1; done

lock: say-lock $(READY)  ## write requirements.lock and environment.yml from pyproject.toml
	@$(PYTHON) -m pip install --quiet uv
	@$(PYTHON) -m course_utils lock

# The first line of each target says what it will do
say-%:
	@awk -F ':.*## ' '/^$*:.*## / { print "make $*: " $$2 }' $(MAKEFILE_LIST)

$(READY):
	@if ! $(PYTHON) -c '$(FITS)' 2>/dev/null || ! $(PYTHON) -m pip --version >/dev/null 2>&1; then \
		for python in python3 python3.13 python3.12 python3.11; do \
			if $$python -c '$(FITS)' 2>/dev/null; then exec $$python -m venv --clear $(VENV); fi; \
		done; \
		echo "No Python 3.11, 3.12 or 3.13 with venv was found. Install one (python.org; on Debian and Ubuntu" \
		     "also: apt install python3-venv) and run make again." >&2; exit 1; \
	fi
	@rm -f $(VENV)/.ready-*
	@$(PYTHON) -m pip install --disable-pip-version-check $(TORCH) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	@$(PYTHON) -m pip install --disable-pip-version-check -r requirements.lock
	@touch $@

$(BROWSER): | $(READY)
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check $$(sed -n 's/^browser = \["\(.*\)"\]/\1/p' pyproject.toml)
	@touch $@

# Sphinx and playwright from PyPI; KaTeX, reveal.js and the fonts from npm, as package-lock.json has them
$(PUBLISH): | $(READY)
	@command -v npm >/dev/null || { echo "npm was not found; it fetches KaTeX, reveal.js and the fonts." \
		"Install it (Debian and Ubuntu: apt install npm chromium; macOS: brew install node) and run make again." >&2; exit 1; }
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -c requirements.lock $$($(PYTHON) -c \
		"import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['publish'])")
	@mkdir -p $(@D) && cp course_utils/authoring/web/package*.json $(@D)
	@cd $(@D) && npm ci --silent --no-fund --no-audit
	@rm -f $(@D)/.ready-* && touch $@

# torch's CUDA build brings its own triton. For other systems than Linux there is none, and its tests say so
$(KERNELS): | $(READY)
	@if [ "$$(uname -s)" = Linux ] && ! $(PYTHON) -c 'import triton' 2>/dev/null; then \
		$(PYTHON) -m pip install --disable-pip-version-check $$(sed -n 's/^kernels = \["\(.*\)"\]/\1/p' pyproject.toml); \
	fi
	@touch $@

$(OTHERS): | $(READY)
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target $(@D) denoising-diffusion-pytorch==2.3.4 einops==0.8.2
	@touch $@

# torch is the locked one here: Colab's own is a CUDA build of several gigabytes
$(COLAB): | $(READY)
	@$(PYTHON) -m venv --clear .venv-colab
	@.venv-colab/bin/python -m pip install --disable-pip-version-check $(TORCH) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	@.venv-colab/bin/python -m pip install --disable-pip-version-check -r tests/colab/requirements.txt
	@touch $@
