# SPDX-License-Identifier: GPL-3.0-or-later
# Called from the root: make fuzz | fuzz-coverage | fuzz-prove [FUZZ_SECONDS=60] [FUZZERS="wire tcp"]
#   fuzz           each fuzzer for FUZZ_SECONDS, two at a time; fails on a finding (kept in build-fuzz/findings)
#   fuzz-coverage  line coverage of each fuzzer's target, by what the fuzzers have found so far; fails under 80 %
#   fuzz-prove     each fuzzer on a copy of the source with a planted out-of-bounds read; fails unless it is found
# FUZZ_WIDTH=1 runs one fuzzer at a time. The fuzzers are in fuzzers.mk.
CLANG        ?= clang
FUZZ_SECONDS ?= 60
FUZZ_WIDTH   ?= 2
F            := build-fuzz
LLVM         := $(dir $(realpath $(shell command -v $(CLANG))))
Q            := $(if $(V),,@)

include tests/fuzz/fuzzers.mk

FLAGS := -std=c11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer -Wall -Wextra -Wno-missing-field-initializers -Itests
SAN   := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
COV   := -fsanitize=fuzzer -fprofile-instr-generate -fcoverage-mapping

sources = $(WITH_$*:%=tests/fuzz/%) $(patsubst src/%,$(1)/%,$(foreach p,$(SRC_$*),$(wildcard src/$(p)))) $(LIBS_$*)
run     = ASAN_OPTIONS=allocator_may_return_null=1 $(1) -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
          -rss_limit_mb=1024 -max_len=2048 -print_final_stats=1 $(ARGS_$*)

fuzz: $(F)/seeds/.done
	$(Q)$(MAKE) --no-print-directory -j$(FUZZ_WIDTH) -k -f tests/fuzz/fuzz.mk $(FUZZERS:%=run-%)
fuzz-coverage: $(F)/seeds/.done
	$(Q)$(MAKE) --no-print-directory -j$(FUZZ_WIDTH) -k -f tests/fuzz/fuzz.mk $(FUZZERS:%=cover-%)
fuzz-prove: $(F)/seeds/.done
	$(Q)$(MAKE) --no-print-directory -j$(FUZZ_WIDTH) -k -f tests/fuzz/fuzz.mk $(FUZZERS:%=prove-%)

$(F)/seeds/.done: tests/fuzz/seeds.py tests/fuzz/captures.py $(wildcard tests/pcap-fixtures/*/*.pcap*)
	$(Q)rm -rf $(F)/seeds && python3 $< $(F)/seeds && touch $@

run-%: $(F)/fuzz_%
	@mkdir -p $(F)/corpus/$* $(F)/seeds/$* $(F)/findings
	$(Q)$(call run,$<) -artifact_prefix=$(F)/findings/$*- $(F)/corpus/$* $(F)/seeds/$* >$(F)/$*.log 2>&1 || \
	    { tail -n 60 $(F)/$*.log; echo "fuzz $*: FINDING, kept as $$(ls -t $(F)/findings/$*-* | head -n 1)"; exit 1; }
	@echo "fuzz $*: no finding in $(FUZZ_SECONDS) s, $$(sed -n 's/^stat::number_of_executed_units: *//p' $(F)/$*.log) inputs"

# A clean checkout has no corpus yet: the seeds are fuzzed first, for as long as `fuzz` would.
cover-%: $(F)/cover_%
	@mkdir -p $(F)/corpus/$* $(F)/seeds/$* $(F)/findings
	$(Q)if [ -z "$$(ls $(F)/corpus/$*)" ]; then \
	    LLVM_PROFILE_FILE=/dev/null $(call run,$<) -artifact_prefix=$(F)/findings/$*- $(F)/corpus/$* $(F)/seeds/$* >$(F)/$*.cover.log 2>&1; fi
	$(Q)LLVM_PROFILE_FILE=$(F)/$*.profraw $< -runs=0 $(F)/corpus/$* $(F)/seeds/$* >>$(F)/$*.cover.log 2>&1
	$(Q)$(LLVM)llvm-profdata merge -o $(F)/$*.profdata $(F)/$*.profraw
	$(Q)$(LLVM)llvm-cov report $< -instr-profile=$(F)/$*.profdata $(foreach p,$(COVER_$*),$(wildcard src/$(p))) >$(F)/$*.coverage
	$(Q)awk -v name=$* 'NF >= 10 && $$1 ~ /\.c$$/ { printf "  %-28s %s\n", $$1, $$10 } \
	    $$1 == "TOTAL" { total = $$10 + 0 } \
	    END { printf "fuzz-coverage %s: %s %% of lines\n", name, total; exit total < 80 }' $(F)/$*.coverage

prove-%: $(F)/planted_%
	@mkdir -p $(F)/proof/$* $(F)/seeds/$*
	$(Q)rm -f $(F)/proof/$*/*
	$(Q)if $(call run,$<) -artifact_prefix=$(F)/proof/$*/ $(F)/seeds/$* >$(F)/$*.proof.log 2>&1; then \
	    echo "fuzz-prove $*: the planted read was NOT found in $(FUZZ_SECONDS) s"; exit 1; fi
	$(Q)grep -q 'ERROR: AddressSanitizer: .*-overflow' $(F)/$*.proof.log && grep -A 1 'READ of size' $(F)/$*.proof.log >/dev/null || \
	    { tail -n 40 $(F)/$*.proof.log; echo "fuzz-prove $*: it failed, but not by the planted read"; exit 1; }
	@echo "fuzz-prove $*: the planted read was found"

$(F)/fuzz_%: tests/fuzz/fuzz_%.c FORCE
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FLAGS) $(SAN) -Isrc -o $@ $< $(call sources,src)
$(F)/cover_%: tests/fuzz/fuzz_%.c FORCE
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FLAGS) $(COV) -Isrc -o $@ $< $(call sources,src)
$(F)/planted_%: tests/fuzz/fuzz_%.c FORCE
	$(Q)rm -rf $(F)/copy_$* && mkdir -p $(F)/copy_$* && cp -r src/* $(F)/copy_$*
	$(Q)sed -i "$(PLANT_$*)" $(F)/copy_$*/$(PLANT_FILE_$*)
	$(Q)if cmp -s src/$(PLANT_FILE_$*) $(F)/copy_$*/$(PLANT_FILE_$*); then \
	    echo "fuzz-prove $*: $(PLANT_FILE_$*) has changed, the fault cannot be planted"; exit 1; fi
	$(Q)$(CLANG) $(FLAGS) $(SAN) -I$(F)/copy_$* -o $@ $< $(call sources,$(F)/copy_$*)

FORCE:
.PHONY: fuzz fuzz-coverage fuzz-prove FORCE
.PRECIOUS: $(F)/fuzz_% $(F)/cover_% $(F)/planted_%
