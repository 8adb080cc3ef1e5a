/* SPDX-License-Identifier: Apache-2.0 */
/* A Print behind chosen nodes: for looking into a graph with TensorFlow. */
#include <string.h>

#include "ops/op_table.h"
#include "transform/framework/passes.h"
#include "graph/builder.h"

static bool is_chosen(const cnnfi_pass_run *run, const cnnf_node *node)
{
    if (cnnfi_run_matches(run, "op", node->op)) return true;
    for (size_t i = 0; i < cnnfi_run_arg_count(run, "prefix"); i++) {
        if (cnnfi_starts_with(node->name, cnnfi_run_arg(run, "prefix", i))) return true;
    }
    return false;
}

/* Print hands its input on; what it prints is the input again. */
static bool is_logged(const cnnf_graph *in, const cnnf_node *node)
{
    for (size_t i = 0; i < in->n_nodes; i++) {
        const cnnf_node *other = in->nodes[i];
        if (strcmp(other->op, "Print") == 0 && other->n_inputs && other->edges[0].node == node->index) return true;
    }
    return false;
}

/* "op;name;message": what the line begins with. */
static const char *message_for(cnnfi_pass_run *run, cnnfi_builder *b, const cnnf_node *node)
{
    const char *message = cnnfi_run_string(run, "message", "");
    const bool op = cnnfi_run_bool(run, "show_op", false), name = cnnfi_run_bool(run, "show_name", false);
    return cnnfi_builder_printf(b, ";%s%s%s%s%s", op ? node->op : "", op ? ";" : "", name ? node->name : "",
                                name ? ";" : "", message);
}

static bool log_node(cnnfi_pass_run *run, cnnfi_builder *b, const cnnf_node *node)
{
    const cnnf_dtype dtype = cnnfi_node_output_type(node, 0);
    if (!dtype || cnnfi_node_output_count(node) < 1 || !cnnf_dtype_size(dtype)) return false;
    const char *original = cnnfi_builder_unique(b, cnnfi_builder_printf(b, "%s__print", node->name));
    cnnf_node *print = original ? cnnfi_builder_add(b, "Print", original) : NULL;
    if (!print) return false;
    cnnfi_builder_redirect(b, node->name, original);
    cnnfi_node_add_input(b, print, node->name);
    cnnfi_node_add_input(b, print, node->name);
    cnnfi_node_set_type(b, print, "T", dtype);
    cnnfi_node_set_types(b, print, "U", (const int32_t[]){dtype}, 1);
    cnnfi_node_set_string(b, print, "message", message_for(run, b, node));
    cnnfi_node_set_int(b, print, "first_n", cnnfi_run_int(run, "first_n", -1));
    cnnfi_node_set_int(b, print, "summarize", cnnfi_run_int(run, "summarize", 1024));
    return true;
}

static int64_t edit(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    int64_t added = 0;
    for (size_t i = 0; !b->status && i < in->n_nodes; i++) {
        const cnnf_node *node = in->nodes[i];
        if (strcmp(node->op, "Print") == 0 || !is_chosen(run, node) || is_logged(in, node)) continue;
        /* An output keeps its name, so nothing can be put behind it. */
        if (!cnnfi_run_is_output(run, node->name)) added += log_node(run, b, node);
    }
    cnnfi_run_count(run, "added", added);
    return added;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    return cnnfi_pass_edit(run, in, out, edit, NULL);
}

static const cnnfi_pass_param params[] = {
    {"op", CNNFI_ARG_STRING, false, true, "an op whose nodes are logged (repeatable)"},
    {"prefix", CNNFI_ARG_STRING, false, true, "nodes whose names begin so are logged (repeatable)"},
    {"show_op", CNNFI_ARG_BOOL, false, false, "the line says the op; default false"},
    {"show_name", CNNFI_ARG_BOOL, false, false, "the line says the name; default false"},
    {"message", CNNFI_ARG_STRING, false, false, "the line begins with this"},
    {"first_n", CNNFI_ARG_INT, false, false, "lines of each node; default -1, all"},
    {"summarize", CNNFI_ARG_INT, false, false, "elements of each line; default 1024"},
};

const cnnfi_pass cnnfi_pass_insert_logging = {
    .name = "insert_logging",
    .description = "Puts a Print behind chosen nodes.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .run = run_pass,
};
