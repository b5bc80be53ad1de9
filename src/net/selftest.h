/* SPDX-License-Identifier: GPL-3.0-or-later
 * Proves at the start that the guard works on this kernel: a stray SYN/ACK sent over loopback to a
 * guarded port must draw no RST, and the same to a closed port must draw one (the control, without
 * which silence would prove nothing). IPv4 and IPv6, as far as loopback has them. */
#ifndef RS_NET_SELFTEST_H
#define RS_NET_SELFTEST_H

#include <stdint.h>

#include "base/err.h"

/* Takes at most about 20 ms a family, usually far less. Needs CAP_NET_RAW. 0: proved for each
 * family that loopback has; -RS_EPROTO: the kernel answered for the guarded port (do not go on);
 * -RS_EAGAIN: could not be tried (loopback is down, or a firewall there keeps RSTs in), or holds
 * only for packets that passed a router (GUARD_TTL): say so and go on; -RS_EPERM, -RS_ESYS. The
 * text says what happened in each case but 0. */
int selftest_guard(uint16_t guarded_port, struct rs_err *err);

#endif
