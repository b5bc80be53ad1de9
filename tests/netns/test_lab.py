# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab is what it says: every box does its one thing, in both families, and nothing else. The
clients here are the kernel's own TCP (with ECN on or off inside the vantage point's namespace) and
bare segments; nothing of rawspider is used, so that its tests may trust the lab."""

import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time

import pytest

import lab_plan
from lab import HERE, VP4, VP6, Lab, LabError
from lab_wire import Sniffer, guarded_port, send_through_host

NOT, ECT1, ECT0, CE = range(4)
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
PROHIBITED = ("3/13", "1/1")  # ICMP, ICMPv6
BOXES = [box.name for box in lab_plan.BOXES]
FAMILIES = (4, 6)
LAB_PY = [sys.executable, os.path.join(HERE, "lab.py")]

# What an ECN connection of a Linux client looks like with nothing in the way, at both its ends; the
# words "up" and "down" are data segments towards the server and back.
CLEAN = {
    "plain": "ok",
    "ecn": "ok",
    "syn_sent": {"SEW"},
    "syn_arrived": {"SEW"},
    "synack_sent": {"S.E"},
    "synack_arrived": {"S.E"},
    "up_sent": {ECT0},
    "up_arrived": {ECT0},
    "down_sent": {ECT0},
    "down_arrived": {ECT0},
}
# An arm that is refused: nothing reaches the server.
_REFUSED = {key: set() for key in CLEAN if "_" in key and key != "syn_sent"}
_NO_ECN = {"synack_sent": {"S."}, "synack_arrived": {"S."}} | {
    key: {NOT} for key in ("up_sent", "up_arrived", "down_sent", "down_arrived")
}
DIFFERENT = {
    "none": {},
    "ecn_off": _NO_ECN,
    "syn_drop": {"ecn": "timeout", **_REFUSED},
    "syn_rst": {"ecn": "rst", **_REFUSED},
    "syn_icmp": {"ecn": "icmp", **_REFUSED},
    "silent": {"plain": "timeout", "ecn": "timeout", **_REFUSED},
    "rst_all": {"plain": "rst", "ecn": "rst", **_REFUSED},
    "icmp_all": {"plain": "icmp", "ecn": "icmp", **_REFUSED},
    "plain_drop": {"plain": "timeout"},
    "flags_cleared": {**_NO_ECN, "syn_arrived": {"S"}},
    # Linux 6.18 as a client takes this for a yes and marks its data; other kernels do not.
    "reflected": {"synack_arrived": {"S.EW"}, "up_sent": ..., "up_arrived": ...},
    "bleach_rev": {"down_arrived": {NOT}},
    "all_ce_rev": {"down_arrived": {CE}},
    "ect1_rev": {"down_arrived": {ECT1}},
    "bleach_fwd": {"up_arrived": {NOT}},
    "ce_fwd": {"up_arrived": {CE}},
    # What gets through is the retransmission, which is Not-ECT.
    "ect_data_drop": {"up_sent": {ECT0, NOT}, "up_arrived": {NOT}},
}


@pytest.fixture(scope="module")
def lab():
    with Lab() as it:
        # A SYN that is sent again without ECN would hide a box; metrics would hide the second one.
        it.sysctl("vp", {"net/ipv4/tcp_ecn_fallback": 0, "net/ipv4/tcp_no_metrics_save": 1})
        yield it


@pytest.fixture(scope="module")
def sniffers(lab):
    made = {role: Sniffer(lab, role, name) for role, name in (("vp", "vp0"), ("srv", "srv0"))}
    made["srv0"] = Sniffer(lab, "srv0", "srv0")
    yield made
    for sniffer in made.values():
        sniffer.close()


def fetch(lab, address, ecn, timeout=0.35):
    """One HTTP exchange by the kernel of the vantage point: ok, timeout, rst or icmp."""
    lab.sysctl("vp", {"net/ipv4/tcp_ecn": ecn})
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with lab.within("vp", socket.socket, family, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect((address, 80))
            sock.settimeout(5)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
            reply = b""
            while more := sock.recv(65536):
                reply += more
        except (socket.timeout, TimeoutError):
            return "timeout"
        except (ConnectionRefusedError, ConnectionResetError):
            return "rst"
        except OSError:
            return "icmp"  # EHOSTUNREACH or EACCES, by family
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and len(body) == 8192
    return "ok"


def connection(lab, sniffers, address, ecn):
    """fetch(), and what passed at both ends, in the words of CLEAN."""
    for sniffer in sniffers.values():
        sniffer.drain()
    seen = {"outcome": fetch(lab, address, ecn)}
    near = sniffers["vp"].drain()
    # The kernel's IPv6 takes an ICMP error that comes while connect() has its socket for a hint
    # only, so ask the wire.
    if seen["outcome"] == "timeout" and any(p.flags in PROHIBITED for p in near):
        seen["outcome"] = "icmp"
    near = [p for p in near if p.kind == "tcp" and address in (p.src, p.dst)]
    far = sniffers["srv"].drain() + sniffers["srv0"].drain()
    far = [p for p in far if p.kind == "tcp" and address in (p.src, p.dst)]
    for name, packets, out in (
        ("syn_sent", near, True),
        ("syn_arrived", far, False),
        ("synack_sent", far, True),
        ("synack_arrived", near, False),
    ):
        handshake = [p for p in packets if p.out == out and "S" in p.flags]
        assert all(p.ecn == NOT for p in handshake)
        seen[name] = {p.flags for p in handshake}
    for name, packets, out in (
        ("up_sent", near, True),
        ("up_arrived", far, False),
        ("down_sent", far, True),
        ("down_arrived", near, False),
    ):
        seen[name] = {p.ecn for p in packets if p.out == out and p.length}
    return seen


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("box", BOXES)
def test_box_does_to_ecn_what_it_says(lab, sniffers, box, family):
    want = {**CLEAN, **DIFFERENT[box]}
    want = {"outcome": want["ecn"], **{key: want[key] for key in want if "_" in key}}
    seen = connection(lab, sniffers, lab_plan.address(box, 0, family), ecn=1)
    assert {**seen, **{key: ... for key in want if want[key] is ...}} == want


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("box", BOXES)
def test_box_leaves_a_plain_connection_alone(lab, sniffers, box, family):
    outcome = {**CLEAN, **DIFFERENT[box]}["plain"]
    want = {"outcome": outcome, "syn_sent": {"S"}, "syn_arrived": {"S"}, **_NO_ECN}
    want |= _REFUSED if outcome != "ok" else {}
    assert connection(lab, sniffers, lab_plan.address(box, 1, family), ecn=0) == want


def test_icmp_errors_are_not_rationed(lab, sniffers):
    """A router answers six of a hundred by default (design.md section 5)."""
    for family, kind in ((4, socket.AF_INET), (6, socket.AF_INET6)):
        sniffers["vp"].drain()
        with lab.within("vp", socket.socket, kind, socket.SOCK_DGRAM) as sock:
            for index in range(200):
                sock.sendto(b"x", (lab_plan.address("icmp_all", index, family), 9))
        time.sleep(0.02)
        errors = [p for p in sniffers["vp"].drain() if p.kind == "icmp" and p.flags in PROHIBITED]
        assert len(errors) == 200


def test_none_is_65536_addresses_and_a_whole_ipv6_prefix(lab):
    assert len({target["dip"] for target in lab.targets("none", 65536, 4)}) == 65536
    for address in ("198.18.0.0", "198.18.255.255", "198.18.77.3", "2001:2::ffff:ffff:ffff:fffe"):
        assert fetch(lab, address, ecn=1) == "ok"
    with pytest.raises(ValueError):
        lab.targets("syn_drop", 257, 4)


def test_targets_of_boxes_are_job_lines():
    assert lab_plan.targets("syn_rst", 1) == [
        {"dip": "198.19.3.1", "dp": 80, "domain": "n0.syn-rst.ipv4.test", "box": "syn_rst"},
        {"dip": "2001:2:0:3::1", "dp": 80, "domain": "n0.syn-rst.ipv6.test", "box": "syn_rst"},
    ]


# -- the firewall on the vantage point ------------------------------------------------------------


def reply_to_unknown(lab, sniffers, family, port, known=False):
    """What the vantage point answers to a SYN/ACK: "", "R" or "icmp". known: it has sent a SYN
    through its own routing before."""
    here, there = {4: (VP4, "198.18.0.99"), 6: (VP6, "2001:2::99")}[family]
    if known:
        # To a box that never answers, so that the SYN/ACK is ours.
        there = lab_plan.address("silent", 90, family)
        lab.within("vp", send_through_host, here, there, port, 80, 0x02, 999)
    sniffers["vp"].drain()
    lab.within("srv", send_through_host, there, here, 80, port, 0x12, 5000, 1000)
    packets = sniffers["vp"].wait(lambda p: p.out and p.dst == there, 0.15)
    assert any(p.src == there and p.flags == "S." for p in packets), "the SYN/ACK did not arrive"
    answers = [p for p in packets if p.out and p.dst == there]
    return "".join("icmp" if p.flags in PROHIBITED else p.flags for p in answers)


@pytest.mark.parametrize("family", FAMILIES)
def test_vantage_firewall_rejects_what_it_does_not_know(lab, sniffers, family):
    port = 61000 + family
    assert reply_to_unknown(lab, sniffers, family, port) == "R", "the kernel's own, unguarded"
    with lab.within("vp", guarded_port, family, port):
        assert reply_to_unknown(lab, sniffers, family, port) == ""
        try:
            for kind, answer in (("rst", "R"), ("icmp", "icmp")):
                lab.vantage_firewall(kind)
                assert reply_to_unknown(lab, sniffers, family, port) == answer
                assert reply_to_unknown(lab, sniffers, family, port, known=True) == ""
                assert fetch(lab, lab_plan.address("none", 5, family), ecn=1) == "ok"
        finally:
            lab.vantage_firewall(None)
        assert reply_to_unknown(lab, sniffers, family, port) == ""


# -- the lab as a thing that comes and goes ------------------------------------------------------


def leftovers(name):
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.split() if line.startswith(f"rs-{name}-")]


@pytest.mark.parametrize("immediate", (True, False))
def test_capture_is_complete(lab, tmp_path, immediate):
    capture = lab.capture("rt", "rt0", tmp_path / "x.pcap", "tcp port 80", immediate)
    for index in range(20):
        assert fetch(lab, lab_plan.address("none", index, 4), ecn=0) == "ok"
    counts = capture.stop()
    assert counts["dropped"] == 0 and counts["captured"] == counts["received"]
    listing = subprocess.run(
        ["tcpdump", "-nr", tmp_path / "x.pcap", "tcp[13] = 2"], capture_output=True, text=True
    )
    assert len(listing.stdout.splitlines()) == 20


def test_two_labs_and_an_exception(lab):
    with pytest.raises(ZeroDivisionError):
        with Lab() as other:
            assert other.name != lab.name and leftovers(other.name)
            child = other.popen("vp", ["sleep", "100"])
            1 / 0
    assert child.poll() is not None
    assert not leftovers(other.name) and not os.path.exists(other.state)
    assert fetch(lab, "198.18.0.1", ecn=1) == "ok"


def test_a_lab_that_cannot_be_made_leaves_nothing(lab, monkeypatch):
    monkeypatch.setattr(lab_plan, "nft_rules", lambda: "nonsense")
    with pytest.raises(LabError, match="nft"):
        with Lab(f"half{os.getpid()}"):
            pass
    assert not leftovers(f"half{os.getpid()}")


@pytest.mark.parametrize("sig", (signal.SIGINT, signal.SIGKILL))
def test_a_lab_ends_with_its_process(sig):
    name = f"orphan{os.getpid()}"
    script = f"import lab, time\nwith lab.Lab('{name}'): print('up', flush=True); time.sleep(100)"
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout.readline() == b"up\n"
        assert len(leftovers(name)) == 4
        child.send_signal(sig)
    if sig == signal.SIGKILL:  # nobody can clean up after this but the next one
        with Lab():
            pass
    assert not leftovers(name)


def test_the_program():
    def call(*args, ok=True):
        done = subprocess.run([*LAB_PY, *args], capture_output=True, text=True)
        assert (done.returncode == 0) == ok, done.stderr
        return done.stdout or done.stderr

    name = f"prog{os.getpid()}"
    try:
        call("up", "--name", name, "--targets", "2")
        assert "is up" in call("up", "--name", name, ok=False)
        line = call("targets", "--name", name, "--box", "none", "--family", "6").splitlines()[1]
        target = json.loads(line)
        assert target["dip"] == "2001:2::2"
        url = f"http://[{target['dip']}]:{target['dp']}/"
        shell = call("exec", "--name", name, "vp", "--", "curl", "-sS", url)
        assert len(shell) == 8192
    finally:
        call("down", "--name", name)
    assert not leftovers(name)
    call("down", "--name", name)
    assert "not up" in call("exec", "--name", name, "vp", "--", "true", ok=False)
    boxes = json.loads(call("boxes"))
    assert [box["box"] for box in boxes] == BOXES and all(box["base"] for box in boxes)


def test_the_host_is_left_alone():
    def host():
        listing = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True)
        with open("/proc/sys/net/ipv4/tcp_ecn", encoding="ascii") as file:
            return listing.stdout, file.read()

    before = host()
    with Lab():
        assert host() == before
    assert host() == before


# -- the impairing forwarder ----------------------------------------------------------------------


def quiet(lab):
    """The forwarder's report once nothing more is under way."""
    report = None
    while (now := lab.path_report()) != report:
        report = now
        time.sleep(0.15)  # more than there and back again
    return report


def numbered(lab, way, family, count, rate=20000):
    """Sends numbered datagrams one way through the forwarder. Gives what came, in order of coming,
    as (number, milliseconds on the way), and what the forwarder says that it did to them."""
    server = lab_plan.address("none", 0, family)
    sender, receiver, target = {
        "ab": ("vp", "srv", server),
        "ba": ("srv", "vp", VP4 if family == 4 else VP6),
    }[way]
    kind = socket.AF_INET6 if family == 6 else socket.AF_INET
    # While a neighbour is asked for, the kernel itself may drop or reorder.
    assert fetch(lab, server, ecn=0, timeout=8) == "ok"
    before = quiet(lab)[way]
    with lab.within(receiver, socket.socket, kind, socket.SOCK_DGRAM) as inbox:
        inbox.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 128 << 20)
        inbox.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        inbox.bind(("", 9999))
        inbox.settimeout(0.2)
        with lab.within(sender, socket.socket, kind, socket.SOCK_DGRAM) as sock:
            sock.connect((target, 9999))
            start = time.monotonic()
            for number in range(count):
                if number % 50 == 0:
                    time.sleep(max(0, start + number / rate - time.monotonic()))
                sock.send(struct.pack("=IQ", number, time.time_ns()))
        came = []
        try:
            while True:
                data, ancillary, _, _ = inbox.recvmsg(64, 64)
                number, sent = struct.unpack("=IQ", data)
                seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2])
                came.append((number, (seconds * 10**9 + nanoseconds - sent) / 1e6))
        except (socket.timeout, TimeoutError):
            pass
    after = lab.path_report()[way]
    did = {k: after[k] - before[k] for k in after if isinstance(after[k], int)}
    for key in ("delay_us", "held_us"):
        n = after[key]["n"] - before[key]["n"]
        total = after[key]["mean"] * after[key]["n"] - before[key]["mean"] * before[key]["n"]
        did[key] = {"n": n, "mean": total / n if n else 0, "min": after[key]["min"]}
    return came, did


def receiver_counts(came, count):
    """Lost, duplicated, late: what the receiver can tell without the forwarder's help."""
    seen, late, highest = set(), 0, -1
    for number, _ in came:
        late += number not in seen and number < highest
        seen.add(number)
        highest = max(highest, number)
    return {
        "lost": count - len(seen),
        "duplicated": len(came) - len(seen),
        "overtaken": late,
        "forwarded": len(came),
    }


def check_wire(did, count):
    """What must hold whatever was asked: all accounted for, and nothing lost but on purpose."""
    assert did["in"] == count
    gone = did["lost"] + did["overflow"]
    out = did["forwarded"] + did["queued"] + did["send_errors"]
    assert did["in"] + did["duplicated"] - gone == out
    for trouble in ("queued", "overflow", "oversize", "unfinished", "socket_drops", "send_errors"):
        assert did[trouble] == 0, trouble


def is_binomial(successes, trials, percent):
    """Within 4.5 standard deviations: by chance once in 150,000 (and the seed is fixed)."""
    share = percent / 100
    return abs(successes - trials * share) <= 4.5 * (trials * share * (1 - share)) ** 0.5


IMPAIRED = {
    "ab": {"loss": 2, "reorder": 10, "dup": 1, "delay": 50},
    "ba": {"loss": 5, "reorder": 3, "dup": 4, "delay": 12},
}


def spec(asked):
    return ",".join(f"{key}={value}" for key, value in asked.items())


@pytest.fixture(scope="module")
def impaired():
    with Lab(path=(spec(IMPAIRED["ab"]), spec(IMPAIRED["ba"])), seed=7) as it:
        yield it


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("way", IMPAIRED)
def test_path_does_what_was_asked_and_says_so(impaired, way, family):
    count, asked = 5000, IMPAIRED[way]
    came, did = numbered(impaired, way, family, count)
    check_wire(did, count)
    seen = receiver_counts(came, count)
    assert {key: did[key] for key in seen} == seen
    assert is_binomial(did["lost"], count, asked["loss"])
    assert is_binomial(did["duplicated"], count - did["lost"], asked["dup"])
    assert is_binomial(did["reordered"], count - did["lost"], asked["reorder"])
    # All but the last few of the flow find somebody to overtake them.
    assert did["reordered"] - 3 <= did["overtaken"] <= did["reordered"]
    delays = sorted(delay for _, delay in came)
    assert delays[0] >= asked["delay"] and did["delay_us"]["min"] >= asked["delay"] * 1000
    assert delays[len(delays) // 2] < asked["delay"] + 5
    both = (did["delay_us"], did["held_us"])
    reported = sum(part["n"] * part["mean"] for part in both) / did["forwarded"] / 1000
    assert statistics.fmean(delays) == pytest.approx(reported, abs=2)


def test_path_carries_tcp_and_leaves_marks_alone(impaired):
    for family in FAMILIES:
        for index in range(3):
            assert fetch(impaired, lab_plan.address("none", index, family), 1, timeout=8) == "ok"
    for did in impaired.path_report().values():
        assert did["unfinished"] == did["oversize"] == 0 and did["in"] > 30


def test_path_jitter_keeps_the_order_unless_asked():
    with Lab(path=("delay=20,jitter=10", "delay=20,jitter=10,jitter_reorder=1")) as lab:
        for way, reorders in (("ab", False), ("ba", True)):
            came, did = numbered(lab, way, 4, 2000)
            check_wire(did, 2000)
            assert (receiver_counts(came, 2000)["overtaken"] > 500) == reorders
            delays = [delay for _, delay in came]
            assert 10 <= min(delays) and 29 < max(delays)
        # Only the second is still spread evenly, 5.8 around 20; a dense flow that keeps its order
        # goes as slowly as its slowest.
        assert sum(delays) / len(delays) == pytest.approx(20, abs=2)
        assert statistics.pstdev(delays) == pytest.approx(5.8, abs=1)


def test_path_carries_20000_packets_a_second():
    with Lab(path="") as lab:
        came, did = numbered(lab, "ab", 4, 12000)
        check_wire(did, 12000)
        assert [number for number, _ in came] == list(range(12000))


def test_path_reports_at_its_end_and_refuses_nonsense():
    with Lab(path="loss=100") as lab:
        for address in ("198.18.0.1", "2001:2::1"):
            assert fetch(lab, address, ecn=0) == "timeout"
        # ARP and neighbour discovery are no part of what is lost.
        known = lab.exec("vp", ["ip", "neigh"], capture_output=True, text=True).stdout
        for router in ("192.0.2.1 ", "2001:db8:1::1 "):
            assert f"{router}dev vp0 lladdr" in known
        child = lab._children[0]
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=5) == 0
        with open(os.path.join(lab.state, "path.out"), encoding="ascii") as file:
            up, down = map(json.loads, file)
        assert up["dir"] == "ab" and up["in"] == up["lost"] > 0
        assert down["dir"] == "ba" and down["in"] == 0
    for nonsense in ("loss", "loss=101", "los=1", "delay=-1", "gap=0", "loss=1x"):
        with pytest.raises(LabError, match="usage"):
            with Lab(path=nonsense):
                pass
