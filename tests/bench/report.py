# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmark says: how it measured, a table, one JSON line a figure."""

import json
import operator
import textwrap
from typing import NamedTuple

import machine

_HOLDS = {"<=": operator.le, "<": operator.lt, ">=": operator.ge}


class Figure(NamedTuple):
    """One row. required is (comparison, limit), or None for a row that is only told. ratio is to
    the peer where there is one, else to the limit. detail: more numbers, for the JSON line."""

    key: str
    title: str
    unit: str
    measured: float
    required: tuple = None
    ratio: float = None
    note: str = ""
    detail: dict = {}

    @property
    def met(self):
        if self.required is None:
            return None
        comparison, limit = self.required
        return _HOLDS[comparison](self.measured, limit)

    def cells(self):
        required = f"{self.required[0]} {number(self.required[1])}" if self.required else ""
        ratio = f"{self.ratio:.3f}" if self.ratio is not None else ""
        verdict = {None: "", True: "ok", False: "MISSED"}[self.met]
        title = f"{self.title}, {self.unit}" if self.unit else self.title
        return [title, required, number(self.measured), ratio, verdict]

    def record(self, about):
        return {
            "figure": self.key,
            "title": self.title,
            "unit": self.unit,
            "required": self.required and f"{self.required[0]} {self.required[1]:.6g}",
            "measured": float(f"{self.measured:.6g}"),
            "ratio": self.ratio and float(f"{self.ratio:.4g}"),
            "met": self.met,
            "note": self.note,
            **self.detail,
            "at": about,
        }


def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def table(figures):
    """Aligned, and Markdown at the same time."""
    rows = [["figure", "required", "measured", "ratio", ""]] + [f.cells() for f in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:4], widths[1:4])]
        lines.append("| " + " | ".join(cells + [row[4].ljust(widths[4])]) + " |")
    rule = ["-" * (widths[0] + 2)] + ["-" * (w + 1) + ":" for w in widths[1:4]]
    lines.insert(1, "|" + "|".join(rule + ["-" * (widths[4] + 2)]) + "|")
    return "\n".join(lines)


def method(about, sizes):
    """How it was measured: what a reader needs before the figures mean anything."""
    tools = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    head = [
        f"{about['date']}, commit {about['commit']}, {sizes.told}",
        f"{about['processor']}, {about['cores']} cores, {about['memory_mib']:,} MiB; "
        f"Linux {about['kernel']}",
        tools,
    ]
    texts = (_LAB if about["has_lab"] else ()) + (_DIRECT if about["has_direct"] else ())
    texts += (_COST,)
    return "\n\n".join(["\n".join(head)] + [_fill(text) for text in texts] + [_quiet(about)])


_LAB = (
    "The lab is that of tests/netns: vantage point, router and server are network namespaces "
    "joined by veth. One nginx worker answers for all of 198.18.0.0/16 and 2001:2::/64: against "
    "peers with a page of 200 bytes, which suits masscan best, else with the lab's 8 KiB. Each "
    f"run has a new lab. Probers run on core {machine.PROBER_CORE}, one at a time; nginx, tcpdump "
    f"and this script on core {machine.SERVER_CORE}.",
    "Without packet steering a packet is carried through the router and into the server's TCP by "
    "the core that sent it: over veth the far side's softirq work is billed to the sender, for "
    "rawspider and for its peers alike, or to ksoftirqd when there is much of it. Hence the busy "
    "time of both cores, from /proc/stat, as a second figure: everything that ran is in it.",
)
_DIRECT = (
    "Rows that begin with 'direct', and the profile, are of another rig: the prober's namespace "
    "and one more, joined by one veth without offloads, and nothing between them. At its far end a "
    "program (tests/vinternet) answers for every address, on packet sockets, with 300 bytes of "
    f"page and 105 of head in one segment. It runs on core {machine.SERVER_CORE}, the prober on "
    f"core {machine.PROBER_CORE}; each run has a new veth and a new program. Sending over the veth "
    "makes the sender's core also do the far side's reception (softirq), for all probers alike; "
    "what comes back is received at the responder's cost.",
)
_COST = (
    "CPU is user + system of the process from wait4, start-up included. Peak memory is VmHWM. The "
    "ratio is to the peer, or to the limit where there is none."
)


def _quiet(about):
    idle, text = about["busy_before"], ""
    if about["has_lab"] or about["has_direct"]:
        steered = about["steering"]
        text = f"Packet steering (RPS, XPS, threaded NAPI): {'ON: ' if steered else 'off'}"
        text += f"{', '.join(steered)}. "
    text += (
        f"Busy before the first run: core {machine.PROBER_CORE} {idle.prober:.1%}, core "
        f"{machine.SERVER_CORE} {idle.server:.1%}, stolen {idle.steal:.1%}."
    )
    return _fill(text if max(idle) < 0.05 else text + " WARNING: something else is running.")


def notes(figures):
    return "\n\n".join(_fill(f"{f.title}: {f.note}") for f in figures if f.note)


def _fill(text):
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def write_json(path, figures, about):
    about = {key: value for key, value in about.items() if key != "busy_before"}
    with open(path, "w", encoding="utf-8") as file:
        for figure in figures:
            file.write(json.dumps(figure.record(about)) + "\n")


def write_results(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write("# Results of `make bench`\n\nWritten by `tests/bench/run.sh --save`.\n\n")
        file.write(text + "\n")
