/* SPDX-License-Identifier: Apache-2.0 */
/* Drives a fuzz target without a fuzzer: mutate_main ROUNDS FILE...; the same bytes every time. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

#define MAX_BYTES ((size_t)1 << 20)

/* A format's own mutator, where a target has one; with seed 0 it prepares a file and changes nothing of it. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) __attribute__((weak));

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* One to four damages: a flipped bit, a replaced byte, an interesting length, a cut, a doubled piece. */
static size_t mutate(uint8_t *data, size_t size, uint32_t *state)
{
    static const uint8_t interesting[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0x22, 0x5b};
    for (uint32_t n = next_random(state) % 4 + 1; n && size; n--) {
        const size_t at = next_random(state) % size;
        switch (next_random(state) % 5) {
        case 0:
            data[at] ^= (uint8_t)(1u << (next_random(state) % 8));
            break;
        case 1:
            data[at] = (uint8_t)next_random(state);
            break;
        case 2:
            data[at] = interesting[next_random(state) % sizeof interesting];
            break;
        case 3:
            size = at;
            break;
        default:
            if (size + 16 < MAX_BYTES && at + 16 < size) {
                memmove(data + at + 16, data + at, size - at);
                size += 16;
            }
        }
    }
    return size;
}

/* The engine's mutations, when a format's own mutator asks for them. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    static uint32_t state = 88172645u;
    uint8_t *copy = malloc(MAX_BYTES);
    if (!copy || size > MAX_BYTES) abort();
    memcpy(copy, data, size);
    size = mutate(copy, size, &state);
    if (size > max_size) size = max_size;
    memcpy(data, copy, size);
    free(copy);
    return size;
}

static size_t read_file(const char *path, uint8_t *data)
{
    FILE *file = fopen(path, "rb");
    const size_t size = file ? fread(data, 1, MAX_BYTES, file) : 0;
    if (file) fclose(file);
    return size;
}

/* The next input in `damaged`: from the original, or (formats with a mutator) now and then from the one before. */
static size_t next_input(uint8_t *damaged, size_t length, const uint8_t *original, size_t size, long round,
                         uint32_t *state)
{
    if (round % 4 == 0 || !LLVMFuzzerCustomMutator) {
        memcpy(damaged, original, size);
        length = size;
    }
    if (!LLVMFuzzerCustomMutator) return mutate(damaged, length, state);
    return LLVMFuzzerCustomMutator(damaged, length, MAX_BYTES, next_random(state));
}

/* Exactly as many bytes as there are, so that a read past the end is seen. */
static int run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact) return 0;
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 1;
}

int main(int argc, char **argv)
{
    static uint8_t original[MAX_BYTES], damaged[MAX_BYTES];
    const long rounds = argc > 1 ? atol(argv[1]) : 0;
    const char *start = getenv("FUZZ_SEED"); /* another one gives other damages */
    long runs = 0;
    for (int i = 2; i < argc; i++) {
        size_t size = read_file(argv[i], original), length = 0;
        if (!size) return fprintf(stderr, "%s: cannot read\n", argv[i]), 1;
        uint32_t state = start && atol(start) ? (uint32_t)atol(start) : 2463534242u;
        if (!run(original, size)) return 1;
        if (LLVMFuzzerCustomMutator) size = LLVMFuzzerCustomMutator(original, size, MAX_BYTES, 0);
        for (long round = 0; round < rounds; round++, runs++) {
            length = next_input(damaged, length, original, size, round, &state);
            if (!run(damaged, length)) return 1;
        }
    }
    printf("%ld damaged inputs survived\n", runs);
    return runs > 0 ? 0 : 1;
}
