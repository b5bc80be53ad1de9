# SPDX-License-Identifier: GPL-3.0-or-later
# The fuzzers, one block each: fuzz_NAME.c and
#   WITH   more of this folder       SRC     what it links, paths below src/       LIBS   libraries
#   COVER  what it is there to cover, below src/
#   ARGS   for libFuzzer
#   PLANT  the planted fault: PLANT_FILE below src/, and a sed script that takes one bound away in a copy of it
FUZZERS ?= wire options http1 tcp trace chains aging classify ipfix expect input

# Chains and what packets they see
FLOW := $(filter-out observe/aging.c,$(patsubst src/%,%,$(wildcard src/observe/*.c))) wire/*.c base/*.c
TEXT := run/flow_text.c io/record.c io/record_input.c io/members.c io/text.c

SRC_wire           := wire/*.c
COVER_wire         := wire/view.c wire/transport.c wire/link.c wire/print.c wire/cksum.c
PLANT_FILE_wire    := wire/transport.c
PLANT_wire         := s/(WIRE_FRAGMENT | WIRE_TRUNCATED)/WIRE_FRAGMENT/;s/l4.left < n)/n == 0)/

SRC_options        := wire/options.c
COVER_options      := wire/options.c
PLANT_FILE_options := wire/options.c
PLANT_options      := s/!get_bytes(&c, body.left, &body.at)/(body.at = c.at, !cursor_skip(\&c, body.left < c.left ? body.left : c.left))/

SRC_http1          := exchange/*.c
COVER_http1        := exchange/*.c
ARGS_http1         := -max_len=16384 -dict=$(F)/seeds/http1.dict
PLANT_FILE_http1   := exchange/http1_read.c
PLANT_http1        := s/(c == '..' ||/(c == 1 ||/

SRC_tcp            := tcpstate/*.c wire/options.c wire/segment.c base/slab.c
COVER_tcp          := tcpstate/*.c
PLANT_FILE_tcp     := tcpstate/input.c
PLANT_tcp          := s/seg->options, seg->options_bytes)/seg->options, seg->options_bytes + (m->state == TCP_CLOSING))/

SRC_trace          := net/trace.c net/trace_file.c wire/*.c base/*.c
COVER_trace        := net/trace.c net/trace_file.c wire/link.c
LIBS_trace         := -Wl,--wrap=pcap_dispatch -lpcap
PLANT_FILE_trace   := wire/link.c
PLANT_trace        := s/cursor_skip(c, 2) || !get_be16(c, &type))/cursor_skip(c, 2) || !get_be16(\&(struct cursor){c->at, 2}, \&type) || !cursor_skip(c, 2))/

WITH_chains        := packets.c
SRC_chains         := $(FLOW) $(TEXT)
COVER_chains       := observe/chain_*.c observe/flow.c observe/fields.c run/flow_text.c
LIBS_chains        := -ljansson
ARGS_chains        := -max_len=4096
PLANT_FILE_chains  := observe/chain_dns.c
# The read is right behind the message: one that is far off is a SEGV, which could be anything.
PLANT_chains       := s/target >= before/(target >= before \&\& target >= m->n \&\& (target = m->n + 1) == 0)/

WITH_aging         := packets.c
SRC_aging          := $(FLOW) observe/aging.c
COVER_aging        := observe/aging.c observe/table.c
ARGS_aging         := -max_len=4096
PLANT_FILE_aging   := observe/aging.c
PLANT_aging        := s/error->quote_bytes, WIRE/error->quote_bytes + 8, WIRE/

WITH_classify       := packets.c
SRC_classify        := $(FLOW) $(TEXT) io/objects.c io/output.c io/sync.c plugins/ecn.c craft/rule.c \
                       $(patsubst %,run/%.c,classify replay foreign foreign_target arm_match arm_log_read record)
COVER_classify      := observe/evidence.c io/objects.c $(patsubst %,run/%.c,classify replay foreign foreign_target arm_match arm_log_read)
LIBS_classify       := -ljansson
ARGS_classify       := -max_len=8192 -dict=$(F)/seeds/classify.dict
PLANT_FILE_classify := observe/evidence.c
PLANT_classify      := s/v->quote_bytes, WIRE/v->quote_bytes + 8, WIRE/

WITH_ipfix       := packets.c
SRC_ipfix        := $(FLOW) observe/aging.c run/flow_ipfix.c io/ipfix.c
COVER_ipfix      := run/flow_ipfix.c io/ipfix.c
LIBS_ipfix       := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags --libs libfixbuf))
ARGS_ipfix       := -max_len=4096
PLANT_FILE_ipfix := io/ipfix.c
PLANT_ipfix      := s/record\[sizeof \*f\]/record[sizeof *f + 8]/

SRC_expect        := io/expect*.c base/err.c
COVER_expect      := io/expect*.c
LIBS_expect       := -ljansson
ARGS_expect       := -max_len=4096 -dict=$(F)/seeds/expect.dict
PLANT_FILE_expect := io/expect_compare.c
PLANT_expect      := s/for (size_t i = 0; i < e->actual_n; i++)/for (size_t i = 0; i < e->actual_n + (e->actual_n > 1); i++)/

SRC_input        := io/input.c io/job*.c io/source*.c io/text.c io/blocklist_parse.c wire/addr.c base/err.c
COVER_input      := io/input.c io/job*.c
LIBS_input       := -ljansson -lwandio
ARGS_input       := -max_len=1024 -dict=$(F)/seeds/input.dict
PLANT_FILE_input := io/job_list.c
PLANT_input      := s/memchr(line, '.', n)/memchr(line, 35, n + (n > 0 \&\& line[n - 1] == '9'))/
