#!/bin/sh
# Install what the browser tests drive and the machine does not have yet: a Chromium and its shell, a
# Firefox, WebKit's small browser, and the proxy of JupyterHub. Usage: tests/install-browser.sh VENV
set -eu
venv=$1

has_chromium() {
    for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do
        "$name" --version >/dev/null 2>&1 && return
    done
    false
}

# As root; on a machine of continuous integration, where a skipped test would fail, also by sudo.
apt_install() {
    command -v apt-get >/dev/null || return
    if [ "$(id -u)" = 0 ]; then as_root=; elif [ "${CI:-}" ]; then as_root="sudo -n"; else return 1; fi
    $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends "$@"
}

has_chromium || apt_install chromium fonts-dejavu-core || true
has_chromium || "$venv/bin/playwright" install --with-deps chromium ||
    echo "No Chromium could be installed: the browser tests will be skipped." >&2

has() { command -v "$1" >/dev/null; }
# Chromium without its frame: lighter to drive. Where there is none, the tests drive Chromium itself.
if has chromium; then has chromium-headless-shell || apt_install chromium-headless-shell || true; fi
has firefox-esr || has firefox || apt_install firefox-esr || true
{ has WebKitWebDriver && has Xvfb; } || apt_install webkit2gtk-driver xvfb || true
has WebKitWebDriver && { has firefox-esr || has firefox; } ||
    echo "Not all of Firefox and WebKitGTK could be installed: their tests will be skipped." >&2

proxy="$venv/bin/configurable-http-proxy"
command -v npm >/dev/null || apt_install npm || true
[ -x "$proxy" ] || npm install --global --loglevel=error --no-fund --no-audit \
    --prefix "$venv" configurable-http-proxy@5.3.0 ||
    echo "JupyterHub's proxy could not be installed: the test of the hub will be skipped." >&2
