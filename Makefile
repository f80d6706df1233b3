# The door of the project: everything is done by one `make` word. GNU Make 3.81 or newer.
# All paths are relative, so that the folder may have any name and place.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help report reports test test-slow lab notebooks verify personalities mutants expected bench lock clean distclean

export SCENARIO ?= base
export SET ?=
export SHARD ?=

# Everything runs with the variables of one table, build/environment.py. A recipe hands its process over (`exec`),
# so that who ends make ends the work.
RUN := exec .venv/bin/python src/helpers/build/environment.py run

define newline


endef

help: ## show this list
	@echo "Usage: make <word>"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

report: .venv/.ready ## build the report of one scenario: make report SCENARIO=base SET="upcr_effect=0.8"
	@$(RUN) -m helpers.build.driver --scenario "$$SCENARIO" --set "$$SET"

reports: .venv/.ready ## build the reports of all scenarios
	@$(RUN) -m helpers.build.driver --all

test: .venv/.ready ## check format, lint and types, and run the tests on two cores (a few minutes)
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$(RUN) -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: .venv/.ready ## run the tests that take longer (an hour; SHARD=3/8 runs one of eight parts)
	@$(RUN) -m pytest -n 2 --dist loadfile -m slow

lab: .venv/.ready ## explore the notebooks in JupyterLab
	@$(RUN) -m jupyter lab notebooks

notebooks: .venv/.ready ## run the committed notebooks again, in place
	@$(RUN) -m helpers.build.driver --notebooks

verify: .venv/.ready ## rebuild from nothing and compare with the published results
	@$(RUN) -m helpers.build.verify

personalities: .venv/.ready ## test and verify as other processors and Pythons do (an hour; ONLY=haswell)
	@$(RUN) -m helpers.build.personalities $(ONLY)

mutants: .venv/.ready ## plant 200 small errors and see whether the tests notice (up to 90 minutes, resumable)
	@$(RUN) tests/mutants.py

expected: .venv/.ready ## show what changed against the published results, and renew them
	@$(RUN) -m helpers.build.verify --renew

bench: .venv/.ready ## measure the speed that the project claims
	$(foreach file,$(wildcard benchmarks/bench_*.py),@echo "== $(file)"$(newline)	@$(RUN) $(file)$(newline))

lock: .venv/.ready ## resolve requirements.lock again from pyproject.toml
	@$(RUN) -m uv pip compile --generate-hashes --universal --python-version 3.11 --all-extras \
	  --no-header --no-emit-index-url -q pyproject.toml -o requirements.lock

clean: ## remove what was built: reports, tables of all scenarios but base, caches
	@rm -rf .cache
	@for folder in reports/*; do [ "$$folder" = reports/expected ] || rm -rf "$$folder"; done
	@for folder in data/synthetic/*; do [ "$$folder" = data/synthetic/base ] || rm -rf "$$folder"; done

distclean: clean ## the same, and the Python environment
	@rm -rf .venv

# The one file that make itself keeps up to date: the environment.
.venv/.ready: requirements.lock pyproject.toml src/helpers/build/environment.py
	@python=python3; command -v python3 >/dev/null 2>&1 || python=python3.11; \
	  exec "$$python" src/helpers/build/environment.py
