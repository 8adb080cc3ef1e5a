/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a cnnf_error: no allocation, one formatter for every message. `error` may always be NULL. */
#ifndef CNNFI_BASE_ERROR_H
#define CNNFI_BASE_ERROR_H

#include <cnnfreeze/context.h>
#include <cnnfreeze/error.h>

/* Propagates a failure; the only control-flow macro. */
#define CNNFI_TRY(expression)                                                                                          \
    do {                                                                                                               \
        cnnf_status try_status_ = (expression);                                                                        \
        if (try_status_ != CNNF_OK) return try_status_;                                                                \
    } while (0)

/* Records code and message (printf format; no %f/%g: they follow the locale) and returns the code. */
cnnf_status cnnfi_fail(cnnf_error *error, cnnf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__
/* It does not see into other files: a recorded failure is a failure. */
#define cnnfi_fail(error, code, ...) ((void)(cnnfi_fail)(error, code, __VA_ARGS__), (code))
#endif
/* "out of memory". */
cnnf_status cnnfi_fail_nomem(cnnf_error *error);
#ifdef __clang_analyzer__
#define cnnfi_fail_nomem(error) ((void)(cnnfi_fail_nomem)(error), CNNF_E_NOMEM)
#endif
/* The limit's name, the value found and the allowed one. `what`: "tensor 'w'". */
cnnf_status cnnfi_fail_limit(cnnf_error *error, const char *what, int32_t limit, uint64_t value, uint64_t allowed);

/* Adds to a recorded failure and returns its code: a callee knows what, its caller knows where. */
cnnf_status cnnfi_error_prefix(cnnf_error *error, cnnf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Fields beside the message; they do not change it. */
void cnnfi_error_set_where(cnnf_error *error, const char *path);
void cnnfi_error_set_node(cnnf_error *error, const char *node);
void cnnfi_error_set_offset(cnnf_error *error, int64_t offset);
/* Copies one error over another (both nullable). */
void cnnfi_error_copy(cnnf_error *to, const cnnf_error *from);

/* The public type is opaque; lib/ may put one on the stack, zeroed, where a failure may be swallowed. */
struct cnnf_error {
    cnnf_status code;
    int64_t offset;
    char message[1024];
    char where[512];
    char node[256];
};

#endif
