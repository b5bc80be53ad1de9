# SPDX-License-Identifier: GPL-3.0-or-later
"""The observer over a capture: packets a second, against tracestats, and its memory."""

import json
import os
import re
import statistics
import subprocess

import proc
import tools
from proc import Unmeasured
from report import Figure

_TRAFFIC = os.path.abspath("build/tests/bench/traffic")
_CHAINS = ("basic", "tcp", "ecn")
_AT_ONCE = 4  # of so many flows, one is under way
_LEAST_RATE = 1_000_000
_MOST_TIMES = 12  # what tracestats takes
_FLAT = 1.1
_LONGER = 10
_PACKETS = re.compile(rb'"pkt_fwd":(\d+),"pkt_rev":(\d+)')
_ACCEPTED = re.compile(r"Accepted Packets:\s+(\d+)")
_FLOWS = re.compile(r"(\d+) flows: .* at most (\d+) at once, (\d+) bytes each")
_RECORDS = re.compile(r"packets (\d+) .* records (\d+)$", re.MULTILINE)


def _traffic(packets, flows, at_once):
    return [_TRAFFIC, *map(str, (packets, flows, at_once))]


class Capture:
    """A file, and what is in it."""

    def __init__(self, bench):
        self.path = bench.path("traffic.pcap")
        self.packets, self.flows = bench.sizes.packets, bench.sizes.flows
        argv = _traffic(self.packets, self.flows, self.flows // _AT_ONCE)
        with open(self.path, "wb") as file:
            done = subprocess.run(argv, stdout=file, stderr=subprocess.PIPE, check=True)
            os.fsync(file.fileno())  # nothing is to be written to the disk meanwhile
        self.told = json.loads(done.stderr)
        self.bytes = os.path.getsize(self.path)

    def share(self, what):
        return f"{self.told[what] / self.packets:.1%}"

    def describe(self):
        mean = (self.bytes - 24) / self.packets - 16
        return (
            f"{self.packets:,} packets of {self.flows:,} flows, {self.flows // _AT_ONCE:,} of them "
            "at once, each packet of a random one, 40,000 packets a second; "
            f"{self.bytes / 1e9:.2f} GB of Ethernet pcap, frames of {mean:.0f} bytes in the mean, "
            f"{self.share('small')} up to 100 and {self.share('full')} over 1,400; "
            f"{self.share('tcp')} TCP, "
            f"{self.share('udp')} UDP, {self.share('icmp')} ICMP; {self.share('ip6')} IPv6; "
            f"{self.share('marked')} with ECT or CE"
        )


def _check(records, capture):
    """A record for each flow, and each packet in one of them."""
    flows = packets = 0
    with open(records, "rb") as file:
        for record in file:
            forward, reverse = _PACKETS.search(record).groups()
            packets += int(forward) + int(reverse)
            flows += 1
    if (flows, packets) != (capture.flows, capture.packets):
        raise Unmeasured(f"observe: {flows} records with {packets} packets")


def _observe(bench, capture):
    records = bench.path("flows.ndjson")
    argv = [tools.RAWSPIDER, "observe", "-q", "-i", capture.path, "--output", records, *_CHAINS]
    cost = proc.run(None, argv, bench.folder)
    if cost.status != 0:
        raise Unmeasured(f"observe: {cost.said()}")
    _check(records, capture)
    os.remove(records)
    return cost


def _tracestats(bench, capture):
    cost = proc.run(None, ["tracestats", f"pcapfile:{capture.path}"], bench.folder)
    found = _ACCEPTED.search(cost.stderr)  # its table goes to standard output
    if cost.status != 0 or not found or int(found[1]) != capture.packets:
        raise Unmeasured(f"tracestats: {cost.said()}")
    return cost


def _speed(bench):
    capture = Capture(bench)
    mine, peer = [], []
    try:
        for index in range(bench.sizes.rounds):
            bench.say(f"observe and tracestats over {capture.packets:,} packets, {index + 1}")
            mine.append(_observe(bench, capture))
            peer.append(_tracestats(bench, capture))
    finally:
        os.remove(capture.path)
    return capture, mine, peer


def _all(runs, what):
    return [round(getattr(run, what), 3) for run in runs]


def _speed_figures(bench):
    capture, mine, peer = _speed(bench)
    rate = capture.packets / statistics.median(run.wall for run in mine)
    cpu = capture.packets / statistics.median(run.cpu for run in mine)
    times = statistics.median(run.cpu for run in mine) / statistics.median(run.cpu for run in peer)
    note = (
        f"{' '.join(_CHAINS)}, from a file in the page cache to a file of records, on one core, "
        f"tracestats after each run over the same file. The file: {capture.describe()}. A packet "
        "is in exactly one record and each flow has one, which is checked. Wall "
        f"{_all(mine, 'wall')} s, CPU {_all(mine, 'cpu')} s, of which user {_all(mine, 'user')}; "
        f"tracestats wall {_all(peer, 'wall')} s, CPU {_all(peer, 'cpu')} s; medians count."
    )
    detail = {
        "wall": _all(mine, "wall"),
        "cpu": _all(mine, "cpu"),
        "tracestats_cpu": _all(peer, "cpu"),
        "capture_bytes": capture.bytes,
        "mix": capture.told,
    }
    title, least = "observe, packets a second of wall time", _LEAST_RATE
    return [
        Figure("observe", title, "1/s", rate, (">=", least), rate / least, note, detail),
        Figure("observe_cpu", "- of CPU time", "1/s", cpu),
        Figure(
            "observe_peer",
            "observe to tracestats, CPU",
            "times",
            times,
            ("<=", _MOST_TIMES),
            times / _MOST_TIMES,
        ),
    ]


class Piped:
    """Peak memory over traffic from a pipe, so that no disk is filled."""

    def __init__(self, bench, packets, flows, at_once):
        bench.say(f"observe over a pipe, {packets:,} packets, {at_once:,} flows at once")
        argv = [tools.RAWSPIDER, "observe", "-v", "-i", "-", "--output", os.devnull, *_CHAINS]
        traffic = subprocess.Popen(
            _traffic(packets, flows, at_once), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        with traffic:
            cost = proc.run(None, argv, bench.folder, 1200.0, peak=True, stdin=traffic.stdout)
        told, table = _RECORDS.findall(cost.stderr), _FLOWS.search(cost.stderr)
        if cost.status != 0 or traffic.returncode != 0 or not told or not table:
            raise Unmeasured(f"observe over a pipe: {cost.said()}")
        if tuple(map(int, told[-1])) != (packets, flows):
            raise Unmeasured(f"observe over a pipe: {told[-1]} packets and records")
        self.peak = cost.peak_bytes
        self.most, self.flow_bytes = int(table[2]), int(table[3])

    def __str__(self):
        return f"{self.peak / 2**20:.2f} MiB (at most {self.most:,} flows in the table)"


def _memory_figures(bench):
    packets, flows = bench.sizes.packets, bench.sizes.flows
    at_once = flows // _AT_ONCE
    short = Piped(bench, packets, flows, at_once)
    long = Piped(bench, packets * _LONGER, flows * _LONGER, at_once)
    few = Piped(bench, packets // 10, flows // 10, at_once // 10)
    ratio = long.peak / short.peak
    each = (short.peak - few.peak) / (short.most - few.most)
    flat_note = (
        f"peaks {long} and {short}; {at_once:,} flows under way in both, and in the table also "
        "those that have closed within 5 s or are silent for less than 30. Traffic as above."
    )
    each_note = (
        f"peak {short} less peak {few}, divided by the difference in flows; of that "
        f"{short.flow_bytes} are the flow with what the table knows of it, the rest the table's "
        "buckets, which double when it is half full, and what a larger heap takes."
    )
    return [
        Figure(
            "observe_flat",
            f"observe, peak memory, {packets * _LONGER:,} packets to {packets:,}",
            "times",
            ratio,
            ("<=", _FLAT),
            ratio / _FLAT,
            flat_note,
            {"peaks": [short.peak, long.peak]},
        ),
        Figure(
            "observe_flow",
            "- memory of a flow in the table",
            "bytes",
            each,
            note=each_note,
            detail={"flow_bytes": short.flow_bytes},
        ),
    ]


def observe(bench):
    return _speed_figures(bench) + _memory_figures(bench)
