/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz targets. Each is a LLVMFuzzerTestOneInput, so libFuzzer and AFL++ can drive it; built as tests they are driven
 * by mutate_main.c: every corpus file as it is, cut short, and damaged in many reproducible ways.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cnnfreeze/cnnfreeze.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* The engine's own mutations, for mutators of formats that fall back on them. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* Mutators stand between these: they are no part of what is fuzzed, and without the instruments of sanitizers and
   fuzzers they are several times as fast. */
#if defined(__clang__)
#define FUZZ_PRAGMA(...) _Pragma(#__VA_ARGS__)
#define FUZZ_PLAIN_BEGIN                                                                                               \
    FUZZ_PRAGMA(                                                                                                       \
        clang attribute push(__attribute__((no_sanitize("address", "undefined", "coverage"))), apply_to = function))
#define FUZZ_PLAIN_END _Pragma("clang attribute pop")
#else
#define FUZZ_PLAIN_BEGIN
#define FUZZ_PLAIN_END
#endif

/* Limits as for files from strangers, and less memory: a damaged length must not make a machine swap. */
static inline cnnf_context *fuzz_context(void)
{
    cnnf_context_options *options = NULL;
    cnnf_context *context = NULL;
    if (cnnf_context_options_new(&options, NULL)) abort();
    cnnf_context_options_set_untrusted(options, NULL);
    cnnf_context_options_set_limit(options, CNNF_LIMIT_MEMORY, (uint64_t)256 << 20, NULL);
    if (cnnf_context_new(&context, options, NULL)) abort();
    cnnf_context_options_free(options);
    return context;
}

/* Whatever the bytes were, nothing may be left. */
static inline void fuzz_context_done(cnnf_context *context)
{
    if (cnnf_context_memory(context, 0) != 0) abort();
    cnnf_context_unref(context);
}

#endif
