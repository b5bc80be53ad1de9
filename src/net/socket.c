/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net/socket_int.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>

int socket_drop_all(int fd)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &nothing};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
        return -errno;
    return 0;
}

int socket_fail_raw(struct rs_err *err, int errno_value, const char *what)
{
    if (errno_value == EPERM || errno_value == EACCES)
        return rs_fail(err, RS_EPERM,
                       "cannot open %s: CAP_NET_RAW is missing; run as root, or `setcap "
                       "cap_net_raw+ep` on the program's file, or start the container with "
                       "`--cap-add NET_RAW`",
                       what);
    return rs_fail_errno(err, errno_value, "cannot open %s", what);
}

socklen_t socket_address(struct sockaddr_storage *out, const struct wire_addr *addr, unsigned scope)
{
    memset(out, 0, sizeof *out);
    if (addr->family == 4) {
        struct sockaddr_in *v4 = (void *)out;
        v4->sin_family = AF_INET;
        memcpy(&v4->sin_addr, addr->bytes, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (void *)out;
    v6->sin6_family = AF_INET6;
    memcpy(&v6->sin6_addr, addr->bytes, 16);
    if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr))
        v6->sin6_scope_id = scope;
    return sizeof *v6;
}
