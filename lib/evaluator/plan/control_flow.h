/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that other plans compute: calls, branches, loops. Rows of compile.c's table. */
#ifndef CNNFI_EVALUATOR_PLAN_CONTROL_FLOW_H
#define CNNFI_EVALUATOR_PLAN_CONTROL_FLOW_H

#include "evaluator/plan/plan_prune.h"

/* PartitionedCall, StatefulPartitionedCall, a node whose op is a function. */
cnnf_status cnnfi_compile_call(cnnfi_compiler *c, const cnnf_node *node);
/* If, Case and their stateless forms. */
cnnf_status cnnfi_compile_branches(cnnfi_compiler *c, const cnnf_node *node);
cnnf_status cnnfi_compile_while(cnnfi_compiler *c, const cnnf_node *node);
/* A loop of TensorFlow 1 is computed where the first of its Exits stands. */
cnnf_status cnnfi_compile_exit(cnnfi_compiler *c, const cnnf_node *node);
cnnf_status cnnfi_compile_enter(cnnfi_compiler *c, const cnnf_node *node);
/* IdentityN, LoopCond: every input handed on. */
cnnf_status cnnfi_compile_pass(cnnfi_compiler *c, const cnnf_node *node);

#endif
