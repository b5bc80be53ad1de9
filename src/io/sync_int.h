/* SPDX-License-Identifier: GPL-3.0-or-later
 * Brings a file to the disk without making its writer wait: a thread of its own, since a disk may
 * take longer over it than the capture's ring lasts. */
#ifndef RS_IO_SYNC_INT_H
#define RS_IO_SYNC_INT_H

struct sync;

/* For a file whose descriptor stays open until sync_end. NULL without memory. */
struct sync *sync_new(int fd);
/* What was written until now is to reach the disk. Requests that come while one is under way become
 * one. */
void sync_ask(struct sync *s);
/* 0, or the errno of the first request that failed. */
int sync_failed(struct sync *s);
/* Brings the rest to the disk, waits for it, and frees. As sync_failed. NULL is ignored (0). */
int sync_end(struct sync *s);

#endif
