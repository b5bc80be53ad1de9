/* SPDX-License-Identifier: GPL-3.0-or-later
 * vinternet: options, the loop, the counters. */
#include "vinternet.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

static const char usage[] =
    "usage: vinternet -i IFACE [OPTIONS]       answers until SIGTERM or SIGINT\n"
    "       vinternet --list                   the classes, with what is true of each (NDJSON)\n"
    "       vinternet --targets [--count N] [--class NAME] [--family 4|6|both] [--seed N]\n"
    "  --body BYTES       of each answer, behind its head (300)\n"
    "  --mtu BYTES        of what it sends, 128 to 1900 (1500)\n"
    "  --loss-in PERCENT, --loss-out PERCENT\n"
    "                     of the packets that it gets and sends are lost at random\n"
    "  --loss-log FILE    a line for each TCP packet lost so: address, port, the client's port,\n"
    "                     in or out, flags (hexadecimal), sequence and acknowledgment number,\n"
    "                     bytes of payload\n"
    "  --flows LOG2       room in its table of flows (17: 131,072)\n"
    "  --seed N           of losses, sequence numbers and the order of targets (1)\n"
    "At the end, and at SIGUSR1, its counters go to stderr as one line of JSON.\n";

struct counters counters;
uint32_t now_ms;
static uint64_t random_state;
static volatile sig_atomic_t stop, report;

uint64_t random64(void) /* xorshift64* */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static void read_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    now_ms = (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

static void on_signal(int number)
{
    if (number == SIGUSR1)
        report = 1;
    else
        stop = 1;
}

static void input(const uint8_t *frame, uint32_t len, bool csum_ready)
{
    struct packet p;

    if (len >= ETH_BYTES && get16(frame + 12) == 0x0806) {
        control_arp(frame, len);
        return;
    }
    if (!packet_parse(&p, frame, len)) {
        counters.malformed++;
        return;
    }
    if (control_input(&p))
        return;
    if (packet_parse_tcp(&p, csum_ready))
        host_input(&p, class_of(p.dst, p.v6));
}

static void print_counters(void)
{
    fprintf(stderr, "{\"flows\":%zu", flow_count());
#define PRINT(name) fprintf(stderr, ",\"" #name "\":%" PRIu64, counters.name);
    COUNTERS(PRINT)
#undef PRINT
    fprintf(stderr, "}\n");
}

static void run(void)
{
    struct sigaction act = {.sa_handler = on_signal};

    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGUSR1, &act, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    fprintf(stderr, "vinternet: answering\n");
    while (!stop) {
        read_clock();
        flow_expire(host_expired);
        link_turn(flow_count() ? 4 : 100, input);
        if (report) {
            report = 0;
            print_counters();
        }
    }
    link_close();
    print_counters();
}

/* -- options ------------------------------------------------------------------------------------
 */

struct options {
    struct link_options link;
    struct truth_options truth;
    const char *loss_log;
    uint64_t body, mtu, flows, seed;
    bool list, targets;
};

static bool to_number(const char *text, double most, double *value)
{
    char *end;

    errno = 0;
    *value = strtod(text, &end);
    return end != text && !*end && !errno && *value >= 0 && *value <= most;
}

static bool take_number(struct options *o, int key, const char *text)
{
    double most = key == 'l' || key == 'L' ? 100 : key == 'F' ? 24 : key == 'm' ? 1900 : 1e8, v;

    if (key == 's')
        most = UINT32_MAX;
    if (!to_number(text, most, &v))
        return false;
    switch (key) {
    case 'l':
        o->link.loss_in = v / 100;
        return true;
    case 'L':
        o->link.loss_out = v / 100;
        return true;
    case 'b':
        o->body = (uint64_t)v;
        return true;
    case 'm':
        o->mtu = (uint64_t)v;
        return v >= 128;
    case 'F':
        o->flows = (uint64_t)v;
        return v >= 1;
    case 's':
        o->seed = (uint64_t)v;
        return true;
    case 'n':
        o->truth.count = (uint32_t)v;
        return true;
    default:
        return false;
    }
}

static bool take_family(struct options *o, const char *text)
{
    if (strcmp(text, "4") && strcmp(text, "6") && strcmp(text, "both"))
        return false;
    o->truth.family = atoi(text); /* of "both" it is 0 */
    return true;
}

static bool take_options(struct options *o, int argc, char **argv)
{
    static const struct option names[] = {
        {"list", 0, NULL, 'c'},      {"targets", 0, NULL, 't'},  {"count", 1, NULL, 'n'},
        {"class", 1, NULL, 'C'},     {"family", 1, NULL, 'f'},   {"seed", 1, NULL, 's'},
        {"body", 1, NULL, 'b'},      {"mtu", 1, NULL, 'm'},      {"loss-in", 1, NULL, 'l'},
        {"loss-out", 1, NULL, 'L'},  {"loss-log", 1, NULL, 'w'}, {"flows", 1, NULL, 'F'},
        {"interface", 1, NULL, 'i'}, {"help", 0, NULL, 'h'},     {NULL, 0, NULL, 0}};
    int key;

    while ((key = getopt_long(argc, argv, "i:h", names, NULL)) != -1) {
        bool good = true;

        if (key == 'h') {
            fputs(usage, stdout);
            exit(0);
        } else if (key == 'c') {
            o->list = true;
        } else if (key == 't') {
            o->targets = true;
        } else if (key == 'i') {
            o->link.interface = optarg;
        } else if (key == 'C') {
            o->truth.class = optarg;
        } else if (key == 'w') {
            o->loss_log = optarg;
        } else if (key == 'f') {
            good = take_family(o, optarg);
        } else {
            good = key != '?' && take_number(o, key, optarg);
            if (!good && key == '?')
                return false;
        }
        if (!good) {
            fprintf(stderr, "vinternet: %s: not a good value\n", optarg);
            return false;
        }
    }
    return optind == argc && (o->list || o->targets || o->link.interface);
}

int main(int argc, char **argv)
{
    struct options o = {.body = 300, .mtu = 1500, .flows = 17, .seed = 1, .truth = {.count = 100}};

    if (!take_options(&o, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    random_state = (o.seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    if (o.list)
        return truth_list();
    if (o.targets)
        return truth_targets(&o.truth);
    read_clock();
    if (o.loss_log && !(o.link.loss_log = fopen(o.loss_log, "w"))) {
        fprintf(stderr, "vinternet: %s: %s\n", o.loss_log, strerror(errno));
        return 1;
    }
    if (!host_init(o.body, (uint32_t)o.mtu, (uint32_t)o.seed) || !flow_init((unsigned)o.flows)) {
        fprintf(stderr, "vinternet: no memory\n");
        return 1;
    }
    if (!link_open(&o.link))
        return 1;
    run();
    return 0;
}
