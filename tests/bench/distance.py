# SPDX-License-Identifier: GPL-3.0-or-later
"""How far apart the first packets of A and of B pass the lab's router, or reach the direct
rig's responder."""

import direct
import lab_ns
import synpcap
import tools
from proc import Unmeasured
from report import Figure

_MOST_US = 100
_MOST_DIRECT_US = 50
_MOST_DIRECT_P99_US = 1000
_SNAP = 80  # Ethernet, and IP and TCP headers with the options of a SYN
_BUFFER_KIB = 131072
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
    path = _captured(bench, targets, options)
    return _rows(path, len(targets), key, f"A to B at the router, median, {name}", (_MOST_US, None))


def _rows(path, targets, key, title, most):
    """Median and 99th percentile of the distances in a capture. most: the limits of both, in us,
    None for a row that is only told."""
    found, syns, seen, plain_first = synpcap.distances(path)
    if len(found) != targets:
        told = f"{len(found)} of {targets} targets have both SYNs in the capture, {seen} any"
        raise Unmeasured(told)
    median, p90, p99 = (synpcap.quantile(found, share) / 1000 for share in (50, 90, 99))
    note = (
        f"{len(found):,} targets; 90 % {p90:.0f} us, 99 % {p99:.0f} us, most "
        f"{found[-1] / 1000:,.0f} us; A went first in {plain_first / len(found):.1%}; "
        f"{syns - 2 * targets} SYNs were sent again."
    )
    detail = {"p90": p90, "p99": p99, "most": found[-1] / 1000, "targets": len(found)}
    limits = [limit and ("<", limit) for limit in most]
    ratios = [limit and value / limit for value, limit in zip((median, p99), most)]
    return [
        Figure(key, title, "us", median, limits[0], ratios[0], note, detail),
        Figure(f"{key}_p99", "- 99th percentile", "us", p99, limits[1], ratios[1]),
    ]


def distance(bench):
    """Median and 99th percentile, as fast as it goes and at the default rate."""
    targets = bench.addresses()
    few = targets[: bench.sizes.slow_targets]
    rows = _figure(bench, "distance_full", "-r 0", targets, "-r", 0)
    return rows + _figure(bench, "distance_default", "default rate", few)


def at_responder(bench):
    """The same at the far end of the direct veth, as fast as it goes."""
    count = bench.sizes.fast_targets
    path = bench.path("syns.pcap")
    lines = direct.write_plain(bench.path("direct.ndjson"), count)
    bench.say(f"rawspider -r 0, {count:,} targets, tcpdump at the responder, direct veth")
    with direct.Direct() as rig:
        capture = lab_ns.Capture(rig.netns("net"), "n0", path, _SYNS, False, _SNAP, _BUFFER_KIB)
        try:
            run = tools.rawspider(rig, bench.folder, lines, "-r", 0)
        finally:
            counts = capture.stop()
    seconds = tools.check_records(run.output, count, direct.truth()[1])
    if counts.get("dropped", 0):
        raise Unmeasured(f"tcpdump at the responder lost {counts['dropped']} packets")
    title = "direct: A to B at the responder, median, -r 0"
    rows = _rows(path, count, "direct_distance", title, (_MOST_DIRECT_US, _MOST_DIRECT_P99_US))
    told = f" {count / seconds:,.0f} targets a second, with tcpdump on the responder's core."
    return [rows[0]._replace(note=rows[0].note + told), rows[1]]
