# SPDX-License-Identifier: GPL-3.0-or-later
"""When flows begin and end, what the options do to it, and what the command tells about itself."""

import os
import pty

import pytest

from captures import (
    ACK, CLIENT4, RST, S, SERVER4, START, SYN, exchange, frames, ip, pcap, sample, tcp, udp,
    unreachable,
)  # fmt: skip
from observing import observe


def reasons(outcome, *keys):
    return [tuple(r[k] for k in (*keys, "flow_end_reason")) for r in outcome.check().records]


def see(packets, *argv, code=0):
    data = pcap(frames(packets), nano=True)
    return observe(*argv, "basic", "tcp", "icmp", data=data).check(code)


def asks(times, sport=5000):
    """One UDP packet at each of these seconds."""
    return [(START + int(t * S), udp(CLIENT4, SERVER4, sport, 53)) for t in times]


def test_idle():
    assert reasons(see(asks([0, 29, 60])), "pkt_fwd") == [(2, "idle"), (1, "end")]
    assert reasons(see(asks([0, 29, 60]), "--idle", "31.5"), "pkt_fwd") == [(3, "end")]
    assert reasons(see(asks([0, 29, 60]), "--idle", "0.5"), "pkt_fwd") == [(1, "idle")] * 2 + [(1, "end")]


def test_active():
    every = range(0, 100, 10)
    assert reasons(see(asks(every)), "pkt_fwd") == [(10, "end")]
    found = reasons(see(asks(every), "--active", "45"), "pkt_fwd")
    assert found == [(5, "active"), (5, "end")]


def test_closed_after_both_fins_and_five_seconds():
    late = [(START + 4 * S, tcp(CLIENT4, SERVER4, 4000, 80, ACK, 105, 1302))]
    after = asks([6])
    found = reasons(see(exchange(CLIENT4, SERVER4, 4000) + late + after), "sp", "pkt_fwd")
    assert found == [(4000, 7, "closed"), (5000, 1, "end")]
    later = [(START + 8 * S, tcp(CLIENT4, SERVER4, 4000, 80, ACK, 105, 1302))]
    found = reasons(see(exchange(CLIENT4, SERVER4, 4000) + later), "pkt_fwd")
    assert found == [(6, "closed"), (1, "end")]
    found = reasons(see(exchange(CLIENT4, SERVER4, 4000) + later, "--close", "10"), "pkt_fwd")
    assert found == [(7, "closed")]


def test_a_port_used_again_at_once():
    twice = exchange(CLIENT4, SERVER4, 4000)
    again = [(at + S, tcp(CLIENT4, SERVER4, 4000, 80, SYN, 900_000)) for at, _ in twice[:1]]
    assert reasons(see(twice + again), "pkt_fwd") == [(6, "closed"), (1, "end")]


def test_rst_closes_but_not_a_damaged_one():
    syn = (START, tcp(CLIENT4, SERVER4, 4000, 80, SYN, 100))
    for bad, why in ((False, "closed"), (True, "end")):
        rst = (START + 1, tcp(SERVER4, CLIENT4, 80, 4000, RST | ACK, 0, 101, bad=bad))
        (record,) = see([syn, rst]).records
        assert record["flow_end_reason"] == why
        assert record["bad_checksum_rev"] == bad


def test_a_full_table_evicts_and_says_so():
    given = [p for i in range(10) for p in asks([i / 10], 5000 + i)]
    done = see(given, "--flows", "3")
    found = reasons(done, "sp")
    assert found == [(5000 + i, "evicted") for i in range(7)] + [(5000 + i, "end") for i in range(7, 10)]
    assert "7 flows were cut short" in done.err and "--flows" in done.err


def test_time_backwards_is_told_and_harmless():
    done = see(asks([10, 9, 0, 20]))
    (record,) = done.records
    assert record["pkt_fwd"] == 4 and record["flow_end_reason"] == "end"
    assert "2 packets are older than one before them" in done.err


def test_fragments_have_no_ports_and_are_not_lost():
    first = udp(CLIENT4, SERVER4, 5000, 53, b"x" * 64)
    head = ip(CLIENT4, SERVER4, 17, first[20:60], fragment=0x2000)
    tail = ip(CLIENT4, SERVER4, 17, first[60:], fragment=5)
    done = see([(START, head), (START + 1, tail)], "-v")
    assert reasons(done, "sp", "dp", "pkt_fwd") == [(5000, 53, 1, "end"), (None, None, 1, "end")]
    assert " 1 fragments" in done.err


def test_an_icmp_error_of_a_flow_that_has_ended_stands_alone():
    lost = udp(CLIENT4, SERVER4, 5000, 53)
    error = unreachable("203.0.113.9", CLIENT4, lost)
    found = reasons(see([(START, lost), (START + 40 * S, error)]), "proto", "icmp_unreachable")
    assert found == [(17, False, "idle"), (1, False, "end")]


def test_a_flow_is_named_by_its_first_packet():
    packets = exchange(CLIENT4, SERVER4, 4000)[1:]
    (record,) = see(packets).records
    assert (record["sip"], record["sp"], record["dip"], record["dp"]) == (SERVER4, 80, CLIENT4, 4000)


def test_max_packets_stops():
    done = see(asks([0, 1, 2, 3]), "-n", "2", code=3)
    assert [r["pkt_fwd"] for r in done.records] == [2]


def test_no_record_for_what_is_no_flow():
    arp = [(START, bytes.fromhex("ffffffffffff0200000000010806") + bytes(28))]
    done = observe("basic", data=pcap(arp)).check()
    assert done.out == b"" and "none of 1 frames carries IP" in done.err


def test_only_the_fields_of_the_chains():
    data = pcap(frames(sample()))
    (first, *_) = observe("ecn", data=data).check().records
    assert "ecn_ect0_data_fwd" in first and "pkt_fwd" not in first
    (again, *_) = observe("ecn", "basic", "ecn", data=data).check().records
    assert {**again, **first} == again and again["pkt_fwd"] == 6
    assert len(set(again)) == len(again)


def test_each_chain_alone_and_all_together():
    data = pcap(frames(sample()))
    listed = observe("--list-chains").check().out.decode()
    chains = [line for line in listed.splitlines() if not line.startswith(" ")]
    wanted = "basic tcp tcpopt ecn dscp evilbit icmp mss tfo dns udp".split()
    assert set(wanted) <= set(chains)
    together = observe(*chains, data=data).check().records
    for chain in chains:
        for alone, whole in zip(observe(chain, data=data).check().records, together):
            assert {k: whole[k] for k in alone} == alone, chain
    for name in together[0]:
        if name not in ("sip", "dip", "sp", "dp", "proto", "flow_end_reason"):
            assert f"  {name} " in listed, name


def test_many_flows_are_written_whole(save):
    """More than one block of output, and every line is a record."""
    packets = [p for i in range(2000) for p in asks([i / 1000], 1024 + i)]
    done = observe("-i", save(pcap(frames(packets))), "basic", "tcp", "ecn").check()
    assert len(done.records) == 2000 and len(done.out) > 10 * 65536
    assert sorted(r["sp"] for r in done.records) == list(range(1024, 3024))


@pytest.mark.parametrize(
    "argv, says",
    [
        (["basic", "ecm"], "there is no chain 'ecm'; there are: basic, tcp, ecn"),
        ([], "which chains?"),
        (["--format", "csv", "basic"], "there is no format 'csv'; there are: ndjson"),
        (["--idle", "x", "basic"], "--idle: 'x' is not what it takes: seconds"),
        (["--flows", "0", "basic"], "--flows: '0' is not what it takes: a number"),
        (["--nonsense", "basic"], "--help lists the options"),
    ],
)
def test_usage(argv, says):
    done = observe(*argv, data=b"").check(2)
    assert says in done.err and done.out == b""


def test_a_terminal_is_no_input():
    leader, terminal = pty.openpty()
    done = observe("basic", stdin=terminal).check(2)
    os.close(leader), os.close(terminal)
    assert "what to read?" in done.err


def test_help():
    assert b"usage: rawspider observe" in observe("--help").check().out
