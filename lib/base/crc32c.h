/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli), as checkpoints use it; the processor's instruction where there is one. */
#ifndef CNNFI_BASE_CRC32C_H
#define CNNFI_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 to start) over data. */
uint32_t cnnfi_crc32c(uint32_t crc, const void *data, size_t size);
/* The same by tables: what a processor without the instruction runs. */
uint32_t cnnfi_crc32c_portable(uint32_t crc, const void *data, size_t size);

/* tensorflow/core/lib/hash/crc32c.h: a crc of data that holds crcs is stored masked. */
static inline uint32_t cnnfi_crc32c_mask(uint32_t crc)
{
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static inline uint32_t cnnfi_crc32c_unmask(uint32_t masked)
{
    uint32_t rotated = masked - 0xa282ead8u;
    return (rotated >> 17) | (rotated << 15);
}

#endif
