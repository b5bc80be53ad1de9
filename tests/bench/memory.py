# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory of a connection in flight, in the lab: whether the SYN or the request has no answer."""

import json

import tools
from proc import Unmeasured
from report import Figure

_MOST_A_CONNECTION = 1536

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
    all_at_once(run, count, how)
    return run


def all_at_once(run, count, how):
    """Raises where not all `count` targets of a run were in flight at one moment."""
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
        started, ended = span.starting()
        told = f"the first one ended after {ended:.1f} s, the last one started after {started:.1f}"
        raise Unmeasured(f"{how}, {count} targets: {told}")


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
            "tables": runs[0].meta["table_bytes"] / (2 * many),
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
