/* SPDX-License-Identifier: Apache-2.0 */
/* See loaded_constants.h. */
#include "evaluator/plan/loaded_constants.h"

#include "base/context.h"
#include "base/error.h"
#include "base/os.h"
#include "graph/tensor.h"

struct cnnfi_loaded_constants {
    cnnf_context *context;
    cnnfi_mutex *mutex;
    size_t count;
    cnnf_tensor **loaded; /* by node index */
};

cnnf_status cnnfi_loaded_constants_new(cnnfi_loaded_constants **out, const cnnf_graph *graph, cnnf_error *error)
{
    cnnf_context *context = graph->context;
    *out = NULL;
    cnnfi_loaded_constants *self = cnnfi_calloc(context, 1, sizeof(*self));
    if (!self) return cnnfi_fail_nomem(error);
    self->context = context;
    self->count = graph->n_nodes;
    self->mutex = cnnfi_mutex_new(context);
    self->loaded = cnnfi_calloc(context, self->count ? self->count : 1, sizeof(cnnf_tensor *));
    if (!self->mutex || !self->loaded) {
        cnnfi_loaded_constants_free(self);
        return cnnfi_fail_nomem(error);
    }
    *out = self;
    return CNNF_OK;
}

void cnnfi_loaded_constants_free(cnnfi_loaded_constants *self)
{
    if (!self) return;
    for (size_t i = 0; self->loaded && i < self->count; i++)
        cnnf_tensor_unref(self->loaded[i]);
    if (self->mutex) cnnfi_mutex_free(self->context, self->mutex);
    cnnfi_free(self->context, self->loaded);
    cnnfi_free(self->context, self);
}

cnnf_status cnnfi_loaded_constants_get(cnnfi_loaded_constants *self, const cnnf_node *node, const cnnf_tensor *tensor,
                                       const cnnf_tensor **out, cnnf_error *error)
{
    cnnf_tensor **place = &self->loaded[node->index];
    cnnf_status status = CNNF_OK;
    cnnfi_mutex_lock(self->mutex);
    if (!*place) status = cnnf_tensor_load(place, tensor, error);
    cnnfi_mutex_unlock(self->mutex);
    *out = *place;
    return status == CNNF_OK ? CNNF_OK : cnnfi_error_prefix(error, status, "node '%s'", node->name);
}
