#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs what is missing to build rawspider (build), to run examples/demo.sh as well (demo), or all
# that the tests need (test). Debian 12 and its kin. Where nothing is missing, apt is not called.
set -eu

about() {
    echo "usage: tests/setup.sh [build|demo|test]" >&2
    exit 2
}

# What for, package, and how to see that it is there: a header, or a command.
wanted() {
    cat <<'LIST'
build gcc              gcc
build make             make
build libc6-dev        stdio.h
build libnet1-dev      libnet.h
build libpcap-dev      pcap/pcap.h
build libtrace3-dev    libtrace.h
build libwandio1-dev   wandio.h
build libev-dev        ev.h
build libjansson-dev   jansson.h
build libmnl-dev       libmnl/libmnl.h
build pkg-config       pkg-config
build libfixbuf-dev    libfixbuf
demo  python3          python3
demo  iproute2         ip
demo  nftables         nft
demo  nginx-light      nginx
test  python3-pytest   pytest-3
test  tcpdump          tcpdump
test  tshark           tshark
test  curl             curl
test  bzip2            bzip2
test  xz-utils         xz
test  libcap2-bin      setcap
test  ethtool          ethtool
test  procps           sysctl
test  strace           strace
test  libcmocka-dev    cmocka.h
test  clang            clang
test  libclang-rt-dev  libFuzzer
test  llvm             llvm-cov
LIST
}

has() {
    case $1 in
    cmocka.h)
        printf '#include <stdarg.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <setjmp.h>\n#include <cmocka.h>\n' |
            gcc -E - >/dev/null 2>&1 ;;
    *.h) echo "#include <$1>" | gcc -E - >/dev/null 2>&1 ;;
    libfixbuf) pkg-config --exists libfixbuf 2>/dev/null ;; # its headers want glib's
    libFuzzer) ls "$(clang -print-runtime-dir 2>/dev/null)"/libclang_rt.fuzzer* >/dev/null 2>&1 ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# A package that brings a service would start it: nginx, on port 80. The lab starts its own.
keep_services_down() {
    policy=/usr/sbin/policy-rc.d
    [ ! -e $policy ] || return 0
    trap 'rm -f $policy' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
}

get() {
    export DEBIAN_FRONTEND=noninteractive
    tries=0
    until apt-get update -qq; do # also busy for a while on a machine that has just been started
        tries=$((tries + 1))
        if [ $tries -ge 3 ]; then
            echo "setup: apt-get update fails: is a package mirror within reach?" >&2
            exit 1
        fi
        sleep 5
    done
    keep_services_down
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

case ${1-build} in
build) levels=build ;;
demo) levels="build demo" ;;
test) levels="build demo test" ;;
*) about ;;
esac
PATH=$PATH:/usr/sbin:/sbin
missing=$(wanted | while read -r level package thing; do
    case " $levels " in *" $level "*) has "$thing" || echo "$package" ;; esac
done)
[ -n "$missing" ] || exit 0

# shellcheck disable=SC2086 # a list of words
set -- $missing
if ! command -v apt-get >/dev/null; then
    echo "setup: there is no apt-get here; please install what Debian calls: $*" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "setup: only root can install packages (sudo $0 $1, or): apt-get install $*" >&2
    exit 1
fi
echo "setup: installing $*"
get "$@"
case " $* " in
*" nginx-light "*)
    if command -v systemctl >/dev/null; then systemctl -q disable nginx.service || :; fi ;;
esac
