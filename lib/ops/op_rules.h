/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ops demand and give, told once. A family of ops is one file in rules/ with one table, and one line in
 * op_rules.c.
 *
 * A rule checks everything a file can get wrong (ranks, sizes, strides, axes, attribute values) and says dtype and
 * shape of the outputs, as far as they follow from what is known (call.h). Arity, attributes and dtypes of the op table
 * are checked before (contract.h), so that a rule finds the inputs its op has.
 */
#ifndef CNNFI_OPS_OP_RULES_H
#define CNNFI_OPS_OP_RULES_H

#include "ops/call.h"

/* Flags of a rule. */
#define CNNFI_RULE_VIEW  1u  /* output 0 has input 0's bytes unchanged (Identity, Reshape ...): buffers may be shared */
#define CNNFI_RULE_SHAPE 8u  /* the outputs' values follow from the inputs' shapes alone (Shape, Rank, ZerosLike) */
#define CNNFI_RULE_WHOLE 16u /* the rule is asked only when every input's shape is known */
#define CNNFI_RULE_OWN   32u /* in no registry of TensorFlow's: the rule is the contract, too */

typedef struct cnnfi_op_rule {
    const char *op;
    cnnf_status (*infer)(cnnfi_call *call);
    uint32_t flags;
} cnnfi_op_rule;

typedef struct cnnfi_rule_family {
    const char *name;
    const cnnfi_op_rule *rules;
    size_t count;
} cnnfi_rule_family;

const cnnfi_op_rule *cnnfi_op_rule_find(const char *op); /* NULL: no rule, the op table alone speaks */
/* Families in the order of op_rules.c, NULL past the end (tests, documentation). */
const cnnfi_rule_family *cnnfi_rule_family_at(size_t index);

/*
 * The answer, and the only way in: contract, rule, and what the rule gave held against the op table. CNNF_OK: every
 * output's shape is known, a kernel may run. CNNFI_INFER_DYNAMIC: outputs hold what is known. Else a failure that names
 * the node: the inputs cannot be this op's. An op without a rule gives its dtypes, an unknown op nothing (n_outputs 0).
 */
cnnf_status cnnfi_op_infer(cnnfi_call *call);

#endif
