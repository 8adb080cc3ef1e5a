/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

/* Length of the well-formed sequence at p (Unicode 15, table 3-7), 0 when there is none. */
size_t cnnfi_utf8_sequence(const uint8_t *p, size_t left)
{
    if (p[0] < 0x80) return 1;
    const size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < length) return 0;
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f)) {
        return 0;
    }
    return length;
}

bool cnnfi_utf8_valid(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    while (size) {
        const size_t length = cnnfi_utf8_sequence(p, size);
        if (!length) return false;
        p += length;
        size -= length;
    }
    return true;
}
