# SPDX-License-Identifier: GPL-3.0-or-later
"""A million connections in flight, and a million lines: memory, over the direct rig (direct.py)."""

import os
from typing import NamedTuple

import direct
import tools
from proc import Unmeasured
from report import Figure

_AT_ONCE = 1000000
_MOST_A_CONNECTION = 512
_MOST_RESIDENT = 1 << 30
_FLAT = 1.05
# Targets in flight in both runs over long inputs: so few that the short run is enough for the
# congestion window of -r 0 to reach its end, and with it the tables their full size.
_WINDOW = 500
_EVERY4 = 8  # of the targets in flight; a class has no more than 65,535 IPv4 addresses


class Held(NamedTuple):
    """How connections are kept in flight."""

    told: str
    name: str  # of the targets' class
    server: tuple  # options of vinternet
    hold: str  # rule of the router between, or None
    rate: int  # packets a second, as -r
    established: bool


# The servers remember their connections and acknowledge a request that comes again, but their
# answers, and they alone are so long, end at the router.
_REQUESTS = Held(
    "requests acknowledged and not answered",
    "linux",
    ("--flows", 20),
    "tcp sport 80 meta length > 100 drop",
    100000,  # neither side loses a packet, and all are started long before the timeout
    True,
)
_SYNS = Held("SYNs unanswered", "silent", (), None, 1000000, False)


def _held_run(bench, held, count):
    number, base = direct.truth(held.name)
    lines = direct.write_class(bench.path("held.ndjson"), number, count, _EVERY4)
    bench.say(f"rawspider, {2 * count:,} connections in flight, {held.told}")
    options = ["-w", count, "-r", held.rate, "--confirm", 0]
    options += ["--timeout", bench.sizes.mass_timeout]
    with direct.Direct(*held.server, hold=held.hold) as rig:
        run = tools.rawspider(rig, bench.folder, lines, *options, peak=True)
    if held.established:
        base = {"ecn.connectivity.works", "ecn.negotiation.succeeded"}  # and no word on marks
    tools.check_records(run.output, count, base)
    if run.meta["established"] != (2 * count if held.established else 0):
        told = f"{run.meta['established']} connections established"
        raise Unmeasured(f"{held.told}, {count} targets: {told}")
    # What is kept of a line is its text without the newline.
    text = os.path.getsize(lines) - count
    at_once = 2 * tools.at_once(run.output)
    return {
        "asked": 2 * count,
        "at_once": at_once,
        "peak": run.cost.peak_bytes,
        "text": text / count / 2 * at_once,
        "tables": run.meta["table_bytes"],
    }


def _held(bench, held):
    many, few = (_held_run(bench, held, n) for n in (bench.sizes.mass, bench.sizes.mass_few))
    apart = many["at_once"] - few["at_once"]
    if apart <= 0:
        raise Unmeasured(f"{held.told}: no more in flight of {many['asked']} than {few['asked']}")
    text = many["text"] - few["text"]
    each = (many["peak"] - few["peak"] - text) / apart
    told = (
        f"{held.told}: {many['at_once']:,} of {many['asked']:,} connections at once, peak "
        f"{many['peak'] / 2**20:.1f} MiB, less {few['at_once']:,}, peak "
        f"{few['peak'] / 2**20:.1f} MiB, less the text of the lines between, {text / apart:.1f} "
        f"bytes for a connection, divided by the difference: {each:.0f} bytes. By rawspider's own "
        f"count its tables had {many['tables'] / many['at_once']:.0f} bytes for each at the most, "
        f"of the fewer ones {few['tables'] / few['at_once']:.0f}: what has just begun is not packed"
    )
    return each, told, many, few


def in_flight(bench):
    """Bytes for each of a million connections in flight, and all that is resident."""
    each, told, many, few = _held(bench, _REQUESTS)
    silent, told_silent, many_silent, few_silent = _held(bench, _SYNS)
    asked = many["asked"]
    wanted = min(_AT_ONCE, asked)
    note = (
        f"{told}. How many were in flight at once is counted from the times in the records. One "
        f"target in {_EVERY4} is IPv4. A router stands between in this case (the rig has one more "
        "namespace): the servers' answers end there, and since they acknowledge a request that is "
        f"sent again, it is --timeout {bench.sizes.mass_timeout} that ends a connection. "
        f"Rows below: {told_silent}; these give up 6 s after their first SYN, so "
        "that as many are in flight as can be started in that time."
    )
    limit, most, resident = _MOST_A_CONNECTION, _MOST_RESIDENT / 2**20, many["peak"] / 2**20
    own = many["tables"] / many["at_once"]
    detail = {"many": many, "few": few, "silent": [many_silent, few_silent]}
    return [
        Figure(
            "mass",
            "direct: connections in flight at once",
            "",
            many["at_once"],
            (">=", wanted),
            many["at_once"] / wanted,
            note,
            detail,
        ),
        Figure("mass_each", "- memory of each", "bytes", each, ("<=", limit), each / limit),
        Figure("mass_tables", "- its tables, by its own count", "bytes", own, ratio=own / limit),
        Figure(
            "mass_resident",
            "- all that is resident",
            "MiB",
            resident,
            ("<=", most),
            resident / most,
        ),
        Figure("mass_silent", "- memory of each, SYNs unanswered", "bytes", silent),
        Figure(
            "mass_silent_count", "- of these were in flight at once", "", many_silent["at_once"]
        ),
    ]


def _long_run(bench, count):
    bench.say(f"rawspider over {count:,} lines")
    lines = direct.write_plain(bench.path("long.ndjson"), count, (4, 6))
    options = ["-w", _WINDOW, "-r", 0]
    limit = 120 + count / 1000
    with direct.Direct() as rig:
        run = tools.rawspider(rig, bench.folder, lines, *options, limit=limit, peak=True)
    tools.check_records(run.output, count, direct.truth()[1])
    return run


def flat(bench):
    """Memory must not grow with the length of the input."""
    short, long = bench.sizes.short_lines, bench.sizes.long_lines
    runs = [_long_run(bench, count) for count in (short, long)]
    peaks = [run.cost.peak_bytes for run in runs]
    if not all(peaks):
        raise Unmeasured("no peak memory was read")
    growth = (peaks[1] - peaks[0]) / (long - short)
    ratio = peaks[1] / peaks[0]
    note = (
        f"peaks {peaks[0] / 2**20:.2f} and {peaks[1] / 2**20:.2f} MiB, {growth:.3f} bytes a line "
        f"more; -w {_WINDOW} in both. Lines are in turns IPv4 and IPv6, no address twice; all "
        f"verdicts right; the long run took {runs[1].cost.wall:.0f} s."
    )
    detail = {"peaks": peaks, "bytes_a_line": growth, "lines": [short, long]}
    title = f"direct: peak memory, {long:,} lines to {short:,}"
    return [Figure("flat", title, "times", ratio, ("<=", _FLAT), ratio / _FLAT, note, detail)]
