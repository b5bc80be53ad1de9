/* SPDX-License-Identifier: GPL-3.0-or-later
 * Words for states and events, for traces, logs and test failures. */
#include "tcpstate/tcp.h"

static const char *const state_name[TCP_NSTATES] = {
    [TCP_CLOSED] = "CLOSED",           [TCP_SYN_SENT] = "SYN-SENT",
    [TCP_ESTABLISHED] = "ESTABLISHED", [TCP_FIN_WAIT_1] = "FIN-WAIT-1",
    [TCP_FIN_WAIT_2] = "FIN-WAIT-2",   [TCP_CLOSING] = "CLOSING",
    [TCP_TIME_WAIT] = "TIME-WAIT",     [TCP_CLOSE_WAIT] = "CLOSE-WAIT",
    [TCP_LAST_ACK] = "LAST-ACK",
};

static const struct {
    enum tcp_event event;
    const char *name;
} event_name[] = {
    {TCP_EV_ESTABLISHED, "established"},
    {TCP_EV_REFUSED, "refused"},
    {TCP_EV_RESET, "reset"},
    {TCP_EV_BAD_SYNACK, "bad_synack"},
    {TCP_EV_CHALLENGED, "challenged"},
    {TCP_EV_ACKED, "acked"},
    {TCP_EV_DELIVERED, "delivered"},
    {TCP_EV_PEER_FIN, "peer_fin"},
    {TCP_EV_CLOSED, "closed"},
    {TCP_EV_SYN_TIMEOUT, "syn_timeout"},
    {TCP_EV_GAVE_UP, "gave_up"},
    {TCP_EV_ECE, "ece"},
    {TCP_EV_CE, "ce"},
    {TCP_EV_CWR, "cwr"},
    {TCP_EV_RETRANSMITTED, "retransmitted"},
    {TCP_EV_ABORTED, "aborted"},
    {TCP_EV_REASM_FULL, "reasm_full"},
};

const char *tcp_state_name(enum tcp_state s)
{
    return (unsigned)s < TCP_NSTATES ? state_name[s] : "?";
}

const char *tcp_event_name(enum tcp_event e)
{
    for (size_t i = 0; i < sizeof event_name / sizeof *event_name; i++)
        if (event_name[i].event == e)
            return event_name[i].name;
    return "?";
}
