#!/bin/sh
# Make .venv ready: `sh tools/setup.sh run` for the dashboard, `sh tools/setup.sh test` for tests and linters too,
# `sh tools/setup.sh bench` for what the benchmarks compare with.
# Does nothing when nothing changed. PYTHON=/path/to/python picks the interpreter that .venv is made with.
set -eu
unset CDPATH
cd "$(dirname "$0")/.."

case ${1:-run} in
    run) requirements=requirements.txt ;;
    test) requirements=requirements-dev.txt ;;
    bench) requirements=requirements-bench.txt ;;
    *) echo "usage: sh tools/setup.sh [run|test|bench]" >&2; exit 2 ;;
esac

# stop WHAT ADVICE... — say what is wrong and what to do, one line each.
stop() {
    printf '\nSet-up stopped: %s\n' "$1" >&2
    shift
    printf '  %s\n' "$@" >&2
    exit 1
}

works() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
makes_venvs() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

# Set `python` to the first interpreter that can make .venv, or stop. One without the venv module is passed over.
find_python() {
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3.11 python3.12 python3.13 python3.14 python3; fi
    bare=
    for python do
        works "$python" || continue
        makes_venvs "$python" && return
        bare=${bare:-$python}
    done
    [ -z "$bare" ] || stop "$("$bare" --version 2>&1) ($bare) has no venv module." \
        "On Debian or Ubuntu: sudo apt-get install python3-venv" \
        "(for a Python beside the system's own: python3.12-venv and the like)." \
        "Then run the same command again."
    [ -z "${PYTHON:-}" ] || stop "PYTHON=$PYTHON is not a Python 3.11 or newer (it says: $(says_version "$PYTHON"))." \
        "Name another: make setup PYTHON=/path/to/python3.11" \
        "or leave PYTHON unset, and the first Python 3.11 or newer on PATH is taken."
    stop "no Python 3.11 or newer on PATH (python3 says: $(says_version python3))." \
        "On Debian 12, Ubuntu 24.04 or newer: sudo apt-get install python3 python3-venv" \
        "On an older release install Python 3.11 beside the system's own and name it:" \
        "make setup PYTHON=/path/to/python3.11"
}

says_version() {
    if command -v "$1" >/dev/null 2>&1; then "$1" --version 2>&1 | head -n 1; else echo "no such command"; fi
}

# venv hides why it failed; 100 MB is more than an empty .venv needs and less than anything useful.
disk_is_full() { [ "$(df -Pk . | awk 'NR == 2 { print $4 }')" -lt 100000 ]; }

make_venv() {
    find_python
    [ ! -e .venv ] || echo "The Python in .venv does not work; making .venv anew"
    echo "Creating .venv with $("$python" --version 2>&1)"
    said=$("$python" -m venv --clear .venv 2>&1) && return
    printf '%s\n' "$said" | tail -n 8 >&2
    if disk_is_full; then
        stop "the disk is full." "Free some space (df -h . shows what is left), then run the same command again."
    fi
    case $said in
        *"ermission denied"* | *"Read-only"*) stop "this folder cannot be written." "Check who owns it (ls -ld . .venv) and run as that user." ;;
        *) stop "$python could not make .venv; its last lines are above." \
            "Try another Python: make setup PYTHON=python3.12" ;;
    esac
}

# Two commands started side by side in a new clone: the second waits for the first.
exec 9<requirements.txt
if command -v flock >/dev/null 2>&1 && ! flock -n 9; then
    echo "Waiting for another set-up of this folder to finish"
    flock 9
fi

.venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || make_venv
.venv/bin/python tools/install.py "$requirements"
