# SPDX-License-Identifier: MIT
# husk: build, test, check. Every target installs what it needs (Debian packages by name).
#
#   make demo    build, run the classic example under Husk, show the captured page
#   make test    build, pass all tests
#   make check   formatting, warnings as errors, import directions, licence headers
#   make coverage  every way in, on this kernel: the verdicts, into docs/coverage.md
#   make jit     how much of the code of JITs is in the capture, into docs/coverage.md
#   make kernels   the same on Debian's kernels in QEMU (KERNELS="6.1 6.12 ..."), an hour or so
#   make bench   the figures of docs/benchmarks.md, measured anew (half an hour or more)
#   make kill-test  kill Husk COUNT times (500) while it traces: no target may stay held
#   make sanitize  the tests that trace nothing, with AddressSanitizer and ThreadSanitizer
#   make fuzz    each fuzzer for FUZZ_SECONDS (60) from its kept corpus; TARGET=NAME: only that one
#   make soak    MINUTES (5) of processes by the thousand, and faults at random: nothing is lost unsaid
#   make examples  build the programs of Examples/ (a package of its own) and run each of them
#   make docs    the documentation of the library products, warnings as errors, in .build/docs
#   make man     the manual pages, from the same text as --help, in .build/man
#   make dist    a Debian package and a tarball, in .build/dist (a release build, some minutes)
#   make fmt     format the Swift sources
#   make clean

SWIFT ?= swift
CONFIG ?= debug
# Warnings in the project's own code are errors (Package.swift).
export HUSK_STRICT = 1
BIN = .build/$(CONFIG)

.PHONY: all build demo test check coverage jit kernels bench kill-test soak sanitize fuzz fuzz-merge examples docs man dist fmt deps test-deps clean

all: build

# ---- what must be installed --------------------------------------------------------------

deps:
	@Tools/install-packages libbpf-dev libelf-dev zlib1g-dev libcapstone-dev libxxhash-dev libsqlite3-dev libzstd-dev libyara-dev libseccomp-dev node-d3 linux-libc-dev pkg-config

# The programs that the tests trace; those that are there already are not installed again.
test-deps: deps
	@Tools/install-packages luajit procps util-linux binutils gdb sqlite3 iproute2 \
		chromium chromium-driver python3 python3-selenium
	@Tools/get-axe .build/browser/axe.min.js
	@command -v perl >/dev/null || Tools/install-packages perl
	@command -v node >/dev/null || Tools/install-packages nodejs
	@command -v javac >/dev/null || Tools/install-packages openjdk-17-jdk-headless

# ---- the two commands of the README --------------------------------------------------------

# Tests that trace nothing, some of which take a CPU for a while, and those that start a browser:
# beside them, races that others try to win would be lost.
COMPUTING = HuskModelTests|HuskAnalysisTests|HuskCaptureTests|HuskReportTests|FuzzCorpusTests
LOOKING = ReportOfProgramsTests

demo: deps
	$(SWIFT) build -c $(CONFIG)
	@Tools/demo $(BIN)

test: test-deps
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --filter '$(COMPUTING)'
	$(SWIFT) test --skip-build --filter '$(LOOKING)'
	$(SWIFT) test --skip-build --skip '$(COMPUTING)|$(LOOKING)'

# ---- the rest ------------------------------------------------------------------------------

build: deps
	$(SWIFT) build -c $(CONFIG)

check: deps
	Tools/check-format
	Tools/check-imports
	Tools/check-sources
	$(SWIFT) build --build-tests

# Debian's own two, and those that it offers besides; what it no longer has is skipped, aloud.
KERNELS ?= 6.1 6.12 6.18 7.0 7.3
COVERAGE = $(BIN)/coverage
# What has been run so far.
REPORT = $(BIN)/husk-coverage report $(COVERAGE)/*.json \
	$$(find $(COVERAGE) -name '*.jsonl' -printf '--jit %p ' | sort) >docs/coverage.md

coverage: test-deps
	$(SWIFT) build -c $(CONFIG) --product husk-coverage
	Tools/build-cases $(BIN)/cases
	mkdir -p $(COVERAGE)
	$(BIN)/husk-coverage run --copy syscall-exit --small --json $(COVERAGE)/0-host-exit.json $(BIN)/cases
	$(BIN)/husk-coverage run --json $(COVERAGE)/0-host.json $(BIN)/cases
	$(BIN)/husk-coverage run --rwx trap --small --json $(COVERAGE)/0-host-trap.json $(BIN)/cases
	$(REPORT)

# How much of what JITs make is in the capture: a release build, some minutes.
jit: test-deps
	@Tools/install-packages sbcl php-cli
	$(SWIFT) build -c release --product husk
	$(SWIFT) build -c $(CONFIG) --product husk-coverage
	mkdir -p $(COVERAGE)
	Tools/jit-truth/run --json --husk .build/release/husk -- --rwx observe >$(COVERAGE)/observe.jsonl
	Tools/jit-truth/run --json --husk .build/release/husk -- --rwx trap >$(COVERAGE)/trap.jsonl
	$(REPORT)

kernels: test-deps
	$(SWIFT) build -c $(CONFIG) --product husk-coverage
	Tools/kernels $(BIN) $(KERNELS)
	$(REPORT)

bench: test-deps
	@Tools/install-packages ruby bpftrace gdb linux-perf strace sbcl php-cli
	$(SWIFT) build -c release
	Benchmarks/run
	Benchmarks/chart -o docs/benchmarks.svg

COUNT ?= 500

kill-test: deps
	$(SWIFT) build -c release --product husk
	$(CC) -O2 -pthread -o .build/kill-test Tests/Fixtures/kill/main.c
	.build/kill-test $(COUNT) .build/release/husk --ring-size 64K
	.build/kill-test $(COUNT) .build/release/husk --ring-size 64K --copy syscall-exit

MINUTES ?= 5

# SOAK='--seed 7 --only full-disk' repeats a part; Tests/Soak/soak.py --help. The fixture is static
# because it goes into virtual machines, too.
soak: test-deps
	$(SWIFT) build -c release --product husk
	$(CC) -O2 -Wall -Wextra -Werror -static -pthread -ITests/Fixtures/support/include \
		-o .build/soak-workload Tests/Soak/workload.c Tests/Fixtures/support/fixture.c
	python3 Tests/Soak/soak.py --husk .build/release/husk --workload .build/soak-workload \
		--minutes $(MINUTES) $(SOAK)

# Another package that depends on this one, so it is built apart: the libraries once more, without
# the command and what only that needs.
examples: deps
	@Tools/install-packages binutils gcc libc6-dev python3 sqlite3 zstd
	$(SWIFT) build -c $(CONFIG) --product husk
	$(SWIFT) build -c $(CONFIG) --package-path Examples --scratch-path .build/examples
	@Tools/try-examples $(BIN)/husk .build/examples/$(CONFIG)

docs: deps
	$(SWIFT) build -c $(CONFIG) --product husk
	@Tools/make-docs $(BIN) .build/docs

# Both by default; SANITIZER=address, SANITIZER=thread: that one. Some minutes each the first time.
SANITIZER ?= address thread

sanitize: test-deps
	for sanitizer in $(SANITIZER); do Tools/sanitize $$sanitizer || exit; done

# libFuzzer is in the toolchain. All of Husk is compiled anew for it, optimized: some minutes.
FUZZ_SECONDS ?= 60
FUZZER = .build-fuzz/release/husk-fuzz

fuzz: deps
	Tools/build-fuzzer
	Tools/fuzz $(FUZZER) $(FUZZ_SECONDS) $(TARGET)

# Keeps what the last runs have found, as few inputs as have all of the coverage.
fuzz-merge: deps
	Tools/build-fuzzer
	Tools/fuzz --merge $(FUZZER) $(TARGET)

man: deps
	$(SWIFT) package generate-manual --multi-page --authors "the Husk developers"
	@mkdir -p .build/man
	@for page in .build/plugins/GenerateManual/outputs/HuskCommand/*.1; do \
		Tools/tidy-manual $$page .build/man/$${page##*/} || exit 1; \
	done
	@echo "see: man -l .build/man/husk.1"

# A stripped program with the Swift runtime in it, as a Debian package and as a tarball. A folder of
# its own: the other build links the runtime's libraries.
# Where it is built is not in what is built. (But for how long that path is: Swift 6.3 puts the length
# into what it makes of withoutActuallyEscaping(_:do:), in GRDB and Hummingbird.)
ANYWHERE = -Xcc -ffile-prefix-map=$(CURDIR)=. -Xcxx -ffile-prefix-map=$(CURDIR)=. \
	-Xswiftc -file-prefix-map -Xswiftc $(CURDIR)=.

dist: man
	@Tools/install-packages dpkg-dev
	$(SWIFT) build -c release --static-swift-stdlib --scratch-path .build-dist --product husk \
		$(ANYWHERE)
	Tools/dist .build-dist/release/husk .build/dist

fmt:
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Plugins Tests \
		Examples Fuzz/Package.swift Fuzz/Sources/husk-fuzz

clean:
	rm -rf .build demo-capture
