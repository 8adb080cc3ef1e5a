/* SPDX-License-Identifier: Apache-2.0 */
/**
 * buffer.h - bytes that the library gives to the caller: files, reports.
 *
 * Thread-safety: reading is safe.
 */
#ifndef CNNFREEZE_BUFFER_H
#define CNNFREEZE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/export.h>

typedef struct cnnf_buffer cnnf_buffer;

/** How a report is written; each says which of them it knows, another is CNNF_E_INVALID. */
#define CNNF_REPORT_TEXT 0 /**< lines for people */
#define CNNF_REPORT_JSON 1
#define CNNF_REPORT_DOT  2 /**< a picture, for Graphviz */
#define CNNF_REPORT_HTML 3 /**< one page that needs nothing else */
#define CNNF_REPORT_SVG  4 /**< a picture */
#define CNNF_REPORT_GTT  5 /**< the lines that TensorFlow's Graph Transform Tool prints */

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
