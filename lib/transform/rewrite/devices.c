/* SPDX-License-Identifier: Apache-2.0 */
/* remove_device and set_device. */
#include <string.h>

#include "transform/framework/passes.h"
#include "graph/builder.h"

static int64_t assign(cnnfi_builder *b, cnnf_node *node, const char *device)
{
    if (strcmp(node->device, device) == 0) return 0;
    cnnfi_node_set_device(b, node, device);
    return 1;
}

/* TensorFlow's freeze_graph forgets the bodies of functions. */
static int64_t remove_all(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    int64_t changed = 0;
    for (size_t i = 0; i < in->n_nodes; i++)
        changed += assign(b, cnnfi_builder_node(b, i), "");
    for (size_t f = 0; !b->status && f < b->graph->n_functions; f++) {
        const cnnfi_function *function = b->graph->functions[f];
        for (size_t i = 0; i < function->n_nodes; i++)
            changed += assign(b, function->nodes[i], "");
    }
    cnnfi_run_count(run, "cleared", changed);
    return changed;
}

static cnnf_status run_remove(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    return cnnfi_pass_edit(run, in, out, remove_all, NULL);
}

const cnnfi_pass cnnfi_pass_remove_device = {
    .name = "remove_device",
    .description = "Clears the device of every node, in functions too.",
    .run = run_remove,
};

static int64_t set_all(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    const char *device = cnnfi_run_string(run, "device", "");
    const bool if_default = cnnfi_run_bool(run, "if_default", false);
    int64_t changed = 0;
    for (size_t i = 0; i < in->n_nodes; i++) {
        cnnf_node *node = cnnfi_builder_node(b, i);
        if (!if_default || !*node->device) changed += assign(b, node, device);
    }
    cnnfi_run_count(run, "set", changed);
    return changed;
}

static cnnf_status run_set(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    return cnnfi_pass_edit(run, in, out, set_all, NULL);
}

static const cnnfi_pass_param set_params[] = {
    {"device", CNNFI_ARG_STRING, true, false, "the device, as in \"/cpu:0\""},
    {"if_default", CNNFI_ARG_BOOL, false, false, "only where a node has none; default false"},
};

const cnnfi_pass cnnfi_pass_set_device = {
    .name = "set_device",
    .description = "Sets the device of every node.",
    .params = set_params,
    .n_params = sizeof set_params / sizeof *set_params,
    .run = run_set,
};
