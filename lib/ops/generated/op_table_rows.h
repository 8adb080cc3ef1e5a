/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of op_table_data.c; everybody else includes op_table.h. */
#ifndef CNNFI_OPS_GENERATED_OP_TABLE_ROWS_H
#define CNNFI_OPS_GENERATED_OP_TABLE_ROWS_H

#include <stdint.h>

#include "ops/op_table.h"

/* What an attribute said in releases before `changed_in`. */
typedef struct cnnfi_op_past {
    const char *attr;
    int32_t changed_in;
    cnnfi_bytes default_value, allowed;
} cnnfi_op_past;

#define COMMUTATIVE   CNNFI_OP_COMMUTATIVE
#define AGGREGATE     CNNFI_OP_AGGREGATE
#define STATEFUL      CNNFI_OP_IS_STATEFUL
#define UNINITIALIZED CNNFI_OP_UNINITIALIZED

#define WIRE(text, length)                                                                                             \
    {                                                                                                                  \
        (const uint8_t *)(text), (length)                                                                              \
    }
#define ARG(name, type, type_attr, number_attr, type_list_attr, is_ref)                                                \
    {                                                                                                                  \
        name, type_attr, number_attr, type_list_attr, type, is_ref                                                     \
    }
#define ATTR(name, type, since, minimum, value, value_size, allowed, allowed_size)                                     \
    {                                                                                                                  \
        name, type, since, minimum, WIRE(value, value_size), WIRE(allowed, allowed_size)                               \
    }
#define PAST(attr, changed_in, value, value_size, allowed, allowed_size)                                               \
    {                                                                                                                  \
        attr, changed_in, WIRE(value, value_size), WIRE(allowed, allowed_size)                                         \
    }
#define OP(name, since, until, flags, deprecated, arg, n_in, n_out, attr, n_attr, past, n_past)                        \
    {                                                                                                                  \
        name, since, until, flags, deprecated, arg, n_in, n_out, attr, n_attr, past, n_past                            \
    }

extern const cnnfi_op_arg cnnfi_op_args[];
extern const cnnfi_op_attr cnnfi_op_attrs[];
extern const cnnfi_op_past cnnfi_op_pasts[];
extern const cnnfi_op cnnfi_ops[]; /* sorted by name */
extern const size_t cnnfi_n_ops;

#endif
