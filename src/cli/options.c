/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

struct option_row {
    const char *name;
    int letter;        /* 0: long only */
    const char *value; /* NULL: takes none */
    const char *help;
    bool (*set)(struct measure_options *o, struct options_ui *ui, const char *text);
};

static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end;
    errno = 0;
    if (text[0] < '0' || text[0] > '9')
        return false;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || v < least || v > most)
        return false;
    *out = v;
    return true;
}

static bool seconds(const char *text, double least, double most, double *out)
{
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(v >= least && v <= most))
        return false;
    *out = v;
    return true;
}

#define SET(name)                                                                                  \
    static bool set_##name(struct measure_options *o, struct options_ui *ui, const char *text)
#define UNUSED_UI (void)ui
#define FLAG_OPTION(name, statement)                                                               \
    SET(name)                                                                                      \
    {                                                                                              \
        (void)o, (void)ui, (void)text;                                                             \
        statement;                                                                                 \
        return true;                                                                               \
    }
#define TEXT_OPTION(name)                                                                          \
    SET(name)                                                                                      \
    {                                                                                              \
        UNUSED_UI;                                                                                 \
        o->name = text;                                                                            \
        return text[0] != '\0';                                                                    \
    }

#define SECONDS_OPTION(name, least)                                                                \
    SET(name)                                                                                      \
    {                                                                                              \
        UNUSED_UI;                                                                                 \
        return seconds(text, least, 3600, &o->name);                                               \
    }
#define ADDRESS_OPTION(name)                                                                       \
    SET(name)                                                                                      \
    {                                                                                              \
        UNUSED_UI;                                                                                 \
        return wire_addr_parse(text, &o->name) == 0;                                               \
    }

TEXT_OPTION(interface)
TEXT_OPTION(input)
TEXT_OPTION(output)
TEXT_OPTION(blocklist)
TEXT_OPTION(metadata)
TEXT_OPTION(updates)
TEXT_OPTION(vantage)
TEXT_OPTION(pcap_out)
SECONDS_OPTION(confirm_delay, 0)
SECONDS_OPTION(gap, 0)
SECONDS_OPTION(timeout, 0.1)
ADDRESS_OPTION(source)
ADDRESS_OPTION(trace)
FLAG_OPTION(csv_input, o->csv_input = true)
FLAG_OPTION(output_flows, o->output_flows = true)
FLAG_OPTION(resume, o->resume = true)
FLAG_OPTION(ip_layer, o->ip_layer = true)
FLAG_OPTION(visible, o->visible = true)
FLAG_OPTION(dryrun, o->dryrun = true)
FLAG_OPTION(same_flow, o->same_flow = true)
FLAG_OPTION(quiet, ui->quiet = true)
FLAG_OPTION(verbose, ui->verbose = true)

SET(contact) /* goes into the User-Agent: no control characters, no parentheses that end the comment
              */
{
    UNUSED_UI;
    o->contact = text;
    for (const char *p = text; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~' || *p == '(' || *p == ')')
            return false;
    return text[0] != '\0' && strlen(text) < 160;
}

SET(targets_most)
{
    UNUSED_UI;
    uint64_t v;
    bool ok = number(text, 1, 4000000, &v);
    o->targets_most = ok ? (unsigned)v : 1;
    return ok;
}

SET(rate)
{
    UNUSED_UI;
    return number(text, 0, 100000000, &o->rate);
}

SET(max_targets)
{
    UNUSED_UI;
    return number(text, 1, UINT64_MAX / 2, &o->max_targets);
}

SET(seed)
{
    UNUSED_UI;
    o->has_seed = true;
    return number(text, 0, UINT64_MAX, &o->seed);
}

SET(confirm)
{
    UNUSED_UI;
    uint64_t v;
    bool ok = number(text, 0, 4, &v);
    o->confirm = ok ? (unsigned)v : 0;
    return ok;
}

SET(gateway_mac)
{
    UNUSED_UI;
    unsigned b[6];
    int n = 0;
    o->has_gateway_mac = true;
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &n) !=
            6 ||
        text[n] != '\0')
        return false;
    for (int i = 0; i < 6; i++)
        o->gateway_mac[i] = (uint8_t)b[i];
    return true;
}

SET(source_port)
{
    UNUSED_UI;
    char first[8];
    const char *dash = strchr(text, '-');
    uint64_t from, to;
    size_t n = dash == NULL ? strlen(text) : (size_t)(dash - text);
    if (n >= sizeof first)
        return false;
    memcpy(first, text, n);
    first[n] = '\0';
    if (!number(first, 1024, 65535, &from) ||
        !number(dash == NULL ? first : dash + 1, from, 65535, &to))
        return false;
    o->port_from = (uint16_t)from;
    o->port_to = (uint16_t)to;
    return true;
}

SET(order)
{
    UNUSED_UI;
    static const char *const names[] = {
        [ORDER_RANDOM] = "random", [ORDER_AB] = "ab", [ORDER_BA] = "ba"};
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            o->order = (enum engine_order)i;
            return true;
        }
    return false;
}

SET(connect)
{
    UNUSED_UI;
    o->exchange = exchange_find(text);
    return o->exchange != NULL;
}

static const struct option_row rows[] = {
    {"interface", 'i', "IFACE", "send and capture here (default: the default route's)",
     set_interface},
    {"input", 0, "FILE", "targets; default standard input; may be compressed", set_input},
    {"csv-input", 0, NULL, "the input is CSV: dip,dp,domain[,rank]", set_csv_input},
    {"output", 0, "FILE", "records; default standard output", set_output},
    {"resume", 0, NULL, "go on with the --output FILE of a run that ended early", set_resume},
    {"output-flows", 0, NULL, "add flow_results, a flow record for each arm", set_output_flows},
    {"workers", 'w', "N", "targets in flight at once (10000)", set_targets_most},
    {"rate", 'r', "PPS", "packets a second (1000); 0: as fast as the path bears", set_rate},
    {"blocklist-file", 'b', "FILE",
     "addresses to leave alone; default /etc/rawspider/blocklist.conf, else the IANA special "
     "ranges; none: no list",
     set_blocklist},
    {"source-ip", 'S', "ADDR", "source address of its family", set_source},
    {"gateway-mac", 'G', "MAC", "the gateway's, instead of asking", set_gateway_mac},
    {"iplayer", 'X', NULL, "send through the host's IP layer: tunnels, stateful firewalls",
     set_ip_layer},
    {"max-targets", 'n', "N", "read no more than N targets (exit code 3 when there were more)",
     set_max_targets},
    {"quiet", 'q', NULL, "no progress line", set_quiet},
    {"verbose", 'v', NULL, "progress also without a terminal, every message", set_verbose},
    {"source-port", 's', "A-B", "source ports to use (61000-65535, less those taken)",
     set_source_port},
    {"seed", 'e', "N", "makes order and port choice repeatable", set_seed},
    {"dryrun", 'd', NULL, "print the first packets that would go, send nothing", set_dryrun},
    {"pcap-out", 0, "FILE", "write all packets to FILE (pcap), the arm log to FILE.arms.ndjson",
     set_pcap_out},
    {"confirm", 0, "N", "rounds of A, B, A before a difference is said (2)", set_confirm},
    {"confirm-delay", 0, "S", "seconds before each of them (3)", set_confirm_delay},
    {"order", 0, "ORDER", "of the arms: random, ab or ba (random)", set_order},
    {"same-flow", 0, NULL, "arms one after the other on one source port", set_same_flow},
    {"gap", 0, "S", "seconds between them (1)", set_gap},
    {"metadata-file", 'm', "FILE", "counters and settings as one JSON object, at the end",
     set_metadata},
    {"status-updates-file", 'u', "FILE", "counters as CSV, a line a second", set_updates},
    {"contact", 0, "URL", "who measures: in the User-Agent and the metadata", set_contact},
    {"vantage", 0, "NAME", "name of this vantage point, for the records", set_vantage},
    {"visible", 0, NULL, "let tcpdump on this host see what is sent (slower)", set_visible},
    {"trace", 0, "ADDR", "print everything about this target: packets, states, timers, reasons",
     set_trace},
    {"connect", 0, "MODE", "what is said: http or tcp (the plugin's first)", set_connect},
    {"timeout", 0, "S", "seconds for one attempt of one arm (10)", set_timeout},
};
#define N_ROWS (sizeof rows / sizeof rows[0])

static void help(void)
{
    fputs(
        "usage: rawspider measure [options] PLUGIN [options] < targets.ndjson > records.ndjson\n\n"
        "Each input line {\"dip\": \"192.0.2.1\", \"dp\": 80, \"domain\": \"example.org\", ...} "
        "gives one record: the line\n"
        "with conditions appended. Plugins: rawspider plugins.\n\n",
        stdout);
    for (size_t i = 0; i < N_ROWS; i++) {
        char left[48];
        int n = rows[i].letter != 0
                    ? snprintf(left, sizeof left, "  -%c, --%s", rows[i].letter, rows[i].name)
                    : snprintf(left, sizeof left, "      --%s", rows[i].name);
        if (rows[i].value != NULL)
            snprintf(left + n, sizeof left - (size_t)n, " %s", rows[i].value);
        printf("%-30s %s\n", left, rows[i].help);
    }
    fputs("\nExit: 0 done; 1 failure; 2 usage; 3 stopped by a limit; 4 finished but records were "
          "lost; 130, 143 by a signal.\n",
          stdout);
}

/* The plugin, and a mode that it knows. */
static int choose(int argc, char **argv, struct measure_options *o)
{
    if (optind >= argc) {
        complain("which plugin? rawspider plugins lists them; rawspider measure --help tells more");
        return EXIT_USAGE;
    }
    if (optind + 1 < argc) {
        complain("'%s' is one word too many: targets are read from standard input or --input",
                 argv[optind + 1]);
        return EXIT_USAGE;
    }
    o->plugin = plugin_find(argv[optind]);
    if (o->plugin == NULL) {
        complain("there is no plugin '%s'; rawspider plugins lists them", argv[optind]);
        return EXIT_USAGE;
    }
    if (o->exchange == NULL)
        o->exchange = exchange_find(o->plugin->exchanges[0]);
    for (const char *const *x = o->plugin->exchanges; *x != NULL; x++)
        if (strcmp(*x, o->exchange->name) == 0)
            return -1;
    complain("plugin %s has no mode %s", o->plugin->name, o->exchange->name);
    return EXIT_USAGE;
}

int options_measure(int argc, char **argv, struct measure_options *o, struct options_ui *ui)
{
    struct option longs[N_ROWS + 2];
    char shorts[3 * N_ROWS + 3];
    size_t n = 0;
    shorts[n++] = ':';
    opterr = 0;
    memset(longs, 0, sizeof longs);
    for (size_t i = 0; i < N_ROWS; i++) {
        longs[i] =
            (struct option){rows[i].name, rows[i].value != NULL ? required_argument : no_argument,
                            NULL, (int)(256 + i)};
        if (rows[i].letter != 0) {
            shorts[n++] = (char)rows[i].letter;
            if (rows[i].value != NULL)
                shorts[n++] = ':';
        }
    }
    shorts[n++] = 'h';
    shorts[n] = '\0';
    longs[N_ROWS] = (struct option){"help", no_argument, NULL, 'h'};
    measure_defaults(o);
    int c;
    while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        size_t i = 0;
        if (c == 'h') {
            help();
            return EXIT_DONE;
        }
        if (c == '?' || c == ':')
            return bad_option(c, argv);
        while (c < 256 ? rows[i].letter != c : i != (size_t)c - 256)
            i++;
        if (!rows[i].set(o, ui, optarg == NULL ? "" : optarg)) {
            complain("--%s: '%s' is not what it takes: %s", rows[i].name, optarg, rows[i].help);
            return EXIT_USAGE;
        }
    }
    return choose(argc, argv, o);
}
