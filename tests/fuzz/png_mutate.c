/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's mutations of a data set, and then, where a part is a PNG, the checksums of its chunks repaired. */
#include <string.h>

#include <zlib.h>

#include "fuzz_parts.h"

FUZZ_PLAIN_BEGIN

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void repair(part p)
{
    if (p.size < 8 || memcmp(p.data, "\x89PNG\r\n\x1a\n", 8) != 0) return;
    for (size_t at = 8; at + 12 <= p.size;) {
        const uint32_t length = be32(p.data + at);
        if (length > p.size - at - 12) return;
        const uLong crc = crc32(crc32(0, NULL, 0), p.data + at + 4, length + 4);
        for (unsigned i = 0; i < 4; i++)
            p.data[at + 8 + length + i] = (uint8_t)(crc >> (24 - 8 * i));
        at += 12 + length;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    if (!seed) return size;
    size = LLVMFuzzerMutate(data, size, max_size);
    uint8_t *rest = data;
    for (size_t left = size; left > 4 && seed % 16;)
        repair(next_part(&rest, &left));
    return size;
}

FUZZ_PLAIN_END
