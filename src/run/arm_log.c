/* SPDX-License-Identifier: GPL-3.0-or-later
 * The arm log as text: what a replay needs besides the packets. arm_log_read.c reads it back. */
#include <string.h>

#include "run/flow_text.h"
#include "run/record.h"
#include "tcpstate/tcp.h"

void arm_log_attempt(struct record *r,
                     const struct record_facts *facts,
                     const char *arm_name,
                     const struct arm_log *log)
{
    record_begin(r, NULL, NULL);
    record_str(r, "plugin", facts->plugin);
    record_uint(r, "line", log->line);
    record_strn(r, "input", facts->text, facts->bytes);
    record_attempt(r, arm_name, log);
    record_uint(r, "attempt", log->number);
    record_uint(r, "port", log->port);
    record_uint(r, "rerun", log->rerun);
    flow_text_address(r, "sip", &log->tuple.src);
    flow_text_address(r, "dip", &log->tuple.dst);
    record_uint(r, "dp", log->tuple.dport);
    record_uint(r, "proto", log->tuple.proto);
    record_time(r, "planned", log->planned);
    record_time(r, "sent", log->sent);
    record_time(r, "deadline", log->deadline);
    record_time(r, "ended", log->ended);
    record_uint(r, "drops_from", log->drops_from);
    record_uint(r, "drops_to", log->drops_to);
    record_uint(r, "packets_from", log->packets_from);
    record_uint(r, "packets_to", log->packets_to);
    record_uint(r, "packets", log->packets);
    record_bool(r, "exchange_complete", log->exchange_complete);
    record_uint(r, "exchange_status", log->exchange_status);
    record_uint(r, "body_bytes", log->body_bytes);
    record_open_array(r, "events");
    for (uint64_t bit = 1; bit <= log->tcp_events && bit <= UINT32_MAX; bit <<= 1)
        if (log->tcp_events & bit)
            record_str(r, NULL, tcp_event_name((enum tcp_event)bit));
    record_close(r);
}

/* JSON text cannot hold bytes that are no text. */
static void input_member(struct record *r, const struct record_facts *facts)
{
    if (facts->is_json) {
        record_strn(r, "input", facts->text, facts->bytes);
        return;
    }
    char hex[256];
    record_open_array(r, "input_hex");
    for (size_t at = 0; at < facts->bytes;) {
        size_t n = 0;
        for (; n + 2 <= sizeof hex && at < facts->bytes; at++) {
            hex[n++] = "0123456789abcdef"[(unsigned char)facts->text[at] >> 4];
            hex[n++] = "0123456789abcdef"[facts->text[at] & 15];
        }
        record_strn(r, NULL, hex, n);
    }
    record_close(r);
}

void arm_log_target(struct record *r, const struct record_facts *facts)
{
    record_begin(r, NULL, NULL);
    record_str(r, "plugin", facts->plugin);
    record_uint(r, "line", facts->line);
    input_member(r, facts);
    record_str(r, "target", facts->refusal == NULL ? "measured" : "refused");
    if (facts->refusal != NULL)
        record_str(r, "condition", facts->refusal);
    flow_text_address(r, "sip", &facts->sip);
    flow_text_address(r, "dip", &facts->dip);
    record_uint(r, "dp", facts->dport);
    record_time(r, "from", facts->from);
    record_time(r, "to", facts->to);
    record_str(r, "vantage", facts->vantage);
    record_str(r, "problem", facts->problem);
    record_uint(r, "attempts", facts->attempts);
    record_uint(r, "rounds", facts->rounds);
    record_bool(r, "confirm", facts->confirm); /* how sure a verdict must be rests on it */
    record_bool(r, "flows", facts->flows);
}
