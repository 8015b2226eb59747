# SPDX-License-Identifier: MIT
#
# wgxdp: one Makefile for all folders. `make help` lists the targets.
#
#   bpf/X.bpf.c ──clang──▶ build/bpf/X.bpf.o ──bpftool──▶ build/bpf/X.skel.h ─┐
#   user/{wg,crypto,util}/*.c ──▶ libwgcore.a                                 │
#   the other folders of user/ ──▶ libwgxdp.a (includes X.skel.h) ◀───────────┘
#   user/cli/wgxdp.c (main) + libwgxdp.a + libwgcore.a ──▶ build/wgxdp
#   tests/{unit,bpf,net}/*.c + the libraries + cmocka ──▶ build/tests/.../*
#
# New files need no entry here. SAN=asan|tsan|fuzz builds user/, tests/ and tools/ again with
# instrumentation, under build/$(SAN).

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# CROSS=aarch64-linux-gnu- builds for another architecture, below build/aarch64-linux-gnu, with the
# libraries of a sysroot that `make sysroot` unpacks there. `make arm64` unpacks the sysroot and
# builds for arm64.
CROSS ?=
TRIPLET := $(CROSS:%-=%)

B := build
O := $(B)$(if $(CROSS),/$(TRIPLET))$(if $(SAN),/$(SAN))
SYSROOT := $(if $(CROSS),$(CURDIR)/$(B)/$(TRIPLET)/sysroot)

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
UNITDIR ?= $(PREFIX)/lib/systemd/system
NETWORKDIR ?= $(PREFIX)/lib/systemd/network
# NetworkManager does not read /usr/local, so its file goes to /etc unless PREFIX is /usr.
NMDIR ?= $(if $(filter /usr,$(PREFIX)),/usr/lib,/etc)/NetworkManager/conf.d
DOCDIR ?= $(PREFIX)/share/doc/wgxdp

CC := $(if $(filter fuzz,$(SAN)),clang,$(if $(filter default,$(origin CC)),$(CROSS)gcc,$(CC)))
AR := $(if $(filter default,$(origin AR)),$(CROSS)ar,$(AR))
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PKG_CONFIG ?= pkg-config
ifneq ($(CROSS),)
  export PKG_CONFIG_SYSROOT_DIR := $(SYSROOT)
  export PKG_CONFIG_LIBDIR := $(SYSROOT)/usr/lib/$(TRIPLET)/pkgconfig
endif
# WERROR=1 turns warnings into errors. tools/check sets it. It is off by default, so that new
# warnings of another compiler do not stop a user's build.
WERROR ?=

VERSION := 0.2.0
# If the build is not of a released commit, its version also names the commit.
COMMIT := $(shell git -c safe.directory='*' describe --tags --match 'v$(VERSION)' \
	--always --dirty 2>/dev/null)
FULL_VERSION := $(if $(filter v$(VERSION)%,$(COMMIT)),$(COMMIT:v%=%),$(VERSION)$(COMMIT:%=-g%))

# --- flags --------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	$(if $(WERROR),-Werror)

# The libraries, by their names in pkg-config. Debian's package names are derived from these.
LIBS := libbpf libxdp libsodium libmnl libcares libnftables jansson
package_of = $(patsubst libcares,libc-ares,$(patsubst jansson,libjansson,\
	$(patsubst cmocka,libcmocka,$(1))))-dev
missing_of = $(strip $(foreach lib,$(1),\
	$(if $(shell $(PKG_CONFIG) --exists $(lib) || echo no),$(lib))))
require = $(if $(shell command -v $(PKG_CONFIG)),,$(error $(PKG_CONFIG) is not installed. \
	Install the Debian package pkg-config))$(call require_all,$(call missing_of,$(1)))
require_all = $(if $(1),$(error Not installed: $(1). Install the Debian packages \
	$(foreach lib,$(1),$(call package_of,$(lib))), or run tools/install-deps))
# Only goals that compile need the libraries, so `make help` works without them.
NEED_NO_LIBS := help clean format uninstall sysroot arm64 check-arm64 check-toolchain
ifneq ($(filter-out $(NEED_NO_LIBS),$(or $(MAKECMDGOALS),all)),)
  $(call require,$(LIBS))
  LDLIBS := $(shell $(PKG_CONFIG) --libs $(LIBS)) -pthread
endif
# This is assigned with `=`, so that make looks for cmocka only when it links a test. wgxdp itself
# does not need cmocka.
TEST_LDLIBS = $(call require,cmocka)$(shell $(PKG_CONFIG) --libs cmocka) $(LDLIBS)

CPPFLAGS += -Iinclude -Iuser -I$(B) -I$(B)/bpf -D_GNU_SOURCE
CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu11 $(WARNINGS) -pthread -fPIE $(if $(CROSS),--sysroot=$(SYSROOT))

ifeq ($(SAN),)
  override CFLAGS += -fstack-protector-strong
  CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
  LDFLAGS += -pie -Wl,-z,relro,-z,now
else ifeq ($(SAN),asan)
  SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifeq ($(SAN),tsan)
  SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer
else ifeq ($(SAN),fuzz)
  SANFLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
else
  $(error SAN=$(SAN): one of asan, tsan, fuzz)
endif
override CFLAGS += $(SANFLAGS)
LDFLAGS += $(SANFLAGS) $(if $(SAN),-pie)

# clang's BPF target does not search the folder where Debian keeps asm/types.h.
MULTIARCH := $(shell gcc -print-multiarch 2>/dev/null)
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Wshadow \
	$(if $(WERROR),-Werror) -Iinclude -Ibpf $(if $(MULTIARCH),-I/usr/include/$(MULTIARCH))

ifeq ($(V),1)
  say = @:
  Q :=
else
  say = @printf '  %-7s %s\n' $(1) $(2);
  Q := @
endif

# --- files --------------------------------------------------------------------------------------

objects = $(patsubst %.c,$(O)/%.o,$(1))

MAIN := user/cli/wgxdp.c
CORE_SRC := $(sort $(wildcard user/wg/*.c user/crypto/*.c user/util/*.c))
REST_DIRS := io path bpf control dataplane sync daemon conf host cli
REST_SRC := $(filter-out $(MAIN),$(sort $(wildcard $(REST_DIRS:%=user/%/*.c))))
BPF_SRC := $(sort $(wildcard bpf/*.bpf.c))
TEST_BPF := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard tests/*/*.bpf.c)))
SKELETONS := $(BPF_SRC:%.bpf.c=$(B)/%.skel.h)
CORE := $(O)/libwgcore.a
REST := $(O)/libwgxdp.a
# Code that several tests share.
SHARED := $(O)/tests/libshared.a
SHARED_SRC := $(sort $(filter-out $(wildcard tests/unit/test_*.c),$(wildcard tests/unit/*.c)))
WGXDP := $(O)/wgxdp

# OTHERS: the tests of the AEAD backends of another architecture. These tests are not built.
MACHINE := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)))
OTHERS := $(wildcard $(patsubst %,tests/unit/test_aead_%*.c,\
	$(if $(filter aarch64,$(MACHINE)),avx sse,neon)))
unit_src := $(filter-out $(OTHERS),$(sort $(wildcard tests/unit/test_*.c)))
bpf_src := $(sort $(wildcard tests/bpf/test_*.c))
net_src := $(sort $(wildcard tests/net/test_*.c))
tests_of = $(patsubst %.c,$(O)/%,$(1))

UNIT_TESTS := $(call tests_of,$(unit_src))
BPF_TESTS := $(call tests_of,$(bpf_src))
NET_TESTS := $(call tests_of,$(net_src)) $(filter-out %/lib.sh,$(sort $(wildcard tests/net/*.sh)))
CT_TESTS := $(sort $(wildcard tests/ct/*.sh))
LONG_TESTS := $(filter-out %/lib.sh,$(sort $(wildcard tests/long/*.sh))) \
	$(call tests_of,$(sort $(wildcard tests/long/test_*.c)))
# `make check-vm KERNELS="5.10 sid"` chooses kernels; tools/vm --help lists them. With BRIEF=1 only
# two scripts run: bpf.sh loads the BPF programs, and interop.sh tests wgxdp against the kernel's
# WireGuard, with wgxdp as initiator and as responder, over XDP and over UDP. Two guests run at
# once. In a guest, accounting.sh sends only 5,000 packets instead of 100,000.
KERNELS ?= 5.10 6.1 6.12 sid
VM_SCRIPTS := $(if $(BRIEF),tests/vm/bpf.sh tests/vm/interop.sh,$(sort $(wildcard tests/vm/*.sh)) \
	$(patsubst %,tests/net/%.sh,lifecycle moves accounting))
VM_TESTS := $(foreach kernel,$(KERNELS),$(addprefix $(kernel):,$(VM_SCRIPTS)))
FUZZERS := $(call tests_of,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
# `make tests` also compiles the fuzzers, so that a change that breaks a fuzzer is noticed.
FUZZ_OBJECTS := $(FUZZERS:%=%.o)

# Helper programs for tests and measurements: tools/X.c -> build/tools/X.
TOOLS := $(patsubst %.c,$(O)/%,$(sort $(wildcard tools/*.c)))
TEST_TOOLS := $(patsubst %.c,$(O)/%,$(sort $(filter-out $(net_src),$(wildcard tests/net/*.c))))

SCRIPTS := $(sort $(wildcard .ci/run tests/net/*.sh tests/long/*.sh tests/long/*/*.sh \
	tests/ct/*.sh \
	tests/vm/*.sh $(shell grep -lE '^\#!.*(bash|/sh)' tools/* 2>/dev/null)))
MANPAGES := $(sort $(wildcard man/*.[1-8]))
C_FILES := $(sort $(wildcard include/*/*.h user/*/*.[ch] bpf/*.[ch] tests/*.h \
	tests/*/*.[ch] tools/*.[ch]))

# Runs a program that was built for the target architecture.
EMULATOR := $(if $(CROSS),qemu-$(firstword $(subst -, ,$(TRIPLET)))-static -L $(SYSROOT))
RUN_TESTS := WGXDP=$(CURDIR)/$(WGXDP) BUILD=$(CURDIR)/$(O) tools/run-tests \
	$(if $(CROSS),--suffix=' ($(TRIPLET))' --wrap='$(EMULATOR)')

# --- build --------------------------------------------------------------------------------------

.PHONY: all check check-unit check-bpf check-net check-san check-tsan check-valgrind check-ct \
	check-long check-vm check-toolchain fuzz bench lint format install \
	uninstall clean help tests skeletons sysroot arm64 check-arm64 check-vm-arm64 \
	check-vm-arm64-run FORCE

all: $(WGXDP) $(TOOLS) ## build the program and the tools (build/wgxdp)

TEST_FILES := $(TEST_TOOLS) $(UNIT_TESTS) $(BPF_TESTS) $(call tests_of,$(net_src)) $(TEST_BPF) \
	$(FUZZ_OBJECTS)
tests: $(WGXDP) $(TOOLS) $(TEST_FILES) ## build every test

skeletons: $(SKELETONS)

# --- another architecture -------------------------------------------------------------------------

DEBIAN_ARCH_aarch64-linux-gnu := arm64
DEBIAN_ARCH = $(or $(DEBIAN_ARCH_$(TRIPLET)),$(error CROSS=$(CROSS): wgxdp is cross-built for \
	aarch64-linux-gnu- only))
SYSROOT_PACKAGES = libc6-dev linux-libc-dev libgcc-12-dev \
	$(foreach lib,$(LIBS) cmocka,$(call package_of,$(lib)))
DEBIAN_MIRROR ?= http://deb.debian.org
comma := ,
empty :=

# mmdebstrap unpacks the packages but does not configure them, so no program of the other
# architecture has to run on this machine.
$(B)/%/sysroot/.complete: Makefile
	@tools/install-deps arm64
	@rm -rf $(@D) && mkdir -p $(dir $(@D))
	mmdebstrap --quiet --variant=extract --architectures=$(DEBIAN_ARCH) \
		--include=$(subst $(empty) $(empty),$(comma),$(strip $(SYSROOT_PACKAGES))) \
		bookworm $(@D) $(DEBIAN_MIRROR)/debian
	@touch $@

SYSROOT_DONE := $(if $(CROSS),$(SYSROOT:$(CURDIR)/%=%)/.complete)
sysroot: $(SYSROOT_DONE) ## with CROSS: the libraries of that architecture

ARM64 := CROSS=aarch64-linux-gnu- CC=aarch64-linux-gnu-gcc
arm64: ## cross-build program, tools and tests for arm64, below build/aarch64-linux-gnu
	@$(MAKE) --no-print-directory $(ARM64) sysroot
	@$(MAKE) --no-print-directory $(ARM64) all tests

# In the guest, build/ has the programs for arm64 (tools/vm). The unit tests run without
# CAP_NET_ADMIN and CAP_SYS_MODULE. With either of them the kernel would run modprobe for each NIC
# name that does not exist, which takes minutes in emulation. Only ten tests of tests/net run: those
# whose results depend on the architecture (threads, rings, the kernel's JIT, structures shared with
# the kernel, the NEON backend, byte order).
ARM64_KERNEL ?= 6.12
ARM64_NET := lifecycle moves accounting roaming queues offloads workers uapi fulltunnel faults
ARM64_VM = tools/vm --arch=arm64 --timeout=14400
ARM64_RUN := env PATIENCE=10 tools/run-tests --timeout=3600
check-vm-arm64: tests arm64 ## unit, BPF, interop and ten net tests on an arm64 kernel in QEMU; root
	@tools/install-deps vm arm64 vm-arm64
	@$(MAKE) --no-print-directory $(ARM64) check-vm-arm64-run

check-vm-arm64-run:
	@$(ARM64_VM) --cpus=4 $(ARM64_KERNEL) -- \
		setpriv --bounding-set=-net_admin,-sys_module $(ARM64_RUN) \
		$(THREADED) $(filter-out $(THREADED),$(UNIT_TESTS))
	@$(ARM64_VM) $(ARM64_KERNEL) -- $(ARM64_RUN) tests/vm/bpf.sh tests/vm/interop.sh \
		$(ARM64_NET:%=tests/net/%.sh)

check-arm64: arm64 ## unit tests for arm64, in QEMU's user-mode emulation; no root
	@$(MAKE) --no-print-directory $(ARM64) check-unit

# Every run of make executes this recipe, but it replaces the file only if the version has changed,
# so that the few objects that include the file are not compiled again each time.
$(B)/version.h: FORCE | $(B)/
	@printf '#define WGXDP_VERSION "%s"\n' '$(FULL_VERSION)' >$@.$$$$; \
		cmp -s $@ $@.$$$$ && rm $@.$$$$ || mv $@.$$$$ $@

# This is a static pattern rule, because make would otherwise choose the rule for user space.
$(BPF_SRC:%.c=$(B)/%.o) $(TEST_BPF): $(B)/%.o: %.c
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@

$(SKELETONS): $(B)/bpf/%.skel.h: $(B)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q){ echo '/* NOLINTBEGIN: generated by bpftool */'; \
		$(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf; \
		echo '/* NOLINTEND */'; } >$@

# Generated headers must exist before the first compilation. Afterwards the .d files list which
# objects depend on these headers.
$(call objects,$(wildcard user/bpf/*.c tests/bpf/*.c tests/fuzz/fuzz_bpf.c)): | $(SKELETONS)

$(O)/%.o: %.c | $(B)/version.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# cmocka 2 deprecates assert_in_range(), but older versions have no replacement.
$(O)/tests/%.o: CPPFLAGS += -DCMOCKA_DISABLE_DEPRECATION_WARNINGS

$(CORE): $(call objects,$(CORE_SRC))
$(REST): $(call objects,$(REST_SRC))
$(SHARED): $(call objects,$(SHARED_SRC))
$(CORE) $(REST) $(SHARED):
	$(call say,AR,$@)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(WGXDP): $(call objects,$(MAIN)) $(REST) $(CORE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(O)/tests/%: $(O)/tests/%.o $(SHARED) $(REST) $(CORE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(LINK_EXTRA) $^ $(TEST_LDLIBS) -o $@

$(O)/tools/%: $(O)/tools/%.o $(REST) $(CORE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(O)/tests/fuzz/%: LINK_EXTRA = -fsanitize=fuzzer
# This test replaces the clock of the control thread.
$(O)/tests/unit/test_handshake_rx: LINK_EXTRA = -Wl,--wrap=loop_now_ns

$(B)/ $(B)/bpf/:
	@mkdir -p $@

# --- check --------------------------------------------------------------------------------------

check: tests ## unit, BPF and namespace tests; without root, tests that need root are skipped
	@$(RUN_TESTS) $(UNIT_TESTS) $(BPF_TESTS) $(NET_TESTS)

check-unit: $(UNIT_TESTS) ## unit tests; no root
	@$(RUN_TESTS) $(UNIT_TESTS)

check-bpf: $(BPF_TESTS) ## the BPF programs, frame in, verdict and frame out; root
	@$(RUN_TESTS) $(BPF_TESTS)

check-net: tests ## the program in network namespaces; root
	@$(RUN_TESTS) $(NET_TESTS)

# With BRIEF=1, which tools/check sets, check-san leaves out the tests that mostly wait or mostly
# exercise the kernel.
WAITING := bystanders confirm containers corpus established files hung install latenic loaded \
	manuals maps matrix moves names nicchoice policy recipes recover restart rights \
	secrets sequences shapes sticky troubles twoifaces unit wgquick workers
# test_aead_traces searches stack frames, which a sanitizer changes.
SAN_UNIT_TESTS = $(filter-out %/test_aead_traces,$(UNIT_TESTS))
SAN_NET_TESTS = $(filter-out $(if $(BRIEF),$(WAITING:%=tests/net/%.sh)),$(NET_TESTS))

check-san: ## unit and namespace tests under ASan and UBSan; BRIEF=1: not all of them; root
	@$(MAKE) --no-print-directory SAN=asan tests
	@$(MAKE) --no-print-directory SAN=asan check-san-run

check-san-run: tests
	@SEQUENCES=6 CYCLES=10 BRIEF=1 $(RUN_TESTS) --suffix=' (asan)' $(SAN_UNIT_TESTS) \
		$(SAN_NET_TESTS)

# TSan slows a test down by a factor of ten and finds nothing in a test without threads. So of the
# unit tests, only those whose source starts a thread run under TSan.
THREAD_STARTS = pthread_create|job_start|worker_start|thrd_create
THREADED = $(filter $(call tests_of,$(shell grep -lE '$(THREAD_STARTS)' $(unit_src) /dev/null)), \
	$(SAN_UNIT_TESTS))

check-tsan: ## under TSan: unit tests with threads, two workers under load, reloads; root
	@$(MAKE) --no-print-directory SAN=tsan check-tsan-run

check-tsan-run: $(THREADED) $(WGXDP)
	@$(RUN_TESTS) --suffix=' (tsan)' $(THREADED) \
		tests/net/workers.sh tests/net/hostile.sh tests/net/reload.sh

# The unit tests that are named after a file in user/{wg,crypto,util}, and test_blake2s.
# test_simulation is not among them, because it would take 90 s under valgrind; check-san runs it.
# test_open_files is left out, because valgrind emulates the limit of open files.
CORE_TESTS = $(filter-out %/test_open_files,$(filter $(patsubst \
	%.c,$(O)/tests/unit/test_%,$(notdir $(CORE_SRC)) blake2s.c),$(UNIT_TESTS)))
VALGRIND := valgrind --quiet --error-exitcode=99 --leak-check=full \
	--errors-for-leak-kinds=definite,indirect

check-valgrind: $(UNIT_TESTS) ## unit tests of the core under valgrind
	@$(RUN_TESTS) --suffix=' (valgrind)' --wrap='$(VALGRIND)' $(CORE_TESTS)

check-ct: ## no branch and no index depends on a secret: memcheck with the keys undefined
	@$(RUN_TESTS) $(CT_TESTS)

check-vm: tests ## Debian's kernels in QEMU (KERNELS=...; BRIEF=1: the short set); root
	@tools/install-deps vm
	@PATIENCE=$${PATIENCE:-5} PACKETS=$${PACKETS:-5000} $(RUN_TESTS) --jobs=2 \
		--timeout=1800 $(VM_TESTS)

# `make check-toolchain SUITES=sid COMPILERS=clang` tests only with the clang of Debian sid.
SUITES ?= trixie sid
check-toolchain: ## unit and BPF tests with the compilers of other Debian releases; root
	@tools/install-deps toolchain
	@set -e; for suite in $(SUITES); do \
		COMPILERS='$(COMPILERS)' MAKEFLAGS= tools/toolchain $$suite; done

check-long: tests fuzz check-vm check-toolchain ## VMs, timers, 10^6 runs per fuzzer, ASan; hours
	@tools/install-deps package vm
	@$(if $(LONG_TESTS),$(RUN_TESTS) --timeout=14400 $(LONG_TESTS),:)
	@$(MAKE) --no-print-directory check-san

FUZZ_RUNS ?= 1000000
fuzz: ## every fuzzer, FUZZ_RUNS runs each
	@$(MAKE) --no-print-directory SAN=fuzz fuzz-run

fuzz-run: $(FUZZERS)
	@set -e; for f in $(FUZZERS); do \
		echo "$$(basename $$f): $(FUZZ_RUNS) runs"; \
		mkdir -p $$f.corpus; \
		$$f -runs=$(FUZZ_RUNS) -timeout=60 -artifact_prefix=$$f. $$f.corpus \
			>$$f.log 2>&1 || { tail -n 40 $$f.log; exit 1; }; \
	done

bench: all ## what a packet costs, and the tunnel's throughput; root
	@tools/bench-aead
	@tools/bench

lint: $(WGXDP) ## cppcheck, clang-tidy, clang-format, shellcheck, mandoc
	@tools/lint $(C_FILES) -- $(SCRIPTS) -- $(MANPAGES)

format: ## clang-format everything, in place
	clang-format -i $(C_FILES)

# --- install ------------------------------------------------------------------------------------

# The files to install, one word for each: MODE|SOURCE|TARGET. `make uninstall` removes each TARGET.
EXAMPLES := $(filter-out %.NetworkManager.conf,$(wildcard configs/*.conf configs/*.default))
UNITS := $(patsubst configs/%,$(B)/units/%,$(wildcard configs/*.service))
INSTALLS = 0755|$(WGXDP)|$(SBINDIR)/wgxdp \
	$(foreach m,$(MANPAGES),\
		0644|$(m)|$(MANDIR)/man$(patsubst .%,%,$(suffix $(m)))/$(notdir $(m))) \
	0644|$(B)/wgxdp.bash|$(COMPLETIONDIR)/wgxdp \
	$(foreach u,$(UNITS),0644|$(u)|$(UNITDIR)/$(notdir $(u))) \
	0644|configs/05-wgxdp.network|$(NETWORKDIR)/05-wgxdp.network \
	0644|configs/wgxdp.NetworkManager.conf|$(NMDIR)/wgxdp.conf \
	$(foreach f,README.md $(wildcard CHANGELOG.md LICENSE*) $(EXAMPLES),\
		0644|$(f)|$(DOCDIR)/$(notdir $(f))) \
	$(foreach f,$(wildcard docs/*.md docs/*.svg),0644|$(f)|$(DOCDIR)/docs/$(notdir $(f)))
target_of = $(DESTDIR)$(word 3,$(subst |, ,$(1)))

define install_file
	install -D -m $(word 1,$(subst |, ,$(1))) $(word 2,$(subst |, ,$(1))) $(call target_of,$(1))

endef

$(B)/units/%.service: configs/%.service FORCE
	@mkdir -p $(@D)
	@sed 's|/usr/local/sbin|$(SBINDIR)|' $< >$@

$(B)/wgxdp.bash: $(WGXDP)
	@$(EMULATOR) $(WGXDP) --completion bash >$@

install: all $(UNITS) $(B)/wgxdp.bash ## install into $(DESTDIR)$(PREFIX)
	$(foreach i,$(INSTALLS),$(call install_file,$(i)))

uninstall: ## remove what install put there
	rm -f $(foreach i,$(INSTALLS),$(call target_of,$(i)))
	rmdir --ignore-fail-on-non-empty $(DESTDIR)$(DOCDIR)/docs $(DESTDIR)$(DOCDIR) \
		2>/dev/null || :

clean: ## remove build/
	rm -rf $(B)

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

# -MP gives each header an empty rule, so that a deleted header does not stop the next build.
-include $(shell find $(B) \( -name sysroot -o -path $(B)/vm -o -path $(B)/toolchain \) -prune \
	-o -name '*.d' -print 2>/dev/null)
