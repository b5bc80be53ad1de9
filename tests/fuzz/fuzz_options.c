/* SPDX-License-Identifier: GPL-3.0-or-later
 * The walk over TCP options, and the writer on what the walk understood. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "wire/options.h"

static void written_and_read_again(const struct wire_options *o, int syn)
{
    struct wire_options back;
    uint8_t out[40];
    const uint32_t can = syn ? OPT_MSS | OPT_SACK_OK | OPT_TIMESTAMP | OPT_WSCALE : OPT_TIMESTAMP;
    size_t n = wire_options_write(o, syn, out);
    CHECK(n <= sizeof out && n % 4 == 0);
    wire_options_parse(&back, out, n);
    CHECK(back.have == (o->have & can));
    CHECK(!(back.have & OPT_MSS) || back.mss == o->mss);
    CHECK(!(back.have & OPT_WSCALE) || back.wscale == o->wscale);
    CHECK(!(back.have & OPT_TIMESTAMP) || (back.tsval == o->tsval && back.tsecr == o->tsecr));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_options o;
    wire_options_parse(&o, data, size);
    CHECK(o.n_kinds <= sizeof o.kinds);
    CHECK(!(o.have & OPT_SACK) || o.sack_blocks > 0);
    for (unsigned i = 0; i < o.n_kinds; i++)
        CHECK(o.kinds[i] != TCPOPT_END && o.kinds[i] != TCPOPT_NOP);
    written_and_read_again(&o, 0);
    written_and_read_again(&o, 1);
    return 0;
}
