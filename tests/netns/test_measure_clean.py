# SPDX-License-Identifier: GPL-3.0-or-later
"""Many targets with nothing in the way: all right, no RST from anybody, and arms that differ in
nothing but the bits that they shall differ in (law 6)."""

import os
import statistics

import pytest

from lab import VP4, VP6
from measure import NONE, base, details, measure
from pcapfile import AE, CWR, ECE, RST, SYN, first_syns, tcp_segments

TARGETS = 1000
TIMESTAMPS = 8


@pytest.fixture(scope="module", params=[4, 6], ids=["ipv4", "ipv6"])
def run(request, lab, session_folder):
    file = os.path.join(session_folder, f"clean{request.param}.pcap")
    capture = lab.capture("rt", "rt0", file, "tcp", immediate=False)
    jobs = lab.targets("none", TARGETS, request.param)
    outcome = measure(lab, jobs, "-r", "0", "--output-flows")
    assert capture.stop()["dropped"] == 0
    return outcome.check(), jobs, list(tcp_segments(file))


def test_all_conditions_right(run):
    outcome, jobs, _ = run
    assert sorted(r["dip"] for r in outcome.records) == sorted(job["dip"] for job in jobs)
    wrong = [r for r in outcome.records if base(r) != NONE or details(r)]
    assert not wrong, f"{len(wrong)}, for example {wrong[0]['conditions']}"


def test_each_arm_fetched_the_whole_page(run):
    for record in run[0].records:
        for flow in record["flow_results"]:
            assert (flow["exchange_status"], flow["body_bytes"]) == (200, 8192)
            assert flow["tcp_fin_fwd"] and flow["tcp_fin_rev"] and not flow["tcp_rst_fwd"]


def test_no_rst_in_the_router(run):
    """Neither the kernel's nor ours nor the servers': every connection ended in order."""
    assert len(run[2]) > 12 * TARGETS
    assert not [s for s in run[2] if s.flags & RST]


def arms(segments):
    """Of each target the first SYN of arm A and of arm B."""
    pairs = {}
    for syn in first_syns(s for s in segments if s.src in (VP4, VP6)).values():
        arm = "b" if syn.flags & (ECE | CWR | AE) else "a"
        assert pairs.setdefault(syn.dst, {}).setdefault(arm, syn) is syn
    return pairs


def law_6(syn):
    """A SYN without what the arms may differ in. The checksums are not read in the first place."""
    options = tuple(
        (kind, data[4:] if kind == TIMESTAMPS else data) for kind, data in syn.options
    )
    flags = syn.flags & ~(ECE | CWR)
    drop = {"time": 0, "sport": 0, "seq": 0, "ip_id": 0}
    return syn._replace(options=options, flags=flags, **drop)


def test_arms_differ_in_the_twist_alone(run):
    pairs = arms(run[2])
    assert len(pairs) == TARGETS
    for pair in pairs.values():
        a, b = pair["a"], pair["b"]
        assert (a.flags, b.flags) == (SYN, SYN | ECE | CWR)
        assert law_6(a) == law_6(b)
        assert a.sport != b.sport and a.seq != b.seq
        assert a.ecn == 0 and a.ttl == 64 and a.reserved == 0
        assert [kind for kind, _ in a.options] == [2, 4, 8, 1, 3]  # Linux's order


def test_arms_leave_together_in_either_order(run, note):
    pairs = arms(run[2]).values()
    gaps = [abs(pair["b"].time - pair["a"].time) * 1e6 for pair in pairs]
    first = sum(pair["a"].time < pair["b"].time for pair in pairs)
    family = next(iter(pairs))["a"].family
    note(
        f"IPv{family}: from the first packet of A to that of B median {statistics.median(gaps):.0f}"
        f" us, most {max(gaps):.0f} us (this build); A first in {first} of {len(pairs)}"
    )
    assert 0.4 < first / len(pairs) < 0.6  # 6 standard deviations


def test_ports_and_sequence_numbers_do_not_repeat(run):
    syns = [syn for pair in arms(run[2]).values() for syn in pair.values()]
    assert len({s.seq for s in syns}) > 0.99 * len(syns)
    assert all(61000 <= s.sport <= 65535 for s in syns)
