/* SPDX-License-Identifier: Apache-2.0 */
/* FixNeuron nodes where the patterns want them, and the forms of the graph that hold them. */
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/str.h"
#include "graph/order.h"
#include "graph/tensor.h"
#include "ops/fixed_grid.h"
#include "ops/graph_shapes.h"
#include "transform/quantize/vitis.h"

static bool is_fix(const cnnf_node *node)
{
    return cnnfi_vitis_is(node, "FixNeuron|_CalibrateFixNeuron");
}

/* ---- one FixNeuron ---- */

static void fix(cnnfi_vitis *v, cnnf_node *from, cnnfi_fix_mode mode, int64_t method)
{
    cnnfi_builder *b = v->edit->b;
    const bool activation = mode == CNNFI_FIX_ACTIVATION;
    const char *name = cnnfi_edit_unique(v->edit, "%s/%s", from->name, activation ? "aquant" : "wquant");
    cnnf_node *node = name ? cnnfi_edit_add(v->edit, "FixNeuron", name) : NULL;
    if (!node) return;
    cnnfi_node_set_type(b, node, "T", CNNF_FLOAT);
    cnnfi_node_set_int(b, node, "bit_width", activation ? v->options->activation_bit : v->options->weight_bit);
    cnnfi_node_set_int(b, node, "method", method);
    cnnfi_node_set_int(b, node, "mode", mode);
    cnnfi_node_set_int(b, node, "phase", CNNFI_FIX_CALIBRATE);
    cnnfi_node_set_int(b, node, "quantize_pos", 0);
    cnnfi_node_set_string(b, node, "output_dir", "quantize_results");
    cnnfi_edit_add_input(v->edit, node, cnnfi_end(from, 0));
    cnnfi_edit_redirect(v->edit, from, 0, cnnfi_end(node, 0), node);
}

static const char *fix_behind(const cnnfi_vitis *v, const cnnf_node *node)
{
    for (const cnnfi_use *use = node ? cnnfi_edit_uses(v->edit, node) : NULL; use; use = use->next) {
        if (is_fix(use->user)) return use->user->name;
    }
    return NULL;
}

/* Puts one behind what the input reads, unless there is one. */
static void fix_input(cnnfi_vitis *v, const cnnf_node *node, size_t input, cnnfi_fix_mode mode)
{
    cnnf_node *from = cnnfi_vitis_input(v, node, input);
    if (!from || is_fix(from)) return;
    if (strcmp(from->op, "ConcatV2") && !cnnfi_vitis_is_float(from)) return;
    fix(v, from, mode, v->options->method);
}

static void fix_constants(cnnfi_vitis *v, const cnnfi_vitis_match *m)
{
    for (size_t i = 0; i < m->n_constants; i++)
        fix_input(v, m->constants[i].node, m->constants[i].input, (cnnfi_fix_mode)m->constants[i].mode);
}

/* ---- placement ---- */

static void place_products(cnnfi_vitis *v, const cnnfi_vitis_match *matches)
{
    for (const cnnfi_vitis_match *m = matches; m; m = m->next) {
        if (!cnnfi_vitis_is_float(m->nodes[0])) continue;
        if (m->kind == CNNFI_VITIS_INPUT) fix(v, m->nodes[0], CNNFI_FIX_ACTIVATION, CNNFI_FIX_NON_OVERFLOW);
        if (m->kind != CNNFI_VITIS_PRODUCT) continue;
        fix_constants(v, m);
        fix(v, m->nodes[0], CNNFI_FIX_ACTIVATION, v->options->method);
    }
    for (const cnnfi_vitis_match *m = matches; m; m = m->next) {
        for (size_t i = 0; m->kind == CNNFI_VITIS_PRODUCT && i < m->n_data; i++)
            fix_input(v, m->reader, m->first_data + i, CNNFI_FIX_ACTIVATION);
    }
}

static bool gets_fixed(const cnnfi_vitis_match *m, size_t input)
{
    for (size_t i = 0; i < m->n_constants; i++) {
        if (m->constants[i].node == m->reader && m->constants[i].input == input) return true;
    }
    return false;
}

static bool is_ready(const cnnfi_vitis *v, const cnnfi_vitis_match *m)
{
    for (size_t i = 0; i < m->n_data; i++) {
        const size_t input = m->first_data + i;
        if (!is_fix(cnnfi_vitis_input(v, m->reader, input)) && !gets_fixed(m, input)) return false;
    }
    return true;
}

/* Each input of a concat gets one, whatever it is. */
static void fix_concat(cnnfi_vitis *v, const cnnfi_vitis_match *m)
{
    if (strcmp(m->reader->op, "ConcatV2")) return;
    for (size_t i = 0; i < m->n_data; i++)
        fix_input(v, m->reader, m->first_data + i, CNNFI_FIX_ACTIVATION);
}

static void place_others(cnnfi_vitis *v, const cnnfi_vitis_match *matches)
{
    bool *done = cnnfi_edit_array(v->edit, v->edit->count, sizeof *done); /* by last node */
    for (bool again = done != NULL; again && !v->edit->b->status;) {
        again = false;
        for (const cnnfi_vitis_match *m = matches; m; m = m->next) {
            cnnf_node *last = m->nodes[0];
            if (m->kind != CNNFI_VITIS_OTHER || done[last->index] || !cnnfi_vitis_is_float(last)) continue;
            fix_concat(v, m);
            if (!is_ready(v, m)) continue;
            fix_constants(v, m);
            if (!fix_behind(v, last)) fix(v, last, CNNFI_FIX_ACTIVATION, v->options->method);
            done[last->index] = again = true;
        }
    }
    for (const cnnfi_vitis_match *m = matches; m && done; m = m->next) {
        if (m->kind == CNNFI_VITIS_OTHER && cnnfi_vitis_is_float(m->nodes[0]) && !done[m->nodes[0]->index])
            cnnfi_quantize_say(v->notes, m->nodes[0]->name, "%s stays float: not all that it reads is quantized",
                               m->nodes[0]->op);
    }
}

/* ---- refusals of the tool's ---- */

static void check_concats(cnnfi_vitis *v)
{
    for (int32_t i = 0; (size_t)i < v->edit->count; i++) {
        const cnnf_node *node = cnnfi_edit_node(v->edit, i);
        if (!node || strcmp(node->op, "ConcatV2") || cnnfi_vitis_is_float(node) || !v->options->as_vai_q) continue;
        cnnfi_builder_fail_at(v->edit->b, CNNF_E_UNSUPPORTED, node->name, "the tool fails at '%s', a ConcatV2 of %s",
                              node->name, cnnf_dtype_name(cnnfi_node_type(node, "T")));
        return;
    }
}

static void note_unmatched(cnnfi_vitis *v, const cnnfi_vitis_match *matches)
{
    bool *known = cnnfi_edit_array(v->edit, v->edit->count, sizeof *known);
    for (const cnnfi_vitis_match *m = matches; m && known; m = m->next) {
        for (size_t i = 0; i < m->n_nodes; i++)
            known[m->nodes[i]->index] = true;
    }
    for (int32_t i = 0; known && (size_t)i < v->edit->count; i++) {
        const cnnf_node *node = cnnfi_edit_node(v->edit, i);
        if (!node || known[i] || strcmp(node->op, "Const") == 0 || is_fix(node)) continue;
        cnnfi_quantize_say(v->notes, node->name, "%s stays float: the quantizer has no pattern for it", node->op);
    }
}

/* ---- what was inserted ---- */

typedef struct named_group {
    const char *input, *output, *weight, *bias;
    int64_t taps;
} named_group;

static int64_t depthwise_taps(const cnnfi_vitis *v, const cnnfi_vitis_match *m)
{
    const cnnf_node *grid = cnnfi_vitis_input(v, m->product, 1);
    if (!is_fix(grid) || cnnf_node_attr_int(grid, "mode", 0) != CNNFI_FIX_DEPTHWISE_WEIGHT) return 0;
    const cnnf_node *constant = cnnfi_vitis_const(v, grid, 0);
    const cnnf_tensor *weights = constant ? cnnf_node_attr_tensor(constant, "value") : NULL;
    if (!weights || cnnf_tensor_rank(weights) != 4) return 0;
    return cnnf_tensor_dim(weights, 0) * cnnf_tensor_dim(weights, 1) * cnnf_tensor_dim(weights, 2);
}

static const char *fix_at(const cnnfi_vitis *v, const cnnf_node *node, size_t input)
{
    const cnnf_node *from = cnnfi_vitis_input(v, node, input);
    return is_fix(from) ? from->name : NULL;
}

static named_group name_group(const cnnfi_vitis *v, const cnnfi_vitis_match *m)
{
    return (named_group){.input = fix_at(v, m->reader, m->first_data),
                         .output = fix_behind(v, m->nodes[0]),
                         .weight = fix_at(v, m->product, 1),
                         .bias = m->bias ? fix_at(v, m->bias, 1) : NULL,
                         .taps = depthwise_taps(v, m)};
}

/* ---- the graph as it is written ---- */

static void set_output_shapes(cnnfi_vitis *v, const cnnfi_graph_shapes *shapes, cnnf_node *node)
{
    const int32_t known = shapes->counts[node->index], count = known > 0 ? known : 1;
    cnnfi_shape *list = cnnfi_edit_array(v->edit, (size_t)count, sizeof *list);
    for (int32_t i = 0; list && i < count; i++) {
        const cnnfi_value value = cnnfi_graph_shape(shapes, (cnnfi_edge){node->index, i});
        int64_t *dims = cnnfi_edit_array(v->edit, CNNFI_OP_MAX_RANK, sizeof *dims);
        if (!dims) return;
        memcpy(dims, value.dims, sizeof value.dims);
        list[i] = (cnnfi_shape){.rank = value.rank, .dims = value.rank > 0 ? dims : NULL};
    }
    if (list) cnnfi_node_set_shapes(v->edit->b, node, "_output_shapes", list, (size_t)count);
}

/* Nodes as soon as all they read is there, the last one that became so first: TensorFlow's SortByExecutionOrder. */
static cnnf_status sort(int32_t *order, const cnnf_graph *graph, cnnf_error *error)
{
    cnnfi_consumers readers;
    const size_t n = graph->n_nodes;
    int32_t *stack = cnnfi_array(graph->context, n + 1, sizeof *stack),
            *missing = cnnfi_array(graph->context, n + 1, sizeof *missing);
    cnnf_status status = stack && missing ? CNNF_OK : cnnfi_fail_nomem(error);
    if (!status) status = cnnfi_consumers_init(&readers, graph, error);
    if (!status) {
        size_t depth = 0, done = 0;
        for (size_t i = 0; i < n; i++) {
            missing[i] = (int32_t)graph->nodes[i]->n_inputs;
            if (!missing[i]) stack[depth++] = (int32_t)i;
        }
        while (depth) {
            const int32_t at = stack[--depth];
            order[done++] = at;
            for (size_t k = readers.start[at]; k < readers.start[at + 1]; k++) {
                if (--missing[readers.node[k]] == 0) stack[depth++] = readers.node[k];
            }
        }
        if (done != n) status = cnnfi_fail(error, CNNF_E_UNSUPPORTED, "the graph has a loop");
        cnnfi_consumers_free(&readers);
    }
    cnnfi_free(graph->context, stack);
    cnnfi_free(graph->context, missing);
    return status;
}

/* ---- shapes as TensorFlow 1.15 tells them ---- */

/* What its ConstantPartialShape knows of a Pack: constant elements alone. */
static bool packed_dims(const cnnf_graph *graph, const cnnf_node *pack, int64_t dims[CNNFI_OP_MAX_RANK], int32_t *rank)
{
    const size_t n = cnnfi_node_data_inputs(pack);
    if (strcmp(pack->op, "Pack") || n > CNNFI_OP_MAX_RANK) return false;
    *rank = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        const cnnf_node *element = graph->nodes[pack->edges[i].node];
        const cnnf_tensor *value = strcmp(element->op, "Const") ? NULL : cnnf_node_attr_tensor(element, "value");
        if (!value || !cnnfi_tensor_get_i64(value, 0, &dims[i]) || dims[i] < 0) dims[i] = CNNFI_UNKNOWN;
    }
    return true;
}

/* The graph to ask for shapes: a node whose shape input is packed from parts is a Placeholder of what is known. */
static cnnf_status make_shadow(cnnf_graph **out, const cnnf_graph *graph, cnnf_error *error)
{
    cnnfi_edit edit;
    *out = NULL;
    CNNFI_TRY(cnnfi_edit_begin(&edit, graph, NULL, error));
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const cnnf_node *node = graph->nodes[i];
        const size_t shape = cnnfi_vitis_is(node, "Reshape") ? 1 : 0;
        int64_t dims[CNNFI_OP_MAX_RANK];
        int32_t rank = 0;
        if (!cnnfi_vitis_is(node, "Reshape|Conv2DBackpropInput") || node->n_inputs <= shape) continue;
        if (!packed_dims(graph, graph->nodes[node->edges[shape].node], dims, &rank)) continue;
        cnnf_node *shadow = cnnfi_edit_node(&edit, (int32_t)i);
        const cnnf_dtype type = cnnfi_node_type(node, "T");
        cnnfi_edit_reset(&edit, shadow, "Placeholder");
        cnnfi_node_set_type(edit.b, shadow, "dtype", type);
        cnnfi_node_set_shape(edit.b, shadow, "shape", rank, dims);
    }
    return cnnfi_builder_publish(out, cnnfi_edit_finish(&edit), error);
}

static cnnf_status dress(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_quantize_options *options,
                         cnnfi_quantize_notes *notes, cnnf_error *error)
{
    cnnfi_graph_shapes shapes;
    cnnfi_edit edit;
    cnnfi_vitis v;
    int32_t *order = cnnfi_array(graph->context, graph->n_nodes + 1, sizeof *order);
    cnnf_status status = order ? sort(order, graph, error) : cnnfi_fail_nomem(error);
    cnnf_graph *shadow = NULL;
    if (!status) status = make_shadow(&shadow, graph, error);
    if (!status) status = cnnfi_graph_shapes_init(&shapes, shadow, error);
    if (!status) {
        status = cnnfi_vitis_begin(&v, &edit, graph, options, notes, error);
        for (int32_t i = 0; !status && (size_t)i < edit.count; i++)
            set_output_shapes(&v, &shapes, cnnfi_edit_node(&edit, i));
        if (!status) {
            cnnfi_edit_set_order(&edit, order);
            edit.b->graph->versions = (cnnfi_versions){0};
            status = cnnfi_vitis_end(&v, out, error);
        }
        cnnfi_graph_shapes_free(&shapes);
    }
    cnnf_graph_unref(shadow);
    cnnfi_free(graph->context, order);
    return status;
}

/* ---- numbers of FixNeurons ---- */

static int32_t number_of(const cnnf_graph *graph, const int32_t *numbers, const char *name)
{
    const cnnf_node *node = name ? cnnf_graph_find(graph, name) : NULL;
    return node ? numbers[node->index] : -1;
}

static cnnf_status fill_plan(cnnfi_quantize_plan *plan, cnnfi_arena *arena, const cnnf_graph *graph,
                             const named_group *groups, cnnf_error *error)
{
    int32_t *numbers = cnnfi_arena_array(arena, graph->n_nodes + 1, sizeof *numbers);
    plan->fixes = cnnfi_arena_array(arena, graph->n_nodes + 1, sizeof *plan->fixes);
    plan->groups = cnnfi_arena_array(arena, plan->n_groups + 1, sizeof *plan->groups);
    if (!numbers || !plan->fixes || !plan->groups) return cnnfi_fail_nomem(error);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        numbers[i] = -1;
        if (!is_fix(graph->nodes[i])) continue;
        numbers[i] = (int32_t)plan->n_fixes;
        plan->fixes[plan->n_fixes] = cnnfi_arena_strdup(arena, graph->nodes[i]->name);
        if (!plan->fixes[plan->n_fixes++]) return cnnfi_fail_nomem(error);
    }
    for (size_t i = 0; i < plan->n_groups; i++) {
        plan->groups[i] = (cnnfi_quantize_group){.input = number_of(graph, numbers, groups[i].input),
                                                 .output = number_of(graph, numbers, groups[i].output),
                                                 .weight = number_of(graph, numbers, groups[i].weight),
                                                 .bias = number_of(graph, numbers, groups[i].bias),
                                                 .taps = groups[i].taps};
    }
    return CNNF_OK;
}

static bool has_node(const cnnf_graph *graph, const char *name)
{
    return name && cnnf_graph_find(graph, name);
}

/* OUT/aquant where it is; where a pool took the name and we are free, what stands behind it. */
static cnnf_status fill_outputs(cnnfi_quantize_plan *plan, cnnfi_arena *arena, const cnnf_graph *graph,
                                const cnnfi_quantize_options *options, cnnf_error *error)
{
    static const char *const suffixes[] = {"/squeeze/aquant", "/mul/aquant"};
    plan->outputs = cnnfi_arena_array(arena, options->n_outputs + 1, sizeof *plan->outputs);
    if (!plan->outputs) return cnnfi_fail_nomem(error);
    for (size_t i = 0; i < options->n_outputs; i++) {
        const char *name = cnnfi_arena_printf(arena, "%s/aquant", options->outputs[i]);
        const bool pool = cnnfi_vitis_is(cnnf_graph_find(graph, options->outputs[i]), "AvgPool");
        for (size_t k = 0; pool && !has_node(graph, name) && !options->as_vai_q && k < 2; k++)
            name = cnnfi_arena_printf(arena, "%s%s", options->outputs[i], suffixes[k]);
        if (name && !has_node(graph, name)) name = cnnfi_arena_strdup(arena, options->outputs[i]);
        if (!name) return cnnfi_fail_nomem(error);
        plan->outputs[i] = name;
    }
    return CNNF_OK;
}

cnnf_status cnnfi_quantize_insert(cnnf_graph **out, cnnfi_quantize_plan *plan, cnnfi_arena *arena,
                                  const cnnf_graph *graph, const cnnfi_quantize_options *options,
                                  cnnfi_quantize_notes *notes, cnnf_error *error)
{
    cnnfi_edit edit;
    cnnfi_vitis v;
    cnnf_graph *fixed = NULL;
    named_group *groups = NULL;
    *out = NULL;
    *plan = (cnnfi_quantize_plan){0};
    CNNFI_TRY(cnnfi_vitis_begin(&v, &edit, graph, options, notes, error));
    const cnnfi_vitis_match *matches = cnnfi_vitis_find(&v);
    check_concats(&v);
    note_unmatched(&v, matches);
    place_products(&v, matches);
    place_others(&v, matches);
    for (const cnnfi_vitis_match *m = matches; m; m = m->next)
        plan->n_groups += m->kind == CNNFI_VITIS_PRODUCT;
    groups = cnnfi_arena_array(arena, plan->n_groups + 1, sizeof *groups);
    size_t group = 0;
    for (const cnnfi_vitis_match *m = matches; m && groups; m = m->next) {
        if (m->kind != CNNFI_VITIS_PRODUCT) continue;
        groups[group++] = name_group(&v, m);
    }
    /* The names live as long as the graph that the edit becomes. */
    cnnf_status status = cnnfi_vitis_end(&v, &fixed, error);
    if (!status && !groups) status = cnnfi_fail_nomem(error);
    if (!status) status = dress(out, fixed, options, notes, error);
    if (!status) status = fill_plan(plan, arena, *out, groups, error);
    if (!status) status = fill_outputs(plan, arena, *out, options, error);
    cnnf_graph_unref(fixed);
    if (!status) return CNNF_OK;
    cnnf_graph_unref(*out);
    *out = NULL;
    return status;
}

/* ---- the same graph with another kind of FixNeuron ---- */

cnnf_status cnnfi_quantize_calibrate(cnnf_graph **out, const cnnf_graph *graph, cnnf_error *error)
{
    cnnfi_edit edit;
    *out = NULL;
    CNNFI_TRY(cnnfi_edit_begin(&edit, graph, NULL, error));
    for (int32_t i = 0; (size_t)i < edit.count; i++) {
        cnnf_node *node = cnnfi_edit_node(&edit, i);
        if (cnnfi_vitis_is(node, "FixNeuron")) cnnfi_edit_set_op(&edit, node, "_CalibrateFixNeuron");
    }
    return cnnfi_builder_publish(out, cnnfi_edit_finish(&edit), error);
}

cnnf_status cnnfi_quantize_reach(bool *reached, const cnnf_graph *graph, const cnnfi_quantize_plan *plan,
                                 size_t n_outputs, cnnf_error *error)
{
    bool *keep = cnnfi_calloc(graph->context, graph->n_nodes + 1, sizeof *keep);
    int32_t *roots = cnnfi_array(graph->context, n_outputs + 1, sizeof *roots);
    cnnf_status status = keep && roots ? CNNF_OK : cnnfi_fail_nomem(error);
    for (size_t i = 0; !status && i < n_outputs; i++)
        roots[i] = cnnf_graph_find(graph, plan->outputs[i])->index;
    if (!status) status = cnnfi_reach(keep, graph, roots, n_outputs, false, error);
    for (size_t i = 0; !status && i < plan->n_fixes; i++)
        reached[i] = keep[cnnf_graph_find(graph, plan->fixes[i])->index];
    cnnfi_free(graph->context, keep);
    cnnfi_free(graph->context, roots);
    return status;
}

cnnf_status cnnfi_quantize_position(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_quantize_plan *plan,
                                    const int64_t *positions, cnnf_error *error)
{
    cnnfi_edit edit;
    *out = NULL;
    CNNFI_TRY(cnnfi_edit_begin(&edit, graph, NULL, error));
    for (size_t i = 0; i < plan->n_fixes; i++) {
        cnnf_node *node = cnnfi_edit_find(&edit, plan->fixes[i], strlen(plan->fixes[i]));
        if (!node) continue;
        cnnfi_node_set_int(edit.b, node, "quantize_pos", positions[i]);
        cnnfi_node_set_int(edit.b, node, "phase", CNNFI_FIX_EVALUATE);
    }
    return cnnfi_builder_publish(out, cnnfi_edit_finish(&edit), error);
}
