#!/bin/sh
# Install what the browser tests drive and the machine does not have yet: a Chromium, and the
# proxy of JupyterHub. Usage: tests/install-browser.sh VENV
set -eu
venv=$1

has() { command -v "$1" >/dev/null 2>&1; }

if ! has chromium && ! has chromium-browser && ! has google-chrome && ! has google-chrome-stable; then
    if has apt-get && [ "$(id -u)" = 0 ]; then
        apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
    else
        "$venv/bin/playwright" install chromium ||
            echo "No Chromium could be installed: the browser tests will be skipped." >&2
    fi
fi

if ! has configurable-http-proxy && ! [ -x "$venv/bin/configurable-http-proxy" ]; then
    if has npm; then
        npm install --global --loglevel=error --no-fund --no-audit --prefix "$venv" configurable-http-proxy@5.3.0
    else
        echo "No npm here: the JupyterHub test will be skipped." >&2
    fi
fi
