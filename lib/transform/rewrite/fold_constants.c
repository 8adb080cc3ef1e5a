/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Computes what does not depend on the inputs, with the evaluator's kernels (the one place where two stages
 * meet: a second implementation of every op would be a second set of bugs).
 */
#include <inttypes.h>
#include <string.h>

#include "base/context.h"
#include "evaluator/kernels/kernel.h"
#include "graph/order.h"
#include "graph/tensor.h"
#include "ops/op_table.h"
#include "transform/framework/pass_edit.h"

#define DEFAULT_MAX_BYTES (10 * 1024 * 1024) /* ConstantFoldingOptions::max_constant_size_in_bytes */

typedef struct folder {
    cnnfi_pass_run *run;
    const cnnf_graph *in;
    int64_t max_bytes;
    cnnf_tensor ***values; /* by node: its outputs; NULL not constant */
    int32_t *n_values;
    cnnf_status spent; /* a failure of the budget's, which is the pass's */
} folder;

/* ---- values ---- */

static cnnf_status keep_values(folder *f, const cnnf_node *node, cnnf_tensor *const *values, int32_t count)
{
    cnnf_tensor **copy = cnnfi_array(f->in->context, (size_t)count, sizeof *copy);
    if (!copy) return cnnfi_fail_nomem(f->run->error);
    for (int32_t i = 0; i < count; i++)
        copy[i] = cnnf_tensor_ref(values[i]);
    f->values[node->index] = copy;
    f->n_values[node->index] = count;
    return CNNF_OK;
}

static const cnnf_tensor *value_at(const folder *f, cnnfi_edge edge)
{
    if (edge.port < 0 || edge.port >= f->n_values[edge.node]) return NULL;
    return f->values[edge.node][edge.port];
}

/* Everything it reads is constant, and what it waits for is there from the start. */
static bool inputs_are_constant(const folder *f, const cnnf_node *node)
{
    for (size_t k = 0; k < node->n_inputs; k++) {
        const cnnfi_edge edge = node->edges[k];
        if (edge.port == CNNFI_PORT_CONTROL ? !f->values[edge.node] : !value_at(f, edge)) return false;
    }
    return true;
}

static bool is_excluded(const folder *f, const cnnf_node *node)
{
    return cnnfi_run_matches(f->run, "exclude_op", node->op) || cnnfi_run_matches(f->run, "exclude_node", node->name) ||
           cnnfi_run_is_input(f->run, node->name);
}

/* ---- one node ---- */

/* A call, the tensors behind its inputs, and those of its outputs. */
typedef struct evaluation {
    cnnfi_call call;
    cnnfi_value *inputs, outputs[CNNFI_CALL_OUTPUTS];
    const cnnf_tensor **tensors; /* by input; borrowed */
    cnnf_tensor **loaded;        /* by input, once its data are at hand; references */
    cnnf_tensor *results[CNNFI_CALL_OUTPUTS];
    cnnf_error error; /* of the kernel: not folding is no failure */
} evaluation;

static void evaluation_free(evaluation *e)
{
    cnnf_context *context = e->call.context;
    for (int32_t i = 0; e->loaded && i < e->call.n_inputs; i++)
        cnnf_tensor_unref(e->loaded[i]);
    for (int32_t i = 0; i < CNNFI_CALL_OUTPUTS; i++)
        cnnf_tensor_unref(e->results[i]);
    cnnfi_free(context, e->loaded);
    cnnfi_free(context, e->tensors);
    cnnfi_free(context, e->inputs);
}

/* Bytes of a tensor; a small one is loaded at once, since infer may ask for its values. */
#define SMALL_BYTES 4096

static cnnf_status load_input(evaluation *e, int32_t index)
{
    cnnfi_value *value = &e->inputs[index];
    if (value->data) return CNNF_OK;
    CNNFI_TRY(cnnf_tensor_load(&e->loaded[index], e->tensors[index], &e->error));
    value->data = (void *)(uintptr_t)cnnf_tensor_data(e->loaded[index]);
    if (!value->data) value->data = e; /* empty: some valid address */
    return CNNF_OK;
}

static cnnf_status load_inputs(evaluation *e, size_t limit)
{
    for (int32_t i = 0; i < e->call.n_inputs; i++)
        if (cnnf_tensor_byte_size(e->tensors[i]) <= limit) CNNFI_TRY(load_input(e, i));
    return CNNF_OK;
}

static cnnf_status evaluation_init(folder *f, evaluation *e, const cnnf_node *node)
{
    cnnf_context *context = f->in->context;
    const size_t n = cnnfi_node_data_inputs(node);
    memset(e, 0, sizeof *e);
    e->call = (cnnfi_call){.context = context, .node = node, .max_outputs = CNNFI_CALL_OUTPUTS, .error = &e->error};
    e->inputs = cnnfi_calloc(context, n, sizeof *e->inputs);
    e->tensors = cnnfi_calloc(context, n, sizeof *e->tensors);
    e->loaded = cnnfi_calloc(context, n, sizeof *e->loaded);
    if (!e->inputs || !e->tensors || !e->loaded) return CNNF_E_NOMEM;
    e->call.n_inputs = (int32_t)n;
    e->call.inputs = e->inputs;
    e->call.outputs = e->outputs;
    for (size_t i = 0; i < n; i++) {
        e->tensors[i] = value_at(f, node->edges[i]);
        if (!cnnf_dtype_size(cnnf_tensor_dtype(e->tensors[i]))) return CNNF_E_UNSUPPORTED;
        if (!cnnfi_value_of_tensor(&e->inputs[i], e->tensors[i])) return CNNF_E_UNSUPPORTED;
    }
    return load_inputs(e, SMALL_BYTES);
}

/* A new tensor, or the input's own in another shape, however large it is. */
static cnnf_status place_output(cnnfi_call *call, int32_t index, bool shared, void *user)
{
    evaluation *e = user;
    cnnfi_value *value = &call->outputs[index];
    cnnf_tensor **result = &e->results[index];
    if (shared) return cnnfi_tensor_reshape(result, e->tensors[0], value->rank, value->dims, call->error);
    CNNFI_TRY(cnnf_tensor_new(result, call->context, value->dtype, value->rank, value->dims, call->error));
    value->data = cnnf_tensor_data_mut(*result);
    if (!value->data) value->data = e;
    return CNNF_OK;
}

static cnnf_status load_the_rest(cnnfi_call *call, void *user)
{
    (void)call;
    return load_inputs(user, SIZE_MAX);
}

static cnnf_status compute(folder *f, evaluation *e, const cnnfi_kernel *kernel)
{
    const cnnfi_once once = {
        .most_bytes = (uint64_t)f->max_bytes, .load = load_the_rest, .place = place_output, .user = e};
    const cnnf_status inferred = cnnfi_kernel_infer(kernel, &e->call);
    if (inferred || !e->call.n_outputs) return CNNF_E_UNSUPPORTED;
    /* What it would take counts also when it is too large to be kept: that is not found out for nothing. */
    f->spent = cnnfi_budget_spend(f->run->budget, cnnfi_kernel_work(kernel, &e->call), f->run->error);
    CNNFI_TRY(f->spent);
    return cnnfi_kernel_compute(kernel, &e->call, &once);
}

static void note_unfolded(folder *f, const cnnf_node *node, cnnf_status status, const evaluation *e)
{
    if (status == CNNF_E_LIMIT) {
        cnnfi_run_note(f->run, node->name, "%s kept: the result is larger than %" PRId64 " bytes", node->op,
                       f->max_bytes);
    } else {
        cnnfi_run_note(f->run, node->name, "%s kept: %s", node->op,
                       *e->error.message ? e->error.message : "not computable");
    }
}

static cnnf_status fold_node(folder *f, const cnnf_node *node)
{
    const cnnfi_kernel *kernel = cnnfi_kernel_find(node->op);
    if (!kernel || cnnfi_kernel_flags(kernel) & CNNFI_OP_STATEFUL || !cnnfi_node_is_pure(node)) return CNNF_OK;
    if (!cnnfi_node_data_inputs(node) || !inputs_are_constant(f, node) || is_excluded(f, node)) return CNNF_OK;
    evaluation *e = cnnfi_malloc(f->in->context, sizeof *e);
    if (!e) return cnnfi_fail_nomem(f->run->error);
    cnnf_status status = evaluation_init(f, e, node);
    if (!status) status = compute(f, e, kernel);
    if (!status)
        status = keep_values(f, node, e->results, e->call.n_outputs);
    else if (status != CNNF_E_NOMEM && !f->spent)
        note_unfolded(f, node, status, e);
    evaluation_free(e);
    cnnfi_free(f->in->context, e);
    CNNFI_TRY(f->spent);
    if (status == CNNF_E_NOMEM) return cnnfi_fail_nomem(f->run->error);
    return CNNF_OK;
}

static cnnf_status visit(folder *f, const cnnf_node *node)
{
    if (strcmp(node->op, "Const")) return fold_node(f, node);
    cnnf_tensor *value = (cnnf_tensor *)(uintptr_t)cnnf_node_attr_tensor(node, "value");
    /* A constant of a branch waits for it, and is there only when the branch is. */
    return value && inputs_are_constant(f, node) ? keep_values(f, node, &value, 1) : CNNF_OK;
}

/* ---- the graph ---- */

static bool is_folded(const folder *f, size_t node)
{
    return f->values[node] && strcmp(f->in->nodes[node]->op, "Const");
}

/* Output 0 keeps the node's name; others get constants of their own, at the end. */
static void replace(const folder *f, cnnfi_edit *edit, cnnf_node *node)
{
    cnnf_tensor *const *values = f->values[node->index];
    for (int32_t port = 1; port < f->n_values[node->index]; port++) {
        if (!cnnfi_edit_user_count(edit, node, port)) continue;
        cnnf_node *constant = cnnfi_edit_const(edit, values[port], "%s/output_%d", node->name, (int)port);
        cnnfi_edit_place_before(edit, constant, NULL);
        cnnfi_edit_redirect(edit, node, port, cnnfi_end(constant, 0), NULL);
    }
    if (cnnfi_edit_user_count(edit, node, 0) || cnnfi_edit_is_protected(edit, node)) {
        cnnfi_edit_set_op(edit, node, "Const");
        node->n_attrs = 0;
        cnnfi_node_set_type(edit->b, node, "dtype", cnnf_tensor_dtype(values[0]));
        cnnfi_node_set_tensor(edit->b, node, "value", values[0]);
    } else {
        cnnfi_edit_stop_waiting(edit, node);
        cnnfi_edit_remove(edit, node);
    }
}

/* Folded nodes read nothing any more; a Const that only they read goes with them. How many nodes were folded. */
static int64_t fold(const folder *f, cnnfi_edit *edit)
{
    bool *had_users = cnnfi_edit_array(edit, edit->originals, sizeof *had_users);
    int64_t folded = 0, removed = 0;
    for (size_t i = 0; had_users && i < edit->originals; i++)
        had_users[i] = cnnfi_edit_user_count(edit, edit->b->graph->nodes[i], CNNFI_PORT_ANY) > 0;
    for (size_t i = 0; had_users && i < edit->originals; i++) {
        if (!is_folded(f, i)) continue;
        cnnfi_edit_truncate_inputs(edit, edit->b->graph->nodes[i], 0);
        folded++;
    }
    for (size_t i = 0; folded && !edit->b->status && i < edit->originals; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        if (is_folded(f, i)) {
            replace(f, edit, node);
        } else if (f->values[i] && had_users[i] && !cnnfi_edit_is_protected(edit, node) &&
                   !cnnfi_edit_user_count(edit, node, CNNFI_PORT_ANY)) {
            cnnfi_edit_remove(edit, node);
            removed++;
        }
    }
    cnnfi_run_count(f->run, "folded", folded);
    cnnfi_run_count(f->run, "constants_removed", removed);
    return folded + removed;
}

/* PlaceholderWithDefault at a declared input: the caller feeds it. */
static bool open_input(cnnfi_edit *edit, cnnf_node *node)
{
    if (strcmp(node->op, "PlaceholderWithDefault")) return false;
    cnnfi_edit_set_op(edit, node, "Placeholder");
    cnnfi_edit_truncate_inputs(edit, node, 0);
    return true;
}

static cnnf_status publish_folded(const folder *f, cnnf_graph **out)
{
    const bool clear = cnnfi_run_bool(f->run, "clear_output_shapes", true);
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, f->run, f->in));
    const bool *is_input = cnnfi_pass_marked(&edit, &f->run->inputs);
    edit.changes += (size_t)fold(f, &edit);
    for (size_t i = 0; is_input && i < edit.originals; i++) {
        cnnf_node *node = edit.b->graph->nodes[i];
        if (is_input[i]) edit.changes += open_input(&edit, node);
        if (!clear || !cnnfi_node_attr(node, "_output_shapes")) continue;
        cnnfi_node_attr_remove(node, "_output_shapes");
        edit.changes++;
    }
    return cnnfi_pass_end_edit(&edit, f->run, f->in, out);
}

static void folder_free(folder *f)
{
    cnnf_context *context = f->in->context;
    for (size_t i = 0; f->values && i < f->in->n_nodes; i++) {
        for (int32_t k = 0; f->values[i] && k < f->n_values[i]; k++)
            cnnf_tensor_unref(f->values[i][k]);
        cnnfi_free(context, f->values[i]);
    }
    cnnfi_free(context, f->values);
    cnnfi_free(context, f->n_values);
}

static cnnf_status folder_init(folder *f, cnnfi_pass_run *run, const cnnf_graph *in)
{
    *f = (folder){.run = run, .in = in};
    f->max_bytes = cnnfi_run_int(run, "max_constant_size_in_bytes", DEFAULT_MAX_BYTES);
    if (f->max_bytes < 0) f->max_bytes = 0;
    f->values = cnnfi_calloc(in->context, in->n_nodes, sizeof *f->values);
    f->n_values = cnnfi_calloc(in->context, in->n_nodes, sizeof *f->n_values);
    return f->values && f->n_values ? CNNF_OK : cnnfi_fail_nomem(run->error);
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    folder f;
    int32_t *order = NULL;
    cnnf_status status = folder_init(&f, run, in);
    if (!status) status = cnnfi_toposort(&order, in, run->error);
    for (size_t i = 0; !status && i < in->n_nodes; i++)
        status = visit(&f, in->nodes[order[i]]);
    if (!status) status = publish_folded(&f, out);
    cnnfi_free(in->context, order);
    folder_free(&f);
    return status;
}

static const cnnfi_pass_param params[] = {
    {"clear_output_shapes", CNNFI_ARG_BOOL, false, false, "drops `_output_shapes`; default true"},
    {"exclude_op", CNNFI_ARG_STRING, false, true, "an op that is not folded (repeatable)"},
    {"exclude_node", CNNFI_ARG_STRING, false, true, "a node that is not folded (repeatable)"},
    {"max_constant_size_in_bytes", CNNFI_ARG_INT, false, false, "larger results are not kept; default 10485760"},
};

const cnnfi_pass cnnfi_pass_fold_constants = {
    .name = "fold_constants",
    .description = "Computes what does not depend on the inputs.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .run = run_pass,
};
