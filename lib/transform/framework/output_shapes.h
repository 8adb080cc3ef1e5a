/* SPDX-License-Identifier: Apache-2.0 */
/* What a pipeline's outputs are, before and after a pass: for builds that check every pass (CNNFI_CHECK_SHAPES). */
#ifndef CNNFI_TRANSFORM_FRAMEWORK_OUTPUT_SHAPES_H
#define CNNFI_TRANSFORM_FRAMEWORK_OUTPUT_SHAPES_H

#include "ops/call.h"
#include "transform/framework/passes.h"

/* Output 0 of each node, as far as its shape follows; unknown for names that are not there. shapes: [outputs->count].
 */
cnnf_status cnnfi_find_output_shapes(cnnfi_value *shapes, const cnnf_graph *graph, const cnnfi_name_list *outputs,
                                     cnnf_error *error);
/* CNNF_E_INTERNAL when a dtype or rank that is known before and after is not the same. */
cnnf_status cnnfi_check_output_shapes(const cnnfi_value *before, const cnnfi_value *after,
                                      const cnnfi_name_list *outputs, const char *pass, cnnf_error *error);

#endif
