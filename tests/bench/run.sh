#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# make bench: says what is missing, then measures. Options: tests/bench/run.sh --help
set -eu
cd "$(dirname "$0")/../.."

missing=
need() { # TOOL PACKAGE
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null || missing="$missing $2"
}
need python3 python3
need ip iproute2
need nft nftables
need nginx nginx-light
need taskset util-linux
need masscan masscan
need ab apache2-utils
need tcpdump tcpdump
need tracestats libtrace-tools
need readelf binutils
# Only with these there: perf (linux-perf), for the profile; pspdr (PATHspider).
if [ -n "$missing" ]; then
    echo "bench: missing; apt-get install$missing" >&2
    exit 1
fi
case " $* " in
*" --help "* | *" -h "*) ;;
*)
    if [ "$(id -u)" -ne 0 ]; then
        echo "bench: needs root, to make the network namespaces of the lab" >&2
        exit 1
    fi
    for program in build/rawspider build/tests/bench/traffic build/tests/bench/floor \
        build/tests/bench/engine \
        "${VINTERNET:-build/tests/vinternet/vinternet}"; do
        if [ ! -x "$program" ]; then
            echo "bench: $program is missing: make it first (make bench does)" >&2
            exit 1
        fi
    done
    ;;
esac
PATH="$PATH:/usr/sbin:/sbin" exec python3 tests/bench/bench.py "$@"
