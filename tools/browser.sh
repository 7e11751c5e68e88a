#!/bin/sh
# See that there is a Chromium for the browser tests; install Debian's where that needs no password.
# Never stops the tests: without a browser those that need one skip (and fail when CI is set).
set -u

found() {
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null 2>&1 && return
    done
    return 1
}

# advise WHY — what to type by hand.
advise() {
    echo "$1 The browser tests will be left out." >&2
    echo "  On Debian: sudo apt-get update && sudo apt-get install chromium" >&2
    echo "  Elsewhere: install Chromium or Chrome so that chromium, chromium-browser or google-chrome is on PATH." >&2
    exit 0
}

found && exit 0
command -v apt-get >/dev/null 2>&1 || advise "No Chromium found, and no apt-get to install it with."
if [ "$(id -u)" -eq 0 ]; then
    as_root="env"
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n env"
else
    advise "No Chromium found, and no right to install it without a password."
fi

apt() { $as_root DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 "$@" 2>&1; }

echo "Installing Chromium for the browser tests, once (apt-get, about a minute)"
# The package lists of a new machine are empty or old: then, and only then, fetch them first.
said=$(apt install -y --no-install-recommends chromium) ||
    said=$(apt update && apt install -y --no-install-recommends chromium)
found && exit 0
printf '%s\n' "$said" | tail -n 5 >&2
advise "Chromium could not be installed; apt-get's last lines are above."
