/* SPDX-License-Identifier: Apache-2.0 */
/* tensorflow/core/lib/strings/ordered_code.cc: encodings whose byte order is the order of what they hold. */
#include "loader/checkpoint/ordered_code.h"

/* A count byte, then the number's bytes, highest first. */
static void put_number(cnnfi_strbuf *key, uint64_t value)
{
    char bytes[8];
    size_t n = 0;
    for (uint64_t v = value; v; v >>= 8)
        n++;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(value >> 8 * (n - 1 - i));
    cnnfi_strbuf_putc(key, (char)n);
    cnnfi_strbuf_add(key, bytes, n);
}

/* 0x00 and 0xff are escaped, 0x00 0x01 ends the string. */
static void put_string(cnnfi_strbuf *key, const char *text)
{
    for (; *text; text++) {
        cnnfi_strbuf_putc(key, *text);
        if ((uint8_t)*text == 0xff) cnnfi_strbuf_putc(key, '\0');
    }
    cnnfi_strbuf_add(key, "\0\1", 2);
}

/* Two's complement, highest byte first, with as many leading ones (inverted for negatives) as there are bytes. */
static void put_signed(cnnfi_strbuf *key, int64_t value)
{
    const uint64_t magnitude = value < 0 ? ~(uint64_t)value : (uint64_t)value;
    uint8_t bytes[10], header[2];
    size_t bits = 0;
    while (bits < 64 && magnitude >> bits)
        bits++;
    const size_t length = bits / 7 + 1; /* of 1..10 */
    for (size_t i = 0; i < 10; i++)
        bytes[9 - i] = (uint8_t)(i < 8 ? (uint64_t)value >> 8 * i : value < 0 ? 0xff : 0);
    const uint32_t ones = 0xffffu & ~(0xffffu >> length);
    header[0] = (uint8_t)(ones >> 8);
    header[1] = (uint8_t)ones;
    bytes[10 - length] ^= header[0];
    if (length > 1) bytes[11 - length] ^= header[1];
    cnnfi_strbuf_add(key, bytes + 10 - length, length);
}

void cnnfi_ordered_slice_key(cnnfi_strbuf *key, const char *name, const cnnfi_extent *extents, int32_t rank)
{
    put_number(key, 0);
    put_string(key, name);
    put_number(key, (uint64_t)rank);
    for (int32_t i = 0; i < rank; i++) {
        put_signed(key, extents[i].start);
        put_signed(key, extents[i].length);
    }
}
