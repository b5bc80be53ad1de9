/* SPDX-License-Identifier: GPL-3.0-or-later
 * The interface that is measured through, as it stands at the start. Read only: rtnetlink dumps and
 * one ethtool ioctl that asks. Later changes of routes and addresses are net/route.h's business. */
#ifndef RS_NET_IFACE_H
#define RS_NET_IFACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/addr.h"

struct iface {
    char name[IF_NAMESIZE];
    int index;
    int link;     /* WIRE_LINK_ETHERNET, or WIRE_LINK_RAW where packets have no link header that we
                     would write (tun, ppp, wireguard, other tunnels) */
    bool has_mac; /* true for Ethernet only */
    uint8_t mac[6];
    uint32_t mtu; /* bytes of an IP packet */
    bool up;      /* administratively up, and with carrier */
    bool loopback;
    bool noarp;             /* Ethernet without neighbour discovery: frames go to our own MAC, as
                               the kernel does it */
    struct wire_addr addr4; /* the first primary address, best scope first; family 0: none */
    struct wire_addr addr6; /* global before link-local; not deprecated, not temporary where there
                               is a choice; never tentative. What a packet to one destination bears
                               is router_lookup's answer, not this. */
    bool gro;               /* generic receive offload is on; false also where it cannot be asked */
};

/* `name` NULL: the interface of the default route, IPv4's first, then IPv6's. Fills `out` and
 * returns 0; -RS_ENOENT (no such interface; the text lists those that exist; or no default route),
 * -RS_EINVAL (it is down, has no carrier, or has no address), -RS_ESYS. */
int iface_open(struct iface *out, const char *name, struct rs_err *err);

/* Whether the kernel takes `a` as an address of this host (by bind; nothing is sent). */
bool iface_is_own_address(const struct wire_addr *a);

#endif
