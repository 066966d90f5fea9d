# Everything a person does here. All of it may be repeated; what is done already takes no time.

HOST ?= 127.0.0.1
PORT ?= 8000
PY := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run demo test check format docs bench lock

help: ## Say what there is
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

setup: ## Make .venv with everything that running needs
	@requirements/install runtime

setup-dev:
	@requirements/install dev

run: setup ## Start everything (PORT=8000 HOST=127.0.0.1) and, the first time, say how to sign in
	@exec $(PY) manage.py up --demo-organization --host $(HOST) --port $(PORT)

demo: setup ## Play a spoken call of two people and watch its transcript grow
	@exec $(PY) manage.py demo --port $(PORT)

test: setup-dev ## All tests (DATABASE_URL and REDIS_URL choose what they run on)
	@exec $(PY) -m pytest

check: setup-dev ## Lint, format, types, import direction, migrations, settings
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy .
	.venv/bin/lint-imports --no-logo
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py check --fail-level WARNING
	$(PY) manage.py settings --markdown | diff -u docs/configuration.md -

format: setup-dev ## Let ruff put the code in order
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

docs: setup-dev ## Rewrite the pages that are made from the code
	$(PY) manage.py settings --markdown > docs/configuration.md

bench: setup-dev ## Measure every claim about speed: one script each in benchmarks/
	@for name in transcribe stream rest pages webhooks recordings analysis; do \
	  if [ -f benchmarks/$$name.py ]; then echo "== benchmarks/$$name.py"; \
	    $(PY) benchmarks/$$name.py || exit 1; fi; done

# Locks hold names and hashes and no index address: they install from any index.
COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --quiet --extra models --extra speech --extra analysis

lock: ## Resolve pyproject.toml into requirements/*.txt (needs uv)
	$(COMPILE) -o requirements/runtime.txt
	$(COMPILE) --extra dev -c requirements/runtime.txt -o requirements/dev.txt
