# The commands of a developer. Each can be repeated; finished steps are skipped.

HOST ?= 127.0.0.1
PORT ?= 8000
PY := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run demo test check format docs bench lock

help: ## List these commands
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

setup: ## Create .venv with everything needed to run
	@requirements/install runtime

setup-dev:
	@requirements/install dev

run: setup ## Start everything (PORT=8000 HOST=127.0.0.1); the first time, print how to sign in
	@[ -n "$$TRANSLATOR_URL" ] || command -v apertium >/dev/null || \
	  echo "For calls between English and Spanish: apt-get install apertium-en-es (docs/engines.md)"
	@exec $(PY) manage.py up --demo-organization --host $(HOST) --port $(PORT)

demo: setup ## Play a synthesized call of two people and print its transcript live
	@exec $(PY) manage.py demo $(if $(filter file,$(origin PORT)),,--port $(PORT))

test: setup-dev ## Run all tests (on DATABASE_URL and REDIS_URL, if set)
	@exec $(PY) -m pytest $(ARGUMENTS)

check: setup-dev ## Check lint, format, types, import layers, migrations, settings
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy .
	.venv/bin/lint-imports --no-logo
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py check --fail-level WARNING
	$(PY) manage.py settings --markdown | diff -u docs/configuration.md -

format: setup-dev ## Fix lint and format with ruff
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

docs: setup-dev ## Generate docs/configuration.md from the code
	$(PY) manage.py settings --markdown > docs/configuration.md

bench: setup-dev ## Run every script in benchmarks/
	@for name in transcribe translate stream rest pages webhooks recordings analysis; do \
	  if [ -f benchmarks/$$name.py ]; then echo "== benchmarks/$$name.py"; \
	    $(PY) benchmarks/$$name.py || exit 1; fi; done

# The lock files contain no index URL, so they install from any package index.
COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --quiet --extra models --extra speech --extra translation \
	--extra analysis

lock: ## Resolve pyproject.toml into requirements/*.txt (needs uv)
	$(COMPILE) -o requirements/runtime.txt
	$(COMPILE) --extra dev -c requirements/runtime.txt -o requirements/dev.txt
