# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU an exchange against masscan, exchanges a second against ab: the runs and the figures."""

import ipaddress
import statistics

import tools
from report import Figure

_MASSCAN_RATES = (2000, 5000, 10000)
_SLOW = 2000  # up to here not all addresses are asked: it would take five minutes
_AB_SHARE = 0.8
# With nginx's 235 bytes of header it fits into 536 bytes, the segment size towards masscan, whose
# SYN has no MSS. A longer page costs masscan an acknowledgement for every such segment, which its
# rate counts too: with the lab's 8 KiB it takes several times as long.
_PAGE = "rawspider benchmark " * 10


class Speed:
    """The runs that both figures share: rawspider with two window sizes and ab, in turns."""

    def __init__(self, bench):
        self.runs = {"default": [], "-w 200": [], "ab": []}
        for _ in range(bench.sizes.rounds):
            self.runs["default"].append(_measure(bench, "rawspider -r 0", "-r", 0))
            self.runs["-w 200"].append(_measure(bench, "rawspider -r 0 -w 200", "-r", 0, "-w", 200))
            bench.say(f"ab -c 200, {bench.sizes.requests:,} requests")
            bench.renew(_PAGE)
            address = bench.addresses()[0]["dip"]
            ab = tools.apachebench(bench.lab, bench.folder, address, bench.sizes.requests)
            self.runs["ab"].append(
                {
                    "rate": ab.per_second,
                    "cpu_us": ab.cost.cpu / ab.requests * 1e6,
                    "busy_us": ab.cost.busy.both / ab.requests * 1e6,
                }
            )

    def median(self, who, what):
        return statistics.median(run[what] for run in self.runs[who])

    def all(self, who, what):
        return [round(run[what], 2) for run in self.runs[who]]


def _measure(bench, name, *options, count=None):
    """One run over all addresses or the first `count`, every verdict checked."""
    targets = bench.addresses()[:count]
    bench.renew(_PAGE)
    bench.say(f"{name}, {len(targets):,} addresses, both arms")
    run = tools.rawspider(bench.lab, bench.folder, bench.lines(targets), *options)
    seconds = tools.check_records(run.output, len(targets), bench.base)
    # A repeated attempt costs, but does not count twice.
    exchanges = min(run.meta["exchanges"], 2 * len(targets))
    return {
        "rate": exchanges / seconds,
        "wall": run.cost.wall,
        "cpu_us": run.cost.cpu / exchanges * 1e6,
        "user_us": run.cost.user / exchanges * 1e6,
        "busy_us": run.cost.busy.both / exchanges * 1e6,
        "prober_core_us": run.cost.busy.prober / exchanges * 1e6,
        "exchanges": exchanges,
        "syn_retransmissions": run.meta["syn_retransmissions"],
        "pcap_drop": run.meta["pcap_drop"],
    }


def _scans(bench):
    found = []
    for rate in _MASSCAN_RATES:
        count = bench.sizes.few_targets if rate <= _SLOW else bench.sizes.targets
        network = ipaddress.ip_network(f"198.18.0.0/{32 - (count - 1).bit_length()}")
        bench.renew(_PAGE)
        bench.say(f"masscan --banners --rate {rate}, {count:,} addresses")
        scan = tools.masscan(bench.lab, bench.folder, network, rate)
        found.append(
            {
                "rate": rate,
                "addresses": count,
                "wall": scan.cost.wall,
                "completed": scan.completed,
                "share": round(scan.share, 4),
                "cpu_us": scan.cost.cpu / scan.completed * 1e6,
                "busy_us": scan.cost.busy.both / scan.completed * 1e6,
            }
        )
    return found


def cpu(bench):
    """CPU for a completed HTTP exchange."""
    speed, scans = bench.speed(), _scans(bench)
    best = min(scans, key=lambda scan: scan["cpu_us"])
    least_busy = min(scans, key=lambda scan: scan["busy_us"])
    pace, few = best["rate"], bench.sizes.few_targets
    paced = _measure(bench, f"rawspider -r {pace}", "-r", pace, count=few)
    mine, mine_busy = speed.median("default", "cpu_us"), speed.median("default", "busy_us")
    told = "; ".join(
        f"--rate {s['rate']} {s['cpu_us']:.1f} us, {s['share']:.1%} of {s['addresses']:,} "
        f"addresses completed in {s['wall']:.0f} s"
        for s in scans
    )
    note = (
        f"masscan --banners {told}. Its rate counts every packet it sends. rawspider completed and "
        f"judged right all of its {speed.runs['default'][0]['exchanges']:,} exchanges, median of "
        f"{speed.all('default', 'cpu_us')} us; at masscan's best rate (-r {pace}, "
        f"packets too, {few:,} addresses) {paced['cpu_us']:.1f} us; ab "
        f"{speed.median('ab', 'cpu_us'):.1f} us."
    )
    return [
        Figure(
            "cpu_per_exchange",
            "CPU of the process for an HTTP exchange",
            "us",
            mine,
            ("<=", best["cpu_us"]),
            mine / best["cpu_us"],
            note,
            {"masscan": scans, "runs": speed.runs["default"], "paced": paced},
        ),
        Figure(
            "busy_per_exchange",
            "- busy time of both cores, against masscan",
            "us",
            mine_busy,
            ratio=mine_busy / least_busy["busy_us"],
            detail={"masscan": least_busy["busy_us"], "ab": speed.median("ab", "busy_us")},
        ),
    ]


def rate(bench):
    """Exchanges a second."""
    speed = bench.speed()
    ab = speed.median("ab", "rate")
    mine, narrow = speed.median("default", "rate"), speed.median("-w 200", "rate")
    note = (
        f"ab -c 200 does {ab:,.0f} a second (median of {speed.all('ab', 'rate')}) by its own "
        f"clock, without its start-up; rawspider's {speed.all('default', 'rate')} count from the "
        "start of the first target to the end of the last, by the times in its records, so without "
        "start-up and without the 2 s for which it may guard its ports after the last connection; "
        f"with both a run took {speed.median('default', 'wall'):.1f} s."
    )
    detail = {"ab": ab, "runs": speed.all("default", "rate"), "ab_runs": speed.all("ab", "rate")}
    narrow_runs = {"runs": speed.runs["-w 200"]}
    title = "exchanges a second, against ab -c 200"
    return [
        Figure("rate", title, "1/s", mine, (">=", _AB_SHARE * ab), mine / ab, note, detail),
        Figure("rate_w200", "- with -w 200", "1/s", narrow, ratio=narrow / ab, detail=narrow_runs),
    ]
