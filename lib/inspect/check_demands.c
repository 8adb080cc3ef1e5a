/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demands, from the tools' own sources: vai_q_tensorflow's input checks and its table of supported ops, OpenCV's
 * tf_importer.cpp, OpenVINO's and TFLite's converters.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ops/op_table.h"
#include "inspect/check.h"

static void found(cnnfi_finding *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void found(cnnfi_finding *f, const char *format, ...)
{
    if (f->count++ >= CNNFI_SHOWN) return;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cnnfi_strbuf_printf(&f->text, "%s%s", f->text.size ? "; " : "", text);
}

#define IS_IN(op, ops) cnnfi_text_in(op, ops, sizeof(ops) / sizeof *(ops))

/* Names every node whose op is one of these. */
static void find_ops(cnnfi_finding *f, const char *const *ops, size_t count)
{
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const cnnf_node *node = f->graph->nodes[i];
        if (cnnfi_text_in(node->op, ops, count)) found(f, "'%s' is %s", node->name, node->op);
    }
}
#define FIND_OPS(f, ops) find_ops(f, ops, sizeof(ops) / sizeof *(ops))

static const cnnf_node *node_of(const cnnf_graph *graph, const char *name)
{
    char node[4096];
    return cnnf_graph_find(graph, cnnfi_input_node(name, node, sizeof node));
}

static void check_frozen(cnnfi_finding *f)
{
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const cnnf_node *node = f->graph->nodes[i];
        if (cnnfi_op_is_variable(node->op)) found(f, "'%s' is a variable", node->name);
    }
}

/* `name:0` of every input is fed: it must be a float Placeholder. */
static void check_inputs(cnnfi_finding *f)
{
    const int64_t count = cnnf_graph_input_count(f->graph);
    if (!count) found(f, "there is no input");
    for (int64_t i = 0; i < count; i++) {
        const char *name = cnnf_graph_input_name(f->graph, i);
        const cnnf_node *node = node_of(f->graph, name);
        if (!node)
            found(f, "'%s' is not in the graph", name);
        else if (strcmp(node->op, "Placeholder"))
            found(f, "'%s' is %s, not Placeholder", name, node->op);
        else if (cnnfi_node_type(node, "dtype") != CNNF_FLOAT) {
            found(f, "'%s' is %s, not float", name, cnnf_dtype_name(cnnfi_node_type(node, "dtype")));
        }
    }
}

static void check_input_shapes(cnnfi_finding *f)
{
    for (int64_t i = 0; i < cnnf_graph_input_count(f->graph); i++) {
        const cnnf_node *node = node_of(f->graph, cnnf_graph_input_name(f->graph, i));
        if (!node) continue;
        const int32_t rank = cnnf_node_attr_shape_rank(node, "shape");
        if (rank != 4) found(f, "'%s' has %s", node->name, rank < 0 ? "no known rank" : "another rank");
        for (int32_t d = 1; rank == 4 && d < 4; d++) {
            if (cnnf_node_attr_shape_dim(node, "shape", d) < 0)
                found(f, "dimension %d of '%s' is unknown", (int)d, node->name);
        }
    }
}

static bool is_input(const cnnf_graph *graph, const cnnf_node *node)
{
    for (int64_t i = 0; i < cnnf_graph_input_count(graph); i++) {
        if (node_of(graph, cnnf_graph_input_name(graph, i)) == node) return true;
    }
    return false;
}

/* A forgotten keras_learning_phase stops the calibration. */
static void check_fed(cnnfi_finding *f)
{
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const cnnf_node *node = f->graph->nodes[i];
        const bool open = strcmp(node->op, "Placeholder") == 0 && !is_input(f->graph, node);
        if (open || strcmp(node->op, "PlaceholderWithDefault") == 0) found(f, "'%s' is %s", node->name, node->op);
    }
}

static void check_outputs(cnnfi_finding *f)
{
    const int64_t count = cnnf_graph_output_count(f->graph);
    if (!count) found(f, "no output is declared");
    for (int64_t i = 0; i < count; i++) {
        const char *name = cnnf_graph_output_name(f->graph, i);
        const cnnf_node *node = node_of(f->graph, name);
        const int64_t ports = node ? cnnfi_node_output_count(node) : 0;
        if (!node)
            found(f, "'%s' is not in the graph", name);
        else if (ports > 1 && !(f->target->bit & CNNFI_FOR_TFLITE)) /* TFLite gives the first one */
            found(f, "'%s' has %d outputs", name, (int)ports);
    }
}

static void check_release(cnnfi_finding *f)
{
    const int32_t release = f->target->release;
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const cnnf_node *node = f->graph->nodes[i];
        const cnnfi_op *op = cnnfi_op_find(node->op);
        if (!op || !cnnfi_op_in_release(op, release)) {
            found(f, "'%s': op %s", node->name, node->op);
            continue;
        }
        for (size_t k = 0; k < node->n_attrs; k++) {
            const cnnfi_op_attr *attr = cnnfi_op_attr_find(op, node->attrs[k].key);
            if (node->attrs[k].key[0] == '_' || (attr && cnnfi_op_attr_in_release(op, attr, release))) continue;
            found(f, "'%s': attribute '%s' of %s", node->name, node->attrs[k].key, node->op);
        }
    }
}

static void check_control_flow(cnnfi_finding *f)
{
    static const char *const ops[] = {"Switch", "RefSwitch",      "Merge",    "RefMerge",     "Enter",
                                      "Exit",   "NextIteration",  "LoopCond", "If",           "StatelessIf",
                                      "While",  "StatelessWhile", "Case",     "StatelessCase"};
    FIND_OPS(f, ops);
}

static void check_functions(cnnfi_finding *f)
{
    static const char *const ops[] = {"PartitionedCall", "StatefulPartitionedCall", "SymbolicGradient", "RemoteCall"};
    FIND_OPS(f, ops);
}

static void check_inference(cnnfi_finding *f)
{
    static const char *const ops[] = {
        "RandomUniform",          "RandomStandardNormal",     "TruncatedNormal",        "Multinomial",
        "StatelessRandomUniform", "StatelessRandomUniformV2", "StatelessRandomNormalV2"};
    FIND_OPS(f, ops);
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const cnnf_node *node = f->graph->nodes[i];
        const bool norm = strncmp(node->op, "FusedBatchNorm", 14) == 0;
        if (norm && cnnf_node_attr_bool(node, "is_training", 1)) found(f, "'%s' has is_training=true", node->name);
    }
}

/* ---- the tool's table of ops ---- */

/* The reason why the node has the verdict, by this row; NULL. */
static const char *reason_of(const cnnfi_finding *f, const cnnf_node *node, const cnnfi_op_row *row)
{
    return row->rule ? row->rule(f, node) : row->why;
}

/* Rows of op "" are for every node: those without a rule where no row of the op's own is. */
static void check_rows(cnnfi_finding *f, cnnfi_verdict verdict)
{
    const cnnfi_target *target = f->target;
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const cnnf_node *node = f->graph->nodes[i];
        const char *why = NULL;
        bool known = false;
        if (target->folds && f->constant[i] && !f->output[i]) continue;
        if (target->skips && target->skips(f, node)) continue;
        for (size_t k = 0; k < target->n_rows && !why; k++) {
            const cnnfi_op_row *row = &target->rows[k];
            const bool own = strcmp(row->op, node->op) == 0, every = !*row->op && (row->rule || !known);
            known |= own;
            if ((own || every) && row->verdict == verdict) why = reason_of(f, node, row);
        }
        if (!known && verdict == CNNFI_REFUSED && !why) why = target->otherwise;
        if (why) found(f, "'%s' (%s): %s", node->name, node->op, why);
    }
}

static void check_refused(cnnfi_finding *f)
{
    check_rows(f, CNNFI_REFUSED);
}

static void check_slow(cnnfi_finding *f)
{
    check_rows(f, CNNFI_SLOW);
}

/* Names that are the same once '/' is '_'. */
static void check_names(cnnfi_finding *f)
{
    cnnfi_arena arena;
    cnnfi_strmap seen;
    cnnfi_arena_init(&arena, f->graph->context);
    cnnfi_strmap_init(&seen, f->graph->context);
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const char *name = f->graph->nodes[i]->name;
        char *flat = cnnfi_arena_strdup(&arena, name);
        for (char *at = flat; at && *at; at++)
            if (*at == '/') *at = '_';
        const int64_t other = flat ? cnnfi_strmap_get(&seen, flat) : -1;
        if (other >= 0) found(f, "'%s' and '%s'", f->graph->nodes[other]->name, name);
        f->text.failed |= !flat || (other < 0 && !cnnfi_strmap_set(&seen, flat, (int64_t)i));
        if (f->text.failed) break;
    }
    cnnfi_strmap_free(&seen);
    cnnfi_arena_free(&arena);
}

static bool is_batch_norm(const char *op)
{
    static const char *const ops[] = {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3",
                                      "BatchNormWithGlobalNormalization"};
    return IS_IN(op, ops);
}

static void check_batch_norms(cnnfi_finding *f)
{
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const cnnf_node *node = f->graph->nodes[i];
        const bool unfused = strcmp(node->op, "Rsqrt") == 0 && f->constant[i];
        if (is_batch_norm(node->op) || unfused) found(f, "'%s' is %s", node->name, node->op);
    }
}

static void check_identity(cnnfi_finding *f)
{
    static const char *const ops[] = {"Identity", "IdentityN", "StopGradient", "CheckNumerics", "Assert", "NoOp"};
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const cnnf_node *node = f->graph->nodes[i];
        bool output = false;
        for (int64_t k = 0; k < cnnf_graph_output_count(f->graph); k++) {
            output |= node_of(f->graph, cnnf_graph_output_name(f->graph, k)) == node;
        }
        if (!output && IS_IN(node->op, ops)) found(f, "'%s' is %s", node->name, node->op);
    }
}

const cnnfi_demand cnnfi_demands[] = {
    {"frozen", "no variable is left", CNNFI_FOR_ALL, true, check_frozen},
    {"inputs", "every input is a float Placeholder", CNNFI_FOR_VITIS, true, check_inputs},
    {"input shapes", "inputs have 4 dimensions, and only the first may be unknown", CNNFI_FOR_VITIS, true,
     check_input_shapes},
    {"placeholders", "every Placeholder is an input", CNNFI_FOR_ALL, true, check_fed},
    {"outputs", "outputs are known nodes with one output each", CNNFI_FOR_ALL, true, check_outputs},
    {"release", "ops and attributes are known to the TensorFlow inside the tool", CNNFI_FOR_VITIS | CNNFI_FOR_TFLITE,
     true, check_release},
    {"inference", "no random numbers, no batch statistics", CNNFI_FOR_VITIS, true, check_inference},
    {"control flow", "no branches and loops", CNNFI_FOR_VITIS, true, check_control_flow},
    {"functions", "no function calls", CNNFI_FOR_VITIS, true, check_functions},
    {"ops", "the tool takes every node as it stands here", CNNFI_FOR_ALL, true, check_refused},
    {"names", "no two names are the same once '/' is '_'", CNNFI_FOR_VITIS, true, check_names},
    {"fast", "nothing is left on the CPU or taken in a form that costs", CNNFI_FOR_ALL, false, check_slow},
    {"folded", "batch norms are folded into weights", CNNFI_FOR_ALL, false, check_batch_norms},
    {"identity", "nothing that computes nothing is left", CNNFI_FOR_VITIS | CNNFI_FOR_OPENCV, false, check_identity},
};

const size_t cnnfi_n_demands = sizeof cnnfi_demands / sizeof *cnnfi_demands;
