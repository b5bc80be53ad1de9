/* SPDX-License-Identifier: GPL-3.0-or-later
 * Written by hand: pcap_dump cannot say that a write failed. Layout:
 * draft-ietf-opsawg-pcap, sections 4 and 5, host byte order. */
#include "net/pcapout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/link.h"

#define PCAP_MAGIC_NS 0xa1b23c4du
#define PCAP_SNAPLEN  262144u /* the most that libpcap takes */
#define SLL_BYTES     16u
#define SLL_RECEIVED  0u
#define SLL_SENT      4u
#define ARPHRD_OURS   0xfffeu /* ARPHRD_NONE: before any link layer */
#define ARPHRD_HOSTS  1u      /* captured at an interface */
#define BUFFER_BYTES  (256 * 1024)

struct pcapout {
    FILE *file;
    int error; /* errno of the first write that failed, or 0 */
    char *path;
    char *buffer;
};

static void put(struct pcapout *p, const void *bytes, size_t n)
{
    if (p->error != 0)
        return;
    errno = 0;
    if (fwrite(bytes, 1, n, p->file) != n)
        p->error = errno != 0 ? errno : EIO;
}

static void put_header(struct pcapout *p)
{
    const uint16_t version[2] = {2, 4};
    const uint32_t magic = PCAP_MAGIC_NS;
    const uint32_t rest[4] = {0, 0, PCAP_SNAPLEN, WIRE_LINK_SLL};
    put(p, &magic, sizeof magic);
    put(p, version, sizeof version);
    put(p, rest, sizeof rest);
}

static void release(struct pcapout *p)
{
    free(p->buffer);
    free(p->path);
    free(p);
}

int pcapout_open(struct pcapout **out, const char *path, struct rs_err *err)
{
    struct pcapout *p = calloc(1, sizeof *p);
    *out = NULL;
    if (p == NULL || (p->path = strdup(path)) == NULL ||
        (p->buffer = malloc(BUFFER_BYTES)) == NULL) {
        if (p != NULL)
            release(p);
        return rs_fail(err, RS_ENOMEM, "no memory to write the capture file");
    }
    p->file = fopen(path, "wbe");
    if (p->file == NULL) {
        int why = errno;
        release(p);
        return rs_fail_errno(err, why, "cannot write the capture file '%.120s'", path);
    }
    setvbuf(p->file, p->buffer, _IOFBF, BUFFER_BYTES);
    put_header(p);
    *out = p;
    return 0;
}

/* LINKTYPE_LINUX_SLL: packet type, ARPHRD, address length, address (8), protocol. */
static void put_sll(struct pcapout *p, const uint8_t *ip, size_t n, enum trace_way way)
{
    unsigned type = way == TRACE_IN ? SLL_RECEIVED : SLL_SENT;
    unsigned hardware = way == TRACE_HOST ? ARPHRD_HOSTS : ARPHRD_OURS;
    bool ip6 = n > 0 && ip[0] >> 4 == 6;
    const uint8_t header[SLL_BYTES] = {[1] = (uint8_t)type,
                                       [2] = (uint8_t)(hardware >> 8),
                                       [3] = (uint8_t)hardware,
                                       [14] = ip6 ? 0x86 : 0x08,
                                       [15] = ip6 ? 0xdd : 0x00};
    put(p, header, sizeof header);
}

int pcapout_write(struct pcapout *p, const uint8_t *ip, size_t n, rs_wall at, enum trace_way way)
{
    int64_t second = (int64_t)RS_SEC;
    uint32_t whole = n < UINT32_MAX - SLL_BYTES ? (uint32_t)n : UINT32_MAX - SLL_BYTES;
    uint32_t kept = whole < PCAP_SNAPLEN - SLL_BYTES ? whole : PCAP_SNAPLEN - SLL_BYTES;
    const uint32_t record[4] = {(uint32_t)(at.ns / second), (uint32_t)(at.ns % second),
                                kept + SLL_BYTES, whole + SLL_BYTES};
    put(p, record, sizeof record);
    put_sll(p, ip, n, way);
    put(p, ip, kept);
    return p->error != 0 ? -RS_ESYS : 0;
}

void pcapout_flush(struct pcapout *p)
{
    if (fflush(p->file) != 0 && p->error == 0)
        p->error = errno;
}

int pcapout_close(struct pcapout *p, struct rs_err *err)
{
    if (p == NULL)
        return 0;
    if (fclose(p->file) != 0 && p->error == 0)
        p->error = errno;
    int result = 0;
    if (p->error != 0)
        result = -(int)RS_ESYS;
    if (result != 0)
        rs_fail_errno(err, p->error, "the capture file '%.120s' is not whole", p->path);
    release(p);
    return result;
}
