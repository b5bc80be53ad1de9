# SPDX-License-Identifier: GPL-3.0-or-later
# make            build/rawspider            make check   layers, purity, unit and simulation tests (sanitizers on)
# make verify     captures against what is expected of them (K=name)   make unreached  conditions that none reaches
# make bench      figures against peers      make fuzz    each fuzzer for FUZZ_SECONDS     make fuzz-prove
# make truth      verdicts against the truth of a virtual Internet, a million      make truth-prove
# make fmt        format the sources         make install DESTDIR= PREFIX=/usr/local
# make SAN=1      the sanitizer build (build-san); make t T=tcpstate/syn K=name  one test program
# make tsan       what has threads, under the thread sanitizer (build-tsan)
VERSION := 0.1.0
CC      ?= cc
PREFIX  ?= /usr/local
SAN     ?= 0
WERROR  ?=
BUILD   := $(if $(filter 1,$(SAN)),build-san,$(if $(filter thread,$(SAN)),build-tsan,build))

WARN := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wundef -Wformat=2 \
        -Wnull-dereference -Wimplicit-fallthrough -fno-common \
        -Wno-missing-field-initializers # members that a table's row leaves out are 0, and meant to be
CPPFLAGS += -Isrc -I$(BUILD)/gen -D_GNU_SOURCE -DRAWSPIDER_VERSION='"$(VERSION)"'
ifeq ($(SAN),1)
CFLAGS  ?= -O1 -g -fno-omit-frame-pointer
CFLAGS  += -fsanitize=address,undefined -fno-sanitize-recover=undefined
LDFLAGS += -fsanitize=address,undefined
else ifeq ($(SAN),thread)
CFLAGS  ?= -O1 -g -fno-omit-frame-pointer
CFLAGS  += -fsanitize=thread
LDFLAGS += -fsanitize=thread
else
CFLAGS  ?= -O2 -g -fstack-protector-strong
CPPFLAGS += $(if $(findstring -O2,$(CFLAGS)),-D_FORTIFY_SOURCE=2)
endif
CFLAGS += -std=c11 $(WARN) $(if $(WERROR),-Werror)
LIBS := -lnet -ltrace -lpcap -lwandio -lev -ljansson -lmnl -lfixbuf -lglib-2.0

SRC  := $(filter-out src/cli/%,$(wildcard src/*/*.c))
CLI  := $(wildcard src/cli/*.c)
OBJ  := $(SRC:src/%.c=$(BUILD)/obj/%.o)
CLIO := $(CLI:src/%.c=$(BUILD)/obj/%.o)
GENO := $(BUILD)/obj/gen/registry.o
LIB  := $(BUILD)/librawspider.a
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*/test_*.c))
SIM  := $(patsubst tests/sim/%.c,$(BUILD)/tests/sim/%,$(wildcard tests/sim/test_*.c))
SIMO := $(patsubst tests/sim/%.c,$(BUILD)/obj/sim/%.o,$(filter-out $(wildcard tests/sim/test_*.c),$(wildcard tests/sim/*.c)))
UNITO := $(patsubst tests/unit/%.c,$(BUILD)/obj/unit/%.o,$(wildcard tests/unit/*.c))
Q := $(if $(V),,@)

all: $(BUILD)/rawspider

$(BUILD)/rawspider: $(CLIO) $(LIB)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
	@echo "  LINK $@"

$(LIB): $(OBJ) $(GENO)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(SWITCH_$(firstword $(subst /, ,$*))) -MMD -MP -c -o $@ $<

# glib's headers are wanted by the one file that calls libfixbuf; they are no business of our warnings.
$(BUILD)/obj/io/ipfix.o: CPPFLAGS += $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I libfixbuf))

SWITCH_tcpstate := -Wswitch-enum
SWITCH_observe  := -Wswitch-enum
SWITCH_plugins  := -Wswitch-enum

# The plugin registry is the folder: a new plugin is one file and no other line.
PLUGINS := $(sort $(notdir $(basename $(wildcard src/plugins/*.c))))
$(BUILD)/gen/registry.c: $(wildcard src/plugins/*.c) src/plugins Makefile
	@mkdir -p $(@D)
	@{ echo '/* Generated from src/plugins: one const struct plugin plugin_NAME in NAME.c. */'; \
	   echo '#include <string.h>'; \
	   echo '#include "plugins/plugin.h"'; \
	   for p in $(PLUGINS); do echo "extern const struct plugin plugin_$$p;"; done; \
	   echo 'const struct plugin *const plugin_registry[] = {'; \
	   for p in $(PLUGINS); do echo "    &plugin_$$p,"; done; \
	   echo '    NULL};'; \
	   echo 'const struct plugin *plugin_find(const char *name)'; \
	   echo '{'; \
	   echo '    const struct plugin *const *p = plugin_registry;'; \
	   echo '    while (*p != NULL && strcmp((*p)->name, name) != 0)'; \
	   echo '        p++;'; \
	   echo '    return *p;'; \
	   echo '}'; } > $@

$(GENO): $(BUILD)/gen/registry.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/sim/%.o: tests/sim/%.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/obj/unit/%.o: tests/unit/%.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/%: tests/unit/%.c $(UNITO) $(LIB) Makefile
	@mkdir -p $(@D)
	@echo "  TEST $<"
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(UNITO) $(LIB) -lcmocka $(LIBS)
$(BUILD)/tests/sim/%: tests/sim/%.c $(SIMO) $(LIB) Makefile
	@mkdir -p $(@D)
	@echo "  TEST $<"
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(SIMO) $(LIB) -lcmocka $(LIBS)

# The impairing forwarder of the lab: nothing of src/ in it.
build/tests/path/rawspider-path: $(wildcard tests/path/*.c) $(wildcard tests/path/*.h)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -o $@ $(wildcard tests/path/*.c)
path: build/tests/path/rawspider-path
# The benchmark's traffic for the observer, and the floor that a prober is measured against: likewise.
build/tests/bench/traffic build/tests/bench/floor: build/tests/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -o $@ $<
# The engine against servers in memory.
$(BUILD)/tests/bench/engine: tests/bench/engine.c $(SIMO) $(LIB) Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(SIMO) $(LIB) $(LIBS)
# The virtual Internet: likewise nothing of src/.
build/tests/vinternet/vinternet: $(wildcard tests/vinternet/*.c) $(wildcard tests/vinternet/*.h)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra $(if $(WERROR),-Werror) -o $@ $(wildcard tests/vinternet/*.c)
vinternet: build/tests/vinternet/vinternet

unit: $(UNIT) $(SIM)
	@failed=0; for t in $(UNIT) $(SIM); do echo "== $$t"; $$t || failed=1; done; exit $$failed

# Sanitizers are on by default in tests: `make test` and `make check` build in build-san.
test:
	$(Q)$(MAKE) --no-print-directory SAN=1 unit
# Several workers in memory, and the letters between them; the program itself for the lab.
tsan:
	$(Q)$(MAKE) --no-print-directory SAN=thread build-tsan/tests/unit/run/test_mailbox build-tsan/tests/sim/test_crew build-tsan/rawspider
	build-tsan/tests/unit/run/test_mailbox
	build-tsan/tests/sim/test_crew
check: layers purity test
layers:
	$(Q)python3 tests/check/layers.py
purity: $(LIB)
	$(Q)python3 tests/check/purity.py $(BUILD)/obj

t: # one test program: make t T=tcpstate/syn [K=case]
	$(Q)$(MAKE) --no-print-directory SAN=1 build-san/tests/unit/$(dir $(T))test_$(notdir $(T))
	CMOCKA_TEST_FILTER='$(K)' build-san/tests/unit/$(dir $(T))test_$(notdir $(T))

verify: all # the fixtures; K=name: those with it in their name
	$(Q)$(BUILD)/rawspider verify tests/pcap-fixtures $(K)
unreached: all # the same, and the condition rows that none of them reaches
	$(Q)$(BUILD)/rawspider verify --unreached tests/pcap-fixtures

fuzz fuzz-prove fuzz-coverage:
	$(Q)$(MAKE) --no-print-directory -f tests/fuzz/fuzz.mk $@
bench: all vinternet build/tests/bench/traffic build/tests/bench/floor $(BUILD)/tests/bench/engine # as root, on a quiet machine; make bench ARGS=--save, ARGS=--help
	$(Q)tests/bench/run.sh $(ARGS)

truth: all vinternet # as root: a million verdicts against the truth; make truth ARGS="--count 10000", ARGS=--help
	$(Q)tests/vinternet/truth.py $(ARGS)
truth-prove: all vinternet # as root: each of ten faults in the verdict code must turn truth red
	$(Q)tests/vinternet/prove.py

FMT := $(wildcard src/*/*.[ch] tests/*/*.[ch] tests/unit/*/*.c)
fmt:
	clang-format -i $(FMT)
fmt-check:
	clang-format --dry-run -Werror $(FMT)
size:
	$(Q)python3 tests/check/size.py

DOC := $(DESTDIR)$(PREFIX)/share/doc/rawspider
install: all
	install -D -m 755 $(BUILD)/rawspider $(DESTDIR)$(PREFIX)/bin/rawspider
	install -D -m 644 -t $(DOC) README.md LICENSE
	install -D -m 644 -t $(DOC)/examples $(wildcard examples/*.ndjson examples/*.conf)
	install -D -m 755 -t $(DOC)/examples examples/summary.py examples/ipfix2ndjson.py
	@# A list that somebody has added networks to is not overwritten.
	test -e $(DESTDIR)/etc/rawspider/blocklist.conf || \
	    install -D -m 644 examples/blocklist.conf $(DESTDIR)/etc/rawspider/blocklist.conf

clean:
	rm -rf build build-*

.PHONY: all path vinternet unit test tsan check layers purity t verify unreached fuzz fuzz-prove fuzz-coverage bench truth truth-prove fmt fmt-check size install clean
.SECONDARY:
-include $(OBJ:.o=.d) $(CLIO:.o=.d) $(GENO:.o=.d) $(wildcard $(BUILD)/tests/*/*.d $(BUILD)/tests/*/*/*.d $(BUILD)/obj/*/*.d)
