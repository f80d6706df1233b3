# The door of the project: everything is done by one `make` word. GNU Make 3.81 or newer.
# All paths are relative, so that the folder may have any name and place.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help compare report sign reports package check-in-r trace study intake template renew-studies test test-slow test-search lab notebooks verify personalities mutants expected bench lock clean distclean

export SCENARIO ?= base
export SET ?=
export SHARD ?=
TESTS ?=
export RESULT ?=
# own data: a folder, which is only read, and a file that says how; who signs the plan, and when
export DATA ?=
export MAPPING ?=
export SIGNED_BY ?=
export DATE ?=
export A ?=
export B ?=
# anything: `make check-in-r` ends with exit code 3 where there is no R
export NEED_R ?=
# a study of many trials: its name, its workers (all cores), more or fewer trials, and a Dask cluster's address
export STUDY ?= planning
export WORKERS ?=
export TRIALS ?=
export SCHEDULER ?=
# seconds that a cell may run for, and further options of JupyterLab
export LIMIT ?=
LAB ?=

# Everything runs with the variables of one table, build/environment.py. A recipe hands its process over (`exec`),
# so that who ends make ends the work. `-S -E`: that table needs no package and no setting, and the sooner it is read,
# the sooner a Ctrl-C is a plain end.
RUN := exec .venv/bin/python -S -E src/helpers/build/environment.py run

define newline


endef

help: ## show this list
	@echo "Usage: make <word>"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

report: .venv/.ready ## build the report of a scenario, or on own data: make report SET="upcr_effect=0.8"; make report DATA=folder
	@$(RUN) -m helpers.build.driver --scenario "$$SCENARIO" --set "$$SET" $${DATA:+--data "$$DATA"} \
	  $${MAPPING:+--mapping "$$MAPPING"} $${LIMIT:+--limit "$$LIMIT"}

sign: .venv/.ready ## sign the plan in force before unblinding: make sign SIGNED_BY="a name" DATE=2026-11-28
	@$(RUN) -m helpers.build.sign --scenario "$$SCENARIO" --set "$$SET" --by "$$SIGNED_BY" --date "$$DATE"

reports: .venv/.ready ## build the reports of all scenarios
	@$(RUN) -m helpers.build.driver --all $${LIMIT:+--limit "$$LIMIT"}

package: .venv/.ready ## one zip with all about a scenario, or own data, and checksums: make package SCENARIO=base
	@$(RUN) -m helpers.build.driver --scenario "$$SCENARIO" --set "$$SET" $${DATA:+--data "$$DATA"} \
	  $${MAPPING:+--mapping "$$MAPPING"} $${LIMIT:+--limit "$$LIMIT"}
	@$(RUN) -m helpers.build.package --scenario "$$SCENARIO" --set "$$SET" $${DATA:+--data "$$DATA"} \
	  $${MAPPING:+--mapping "$$MAPPING"}

check-in-r: .venv/.ready ## the main results once more in R, beside ours; scripts alone where there is no R
	@case "$$SCENARIO" in own-*) exit 0;; esac; $(RUN) -m helpers.build.driver --scenario "$$SCENARIO" --set "$$SET" $${LIMIT:+--limit "$$LIMIT"}
	@$(RUN) -m helpers.build.check_in_r --scenario "$$SCENARIO" --set "$$SET" $${NEED_R:+--need-r}

trace: .venv/.ready ## from a number or an exhibit back to code and tables: make trace RESULT=remission.primary; RESULT="Table 6.1"
	@$(RUN) -m helpers.build.trace "$$RESULT" --scenario "$$SCENARIO" --set "$$SET"

compare: .venv/.ready ## two settings side by side: make compare A=base B="base upcr_effect=0.8"
	@$(RUN) -m helpers.build.compare "$$A" "$$B"

study: .venv/.ready ## many trials over a grid, resumable: make study STUDY=planning WORKERS=2
	@$(RUN) -m helpers.design.studies "$$STUDY"
	@$(RUN) -m helpers.build.study_page "$$STUDY"

intake: .venv/.ready ## propose how to read own tables: make intake DATA=folder (only read; prints, and writes intakes/<name>.yaml)
	@$(RUN) -m helpers.intake.propose "$$DATA"

template: .venv/.ready ## an Excel workbook to enter a trial's tables in: reports/template.xlsx
	@$(RUN) -m helpers.intake.template

renew-studies: .venv/.ready ## renew stored answers about many trials (10 minutes) and the study planning (12), resumable
	@$(RUN) -m helpers.design.renewal characteristics
	@$(MAKE) study STUDY=planning

test: .venv/.ready ## check format, lint and types, and run the tests on two cores (five minutes)
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$(RUN) -m pytest -p no:nbval -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"

test-slow: .venv/.ready ## run the tests that take longer (an hour; SHARD=3/8 runs one of eight parts, TESTS="a b" these files)
	@$(RUN) -m pytest -p no:nbval -n 2 --dist loadfile --no-loadscope-reorder -m slow $(TESTS)

test-search: .venv/.ready ## look for new counterexamples: the property tests on examples drawn anew
	@$(RUN) -m pytest -p no:nbval -n 2 --dist loadfile -m hypothesis --hypothesis-profile search

lab: .venv/.ready ## explore the notebooks in JupyterLab (options: make lab LAB="--no-browser --port=9999")
	@$(RUN) -m helpers.build.lab $(LAB)

notebooks: .venv/.ready ## run the committed notebooks again, in place
	@$(RUN) -m helpers.build.driver --notebooks $${LIMIT:+--limit "$$LIMIT"}

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

clean: ## remove what was built: reports, tables of all scenarios but base, caches, pieces of studies
	@python=.venv/bin/python; [ -x "$$python" ] || python=python3.11; \
	  command -v "$$python" >/dev/null 2>&1 || python=python3; \
	  PYTHONPATH=src PYTHONDONTWRITEBYTECODE=1 exec "$$python" -m helpers.build.publishing

distclean: clean ## the same, and the Python environment
	@rm -rf .venv

# The one file that make itself keeps up to date: the environment.
.venv/.ready: requirements.lock pyproject.toml src/helpers/build/environment.py
	@python=python3; command -v python3 >/dev/null 2>&1 || python=python3.11; \
	  exec "$$python" src/helpers/build/environment.py
