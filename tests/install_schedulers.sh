#!/bin/sh
# Real schedulers for the tests of the units: cron and systemd, found or installed by apt. Nothing
# is started; the tests run both in namespaces of their own.
there() {
    { command -v cron && command -v crontab && command -v systemd-analyze; } >/dev/null 2>&1
}
PATH="$PATH:/usr/sbin:/sbin"
there && exit 0
if command -v apt-get >/dev/null 2>&1; then
    sudo=""
    if [ "$(id -u)" != 0 ]; then sudo="sudo -n"; fi
    echo "Installing cron and systemd for the tests of the units (apt-get install cron systemd) ..."
    log=$(mktemp)
    if $sudo apt-get update >"$log" 2>&1 && $sudo apt-get install -y --no-install-recommends cron systemd >>"$log" 2>&1; then
        rm -f "$log"
        exit 0
    fi
    tail -n 5 "$log"
    rm -f "$log"
fi
echo "No cron or no systemd was found, and they could not be installed here. Install them (Debian,"
echo "Ubuntu: 'apt-get install cron systemd'). The tests that need them are skipped without."
if [ -n "$CI" ]; then
    echo "CI is set, so a missing scheduler is a failure."
    exit 1
fi
exit 0
