#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds and runs every test. On a fresh Debian 12 it installs what is missing first.
#   CNNF_WERROR=1      warnings are errors
#   CNNF_SANITIZE=1    again under AddressSanitizer and UndefinedBehaviorSanitizer
#   CNNF_THREADS=1     the tests of threads again under ThreadSanitizer
#   CNNF_FUZZ=1        replays the corpus and fuzzes each target for CNNF_FUZZ_SECONDS (15)
#   CNNF_CHECK_OUTPUT=1  the command reads back everything that it writes
#   CNNF_CONFORMANCE=0 leave out the comparison with TensorFlow (it installs TensorFlow from PyPI)
#   CNNF_CONFORMANCE_ENV=DIR  a Python environment that has TensorFlow 2.15, NumPy and pytest already
set -eu
cd "$(dirname "$0")/.."
sh tests/install_deps.sh

werror=${CNNF_WERROR:-0}
case "$werror" in 1) werror=true ;; *) werror=false ;; esac

check_output=auto
if [ "${CNNF_CHECK_OUTPUT:-0}" = 1 ]; then check_output=enabled; fi

build_in() { # DIR [meson arguments]
    dir=$1
    shift
    if [ -f "$dir/build.ninja" ]; then
        meson configure "$dir" -Dwerror=$werror -Dcheck_output=$check_output "$@"
    else
        meson setup "$dir" -Dwerror=$werror -Dcheck_output=$check_output "$@"
    fi
    ninja -C "$dir"
}

build_in build
sh tests/lint/run_clang_tidy.sh build
meson test -C build --no-rebuild --print-errorlogs --timeout-multiplier 3

if [ "${CNNF_SANITIZE:-0}" = 1 ]; then
    build_in build-asan -Donednn=enabled -Db_sanitize=address,undefined -Dbuildtype=debugoptimized -Db_lundef=false
    CK_FORK=no ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
        meson test -C build-asan --no-rebuild --print-errorlogs --timeout-multiplier 6 --no-suite lint --no-suite consumers
fi

# What threads share: only the programs that are about it, so that it is a matter of two minutes.
if [ "${CNNF_THREADS:-${CNNF_SANITIZE:-0}}" = 1 ]; then
    programs="tests/threads/test_threads tests/unit/test_evaluator"
    [ -f build-tsan/build.ninja ] || meson setup build-tsan -Dwerror=$werror -Ddefault_library=static -Db_sanitize=thread \
        -Dbuildtype=debugoptimized -Db_lundef=false -Dexamples=disabled
    # shellcheck disable=SC2086
    ninja -C build-tsan $programs
    for program in $programs; do
        CK_FORK=no CK_DEFAULT_TIMEOUT=600 TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 "build-tsan/$program"
    done
fi

# The fuzzer's own sanitizers are in the same run.
if [ "${CNNF_FUZZ:-${CNNF_SANITIZE:-0}}" = 1 ]; then
    sh tests/install_deps.sh --fuzz
    sh tests/fuzz/campaign.sh 0 build-fuzz
    python3 tests/fuzz/run_targets.py build-fuzz . "${CNNF_FUZZ_SECONDS:-15}"
fi

if [ "${CNNF_CONFORMANCE:-1}" = 1 ]; then
    python=${CNNF_CONFORMANCE_ENV:-build/conformance-env}/bin/python
    if [ -z "${CNNF_CONFORMANCE_ENV:-}" ]; then sh tests/install_deps.sh --conformance build/conformance-env; fi
    CNNFREEZE_BUILD="$PWD/build" "$python" -m pytest -q --durations=10 -p no:cacheprovider tests/conformance
fi
