/* SPDX-License-Identifier: Apache-2.0 */
/**
 * buffer.h - bytes that the library gives to the caller.
 *
 * Thread-safety: reading is safe.
 */
#ifndef CNNFREEZE_BUFFER_H
#define CNNFREEZE_BUFFER_H

#include <stddef.h>

#include <cnnfreeze/export.h>

typedef struct cnnf_buffer cnnf_buffer;

CNNF_BEGIN_DECLS

/** The bytes, *borrowed* until the buffer is freed. A zero byte follows the last one, so text is a C string. @since 0.1
 */
CNNF_API const void *cnnf_buffer_data(const cnnf_buffer *buffer);
/** Their number. @since 0.1 */
CNNF_API size_t cnnf_buffer_size(const cnnf_buffer *buffer);
/** Releases a buffer; NULL is allowed. @since 0.1 */
CNNF_API void cnnf_buffer_free(cnnf_buffer *buffer);

CNNF_END_DECLS

#endif
