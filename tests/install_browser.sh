#!/bin/sh
# Chromium from the system: found, or installed by apt where that is possible.
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
[ -n "$SENDERSCORE_CHROMIUM" ] && [ -x "$SENDERSCORE_CHROMIUM" ] && exit 0
if command -v apt-get >/dev/null 2>&1; then
    sudo=""
    if [ "$(id -u)" != 0 ]; then sudo="sudo -n"; fi
    echo "Installing Chromium for the browser tests (apt-get install chromium) ..."
    log=$(mktemp)
    if $sudo apt-get update >"$log" 2>&1 && $sudo apt-get install -y --no-install-recommends chromium fonts-dejavu-core >>"$log" 2>&1; then
        rm -f "$log"
        exit 0
    fi
    tail -n 5 "$log"
    rm -f "$log"
fi
echo "No Chromium was found and it could not be installed here. Install it (Debian, Ubuntu:"
echo "'apt-get install chromium'; macOS: 'brew install chromium'), or set SENDERSCORE_CHROMIUM"
echo "to a Chrome or Chromium program. The browser tests are skipped without it."
if [ -n "$CI" ]; then
    echo "CI is set, so a missing browser is a failure."
    exit 1
fi
exit 0
