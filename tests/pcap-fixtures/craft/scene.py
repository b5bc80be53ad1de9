# SPDX-License-Identifier: GPL-3.0-or-later
"""The vocabulary of fixtures: a scene has a client and a server in one family; connections in it
know their sequence numbers and time stamps, so that a fixture says only what is special.

    c = Tcp(s); c.syn("EW"); c.synack("E"); c.ack()
    c.get(cp="ect0"); c.answer(3, "ect0"); c.close()

The capture is made at the client: what gets lost on the way to the server is in it, what gets lost
on the way to the client is not. `bits` are the letters of AE, CWR and ECE: N, W, E."""

import struct

import packets

CLIENT, SERVER = "client", "server"
MS = 10**6
RTT = 20 * MS
REQUEST = b"GET / HTTP/1.1\r\nHost: fixture.test\r\nConnection: close\r\n\r\n"


def collection(prefix=""):
    """A decorator that notes fixtures, and its notes: a list of (name, function, form, link)."""
    noted = []

    def fixture(form="ns", link="raw"):
        def note(function):
            noted.append((prefix + function.__name__, function, form, link))
            return function

        return note

    return fixture, noted


class Scene:
    def __init__(self, family):
        self.family = family
        four = family == 4
        self.client = "192.0.2.10" if four else "2001:db8:1::10"
        self.server = "198.51.100.80" if four else "2001:db8:2::80"
        self.router = "203.0.113.1" if four else "2001:db8:3::1"
        self.now = 1_700_000_000 * 10**9
        self.packets = []  # (nanoseconds, bytes, from the client)
        self._ports = iter(range(40001, 41000))
        self._last = None

    def port(self):
        return next(self._ports)

    def wait(self, seconds):
        self.now += round(seconds * 10**9)

    def put(self, side, packet, seen=True):
        """Answers come a round trip later, more of the same side soon, the client's at once."""
        if side != self._last:
            self.now += RTT if side == SERVER else MS // 20
        else:
            self.now += MS // 10
        self._last = side
        if seen:
            self.packets.append((self.now, packet, side == CLIENT))

    def ip(self, side, proto, payload, **header):
        ends = (self.client, self.server) if side == CLIENT else (self.server, self.client)
        header.setdefault("ttl", 64 if side == CLIENT else 57)
        return packets.ip(*ends, proto, payload, **header)

    def icmp(self, kind, code, quoted, source=None, quoted_bytes=None, **header):
        """An error about a packet of the client's."""
        source = source or self.router
        proto, data = packets.icmp_error(source, self.client, kind, code, quoted, quoted_bytes)
        header.setdefault("ttl", 63)
        self.put(SERVER, packets.ip(source, self.client, proto, data, **header))

    def prohibited(self, quoted, **how):
        """Administratively prohibited: RFC 1812 5.2.7.1, RFC 4443 3.1."""
        self.icmp(*((3, 13) if self.family == 4 else (1, 1)), quoted, **how)

    def time_exceeded(self, quoted, **how):
        self.icmp(*((11, 0) if self.family == 4 else (3, 0)), quoted, **how)


class Tcp:
    """One connection; several may run at a time. ttl: of the server's packets."""

    def __init__(self, scene, sport=None, dport=80, ts=True, ttl=57, server=None, mss=(1460, 1460)):
        self.scene, self.sport, self.dport = scene, sport or scene.port(), dport
        self.ts, self.ttl, self.mss = ts, ttl, mss
        self.server = server or scene.server
        start = 1000 * self.sport + len(scene.packets)
        self.next = {CLIENT: start, SERVER: start + 7_000_000}
        self.got = {CLIENT: 0, SERVER: 0}  # what each side has of the other, in order
        self.echo = {CLIENT: 0, SERVER: 0}
        self.ident = {CLIENT: 1, SERVER: 1}
        self.last = None  # the last packet, for errors that quote it

    def _stamp(self, side):
        now = self.scene.now // MS + (0 if side == CLIENT else 5_000_000)
        return now & 0xFFFFFFFF

    def send(self, side, flags, data=b"", cp="not", seq=None, ack=None, options=None, window=64240,
             arrives=True, seen=True, dscp=0, ttl=None, stamp=None, **header):  # fmt: skip
        """One segment. arrives=False: lost behind the capture point (the client's) or before it
        (the server's, then also seen=False). Returns its sequence number."""
        other = SERVER if side == CLIENT else CLIENT
        seq = self.next[side] if seq is None else seq
        if ack is None:
            ack = self.got[side] if "A" in flags else 0
        value = self._stamp(side) if stamp is None else stamp
        if options is None:
            options = packets.timestamp(value, self.echo[side]) if self.ts else b""
        src, dst = self.scene.client, self.server
        if side == SERVER:
            src, dst = dst, src
        ports = (self.sport, self.dport) if side == CLIENT else (self.dport, self.sport)
        segment = packets.tcp(src, dst, *ports, seq, ack, flags, options, data, window)
        header.setdefault("ident", self.ident[side])
        header["ttl"] = ttl or (64 if side == CLIENT else self.ttl)
        tos = dscp << 2 | packets.CODEPOINT[cp]
        self.last = packets.ip(src, dst, packets.TCP, segment, tos=tos, **header)
        self.scene.put(side, self.last, seen)
        self.ident[side] += 1
        end = seq + len(data) + ("S" in flags) + ("F" in flags)
        self.next[side] = max(self.next[side], end)
        if arrives and (seq == self.got[other] or "S" in flags):
            self.got[other] = end
        if arrives:
            self.echo[other] = value
        return seq

    def client(self, flags, data=b"", cp="not", **how):
        return self.send(CLIENT, flags, data, cp, **how)

    def reply(self, flags, data=b"", cp="not", **how):
        return self.send(SERVER, flags, data, cp, **how)

    # -- the handshake

    def syn_options(self, side):
        mss = self.mss[0 if side == CLIENT else 1]
        out = packets.mss(mss) if mss else b""
        out += packets.sack_permitted()
        if self.ts:
            stamp = packets.timestamp(self._stamp(side), self.echo[side])
            out += stamp[2:]  # the two bytes of sack_permitted() align it
        return out + packets.window_scale(7)

    def syn(self, bits="", **how):
        how.setdefault("options", self.syn_options(CLIENT))
        return self.client("S" + bits, **how)

    def syn_again(self, bits="", after=1, **how):
        self.scene.wait(after)
        return self.syn(bits, seq=self.next[CLIENT] - 1, **how)

    def synack(self, bits="", cp="not", **how):
        how.setdefault("options", self.syn_options(SERVER))
        return self.reply("SA" + bits, cp=cp, **how)

    def synack_again(self, bits="", after=1, **how):
        self.scene.wait(after)
        return self.synack(bits, seq=self.next[SERVER] - 1, **how)

    def ack(self, **how):
        return self.client("A", **how)

    def open(self, syn="", synack="", synack_cp="not", synack_ttl=None):
        self.syn(syn)
        self.synack(synack, cp=synack_cp, ttl=synack_ttl)
        self.ack()

    # -- the exchange

    def get(self, cp="not", **how):
        return self.client("PA", REQUEST, cp, **how)

    def answer(self, segments=3, cp="not", first=0):
        """New data, each segment with cp or, if that is a list, with its own, and acknowledged."""
        for number in range(segments):
            mark = cp if isinstance(cp, str) else cp[number]
            flags = "PA" if number == segments - 1 else "A"
            self.reply(flags, b"line %04d of the answer; " % (first + number) * 4, mark)
            self.ack()

    def close(self, fin_cp="not"):
        """The server first."""
        self.reply("FA", cp=fin_cp)
        self.client("FA")
        self.reply("A")

    def exchange(self, syn="", synack="", synack_cp="not", synack_ttl=None, request="not",
                 data="not", segments=3, fin_cp="not"):  # fmt: skip
        self.open(syn, synack, synack_cp, synack_ttl)
        self.get(request)
        self.answer(segments, data)
        self.close(fin_cp)
        return self


class Udp:
    """A question and its answer."""

    def __init__(self, scene, dport=53, sport=None):
        self.scene, self.sport, self.dport = scene, sport or scene.port(), dport
        self.last = None

    def send(self, side, data, zero_checksum=False, cp="not", dscp=0, **header):
        s = self.scene
        ends = (s.client, s.server) if side == CLIENT else (s.server, s.client)
        ports = (self.sport, self.dport) if side == CLIENT else (self.dport, self.sport)
        datagram = packets.udp(*ends, *ports, data, zero_checksum)
        tos = dscp << 2 | packets.CODEPOINT[cp]
        self.last = s.ip(side, packets.UDP, datagram, tos=tos, **header)
        s.put(side, self.last)

    def query(self, data, **how):
        self.send(CLIENT, data, **how)

    def reply(self, data, **how):
        self.send(SERVER, data, **how)


# -- the two arms of the ecn plugin, as they are when nothing is in the way; keywords change them


def plain(scene, sport=None, ttl=57, **how):
    return Tcp(scene, sport, ttl=ttl).exchange(**how)


def ecn(scene, sport=None, ttl=57, **how):
    how = {"syn": "EW", "synack": "E", "request": "ect0", "data": "ect0", **how}
    return Tcp(scene, sport, ttl=ttl).exchange(**how)


def unmarked(scene, **how):
    """The arm ecn towards a server that did not negotiate it."""
    return ecn(scene, **{"synack": "", "request": "not", "data": "not", **how})


def rounds(scene, one_plain, one_ecn, n=3):
    """Plain, ecn, then plain, ecn again: as many attempts of each arm."""
    for _ in range(n):
        one_plain(scene)
        scene.wait(0.5)
        one_ecn(scene)
        scene.wait(3)


def silence(scene, bits="", tries=3, sport=None):
    """SYNs at 0, 1 and 3 s, and nothing comes; three more seconds to be sure."""
    c = Tcp(scene, sport)
    c.syn(bits)
    for number in range(1, tries):
        c.syn_again(bits, after=number)
    scene.wait(3)
    return c


def refused(scene, bits="", ttl=57, sport=None):
    """RFC 9293 3.10.7.1: the RST to a SYN."""
    c = Tcp(scene, sport, ttl=ttl, ts=False)
    c.syn(bits)
    c.reply("RA", seq=0, ack=c.next[CLIENT])
    return c


# -- DNS (RFC 1035 4.1)


def dns(ident=0x1234, answer=False, rcode=0, question=True):
    name = b"\7fixture\4test\0" + struct.pack("!HH", 1, 1)
    flags = (0x8180 | rcode) if answer else 0x0100
    record = b"\xc0\x0c" + struct.pack("!HHIH4B", 1, 1, 60, 4, 192, 0, 2, 1)
    some = answer and rcode == 0
    head = struct.pack("!6H", ident, flags, int(question), int(some), 0, 0)
    return head + (name if question else b"") + (record if some else b"")
