# SPDX-License-Identifier: GPL-3.0-or-later
"""When flows begin and end, what the options do to it, and what the command tells about itself."""

import ipaddress
import os
import pty
import re

import pytest

from captures import (
    ACK, CLIENT4, CLIENT6, RST, S, SERVER4, SERVER6, START, SYN, exchange, frames, ip, pcap, sample, tcp, udp,
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
    assert "1 flow was cut short" in see(given[:4], "--flows", "3").err


def test_time_backwards_is_told_and_harmless():
    done = see(asks([10, 9, 0, 20]))
    (record,) = done.records
    assert record["pkt_fwd"] == 4 and record["flow_end_reason"] == "end"
    assert "2 packets have an earlier time stamp than one before them; flows age by the latest" in done.err
    done = see(asks([10, 0]))
    assert "1 packet has an earlier time stamp than one before it; flows age" in done.err


def test_fragments_have_no_ports_and_are_not_lost():
    first = udp(CLIENT4, SERVER4, 5000, 53, b"x" * 64)
    head = ip(CLIENT4, SERVER4, 17, first[20:60], fragment=0x2000)
    tail = ip(CLIENT4, SERVER4, 17, first[60:], fragment=5)
    done = see([(START, head), (START + 1, tail)], "-v")
    assert reasons(done, "sp", "dp", "pkt_fwd") == [(5000, 53, 1, "end"), (None, None, 1, "end")]
    assert " 1 fragment, 0 bad checksums" in done.err


def test_an_icmp_error_of_a_flow_that_has_ended_stands_alone():
    lost = udp(CLIENT4, SERVER4, 5000, 53)
    error = unreachable("203.0.113.9", CLIENT4, lost)
    found = reasons(see([(START, lost), (START + 40 * S, error)]), "proto", "icmp_unreachable")
    assert found == [(17, False, "idle"), (1, False, "end")]


def ends(record):
    return record["sip"], record["sp"], record["dip"], record["dp"]


def test_a_flow_is_named_by_its_first_packet():
    packets = exchange(CLIENT4, SERVER4, 4000)
    client, server = (CLIENT4, 4000), (SERVER4, 80)
    (record,) = see(packets[5:]).records
    assert ends(record) == (*server, *client) and record["pkt_fwd"] == 2


@pytest.mark.parametrize("client, server", [(CLIENT4, SERVER4), (CLIENT6, SERVER6)])
def test_the_sender_of_a_synack_is_the_server(client, server):
    """Whether the SYN before it was not captured, or comes behind it."""
    syn, synack, *rest = exchange(client, server, 4000)
    (record,) = see([synack, *rest]).records
    assert ends(record) == (client, 4000, server, 80)
    assert (record["pkt_fwd"], record["pkt_rev"]) == (5, 4)
    assert record["tcp_synflags_fwd"] is None and record["tcp_synflags_rev"] == 0x52
    late = (synack[0] + 1, syn[1])
    (record,) = see([synack, late, *rest]).records
    assert ends(record) == (client, 4000, server, 80)
    assert record["tcp_synflags_fwd"] == 0xC2 and record["tcp_synflags_rev"] == 0x52


def test_max_packets_stops():
    done = see(asks([0, 1, 2, 3]), "-n", "2", code=3)
    assert [r["pkt_fwd"] for r in done.records] == [2]
    for count in (1, 3):
        (record,) = see(asks([0, 1, 2, 3]), "-n", str(count), code=3).records
        assert record["pkt_fwd"] == count


def test_no_record_for_what_is_no_flow():
    arp = [(START, bytes.fromhex("ffffffffffff0200000000010806") + bytes(28))]
    done = observe("basic", data=pcap(arp)).check()
    assert done.out == b"" and "the only frame carries no IP" in done.err
    assert "none of the 2 frames carries IP" in observe("basic", data=pcap(arp * 2)).check().err


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
    chains = [line for line in listed.splitlines() if re.fullmatch("[a-z]+", line)]
    assert "meter" in chains
    wanted = "basic tcp tcpopt ecn dscp evilbit icmp mss tfo dns udp".split()
    assert set(wanted) <= set(chains)
    together = observe(*chains, data=data).check().records
    for chain in chains:
        for alone, whole in zip(observe(chain, data=data).check().records, together):
            assert {k: whole[k] for k in alone} == alone, chain
    for name in together[0]:
        assert f"\n  {name} " in listed, name


TYPES = {
    "count": lambda v: type(v) is int and v >= 0,
    "number": lambda v: type(v) is int,
    "number or null": lambda v: v is None or type(v) is int,
    "flag": lambda v: type(v) is bool,
    "flag or null": lambda v: v is None or type(v) is bool,
    "time": lambda v: re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", v),
    "address": lambda v: ipaddress.ip_address(v),
    "name": lambda v: v in ("closed", "idle", "active", "end", "evicted"),
}


def test_fields_have_the_type_that_the_list_says():
    listed = observe("--list-chains").check().out.decode()
    types = dict(re.findall(r"^  (\S+) +((?:\w+ or null)|\w+)  ", listed, re.M))
    assert set(types.values()) == set(TYPES)
    chains = [line for line in listed.splitlines() if re.fullmatch("[a-z]+", line)]
    records = observe(*chains, data=pcap(frames(sample()))).check().records
    assert set(types) == set(records[0])
    for record in records:
        for name, value in record.items():
            assert TYPES[types[name]](value), (name, types[name], value)


def test_the_list_begins_with_what_every_record_has():
    lines = observe("--list-chains").check().out.decode().splitlines()
    assert lines[0] == "every record" and lines.index("basic") == 8
    head = {line.split()[0]: line for line in lines[1:7]}
    assert list(head) == ["sip", "dip", "sp", "dp", "proto", "flow_end_reason"]
    for reason in ("closed", "idle", "active", "end", "evicted"):
        assert f" {reason} (" in head["flow_end_reason"]
    assert "first packet" in head["sip"] and "SYN/ACK" in head["sip"]
    assert "null means not seen" in lines[7]


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
        (["--nonsense", "basic"], "rawspider: there is no option --nonsense"),
        (["--f", "basic"], "rawspider: there is no option --f; rawspider observe --help lists"),
        (["-x", "basic"], "rawspider: there is no option -x; rawspider observe --help"),
        (["basic", "-i"], "rawspider: -i needs a value; rawspider observe --help"),
        (["basic", "--idle"], "rawspider: --idle needs a value"),
        (["--quiet=1", "basic"], "rawspider: --quiet takes no value"),
        (["basic,tcp"], "there is no chain 'basic,tcp'; there are: basic, tcp, "),
        (["basic,tcp"], "; blanks separate them: basic tcp"),
        (["/etc/passwd", "basic"], "; to read '/etc/passwd': -i /etc/passwd"),
        (["lo", "basic"], "; to read 'lo': -i lo"),
        (["-i", "/a", "basic", "-i", "/b"], "-i is there twice, '/a' and '/b'"),
        (["--format", "ipfix", "tcp"], "--format ipfix has basic and meter, and no room for chain tcp"),
        (["--format", "ipfix", "meter", "dns"], "no room for chain dns"),
        (["--output", "tcp:127.0.0.1:9", "basic"], "only --format ipfix goes to a collector"),
        (["--output", "udp:127.0.0.1:9", "basic"], "collectors are reached by TCP only"),
        (["--output", "udp:127.0.0.1:9", "--format", "ipfix"], "collectors are reached by TCP only"),
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


def test_a_terminal_is_no_place_for_ipfix(save):
    file = save(pcap(frames(sample())))
    leader, terminal = pty.openpty()
    for words in ([], ["--output", "-"]):
        done = observe("-i", file, "--format", "ipfix", *words, stdout=terminal).check(2)
        assert "ipfix is not for a terminal: --output names a file" in done.err
    observe("-i", file, "udp", stdout=terminal).check()
    assert os.read(leader, 8).startswith(b'{"sip":')
    os.close(leader), os.close(terminal)


def test_help():
    text = observe("--help").check().out
    assert b"usage: rawspider observe" in text and b"tcp:HOST[:PORT] (4739)" in text
