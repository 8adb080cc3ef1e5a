/* SPDX-License-Identifier: Apache-2.0 */
/* remove_device and set_device. */
#include <string.h>

#include "transform/framework/pass_edit.h"

static int64_t assign(cnnfi_edit *edit, cnnf_node *node, const char *device)
{
    if (strcmp(node->device, device) == 0) return 0;
    cnnfi_node_set_device(edit->b, node, device);
    return 1;
}

static int64_t clear(cnnfi_pass_run *run, cnnfi_edit *edit, cnnf_node *node)
{
    return assign(edit, node, "");
}

/* TensorFlow's freeze_graph forgets the bodies of functions. */
static cnnf_status run_remove(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    return cnnfi_pass_change_nodes(run, in, out, "cleared", clear);
}

const cnnfi_pass cnnfi_pass_remove_device = {
    .name = "remove_device",
    .description = "Clears the device of every node, in functions too.",
    .run = run_remove,
};

static cnnf_status run_set(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    const char *device = cnnfi_run_string(run, "device", "");
    const bool if_default = cnnfi_run_bool(run, "if_default", false);
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    for (size_t i = 0; i < edit.originals; i++) {
        cnnf_node *node = edit.b->graph->nodes[i];
        if (!if_default || !*node->device) edit.changes += (size_t)assign(&edit, node, device);
    }
    cnnfi_run_count(run, "set", (int64_t)edit.changes);
    return cnnfi_pass_end_edit(&edit, run, in, out);
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
