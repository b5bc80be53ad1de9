/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire/segment.h"

#include "wire/view.h"

enum seg_class seg_classify(uint16_t flags, uint32_t payload_bytes)
{
    if (flags & TCP_RST)
        return SEG_RST;
    if (flags & TCP_SYN)
        return SEG_SYN;
    if (payload_bytes > 0)
        return SEG_DATA;
    return flags & TCP_FIN ? SEG_FIN : SEG_ACK;
}

const char *seg_class_name(enum seg_class c)
{
    static const char *const names[SEG_N] = {
        [SEG_SYN] = "syn", [SEG_ACK] = "ack", [SEG_DATA] = "data",
        [SEG_FIN] = "fin", [SEG_RST] = "rst", [SEG_UDP] = "udp",
    };
    return (unsigned)c < SEG_N ? names[c] : "?";
}
