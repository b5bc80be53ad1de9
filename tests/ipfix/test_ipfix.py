# SPDX-License-Identifier: GPL-3.0-or-later
"""rawspider observe --format ipfix, read back by examples/ipfix2ndjson.py, which knows nothing of
src/, and by tshark. The program is the sanitizer build, or what RAWSPIDER names."""

import importlib.util
import io
import json
import os
import shutil
import socket
import struct
import subprocess
import threading
import time

import packets as p
import pytest

TOP = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PROGRAM = os.environ.get("RAWSPIDER", os.path.join(TOP, "build-san", "rawspider"))
V4, V6 = ("192.0.2.1", "198.51.100.7"), ("2001:db8::1", "2001:db8:1::7")


def load_reader():
    spec = importlib.util.spec_from_file_location("ipfix2ndjson", os.path.join(TOP, "examples", "ipfix2ndjson.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ipfix = load_reader()

# Element: field of the NDJSON record (both directions: the element's reverse and _rev).
BOTH = {
    "octetDeltaCount": "oct", "packetDeltaCount": "pkt", "minimumTTL": "ttl_min", "maximumTTL": "ttl_max",
    "transportOctetDeltaCount": "meter_payload_oct", "transportPacketDeltaCount": "meter_payload_pkt",
    "ect0PacketCount": "meter_ect0", "ect1PacketCount": "meter_ect1", "ceMarkCount": "meter_ce",
    "qofTcpCharacteristics": "meter_traits",
}
BOTH_TCP = {
    "tcpSequenceLossCount": "meter_lost_oct", "tcpSequenceJumpCount": "meter_jump", "tcpReorderedCount": "meter_reorder",
    "tcpRetransmitCount": "meter_rtx", "tcpDupAckCount": "meter_dupack", "minTcpRwin": "meter_rwin_min",
    "meanTcpRwin": "meter_rwin_mean", "maxTcpRwin": "meter_rwin_max", "initialTCPFlags": "meter_flags_first",
    "unionTCPFlags": "meter_flags_union", "lastSynTcpFlags": "meter_flags_syn", "declaredTcpMss": "meter_mss",
    "observedTcpMss": "meter_mss_seen",
}
REASONS = {"idle": 1, "active": 2, "closed": 3, "end": 4, "evicted": 5}


def expected(flow):
    """What the IPFIX record of an NDJSON record must be; the times apart."""
    family = "IPv6" if ":" in flow["sip"] else "IPv4"
    tcp = flow["proto"] == 6 and flow["sp"] is not None
    out = {f"source{family}Address": flow["sip"], f"destination{family}Address": flow["dip"],
           "protocolIdentifier": flow["proto"], "flowEndReason": REASONS[flow["flow_end_reason"]]}
    if flow["sp"] is not None:
        out["sourceTransportPort"], out["destinationTransportPort"] = flow["sp"], flow["dp"]
    for way in ("fwd", "rev")[: 2 if flow["pkt_rev"] else 1]:
        def name(element, way=way):
            return element if way == "fwd" else ipfix.reverse_name(element)

        for element, field in {**BOTH, **(BOTH_TCP if tcp else {})}.items():
            out[name(element)] = flow[f"{field}_{way}"] or 0
        if tcp:
            out[name("tcpControlBits")] = out[name("initialTCPFlags")] | out[name("unionTCPFlags")]
    if tcp and flow["pkt_rev"]:
        for which in ("min", "last"):
            us = flow[f"meter_rtt_{which}_us"]
            out[f"{which}TcpRttMicroseconds"] = 2**32 - 1 if us is None else us
            out[f"{which}TcpRttMilliseconds"] = (us or 0) // 1000
    return out


CAPTURES = {
    "ipv4": p.connection(*V4),
    "ipv6": p.connection(*V6),
    "one way": [(0, p.tcp(*V4, 40000, 80, p.SYN, 5, options=p.MSS)), (1000, p.tcp(*V4, 40000, 80, p.SYN, 5)),
                (2000, p.udp(*V6, 40000, 53, 20))],
    "udp": [(0, p.udp(*V4, 40000, 53, 30)), (9, p.udp(*reversed(V4), 53, 40000, 300, ecn=p.CE, ttl=50)),
            (20, p.udp(*V6, 40000, 53, 0)), (30, p.udp(*reversed(V6), 53, 40000, 10))],
    "icmp": [(0, p.echo(*V4, False, 56)), (5, p.echo(*reversed(V4), True, 56, ttl=60)), (9, p.echo(*V6, False, 8))],
    "from the SYN/ACK on": p.connection(*V6)[1:],
    "a SYN/ACK": p.connection(*V4)[1:2],
    "reset": [(0, p.tcp(*V4, 40000, 80, p.SYN, 5)), (4, p.tcp(*reversed(V4), 80, 40000, p.RST | p.ACK, 0, 6))],
    "many": [packet for n in range(700) for packet in
             p.connection("192.0.2.1", f"198.51.{n // 200}.{n % 200 + 1}", sport=20000 + n, isn=n * 7919, at=n,
                          to_the_end=n % 3 > 0)],
    "none": [],
}
CAPTURES["many"].sort(key=lambda one: one[0])


@pytest.fixture(name="capture", params=sorted(CAPTURES))
def fixture_capture(request, tmp_path):
    path = tmp_path / "capture.pcap"
    path.write_bytes(p.pcap(CAPTURES[request.param]))
    return str(path)


@pytest.fixture(name="many")
def fixture_many(tmp_path):
    path = tmp_path / "many.pcap"
    path.write_bytes(p.pcap(CAPTURES["many"]))
    return str(path)


def observe(*words, code=0):
    done = subprocess.run([PROGRAM, "observe", "-q", *words], capture_output=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr.decode()
    return done


def read(data):
    reader = ipfix.Reader(io.BytesIO(data))
    return list(reader.records()), reader


def flows_of(capture):
    text = observe("-i", capture, "basic", "tcp", "ecn", "meter").stdout
    return [json.loads(line) for line in text.splitlines()]


def order(record):
    return sorted((key, str(value)) for key, value in record.items())


def without_times(records):
    return [{k: v for k, v in r.items() if not k.endswith("Milliseconds") or "Rtt" in k} for r in records]


def assert_same_flows(records, flows):
    assert len(records) == len(flows)
    want = [expected(flow) for flow in flows]
    assert sorted(without_times(records), key=order) == sorted(want, key=order)


def test_every_element_equals_the_ndjson_field(capture):
    records, _ = read(observe("-i", capture, "--format", "ipfix").stdout)
    assert_same_flows(records, flows_of(capture))


def test_the_hand_made_connection_is_what_it_was_made_to_be(tmp_path):
    """So that equality is not of two wrongs."""
    path = tmp_path / "one.pcap"
    path.write_bytes(p.pcap(CAPTURES["ipv4"]))
    (record,), _ = read(observe("-i", str(path), "--format", "ipfix").stdout)
    made = {
        "packetDeltaCount": 9, "reversePacketDeltaCount": 11, "octetDeltaCount": 9 * 40 + 8 + 300,
        "reverseOctetDeltaCount": 11 * 40 + 8 + 4200, "transportPacketDeltaCount": 1, "transportOctetDeltaCount": 300,
        "reverseTransportPacketDeltaCount": 7, "reverseTransportOctetDeltaCount": 4200,
        "initialTCPFlags": 0xC2, "unionTCPFlags": 0xD9, "lastSynTcpFlags": 0xC2, "tcpControlBits": 0xDB,
        "reverseInitialTCPFlags": 0x52, "reverseUnionTCPFlags": 0x11, "reverseLastSynTcpFlags": 0x52,
        "ect0PacketCount": 1, "ect1PacketCount": 0, "ceMarkCount": 0, "qofTcpCharacteristics": 0x41,
        "reverseEct0PacketCount": 4, "reverseEct1PacketCount": 1, "reverseCeMarkCount": 1,
        "reverseQofTcpCharacteristics": 0x247, "minimumTTL": 64, "maximumTTL": 64,
        "reverseMinimumTTL": 52, "reverseMaximumTTL": 53,
        "tcpSequenceLossCount": 0, "reverseTcpSequenceLossCount": 500, "reverseTcpSequenceJumpCount": 3,
        "reverseTcpReorderedCount": 1, "reverseTcpRetransmitCount": 2, "tcpDupAckCount": 2,
        "minTcpRttMicroseconds": 30000, "minTcpRttMilliseconds": 30, "declaredTcpMss": 1460, "observedTcpMss": 300,
        "reverseObservedTcpMss": 1000, "minTcpRwin": 0, "maxTcpRwin": 1000 << 7,
        "reverseMaxTcpRwin": 1000 << 7, "reverseMinTcpRwin": 65000, "flowEndReason": 3,
        "flowStartMilliseconds": p.START_NS // 10**6, "flowEndMilliseconds": (p.START_NS + 230 * 10**6) // 10**6,
    }
    assert {key: record[key] for key in made} == made


def test_times_are_those_of_the_ndjson(capture):
    records, _ = read(observe("-i", capture, "--format", "ipfix").stdout)
    stamps = sorted((f["pkt_first"][:23], f["pkt_last"][:23]) for f in flows_of(capture))

    def text(ms):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03}"

    assert sorted((text(r["flowStartMilliseconds"]), text(r["flowEndMilliseconds"])) for r in records) == stamps


def test_a_type_record_for_every_enterprise_element(many):
    _, reader = read(observe("-i", many, "--format", "ipfix").stdout)
    own = {(e, n) for _, fields in reader.templates.values() for e, n, _ in fields if e not in (0, ipfix.REVERSE)}
    assert own and own <= set(reader.types)
    assert {e for e, _ in own} == {6871, 35566}
    names = {key: name for key, (name, _) in reader.types.items()}
    # Numbers that QoF and YAF gave them; reverse: bit 14.
    assert names[6871, 14] == "initialTCPFlags" and names[6871, 16398] == "reverseInitialTCPFlags"
    assert names[6871, 15] == "unionTCPFlags" and names[35566, 1025] == "tcpRetransmitCount"
    assert names[35566, 1035] == "tcpSequenceLossCount" and names[35566, 17419] == "reverseTcpSequenceLossCount"
    assert names[35566, 1029] == "minTcpRttMilliseconds" and names[35566, 1032] == "ceMarkCount"
    assert names[35566, 1039] == "qofTcpCharacteristics" and names[35566, 1053] == "lastSynTcpFlags"
    sizes = {ipfix.U8: 1, ipfix.U16: 2, ipfix.U32: 4, ipfix.U64: 8}
    for _, fields in reader.templates.values():
        for enterprise, number, length in fields:
            if (enterprise, number) in own:
                assert sizes[reader.types[enterprise, number][1]] == length
    for record in reader.type_records:
        if record["privateEnterpriseNumber"] == 35566:
            assert record["informationElementSemantics"] in (1, 3, 5)
            assert not record["informationElementName"].startswith("reverseMinTcpRttM")


def test_messages_follow_each_other(many):
    data = observe("-i", many, "--format", "ipfix").stdout
    records, reader = read(data)  # it checks the sequence numbers
    assert len(records) == 700 and reader.messages > 4
    tcp = [fields for (_, number), (_, fields) in reader.templates.items() if number == 285]
    assert len(tcp) == 1 and len(tcp[0]) <= 60  # more, and tshark passes over it
    with pytest.raises(ipfix.Broken):  # and it can fail
        read(data[:-1])


def tshark(path, *words):
    return subprocess.run(["tshark", "-r", str(path), *words], capture_output=True, timeout=120, check=True,
                          text=True).stdout


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not here")
def test_tshark_finds_nothing_malformed(capture, tmp_path):
    path = tmp_path / "flows.ipfix"
    observe("-i", capture, "--format", "ipfix", "--output", str(path))
    assert tshark(path, "-Y", "_ws.malformed || _ws.expert") == ""
    shown = tshark(path, "-T", "fields", "-e", "cflow.packets", "-e", "cflow.octets", "-Y", "cflow.packets")
    packets = [int(n) for line in shown.splitlines() for n in line.split("\t")[0].split(",")]
    octets = [int(n) for line in shown.splitlines() for n in line.split("\t")[1].split(",")]
    flows = flows_of(capture)
    ways = [(f[f"pkt_{way}"], f[f"oct_{way}"]) for f in flows for way in ("fwd", "rev")
            if way == "fwd" or f["pkt_rev"]]
    assert sorted(zip(packets, octets)) == sorted(ways)


class Collector:
    """Takes connections on a port of its own and reads as `behaviour` says."""

    def __init__(self, behaviour, family=socket.AF_INET, buffer=4096):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.socket.listen(1)
        self.port = self.socket.getsockname()[1]
        self.data = b""
        self.arrivals = []
        self.thread = threading.Thread(target=self.run, args=(behaviour,), daemon=True)
        self.thread.start()

    def run(self, behaviour):
        connection, _ = self.socket.accept()
        self.socket.close()
        behaviour(self, connection)
        connection.close()

    def read_all(self, connection, most=None):
        while most is None or len(self.data) < most:
            data = connection.recv(4096 if most is None else most - len(self.data))
            if not data:
                return
            self.data += data
            self.arrivals.append((time.monotonic(), len(self.data)))

    def result(self):
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.data


@pytest.mark.parametrize("family,form", [(socket.AF_INET, "tcp:127.0.0.1:{}"), (socket.AF_INET6, "tcp:[::1]:{}"),
                                         (socket.AF_INET, "tcp:localhost:{}")])
def test_over_tcp(many, family, form):
    if "localhost" in form:
        try:
            socket.getaddrinfo("localhost", None)
        except socket.gaierror:
            pytest.skip("this machine does not know the name localhost")
    collector = Collector(Collector.read_all, family)
    observe("-i", many, "--format", "ipfix", "--output", form.format(collector.port))
    records, _ = read(collector.result())
    assert_same_flows(records, flows_of(many))


def test_a_collector_that_refuses(many):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        done = observe("-i", many, "--format", "ipfix", "--output", f"tcp:127.0.0.1:{taken.getsockname()[1]}", code=1)
    assert b"cannot connect to collector 127.0.0.1 port " in done.stderr and b"Connection refused" in done.stderr
    assert done.stdout == b""


@pytest.mark.parametrize("host,said", [("127.99.98.97", "127.99.98.97"), ("[::1]", "::1")])
def test_the_port_that_nobody_named(many, host, said):
    """4739 is IANA's; whoever has one there is asked to leave this test alone."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as taken:
        try:
            taken.bind((said, 4739))  # and does not listen
        except OSError:
            pytest.skip("port 4739 is taken")
        done = observe("-i", many, "--format", "ipfix", "--output", f"tcp:{host}", code=1)
    assert f"cannot connect to collector {said} port 4739: Connection refused" in done.stderr.decode()


def test_an_input_that_cannot_be_read_does_not_bother_the_collector():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        output = f"tcp:127.0.0.1:{server.getsockname()[1]}"
        observe("-i", "/no/such/file", "--format", "ipfix", "--output", output, code=1)
        with pytest.raises(TimeoutError):
            server.accept()


def reset(_, connection):
    connection.recv(1)  # not while it still connects
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def close_at_once(_, connection):
    connection.recv(1)


def read_some_and_reset(collector, connection):
    collector.read_all(connection, most=20000)
    reset(collector, connection)


def read_some_and_close(collector, connection):
    collector.read_all(connection, most=20000)


@pytest.mark.parametrize("behaviour", [reset, close_at_once, read_some_and_reset, read_some_and_close])
def test_a_collector_that_goes_away(many, behaviour):
    collector = Collector(behaviour)
    done = observe("-i", many, "--format", "ipfix", "--output", f"tcp:127.0.0.1:{collector.port}", code=1)
    assert f"collector 127.0.0.1 port {collector.port} ".encode() in done.stderr
    assert b"flows from here on are lost" in done.stderr


def die_with_the_message_unread(_, connection):
    connection.recv(1, socket.MSG_PEEK)
    time.sleep(0.3)


@pytest.mark.parametrize("behaviour", [lambda *_: None, die_with_the_message_unread])
def test_a_collector_that_goes_away_before_the_last_message(tmp_path, behaviour):
    """All fits into one message, which is sent at the end: TCP takes it, and nobody reads it."""
    path = tmp_path / "one.pcap"
    path.write_bytes(p.pcap(CAPTURES["ipv4"]))
    collector = Collector(behaviour, buffer=65536)  # its host confirms all of it
    done = observe("-i", str(path), "--format", "ipfix", "--output", f"tcp:127.0.0.1:{collector.port}", code=1)
    assert b"flows from here on are lost" in done.stderr


def test_a_collector_that_is_slow(many):
    def slowly(collector, connection):
        while True:
            time.sleep(0.01)
            data = connection.recv(16384)
            if not data:
                return
            collector.data += data

    collector = Collector(slowly)
    observe("-i", many, "--format", "ipfix", "--output", f"tcp:127.0.0.1:{collector.port}")
    assert len(read(collector.result())[0]) == 700


def test_nothing_is_held_back():
    """A flow that has ended reaches the collector within a second or two, though more is to come."""
    collector = Collector(Collector.read_all)
    command = [PROGRAM, "observe", "-q", "-i", "-", "--format", "ipfix", "--output", f"tcp:127.0.0.1:{collector.port}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        later = [(60000, p.udp(*V4, 1, 2, 3))]
        process.stdin.write(p.pcap(CAPTURES["ipv4"] + later))
        process.stdin.flush()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not read_whole(collector.data):
            time.sleep(0.1)
        assert len(read_whole(collector.data)) == 1
        process.stdin.close()
        assert process.wait(20) == 0
    assert len(read(collector.result())[0]) == 2


def read_whole(data):
    try:
        return read(data)[0]
    except ipfix.Broken:  # the end of a message is still on its way
        return []


@pytest.mark.parametrize("output,words", [
    ("tcp:", "names no collector"), ("tcp:a:b:c", "names no collector"), ("tcp:[::1", "names no collector"),
    ("tcp:[::1]x", "names no collector"), ("tcp:host:", "names no collector"), ("tcp::4739", "names no collector"),
    ("tcp:no-such-host.invalid:4739", "collector no-such-host.invalid port 4739: "), ("/", "Is a directory"),
    ("/no/such/folder/f", "No such file"), ("/dev/full", "no space left")])
def test_where_it_cannot_go(many, output, words):
    done = observe("-i", many, "--format", "ipfix", "--output", output, code=1)
    assert words in done.stderr.decode(), done.stderr


def test_a_reader_that_ends(many):
    with subprocess.Popen([PROGRAM, "observe", "-q", "-i", many, "--format", "ipfix"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdout.close()
        message = process.stderr.read()
        assert process.wait(20) == 1
    assert b"the program that read it has ended" in message


def test_the_chains_are_implied(tmp_path):
    path = tmp_path / "one.pcap"
    path.write_bytes(p.pcap(CAPTURES["ipv4"]))
    plain = read(observe("-i", str(path), "--format", "ipfix").stdout)[0]
    assert plain == read(observe("-i", str(path), "--format", "ipfix", "meter", "basic").stdout)[0]
    assert b"ipfix: basic and meter" in observe("--help").stdout


def test_the_example_writes_ndjson(many, tmp_path):
    path = tmp_path / "flows.ipfix"
    observe("-i", many, "--format", "ipfix", "--output", str(path))
    script = os.path.join(TOP, "examples", "ipfix2ndjson.py")
    done = subprocess.run([script, str(path)], capture_output=True, check=True, timeout=60)
    assert [json.loads(line) for line in done.stdout.splitlines()] == read(path.read_bytes())[0]
    path.write_bytes(path.read_bytes()[:-7])
    done = subprocess.run([script, str(path)], capture_output=True, check=False, timeout=60)
    assert done.returncode == 1 and b"the file ends in a message" in done.stderr
