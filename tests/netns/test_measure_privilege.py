# SPDX-License-Identifier: GPL-3.0-or-later
"""CAP_NET_RAW and nothing else, under a read-only /proc/sys; and nothing of the host is changed
(law 1), neither by a run that ends nor by one that is killed."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

import measure as m
from measure import NONE, base, command, measure, start

NOBODY = ["--reuid", "65534", "--regid", "65534", "--clear-groups"]
ONLY_RAW = ["--bounding-set", "-all,+net_raw"]
# A sanitizer cannot look for leaks in a process that is traced or may not be looked at.
NO_LEAKS = {"ASAN_OPTIONS": "detect_leaks=0"}
READ_ONLY = "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && "
IN_READ_ONLY = ["unshare", "-m", "sh", "-c", READ_ONLY + 'exec "$@"', "sh"]


@pytest.fixture
def copy(folder):
    """The program where an ordinary user can run it."""
    return shutil.copy(m.PROGRAM, os.path.join(folder, "rawspider"))


HOW = {
    "root": ["--inh-caps", "-all,+net_raw", *ONLY_RAW],
    "ambient": [*NOBODY, "--inh-caps", "-all,+net_raw", "--ambient-caps", "-all,+net_raw",
                *ONLY_RAW],
    "file": [*NOBODY, "--inh-caps", "-all", *ONLY_RAW],
}  # fmt: skip


@pytest.mark.parametrize("how", HOW)
def test_net_raw_is_enough(lab, copy, how):
    if how == "file":
        subprocess.run(["setcap", "cap_net_raw+ep", copy], check=True)
    before = [*IN_READ_ONLY, "setpriv", *HOW[how]]
    jobs = lab.targets("none", 10) + lab.targets("bleach_rev", 10)
    outcome = measure(lab, jobs, before=before, program=copy, env=NO_LEAKS).check()
    assert len(outcome.records) == 40
    for record in outcome.records:
        assert base(record) == set(lab.expected(record["box"]).base)


def test_the_cage_is_tight(lab):
    """Control of the test above: in it, nothing under /proc/sys can be written, nor the network be
    configured, even by root."""
    cage = [*IN_READ_ONLY, "setpriv", *HOW["root"]]
    words = ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/tcp_ecn; nft list ruleset; "
             "ip link set lo mtu 1500; grep CapEff /proc/self/status"]  # fmt: skip
    done = lab.exec("vp", [*cage, *words], capture_output=True, text=True)
    assert "Read-only file system" in done.stderr
    assert done.stderr.count("Operation not permitted") + done.stderr.count("not permitted") >= 2
    assert int(done.stdout.split()[-1], 16) == 1 << 13


@pytest.mark.parametrize("caps", [["--bounding-set", "-all"], NOBODY], ids=["root", "nobody"])
def test_without_it_a_clear_message(lab, copy, caps):
    outcome = measure(lab, lab.targets("none", 1), before=["setpriv", *caps], program=copy)
    outcome.check(1)
    assert outcome.lines == []
    for word in ("CAP_NET_RAW", "setcap", "--cap-add"):
        assert word in outcome.err


def test_dryrun_needs_no_privilege(lab, copy):
    before = ["setpriv", *NOBODY]
    outcome = measure(lab, lab.targets("none", 2), "--dryrun", before=before, program=copy)
    outcome.check()
    assert len(outcome.lines) == 8 and b"[EW]" in outcome.out


CALLS = "open,openat,openat2,creat,execve,execveat,truncate,rename,renameat,renameat2,unlink,mount"


def test_no_write_to_the_system_and_no_helper(lab, folder):
    log = os.path.join(folder, "strace")
    before = ["strace", "-f", "-o", log, "-e", f"trace={CALLS}", "-e", "signal=none"]
    measure(lab, lab.targets("none", 5), before=before, env=NO_LEAKS).check()
    with open(log, encoding="utf-8") as file:
        calls = file.read().splitlines()
    assert len([c for c in calls if "execve" in c]) == 1  # rawspider's own
    assert any("/proc/sys/kernel/random/boot_id" in c and "O_RDONLY" in c for c in calls)
    writes = [c for c in calls if re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", c)]
    writes += [c for c in calls if re.search(r"\b(creat|truncate|rename\w*|unlink|mount)\(", c)]
    assert not [c for c in writes if "/dev/null" not in c], writes


def test_strace_would_have_seen_a_write(lab, folder):
    """Control of the test above."""
    log = os.path.join(folder, "strace")
    words = ["strace", "-f", "-o", log, "-e", f"trace={CALLS}", "sh", "-c"]
    lab.exec("vp", [*words, "echo 0 > /proc/sys/net/ipv4/tcp_syncookies; true"])
    with open(log, encoding="utf-8") as file:
        assert re.search(r'"/proc/sys/net/ipv4/tcp_syncookies", O_WRONLY', file.read())


STATE = [
    "sysctl -a --pattern ^net\\.",
    "nft list ruleset",
    "ip -d addr",  # with promiscuity
    "ip rule",
    "ip route show table all",
    "ip -6 route show table all",
    "ip link property show",
    "ip maddr",
    "ss -Htuln",
]
# What the kernel counts or measures by itself.
_LIVELY = re.compile(r"nf_conntrack_count|expires \w+|valid_lft \w+|preferred_lft \w+")


def host_state(lab):
    def look(words):
        done = lab.exec("vp", words.split(), capture_output=True, text=True)
        return _LIVELY.sub("", done.stdout)

    return {words: look(words) for words in STATE}


def features(lab):
    """Offload settings; ethtool may not be installed, so as the link's flags tell."""
    return lab.exec("vp", ["ip", "-j", "-d", "link"], capture_output=True, text=True).stdout


def test_nothing_on_the_host_changes(lab):
    measure(lab, lab.targets("none", 5)).check()  # neighbours are known from here on
    before = host_state(lab), features(lab)
    assert len(before[0][STATE[0]]) > 10000 and "vp0" in before[0]["ip -d addr"]
    jobs = lab.targets("silent", 5) + lab.targets("none", 50)
    run = start(lab, jobs, "--timeout", "3")
    during = None
    while during is None or not during["ss -Htuln"]:
        during = host_state(lab)
    assert ":61000 " in during.pop("ss -Htuln")  # the guard: sockets, nothing else
    assert during == {key: before[0][key] for key in during}
    run.finish().check()
    assert (host_state(lab), features(lab)) == before


def test_killed_it_leaves_nothing(lab, folder):
    before = host_state(lab), features(lab)
    file = os.path.join(folder, "records")
    run = start(lab, lab.targets("silent", 50), "--output", file)
    while ":61000 " not in host_state(lab)["ss -Htuln"]:
        time.sleep(0.05)
    run.signal(signal.SIGKILL)
    assert run.finish().code == -signal.SIGKILL
    assert (host_state(lab), features(lab)) == before
    assert os.listdir(folder) == ["records"]
    # And the next run finds all ports free.
    outcome = measure(lab, lab.targets("none", 2), "-v").check()
    assert "taken" not in outcome.err and all(base(r) == NONE for r in outcome.records)


def test_the_state_would_show_a_change(lab):
    before = host_state(lab)
    lab.exec("vp", ["ip", "link", "set", "vp0", "promisc", "on"])
    lab.exec("vp", ["nft", "add", "table", "inet", "rawspider_test"])
    lab.sysctl("vp", {"net/ipv4/tcp_ecn_fallback": 0})
    after = host_state(lab)
    assert {key for key in after if after[key] != before[key]} >= {
        STATE[0], "nft list ruleset", "ip -d addr",
    }  # fmt: skip
    lab.exec("vp", ["ip", "link", "set", "vp0", "promisc", "off"])
    lab.exec("vp", ["nft", "delete", "table", "inet", "rawspider_test"])
    lab.sysctl("vp", {"net/ipv4/tcp_ecn_fallback": 1})
    assert host_state(lab) == before


def test_help_and_listings_need_nothing(lab, copy):
    for words in (["--help"], ["measure", "--help"], ["plugins"], ["plugins", "ecn"], ["version"]):
        outcome = command(lab, *words, before=["setpriv", *NOBODY, *ONLY_RAW], program=copy)
        assert outcome.check().out
