/* SPDX-License-Identifier: Apache-2.0 */
/* Drives a fuzz target without a fuzzer: mutate_main ROUNDS FILE...; the same bytes every time. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

#define MAX_BYTES ((size_t)1 << 20)

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

static size_t read_file(const char *path, uint8_t *data)
{
    FILE *file = fopen(path, "rb");
    const size_t size = file ? fread(data, 1, MAX_BYTES, file) : 0;
    if (file) fclose(file);
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t original[MAX_BYTES], damaged[MAX_BYTES];
    const long rounds = argc > 1 ? atol(argv[1]) : 0;
    long runs = 0;
    for (int i = 2; i < argc; i++) {
        const size_t size = read_file(argv[i], original);
        if (!size) return fprintf(stderr, "%s: cannot read\n", argv[i]), 1;
        uint32_t state = 2463534242u;
        LLVMFuzzerTestOneInput(original, size);
        for (long round = 0; round < rounds; round++, runs++) {
            memcpy(damaged, original, size);
            const size_t length = mutate(damaged, size, &state);
            /* Exactly as many bytes as there are, so that a read past the end is seen. */
            uint8_t *exact = malloc(length ? length : 1);
            if (!exact) return 1;
            memcpy(exact, damaged, length);
            LLVMFuzzerTestOneInput(exact, length);
            free(exact);
        }
    }
    printf("%ld damaged inputs survived\n", runs);
    return runs > 0 ? 0 : 1;
}
