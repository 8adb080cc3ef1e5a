/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON documents by jansson, wrapped: sizes and nesting are checked before it parses (its parser recurses),
 * numbers are read without the locale. Values are borrowed from the document and immutable.
 */
#ifndef CNNFI_LOADER_CONTAINER_JSON_H
#define CNNFI_LOADER_CONTAINER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"

typedef struct cnnfi_json_doc cnnfi_json_doc;
typedef struct cnnfi_json cnnfi_json; /* a value inside; NULL stands for "absent" everywhere */

/* Keras writes NaN, Infinity and -Infinity; they are read as numbers. `budget` (nullable) pays for every value. */
cnnf_status cnnfi_json_parse(cnnfi_json_doc **out, cnnf_context *context, const char *text, size_t size,
                             const char *what, cnnfi_budget *budget, cnnf_error *error);
void cnnfi_json_doc_free(cnnfi_json_doc *doc); /* NULL is allowed */
const cnnfi_json *cnnfi_json_root(const cnnfi_json_doc *doc);

bool cnnfi_json_is_object(const cnnfi_json *v);
bool cnnfi_json_is_array(const cnnfi_json *v);
bool cnnfi_json_is_string(const cnnfi_json *v);
bool cnnfi_json_is_number(const cnnfi_json *v); /* integers, reals; no booleans */
bool cnnfi_json_is_int(const cnnfi_json *v);
bool cnnfi_json_is_bool(const cnnfi_json *v);
bool cnnfi_json_is_null(const cnnfi_json *v); /* null; absent is not null */

const cnnfi_json *cnnfi_json_get(const cnnfi_json *object, const char *key); /* NULL when absent */
size_t cnnfi_json_size(const cnnfi_json *v);                                 /* members; 0 for scalars */
const cnnfi_json *cnnfi_json_at(const cnnfi_json *array, size_t index);      /* NULL outside */
const char *cnnfi_json_key_at(const cnnfi_json *object, size_t index);       /* in file order */
const cnnfi_json *cnnfi_json_value_at(const cnnfi_json *object, size_t index);

const char *cnnfi_json_string(const cnnfi_json *v, const char *fallback);
double cnnfi_json_number(const cnnfi_json *v, double fallback);
int64_t cnnfi_json_int(const cnnfi_json *v, int64_t fallback); /* a real with an integer value counts */
bool cnnfi_json_bool(const cnnfi_json *v, bool fallback);      /* numbers count: 0 is false */

/* Building (the readers rename old fields): an object or value owned by the document. */
cnnfi_json *cnnfi_json_mut(cnnfi_json_doc *doc, const cnnfi_json *v); /* the same value, to change */
bool cnnfi_json_set(cnnfi_json_doc *doc, cnnfi_json *object, const char *key,
                    const cnnfi_json *value); /* adds a reference */
bool cnnfi_json_rename(cnnfi_json_doc *doc, cnnfi_json *object, const char *from, const char *to);
const cnnfi_json *cnnfi_json_from_text(cnnfi_json_doc *doc, const char *text); /* small literals: "true", "[1,2]" */

#endif
