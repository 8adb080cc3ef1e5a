/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef CNNFI_BASE_UTF8_H
#define CNNFI_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed UTF-8 sequence at `bytes`, of which `left` (at least 1) follow; 0 when there is none. */
size_t cnnfi_utf8_sequence(const uint8_t *bytes, size_t left);
/* Whether bytes are well-formed UTF-8. */
bool cnnfi_utf8_valid(const void *bytes, size_t size);

#endif
