/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of protobuf's text format, read from a source in pieces; strings are handed on as they are decoded. */
#ifndef CNNFI_LOADER_GRAPHDEF_TEXT_LEXER_H
#define CNNFI_LOADER_GRAPHDEF_TEXT_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/source.h"

#define CNNFI_TOKEN_BYTES 512

typedef enum cnnfi_token_kind {
    CNNFI_TOKEN_END,
    CNNFI_TOKEN_NAME,   /* [A-Za-z_][A-Za-z0-9_]* */
    CNNFI_TOKEN_NUMBER, /* begins with a digit or a point */
    CNNFI_TOKEN_STRING, /* an opening quote: cnnfi_lexer_string() reads the rest */
    CNNFI_TOKEN_SYMBOL  /* one character */
} cnnfi_token_kind;

typedef struct cnnfi_token {
    cnnfi_token_kind kind;
    char symbol; /* SYMBOL; STRING: the quote */
    size_t length;
    char text[CNNFI_TOKEN_BYTES]; /* NAME, NUMBER */
    uint64_t line, column;        /* from 1; columns in bytes */
} cnnfi_token;

typedef struct cnnfi_lexer {
    cnnfi_source *source; /* borrowed */
    const uint8_t *window;
    uint8_t *owned;
    uint64_t window_at;
    size_t window_size, at; /* at: in the window */
    uint64_t line, line_start;
    cnnfi_budget *budget; /* pays for what is read; NULL: nobody counts */
    uint64_t paid;        /* the offset up to which it did */
    cnnfi_token token;    /* the current one */
} cnnfi_lexer;

/* Opens and reads the first token. */
cnnf_status cnnfi_lexer_init(cnnfi_lexer *lexer, cnnfi_source *source, cnnfi_budget *budget, cnnf_error *error);
void cnnfi_lexer_free(cnnfi_lexer *lexer); /* may be called twice */
/* Reads the next token into lexer->token; not when the current one is a string. */
cnnf_status cnnfi_lexer_next(cnnfi_lexer *lexer, cnnf_error *error);
/* The current token is a string: hands on its bytes and those of the strings right behind it, then moves on. */
cnnf_status cnnfi_lexer_string(cnnfi_lexer *lexer, cnnf_status (*piece)(const void *, size_t, void *, cnnf_error *),
                               void *user, cnnf_error *error);
bool cnnfi_lexer_is(const cnnfi_lexer *lexer, char symbol);
uint64_t cnnfi_lexer_offset(const cnnfi_lexer *lexer);
/* "<file>:<line>:<column>: <what>", at the current token. */
cnnf_status cnnfi_lexer_fail(const cnnfi_lexer *lexer, cnnf_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with another code than CNNF_E_CORRUPT. */
cnnf_status cnnfi_lexer_fail_with(const cnnfi_lexer *lexer, cnnf_status code, cnnf_error *error, const char *format,
                                  ...) __attribute__((format(printf, 4, 5)));

#endif
