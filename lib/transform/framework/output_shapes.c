/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/framework/output_shapes.h"

#include <string.h>

#include "edit/shapes.h"

cnnf_status cnnfi_find_output_shapes(cnnfi_value *shapes, const cnnf_graph *graph, const cnnfi_name_list *outputs,
                                     cnnf_error *error)
{
    cnnfi_edit edit;
    cnnfi_shapes table;
    CNNFI_TRY(cnnfi_edit_begin(&edit, graph, NULL, error));
    cnnfi_shapes_init(&table, &edit);
    for (size_t i = 0; i < outputs->count; i++) {
        const cnnf_node *node = cnnfi_edit_find(&edit, outputs->names[i], strlen(outputs->names[i]));
        shapes[i] = node ? cnnfi_shape_of_output(&table, node, 0) : cnnfi_value_unknown(CNNF_DTYPE_INVALID);
    }
    const cnnf_status status = edit.b->status;
    if (status) cnnfi_error_copy(error, edit.b->error);
    cnnfi_edit_free(&edit);
    return status;
}

/* A variable's reference or resource becomes the value when it is frozen. */
static bool same_dtype(cnnf_dtype before, cnnf_dtype after)
{
    enum { FIRST_REFERENCE = 101 };
    return !before || !after || before == after || before >= FIRST_REFERENCE || before == CNNF_RESOURCE;
}

cnnf_status cnnfi_check_output_shapes(const cnnfi_value *before, const cnnfi_value *after,
                                      const cnnfi_name_list *outputs, const char *pass, cnnf_error *error)
{
    for (size_t i = 0; i < outputs->count; i++) {
        const cnnfi_value *was = &before[i], *is = &after[i];
        if (!same_dtype(was->dtype, is->dtype)) {
            return cnnfi_fail(error, CNNF_E_INTERNAL, "%s made output '%s' %s where it was %s", pass, outputs->names[i],
                              cnnf_dtype_name(is->dtype), cnnf_dtype_name(was->dtype));
        }
        const bool known = was->rank != CNNFI_UNKNOWN && is->rank != CNNFI_UNKNOWN;
        if (known && was->rank != is->rank) {
            return cnnfi_fail(error, CNNF_E_INTERNAL, "%s made output '%s' of rank %d where it was %d", pass,
                              outputs->names[i], (int)is->rank, (int)was->rank);
        }
    }
    return CNNF_OK;
}
