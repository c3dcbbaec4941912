#!/bin/sh
# Engines for the tests: a Java runtime for Spark, and PostgreSQL's server programs; found, or
# installed by apt. The tests start a server of their own, on loopback, and end it.
java_there() {
    program=java
    if [ -n "$JAVA_HOME" ]; then program="$JAVA_HOME/bin/java"; fi
    version=$("$program" -version 2>&1 | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1)
    [ "${version:-0}" -ge 17 ]
}
postgres_there() {
    command -v initdb >/dev/null 2>&1 && return 0
    for program in /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$program" ] && return 0
    done
    return 1
}
missing=""
java_there || missing="$missing default-jre-headless"
postgres_there || missing="$missing postgresql"
[ -z "$missing" ] && exit 0
if command -v apt-get >/dev/null 2>&1; then
    sudo=""
    if [ "$(id -u)" != 0 ]; then sudo="sudo -n"; fi
    echo "Installing engines for the tests (apt-get install$missing) ..."
    log=$(mktemp)
    # A server that the package would start by itself is not wanted.
    if $sudo apt-get update >"$log" 2>&1 \
        && $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
            apt-get install -y --no-install-recommends $missing >>"$log" 2>&1 \
        && java_there && postgres_there; then
        rm -f "$log"
        exit 0
    fi
    tail -n 5 "$log"
    rm -f "$log"
fi
echo "These are missing and could not be installed here:$missing. Install a Java runtime, 17 or"
echo "newer, and PostgreSQL's server programs (Debian, Ubuntu: 'apt-get install"
echo "default-jre-headless postgresql'; macOS: 'brew install openjdk postgresql')."
echo "The tests that need them are skipped without."
if [ -n "$CI" ]; then
    echo "CI is set, so a missing engine is a failure."
    exit 1
fi
exit 0
