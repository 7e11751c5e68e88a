#!/bin/sh
# Run every benchmark, benchmarks/NAME.py as `python -m benchmarks.NAME`; files that start with _ are helpers.
# All run even if one fails; the exit status tells of a failure.
set -u
unset CDPATH
cd "$(dirname "$0")/.." || exit

failed=
for file in benchmarks/[!_]*.py; do
    [ -e "$file" ] || { echo "No benchmarks yet: benchmarks/ holds no Python file."; exit 0; }
    name=$(basename "$file" .py)
    printf '\n== %s\n' "$name"
    .venv/bin/python -m "benchmarks.$name" || failed="$failed $name"
done
[ -z "$failed" ] || { printf '\nFailed:%s\n' "$failed" >&2; exit 1; }
