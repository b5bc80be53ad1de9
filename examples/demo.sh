#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The main job from end to end, on this machine alone: raises a small Internet in network namespaces
# (nginx behind a router with middleboxes), measures it with rawspider, prints the records and what
# they mean, and takes it all down. Installs and builds what is missing. Root, Debian 12, no
# Internet but a package mirror.
set -eu
cd "$(dirname "$0")/.."
folder=build/demo
lab=tests/netns/lab.py
name="demo-$$"
targets=2 # of each middlebox, in each family

say() { printf '\n== %s\n' "$*"; }
tell() { printf '   %s\n' "$*"; }

end() {
    status=$?
    trap '' INT TERM HUP
    if [ -n "${raised-}" ]; then
        python3 $lab down --name "$name" && tell "The lab is down."
    fi
    chown -R --reference=Makefile build 2>/dev/null || :
    exit $status
}

if [ "$(id -u)" -ne 0 ]; then
    echo "demo: needs root, for network namespaces and raw packets: sudo $0" >&2
    exit 1
fi
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

mkdir -p $folder
say "1/6 Packages"
tell "A compiler, libraries, nginx, nftables: from Debian's mirror, where they are missing."
tests/setup.sh demo

say "2/6 Build"
make -j"$(nproc)" >$folder/build.log
tell "build/rawspider is there."

say "3/6 The lab"
tell "vp (here we measure) -- rt (a router with middleboxes) -- srv, srv0 (nginx, ECN on and off)."
tell "Each middlebox has an IPv4 and an IPv6 prefix of its own; what it does is a rule in rt."
raised=1
if ! python3 $lab up --name "$name"; then
    tell "(Network namespaces need CAP_SYS_ADMIN and CAP_NET_ADMIN; many containers have neither.)"
    exit 1
fi

say "4/6 Measure"
python3 $lab targets --name "$name" --count $targets >$folder/targets.ndjson
python3 $lab boxes >$folder/boxes.json
tell "Two connections to each of $(wc -l <$folder/targets.ndjson) targets at the same moment: one plain, one that asks for ECN,"
tell "both made of raw packets. Where the two differ, two more rounds confirm it: half a minute."
tell "(-b none, since these addresses are on the default blocklist. --confirm-delay 1, not 3 s, since"
tell "it is a demonstration.)"
options=(-i vp0 -b none --confirm-delay 1 -m "$folder/metadata.json" --pcap-out "$folder/run.pcap")
tell "rawspider measure ${options[*]} ecn < $folder/targets.ndjson"
[ -t 2 ] || options+=(-v) # no terminal: progress line by line
python3 $lab exec --name "$name" vp -- build/rawspider measure "${options[@]}" ecn \
    <$folder/targets.ndjson >$folder/records.ndjson &
wait $! # so that a signal ends the demonstration at once; what runs in the lab ends with it
tell "One record for each target:"
cat $folder/records.ndjson

say "5/6 What it found, middlebox by middlebox"
status=0
python3 examples/summary.py --lab $folder/boxes.json $folder/records.ndjson || status=1

say "6/6 The same again, from the capture"
tell "rawspider classify ecn $folder/run.pcap"
if build/rawspider classify ecn $folder/run.pcap | cmp - $folder/records.ndjson; then
    tell "Byte for byte the same $(wc -l <$folder/records.ndjson) records."
else
    status=1
fi
tell "rawspider observe -i $folder/run.pcap basic ecn: a record for each flow; the first one:"
build/rawspider observe -q -i $folder/run.pcap basic ecn >$folder/flows.ndjson
head -n 1 $folder/flows.ndjson
echo
tell "Records, flows, capture and metadata stay in $folder. build/rawspider plugins ecn explains the conditions."
exit $status
