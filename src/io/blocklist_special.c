/* SPDX-License-Identifier: GPL-3.0-or-later
 * The built-in list: every block that the IANA IPv4 and IPv6 Special-Purpose Address Registries
 * (RFC 6890, RFC 8190; state of October 2025) do not call globally reachable, and multicast.
 * 192.0.0.0/24 and 2001::/23 are taken whole, also the few anycast addresses in them that are
 * reachable: they are infrastructure, not hosts to be measured. examples/blocklist.conf holds the
 * same entries, and a test compares the two. */
#include "io/blocklist_int.h"

/* clang-format off */
const struct blocklist_entry blocklist_special[] = {
    {"0.0.0.0/8",          "RFC 791: This network"},
    {"10.0.0.0/8",         "RFC 1918: Private-Use"},
    {"100.64.0.0/10",      "RFC 6598: Shared Address Space"},
    {"127.0.0.0/8",        "RFC 1122: Loopback"},
    {"169.254.0.0/16",     "RFC 3927: Link Local"},
    {"172.16.0.0/12",      "RFC 1918: Private-Use"},
    {"192.0.0.0/24",       "RFC 6890: IETF Protocol Assignments"},
    {"192.0.2.0/24",       "RFC 5737: Documentation (TEST-NET-1)"},
    {"192.88.99.0/24",     "RFC 7526: Deprecated 6to4 Relay Anycast"},
    {"192.168.0.0/16",     "RFC 1918: Private-Use"},
    {"198.18.0.0/15",      "RFC 2544: Benchmarking"},
    {"198.51.100.0/24",    "RFC 5737: Documentation (TEST-NET-2)"},
    {"203.0.113.0/24",     "RFC 5737: Documentation (TEST-NET-3)"},
    {"224.0.0.0/4",        "RFC 5771: Multicast"},
    {"240.0.0.0/4",        "RFC 1112: Reserved, and RFC 919: Limited Broadcast"},
    {"::/128",             "RFC 4291: Unspecified Address"},
    {"::1/128",            "RFC 4291: Loopback Address"},
    {"::ffff:0.0.0.0/96",  "RFC 4291: IPv4-mapped Address"},
    {"64:ff9b:1::/48",     "RFC 8215: IPv4-IPv6 Translation, local use"},
    {"100::/64",           "RFC 6666: Discard-Only Address Block"},
    {"100:0:0:1::/64",     "RFC 9780: Dummy IPv6 Prefix"},
    {"2001::/23",          "RFC 2928: IETF Protocol Assignments"},
    {"2001:db8::/32",      "RFC 3849: Documentation"},
    {"2002::/16",          "RFC 3056: 6to4"},
    {"3fff::/20",          "RFC 9637: Documentation"},
    {"5f00::/16",          "RFC 9602: Segment Routing (SRv6) SIDs"},
    {"fc00::/7",           "RFC 4193: Unique-Local"},
    {"fe80::/10",          "RFC 4291: Link-Local Unicast"},
    {"ff00::/8",           "RFC 4291: Multicast"},
    {NULL, NULL},
};
/* clang-format on */
