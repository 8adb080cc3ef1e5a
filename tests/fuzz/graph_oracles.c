/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_oracles.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/equal.h"
#include "graph/graph.h"
#include "graph/tensor.h"
#include "ops/op_table.h"

#define MOST_FEEDS   8
#define MOST_OUTPUTS 3
#define MOST_RANK    8
#define MOST_BYTES   65536 /* of a feed */

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Says what was found, with the graph, and dies. */
static void found(const char *what, const char *where, const cnnf_graph *graph)
{
    cnnf_write_options *options = NULL;
    cnnf_buffer *text = NULL;
    fprintf(stderr, "oracle: %s (%s)\n", what, where);
    cnnf_write_options_new(&options, graph->context, NULL);
    if (options) cnnf_write_options_set_text(options, 1, NULL);
    if (cnnf_write_graphdef_buffer(&text, graph, options, NULL) == CNNF_OK)
        fprintf(stderr, "%.8000s\n", (const char *)cnnf_buffer_data(text));
    abort();
}

static bool same_bytes(const cnnf_buffer *a, const cnnf_buffer *b)
{
    const size_t size = cnnf_buffer_size(a);
    return size == cnnf_buffer_size(b) && (!size || memcmp(cnnf_buffer_data(a), cnnf_buffer_data(b), size) == 0);
}

static void show_difference(const cnnf_graph *a, const cnnf_graph *b)
{
    cnnf_buffer *report = NULL;
    cnnf_compare_graphs(&report, NULL, a, b, CNNF_REPORT_TEXT, NULL);
    fprintf(stderr, "%.2000s\n", report ? (const char *)cnnf_buffer_data(report) : "");
    cnnf_buffer_free(report);
    for (size_t i = 0; i < a->n_nodes && i < b->n_nodes; i++)
        if (strcmp(a->nodes[i]->name, b->nodes[i]->name) != 0) {
            fprintf(stderr, "node %zu is %s, then %s\n", i, a->nodes[i]->name, b->nodes[i]->name);
            break;
        }
}

/* ---- text = binary ---- */

static cnnf_buffer *written(const cnnf_graph *graph, bool text)
{
    cnnf_write_options *options = NULL;
    cnnf_buffer *out = NULL;
    if (cnnf_write_options_new(&options, graph->context, NULL)) return NULL;
    cnnf_write_options_set_text(options, text, NULL);
    cnnf_write_graphdef_buffer(&out, graph, options, NULL);
    cnnf_write_options_free(options);
    return out;
}

/* The graph read from `form` is the one that it was written from. A limit may stand between: text is longer. */
static void read_back(const cnnf_graph *graph, const cnnf_buffer *binary, const cnnf_buffer *form, const char *name)
{
    cnnf_graph *again = NULL;
    cnnf_error *error = cnnf_error_new();
    const cnnf_status status =
        cnnf_load_memory(&again, graph->context, cnnf_buffer_data(form), cnnf_buffer_size(form), name, NULL, error);
    if (status != CNNF_OK && status != CNNF_E_LIMIT && status != CNNF_E_NOMEM)
        found(cnnf_error_message(error), name, graph);
    cnnf_buffer *other = again ? written(again, false) : NULL;
    if (other && !same_bytes(other, binary)) found("reads back as another graph", name, graph);
    cnnf_buffer_free(other);
    cnnf_graph_unref(again);
    cnnf_error_free(error);
}

static void check_forms(const cnnf_graph *graph, bool exact)
{
    cnnf_buffer *binary = written(graph, false), *text = written(graph, true);
    /* Without a node a file is no GraphDef; with one node it may be taken for another message. */
    if (binary && graph->n_nodes > 1) read_back(graph, binary, binary, "fuzz.pb");
    if (binary && text && exact && graph->n_nodes > 1) read_back(graph, binary, text, "fuzz.pbtxt");
    cnnf_buffer_free(binary);
    cnnf_buffer_free(text);
}

/* ---- running ---- */

/* What is fed and fetched; the same for a graph and what passes make of it. */
typedef struct experiment {
    size_t n_feeds, n_outputs;
    const char *feed_names[MOST_FEEDS], *outputs[MOST_OUTPUTS];
    const cnnf_tensor *feeds[MOST_FEEDS];
    cnnf_tensor *results[MOST_OUTPUTS]; /* NULL where it could not be computed */
    char why[200];                      /* the last failure */
} experiment;

static cnnf_tensor *some_feed(const cnnf_graph *graph, const cnnf_node *node)
{
    int64_t dims[MOST_RANK] = {0}, count = 1;
    cnnf_tensor *tensor = NULL;
    const cnnf_dtype dtype = cnnf_node_attr_type(node, "dtype", CNNF_FLOAT);
    const int32_t rank = cnnf_node_attr_shape_rank(node, "shape");
    if (rank < 0 || rank > MOST_RANK) return NULL;
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = cnnf_node_attr_shape_dim(node, "shape", i);
        if (dims[i] < 0) dims[i] = 2;
        if (dims[i] > MOST_BYTES || (count *= dims[i] ? dims[i] : 1) > MOST_BYTES / 8) return NULL;
    }
    if (cnnf_tensor_new(&tensor, graph->context, dtype, rank, dims, NULL)) return NULL;
    if (dtype == CNNF_FLOAT && cnnf_tensor_data_mut(tensor))
        for (int64_t i = 0; i < cnnf_tensor_element_count(tensor); i++)
            ((float *)cnnf_tensor_data_mut(tensor))[i] = (float)(i % 7) * 0.25f - 0.5f;
    return tensor;
}

static bool is_read(const bool *read, const cnnf_graph *graph, size_t i)
{
    const cnnf_node *node = graph->nodes[i];
    return read[i] || cnnfi_node_output_count(node) < 1;
}

static void choose_ends(experiment *e, const cnnf_graph *graph)
{
    static bool read[4096];
    const size_t n = graph->n_nodes < COUNT(read) ? graph->n_nodes : COUNT(read);
    memset(e, 0, sizeof *e);
    memset(read, 0, sizeof read);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < graph->nodes[i]->n_inputs; k++) {
            const cnnfi_edge edge = graph->nodes[i]->edges[k];
            if (edge.node >= 0 && (size_t)edge.node < n && edge.port >= 0) read[edge.node] = true;
        }
    for (size_t i = 0; i < n; i++) {
        const cnnf_node *node = graph->nodes[i];
        if (strcmp(node->op, "Placeholder") == 0 && e->n_feeds < MOST_FEEDS &&
            (e->feeds[e->n_feeds] = some_feed(graph, node)))
            e->feed_names[e->n_feeds++] = node->name;
    }
    for (size_t i = n; i-- > 0 && e->n_outputs < MOST_OUTPUTS;)
        if (!is_read(read, graph, i)) e->outputs[e->n_outputs++] = graph->nodes[i]->name;
}

/* Each output on its own, so that one that cannot be computed does not hide the others. */
static void run(experiment *e, const cnnf_graph *graph)
{
    cnnf_evaluator *evaluator = NULL;
    cnnf_evaluator_options *options = NULL;
    const char *names[MOST_FEEDS];
    const cnnf_tensor *feeds[MOST_FEEDS];
    size_t n = 0;
    for (size_t i = 0; i < e->n_feeds; i++) {
        if (!cnnf_graph_find(graph, e->feed_names[i])) continue; /* a pass cut it off: nothing needs it */
        names[n] = e->feed_names[i];
        feeds[n++] = e->feeds[i];
    }
    if (cnnf_evaluator_options_new(&options, graph->context, NULL)) return;
    cnnf_evaluator_options_set_threads(options, 1, NULL);
    cnnf_evaluator_options_set_backend(options, "portable", NULL);
    cnnf_error *error = cnnf_error_new();
    cnnf_status status = cnnf_evaluator_new(&evaluator, graph, options, error);
    for (size_t i = 0; i < e->n_outputs; i++) {
        e->results[i] = NULL;
        if (evaluator)
            status = cnnf_evaluator_run(&e->results[i], evaluator, names, feeds, n, &e->outputs[i], 1, error);
        if (status == CNNF_E_INTERNAL) found("an internal error", e->outputs[i], graph);
        if (status) snprintf(e->why, sizeof e->why, "%s", cnnf_error_message(error));
    }
    cnnf_error_free(error);
    cnnf_evaluator_free(evaluator);
    cnnf_evaluator_options_free(options);
}

static void forget_results(experiment *e)
{
    for (size_t i = 0; i < e->n_outputs; i++) {
        cnnf_tensor_unref(e->results[i]);
        e->results[i] = NULL;
    }
}

static bool close_enough(const cnnf_tensor *a, const cnnf_tensor *b, double tolerance)
{
    double largest = 0;
    for (int64_t i = 0; i < cnnf_tensor_element_count(a); i++) {
        double x = 0, y = 0;
        if (cnnfi_tensor_get_f64(a, i, &x) && fabs(x) > largest && isfinite(x)) largest = fabs(x);
        (void)y;
    }
    for (int64_t i = 0; i < cnnf_tensor_element_count(a); i++) {
        double x = 0, y = 0;
        if (!cnnfi_tensor_get_f64(a, i, &x) || !cnnfi_tensor_get_f64(b, i, &y)) return true; /* not of real numbers */
        if (!isfinite(x) || !isfinite(y)) {
            if (isnan(x) != isnan(y) || (isinf(x) && x != y && tolerance == 0)) return false;
        } else if (fabs(x - y) > tolerance * (largest + 1)) {
            return false;
        }
    }
    return true;
}

/* `after` is what a pass made: what could be computed still can, and is the same. */
static void compare(const experiment *before, const experiment *after, const cnnf_graph *graph, const char *pass,
                    double tolerance)
{
    for (size_t i = 0; i < before->n_outputs; i++) {
        const cnnf_tensor *a = before->results[i], *b = after->results[i];
        char where[600];
        snprintf(where, sizeof where, "%s, output %s", pass, before->outputs[i]);
        if (!a) continue;
        if (!b) {
            fprintf(stderr, "%s\n", after->why);
            found("the output is computed no more", where, graph);
        }
        if (cnnf_tensor_dtype(a) != cnnf_tensor_dtype(b) || cnnf_tensor_rank(a) != cnnf_tensor_rank(b))
            found("another dtype or rank", where, graph);
        for (int32_t k = 0; k < cnnf_tensor_rank(a); k++)
            if (cnnf_tensor_dim(a, k) != cnnf_tensor_dim(b, k)) found("another shape", where, graph);
        if (tolerance >= 0 && !close_enough(a, b, tolerance)) found("other numbers", where, graph);
    }
}

/* ---- passes ---- */

/* Passes that keep what is computed, and how near: 0 the same numbers, -1 shapes alone (near numbers become others
   behind a Floor or an ArgMax). All others do what they are told. */
static const struct {
    const char *pass;
    double tolerance;
} keepers[] = {
    {"add_default_attributes", 0},
    {"backport_concatv2", 0},
    {"flatten_atrous_conv", -1},
    {"fold_batch_norms", -1},
    {"fold_constants", 0},
    {"fold_old_batch_norms", -1},
    {"freeze_variables", 0},
    {"fuse_pad_and_conv", -1},
    {"inline_functions", 0},
    {"inline_partitionedcall", 0},
    {"merge_duplicate_nodes", 0},
    {"prune", 0},
    {"remove_control_dependencies", 0},
    {"remove_device", 0},
    {"sort_by_execution_order", 0},
    {"strip_unused_nodes", 0},
    {"target_tf", -1},
};

static const char *const arguments[][2] = {
    {"insert_logging", "(op=Relu)"},
    {"remove_attribute", "(attribute_name=_output_shapes)"},
    {"remove_nodes", "(op=Identity, op=StopGradient)"},
    {"rename_attribute", "(old_attribute_name=T, new_attribute_name=U)"},
    {"rename_node", "(old_node_name=x, new_node_name=z)"},
    {"rename_op", "(old_op_name=Relu, new_op_name=Relu6)"},
    {"scale_dropout_weights", "(name=none)"},
    {"set_device", "(device=\"/cpu:0\")"},
    {"set_input_shape", "(batch=2)"},
    {"target_tf", "(version=1.4)"},
};

static const char *arguments_of(const char *pass)
{
    for (size_t i = 0; i < COUNT(arguments); i++)
        if (strcmp(arguments[i][0], pass) == 0) return arguments[i][1];
    return "";
}

static cnnf_status run_pass(cnnf_graph **out, const cnnf_graph *graph, const char *pass, const experiment *e)
{
    char text[160];
    cnnf_pipeline *pipeline = NULL;
    *out = NULL;
    snprintf(text, sizeof text, "%s%s", pass, arguments_of(pass));
    cnnf_status status = cnnf_pipeline_new(&pipeline, graph->context, NULL);
    if (status == CNNF_OK) status = cnnf_pipeline_add(pipeline, text, NULL);
    for (size_t i = 0; status == CNNF_OK && i < e->n_feeds; i++)
        status = cnnf_pipeline_add_input(pipeline, e->feed_names[i], NULL);
    for (size_t i = 0; status == CNNF_OK && i < e->n_outputs; i++)
        status = cnnf_pipeline_add_output(pipeline, e->outputs[i], NULL);
    if (status == CNNF_OK) status = cnnf_pipeline_run(out, pipeline, graph, NULL);
    cnnf_pipeline_free(pipeline);
    return status;
}

static void check_pass(const experiment *before, const cnnf_graph *graph, const char *pass, bool exact)
{
    cnnf_graph *once = NULL, *twice = NULL;
    const cnnf_status status = run_pass(&once, graph, pass, before);
    if (status == CNNF_E_INTERNAL || (status == CNNF_OK) != (once != NULL)) found("an internal error", pass, graph);
    /* It gives a name away, and does not find it again. */
    const bool again = once && strcmp(pass, "rename_node") != 0;
    if (again && run_pass(&twice, once, pass, before) == CNNF_OK) {
        bool same = true;
        if (cnnfi_graph_equal(&same, once, twice, NULL) == CNNF_OK && !same) {
            show_difference(once, twice);
            found("its second run changes something", pass, graph);
        }
    }
    for (size_t i = 0; once && exact && i < COUNT(keepers); i++) {
        if (strcmp(keepers[i].pass, pass) != 0) continue;
        experiment after = *before;
        run(&after, once);
        compare(before, &after, graph, pass, keepers[i].tolerance);
        forget_results(&after);
    }
    cnnf_graph_unref(once);
    cnnf_graph_unref(twice);
}

/* The first time reads of variables lose their control inputs, as in TensorFlow, and what only those needed is cut off
   the second time: from then on nothing changes. */
static void check_freeze(const experiment *e, const cnnf_graph *graph)
{
    cnnf_freeze_options *options = NULL;
    cnnf_graph *frozen[3] = {NULL};
    if (!e->n_outputs || cnnf_freeze_options_new(&options, graph->context, NULL)) return;
    for (size_t i = 0; i < e->n_outputs; i++)
        cnnf_freeze_options_add_output(options, e->outputs[i], NULL);
    for (size_t i = 0; i < 3 && (!i || frozen[i - 1]); i++) {
        const cnnf_status status = cnnf_freeze(&frozen[i], NULL, i ? frozen[i - 1] : graph, options, NULL);
        if (i && status != CNNF_OK && status != CNNF_E_NOMEM && status != CNNF_E_LIMIT)
            found("what was frozen does not freeze", "freeze", graph);
    }
    cnnf_buffer *a = frozen[2] ? written(frozen[1], false) : NULL, *b = frozen[2] ? written(frozen[2], false) : NULL;
    if (a && b && !same_bytes(a, b)) {
        show_difference(frozen[1], frozen[2]);
        found("freezing again changes something", "freeze", graph);
    }
    cnnf_buffer_free(a);
    cnnf_buffer_free(b);
    for (size_t i = 0; i < 3; i++)
        cnnf_graph_unref(frozen[i]);
    cnnf_freeze_options_free(options);
}

/* ---- words ---- */

static void check_words(const cnnf_graph *graph, uint32_t pick)
{
    cnnf_buffer *report = NULL;
    if (cnnf_graph_summary(&report, graph, (int32_t)(pick % 6), NULL) == CNNF_OK) cnnf_buffer_free(report);
    if (cnnf_graph_guess_outputs(&report, graph, NULL) == CNNF_OK) cnnf_buffer_free(report);
    const char *target = cnnf_check_target_name((int32_t)(pick % (uint32_t)cnnf_check_target_count()));
    if (cnnf_check_graph(&report, NULL, graph, target, CNNF_REPORT_TEXT, NULL) == CNNF_OK) cnnf_buffer_free(report);
}

/* The quantizer's stages end, whatever the graph; nothing is fed. */
static void check_quantizer(const cnnf_graph *graph, uint32_t pick)
{
    cnnf_quantizer *quantizer = NULL;
    cnnf_quantizer_options *options = NULL;
    if (cnnf_quantizer_options_new(&options, graph->context, NULL)) return;
    cnnf_quantizer_options_set(options, "as_vai_q", pick & 1, NULL);
    cnnf_quantizer_options_set(options, "do_cle", pick >> 1 & 1, NULL);
    cnnf_quantizer_new(&quantizer, graph, options, NULL);
    cnnf_quantizer_free(quantizer);
    cnnf_quantizer_options_free(options);
}

/* The exports end, whatever the graph, and give the same bytes twice. */
static void check_exports(const experiment *e, const cnnf_graph *graph)
{
    cnnf_buffer *models[4] = {NULL};
    cnnf_onnx_options *onnx = NULL;
    cnnf_tflite_options *tflite = NULL;
    cnnf_onnx_options_new(&onnx, graph->context, NULL);
    cnnf_tflite_options_new(&tflite, graph->context, NULL);
    for (size_t i = 0; onnx && tflite && i < e->n_outputs; i++) {
        cnnf_onnx_options_add_output(onnx, e->outputs[i], NULL);
        cnnf_tflite_options_add_output(tflite, e->outputs[i], NULL);
    }
    for (size_t i = 0; onnx && tflite && i < 2; i++) {
        cnnf_write_onnx_buffer(&models[i], graph, onnx, NULL);
        cnnf_write_tflite_buffer(&models[2 + i], graph, tflite, NULL);
    }
    for (size_t i = 0; i < 4; i += 2)
        if (models[i] && models[i + 1] && !same_bytes(models[i], models[i + 1]))
            found("a second export is other bytes", i == 0 ? "onnx" : "tflite", graph);
    for (size_t i = 0; i < 4; i++)
        cnnf_buffer_free(models[i]);
    cnnf_onnx_options_free(onnx);
    cnnf_tflite_options_free(tflite);
}

void check_graph(const cnnf_graph *graph, uint32_t pick, bool exact)
{
    static experiment before; /* a leak checker finds what it holds when an oracle dies */
    const uint32_t passes = (uint32_t)cnnf_pass_count();
    choose_ends(&before, graph);
    run(&before, graph);
    check_forms(graph, exact);
    check_pass(&before, graph, cnnf_pass_name((int32_t)(pick % passes)), exact);
    check_pass(&before, graph, cnnf_pass_name((int32_t)(pick / passes % passes)), exact);
    check_freeze(&before, graph);
    check_words(graph, pick);
    check_quantizer(graph, pick);
    check_exports(&before, graph);
    forget_results(&before);
    for (size_t i = 0; i < before.n_feeds; i++)
        cnnf_tensor_unref((cnnf_tensor *)(uintptr_t)before.feeds[i]);
}
