/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Computes what does not depend on the inputs, with the evaluator's kernels (the one place where two stages
 * meet: a second implementation of every op would be a second set of bugs).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "evaluator/kernels/kernel.h"
#include "ops/op_table.h"
#include "graph/tensor.h"
#include "graph/order.h"
#include "graph/builder.h"
#include "transform/framework/passes.h"

#define DEFAULT_MAX_BYTES (10 * 1024 * 1024) /* ConstantFoldingOptions::max_constant_size_in_bytes */

typedef struct folder {
    cnnfi_pass_run *run;
    const cnnf_graph *in;
    int64_t max_bytes;
    bool *protection;
    cnnfi_consumers consumers;
    cnnf_tensor ***values; /* by node: its outputs; NULL not constant */
    int32_t *n_values;
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
    return cnnfi_node_data_inputs(node) > 0;
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
    cnnf_tensor **loaded; /* by input; references */
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
    cnnfi_free(context, e->inputs);
}

/* Bytes of a tensor; a small one is loaded at once, since infer may ask for its values. */
#define SMALL_BYTES 4096

static cnnf_status load_input(evaluation *e, int32_t index, const cnnf_tensor *tensor)
{
    cnnfi_value *value = &e->inputs[index];
    if (value->data) return CNNF_OK;
    CNNFI_TRY(cnnf_tensor_load(&e->loaded[index], tensor, &e->error));
    value->data = (void *)(uintptr_t)cnnf_tensor_data(e->loaded[index]);
    if (!value->data) value->data = e; /* empty: some valid address */
    return CNNF_OK;
}

static cnnf_status load_inputs(folder *f, evaluation *e, const cnnf_node *node, size_t limit)
{
    for (int32_t i = 0; i < e->call.n_inputs; i++) {
        const cnnf_tensor *tensor = value_at(f, node->edges[i]);
        if (cnnf_tensor_byte_size(tensor) <= limit) CNNFI_TRY(load_input(e, i, tensor));
    }
    return CNNF_OK;
}

static cnnf_status evaluation_init(folder *f, evaluation *e, const cnnf_node *node)
{
    cnnf_context *context = f->in->context;
    const size_t n = cnnfi_node_data_inputs(node);
    memset(e, 0, sizeof *e);
    e->call = (cnnfi_call){.context = context, .node = node, .max_outputs = CNNFI_CALL_OUTPUTS, .error = &e->error};
    e->inputs = cnnfi_calloc(context, n, sizeof *e->inputs);
    e->loaded = cnnfi_calloc(context, n, sizeof *e->loaded);
    if (!e->inputs || !e->loaded) return CNNF_E_NOMEM;
    e->call.n_inputs = (int32_t)n;
    e->call.inputs = e->inputs;
    e->call.outputs = e->outputs;
    for (size_t i = 0; i < n; i++) {
        const cnnf_tensor *tensor = value_at(f, node->edges[i]);
        if (cnnf_tensor_rank(tensor) > CNNFI_OP_MAX_RANK || !cnnf_dtype_size(cnnf_tensor_dtype(tensor))) {
            return CNNF_E_UNSUPPORTED;
        }
        e->inputs[i] = (cnnfi_value){.dtype = cnnf_tensor_dtype(tensor),
                                     .rank = cnnf_tensor_rank(tensor),
                                     .count = cnnf_tensor_element_count(tensor)};
        for (int32_t d = 0; d < e->inputs[i].rank; d++)
            e->inputs[i].dims[d] = cnnf_tensor_dim(tensor, d);
    }
    return load_inputs(f, e, node, SMALL_BYTES);
}

static cnnf_status allocate_outputs(folder *f, evaluation *e)
{
    int64_t total = 0;
    for (int32_t i = 0; i < e->call.n_outputs; i++) {
        cnnfi_value *value = &e->outputs[i];
        CNNFI_TRY(cnnf_tensor_new(&e->results[i], e->call.context, value->dtype, value->rank, value->dims, &e->error));
        total += (int64_t)cnnf_tensor_byte_size(e->results[i]);
        if (total > f->max_bytes) return CNNF_E_LIMIT;
        value->count = cnnf_tensor_element_count(e->results[i]);
        value->data = cnnf_tensor_data_mut(e->results[i]);
        if (!value->data) value->data = e;
    }
    return CNNF_OK;
}

static cnnf_status check_size(const folder *f, const evaluation *e)
{
    for (int32_t i = 0; i < e->call.n_outputs; i++) {
        int64_t count;
        const cnnfi_value *value = &e->outputs[i];
        if (!cnnfi_shape_elements(&count, value->rank, value->dims) || count > f->max_bytes) return CNNF_E_LIMIT;
    }
    return CNNF_OK;
}

/* Whether the output is input 0 in another shape. Bitcast's has another dtype too: computed. */
static bool is_reshaped(const evaluation *e, const cnnfi_kernel *kernel)
{
    return cnnfi_kernel_flags(kernel) & CNNFI_OP_VIEW && e->call.n_outputs == 1 &&
           e->outputs[0].dtype == e->inputs[0].dtype;
}

/* Its bytes are shared, however many. */
static cnnf_status share_bytes(folder *f, evaluation *e, const cnnf_node *node)
{
    const cnnfi_value *value = &e->outputs[0];
    return cnnfi_tensor_reshape(&e->results[0], value_at(f, node->edges[0]), value->rank, value->dims, &e->error);
}

static cnnf_status compute(folder *f, evaluation *e, const cnnf_node *node, const cnnfi_kernel *kernel)
{
    const cnnf_status inferred = cnnfi_kernel_infer(kernel, &e->call);
    if (inferred || !e->call.n_outputs) return CNNF_E_UNSUPPORTED;
    if (is_reshaped(e, kernel)) return share_bytes(f, e, node);
    CNNFI_TRY(check_size(f, e));
    CNNFI_TRY(allocate_outputs(f, e));
    CNNFI_TRY(load_inputs(f, e, node, SIZE_MAX));
    void *block = cnnfi_malloc(e->call.context, e->call.scratch_size + 64);
    if (!block) return CNNF_E_NOMEM;
    e->call.scratch = (void *)(((uintptr_t)block + 63) & ~(uintptr_t)63);
    const cnnf_status status = kernel->run(&e->call);
    cnnfi_free(e->call.context, block);
    return status;
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
    if (!inputs_are_constant(f, node) || is_excluded(f, node)) return CNNF_OK;
    evaluation *e = cnnfi_malloc(f->in->context, sizeof *e);
    if (!e) return cnnfi_fail_nomem(f->run->error);
    cnnf_status status = evaluation_init(f, e, node);
    if (!status) status = compute(f, e, node, kernel);
    if (!status)
        status = keep_values(f, node, e->results, e->call.n_outputs);
    else if (status != CNNF_E_NOMEM)
        note_unfolded(f, node, status, e);
    evaluation_free(e);
    cnnfi_free(f->in->context, e);
    if (status == CNNF_E_NOMEM) return cnnfi_fail_nomem(f->run->error);
    return CNNF_OK;
}

static cnnf_status visit(folder *f, const cnnf_node *node)
{
    if (strcmp(node->op, "Const")) return fold_node(f, node);
    cnnf_tensor *value = (cnnf_tensor *)(uintptr_t)cnnf_node_attr_tensor(node, "value");
    /* A constant of a branch is there only when the branch is. */
    return value && !node->n_inputs ? keep_values(f, node, &value, 1) : CNNF_OK;
}

/* ---- the graph ---- */

static bool is_folded(const folder *f, int32_t node)
{
    return f->values[node] && strcmp(f->in->nodes[node]->op, "Const");
}

/* Whether an output of a node is read by something that stays. */
static bool is_read(const folder *f, int32_t node, int32_t port)
{
    const cnnfi_consumers *c = &f->consumers;
    for (size_t i = c->start[node]; i < c->start[node + 1]; i++) {
        if (is_folded(f, c->node[i])) continue;
        if (f->in->nodes[c->node[i]]->edges[c->input[i]].port == port) return true;
    }
    return false;
}

static void make_const(cnnfi_builder *b, cnnf_node *node, const cnnf_tensor *value)
{
    cnnfi_node_set_op(b, node, "Const");
    cnnfi_node_clear_inputs(node);
    node->n_attrs = 0;
    cnnfi_node_set_type(b, node, "dtype", cnnf_tensor_dtype(value));
    cnnfi_node_set_tensor(b, node, "value", value);
}

/* Readers of output `port` read `name` instead. */
static void redirect_port(folder *f, cnnfi_builder *b, int32_t node, int32_t port, const char *name)
{
    const cnnfi_consumers *c = &f->consumers;
    for (size_t i = c->start[node]; i < c->start[node + 1]; i++) {
        const cnnf_node *reader = f->in->nodes[c->node[i]];
        if (reader->edges[c->input[i]].port != port) continue;
        cnnfi_node_set_input(b, cnnfi_builder_node(b, (size_t)c->node[i]), (size_t)c->input[i], name);
    }
}

/* Output 0 keeps the node's name; others get constants of their own. */
static void replace(folder *f, cnnfi_builder *b, int32_t index)
{
    cnnf_node *node = cnnfi_builder_node(b, (size_t)index);
    for (int32_t port = 1; port < f->n_values[index]; port++) {
        if (!is_read(f, index, port)) continue;
        const char *name = cnnfi_builder_unique(b, cnnfi_builder_printf(b, "%s/output_%d", node->name, (int)port));
        cnnfi_builder_const(b, name, f->values[index][port]);
        redirect_port(f, b, index, port, name);
    }
    if (is_read(f, index, 0) || f->protection[index])
        make_const(b, node, f->values[index][0]);
    else
        cnnfi_builder_remove(b, node);
}

/* Control edges from constants that are gone. */
static void drop_dangling_controls(cnnfi_builder *b, cnnf_node *node)
{
    for (size_t k = node->n_inputs; k-- > 0 && node->inputs[k][0] == '^';) {
        if (cnnfi_strmap_get(&b->graph->names, node->inputs[k] + 1) < 0) cnnfi_node_remove_input(node, k);
    }
}

/* A Const that only folded nodes read. */
static bool is_used_up(const folder *f, int32_t node)
{
    const cnnfi_consumers *c = &f->consumers;
    if (c->start[node] == c->start[node + 1] || f->protection[node] || is_folded(f, node)) return false;
    for (size_t i = c->start[node]; i < c->start[node + 1]; i++) {
        if (!is_folded(f, c->node[i])) return false;
    }
    return true;
}

/* PlaceholderWithDefault at a declared input: the caller feeds it. */
static int64_t open_input(folder *f, cnnfi_builder *b, cnnf_node *node)
{
    if (strcmp(node->op, "PlaceholderWithDefault") || !cnnfi_run_is_input(f->run, node->name)) return 0;
    cnnfi_node_set_op(b, node, "Placeholder");
    cnnfi_node_clear_inputs(node);
    return 1;
}

static int64_t edit(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    folder *f = user;
    const bool clear = cnnfi_run_bool(run, "clear_output_shapes", true);
    int64_t folded = 0, removed = 0, changed = 0;
    for (int32_t i = 0; !b->status && i < (int32_t)in->n_nodes; i++) {
        cnnf_node *node = cnnfi_builder_node(b, (size_t)i);
        changed += open_input(f, b, node);
        if (clear && cnnfi_node_attr(node, "_output_shapes")) {
            cnnfi_node_attr_remove(node, "_output_shapes");
            changed++;
        }
        if (is_folded(f, i)) {
            replace(f, b, i);
            folded++;
        } else if (f->values[i] && is_used_up(f, i)) {
            cnnfi_builder_remove(b, node);
            removed++;
        }
    }
    for (size_t i = 0; folded && !b->status && i < in->n_nodes; i++) {
        drop_dangling_controls(b, cnnfi_builder_node(b, i));
    }
    cnnfi_run_count(run, "folded", folded);
    cnnfi_run_count(run, "constants_removed", removed);
    return folded + removed + changed;
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
    cnnfi_free(context, f->protection);
    if (f->consumers.context) cnnfi_consumers_free(&f->consumers);
}

static cnnf_status folder_init(folder *f, cnnfi_pass_run *run, const cnnf_graph *in)
{
    *f = (folder){.run = run, .in = in};
    f->max_bytes = cnnfi_run_int(run, "max_constant_size_in_bytes", DEFAULT_MAX_BYTES);
    f->values = cnnfi_calloc(in->context, in->n_nodes, sizeof *f->values);
    f->n_values = cnnfi_calloc(in->context, in->n_nodes, sizeof *f->n_values);
    f->protection = cnnfi_run_protection(run, in);
    if (!f->values || !f->n_values || !f->protection) return cnnfi_fail_nomem(run->error);
    return cnnfi_consumers_init(&f->consumers, in, run->error);
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    folder f;
    int32_t *order = NULL;
    cnnf_status status = folder_init(&f, run, in);
    if (!status) status = cnnfi_toposort(&order, in, run->error);
    for (size_t i = 0; !status && i < in->n_nodes; i++)
        status = visit(&f, in->nodes[order[i]]);
    if (!status) status = cnnfi_pass_edit(run, in, out, edit, &f);
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
