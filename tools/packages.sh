#!/usr/bin/env bash
# Install the Debian or Ubuntu packages of programs that are missing: packages.sh PROGRAM=PACKAGE ...
set -euo pipefail
missing=()
for each in "$@"; do
    # A name that begins with a slash is a file.
    if ! command -v "${each%%=*}" >/dev/null && ! [[ -e ${each%%=*} ]]; then
        missing+=("${each#*=}")
    fi
done
if ((${#missing[@]} == 0)); then
    exit
fi
echo "installing ${missing[*]} ..."
as_root=()
if ((EUID != 0)); then
    as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
