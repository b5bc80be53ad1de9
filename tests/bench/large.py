# SPDX-License-Identifier: GPL-3.0-or-later
"""What an exchange costs at full speed, against the bare loop and masscan, and how many targets a
second one core does: over the direct veth (direct.py)."""

import ipaddress
import json
import os
import statistics
import subprocess

import direct
import machine
import tools
from proc import Unmeasured
from report import Figure

_FLOOR_TIMES = 2.0
_MASSCAN_SHARE = 1 / 3
_FLOWS_TIMES = 2.0
_TARGETS_A_SECOND = 30000
_COMPLETED = 0.9999
# Three at which it is used and measured elsewhere, too; the best of them is judged by. Faster it takes
# less for each that it completes, and then loses many: that is told beside.
_MASSCAN_RATES = (5000, 10000, 20000)
_MASSCAN_FASTER = (50000, 100000)
_THREADS_TIMES = 1.8
_ENGINE = os.path.abspath("build/tests/bench/engine")


def _us(seconds, exchanges):
    return seconds / exchanges * 1e6


def _costs(cost, exchanges):
    return {
        "exchanges": exchanges,
        "cpu_us": _us(cost.cpu, exchanges),
        "user_us": _us(cost.user, exchanges),
        "core_us": _us(cost.busy.prober, exchanges),
        "wall": cost.wall,
    }


def measure(bench, name, count, families, *options):
    """One run of rawspider over plain servers, every verdict checked; a rig of its own."""
    bench.say(f"{name}, {count:,} targets, direct veth")
    lines = direct.write_plain(bench.path("direct.ndjson"), count, families)
    with direct.Direct() as rig:
        run = tools.rawspider(rig, bench.folder, lines, "-r", 0, *options)
        server = rig.stop()
    _, base = direct.truth()
    seconds = tools.check_records(run.output, count, base)
    # A repeated attempt costs, but does not count twice.
    found = _costs(run.cost, min(run.meta["exchanges"], 2 * count))
    keys = ("connections", "confirmations", "syn_retransmissions", "answered_late", "pcap_drop")
    found |= {key: run.meta[key] for key in keys}
    found["targets_a_second"] = count / seconds
    found["completed"] = run.meta["exchanges"] / run.meta["connections"]
    found["server_dropped"] = server["kernel_drops"]
    return found


def _floor(bench, count):
    bench.say(f"the bare loop, {count:,} exchanges")
    first = direct.plain4(0)
    with direct.Direct() as rig:
        run = tools.floor(rig, bench.folder, first, count, direct.FOREIGN4)
    return _costs(run.cost, run.completed)


def _scan(bench, rate):
    network = ipaddress.ip_network(f"{direct.PLAIN4}/{bench.sizes.scan_prefix}")
    bench.say(f"masscan --banners --rate {rate}, {network.num_addresses:,} addresses, direct veth")
    with direct.Direct() as rig, direct.Pulse(rig):
        scan = tools.masscan(rig, bench.folder, network, rate, router_mac=rig.mac())
    return {"rate": rate, "share": scan.share, **_costs(scan.cost, scan.completed)}


class Rounds:
    """The bare loop, rawspider, and rawspider with --output-flows, in turns; the median counts."""

    def __init__(self, bench):
        count = bench.sizes.direct_targets
        self.runs = {"floor": [], "plain": [], "flows": []}
        for _ in range(bench.sizes.rounds):
            self.runs["floor"].append(_floor(bench, 2 * count))
            self.runs["plain"].append(measure(bench, "rawspider -r 0", count, (4,)))
            name = "rawspider -r 0 --output-flows"
            self.runs["flows"].append(measure(bench, name, count, (4,), "--output-flows"))

    def median(self, who, what="cpu_us"):
        return statistics.median(run[what] for run in self.runs[who])

    def all(self, who, what="cpu_us"):
        return ", ".join(f"{run[what]:.2f}" for run in self.runs[who])


def cost(bench):
    """CPU of an exchange: against the bare loop, against masscan, with flow records."""
    rounds = Rounds(bench)
    return _against_floor(bench, rounds) + _against_masscan(bench, rounds) + _with_flows(rounds)


def _against_floor(bench, rounds):
    mine, floor = rounds.median("plain"), rounds.median("floor")
    core, floor_core = rounds.median("plain", "core_us"), rounds.median("floor", "core_us")
    note = (
        f"{2 * bench.sizes.direct_targets:,} exchanges over IPv4 in each run, rounds in turns: "
        f"rawspider {rounds.all('plain')} us, all verdicts right; the bare loop (floor.c) "
        f"{rounds.all('floor')} us, at {1e6 / floor:,.0f} exchanges a second of CPU. The busy time "
        "is that of the prober's whole core, whoever ran on it, from start to end of the program."
    )
    rows = [
        Figure(
            "direct_cpu",
            "direct: CPU for an HTTP exchange, to the bare loop's",
            "us",
            mine,
            ("<=", _FLOOR_TIMES * floor),
            mine / floor,
            note,
            {"floor": floor, "runs": rounds.runs},
        )
    ]
    title = "- busy time of the prober's core, to the bare loop's"
    ratio = core / floor_core
    return rows + [Figure("direct_core", title, "us", core, ratio=ratio)]


def _against_masscan(bench, rounds):
    scans = [_scan(bench, rate) for rate in _MASSCAN_RATES + _MASSCAN_FASTER]
    judged = scans[: len(_MASSCAN_RATES)]
    best, least = (min(scan[what] for scan in judged) for what in ("cpu_us", "core_us"))
    cheapest = min(scan["cpu_us"] for scan in scans)
    mine, core = rounds.median("plain"), rounds.median("plain", "core_us")
    told = "; ".join(
        f"--rate {s['rate']} {s['cpu_us']:.1f} us, {s['share']:.1%} completed in {s['wall']:.0f} s"
        for s in scans
    )
    note = (
        f"masscan --banners over {1 << 32 - bench.sizes.scan_prefix:,} of the same addresses: "
        f"{told}. Its rate counts every packet it sends. The best of the first three counts; the "
        "row below is to the cheapest of all."
    )
    limit = ("<=", _MASSCAN_SHARE * best)
    title = "direct: CPU for an HTTP exchange, to masscan's"
    detail = {"masscan": scans}
    return [
        Figure("direct_masscan", title, "us", mine, limit, mine / best, note, detail),
        Figure(
            "direct_masscan_core",
            "- busy time of the prober's core, to masscan's",
            "us",
            core,
            ratio=core / least,
        ),
        Figure(
            "direct_masscan_any",
            "- CPU, to masscan's at whatever rate is cheapest",
            "us",
            mine,
            ratio=mine / cheapest,
        ),
    ]


def _with_flows(rounds):
    mine, flows = rounds.median("plain"), rounds.median("flows")
    note = f"{rounds.all('flows')} us, in the same rounds; compared with the runs without."
    title = "direct: CPU for an HTTP exchange with --output-flows"
    limit = ("<=", _FLOWS_TIMES * mine)
    return [Figure("direct_flows", title, "us", flows, limit, flows / mine, note)]


def rate(bench):
    """Targets a second, and that nothing is lost at that speed."""
    count = bench.sizes.fast_targets
    runs = [
        measure(bench, "rawspider -r 0, both families", count, (4, 6))
        for _ in range(bench.sizes.rounds)
    ]
    fast = statistics.median(run["targets_a_second"] for run in runs)
    completed = min(run["completed"] for run in runs)
    told = "; ".join(
        f"{run['targets_a_second']:,.0f} a second, {run['exchanges']:,} exchanges of "
        f"{run['connections']:,} connections, {run['confirmations']} targets confirmed, "
        f"{run['syn_retransmissions']} SYNs sent again, {run['pcap_drop']} packets lost by the "
        "capture"
        for run in runs
    )
    note = (
        f"{count:,} targets, half of them IPv6; one core, and one for the responder. {told}. All "
        "verdicts right. From the start of the first target to the end of the last, by the times "
        "in the records."
    )
    limit = _TARGETS_A_SECOND
    title = "direct: targets a second, -r 0"
    rows = [
        Figure(
            "direct_rate", title, "1/s", fast, (">=", limit), fast / limit, note, {"runs": runs}
        )
    ]
    note = "of the connections that were opened, repeated ones too; the worst of the runs."
    share, least = completed * 100, _COMPLETED * 100
    title = "- exchanges completed"
    return rows + [
        Figure("direct_completed", title, "%", share, (">=", least), share / least, note)
    ]


def _in_memory(count, threads):
    """One run of the engine against servers in memory, on all cores, all verdicts right."""
    argv = [_ENGINE, str(count), "10000", str(threads)]
    cores = sorted({machine.PROBER_CORE, machine.SERVER_CORE})
    done = subprocess.run(
        ["taskset", "-c", ",".join(map(str, cores)), *argv],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        told = json.loads(done.stdout)
    except ValueError:
        raise Unmeasured(f"engine: {done.stderr.strip()}") from None
    if done.returncode or told["wrong"] or told["exchanges"] < 2 * count:
        raise Unmeasured(f"engine: {done.stdout.strip()}")
    return told


def engine(bench):
    """The engine without a network, against servers in memory, with one thread and with two."""
    count = bench.sizes.direct_targets * 4
    bench.say(f"the engine in memory, {count:,} targets, one thread and two")
    runs = [
        (_in_memory(count, 1), _in_memory(count, 2)) for _ in range(bench.sizes.rounds)
    ]
    cost = statistics.median(one["cpu_us_exchange"] for one, _ in runs)
    times = statistics.median(two["exchanges_s"] / one["exchanges_s"] for one, two in runs)
    told = ", ".join(f"{one['exchanges_s']:,} and {two['exchanges_s']:,}" for one, two in runs)
    note = (
        f"{count:,} targets, half of them IPv6, JSON in and out; no kernel, no capture. The servers' "
        f"share, which answer in the same threads, is in it. Exchanges a second with one thread "
        f"and with two: {told}. Two threads measure, a third reads and writes; two cores."
    )
    detail = {"runs": runs}
    return [
        Figure("engine", "the engine in memory, CPU for an exchange", "us", cost, note=note),
        Figure(
            "threads",
            "- exchanges a second, two threads to one",
            "times",
            times,
            (">=", _THREADS_TIMES),
            times / _THREADS_TIMES,
            detail=detail,
        ),
    ]
