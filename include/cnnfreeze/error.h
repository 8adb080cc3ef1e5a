/* SPDX-License-Identifier: Apache-2.0 */
/**
 * error.h - the words behind a status.
 *
 * Every function that can fail takes a nullable `cnnf_error *` last. Recording an error never
 * allocates. After a success the object is unchanged; after a failure it holds that failure.
 * The message is one line: "<file>: <format>: <where>: <what>", at most 1,000 bytes, bytes that
 * do not print written as `\xNN`.
 *
 * Thread-safety: unsafe; one object per thread or call.
 */
#ifndef CNNFREEZE_ERROR_H
#define CNNFREEZE_ERROR_H

#include <stdint.h>

#include <cnnfreeze/export.h>
#include <cnnfreeze/status.h>

typedef struct cnnf_error cnnf_error;

CNNF_BEGIN_DECLS

/** A *new* empty error, released with cnnf_error_free(); NULL when memory is out. @since 0.1 */
CNNF_API cnnf_error *cnnf_error_new(void);
/** Releases an error; NULL is allowed. @since 0.1 */
CNNF_API void cnnf_error_free(cnnf_error *error);
/** Back to empty: code CNNF_OK, message "". @since 0.1 */
CNNF_API void cnnf_error_clear(cnnf_error *error);

/** The status of the failure; CNNF_OK when empty or NULL. @since 0.1 */
CNNF_API cnnf_status cnnf_error_code(const cnnf_error *error);
/** The whole line, UTF-8; *borrowed* until the error is used again or freed. "" when empty. @since 0.1 */
CNNF_API const char *cnnf_error_message(const cnnf_error *error);
/** The file the failure is about, or "". *Borrowed* like the message. @since 0.1 */
CNNF_API const char *cnnf_error_where(const cnnf_error *error);
/** The graph node, layer or tensor the failure is about, or "". *Borrowed* like the message. @since 0.1 */
CNNF_API const char *cnnf_error_node(const cnnf_error *error);
/** The byte offset in cnnf_error_where(), or -1 when there is none. @since 0.1 */
CNNF_API int64_t cnnf_error_offset(const cnnf_error *error);

CNNF_END_DECLS

#endif
