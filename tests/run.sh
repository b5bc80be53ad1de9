#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# All tests, on Debian 12, as root: installs what is missing, builds with both compilers, and runs
# the checks, the unit and simulation tests and the namespace lab with sanitizers, the fuzzers, and
# an installation. About twenty minutes on two cores. The last line says how many passed and failed.
#   tests/run.sh --quick     no lab, no fuzzers: three minutes
#   FUZZ_SECONDS=10 tests/run.sh
set -u
cd "$(dirname "$0")/.."
logs=build/test-logs
fuzz_seconds=${FUZZ_SECONDS:-60}
passed=0 failed=0 skipped=0 quick=

case "${1-} $#" in
" 0") ;;
"--quick 1") quick=1 ;;
*)
    echo "usage: tests/run.sh [--quick]" >&2
    exit 2
    ;;
esac
if [ "$(id -u)" -ne 0 ]; then
    echo "tests: need root, for packages, raw packets and network namespaces: sudo $0 $*" >&2
    exit 1
fi

# What root has built belongs to whom the tree belongs to.
give_back() { chown -R --reference=Makefile build build-* 2>/dev/null; }
trap give_back EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

# step NAME COUNT COMMAND...: runs it with its output in a log. COUNT reads the log and prints how
# many passed, failed and were skipped. A command that fails counts as a failure in any case.
step() {
    local name=$1 count=$2 began=$SECONDS code=0 p f s
    shift 2
    [ ! -t 1 ] || printf '      %s ...\r' "$name"
    "$@" >"$logs/$name.log" 2>&1 || code=$?
    read -r p f s < <($count "$logs/$name.log" $code)
    [ $code -eq 0 ] || [ "$f" -gt 0 ] || f=1
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    if [ "$f" -eq 0 ]; then
        printf 'ok    %-10s %4d passed%s, %d s\n' "$name" "$p" "$([ "$s" -eq 0 ] || echo ", $s skipped")" $((SECONDS - began))
    else
        printf 'FAIL  %-10s %4d passed, %d failed, %d s: %s\n' "$name" "$p" "$f" $((SECONDS - began)) "$*"
        tail -n 60 "$logs/$name.log" | sed 's/^/      /'
        printf '      all of it: %s\n' "$logs/$name.log"
    fi
}

# One check: it passed or it did not.
one() { [ "$2" -eq 0 ] && echo 1 0 0 || echo 0 1 0; }
cmocka() {
    awk '/^\[  PASSED  \]/ { p += $4 } /^\[  FAILED  \] [0-9]+ test/ { f += $4 } /^\[  SKIPPED \] [0-9]+ test/ { s += $4 }
         END { print p + 0, f + 0, s + 0 }' "$1"
}
pytest() { # its last line: 3 failed, 40 passed, 1 skipped, 1 error in 60.00s
    awk '/ in [0-9.]+s/ { last = $0 }
         END { n = split(last, word, /[ ,=]+/)
               for (i = 2; i <= n; i++) { if (word[i] == "passed") p = word[i - 1]
                   if (word[i] ~ /^(failed|errors?)$/) f += word[i - 1]
                   if (word[i] == "skipped") s = word[i - 1] }
               print p + 0, f + 0, s + 0 }' "$1"
}
tap() {
    awk '/^ok / { p++ } /^not ok / { f++ } /^# unreached: / { f++ } END { print p + 0, f + 0, 0 }' "$1"
}
fuzzers() {
    awk '/^fuzz[a-z-]* [a-z0-9]+: FINDING/ { f++ } /^fuzz [a-z0-9]+: no finding/ { p++ }
         /^fuzz-prove [a-z0-9]+:/ { if (/was found$/) p++; else f++ }
         /^fuzz-coverage [a-z0-9]+: [0-9]/ { if ($3 >= 80) p++; else f++ }
         END { print p + 0, f + 0, 0 }' "$1"
}

truth_prove() {
    awk '/^truth-prove [a-z_]+: / { if (/was found$/) p++; else f++ } END { print p + 0, f + 0, 0 }' "$1"
}

# Do layers and purity find what they are there to find?
check_the_checks() {
    python3 tests/check/layers.py --self-test && python3 tests/check/purity.py --self-test
}

install_check() {
    local to version
    to=$(mktemp -d) || return
    # shellcheck disable=SC2064 # now
    trap "rm -rf '$to'" RETURN
    make --no-print-directory install DESTDIR="$to" PREFIX=/usr || return
    find "$to" -type f -printf '%m %P\n'
    version=$("$to/usr/bin/rawspider" version) || return
    [ "$version" = "rawspider $(sed -n 's/^VERSION := //p' Makefile)" ] || return
    "$to/usr/bin/rawspider" plugins ecn | grep -q ecn.connectivity.works || return
    [ -s "$to/etc/rawspider/blocklist.conf" ] && [ -s "$to/usr/share/doc/rawspider/README.md" ]
}

began=$SECONDS
export PYTHONDONTWRITEBYTECODE=1
tests/setup.sh test || exit 1
mkdir -p $logs
make="make --no-print-directory -k -j$(nproc) WERROR=1"
step gcc one $make CC=gcc all path vinternet
step clang one $make CC=clang BUILD=build-clang all
step layers one make layers
step purity one make purity
step checks one check_the_checks
step unit cmocka $make test
step verify tap make unreached
step install one install_check
step readme one python3 tests/check/readme.py build/rawspider
if [ -z "$quick" ]; then
    $make SAN=1 all >$logs/sanitizers.log 2>&1 # the program for the lab; a failure shows there
    step tsan cmocka $make tsan
    step lab pytest pytest-3 -q -p no:cacheprovider tests/netns
    step observe pytest pytest-3 -q -p no:cacheprovider tests/observe
    step runner pytest pytest-3 -q -p no:cacheprovider tests/verify
    step pathspider pytest pytest-3 -q -p no:cacheprovider tests/pathspider
    step ipfix pytest pytest-3 -q -p no:cacheprovider tests/ipfix
    step vinternet pytest pytest-3 -q -p no:cacheprovider tests/vinternet
    step truth-prove truth_prove make truth-prove
    step fuzz fuzzers make fuzz FUZZ_SECONDS="$fuzz_seconds"
    step coverage fuzzers make fuzz-coverage FUZZ_SECONDS="$fuzz_seconds"
    step prove fuzzers make fuzz-prove FUZZ_SECONDS="$fuzz_seconds"
fi
[ $skipped -eq 0 ] || echo "$skipped skipped: what this kernel or machine does not have"
echo "$(((SECONDS - began + 30) / 60)) minutes"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
