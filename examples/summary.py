#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums up rawspider's records: how many targets have each condition, in IPv4 and IPv6, and which
targets are odd. Reads record files, or standard input.

    rawspider measure ecn < targets.ndjson > records.ndjson
    summary.py records.ndjson
    summary.py --by vantage berlin.ndjson tokyo.ndjson     verdicts by a member of the records
"""

import argparse
import collections
import json
import sys
import textwrap

# What an ordinary path and an ordinary server give; whatever else a target shows is odd.
ORDINARY = {
    "ecn.connectivity.works",
    "ecn.connectivity.offline",
    "ecn.connectivity.retries",
    "ecn.negotiation.succeeded",
    "ecn.negotiation.failed",
    "ecn.ipmark.ect0.seen",
    "ecn.ipmark.ect0.not_seen",
    "ecn.ipmark.ect1.not_seen",
    "ecn.ipmark.ce.not_seen",
    "ecn.data.none",
}
BASE = {
    *(f"ecn.connectivity.{word}" for word in ("works", "broken", "offline", "transient")),
    *(f"ecn.negotiation.{word}" for word in ("succeeded", "reflected", "failed")),
    *(f"ecn.ipmark.{mark}.{word}" for mark in ("ect0", "ect1", "ce") for word in ("seen", "not_seen")),
}


class Bad(Exception):
    """The input is not what it should be; the text is for people."""


def read(names):
    """The records of all files, one dictionary each."""
    for name in names or ["-"]:
        try:
            file = sys.stdin if name == "-" else open(name, encoding="utf-8", errors="replace")
        except OSError as error:
            raise Bad(f"{name}: {error.strerror}") from None
        with file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                    record["conditions"] = [str(text) for text in record["conditions"]]
                except (ValueError, KeyError, TypeError):
                    raise Bad(f"{name}, line {number}: not a record of rawspider") from None
                yield record


def family(record):
    return "IPv6" if ":" in str(record.get("dip")) else "IPv4"


def verdict(conditions):
    """Short: base conditions by their last word, the marks that were seen, then the details."""
    words, marks, details = [], None, []
    for text in conditions:
        parts = text.split(".")
        if text not in BASE:
            details.append("[" + text.removeprefix("ecn.").removeprefix("connectivity.") + "]")
        elif parts[1] == "ipmark":
            marks = (marks or []) + ([parts[2]] if parts[3] == "seen" else [])
        else:
            words.append(parts[2])
    if marks is not None:
        words.append("marks: " + ("+".join(marks) or "none"))
    return ", ".join(words) + " " * bool(words and details) + " ".join(details)


class Counts:
    """One line a condition; a different value behind the colon makes a line of its own."""

    def __init__(self):
        self.targets = collections.Counter()
        self.of = collections.defaultdict(collections.Counter)

    def add(self, record):
        self.targets[family(record)] += 1
        for text in set(record["conditions"]):
            self.of[text][family(record)] += 1

    def show(self):
        both = self.targets.total()
        width = max(len(text) for text in [*self.of, "targets"])
        four, six = self.targets["IPv4"], self.targets["IPv6"]
        print(f"{'':{width}}      both           IPv4     IPv6")
        print(f"{'targets':{width}}  {both:>8}       {four:>8} {six:>8}")
        for text in sorted(self.of, key=lambda text: (text not in BASE, text)):
            n = self.of[text]
            share = 100 * n.total() / both
            print(f"{text:{width}}  {n.total():>8} {share:5.1f}% {n['IPv4']:>7} {n['IPv6']:>8}")


class Odd:
    def __init__(self, most):
        self.most, self.n, self.lines = most, 0, []

    def add(self, record):
        why = [text for text in record["conditions"] if text.split(":")[0] not in ORDINARY]
        self.n += bool(why)
        if not why or self.n > self.most:
            return
        name = str(record.get("domain") or "")
        problem = f" ({record['problem']})" if "problem" in record else ""
        dip = str(record.get("dip", f"line {record.get('line', '?')}"))
        self.lines.append(f"  {dip:24} {name:28} {' '.join(why)}{problem}")

    def show(self):
        print(f"\nodd targets: {self.n}")
        for line in self.lines:
            print(line)
        if self.n > self.most:
            print(f"  and {self.n - self.most} more (--odd N shows N)")


class Groups:
    """Verdicts, counted for each value of a member of the records. right: whether a record is as
    expected, or None where nothing is expected."""

    def __init__(self, key, right=None):
        self.key, self.right = key, right
        self.of = collections.defaultdict(lambda: collections.defaultdict(collections.Counter))
        self.n, self.wrong = 0, 0

    def add(self, record):
        group = str(record.get(self.key))
        ok = self.right is None or self.right(group, set(record["conditions"]))
        self.of[group][verdict(record["conditions"]), ok][family(record)] += 1
        self.n += 1
        self.wrong += not ok

    def show(self, group):
        for (text, ok), n in sorted(self.of[group].items(), key=lambda row: -row[1].total()):
            tail = "" if self.right is None else "  as expected" if ok else "  NOT EXPECTED"
            print(f"    {text:62} IPv4 {n['IPv4']:>4}  IPv6 {n['IPv6']:>4}{tail}")


def sum_up_lab(records, boxes):
    """A run in the lab of tests/netns, against what `lab.py boxes` says of each box: exactly its
    base conditions, at least its details. True if all is as expected."""
    plan = {box["box"]: (set(box["base"]), set(box["details"])) for box in boxes}

    def right(box, said):
        base, details = plan.get(box, (None, set()))
        return said & BASE == base and details <= said

    groups = Groups("box", right)
    for record in records:
        groups.add(record)
    absent = [name for name in plan if name not in groups.of]
    for box in boxes:
        print(textwrap.fill(f"{box['box']}: {box['about']}", 100, subsequent_indent="  "))
        groups.show(box["box"])
    print(f"\n{groups.n - groups.wrong} of {groups.n} targets as expected", end="")
    print(f"; not measured: {', '.join(absent)}" if absent else f", {len(plan)} boxes")
    return groups.wrong == 0 and not absent


def sum_up(records, key, most):
    counts, odd, groups = Counts(), Odd(most), Groups(key)
    for record in records:
        for part in (counts, odd, groups) if key else (counts, odd):
            part.add(record)
    if not counts.targets:
        print("no records")
        return
    counts.show()
    for group in sorted(groups.of):
        print(f"\n{key} {group}")
        groups.show(group)
    odd.show()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("records", nargs="*", metavar="FILE", help="records (standard input)")
    parser.add_argument("--by", metavar="KEY", help="verdicts for each value of this member")
    parser.add_argument("--odd", type=int, default=20, metavar="N", help="odd targets to list (20)")
    parser.add_argument("--lab", metavar="FILE", help="check against what `lab.py boxes` prints")
    args = parser.parse_args()
    try:
        if args.lab:
            with open(args.lab, encoding="utf-8") as file:
                return 0 if sum_up_lab(read(args.records), json.load(file)) else 1
        sum_up(read(args.records), args.by, args.odd)
    except BrokenPipeError:
        sys.stderr.close()  # nothing more to say to anybody
        return 1
    except (Bad, OSError, ValueError, KeyError) as error:
        print(f"summary.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
