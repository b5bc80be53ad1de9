/* SPDX-License-Identifier: GPL-3.0-or-later
 * What handshake.c and host.c need of each other. */
#ifndef VINTERNET_HOST_H
#define VINTERNET_HOST_H

#include "vinternet.h"

void handshake_init(uint32_t mtu, uint32_t seed);
/* A SYN; f is what the table has of its flow, or NULL. */
void handshake_syn(struct flow *f,
                   const struct packet *p,
                   const struct class *class,
                   uint32_t hash);
/* Fills *f by what the acknowledgment number tells of the connection. False: it is none of ours. */
bool handshake_rebuild(struct flow *f,
                       const struct packet *p,
                       const struct class *class,
                       uint32_t hash);

uint32_t host_answer_len(const struct flow *f);
uint32_t host_end(const struct flow *f); /* sequence number of our FIN */
void host_ack(struct flow *f);
/* Into the table, out of it, or neither, as there is need. has_moved: the timer starts anew. */
void host_settle(struct flow *f, bool has_moved);

#endif
