#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPFIX to NDJSON: one object for each data record, its keys the names of information elements.

    rawspider observe -i capture.pcap --format ipfix | ipfix2ndjson.py
    ipfix2ndjson.py FILE...

Reads any IPFIX file (RFC 7011, RFC 5655). Elements that IANA does not have are named by the type
records in the file (RFC 5610); what nobody names is e_ENTERPRISE_NUMBER, in hexadecimal. Reverse
elements (RFC 5103) are named reverse... Says what is wrong with a file, and where; exit code 1."""

import argparse
import ipaddress
import json
import struct
import sys

REVERSE = 29305  # RFC 5103 6.1
OCTETS, U8, U16, U32, U64, I8, I16, I32, I64, F32, F64, BOOL, MAC, STRING, SEC, MS, US, NS, IP4, IP6 = range(20)
NTP_EPOCH = 2208988800

# IANA's IPFIX Information Elements, those that flow meters use most: number: name, type.
IANA = {
    1: ("octetDeltaCount", U64), 2: ("packetDeltaCount", U64), 4: ("protocolIdentifier", U8),
    5: ("ipClassOfService", U8), 6: ("tcpControlBits", U16), 7: ("sourceTransportPort", U16),
    8: ("sourceIPv4Address", IP4), 10: ("ingressInterface", U32), 11: ("destinationTransportPort", U16),
    12: ("destinationIPv4Address", IP4), 14: ("egressInterface", U32), 27: ("sourceIPv6Address", IP6),
    28: ("destinationIPv6Address", IP6), 32: ("icmpTypeCodeIPv4", U16), 52: ("minimumTTL", U8),
    53: ("maximumTTL", U8), 58: ("vlanId", U16), 60: ("ipVersion", U8), 85: ("octetTotalCount", U64),
    86: ("packetTotalCount", U64), 136: ("flowEndReason", U8), 139: ("icmpTypeCodeIPv6", U16), 145: ("templateId", U16),
    148: ("flowId", U64), 150: ("flowStartSeconds", SEC), 151: ("flowEndSeconds", SEC),
    152: ("flowStartMilliseconds", MS), 153: ("flowEndMilliseconds", MS), 154: ("flowStartMicroseconds", US),
    155: ("flowEndMicroseconds", US), 156: ("flowStartNanoseconds", NS), 157: ("flowEndNanoseconds", NS),
    161: ("flowDurationMilliseconds", U32), 176: ("icmpTypeIPv4", U8), 177: ("icmpCodeIPv4", U8),
    178: ("icmpTypeIPv6", U8), 179: ("icmpCodeIPv6", U8), 184: ("tcpSequenceNumber", U32), 210: ("paddingOctets", OCTETS),
    239: ("biflowDirection", U8), 303: ("informationElementId", U16), 339: ("informationElementDataType", U8),
    340: ("informationElementDescription", STRING), 341: ("informationElementName", STRING),
    342: ("informationElementRangeBegin", U64), 343: ("informationElementRangeEnd", U64),
    344: ("informationElementSemantics", U8), 345: ("informationElementUnits", U16),
    346: ("privateEnterpriseNumber", U32), 401: ("transportOctetDeltaCount", U64), 402: ("transportPacketDeltaCount", U64),
}


class Broken(Exception):
    """The bytes break the format."""


def reverse_name(name):
    return "reverse" + name[0].upper() + name[1:]


def decode(kind, raw):
    """The value of an element. Integers may be shorter than their type (RFC 7011 6.2)."""
    if kind in (U8, U16, U32, U64, SEC, MS):
        return int.from_bytes(raw, "big")
    if kind in (I8, I16, I32, I64):
        return int.from_bytes(raw, "big", signed=True)
    if kind in (F32, F64) and len(raw) in (4, 8):
        return struct.unpack("!f" if len(raw) == 4 else "!d", raw)[0]
    if kind == BOOL and raw in (b"\1", b"\2"):
        return raw == b"\1"
    if kind == STRING:
        return raw.decode("utf-8", "replace")
    if kind in (US, NS) and len(raw) == 8:  # RFC 7011 6.1.9: NTP's; nanoseconds since 1970
        seconds, fraction = struct.unpack("!II", raw)
        return (seconds - NTP_EPOCH) * 10**9 + (fraction * 10**9 >> 32)
    if (kind, len(raw)) in ((IP4, 4), (IP6, 16)):
        return str(ipaddress.ip_address(raw))
    if kind == MAC and len(raw) == 6:
        return raw.hex(":")
    return raw.hex()


class Reader:
    """Reads messages from a binary stream. `templates` {(domain, id): (scope fields, [(enterprise,
    number, length)])} and `types` {(enterprise, number): (name, type)} grow while it reads."""

    def __init__(self, stream):
        self.stream = stream
        self.templates = {}
        self.types = {}
        self.type_records = []
        self.sequence = {}
        self.messages = 0
        self.at = 0  # bytes read

    def take(self, n):
        data = b""
        while len(data) < n:
            more = self.stream.read(n - len(data))
            if not more:
                break
            data += more
        self.at += len(data)
        return data

    def fail(self, what):
        raise Broken(f"message {self.messages}, before byte {self.at}: {what}")

    def type_of(self, enterprise, number):
        """Name and type of an element; type None when nobody has told."""
        if enterprise == 0 and number in IANA:
            return IANA[number]
        if enterprise == REVERSE and number in IANA:
            return reverse_name(IANA[number][0]), IANA[number][1]
        return self.types.get((enterprise, number), (f"e_{enterprise}_{number}", None))

    def records(self):
        """Each data record, type records excepted, as {name: value}."""
        while True:
            head = self.take(16)
            if not head:
                return
            self.messages += 1
            if len(head) < 16:
                self.fail("the file ends in a message's header")
            version, length, _time, sequence, domain = struct.unpack("!HHIII", head)
            if version != 10:
                self.fail(f"version {version} is not IPFIX's, 10")
            if length < 16:
                self.fail(f"a length of {length} is less than the header's")
            body = self.take(length - 16)
            if len(body) != length - 16:
                self.fail("the file ends in a message")
            if self.sequence.setdefault(domain, sequence) != sequence:
                self.fail(f"sequence number {sequence}, expected {self.sequence[domain]}: records are missing")
            yield from self.message(domain, body)

    def message(self, domain, body):
        while body:
            if len(body) < 4:
                self.fail("a message ends in a set's header")
            number, length = struct.unpack_from("!HH", body)
            if not 4 <= length <= len(body):
                self.fail(f"set {number} has a length of {length}, {len(body)} are left")
            content, body = body[4:length], body[length:]
            if number in (2, 3):
                self.template_set(domain, content, number == 3)
            elif number >= 256:
                yield from self.data_set(domain, number, content)
            else:
                self.fail(f"set {number} is none of RFC 7011's")

    def template_set(self, domain, content, options):
        while len(content) >= 4:
            number, count = struct.unpack_from("!HH", content)
            content = content[4:]
            if number < 256:
                self.fail(f"template {number}: below 256")
            if count == 0:  # RFC 7011 8.1: withdrawn
                self.templates.pop((domain, number), None)
                continue
            scopes = 0
            if options:
                if len(content) < 2:
                    self.fail(f"options template {number} ends within its header")
                (scopes,) = struct.unpack_from("!H", content)
                content = content[2:]
                if not 1 <= scopes <= count:
                    self.fail(f"options template {number}: {scopes} scopes of {count} fields")
            fields = []
            for _ in range(count):
                if len(content) < 4:
                    self.fail(f"template {number} ends within its fields")
                element, length = struct.unpack_from("!HH", content)
                content = content[4:]
                enterprise = 0
                if element & 0x8000:
                    if len(content) < 4:
                        self.fail(f"template {number} ends within an enterprise number")
                    (enterprise,) = struct.unpack_from("!I", content)
                    content = content[4:]
                fields.append((enterprise, element & 0x7FFF, length))
            self.templates[domain, number] = (scopes, fields)
        if any(content):
            self.fail("a template set ends with something that is no padding")

    def data_set(self, domain, number, content):
        if (domain, number) not in self.templates:
            self.fail(f"a data set of template {number}, which was not sent before")
        _, fields = self.templates[domain, number]
        least = sum(1 if length == 0xFFFF else length for _, _, length in fields)
        if least == 0:
            self.fail(f"records of template {number} are empty")
        while len(content) >= least:
            record = {}
            for enterprise, element, length in fields:
                if length == 0xFFFF:  # RFC 7011 7
                    if not content:
                        self.fail(f"a record of template {number} ends before a field")
                    length, content = content[0], content[1:]
                    if length == 255:
                        length, content = int.from_bytes(content[:2], "big"), content[2:]
                if length > len(content):
                    self.fail(f"a record of template {number} ends within a field")
                name, kind = self.type_of(enterprise, element)
                raw, content = content[:length], content[length:]
                record[name] = raw.hex() if kind is None else decode(kind, raw)
            self.sequence[domain] = (self.sequence[domain] + 1) % 2**32
            if not self.learn(record):
                yield record
        if any(content):
            self.fail(f"a set of template {number} ends with something that is no padding")

    def learn(self, record):
        """RFC 5610 3: the type of an element."""
        if "informationElementDataType" not in record or "informationElementId" not in record:
            return False
        key = (record.get("privateEnterpriseNumber", 0), record["informationElementId"])
        self.types[key] = (record.get("informationElementName", ""), record["informationElementDataType"])
        self.type_records.append(record)
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", metavar="FILE", help="default: standard input")
    code = 0
    for name in parser.parse_args().files or ["-"]:
        try:
            with sys.stdin.buffer if name == "-" else open(name, "rb") as stream:
                for record in Reader(stream).records():
                    print(json.dumps(record))
        except (Broken, OSError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
