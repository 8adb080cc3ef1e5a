/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a cnnf_error: no allocation, one formatter for every message. `error` may always be NULL. */
#ifndef CNNFI_BASE_ERROR_H
#define CNNFI_BASE_ERROR_H

#include <stdarg.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>
#include <cnnfreeze/error.h>

/* Propagates a failure; the only control-flow macro. */
#define CNNFI_TRY(expression)                                                                                          \
    do {                                                                                                               \
        cnnf_status try_status_ = (expression);                                                                        \
        if (try_status_ != CNNF_OK) return try_status_;                                                                \
    } while (0)

/*
 * Records code and message (printf format; no %f/%g: they follow the locale) and returns the code. The two other forms
 * name the place as well: cnnf_error_node(), or cnnf_error_where() and cnnf_error_offset() (-1: no byte in particular).
 * A failure and its place are one call, because recording a failure begins with an empty error.
 */
cnnf_status cnnfi_fail(cnnf_error *error, cnnf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
cnnf_status cnnfi_fail_at_node(cnnf_error *error, cnnf_status code, const char *node, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
cnnf_status cnnfi_fail_in_file(cnnf_error *error, cnnf_status code, const char *file, int64_t offset,
                               const char *format, ...) __attribute__((format(printf, 5, 6)));
#ifdef __clang_analyzer__
/* It does not see into other files: a recorded failure is a failure. */
#define cnnfi_fail(error, code, ...)         ((void)(cnnfi_fail)(error, code, __VA_ARGS__), (code))
#define cnnfi_fail_at_node(error, code, ...) ((void)(cnnfi_fail_at_node)(error, code, __VA_ARGS__), (code))
#define cnnfi_fail_in_file(error, code, ...) ((void)(cnnfi_fail_in_file)(error, code, __VA_ARGS__), (code))
#endif
/* CNNF_E_INVALID: "<function>: an argument is NULL"; for public functions, with their __func__. */
cnnf_status cnnfi_fail_null(cnnf_error *error, const char *function);
/* "out of memory". */
cnnf_status cnnfi_fail_nomem(cnnf_error *error);
#ifdef __clang_analyzer__
#define cnnfi_fail_nomem(error) ((void)(cnnfi_fail_nomem)(error), CNNF_E_NOMEM)
#endif
/* CNNF_OK when `format` is one of a set of CNNF_REPORT_*, else CNNF_E_INVALID with those that are. */
#define CNNFI_FORMAT(format) (1u << (format))
cnnf_status cnnfi_check_formats(int32_t format, uint32_t allowed, cnnf_error *error);
/* The limit's name, the value found and the allowed one. `what`: "tensor 'w'". */
cnnf_status cnnfi_fail_limit(cnnf_error *error, const char *what, int32_t limit, uint64_t value, uint64_t allowed);

/*
 * A callee knows what, its caller knows where: these add to the failure that is recorded and return its code, which the
 * caller must pass on. Without a recorded failure they add nothing.
 */
cnnf_status cnnfi_error_prefix(cnnf_error *error, cnnf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
cnnf_status cnnfi_error_in_file(cnnf_error *error, cnnf_status code, const char *file)
    __attribute__((warn_unused_result));
cnnf_status cnnfi_error_at_node(cnnf_error *error, cnnf_status code, const char *node)
    __attribute__((warn_unused_result));
/* Copies one error over another (both nullable). */
void cnnfi_error_copy(cnnf_error *to, const cnnf_error *from);

/* What a message, a file's or a node's name may have, without the final zero byte. */
#define CNNFI_LINE_BYTES 1000

/*
 * One line of valid UTF-8 in `size` bytes, the zero byte included: what a file smuggles into a message (control
 * characters, bytes that are no UTF-8, characters that break the line or turn its direction) comes out as \xNN. What is
 * longer ends in "...", never inside a character. Every message of the library is made here, those of the log too.
 */
void cnnfi_print_line(char *out, size_t size, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

/* The public type is opaque; lib/ may put one on the stack, zeroed, where a failure may be swallowed. */
struct cnnf_error {
    cnnf_status code;
    int64_t offset;
    char message[CNNFI_LINE_BYTES + 1];
    char where[CNNFI_LINE_BYTES + 1];
    char node[CNNFI_LINE_BYTES + 1];
};

#endif
