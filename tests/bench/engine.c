/* SPDX-License-Identifier: GPL-3.0-or-later
 * What measuring costs without a network: JSON in, engine, crafting, parsing, tables, the TCP
 * machine, verdicts, JSON out, against servers in memory.
 *
 *     engine N [IN_FLIGHT [THREADS]]   N targets of two connections each, half of them IPv6 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "io/input.h"
#include "net/clock.h"
#include "run/crew.h"
#include "sim/memory_worker.h"

#define JOBS_A_TURN 512u

static const char right[] =
    "\"conditions\":[\"ecn.connectivity.works\",\"ecn.negotiation.succeeded\","
    "\"ecn.ipmark.ect0.seen\",\"ecn.ipmark.ect1.not_seen\",\"ecn.ipmark.ce.not_seen\"]";

struct bench {
    struct input *in;
    struct crew *crew;
    struct loop *loop;
    bool more;
    uint64_t given, records, wrong;
};

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void write_list(const char *path, unsigned n)
{
    FILE *f = fopen(path, "w");
    if (f == NULL)
        exit(1);
    for (unsigned i = 0; i < n; i++) {
        fprintf(f, "{\"dip\":\"");
        if (i % 2 == 0)
            fprintf(f, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
        else
            fprintf(f, "fd00::%x:%x", i >> 16, i & 0xffff);
        fprintf(f, "\",\"dp\":80,\"domain\":\"n%u.servers.test\",\"rank\":%u}\n", i, i);
    }
    fclose(f);
}

static void on_record(void *ctx, const char *text, size_t n)
{
    struct bench *b = ctx;
    b->records++;
    b->wrong += memmem(text, n, right, sizeof right - 1) == NULL;
}

static void on_text(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "engine: %s\n", text);
}

static void on_wake(void *ctx)
{
    (void)ctx;
}

static void on_turn(void *ctx)
{
    struct bench *b = ctx;
    struct reader_job next = {.refusal = NULL};
    rs_mono now = clock_mono();
    for (unsigned i = 0; i < JOBS_A_TURN && b->more && crew_has_room(b->crew); i++) {
        b->more = input_next(b->in, &next.job) == 0;
        if (b->more && crew_give(b->crew, &next) == 0)
            b->given++;
    }
    rs_mono at = crew_turn(b->crew, now);
    if (crew_rests(b->crew, now, !b->more)) {
        loop_stop(b->loop);
        return;
    }
    loop_wake_at(b->loop, b->more && crew_has_room(b->crew) ? now : at);
}

int main(int argc, char **argv)
{
    unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 100000;
    struct memory_options memory = {.in_flight = argc > 2 ? (unsigned)atoi(argv[2]) : 1000};
    char path[] = "/tmp/engine-bench-XXXXXX";
    struct rs_err err = {""};
    struct bench b = {.more = true};
    struct crew_config config = {
        .kind = &worker_of_memory,
        .kind_ctx = &memory,
        .threads = argc > 3 ? (unsigned)atoi(argv[3]) : 1,
        .in_flight = memory.in_flight,
        .secret = {1, 2},
        .ops = {
            .ctx = &b, .record = on_record, .notice = on_text, .trace = on_text, .fail = on_text}};
    if (mkstemp(path) < 0)
        return 1;
    write_list(path, n);
    int rc = input_open(&b.in, path, INPUT_NDJSON, &err);
    unlink(path);
    if (rc == 0 && (b.loop = loop_new(&err)) == NULL)
        rc = -RS_ESYS;
    if (rc == 0)
        rc = crew_open(&b.crew, &config, &err);
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), began = seconds(CLOCK_MONOTONIC);
    if (rc == 0)
        rc = crew_start(b.crew, b.loop, &err);
    if (rc != 0) {
        fprintf(stderr, "engine: %s\n", err.text);
        return 1;
    }
    loop_on_turn(b.loop, on_turn, &b);
    loop_on_wake(b.loop, on_wake, &b);
    loop_wake_at(b.loop, clock_mono());
    loop_run(b.loop);
    struct worker_counts counts;
    crew_counts(b.crew, &counts);
    double wall = seconds(CLOCK_MONOTONIC) - began;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    uint64_t exchanges = counts.engine.exchanges;
    printf("{\"threads\":%u,\"targets\":%u,\"records\":%llu,\"exchanges\":%llu,\"wrong\":%llu,"
           "\"cpu_us_exchange\":%.3f,\"wall\":%.3f,\"exchanges_s\":%.0f}\n",
           config.threads, n, (unsigned long long)b.records, (unsigned long long)exchanges,
           (unsigned long long)b.wrong, cpu / (double)exchanges * 1e6, wall,
           (double)exchanges / wall);
    crew_free(b.crew);
    loop_free(b.loop);
    input_free(b.in);
    return b.records == n && b.wrong == 0 ? 0 : 1;
}
