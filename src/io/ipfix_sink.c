/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where IPFIX messages go. A collector is spoken to in the plainest way (RFC 7011 10.4): connect,
 * write, close. It never answers, so bytes from it are thrown away, and an end or an error from it
 * is looked for before each write: TCP would take the next message all the same, and lose it. */
#include "io/ipfix_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 10000
#define STALL_MS   30000 /* a collector that takes nothing for so long */
#define CLOSE_MS   10000 /* to confirm the last bytes */
#define LINGER_MS  2000  /* to close its side, once all is confirmed */
#define LOOK_MS    20
#define IPFIX_PORT "4739" /* RFC 7011 10.3.3 */

static int fail_errno(struct ipfix_sink *s, int errno_value, const char *what, struct rs_err *err)
{
    rs_fail_errno(err, errno_value, "collector %s %s; flows from here on are lost", s->peer, what);
    return s->failed = -(int)RS_ESYS;
}

static int fail(struct ipfix_sink *s, const char *what, struct rs_err *err)
{
    rs_fail(err, RS_ESYS, "collector %s %s; flows from here on are lost", s->peer, what);
    return s->failed = -(int)RS_ESYS;
}

/* 0, or the errno of a connection that did not come about. */
static int connect_to(int fd, const struct addrinfo *to)
{
    int error = 0;
    socklen_t size = sizeof error;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS && errno != EINTR)
        return errno;
    int ready = poll(&p, 1, CONNECT_MS);
    if (ready <= 0)
        return ready == 0 ? ETIMEDOUT : errno;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

static int connect_any(struct ipfix_sink *s, const char *host, const char *port, struct rs_err *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list;
    int error = getaddrinfo(host, port, &hints, &list);
    if (error != 0)
        return rs_fail(err, RS_ENOENT, "collector %s: %s", s->peer,
                       error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
    for (const struct addrinfo *to = list; to != NULL && s->fd < 0; to = to->ai_next) {
        int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        error = fd < 0 ? errno : connect_to(fd, to);
        if (error == 0)
            s->fd = fd;
        else if (fd >= 0)
            close(fd);
    }
    freeaddrinfo(list);
    if (s->fd >= 0)
        return 0;
    rs_fail_errno(err, error, "cannot connect to collector %s", s->peer);
    return -(int)RS_ESYS;
}

/* HOST, HOST:PORT, [ADDRESS], [ADDRESS]:PORT */
static int split(char *host, const char **port)
{
    *port = IPFIX_PORT;
    char *end = host;
    if (host[0] == '[') {
        end = strchr(host, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return -1;
        memmove(host, host + 1, strlen(host)); /* with its end */
        end[-1] = '\0';
        if (end[0] == ':')
            *port = end + 1;
        return host[0] != '\0' && **port != '\0' ? 0 : -1;
    }
    end = strchr(host, ':');
    if (end != NULL) {
        *end = '\0';
        *port = end + 1;
    }
    return host[0] != '\0' && **port != '\0' && strchr(*port, ':') == NULL ? 0 : -1;
}

int ipfix_sink_open(struct ipfix_sink *s, const char *destination, struct rs_err *err)
{
    char host[sizeof s->peer];
    const char *port;
    *s = (struct ipfix_sink){.fd = -1};
    if (destination == NULL || strncmp(destination, "tcp:", 4) != 0)
        return output_open(&s->output, destination, false, err);
    int n = snprintf(host, sizeof host, "%s", destination + 4);
    if (n >= (int)sizeof host || split(host, &port) != 0)
        return rs_fail(err, RS_EINVAL,
                       "'%.100s' names no collector: tcp:HOST:PORT is expected, or "
                       "tcp:[IPV6]:PORT",
                       destination);
    snprintf(s->peer, sizeof s->peer, "%.250s port %.12s", host, port); /* as it was understood */
    return connect_any(s, host, port, err);
}

/* 0 while the collector is there, 1 when it has closed its side. */
static int look(struct ipfix_sink *s, struct rs_err *err)
{
    char thrown_away[512];
    for (;;) {
        ssize_t n = recv(s->fd, thrown_away, sizeof thrown_away, MSG_DONTWAIT);
        if (n == 0)
            return 1;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (n < 0 && errno != EINTR)
            return fail_errno(s, errno, "broke the connection", err);
    }
}

static int send_all(struct ipfix_sink *s, const char *bytes, size_t n, struct rs_err *err)
{
    int gone = look(s, err);
    if (gone != 0)
        return gone < 0 ? gone : fail(s, "closed the connection", err);
    while (n > 0) {
        struct pollfd p = {.fd = s->fd, .events = POLLOUT};
        ssize_t done = send(s->fd, bytes, n, MSG_NOSIGNAL);
        if (done >= 0) {
            bytes += done;
            n -= (size_t)done;
            s->bytes += (uint64_t)done;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (poll(&p, 1, STALL_MS) == 0)
                return fail(s, "has taken nothing for 30 seconds", err);
        } else if (errno != EINTR) {
            return fail_errno(s, errno, "broke the connection", err);
        }
    }
    return 0;
}

int ipfix_sink_write(struct ipfix_sink *s, const char *bytes, size_t n, struct rs_err *err)
{
    if (s->output != NULL)
        return output_write(s->output, bytes, n, err);
    return s->failed != 0 ? s->failed : send_all(s, bytes, n, err);
}

/* Until the collector has closed as well, or its host has confirmed all and it only dawdles: a
 * program that ended with bytes unread resets the connection at once. */
static int wait_for_end(struct ipfix_sink *s, struct rs_err *err)
{
    int waited = 0, confirmed = -1;
    shutdown(s->fd, SHUT_WR);
    while (waited <= CLOSE_MS) {
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        int queued = 0, ended = look(s, err);
        if (ended < 0)
            return ended;
        if (ioctl(s->fd, SIOCOUTQ, &queued) == 0 && queued == 0 && confirmed < 0)
            confirmed = waited;
        if (confirmed >= 0 && (ended == 1 || waited - confirmed >= LINGER_MS))
            return 0;
        poll(ended == 1 ? NULL : &p, ended == 1 ? 0 : 1, LOOK_MS);
        waited += LOOK_MS;
    }
    return fail(s, "has not confirmed the last messages", err);
}

int ipfix_sink_close(struct ipfix_sink *s, struct rs_err *err)
{
    if (s->output != NULL)
        return output_close(s->output, err);
    if (s->fd < 0)
        return 0;
    int rc = s->failed != 0 ? s->failed : wait_for_end(s, err);
    close(s->fd);
    return rc;
}
