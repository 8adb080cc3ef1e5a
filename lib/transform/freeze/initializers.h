/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CNNFI_TRANSFORM_FREEZE_INITIALIZERS_H
#define CNNFI_TRANSFORM_FREEZE_INITIALIZERS_H

#include "graph/graph.h"
#include "transform/freeze/freeze_options.h"

/*
 * freeze_graph's --initializer_nodes without a session: a new graph whose variables have the values that the
 * assignments behind these nodes give them, over those that are bound. A value must be constant: Const, Identity,
 * Fill of constants; anything else is CNNF_E_UNSUPPORTED. No names: *out is the graph itself.
 */
cnnf_status cnnfi_run_initializers(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_text_list *names,
                                   cnnf_error *error);

#endif
