# SPDX-License-Identifier: GPL-3.0-or-later
"""rawspider and its peers: one run each, with every result looked at."""

import datetime
import json
import os
import re
from typing import NamedTuple

import lab_ns
import proc
from proc import Unmeasured

RAWSPIDER = os.path.abspath(os.environ.get("RAWSPIDER", "build/rawspider"))  # or another build
FLOOR = os.path.abspath("build/tests/bench/floor")
# Nobody's address on the vantage point's link: the kernel there does not know it, so it has no RST
# for masscan's connections.
MASSCAN_ADDRESS = "192.0.2.77"
_CONDITIONS = b'"conditions":'
# PATHspider's names, without a detail.
_BASE = re.compile(r"ecn\.(connectivity|negotiation)\.[a-z]+|ecn\.ipmark\.\w+\.(not_)?seen")
_TIME = re.compile(rb'"time":\{"from":"([-0-9:. ]+)","to":"([-0-9:. ]+)"\}')
_LINE = re.compile(rb'"line":(\d+)')


class Measured(NamedTuple):
    cost: proc.Cost
    meta: dict
    output: str


def rawspider(lab, folder, lines, *options, limit=600.0, peak=False, under=()):
    """One measurement of the job lines in the file `lines`, over HTTP; records are in output.
    under: a command that runs it."""
    output, meta = (os.path.join(folder, name) for name in ("records.ndjson", "meta.json"))
    argv = [*under, RAWSPIDER, "measure", "-q", "-b", "none", "-i", "vp0", *options]
    argv += ["--input", lines, "--output", output, "-m", meta, "ecn", "--connect", "http"]
    cost = proc.run(lab, argv, folder, limit, peak)
    if cost.status != 0:
        raise Unmeasured(f"rawspider: {cost.said()}")
    with open(meta, encoding="utf-8") as file:
        return Measured(cost, json.load(file), output)


class Verdicts:
    """Whether a record's conditions are what they have to be. Records end in their conditions, and
    few different endings occur, so each is looked at once."""

    def __init__(self, base):
        self.base = frozenset(base)
        self.known = {}

    def right(self, tail):
        if tail not in self.known:
            self.known[tail] = self._judge(tail)
        return self.known[tail]

    def _judge(self, tail):
        try:
            conditions = json.loads(b"{" + tail)["conditions"]
        except (ValueError, KeyError):
            return False
        # Details may stand beside the base conditions; what was not measured may not.
        extra = set(conditions) - self.base
        spoilt = [c for c in extra if c.startswith("measure.") or _BASE.fullmatch(c)]
        return self.base <= set(conditions) and not spoilt


class Span:
    """From when to when records were measured. Their times compare as text."""

    def __init__(self):
        self.first, self.last, self.last_start, self.first_end = b"~", b"", b"", b"~"

    def add(self, record):
        start, end = _TIME.search(record).groups()
        self.first, self.last = min(self.first, start), max(self.last, end)
        self.last_start, self.first_end = max(self.last_start, start), min(self.first_end, end)

    @property
    def overlap(self):
        """All had started before the first one ended."""
        return self.last_start < self.first_end

    def seconds(self):
        return _between(self.first, self.last)

    def starting(self):
        """(seconds from the first start to the last, and to the first end)."""
        return _between(self.first, self.last_start), _between(self.first, self.first_end)


def _between(first, last):
    first, last = (datetime.datetime.fromisoformat(t.decode()) for t in (first, last))
    return (last - first).total_seconds()


def at_once(path):
    """How many targets were in flight at the same time, at most, by the times in their records."""
    starts, ends = [], []
    with open(path, "rb") as file:
        for record in file:
            start, end = _TIME.search(record).groups()
            starts.append(start)
            ends.append(end)
    starts.sort()
    ends.sort()
    most = over = 0
    for begun, start in enumerate(starts, 1):
        while over < len(ends) and ends[over] <= start:
            over += 1
        most = max(most, begun - over)
    return most


def check_records(path, count, base):
    """Every line has one record, and every record the right verdict; else raises. Returns the
    seconds from the first target's start to the last one's end."""
    verdicts, seen, wrong, example = Verdicts(base), bytearray(count + 1), 0, b""
    span = Span()
    with open(path, "rb") as file:
        for record in file:
            at = record.rfind(_CONDITIONS)
            line = _LINE.search(record)
            number = int(line[1]) if line else 0
            if not 0 < number <= count or seen[number]:
                raise Unmeasured(f"a record for no line, or a second one: {_text(record)}")
            seen[number] = 1
            span.add(record)
            if at < 0 or not verdicts.right(record[at:].rstrip()):
                wrong, example = wrong + 1, record
    if sum(seen) != count:
        raise Unmeasured(f"{count} lines gave {sum(seen)} records")
    if wrong:
        raise Unmeasured(f"{wrong} of {count} verdicts are wrong, such as {_text(example)}")
    return span.seconds()


def _text(record):
    return record.decode("utf-8", "replace").strip()[:400]


class Scan(NamedTuple):
    cost: proc.Cost
    rate: int
    completed: int  # addresses with an HTTP banner
    share: float


def _introduce(lab):
    """The router learns who masscan is; returns the router's MAC."""
    mac = lab.within("vp", lab_ns.mac, "vp0")
    entry = f"{MASSCAN_ADDRESS} lladdr {mac} dev rt0 nud permanent"
    lab_ns.run(["ip", "-n", lab.netns("rt"), "neigh", "replace", *entry.split()])
    return lab.within("rt", lab_ns.mac, "rt0")


def masscan(lab, folder, network, rate, limit=900.0, router_mac=None):
    """`masscan --banners` over a network, from an address that the kernel does not have. Masscan
    and the router know each other's MAC: what would be lost while they ask is not its fault.
    router_mac: of a next hop that needs no introduction; else the lab's router is it."""
    output = os.path.join(folder, "masscan.txt")
    router_mac = router_mac or _introduce(lab)
    argv = ["masscan", str(network), "-p80", "--banners", "--rate", rate, "--wait", 3]
    argv += ["--adapter", "vp0", "--adapter-ip", MASSCAN_ADDRESS, "--router-mac", router_mac]
    cost = proc.run(lab, [*argv, "-oL", output], folder, limit)
    if cost.status != 0:
        raise Unmeasured(f"masscan: {cost.said()}")
    addresses = set()
    with open(output, encoding="utf-8", errors="replace") as file:
        for line in file:
            fields = line.split(maxsplit=6)
            # banner tcp 80 ADDRESS TIME http TEXT
            if fields[:3] == ["banner", "tcp", "80"] and fields[5:6] == ["http"]:
                addresses.add(fields[3])
    if not addresses:
        raise Unmeasured(f"masscan at {rate} SYN/s completed nothing: {cost.said()}")
    return Scan(cost, rate, len(addresses), len(addresses) / network.num_addresses)


class Benchmarked(NamedTuple):
    cost: proc.Cost
    requests: int
    per_second: float  # by its own clock, which leaves its start-up out


def apachebench(lab, folder, address, requests, limit=600.0):
    """`ab -c 200`, a connection for each request."""
    argv = ["ab", "-q", "-c", 200, "-n", requests, f"http://{address}/"]
    cost = proc.run(lab, argv, folder, limit)
    found = {key: _number(cost.stdout, key) for key in ("Complete requests", "Requests per second")}
    bad = [key for key in ("Failed requests", "Non-2xx responses") if _number(cost.stdout, key)]
    if cost.status != 0 or bad or found["Complete requests"] != requests:
        raise Unmeasured(f"ab: {', '.join(bad)} {cost.said()}")
    return Benchmarked(cost, requests, found["Requests per second"])


def _number(text, key):
    match = re.search(rf"^{key}:\s+([\d.]+)", text, re.MULTILINE)
    return float(match[1]) if match else 0.0


class Floor(NamedTuple):
    cost: proc.Cost
    completed: int
    told: dict  # what it printed


# Under way at once; fewer let the cores wait for each other, more gain nothing.
_FLOOR_WINDOW = 1000
_FLOOR_LOST = 0.001  # a share; it sends nothing again


def floor(rig, folder, first, count, source, limit=600.0):
    """The bare loop (floor.c) over `count` addresses from `first` on. source: nobody's address."""
    argv = [FLOOR, "vp0", rig.mac(), source, first, count, _FLOOR_WINDOW]
    cost = proc.run(rig, argv, folder, limit)
    try:
        told = json.loads(cost.stdout)
    except ValueError:
        raise Unmeasured(f"floor: {cost.said()}") from None
    if told["lost"] > count * _FLOOR_LOST or told["strange"]:
        raise Unmeasured(f"floor: lost or refused too much: {cost.stdout.strip()}")
    return Floor(cost, told["exchanges"], told)
