# SPDX-License-Identifier: GPL-3.0-or-later
"""How far apart the first packets of A and of B pass the router."""

import synpcap
import tools
from proc import Unmeasured
from report import Figure

_MOST_US = 100
_SYNS = "ip and tcp dst port 80 and tcp[13] & 0x12 == 2"


def _captured(bench, targets, options):
    path = bench.path("syns.pcap")
    bench.renew()
    capture = bench.lab.capture("rt", "rt0", path, _SYNS, immediate=False)
    try:
        run = tools.rawspider(bench.lab, bench.folder, bench.lines(targets), *options)
    finally:
        counts = capture.stop()
    tools.check_records(run.output, len(targets), bench.base)
    if counts.get("dropped", 0):
        raise Unmeasured(f"tcpdump in the router lost {counts['dropped']} packets")
    return path


def _figure(bench, key, name, targets, *options):
    bench.say(f"rawspider {name}, {len(targets):,} addresses, tcpdump in the router")
    found, syns, seen, plain_first = synpcap.distances(_captured(bench, targets, options))
    if len(found) != len(targets):
        told = f"{len(found)} of {len(targets)} targets have both SYNs in the capture, {seen} any"
        raise Unmeasured(told)
    median, p90, p99 = (synpcap.quantile(found, share) / 1000 for share in (50, 90, 99))
    note = (
        f"{len(found):,} targets; 90 % {p90:.0f} us, 99 % {p99:.0f} us, most "
        f"{found[-1] / 1000:,.0f} us; A went first in {plain_first / len(found):.1%}; "
        f"{syns - 2 * len(targets)} SYNs were sent again."
    )
    detail = {"p90": p90, "p99": p99, "most": found[-1] / 1000, "targets": len(found)}
    title = f"A to B at the router, median, {name}"
    ratio = median / _MOST_US
    rows = [Figure(key, title, "us", median, ("<", _MOST_US), ratio, note, detail)]
    return rows + [Figure(f"{key}_p99", "- 99th percentile", "us", p99)]


def distance(bench):
    """Median and 99th percentile, as fast as it goes and at the default rate."""
    targets = bench.addresses()
    few = targets[: bench.sizes.slow_targets]
    rows = _figure(bench, "distance_full", "-r 0", targets, "-r", 0)
    return rows + _figure(bench, "distance_default", "default rate", few)
