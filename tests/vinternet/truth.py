#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures targets of all classes of the virtual Internet, with loss each way, and compares what
rawspider says of each with what is true of its class. Ends with 1 if one verdict is wrong.

Of a record's base conditions (README, "Reading a record"), against the class's:
  right        the same
  wrong        it says one that is not true
  not said     it leaves one out that is true, and says none that is not
  incomplete   measure.incomplete: no statement, hence no wrong one
  excused      wrong, but the virtual Internet has itself lost all tries of something: three SYNs or
               SYN/ACKs of one connection, or three times its request; or, where the marks are
               wrong, the data of three connections. That is what these conditions then mean.
Not said and incomplete together may be 0.1 % of all, excused 0.01 % (or two). A line without a
record, or with two, is a failure, too. Every wrong target goes to a file, the first 50 to stdout.
"""

import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import net

BASE = {
    *(f"ecn.connectivity.{word}" for word in ("works", "broken", "offline", "transient")),
    *(f"ecn.negotiation.{word}" for word in ("succeeded", "reflected", "failed")),
    *(f"ecn.ipmark.{cp}.{s}" for cp in ("ect0", "ect1", "ce") for s in ("seen", "not_seen")),
}
SYN = 2
TRIES = 3
SHOWN = 50
# Counters of vinternet that must be 0: bad packets of rawspider's, or an Internet that was overrun
# and so did not behave as it should.
FOUL = {
    "bad_checksum": "with bad checksums",
    "malformed": "malformed",
    "table_full": "for which the virtual Internet had no room in its table",
    "delay_full": "that the virtual Internet could not hold back",
    "send_errors": "that the virtual Internet could not send",
    "kernel_drops": "that the virtual Internet did not see",
}
STATES = ("right", "wrong", "not said", "incomplete", "excused")


class Losses:
    """What vinternet's log says of some addresses."""

    def __init__(self, path, addresses):
        self.tries = collections.Counter()  # of one thing: by address, what, and whose
        if not addresses or not os.path.exists(path):
            return
        with open(path, encoding="ascii") as file:
            for line in file:
                dip, *rest = line.split()
                if dip in addresses:
                    self._count(dip, *rest)

    def _count(self, dip, _, port, way, flags, seq, ack, size):
        """A connection is told by the client's first sequence number: ports are used again."""
        if int(flags, 16) & SYN:
            isn = int(seq) if way == "in" else int(ack) - 1
            self.tries[dip, "handshake", port, isn & 0xFFFFFFFF] += 1
        elif int(size) and way == "in":
            self.tries[dip, "request", port, seq] += 1
        elif int(size):
            self.tries[dip, "data", None, None] += 1

    def excuse(self, dip, wrong):
        """Is each of these conditions what such losses give?"""
        only_marks = all(name.startswith("ecn.ipmark.") for name in wrong)
        return any(
            n >= TRIES and key[0] == dip and (key[1] != "data" or only_marks)
            for key, n in self.tries.items()
        )


class Verdict:
    """One record against its target."""

    def __init__(self, record, target, truth, details):
        conditions = record["conditions"]
        said = {c for c in conditions if c in BASE}
        self.dip, self.name = target
        self.got = sorted(said)
        self.expected = sorted(truth)
        self.false = sorted(said - truth)
        self.all = conditions
        self.missing_details = sorted(details - set(conditions))
        strange = [c for c in conditions if c.startswith("measure.") and "incomplete:" not in c]
        if strange or record["dip"] != self.dip:
            self.state = "wrong"
        elif any(c.startswith("measure.incomplete:") for c in conditions):
            self.state = "wrong" if said else "incomplete"
        elif self.false:
            self.state = "wrong"
        else:
            self.state = "right" if said == truth else "not said"

    def line(self):
        return {
            "dip": self.dip,
            "class": self.name,
            "state": self.state,
            "expected": self.expected,
            "got": self.got,
            "conditions": self.all,
        }


class Report:
    def __init__(self, targets, classes):
        self.targets, self.classes = targets, classes
        self.states = collections.defaultdict(collections.Counter)
        self.notable = []  # all that is not right
        self.details = collections.Counter()
        self.seen = bytearray(len(targets) + 1)
        self.unreadable = self.beyond = 0

    def read(self, records):
        with open(records, "rb") as file:
            for line in file:
                try:
                    record = json.loads(line)
                    number = record["line"]
                    record["conditions"], record["dip"]  # they must be there
                except (ValueError, KeyError, TypeError):
                    self.unreadable += 1
                    continue
                if not 1 <= number <= len(self.targets):
                    self.beyond += 1
                    continue
                self.seen[number] = min(self.seen[number] + 1, 255)
                self._judge(record, self.targets[number - 1])

    def _judge(self, record, target):
        truth = self.classes[target[1]]
        verdict = Verdict(record, target, truth["base"], truth["details"])
        self.states[verdict.name][verdict.state] += 1
        if verdict.state != "right":
            self.notable.append(verdict)
        elif verdict.missing_details:
            self.details[verdict.name, " ".join(verdict.missing_details)] += 1

    def excuse(self, loss_log):
        losses = Losses(loss_log, {v.dip for v in self.notable if v.state == "wrong"})
        for verdict in self.notable:
            if verdict.state == "wrong" and losses.excuse(verdict.dip, verdict.false):
                self.states[verdict.name]["wrong"] -= 1
                self.states[verdict.name]["excused"] += 1
                verdict.state = "excused"

    def total(self, state):
        return sum(counts[state] for counts in self.states.values())

    def lost(self):
        return self.seen[1:].count(0)

    def doubled(self):
        return sum(n > 1 for n in self.seen[1:])

    def failures(self, loss, details):
        """Why this is not good enough, as sentences."""
        n = max(len(self.targets), 1)
        silent = self.total("not said") + self.total("incomplete")
        found = [
            (self.total("wrong"), "wrong"),
            (self.lost(), "without a record"),
            (self.doubled(), "with more than one record"),
            (self.unreadable, "lines of output that are no record"),
            (self.beyond, "records of lines that are not in the input"),
            (silent if silent > n / 1000 else 0, "incomplete or not said, more than 0.1 %"),
        ]
        excused = self.total("excused")
        found += [(excused if excused > max(n / 10000, 2 if loss else 0) else 0, "excused")]
        if details:
            found += [(sum(self.details.values()), "right, but a detail is missing")]
        return [f"{count} {what}" for count, what in found if count]

    def show(self, out=sys.stdout):
        width = max(map(len, self.classes), default=5)
        print(f"{'class':{width}} " + " ".join(f"{state:>10}" for state in STATES), file=out)
        for name in self.classes:
            if self.states[name]:
                row = " ".join(f"{self.states[name][state]:10}" for state in STATES)
                print(f"{name:{width}} {row}", file=out)
        row = " ".join(f"{self.total(state):10}" for state in STATES)
        print(f"{'all':{width}} {row}", file=out)
        confusion = collections.Counter(
            (v.name, v.state, " ".join(v.got) or "nothing") for v in self.notable
        )
        for (name, state, got), count in confusion.most_common(30):
            print(f"{count:8} {name} ({state}): {got}", file=out)
        for (name, missing), count in self.details.most_common(30):
            print(f"{count:8} {name}: right, without {missing}", file=out)
        for verdict in [v for v in self.notable if v.state in ("wrong", "excused")][:SHOWN]:
            print(json.dumps(verdict.line()), file=out)


def _measure(args, folder, internet):
    records = os.path.join(folder, "records.ndjson")
    pin = ["taskset", "-c", "0"] if (os.cpu_count() or 1) > 1 else []
    argv = [*pin, args.program, "measure", "-i", "vp0", "-b", "none", "-q", "-r", str(args.rate)]
    argv += ["-w", str(args.window), "--timeout", str(args.timeout), "--seed", str(args.seed)]
    argv += ["--confirm", str(args.confirm), "--confirm-delay", str(args.confirm_delay)]
    argv += ["--input", os.path.join(folder, "targets.ndjson"), "--output", records]
    argv += [*args.option, "ecn"]
    began = time.monotonic()
    done = subprocess.run(internet.argv("vp", argv), stderr=subprocess.PIPE, text=True, check=False)
    seconds = time.monotonic() - began
    said = done.stderr.splitlines()[-5:]
    print(f"rawspider: exit code {done.returncode}, {seconds:.1f} s", *said)
    return records, done.returncode


def _targets(path):
    with open(path, "rb") as file:
        return [(t["dip"], t["class"]) for t in map(json.loads, file)]


def run(args, folder):
    """Measures and judges; returns the reasons to call it a failure."""
    with open(os.path.join(folder, "targets.ndjson"), "wb") as file:
        file.write(net.targets(args.count, args.only, args.family, args.seed))
    log = os.path.join(folder, "losses")
    options = ["--seed", args.seed, "--body", args.body, "--loss-log", log]
    options += ["--loss-in", args.loss, "--loss-out", args.loss]
    with net.Internet(*options, cpu=1 if (os.cpu_count() or 1) > 1 else None) as internet:
        records, code = _measure(args, folder, internet)
        counters = internet.stop()
    print("vinternet:", json.dumps(counters))
    classes = {
        name: {**entry, "base": set(entry["base"]), "details": set(entry["details"])}
        for name, entry in net.classes().items()
    }
    report = Report(_targets(os.path.join(folder, "targets.ndjson")), classes)
    report.read(records)
    report.excuse(log)
    report.show()
    with open(args.wrong, "w", encoding="utf-8") as file:
        for verdict in report.notable:
            file.write(json.dumps(verdict.line()) + "\n")
    print(f"all that is not right: {args.wrong} ({len(report.notable)} targets)")
    reasons = report.failures(args.loss, args.details)
    reasons += [f"rawspider ended with {code}"] if code else []
    reasons += [f"{counters[name]} packets {what}" for name, what in FOUL.items() if counters[name]]
    return reasons


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--count", type=int, default=1000000, help="targets, over all classes (1000000)")
    add("--loss", type=float, default=1, help="percent, each way (1)")
    add("--rate", type=int, default=0, help="-r of rawspider (0)")
    add("--window", type=int, default=50000, help="-w of rawspider (50000)")
    add("--timeout", type=float, default=10, help="--timeout of rawspider (10)")
    add("--confirm", type=int, default=2, help="--confirm of rawspider (2)")
    add("--confirm-delay", type=float, default=3, help="--confirm-delay of rawspider (3)")
    add("--body", type=int, default=300, help="bytes of an answer's body (300)")
    add("--class", dest="only", metavar="NAME", help="of this class only")
    add("--family", choices=("4", "6", "both"), default="both")
    add("--seed", type=int, default=1, help="of targets, losses and rawspider (1)")
    add("--details", action="store_true", help="detail conditions of the classes must be said, too")
    add("--program", default=os.path.join(net.TOP, "build", "rawspider"))
    add("--option", action="append", default=[], help="one more option of rawspider")
    add("--wrong", default=os.path.join(net.TOP, "build", "truth-wrong.ndjson"), metavar="FILE")
    add("--keep", metavar="DIR", help="leave targets, records and losses there")
    return parser


def main():
    args = _parser().parse_args()
    folder = args.keep or tempfile.mkdtemp(prefix="rawspider-truth-")
    os.makedirs(folder, exist_ok=True)
    try:
        reasons = run(args, folder)
    except (net.LabError, OSError, subprocess.CalledProcessError) as error:
        print(f"truth: {error}", file=sys.stderr)
        return 2
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print("truth: " + ("; ".join(reasons) if reasons else f"all of {args.count} good enough"))
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
