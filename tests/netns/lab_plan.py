# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's plan: which boxes there are, what addresses they have, what they do to packets, and
which conditions a right measurement of them gives. All of it is data; nothing here touches the
system, so targets and expectations can be had without a lab being up (and without root).

Addresses. Only ranges that can never belong to a real host, so that a measurement started outside
the lab by mistake harms nobody:
  198.18.0.0/15 (RFC 2544) and 2001:2::/48 (RFC 5180) exist for benchmarks of network gear and hold
  the targets: 198.18.0.0/16 is the box "none" (65,536 addresses for the benchmark) and
  198.19.N.0/24 the box number N; 2001:2:0:N::/64 in IPv6, where "none" is number 0.
  192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24 (RFC 5737) and 2001:db8::/32 (RFC 3849) number the
  links between the machines of the lab.
"""

import ipaddress
from typing import NamedTuple

# SYNs as boxes tell them apart. nft calls ECE "ecn".
_ECN_SYN = "tcp flags & (syn | ack | ecn | cwr) == (syn | ecn | cwr)"
_PLAIN_SYN = "tcp flags & (syn | ack | ecn | cwr) == syn"
_ADMIN_PROHIBITED = "reject with icmpx admin-prohibited"

_WORKS = "ecn.connectivity.works"
_BROKEN = "ecn.connectivity.broken"
_OFFLINE = "ecn.connectivity.offline"
_SUCCEEDED = "ecn.negotiation.succeeded"
_REFLECTED = "ecn.negotiation.reflected"
_FAILED = "ecn.negotiation.failed"


def _marks(*seen):
    """The three ipmark conditions, of which those named are seen."""
    states = {cp: "seen" if cp in seen else "not_seen" for cp in ("ect0", "ect1", "ce")}
    return {f"ecn.ipmark.{cp}.{state}" for cp, state in states.items()}


_LIKE_NONE = {_WORKS, _SUCCEEDED} | _marks("ect0")


class Box(NamedTuple):
    """One middlebox. A rule is an nft statement for packets towards the server (forward) or towards
    the vantage point (reverse); "@IP" in it stands for ip and for ip6, one rule each."""

    name: str
    about: str
    base: set
    details: set = frozenset()
    forward: tuple = ()
    reverse: tuple = ()
    server: str = "srv"


class Expected(NamedTuple):
    """base: exactly these base conditions. details: at least these detail conditions."""

    base: frozenset
    details: frozenset


# The order numbers the boxes and so the prefixes; append, never insert.
BOXES = (
    Box("none", "nothing in the way, a whole /16 of it", _LIKE_NONE),
    Box(
        "ecn_off",
        "a server with ECN off",
        {_WORKS, _FAILED} | _marks(),
        server="srv0",
    ),
    Box(
        "syn_drop",
        "drops a SYN with ECE and CWR",
        {_BROKEN},
        {"ecn.connectivity.broken.how:syn_drop"},
        forward=(f"{_ECN_SYN} counter drop",),
    ),
    Box(
        "syn_rst",
        "answers a SYN with ECE and CWR by a RST",
        {_BROKEN},
        {"ecn.connectivity.broken.how:syn_rst"},
        forward=(f"{_ECN_SYN} counter reject with tcp reset",),
    ),
    Box(
        "syn_icmp",
        "answers a SYN with ECE and CWR by an ICMP error",
        {_BROKEN},
        {"ecn.connectivity.broken.how:syn_icmp"},
        forward=(f"{_ECN_SYN} counter {_ADMIN_PROHIBITED}",),
    ),
    Box(
        "silent",
        "drops everything",
        {_OFFLINE},
        {"ecn.connectivity.offline:timeout"},
        forward=("counter drop",),
    ),
    Box(
        "rst_all",
        "answers every TCP segment by a RST",
        {_OFFLINE},
        {"ecn.connectivity.offline:rst"},
        forward=("meta l4proto tcp counter reject with tcp reset",),
    ),
    Box(
        "icmp_all",
        "answers every packet by an ICMP error",
        {_OFFLINE},
        {"ecn.connectivity.offline:icmp"},
        forward=(f"counter {_ADMIN_PROHIBITED}",),
    ),
    Box(
        "plain_drop",
        "drops a plain SYN, lets a SYN with ECE and CWR pass",
        (_LIKE_NONE - {_WORKS}) | {"ecn.connectivity.transient"},
        {"ecn.connectivity.inverse"},
        forward=(f"{_PLAIN_SYN} counter drop",),
    ),
    Box(
        "flags_cleared",
        "clears ECE and CWR on the SYN",
        {_WORKS, _FAILED} | _marks(),
        # nft 1.0.6 cannot write "flags & mask" back, so each combination is named.
        forward=(
            "tcp flags == (syn | ecn | cwr) counter tcp flags set syn",
            "tcp flags == (syn | ecn) counter tcp flags set syn",
            "tcp flags == (syn | cwr) counter tcp flags set syn",
        ),
    ),
    Box(
        "reflected",
        "turns the SYN/ACK that accepts ECN into one with ECE and CWR, as a host that copies the "
        "reserved bits of the SYN would; the server behind it does mark its data ECT(0)",
        {_WORKS, _REFLECTED} | _marks("ect0"),
        reverse=(
            "tcp flags == (syn | ack | ecn) counter tcp flags set (syn | ack | ecn | cwr)",
        ),
    ),
    Box(
        "bleach_rev",
        "clears the ECN field towards the vantage point",
        {_WORKS, _SUCCEEDED} | _marks(),
        reverse=("@IP ecn != not-ect counter @IP ecn set not-ect",),
    ),
    Box(
        "all_ce_rev",
        "turns every ECT towards the vantage point into CE",
        {_WORKS, _SUCCEEDED} | _marks("ce"),
        reverse=("@IP ecn { ect0, ect1 } counter @IP ecn set ce",),
    ),
    Box(
        "ect1_rev",
        "turns ECT(0) towards the vantage point into ECT(1)",
        {_WORKS, _SUCCEEDED} | _marks("ect1"),
        reverse=("@IP ecn ect0 counter @IP ecn set ect1",),
    ),
    Box(
        "bleach_fwd",
        "clears the ECN field towards the server",
        _LIKE_NONE,
        forward=("@IP ecn != not-ect counter @IP ecn set not-ect",),
    ),
    Box(
        "ce_fwd",
        "turns every ECT towards the server into CE",
        _LIKE_NONE,
        forward=("@IP ecn { ect0, ect1 } counter @IP ecn set ce",),
    ),
    Box(
        "ect_data_drop",
        "drops packets towards the server that are marked ECT, which the handshake is not",
        _LIKE_NONE,
        {"ecn.data.blackhole.ect0"},
        forward=("@IP ecn { ect0, ect1 } counter drop",),
    ),
)

_NUMBER = {box.name: number for number, box in enumerate(BOXES)}


def box(name):
    try:
        return BOXES[_NUMBER[name]]
    except KeyError:
        raise ValueError(f"no box {name!r}; there are: {', '.join(_NUMBER)}") from None


def prefix(name, family):
    """The network that a box's targets live in."""
    number = _NUMBER[box(name).name]
    if family == 6:
        return ipaddress.ip_network(f"2001:2:0:{number:x}::/64")
    return ipaddress.ip_network(f"198.19.{number}.0/24" if number else "198.18.0.0/16")


def expected(name):
    return Expected(frozenset(box(name).base), frozenset(box(name).details))


def address(name, index, family):
    """Address number index of a box. Counts from .1 on; the IPv4 prefix's own .0, a good address
    here but an odd one to look at, comes last. IPv6 stops where IPv4 would have to for "none"."""
    network = prefix(name, family)
    size = min(network.num_addresses, 65536)
    if not 0 <= index < size:
        raise ValueError(f"box {name} has {size} IPv{family} addresses, there is no number {index}")
    return str(network[(index + 1) % size if family == 4 else index + 1])


def targets(name, count, family=None):
    """Job lines (as dictionaries) for count addresses of a box in one family, or in each."""
    return [
        {
            "dip": address(name, index, fam),
            "dp": 80,
            "domain": f"n{index}.{name.replace('_', '-')}.ipv{fam}.test",
            "box": name,
        }
        for index in range(count)
        for fam in ((family,) if family else (4, 6))
    ]


def _chain(name, rules):
    lines = []
    for rule in rules:
        lines += [rule.replace("@IP", ip) for ip in (("ip", "ip6") if "@IP" in rule else ("ip",))]
    return f"\tchain {name} {{\n" + "".join(f"\t\t{line}\n" for line in lines) + "\t}\n"


def nft_rules():
    """The router's rules: one chain for each box and direction, found by one map lookup on the
    target's address, so that the many packets of "none" do not walk through the other boxes."""
    chains, maps, lookups = "", "", ""
    for way, field in (("forward", "daddr"), ("reverse", "saddr")):
        boxes = [b for b in BOXES if getattr(b, way)]
        chains += "".join(_chain(f"{way}_{b.name}", getattr(b, way)) for b in boxes)
        for family, ip, kind in ((4, "ip", "ipv4_addr"), (6, "ip6", "ipv6_addr")):
            elements = ",\n".join(
                f"\t\t\t{prefix(b.name, family)} : jump {way}_{b.name}" for b in boxes
            )
            maps += (
                f"\tmap {way}{family} {{\n\t\ttype {kind} : verdict\n\t\tflags interval\n"
                f"\t\telements = {{\n{elements}\n\t\t}}\n\t}}\n"
            )
            lookups += f"\t\t{ip} {field} vmap @{way}{family}\n"
    hook = "\t\ttype filter hook forward priority filter; policy accept;\n"
    return f"table inet lab {{\n{chains}{maps}\tchain boxes {{\n{hook}{lookups}\t}}\n}}\n"
