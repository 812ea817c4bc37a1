# konectom. Each target sets up what it needs: a fresh clone wants nothing but python3 (3.11 or newer), git and make.
#
#   make demo                       a server with synthetic patients, on this machine; PORT=8080 moves it,
#                                   ONCE=1 runs it through once and stops
#   make test                       all tests but the long ones, on all processors; ARGS="-k pinch -x" goes to pytest, and
#                                   nothing is left out
#   make test-long                  the long ones: workers as processes, files of half a gigabyte, killed again and again
#   make test-real                  all that keeps data, on a PostgreSQL from a wheel and an S3 in the tests' own process
#   make test PYTHON=python3.13     the same with another interpreter, in an environment of its own
#   make check                      style, types, layers, migrations
#   make audit                      looks for known vulnerabilities in the pinned dependencies, where it can ask for them
#   make format                     rewrites the code in the project's style
#   make lock                       pins the dependencies anew (needs uv); UPGRADE=1 takes the newest versions
#   make clean                      removes all that these made

override VENV := .venv$(if $(PYTHON),-$(notdir $(PYTHON)))
bin := $(VENV)/bin
export PYTHON

.PHONY: help setup demo test test-long test-real check audit format lock clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#  //p' Makefile

setup:
	@./setup.sh "$(VENV)"

demo: setup
	@"$(bin)/konectom" demo $(if $(filter-out 0,$(ONCE)),--once) $(if $(PORT),--port $(PORT))

test: setup
	@"$(bin)/python" -m pytest --numprocesses auto --dist loadfile $(or $(ARGS),-m "not long")

test-long: setup
	@"$(bin)/python" -m pytest --numprocesses auto --dist loadfile -m long $(ARGS)

# What is kept is kept on PostgreSQL and S3 too: the same tests, with no change. Left out is what is about SQLite's file
# or a directory (marked `embedded`).
REAL := tests/workflows tests/storage tests/workers tests/api/test_sessions.py tests/api/test_audit.py \
	tests/api/test_consents.py tests/api/test_devices.py tests/api/test_foreign_bodies.py \
	tests/api/test_observations.py tests/api/test_uploads.py tests/promises/test_durability.py \
	tests/promises/test_enrolment_races.py tests/promises/test_time_limits.py \
	tests/promises/test_audited_reads.py tests/promises/test_access.py

test-real: setup
	@echo "on PostgreSQL and S3:"
	@KONECTOM_TEST_BACKEND=real "$(bin)/python" -m pytest --numprocesses auto --dist loadfile $(REAL) $(or $(ARGS),-m "not long")

check: setup
	"$(bin)/ruff" check .
	"$(bin)/ruff" format --check .
	"$(bin)/mypy"
	"$(bin)/lint-imports"
	"$(bin)/konectom" db check

audit: setup
	@"$(bin)/python" .ci/audit.py

format: setup
	"$(bin)/ruff" check --fix-only .
	"$(bin)/ruff" format .

# One lock for every supported Python and system: the same versions, so the same numbers, everywhere.
lock:
	@command -v uv >/dev/null || { echo "make lock needs uv: pipx install uv"; exit 1; }
	uv pip compile pyproject.toml --quiet --output-file requirements.lock --all-extras --group dev \
		--universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

clean:
	rm -rf .venv .venv-* .venv.pid .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
