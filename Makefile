# Two commands need nothing but Python 3.11 or later and make: `make run` and `make test`.
VENV := .venv
BIN := $(VENV)/bin
REQUIREMENTS := deploy/requirements
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test soak check bench lock clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.stamp-local ## start Plazo on this machine; Ctrl-C stops it (make run ARGS="--port 8081")
	@exec $(BIN)/plazo up $(ARGS)

test: $(VENV)/.stamp-dev ## run all tests (make test ARGS="tests/unit -x")
	$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

soak: $(VENV)/.stamp-dev ## break everything for an hour and compare (make soak ARGS="--seconds 600 --seed 7")
	PYTHONPATH=tests $(BIN)/python -m faults $(ARGS)

check: $(VENV)/.stamp-dev ## lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.stamp-bench ## measure against limits and peers on this machine (make bench ARGS="calendar")
	PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

lock: $(VENV)/.stamp-dev ## write the hashed requirements anew from the .in files
	cd $(REQUIREMENTS) && for name in build run local dev bench; do \
	  ../../$(BIN)/uv pip compile $$name.in --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --quiet --output-file $$name.txt || exit 1; \
	done

clean: ## remove the environment and all caches; the data in .plazo stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.stamp-%: $(REQUIREMENTS)/build.txt $(REQUIREMENTS)/%.txt pyproject.toml
	@sh deploy/environment.sh $*
