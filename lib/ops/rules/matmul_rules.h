/* SPDX-License-Identifier: Apache-2.0 */
/* How the matrices of a product lie, read by its rules and kernels. */
#ifndef CNNFI_OPS_RULES_MATMUL_RULES_H
#define CNNFI_OPS_RULES_MATMUL_RULES_H

#include "ops/call.h"

/* Whether each operand is transposed: transpose_a and transpose_b of MatMul, adj_x and adj_y of the batched ops. */
void cnnfi_matmul_transposed(const cnnf_node *node, bool *a, bool *b);

#endif
