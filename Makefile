# A thin front of Meson: https://mesonbuild.com reads meson.build, this file only saves typing.
#
#   make              the optimized programs, into build/
#   make run          installs what is missing, builds, starts the demonstration in the foreground (data in ./demo)
#   make test         installs what is missing, builds, runs every test; ends with "N passed, N failed"
#   make install      PREFIX (/usr/local) and DESTDIR as usual
#   make bench        measures; beside Postfix and Dovecot where they are installed
#   make fuzz         every fuzz target for FUZZ_SECONDS, or one:  make fuzz TARGET=address FUZZ_SECONDS=3600
#   make stress       random IMAP sessions against a model:  make stress STEPS=10000000 SEED=5
#   make check-asan   unit and system tests with AddressSanitizer and UndefinedBehaviorSanitizer
#   make check-tsan   the same with ThreadSanitizer
#   make check-clang  a warning-free build with clang
#   make check-format, make check-layers, make format, make deps, make clean
#
# TESTS="test/test_smtp.py -k pipelining" narrows the system tests, BENCH="--quick --only ten" the measuring.

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
TARGET ?= *
STEPS ?= 1000000
SEED ?= 1
TESTS ?=
BENCH ?=

.NOTPARALLEL:
.PHONY: build run test install bench fuzz fuzz-targets stress deps format clean \
	check-asan check-tsan check-clang check-format check-layers

build: build/build.ninja
	@ninja -C build

run: deps build
	@tools/demo

test: deps build fuzz-targets
	@tools/run-tests --fuzz build-fuzz build -- $(TESTS)

check-asan: build-asan/build.ninja
	@ninja -C build-asan
	@tools/with-sanitizer tools/run-tests build-asan -- $(TESTS)

check-tsan: build-tsan/build.ninja
	@ninja -C build-tsan
	@tools/with-sanitizer tools/run-tests build-tsan -- $(TESTS)

check-clang: build-clang/build.ninja
	@ninja -C build-clang

check-format:
	@tools/format --check

check-layers:
	@tools/check-layers

format:
	@tools/format

deps:
	@tools/install-packages

install: build
	@meson configure build -Dprefix=$(PREFIX)
	@ninja -C build
	@meson install -C build --no-rebuild

bench: deps build
	@bench/run build $(BENCH)

stress: build
	@build/src/vault/imap/model_test --steps $(STEPS) --seed $(SEED)

fuzz: deps fuzz-targets
	@set -e; for target in $$(find build-fuzz -type f -name '$(TARGET)_fuzz'); do \
		tools/fuzz $$target $(FUZZ_SECONDS); done

fuzz-targets: build-fuzz/build.ninja
	@tools/build-fuzz-targets build-fuzz

clean:
	rm -rf build build-asan build-tsan build-fuzz build-clang

build/build.ninja:
	@meson setup build

build-asan/build.ninja:
	@meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1

build-tsan/build.ninja:
	@meson setup build-tsan -Db_sanitize=thread -Db_lundef=false -Doptimization=1

# clang's warnings are its front end's: they are the same without optimization, in a third of the time.
build-clang/build.ninja:
	@CC=clang meson setup build-clang -Doptimization=0 -Ddebug=false

build-fuzz/build.ninja:
	@CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
