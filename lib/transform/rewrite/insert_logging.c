/* SPDX-License-Identifier: Apache-2.0 */
/* A Print behind chosen nodes: for looking into a graph with TensorFlow. */
#include <string.h>

#include "ops/op_table.h"
#include "transform/framework/pass_edit.h"

static bool is_chosen(const cnnfi_pass_run *run, const cnnf_node *node)
{
    if (cnnfi_run_matches(run, "op", node->op)) return true;
    for (size_t i = 0; i < cnnfi_run_arg_count(run, "prefix"); i++) {
        if (cnnfi_starts_with(node->name, cnnfi_run_arg(run, "prefix", i))) return true;
    }
    return false;
}

/* What has a Print behind it already: a Print hands its input on, and what it prints is the input again. */
static void mark_logged(bool *logged, const cnnfi_edit *edit)
{
    for (size_t i = 0; i < edit->originals; i++) {
        const cnnf_node *node = edit->b->graph->nodes[i];
        if (strcmp(node->op, "Print") == 0 && node->n_inputs) logged[node->edges[0].node] = true;
    }
}

/* "op;name;message": what the line begins with. */
static const char *message_for(cnnfi_pass_run *run, cnnfi_builder *b, const cnnf_node *node)
{
    const char *message = cnnfi_run_string(run, "message", "");
    const bool op = cnnfi_run_bool(run, "show_op", false), name = cnnfi_run_bool(run, "show_name", false);
    return cnnfi_builder_printf(b, ";%s%s%s%s%s", op ? node->op : "", op ? ";" : "", name ? node->name : "",
                                name ? ";" : "", message);
}

static bool log_node(cnnfi_pass_run *run, cnnfi_edit *edit, cnnf_node *node)
{
    cnnfi_builder *b = edit->b;
    const cnnf_dtype dtype = cnnfi_node_output_type(node, 0);
    if (!dtype || cnnfi_node_output_count(node) < 1 || !cnnf_dtype_size(dtype)) return false;
    const char *name = cnnfi_edit_unique(edit, "%s__print", node->name);
    cnnf_node *print = name ? cnnfi_edit_add(edit, "Print", name) : NULL;
    if (!print) return false;
    cnnfi_edit_place_before(edit, print, NULL);
    cnnfi_edit_redirect(edit, node, 0, cnnfi_end(print, 0), NULL);
    cnnfi_edit_redirect(edit, node, CNNFI_PORT_CONTROL, cnnfi_end(print, CNNFI_PORT_CONTROL), NULL);
    cnnfi_edit_add_input(edit, print, cnnfi_end(node, 0));
    cnnfi_edit_add_input(edit, print, cnnfi_end(node, 0));
    cnnfi_node_set_type(b, print, "T", dtype);
    cnnfi_node_set_types(b, print, "U", (const int32_t[]){dtype}, 1);
    cnnfi_node_set_string(b, print, "message", message_for(run, b, node));
    cnnfi_node_set_int(b, print, "first_n", cnnfi_run_int(run, "first_n", -1));
    cnnfi_node_set_int(b, print, "summarize", cnnfi_run_int(run, "summarize", 1024));
    return true;
}

static void log_nodes(cnnfi_pass_run *run, cnnfi_edit *edit)
{
    /* An output keeps its name, so nothing can be put behind it. */
    bool *not_here = cnnfi_pass_marked(edit, &run->outputs);
    if (!not_here) return;
    mark_logged(not_here, edit);
    for (size_t i = 0; i < edit->originals && !edit->b->status; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        if (strcmp(node->op, "Print") == 0 || not_here[i] || !is_chosen(run, node)) continue;
        edit->changes += log_node(run, edit, node);
    }
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    log_nodes(run, &edit);
    cnnfi_run_count(run, "added", (int64_t)edit.changes);
    return cnnfi_pass_end_edit(&edit, run, in, out);
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
