/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TensorFlow's ops: arguments, attributes, and the release in which each appeared. Releases are numbers,
 * major * 100 + minor: 104 is TensorFlow 1.4, the oldest that is known, 215 the newest.
 */
#ifndef CNNFI_OPS_OP_TABLE_H
#define CNNFI_OPS_OP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "graph/builder.h"

#define CNNFI_RELEASE_OLDEST 104
#define CNNFI_RELEASE_NEWEST 215

#define CNNFI_OP_COMMUTATIVE   1
#define CNNFI_OP_AGGREGATE     2
#define CNNFI_OP_IS_STATEFUL   4
#define CNNFI_OP_UNINITIALIZED 8

/* OpDef.ArgDef: exactly one of type, type_attr, type_list_attr. */
typedef struct cnnfi_op_arg {
    const char *name, *type_attr, *number_attr, *type_list_attr;
    int32_t type;
    bool is_ref;
} cnnfi_op_arg;

/* OpDef.AttrDef; default and allowed values are AttrValue in wire form, data NULL when there is none. */
typedef struct cnnfi_op_attr {
    const char *name, *type;
    int32_t since;   /* 0: as old as the op */
    int64_t minimum; /* INT64_MIN: none */
    cnnfi_bytes default_value, allowed;
} cnnfi_op_attr;

typedef struct cnnfi_op {
    const char *name;
    int32_t since, until; /* 0: from the oldest, to the newest release */
    uint32_t flags;       /* CNNFI_OP_* */
    int32_t deprecated;   /* GraphDef version since which it is; 0 */
    uint32_t arg, n_inputs, n_outputs;
    uint32_t attr, n_attrs;
    uint32_t past, n_past;
} cnnfi_op;

const cnnfi_op *cnnfi_op_find(const char *name); /* NULL: an op that is not known, or a function */
const cnnfi_op_arg *cnnfi_op_input(const cnnfi_op *op, size_t index);
const cnnfi_op_arg *cnnfi_op_output(const cnnfi_op *op, size_t index);
const cnnfi_op_attr *cnnfi_op_attr_at(const cnnfi_op *op, size_t index);
const cnnfi_op_attr *cnnfi_op_attr_find(const cnnfi_op *op, const char *name); /* NULL */

/* ---- releases ---- */

bool cnnfi_op_in_release(const cnnfi_op *op, int32_t release);
bool cnnfi_op_attr_in_release(const cnnfi_op *op, const cnnfi_op_attr *attr, int32_t release);
/* The default and the allowed values a release knew; data NULL when there are none. */
cnnfi_bytes cnnfi_op_default(const cnnfi_op *op, const cnnfi_op_attr *attr, int32_t release);
cnnfi_bytes cnnfi_op_allowed(const cnnfi_op *op, const cnnfi_op_attr *attr, int32_t release);
/* "1.15" -> 115; false when it is none between the oldest and the newest ("1.15.4" is 1.15). */
bool cnnfi_release_parse(const char *text, int32_t *release);
/* GraphDef.versions.producer of a release. */
int32_t cnnfi_release_producer(int32_t release);

/* ---- AttrValue in wire form ---- */

/* Whether a node's attribute has that value. */
bool cnnfi_wire_equals(cnnfi_bytes wire, const cnnfi_attr *attr);
/* Whether the value (or each item of a list) is one of the allowed ones; true when nothing is said. */
bool cnnfi_wire_allows(cnnfi_bytes allowed, const cnnfi_attr *attr);
/* Sets a node's attribute to a default. Tensors and functions never are defaults of known ops. */
void cnnfi_wire_set(cnnfi_builder *b, cnnf_node *node, const char *key, cnnfi_bytes wire);

/* ---- nodes ---- */

/* Data inputs and outputs a node has by its op and attributes; -1 when the op is not known or an attribute is missing.
 */
int64_t cnnfi_op_node_inputs(const cnnfi_op *op, const cnnf_node *node);
int64_t cnnfi_op_node_outputs(const cnnfi_op *op, const cnnf_node *node);
/* Type of an input or output; 0 when not known. is_ref: nullable. */
cnnf_dtype cnnfi_op_input_type(const cnnfi_op *op, const cnnf_node *node, int64_t port, bool *is_ref);
cnnf_dtype cnnfi_op_output_type(const cnnfi_op *op, const cnnf_node *node, int64_t port, bool *is_ref);
/* The same by the node's op name. */
int64_t cnnfi_node_output_count(const cnnf_node *node);
cnnf_dtype cnnfi_node_output_type(const cnnf_node *node, int64_t port);
/* Whether the node has no side effect and always gives the same: it may be merged or folded. False for unknown ops. */
bool cnnfi_node_is_pure(const cnnf_node *node);

/* ---- OpDef ---- */

/* The OpDef as `meta_info_def.stripped_op_list` of that release holds it (without descriptions), appended; false:
 * unknown. */
bool cnnfi_op_def_bytes(cnnfi_strbuf *out, const char *op, int32_t release);

#endif
