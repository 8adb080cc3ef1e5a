/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the op table demands of a node: the checks of TensorFlow's graph constructor (graph_constructor.cc,
 * node_def_util.cc). Messages name the node.
 */
#ifndef CNNFI_OPS_CONTRACT_H
#define CNNFI_OPS_CONTRACT_H

#include "ops/call.h"
#include "ops/op_table.h"

/* "node 'x' (3): ..." */
cnnf_status cnnfi_fail_at(const cnnf_node *node, cnnf_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Attributes have their kind, minimum and allowed values. `complete`: those without a default must be there. */
cnnf_status cnnfi_contract_attrs(const cnnfi_op *op, const cnnf_node *node, bool complete, cnnf_error *error);
/* The node has as many data inputs as op and attributes say. */
cnnf_status cnnfi_contract_arity(const cnnfi_op *op, const cnnf_node *node, int64_t inputs, cnnf_error *error);
/* All that can be said of a call: attributes, arity, the inputs' dtypes where they are known. */
cnnf_status cnnfi_contract_call(const cnnfi_op *op, const cnnfi_call *call);

#endif
