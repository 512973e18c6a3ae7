#!/bin/sh
# Installs the browser that tests/report drives, unless one is there. Debian or Ubuntu, as root.
set -eu

for browser in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$browser" >/dev/null 2>&1; then
        echo "found $(command -v "$browser")"
        exit 0
    fi
done

if ! command -v apt-get >/dev/null 2>&1; then
    echo "no browser, and no apt-get here: put Chromium or Google Chrome on PATH, then run the tests again" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "no browser, and not root: run 'sudo $0', then run the tests again" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes --no-install-recommends chromium >/dev/null
# On Ubuntu the package is only a pointer to a snap, which may give no command.
command -v chromium || command -v chromium-browser || {
    echo "the package 'chromium' gave no command: install Google Chrome or Chromium by hand" >&2
    exit 1
}
