#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records the fixtures of lab/: one measurement of each middlebox (tests/netns/lab_plan.py) in each
family, by `measure --pcap-out`, with its arm log. Needs root, as the lab does.

    record.py [--to DIR] [NAME...]     all, or those whose name has NAME in it

The program is build/rawspider, or what the environment's RAWSPIDER names. Each recording must say
what the lab's plan says of the box, and the expectation is what the run itself said: a replay must
say the same. Recordings differ a little every time: they are made anew when the format of captures
or logs changes, not by tests."""

import argparse
import concurrent.futures
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.normpath(os.path.join(HERE, "..", ".."))
os.environ.setdefault("RAWSPIDER", os.path.join(TOP, "build", "rawspider"))
sys.path.insert(0, os.path.join(HERE, "..", "netns"))

import lab_plan  # noqa: E402
import measure  # noqa: E402
from lab import Lab  # noqa: E402

AT_ONCE = 4  # labs; most of the time is waiting
SMALL = 8080  # the lab's servers answer there by one segment
FIREWALL = "the vantage point's own firewall resets what it does not know: no evidence"


def recordings():
    """(name, about, box, family, firewall)"""
    for family in (4, 6):
        for box in lab_plan.BOXES:
            yield f"{box.name}_ipv{family}", f"lab: {box.about}", box.name, family, None
        yield f"host_firewall_ipv{family}", f"lab: {FIREWALL}", "none", family, "rst"


def check(name, box, record, firewall):
    base, details = measure.base(record), measure.details(record)
    if firewall:
        assert base == set() and details == measure.INCOMPLETE, (name, record)
        return
    expected = lab_plan.expected(box)
    assert base == set(expected.base), (name, record)
    assert details >= set(expected.details), (name, record)


def write_expectation(path, about, record):
    keys = [key for key in ("dip", "dp", "box", "problem", "conditions") if key in record]
    lines = [
        {"about": about, "run": ["classify", "ecn"]},
        {key: record[key] for key in keys},
    ]
    with open(path, "w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


def record_one(folder, name, about, box, family, firewall):
    file = os.path.join(folder, f"{name}.pcap")
    with Lab(f"record-{os.getpid()}-{name}") as lab:
        if firewall:
            lab.vantage_firewall(firewall)
        jobs = [dict(job, dp=SMALL) for job in lab.targets(box, 1, family)]
        options = ["--pcap-out", file, "--seed", "1", "--confirm-delay", "0.5"]
        outcome = measure.measure(lab, jobs, *options).check()
    (record,) = outcome.records
    check(name, box, record, firewall)
    write_expectation(os.path.join(folder, f"{name}.expect"), about, record)
    return f"{name}: {' '.join(record['conditions'])}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", default=os.path.join(HERE, "lab"), metavar="DIR")
    parser.add_argument("name", nargs="*")
    args = parser.parse_args()
    os.makedirs(args.to, exist_ok=True)
    wanted = [r for r in recordings() if not args.name or any(n in r[0] for n in args.name)]
    with concurrent.futures.ProcessPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(record_one, args.to, *recording) for recording in wanted]
        for run in concurrent.futures.as_completed(runs):
            print(run.result(), flush=True)


if __name__ == "__main__":
    main()
