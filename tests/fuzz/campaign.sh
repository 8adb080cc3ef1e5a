#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The long run: campaign.sh HOURS [BUILD [TARGET...]]. Builds the targets with clang's libFuzzer, AddressSanitizer and
# UndefinedBehaviorSanitizer (tests/install_deps.sh --fuzz installs what it needs), then fuzzes each of them in turns of
# five minutes, two at a time. Corpora stay in BUILD/fuzz-work and are taken up again; what was found lies in
# BUILD/fuzz-work/found: make it a seed in tests/fuzz/corpus/TARGET when it is mended.
#   campaign.sh 0 BUILD   builds only
set -eu
hours=$1
cd "$(dirname "$0")/../.."
build=${2:-build-fuzz}
[ $# -lt 2 ] || shift
shift
if [ ! -f "$build/build.ninja" ]; then
    # LIB_FUZZING_ENGINE, CC and CFLAGS are OSS-Fuzz's names; without them it is libFuzzer.
    CC=${CC:-clang-14} meson setup "$build" -Ddefault_library=static -Dbuildtype=debugoptimized -Dexamples=disabled \
        -Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link \
        -Dfuzzing_engine="${LIB_FUZZING_ENGINE:--fsanitize=fuzzer}" >/dev/null
fi
ninja -C "$build" fuzz_targets
rounds=$((hours * 3))
if [ "$rounds" -gt 0 ]; then
    # Eight targets, two at a time, five minutes each: twenty minutes a round.
    exec python3 tests/fuzz/run_targets.py "$build" . 300 --rounds "$rounds" "$@"
fi
