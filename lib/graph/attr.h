/* SPDX-License-Identifier: Apache-2.0 */
/* AttrValue in memory. Everything pointed to lives in the graph's arena; tensors are references the graph holds. */
#ifndef CNNFI_GRAPH_ATTR_H
#define CNNFI_GRAPH_ATTR_H

#include <stdbool.h>

#include <cnnfreeze/graph.h>

#include "base/str.h"
#include "graph/shape.h"

typedef struct cnnfi_attr cnnfi_attr;

/* NameAttrList */
typedef struct cnnfi_func_ref {
    const char *name;
    size_t n_attrs;
    cnnfi_attr *attrs; /* sorted by key */
    cnnfi_bytes extra; /* unknown fields, canonical */
} cnnfi_func_ref;

/* AttrValue.ListValue: all items of one kind (item_kind CNNF_ATTR_NONE: an empty list). */
typedef struct cnnfi_attr_list {
    int32_t item_kind;
    size_t count;
    union {
        cnnfi_bytes *strings;
        int64_t *ints;
        float *floats;
        bool *bools;
        int32_t *types;
        cnnfi_shape *shapes;
        cnnf_tensor **tensors;
        cnnfi_func_ref *funcs;
    } u;
} cnnfi_attr_list;

struct cnnfi_attr {
    const char *key;
    int32_t kind; /* CNNF_ATTR_* */
    union {
        cnnfi_bytes s; /* a zero byte follows */
        int64_t i;
        float f;
        bool b;
        int32_t type;
        cnnfi_shape shape;
        cnnf_tensor *tensor;
        cnnfi_func_ref *func;
        const char *placeholder;
        cnnfi_attr_list list;
    } u;
    cnnfi_bytes extra; /* unknown fields of the AttrValue, canonical */
};

/* Where `key` is, or would belong, in attributes sorted by key bytewise. */
size_t cnnfi_attr_position(const cnnfi_attr *attrs, size_t count, const char *key, bool *found);

#endif
