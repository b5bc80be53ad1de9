/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/pcapout.h"

/* libpcap reads back what we wrote: link type, nanoseconds, bytes. */
static void there_and_back(void **state)
{
    char path[] = "/tmp/rawspider-pcapout-XXXXXX", text[PCAP_ERRBUF_SIZE];
    struct pcapout *p;
    struct rs_err err;
    struct pcap_pkthdr *h;
    const u_char *bytes;
    (void)state;
    close(mkstemp(path));
    assert_int_equal(pcapout_open(&p, path, &err), 0);
    assert_int_equal(pcapout_write(p, (const uint8_t *)"\x45hello", 6,
                                   (rs_wall){1700000000123456789}, TRACE_SENT),
                     0);
    assert_int_equal(
        pcapout_write(p, (const uint8_t *)"\x60x", 2, (rs_wall){1700000001000000001}, TRACE_HOST),
        0);
    assert_int_equal(pcapout_close(p, &err), 0);
    pcap_t *in = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, text);
    assert_non_null(in);
    assert_int_equal(pcap_datalink(in), DLT_LINUX_SLL);
    assert_int_equal(pcap_next_ex(in, &h, &bytes), 1);
    assert_int_equal(h->caplen, 16 + 6);
    assert_int_equal(h->ts.tv_sec, 1700000000);
    assert_int_equal(h->ts.tv_usec, 123456789);
    assert_memory_equal(bytes, "\0\4\xff\xfe\0\0\0\0\0\0\0\0\0\0\x08\0\x45hello", 16 + 6);
    assert_int_equal(pcap_next_ex(in, &h, &bytes), 1);
    assert_int_equal(h->ts.tv_usec, 1);
    assert_memory_equal(bytes, "\0\4\0\1\0\0\0\0\0\0\0\0\0\0\x86\xdd\x60x", 16 + 2);
    assert_int_equal(pcap_next_ex(in, &h, &bytes), PCAP_ERROR_BREAK);
    pcap_close(in);
    unlink(path);
}

static void a_full_disk_is_told(void **state)
{
    static uint8_t packet[60000] = {0x45};
    struct pcapout *p;
    struct rs_err err;
    (void)state;
    assert_int_equal(pcapout_open(&p, "/dev/full", &err), 0);
    int result = 0;
    for (int i = 0; i < 10; i++)
        result = pcapout_write(p, packet, sizeof packet, (rs_wall){1}, TRACE_IN);
    assert_int_equal(result, -RS_ESYS);
    assert_int_equal(pcapout_close(p, &err), -RS_ESYS);
    assert_non_null(strstr(err.text, "No space left"));
    assert_non_null(strstr(err.text, "/dev/full"));
    assert_int_equal(pcapout_open(&p, "/dev/full", &err), 0); /* seen at the close at the latest */
    assert_int_equal(pcapout_write(p, packet, 60, (rs_wall){1}, TRACE_IN), 0);
    assert_int_equal(pcapout_close(p, &err), -RS_ESYS);
}

static void a_bad_path_is_told(void **state)
{
    struct pcapout *p;
    struct rs_err err;
    (void)state;
    assert_true(pcapout_open(&p, "/nonexistent/x.pcap", &err) < 0);
    assert_null(p);
    assert_non_null(strstr(err.text, "/nonexistent/x.pcap"));
    assert_int_equal(pcapout_close(NULL, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(a_bad_path_is_told),
    };
    return cmocka_run_group_tests_name("net/pcapout", tests, NULL, NULL);
}
