#!/bin/sh
# Builds the virtual environment that every make target uses, and does nothing when it is in place already.
#
#   ./setup.sh [DIRECTORY]     DIRECTORY is .venv, or .venv-NAME (make test PYTHON=python3.13 has its own)
#   PYTHON=python3.13          the interpreter to use; without it, the first on PATH that will do
#
# It installs what requirements.lock names, each file checked by its hash, as wheels (nothing is compiled), then the
# project itself from this directory. It never uses sudo and never touches the system's own Python.
set -eu
cd "$(dirname "$0")"
venv=${1:-.venv}
PYTHON=${PYTHON:-}
PATH=$PATH:${HOME:-}/.local/bin # where uv and pipx put their commands
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

say() { printf 'konectom: %s\n' "$*" >&2; }
give_up() {
    say "$1 This line mends it:"
    printf '\n    %s\n\n' "$2" >&2
    exit 1
}

case $venv in
.venv | .venv-*) ;; # it may be deleted below: refuse anything that is not ours
*) say "the directory must be .venv or .venv-NAME, not $venv" && exit 2 ;;
esac

# --- Which interpreter ------------------------------------------------------------------------------------------------
new_enough() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' >/dev/null 2>&1; }
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; } # Debian keeps these in a package of their own
identity() { "$1" -c 'import sys; print(sys.version_info[:2], sys.base_prefix)' 2>/dev/null || echo absent; }

# The interpreter itself: not a shim's name, and not that of an activated environment (we may be about to delete it).
real() { "$1" -c 'import sys; print(getattr(sys, "_base_executable", "") or sys.executable)'; }

find_python() { # sets python when one will do; incomplete when one lacks nothing but venv
    python='' incomplete=''
    if [ -n "$PYTHON" ]; then set -- "$PYTHON"; else set -- python3 python3.13 python3.12 python3.11 python3.14; fi
    for candidate; do
        new_enough "$candidate" || continue
        if has_venv "$candidate"; then python=$(real "$candidate") && return; fi
        incomplete=${incomplete:-$candidate}
    done
}

how_to_get_python() { # one line for this system
    sudo='sudo '
    if [ "$(id -u)" = 0 ]; then sudo=''; fi
    if [ -n "$incomplete" ]; then
        wanted=$("$incomplete" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    else
        wanted=python3.13
        for version in 3.13 3.12 3.11; do # the newest that this system's package lists offer
            if apt-cache show "python$version-venv" 2>/dev/null | grep -q .; then wanted=python$version && break; fi
        done
    fi
    if [ "$(uname)" = Darwin ]; then
        echo 'brew install python@3.13'
    elif command -v apt-get >/dev/null; then
        echo "${sudo}apt-get update && ${sudo}apt-get install -y $wanted-venv"
    elif command -v dnf >/dev/null; then
        echo "${sudo}dnf install -y python3.12"
    elif command -v apk >/dev/null; then
        echo "${sudo}apk add python3"
    else
        echo 'pipx install uv    # or install Python 3.11 to 3.14, with venv, your system'\''s way'
    fi
}

# --- Is everything in place? ------------------------------------------------------------------------------------------
# The stamp's first line names all that makes an environment worthless when it changes: where the checkout lies (scripts
# carry absolute paths), the interpreter asked for, the lock. Its second line names what only the project's own
# installation depends on. It is written last, so an interrupted set-up leaves none and is begun anew.
stamp=$venv/konectom-setup
base="$(pwd -P) $(cksum <requirements.lock) ${PYTHON:+$(identity "$PYTHON")}"
project=$(cat pyproject.toml setup.sh | cksum)
has() { [ -f "$stamp" ] && [ "$(sed -n "$1p" "$stamp")" = "$2" ]; }

turn=$venv.pid # of two set-ups at the same time (make demo here, make test there) the second waits
while kill -0 "$(cat "$turn" 2>/dev/null)" 2>/dev/null; do
    say "waiting for the set-up that is already running"
    sleep 5
done
if has 1 "$base" && has 2 "$project" && "$venv/bin/python" -c '' 2>/dev/null; then exit 0; fi
trap 'rm -f "$turn"' EXIT
trap 'exit 130' INT TERM
echo $$ >"$turn"

# --- Make the environment ---------------------------------------------------------------------------------------------
if ! has 1 "$base" || ! "$venv/bin/python" -c '' 2>/dev/null; then
    find_python
    if [ -n "$python" ]; then
        how="Python $("$python" -c 'import platform; print(platform.python_version())') of $(dirname "$python")"
    elif command -v uv >/dev/null; then
        how=uv # it needs no complete Python, and can fetch one
    elif [ -n "$PYTHON" ] && [ -z "$incomplete" ]; then
        say "PYTHON=$PYTHON is missing, or not between 3.11 and 3.14: name another, or none" && exit 1
    elif [ -n "$incomplete" ]; then
        give_up "$incomplete lacks venv." "$(how_to_get_python)"
    else
        give_up "There is no Python from 3.11 to 3.14 here." "$(how_to_get_python)"
    fi
    if [ -e "$venv" ]; then
        say "removing $venv (incomplete, moved, or made for other versions)"
        rm -rf "$venv"
    fi
    say "making $venv with $how"
    if [ "$how" = uv ]; then
        uv venv --quiet --no-project --python "${PYTHON:->=3.11,<3.15}" "$venv"
    else
        "$python" -m venv "$venv"
    fi
fi

# --- Install ----------------------------------------------------------------------------------------------------------
install() {
    if "$venv/bin/python" -c 'import pip' 2>/dev/null; then
        "$venv/bin/python" -m pip install -qq "$@"
    else
        uv pip install --quiet --python "$venv/bin/python" "$@"
    fi
}
if ! has 1 "$base"; then
    say "installing $(grep -c '^[a-z]' requirements.lock) packages from requirements.lock (about a minute)"
    install --require-hashes --only-binary :all: -r requirements.lock
fi
say "installing konectom itself, from this directory"
install --no-deps --no-build-isolation --editable .
printf '%s\n%s\n' "$base" "$project" >"$stamp"
