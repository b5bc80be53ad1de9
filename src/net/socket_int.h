/* SPDX-License-Identifier: GPL-3.0-or-later
 * Small acts on sockets that several files of src/net share. */
#ifndef RS_NET_SOCKET_INT_H
#define RS_NET_SOCKET_INT_H

#include <sys/socket.h>

#include "base/err.h"
#include "wire/addr.h"

/* Lets the socket receive nothing: a classic BPF program that accepts 0 bytes. 0 or -errno. */
int socket_drop_all(int fd);

/* The error for a raw socket that could not be opened: for EPERM and EACCES it says how to get the
 * privilege. Returns -RS_EPERM or -RS_ESYS. */
int socket_fail_raw(struct rs_err *err, int errno_value, const char *what);

/* Fills a socket address (port 0) and returns its length. `scope` is used for IPv6 link-local
 * destinations. */
socklen_t socket_address(struct sockaddr_storage *out,
                         const struct wire_addr *addr,
                         unsigned scope);

#endif
