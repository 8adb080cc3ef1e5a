/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CNNFI_SERIALIZER_GRAPHDEF_SAVER_H
#define CNNFI_SERIALIZER_GRAPHDEF_SAVER_H

#include "graph/graph.h"

/* Variables in byte order of their names: the order of a Saver and of a checkpoint's keys. */
typedef struct cnnfi_saved_variables {
    cnnf_context *context;
    size_t count;
    const cnnf_node **nodes;
} cnnfi_saved_variables;

/* Those with a value; all of them when none has one. */
cnnf_status cnnfi_saved_variables_init(cnnfi_saved_variables *out, const cnnf_graph *graph, cnnf_error *error);
void cnnfi_saved_variables_free(cnnfi_saved_variables *variables);

#endif
