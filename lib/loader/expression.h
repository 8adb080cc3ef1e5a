/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small expressions that a user writes, never a file: "x / 127.5 - 1", "relu(x, max_value=6)", "x[:, ::-1]". Python's
 * grammar as far as Lambda layers of one line go: numbers, strings, lists, calls, indices, arithmetic, comparisons. The
 * parser knows no names; who asks says what they mean.
 */
#ifndef CNNFI_LOADER_EXPRESSION_H
#define CNNFI_LOADER_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"

/* Longer ones are programs. */
#define CNNFI_EXPRESSION_BYTES 4096
#define CNNFI_EXPRESSION_DEPTH 64

typedef enum cnnfi_expression_kind {
    CNNFI_EXPRESSION_NUMBER,
    CNNFI_EXPRESSION_TEXT,     /* 'same' */
    CNNFI_EXPRESSION_BOOL,     /* number is 0 or 1 */
    CNNFI_EXPRESSION_NONE,     /* None, newaxis */
    CNNFI_EXPRESSION_NAME,     /* x, tf.float32 */
    CNNFI_EXPRESSION_LIST,     /* [a, b], (a, b) */
    CNNFI_EXPRESSION_CALL,     /* text(items): positions, then keywords */
    CNNFI_EXPRESSION_NEGATE,   /* -item */
    CNNFI_EXPRESSION_BINARY,   /* item text item: + - * / // % ** < <= > >= == != */
    CNNFI_EXPRESSION_INDEX,    /* item[items...]: the first item, then its indices */
    CNNFI_EXPRESSION_RANGE,    /* begin:end:step within an index, each perhaps NONE */
    CNNFI_EXPRESSION_ELLIPSIS, /* ... within an index */
} cnnfi_expression_kind;

/* Lives in the arena it was parsed into. */
typedef struct cnnfi_expression {
    cnnfi_expression_kind kind;
    bool is_integer; /* NUMBER: written as one */
    double number;
    const char *text;
    const char *keyword; /* an argument's: axis=1 or axis: 1 */
    size_t n_items;
    int height;                                  /* 0 without items */
    const struct cnnfi_expression *items, *next; /* the first item; the one after this */
} cnnfi_expression;

/* CNNF_E_INVALID with the place, CNNF_E_LIMIT, CNNF_E_NOMEM. */
cnnf_status cnnfi_expression_parse(const cnnfi_expression **out, cnnfi_arena *arena, const char *text,
                                   cnnf_error *error);
const cnnfi_expression *cnnfi_expression_item(const cnnfi_expression *e, size_t index); /* NULL past the last */
/* A number of numbers alone: "-1", "2 * 3". */
bool cnnfi_expression_number(const cnnfi_expression *e, double *out, bool *is_integer);
/* A constant as JSON; false when there are names or calls in it. */
bool cnnfi_expression_json(const cnnfi_expression *e, cnnfi_strbuf *out);

#endif
