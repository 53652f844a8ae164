#!/bin/sh
# Installs Chromium and Mosquitto from the system's packages where we may (root, apt) and they are missing.
set -u
missing=""
PATH="$PATH:/usr/sbin:/usr/local/sbin"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v mosquitto >/dev/null 2>&1 || missing="$missing mosquitto"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed, and not ours to install:$missing; the tests that need them are skipped by name"
    exit 0
fi
echo "installing$missing ..."
export DEBIAN_FRONTEND=noninteractive
# A broker of the system's own must not start with its package.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
log=$(mktemp)
if ! { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -5 "$log"
    echo "could not be installed:$missing; the tests that need them are skipped by name"
fi
rm -f "$log"
