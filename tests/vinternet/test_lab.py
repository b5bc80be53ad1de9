# SPDX-License-Identifier: GPL-3.0-or-later
"""What nftables and two nginx can do, the virtual Internet does in the same way: rawspider says
the same of both, condition for condition, details included."""

import collections
import concurrent.futures
import json

import pytest

import lab_plan
import net
from lab import Lab

# The lab's router answers for itself, one hop nearer than the servers.
CLASS_OF_BOX = {
    "none": "linux",
    "ecn_off": "no_ecn",
    "syn_drop": "syn_drop",
    "syn_rst": "syn_rst_path",
    "syn_icmp": "syn_icmp",
    "silent": "silent",
    "rst_all": "closed",
    "icmp_all": "icmp_all",
    "plain_drop": "plain_drop",
    "flags_cleared": "flags_cleared",
    "reflected": "reflected",
    "bleach_rev": "bleach_rev",
    "all_ce_rev": "all_ce_rev",
    "ect1_rev": "ect1_rev",
    "bleach_fwd": "bleach_fwd",
    "ce_fwd": "ce_fwd",
    "ect_data_drop": "ect_data_drop",
}
LAB_PREFIX = 254  # the most addresses that a box of the lab has in IPv4


@pytest.fixture(scope="session")
def count(request):
    return request.config.getoption("--targets")


def _conditions(place, program, jobs, key):
    """{name: {set of conditions: how many targets}}"""
    argv = [program, "measure", "-i", "vp0", "-b", "none", "-q", "-r", "3000", "--timeout", "5"]
    argv += ["--confirm-delay", "0.5", "--seed", "1", "ecn"]
    process = place.popen("vp", argv, stdin=-1, stdout=-1, stderr=-1)
    out, err = process.communicate(b"".join(jobs), timeout=600)
    assert process.returncode == 0, err.decode()
    found = collections.defaultdict(collections.Counter)
    for record in map(json.loads, out.splitlines()):
        found[record[key]][" ".join(sorted(record["conditions"]))] += 1
    return found


def _lab_jobs(box, count):
    """Both families by turns; IPv6 where the lab's IPv4 prefix is too small."""
    jobs = lab_plan.targets(box, min((count + 1) // 2, LAB_PREFIX), 4)
    jobs += lab_plan.targets(box, count - len(jobs), 6)
    return [json.dumps(job).encode() + b"\n" for job in jobs]


@pytest.fixture(scope="session")
def both(programs, count):
    """What rawspider says of the kernel's lab, and of the virtual Internet. Both mostly wait."""
    lab_jobs = [job for box in CLASS_OF_BOX for job in _lab_jobs(box, count)]
    jobs = [net.targets(count, name) for name in CLASS_OF_BOX.values()]
    with Lab() as lab, net.Internet("--body", "8192") as internet:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            real = pool.submit(_conditions, lab, programs, lab_jobs, "box")
            virtual = pool.submit(_conditions, internet, programs, jobs, "class")
            real, virtual = real.result(), virtual.result()
    return real, virtual


def test_every_box_of_the_lab_has_its_class():
    assert set(CLASS_OF_BOX) == {box.name for box in lab_plan.BOXES}
    assert set(CLASS_OF_BOX.values()) <= set(net.classes())


@pytest.mark.parametrize("box", CLASS_OF_BOX)
def test_lab_and_virtual_internet_are_alike(both, count, box):
    real, virtual = both[0][box], both[1][CLASS_OF_BOX[box]]
    assert sum(real.values()) == sum(virtual.values()) == count
    assert real == virtual


@pytest.mark.parametrize("box", CLASS_OF_BOX)
def test_both_plans_expect_the_same(box):
    entry = net.classes()[CLASS_OF_BOX[box]]
    assert set(entry["base"]) == lab_plan.expected(box).base
    assert lab_plan.expected(box).details <= set(entry["details"])
