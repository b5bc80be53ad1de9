#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums up rawspider's records: how many targets have each condition, in IPv4 and IPv6, and which
targets are odd. Reads record files, or standard input.

    rawspider measure ecn < targets.ndjson > records.ndjson
    summary.py records.ndjson
    summary.py --by vantage berlin.ndjson tokyo.ndjson     by a member of the records
"""

import argparse
import collections
import json
import sys

# What an ordinary path and an ordinary server give; whatever else a target shows is odd.
ORDINARY = {
    "ecn.connectivity.works",
    "ecn.negotiation.succeeded",
    "ecn.negotiation.failed",
    "ecn.ipmark.ect0.seen",
    "ecn.ipmark.ect0.not_seen",
    "ecn.ipmark.ect1.not_seen",
    "ecn.ipmark.ce.not_seen",
    "ecn.connectivity.offline",
    "ecn.connectivity.retries",
    "ecn.data.none",
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
    words, seen, details, marks = [], [], [], False
    for text in conditions:
        parts = text.split(".")
        if text.startswith(("ecn.connectivity.", "ecn.negotiation.")) and len(parts) == 3:
            (details if ":" in text or text in DETAILS else words).append(text)
        elif text.startswith("ecn.ipmark.") and parts[-1] in ("seen", "not_seen"):
            marks = True
            if parts[-1] == "seen":
                seen.append(parts[2])
        else:
            details.append(text)
    out = [text.split(".")[2] for text in words]
    if marks:
        out.append("marks " + "+".join(seen) if seen else "no marks")
    out += ["[" + text.removeprefix("ecn.").removeprefix("connectivity.") + "]" for text in details]
    return " ".join(out) or "(no condition)"


DETAILS = {
    "ecn.connectivity.inverse",
    "ecn.negotiation.cwr_only",
    "ecn.negotiation.inconsistent",
}


def is_base(text):
    parts = text.split(".")
    if ":" in text or text in DETAILS or parts[0] != "ecn":
        return False
    if parts[1] in ("connectivity", "negotiation"):
        return len(parts) == 3
    return parts[1] == "ipmark" and parts[-1] in ("seen", "not_seen")


def print_counts(records):
    """One line a condition; what stands after a colon makes lines of its own."""
    counts = collections.defaultdict(collections.Counter)
    totals = collections.Counter(family(record) for record in records)
    for record in records:
        for text in set(record["conditions"]):
            counts[text][family(record)] += 1
    both = sum(totals.values())
    width = max([len(text) for text in counts] + [len("targets")])
    print(f"{'targets':{width}}  {both:>8}         {'IPv4':>8} {'IPv6':>8}")
    for text in sorted(counts, key=lambda text: (not is_base(text), text)):
        n = counts[text]
        share = 100 * sum(n.values()) / both
        print(f"{text:{width}}  {sum(n.values()):>8} {share:6.1f}% {n['IPv4']:>8} {n['IPv6']:>8}")


def print_odd(records, most):
    odd = []
    for record in records:
        why = [text for text in record["conditions"] if text.split(":")[0] not in ORDINARY]
        if why:
            odd.append((record, why))
    print(f"\nodd targets: {len(odd)} of {len(records)}")
    for record, why in odd[:most]:
        name = record.get("domain") or ""
        problem = f" ({record['problem']})" if "problem" in record else ""
        dip = str(record.get("dip", f"line {record.get('line', '?')}"))
        print(f"  {dip:24} {name:28} {' '.join(why)}{problem}")
    if len(odd) > most:
        print(f"  and {len(odd) - most} more (--odd N shows N)")


def groups(records, key):
    found = collections.defaultdict(list)
    for record in records:
        found[str(record.get(key))].append(record)
    return found


def print_group(records, right):
    """One line for each verdict in a group; right: None, or whether a record is as expected.
    The number of records that are not."""
    rows = collections.defaultdict(list)
    for record in records:
        rows[(verdict(record["conditions"]), right is None or right(record))].append(record)
    for (text, ok), members in sorted(rows.items(), key=lambda row: -len(row[1])):
        n = collections.Counter(family(record) for record in members)
        tail = "" if right is None else "  as expected" if ok else "  NOT EXPECTED"
        print(f"    {text:62} IPv4 {n['IPv4']:>4}  IPv6 {n['IPv6']:>4}{tail}")
    return sum(len(members) for (_, ok), members in rows.items() if not ok)


def as_expected(box):
    """Exactly these base conditions, at least these details."""
    base, details = set(box["base"]), set(box["details"])

    def right(record):
        said = set(record["conditions"])
        return {text for text in said if is_base(text)} == base and details <= said

    return right


def print_boxes(records, plan):
    """A run in the lab of tests/netns, against `lab.py boxes`. True if all is as expected."""
    found, wrong, absent = groups(records, "box"), 0, 0
    for box in plan:
        print(f"{box['box']}: {box['about']}")
        members = found.pop(box["box"], [])
        absent += not members
        wrong += print_group(members, as_expected(box))
    n = len(records)
    print(f"\n{n - wrong} of {n} targets as expected, {len(plan) - absent} of {len(plan)} boxes measured")
    return n > 0 and wrong == 0 and absent == 0 and not found


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
        records = list(read(args.records))
        if args.lab:
            with open(args.lab, encoding="utf-8") as file:
                return 0 if print_boxes(records, json.load(file)) else 1
    except (Bad, OSError, ValueError) as error:
        print(f"summary.py: {error}", file=sys.stderr)
        return 1
    if not records:
        print("no records")
        return 0
    print_counts(records)
    if args.by:
        for value, members in sorted(groups(records, args.by).items()):
            print(f"\n{args.by} {value}: {len(members)} targets")
            print_group(members, None)
    print_odd(records, args.odd)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        sys.exit(1)
