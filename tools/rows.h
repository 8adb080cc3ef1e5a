/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of tensors, as the subcommands share it. */
#ifndef ROWS_H
#define ROWS_H

#include "cli.h"

/* The batch size an input is fixed to; 0 when it takes any. */
int64_t fixed_batch(const cnnf_graph *graph, const char *input);
/* Rows [first, first + rows) of a tensor in memory of rank 1 or more, and zeros up to `length` rows. */
cnnf_status take_rows(cnnf_tensor **out, const session *s, const cnnf_tensor *from, int64_t first, int64_t rows,
                      int64_t length);

#endif
