# The commands of Scaling Explorer. `make` alone lists them.
PY := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup run test lint format bench clean distclean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## Create .venv and install what the dashboard needs
	@sh tools/setup.sh run
	@echo "Ready. Start the dashboard with: make run"

run: ## Start the dashboard; PORT=9000 asks for that port, ADDRESS=0.0.0.0 opens it to the network
	@sh tools/setup.sh run
	@$(PY) -m streamlit run app.py $(if $(PORT),--server.port $(PORT)) $(if $(ADDRESS),--server.address $(ADDRESS))

test: ## Run every test; ARGS="-k fit" goes to pytest
	@sh tools/setup.sh test
	@sh tools/browser.sh
	@$(PY) -m pytest -n 2 --dist loadfile --durations=5 $(ARGS)

lint: ## Check style, format and types
	@sh tools/setup.sh test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: ## Format the code and mend what can be mended
	@sh tools/setup.sh test
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: ## Run every benchmark in benchmarks/, beside other tools where there are any
	@sh tools/setup.sh bench
	@sh tools/bench.sh

clean: ## Remove caches and artefacts; keep .venv
	rm -rf artifacts .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean ## Also remove .venv; the next command installs anew
	rm -rf .venv
