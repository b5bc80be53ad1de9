/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/updates.h"

#include <stdio.h>

#include "io/record.h"

uint64_t updates_retransmitted(const struct engine_counters *c)
{
    return c->syn_retransmissions + c->data_retransmissions + c->fin_retransmissions;
}

/* Names: of the total, and what stands before -last-one-sec and -avg-per-sec, where ZMap is not of
 * one mind. */
#define COUNTERS(X)                                                                                \
    X("records-total", "records", p->records)                                                      \
    X("sent-total", "sent", p->counters->packets_sent)                                             \
    X("sent-bytes-total", "sent-bytes", p->counters->bytes_sent)                                   \
    X("recv-total", "recv-total", p->counters->packets_received)                                   \
    X("recv-bytes-total", "recv-bytes", p->counters->bytes_received)                               \
    X("pcap-drop-total", "drop", p->kernel_dropped)                                                \
    X("iface-drop-total", "iface-drop", p->iface_dropped)                                          \
    X("sendto-fail-total", "sendto-fail", p->counters->send_errors)                                \
    X("sendto-retry-total", "sendto-retry", p->sendto_retries)                                     \
    X("retransmitted-total", "retransmitted", updates_retransmitted(p->counters))                  \
    X("unmatched-total", "unmatched", p->counters->unmatched)

static const char *const names[][2] = {
#define X(total, by_second, value) {total, by_second},
    COUNTERS(X)
#undef X
};
_Static_assert(sizeof names / sizeof names[0] == UPDATES_COUNTERS, "a counter has no room");

size_t updates_header(char *to)
{
    size_t n = (size_t)snprintf(to, UPDATES_LINE_BYTES,
                                "real-time,time-elapsed,lines-read,lines-resumed,in-flight");
    for (size_t i = 0; i < UPDATES_COUNTERS; i++)
        n += (size_t)snprintf(to + n, UPDATES_LINE_BYTES - n, ",%s,%s-last-one-sec,%s-avg-per-sec",
                              names[i][0], names[i][1], names[i][1]);
    to[n++] = '\n';
    return n;
}

static double per_second(uint64_t count, double seconds)
{
    return seconds > 0 ? (double)count / seconds : 0;
}

/* The last line may come a moment after the one before: then what is new stands as it is. */
static double since(double from, double to)
{
    return to - from > 1 ? to - from : 1;
}

/* At most 20 digits a number and 40 for a rate: a line has room for all of them. */
size_t updates_line(struct updates *u, const struct measure_progress *p, rs_wall now, char *to)
{
    const uint64_t value[] = {
#define X(total, by_second, value) value,
        COUNTERS(X)
#undef X
    };
    char time[RECORD_PUT_BYTES];
    size_t quoted = (size_t)(record_put_time(time, now) - time); /* or null */
    bool known = time[0] == '"';
    size_t n = (size_t)snprintf(
        to, UPDATES_LINE_BYTES, "%.*s,%.3f,%llu,%llu,%u", (int)(known ? quoted - 2 : 0), time + 1,
        p->elapsed, (unsigned long long)p->lines, (unsigned long long)p->resumed, p->in_flight);
    for (size_t i = 0; i < UPDATES_COUNTERS; i++) {
        uint64_t more = value[i] > u->last[i] ? value[i] - u->last[i] : 0;
        n += (size_t)snprintf(
            to + n, UPDATES_LINE_BYTES - n, ",%llu,%.0f,%.0f", (unsigned long long)value[i],
            per_second(more, since(u->last_elapsed, p->elapsed)), per_second(value[i], p->elapsed));
        u->last[i] = value[i];
    }
    u->last_elapsed = p->elapsed;
    to[n++] = '\n';
    return n;
}
