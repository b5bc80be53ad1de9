# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory of a connection in flight, and memory over a long input."""

import ipaddress
import itertools
import json

import lab_plan
import tools
from proc import Unmeasured
from report import Figure

_MOST_A_CONNECTION = 1536
_FLAT = 1.1
# Targets in flight in both runs over long inputs: so few that the short run is enough for the
# congestion window of -r 0 to reach its end, and with it the tables their full size.
_WINDOW = 500

# What the router does so that connections stay in flight, all at the same point.
_HOLD = {
    "SYNs unanswered": "ip daddr 198.18.0.0/16 drop",
    # SYN and bare ACK are at most 60 bytes long, the request is longer.
    "requests unanswered": "ip daddr 198.18.0.0/16 tcp dport 80 meta length > 100 drop",
}


class Holding:
    """The router with one more rule."""

    def __init__(self, lab, rule):
        self.lab = lab
        hook = "type filter hook forward priority -10; policy accept;"
        self.table = f"table inet bench {{\nchain hold {{\n{hook}\n{rule}\n}}\n}}\n"

    def _nft(self, text):
        self.lab.exec("rt", ["nft", "-f", "-"], input=text, text=True, check=True)

    def __enter__(self):
        self._nft(self.table)

    def __exit__(self, *exc):
        self._nft("delete table inet bench\n")


def _peak(bench, how, count):
    """Peak memory with `count` targets in flight at once, which is made sure of."""
    targets = bench.addresses()[:count]
    bench.renew()
    bench.say(f"rawspider with {2 * count:,} connections in flight, {how}")
    # Fast enough that all have started before the first ends: an arm lasts 6 s without an answer.
    options = ["-w", count, "-r", 50000, "--confirm", 0]
    with Holding(bench.lab, _HOLD[how]):
        run = tools.rawspider(bench.lab, bench.folder, bench.lines(targets), *options, peak=True)
    _all_at_once(run, count, how)
    return run


def _all_at_once(run, count, how):
    span, records = tools.Span(), 0
    with open(run.output, "rb") as file:
        for record in file:
            span.add(record)
            records += 1
    established = 2 * count if how == "requests unanswered" else 0
    if records != count or run.meta["established"] != established:
        told = f"{records} records, {run.meta['established']} connections established"
        raise Unmeasured(f"{how}, {count} targets: {told}")
    if not span.overlap:
        raise Unmeasured(f"{how}: the first target ended before the last one started")


def in_flight(bench):
    """Bytes for a connection."""
    many, few = bench.sizes.many, bench.sizes.few
    found = {}
    for how in _HOLD:
        runs = [_peak(bench, how, count) for count in (many, few)]
        peaks = [run.cost.peak_bytes for run in runs]
        found[how] = {
            "bytes": (peaks[0] - peaks[1]) / (2 * (many - few)),
            "peaks": peaks,
            "tables": runs[0].meta["bytes_per_target_in_flight"] / 2,
        }
    worst = max(row["bytes"] for row in found.values())
    told = ", ".join(f"{how} {row['bytes']:.0f} bytes" for how, row in found.items())
    text = sum(len(json.dumps(t, separators=(",", ":"))) for t in bench.addresses()[:many]) / many
    note = (
        f"peak of {2 * many:,} connections at once (-w {many}) less peak of {2 * few:,} "
        f"(-w {few}), divided by the difference: {told}. Input lines of {text:.0f} bytes, for two "
        "connections each, and all tables that grow with -w are in it. That all were in flight at "
        "once is checked from the times in the records."
    )
    limit = _MOST_A_CONNECTION
    title = "memory of a connection in flight"
    detail = {"cases": found}
    return [Figure("memory", title, "bytes", worst, ("<=", limit), worst / limit, note, detail)]


def _long_input(path, count):
    """IPv4 targets that come round again, and IPv6 targets that never do, in turns."""
    addresses = [target["dip"] for target in lab_plan.targets("none", 65536, 4)]
    network6 = int(ipaddress.ip_network(lab_plan.prefix("none", 6)).network_address)
    with open(path, "w", encoding="ascii") as file:
        for index, address in enumerate(itertools.islice(itertools.cycle(addresses), count)):
            dip = ipaddress.IPv6Address(network6 + 1 + index) if index % 2 else address
            file.write(f'{{"dip":"{dip}","dp":80,"domain":"n{index}.test","rank":{index}}}\n')


def _long_run(bench, count):
    bench.renew()
    bench.say(f"rawspider over {count:,} lines")
    lines = bench.path("long.ndjson")
    _long_input(lines, count)
    options = ["-w", _WINDOW, "-r", 0]
    limit = 120 + count / 1000
    run = tools.rawspider(bench.lab, bench.folder, lines, *options, limit=limit, peak=True)
    tools.check_records(run.output, count, bench.base)
    return run


def flat(bench):
    """Memory must not grow with the length of the input."""
    short, long = bench.sizes.short_lines, bench.sizes.long_lines
    runs = [_long_run(bench, count) for count in (short, long)]
    peaks = [run.cost.peak_bytes for run in runs]
    growth = (peaks[1] - peaks[0]) / (long - short)
    ratio = peaks[1] / peaks[0]
    note = (
        f"peaks {peaks[0] / 2**20:.2f} and {peaks[1] / 2**20:.2f} MiB, {growth:.3f} bytes a line "
        f"more; -w {_WINDOW} in both. Lines are in turns an address of the /16, which comes round "
        f"again, and an IPv6 address that never does; all verdicts right; the long run took "
        f"{runs[1].cost.wall:.0f} s."
    )
    detail = {"peaks": peaks, "bytes_a_line": growth, "lines": [short, long]}
    title = f"peak memory, {long:,} lines to {short:,}"
    return [Figure("flat", title, "times", ratio, ("<=", _FLAT), ratio / _FLAT, note, detail)]
