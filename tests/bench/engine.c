/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the engine costs without a network: crafting, parsing, tables, the TCP machine, verdicts,
 * JSON in and JSON out, against servers in memory.
 *
 *     engine N [WORKERS]   N targets of two connections each, half of them IPv6 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/input.h"
#include "sim/servers.h"

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static rs_mono clock_now(void)
{
    return (rs_mono){(uint64_t)(seconds(CLOCK_MONOTONIC) * 1e9)};
}

static void write_list(const char *path, unsigned n)
{
    FILE *f = fopen(path, "w");
    if (f == NULL)
        exit(1);
    for (unsigned i = 0; i < n; i++) {
        if (i % 2 == 0)
            fprintf(
                f,
                "{\"dip\":\"10.%u.%u.%u\",\"dp\":80,\"domain\":\"n%u.servers.test\",\"rank\":%u}\n",
                i >> 16 & 255, i >> 8 & 255, i & 255, i, i);
        else
            fprintf(
                f,
                "{\"dip\":\"fd00::%x:%x\",\"dp\":80,\"domain\":\"n%u.servers.test\",\"rank\":%u}\n",
                i >> 16, i & 0xffff, i, i);
    }
    fclose(f);
}

int main(int argc, char **argv)
{
    unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 100000;
    unsigned workers = argc > 2 ? (unsigned)atoi(argv[2]) : 1000;
    char path[] = "/tmp/engine-bench-XXXXXX";
    static uint16_t ports[4000];
    struct rs_err err = {""};
    struct input *in;
    struct servers *c = malloc(sizeof *c);
    struct engine_ops ops;
    for (unsigned i = 0; i < 4000; i++)
        ports[i] = (uint16_t)(61000 + i);
    if (c == NULL || mkstemp(path) < 0)
        return 1;
    write_list(path, n);
    if (input_open(&in, path, INPUT_NDJSON, &err) != 0)
        return 1;
    servers_init(c, &ops, clock_now());
    struct engine_config config = {.plugin = plugin_find("ecn"),
                                   .exchange = exchange_find("http"),
                                   .ports = ports,
                                   .n_ports = 4000,
                                   .targets_most = workers,
                                   .timeout_ns = 10 * RS_SEC,
                                   .confirm = 2,
                                   .confirm_delay_ns = 3 * RS_SEC,
                                   .seed = 1,
                                   .secret = {1, 2},
                                   .user_agent = "rawspider/bench"};
    if (engine_new(&c->engine, &config, &ops, c->now, &err) != 0) {
        fprintf(stderr, "engine: %s\n", err.text);
        return 1;
    }
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), began = seconds(CLOCK_MONOTONIC);
    struct job job;
    bool more = true;
    while (more || !engine_idle(c->engine)) {
        for (unsigned i = 0; i < 64 && more && engine_has_room(c->engine); i++) {
            more = input_next(in, &job) == 0;
            if (more)
                engine_add(c->engine, &job);
        }
        servers_turn(c, clock_now());
    }
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    const struct engine_counters *k = engine_counters(c->engine);
    printf("{\"targets\":%u,\"exchanges\":%llu,\"wrong\":%llu,\"syn_retransmissions\":%llu,"
           "\"cpu_us_exchange\":%.3f,\"wall\":%.3f,\"packets\":%llu}\n",
           n, (unsigned long long)k->exchanges, (unsigned long long)c->wrong,
           (unsigned long long)k->syn_retransmissions, cpu / (2.0 * n) * 1e6,
           seconds(CLOCK_MONOTONIC) - began, (unsigned long long)c->packets);
    engine_free(c->engine);
    input_free(in);
    free(c);
    unlink(path);
    return 0;
}
