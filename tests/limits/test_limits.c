/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each limit at L-1, L and L+1: a graph that declares n things loads when n <= L and is CNNF_E_LIMIT, with the limit's
 * name in the message, when n = L + 1. Text and binary form; the binary form is made from the text.
 */
#include <stdio.h>
#include <string.h>

#include "support.h"
#include "graph/builder.h"
#include "loader/load_options.h"

#define TEXT_MAX 200000

typedef struct probe {
    int32_t limit;
    int n;                            /* L */
    void (*write)(char *text, int n); /* a GraphDef in text form with n of the limited things */
} probe;

static void put(char *text, const char *piece)
{
    strcat(text + strlen(text), piece);
}

static void many_nodes(char *text, int n)
{
    char node[64];
    for (int i = 0; i < n; i++) {
        snprintf(node, sizeof node, "node { name: \"n%d\" op: \"NoOp\" }\n", i);
        put(text, node);
    }
}

static void many_inputs(char *text, int n)
{
    put(text, "node { name: \"x\" op: \"NoOp\" } node { name: \"y\" op: \"Pack\"");
    for (int i = 0; i < n; i++)
        put(text, " input: \"x\"");
    put(text, "}");
}

static void many_attrs(char *text, int n)
{
    char attr[64];
    put(text, "node { name: \"x\" op: \"NoOp\"");
    for (int i = 0; i < n; i++) {
        snprintf(attr, sizeof attr, " attr { key: \"a%d\" value { i: 1 } }", i);
        put(text, attr);
    }
    put(text, "}");
}

static void repeat(char *text, char c, int n)
{
    const size_t at = strlen(text);
    memset(text + at, c, (size_t)n);
    text[at + (size_t)n] = '\0';
}

static void long_attr(char *text, int n)
{
    put(text, "node { name: \"x\" op: \"NoOp\" attr { key: \"s\" value { s: \"");
    repeat(text, 'v', n);
    put(text, "\" } } }");
}

static void long_name(char *text, int n)
{
    put(text, "node { name: \"");
    repeat(text, 'n', n);
    put(text, "\" op: \"NoOp\" }");
}

static void long_op(char *text, int n)
{
    put(text, "node { name: \"x\" op: \"");
    repeat(text, 'n', n);
    put(text, "\" }");
}

static void long_device(char *text, int n)
{
    put(text, "node { name: \"x\" op: \"NoOp\" device: \"");
    repeat(text, 'n', n);
    put(text, "\" }");
}

static void long_key(char *text, int n)
{
    put(text, "node { name: \"x\" op: \"NoOp\" attr { key: \"");
    repeat(text, 'n', n);
    put(text, "\" value { i: 1 } } }");
}

static void long_function(char *text, int n)
{
    put(text, "node { name: \"x\" op: \"NoOp\" attr { key: \"f\" value { func { name: \"");
    repeat(text, 'n', n);
    put(text, "\" } } } }");
}

static void long_library(char *text, int n)
{
    put(text, "node { name: \"x\" op: \"NoOp\" } library { function { signature { name: \"");
    repeat(text, 'n', n);
    put(text, "\" } } }");
}

/* The name is what is limited, not the sign of a control input. */
static void long_input(char *text, int n)
{
    put(text, "node { name: \"");
    repeat(text, 'n', n);
    put(text, "\" op: \"NoOp\" } node { name: \"x\" op: \"NoOp\" input: \"^");
    repeat(text, 'n', n);
    put(text, "\" }");
}

static void high_rank(char *text, int n)
{
    put(text, "node { name: \"x\" op: \"Const\" attr { key: \"value\" value { tensor { dtype: DT_FLOAT tensor_shape {");
    for (int i = 0; i < n; i++)
        put(text, " dim { size: 1 }");
    put(text, " } float_val: 1 } } } }");
}

static const probe probes[] = {
    {CNNF_LIMIT_NODES, 20, many_nodes},         {CNNF_LIMIT_NODE_INPUTS, 30, many_inputs},
    {CNNF_LIMIT_ATTRS, 16, many_attrs},         {CNNF_LIMIT_ATTR_BYTES, 3000, long_attr},
    {CNNF_LIMIT_NAME_BYTES, 100, long_name},    {CNNF_LIMIT_RANK, 5, high_rank},
    {CNNF_LIMIT_NAME_BYTES, 100, long_op},      {CNNF_LIMIT_NAME_BYTES, 100, long_device},
    {CNNF_LIMIT_NAME_BYTES, 100, long_key},     {CNNF_LIMIT_NAME_BYTES, 100, long_function},
    {CNNF_LIMIT_NAME_BYTES, 100, long_library}, {CNNF_LIMIT_NAME_BYTES, 100, long_input},
};

static cnnf_context *limited_context(int32_t limit, uint64_t value)
{
    cnnf_context_options *options = NULL;
    cnnf_context *context = NULL;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    if (value) ck_assert_int_eq(cnnf_context_options_set_limit(options, limit, value, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_new(&context, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    return context;
}

static cnnf_buffer *to_binary(cnnf_context *context, const char *text)
{
    cnnf_graph *graph = NULL;
    cnnf_buffer *binary = NULL;
    cnnf_error *error = cnnf_error_new();
    const cnnf_status status = cnnf_load_memory(&graph, context, text, strlen(text), "probe.pbtxt", NULL, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    ck_assert_int_eq(cnnf_write_graphdef_buffer(&binary, graph, NULL, NULL), CNNF_OK);
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    return binary;
}

static void expect(const probe *p, const void *data, size_t size, const char *name, int n)
{
    cnnf_context *context = limited_context(p->limit, (uint64_t)p->n);
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = NULL;
    const cnnf_status status = cnnf_load_memory(&graph, context, data, size, name, NULL, error);
    if (n <= p->n) {
        ck_assert_msg(status == CNNF_OK, "%s at %d of %d: %s", cnnf_limit_name(p->limit), n, p->n,
                      cnnf_error_message(error));
    } else {
        ck_assert_msg(status == CNNF_E_LIMIT, "%s at %d of %d: status %d", cnnf_limit_name(p->limit), n, p->n, status);
        ck_assert_msg(strstr(cnnf_error_message(error), cnnf_limit_name(p->limit)) != NULL, "%s",
                      cnnf_error_message(error));
        ck_assert_ptr_null(graph);
    }
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}

START_TEST(graph_limits)
{
    const probe *p = &probes[_i];
    static char text[TEXT_MAX];
    cnnf_context *context = limited_context(0, 0);
    for (int n = p->n - 1; n <= p->n + 1; n++) {
        text[0] = '\0';
        p->write(text, n);
        expect(p, text, strlen(text), "probe.pbtxt", n);
        cnnf_buffer *binary = to_binary(context, text);
        expect(p, cnnf_buffer_data(binary), cnnf_buffer_size(binary), "probe.pb", n);
        cnnf_buffer_free(binary);
    }
    test_context_done(context);
}
END_TEST

/* Const whose attribute is a function with an attribute that is a function ... `levels` deep. */
static void nested(char *text, int levels)
{
    put(text, "node { name: \"x\" op: \"NoOp\" attr { key: \"f\" value {");
    for (int i = 0; i < levels; i++)
        put(text, " func { name: \"f\" attr { key: \"f\" value {");
    for (int i = 0; i < levels; i++)
        put(text, " } } }");
    put(text, " } } }");
}

START_TEST(depth_is_limited)
{
    static char text[TEXT_MAX];
    static const int levels[] = {4, 15, 100, 2000};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        cnnf_context *context = limited_context(CNNF_LIMIT_DEPTH, 64);
        cnnf_error *error = cnnf_error_new();
        cnnf_graph *graph = NULL;
        text[0] = '\0';
        nested(text, levels[i]);
        const cnnf_status status = cnnf_load_memory(&graph, context, text, strlen(text), "deep.pbtxt", NULL, error);
        ck_assert_msg(status == (levels[i] < 20 ? CNNF_OK : CNNF_E_LIMIT), "%d levels: %s", levels[i],
                      cnnf_error_message(error));
        cnnf_graph_unref(graph);
        cnnf_error_free(error);
        test_context_done(context);
    }
}
END_TEST

START_TEST(tensor_limits)
{
    static const int32_t limits[] = {CNNF_LIMIT_TENSOR_ELEMENTS, CNNF_LIMIT_TENSOR_BYTES};
    for (int64_t n = 99; n <= 101; n++) {
        cnnf_context *context = limited_context(limits[_i], _i ? 400 : 100);
        cnnf_tensor *tensor = NULL;
        const cnnf_status status = cnnf_tensor_new(&tensor, context, CNNF_FLOAT, 1, &n, NULL);
        ck_assert_int_eq(status, n <= 100 ? CNNF_OK : CNNF_E_LIMIT);
        cnnf_tensor_unref(tensor);
        test_context_done(context);
    }
}
END_TEST

START_TEST(file_size_limit)
{
    const char text[] = "node { name: \"x\" op: \"NoOp\" }";
    for (int more = -1; more <= 1; more++) {
        cnnf_context *context = limited_context(CNNF_LIMIT_FILE_BYTES, strlen(text) - (uint64_t)more);
        cnnf_graph *graph = NULL;
        const cnnf_status status = cnnf_load_memory(&graph, context, text, strlen(text), "x.pbtxt", NULL, NULL);
        ck_assert_int_eq(status, more <= 0 ? CNNF_OK : CNNF_E_LIMIT);
        cnnf_graph_unref(graph);
        test_context_done(context);
    }
}
END_TEST

START_TEST(line_limit)
{
    const int64_t dims[] = {2, 2, 1};
    for (uint64_t limit = 16; limit <= 18; limit++) { /* the longest line of data.csv, its header, has 17 bytes */
        cnnf_context *context = limited_context(CNNF_LIMIT_LINE_BYTES, limit);
        cnnf_dataset_options *options = NULL;
        cnnf_dataset *data = NULL;
        cnnf_tensor *images = NULL, *labels = NULL;
        ck_assert_int_eq(cnnf_dataset_options_new(&options, context, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 3, dims, NULL), CNNF_OK);
        cnnf_status status = cnnf_dataset_open(&data, context, GOLDEN("oom/data.csv"), options, NULL);
        if (!status) status = cnnf_dataset_next(&images, &labels, data, 2, NULL);
        ck_assert_int_eq(status, limit >= 17 ? CNNF_OK : CNNF_E_LIMIT);
        cnnf_tensor_unref(images);
        cnnf_tensor_unref(labels);
        cnnf_dataset_free(data);
        cnnf_dataset_options_free(options);
        test_context_done(context);
    }
}
END_TEST

/* ---- steps of work ---- */

static cnnf_status run_passes(const char *passes, uint64_t steps, cnnf_error *error)
{
    cnnf_graph *graph = NULL, *out = NULL;
    cnnf_pipeline *pipeline = NULL;
    cnnf_context *context = limited_context(CNNF_LIMIT_STEPS, steps);
    ck_assert_int_eq(cnnf_load_file(&graph, context, GOLDEN("loops/invariant_weights.called.pb"), NULL, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, passes, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add_output(pipeline, "out_0", NULL), CNNF_OK);
    const cnnf_status status = cnnf_pipeline_run(&out, pipeline, graph, error);
    ck_assert((out != NULL) == (status == CNNF_OK));
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    cnnf_pipeline_free(pipeline);
    test_context_done(context);
    return status;
}

/* The least number that a pipeline can do with, one less and one more; a pass that ignores errors ignores no limit. */
START_TEST(steps_of_passes)
{
    static const char *const passes[] = {"fold_constants", "inline_functions", "merge_duplicate_nodes",
                                         "prune inline_functions fold_constants", "fold_constants(ignore_errors=true)"};
    cnnf_error *error = cnnf_error_new();
    uint64_t low = 1, high = 100000;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        const cnnf_status status = run_passes(passes[_i], middle, error);
        *(status ? &low : &high) = status ? middle + 1 : middle;
    }
    ck_assert_uint_gt(low, 1);
    ck_assert_uint_lt(low, 10000);
    ck_assert_int_eq(run_passes(passes[_i], low - 1, error), CNNF_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), cnnf_limit_name(CNNF_LIMIT_STEPS)));
    ck_assert_int_eq(run_passes(passes[_i], low, error), CNNF_OK);
    ck_assert_int_eq(run_passes(passes[_i], low + 1, error), CNNF_OK);
    cnnf_error_free(error);
}
END_TEST

/* A pass that takes long asks whether to go on: 20,000 nodes are more than the steps between two questions. */
static int32_t stop_inside(uint64_t done, uint64_t total, void *user)
{
    int *calls = user;
    ck_assert_uint_eq(total, 1);
    ck_assert_uint_eq(done, 0);
    return ++*calls > 1;
}

START_TEST(a_pass_is_cancelled_inside)
{
    int calls = 0;
    static char text[60 * 20000];
    cnnf_graph *graph = NULL, *out = NULL;
    cnnf_pipeline *pipeline = NULL;
    cnnf_context *context = limited_context(0, 0);
    text[0] = '\0';
    for (int i = 0, at = 0; i < 20000; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "node { name: 'n%d' op: 'NoOp' }\n", i);
    ck_assert_int_eq(cnnf_load_memory(&graph, context, text, strlen(text), "many.pbtxt", NULL, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, "merge_duplicate_nodes", NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_set_progress(pipeline, stop_inside, &calls, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_run(&out, pipeline, graph, NULL), CNNF_E_CANCELLED);
    ck_assert_int_eq(calls, 2);
    ck_assert_ptr_null(out);
    cnnf_graph_unref(graph);
    cnnf_pipeline_free(pipeline);
    test_context_done(context);
}
END_TEST

/* ---- steps of reading and writing ---- */

/* Every kind of file; one whose loader counted nothing would do with one step. */
static const struct load_probe {
    const char *path;
    uint64_t least; /* at least so many: nodes, chunks, values or entries that it has */
} load_probes[] = {
    {GOLDEN("oom/graph.pb"), 100}, {GOLDEN("oom/graph.pbtxt"), 100},     {GOLDEN("oom/graph.meta"), 100},
    {GOLDEN("oom/model.h5"), 200}, {GOLDEN("oom/model.ckpt.meta"), 100}, {GOLDEN("numbers/m3_F_feat/model.keras"), 100},
};

/* The floor of a file's steps is taken away, so that small files can be tried. */
static cnnf_status load_with(const char *path, uint64_t steps, cnnf_error *error)
{
    cnnfi_load_call call;
    cnnf_graph *graph = NULL;
    cnnf_context *context = limited_context(CNNF_LIMIT_STEPS, steps);
    cnnfi_load_begin(&call, context, NULL);
    call.budget.least = 0;
    const cnnf_status status = cnnf_load_file(&graph, context, path, &call.options, error);
    ck_assert((graph != NULL) == (status == CNNF_OK));
    cnnf_graph_unref(graph);
    test_context_done(context);
    return status;
}

static cnnf_status bind_with(uint64_t steps, cnnf_error *error)
{
    cnnfi_load_call call;
    cnnf_graph *graph = NULL, *bound = NULL;
    cnnf_context *context = limited_context(CNNF_LIMIT_STEPS, steps);
    ck_assert_int_eq(cnnf_load_file(&graph, context, GOLDEN("oom/model.ckpt.meta"), NULL, NULL), CNNF_OK);
    cnnfi_load_begin(&call, context, NULL);
    call.budget.least = 0;
    const cnnf_status status = cnnf_bind_checkpoint(&bound, graph, GOLDEN("oom/model.ckpt"), &call.options, error);
    cnnf_graph_unref(bound);
    cnnf_graph_unref(graph);
    test_context_done(context);
    return status;
}

static void check_least(uint64_t low, cnnf_status below, cnnf_status at, uint64_t expected, const cnnf_error *error)
{
    ck_assert_uint_ge(low, expected);
    ck_assert_int_eq(below, CNNF_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), cnnf_limit_name(CNNF_LIMIT_STEPS)));
    ck_assert_int_eq(at, CNNF_OK);
}

START_TEST(steps_of_loads)
{
    const struct load_probe *p = &load_probes[_i];
    cnnf_error *error = cnnf_error_new();
    uint64_t low = 1, high = 1000000;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        const cnnf_status status = load_with(p->path, middle, NULL);
        *(status ? &low : &high) = status ? middle + 1 : middle;
    }
    const cnnf_status at = load_with(p->path, low, NULL);
    check_least(low, load_with(p->path, low - 1, error), at, p->least, error);
    cnnf_error_free(error);
}
END_TEST

START_TEST(steps_of_a_checkpoint)
{
    cnnf_error *error = cnnf_error_new();
    uint64_t low = 1, high = 100000;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        const cnnf_status status = bind_with(middle, NULL);
        *(status ? &low : &high) = status ? middle + 1 : middle;
    }
    const cnnf_status at = bind_with(low, NULL);
    check_least(low, bind_with(low - 1, error), at, 20, error);
    cnnf_error_free(error);
}
END_TEST

/* A load of one long node asks whether to go on before the node is there. */
static int32_t stop_at_once(uint64_t done, uint64_t total, void *user)
{
    ck_assert_uint_eq(done, 0);
    ck_assert_uint_eq(total, 0);
    ++*(int *)user;
    return 1;
}

START_TEST(a_load_is_cancelled_inside)
{
    enum { VALUES = 90000 };
    static const char head[] = "node { name: 'c' op: 'Const' attr { key: 'value' value { tensor { dtype: DT_FLOAT ",
                      value[] = "float_val: 1.5\n", tail[] = "} } } }";
    char *text = malloc(sizeof head + VALUES * sizeof value + sizeof tail);
    cnnf_context *context = limited_context(0, 0);
    cnnf_load_options *options = NULL;
    cnnf_graph *graph = NULL;
    int calls = 0;
    ck_assert_ptr_nonnull(text);
    size_t at = (size_t)sprintf(text, "%s", head);
    for (int i = 0; i < VALUES; i++, at += sizeof value - 1)
        memcpy(text + at, value, sizeof value);
    strcpy(text + at, tail);
    ck_assert_int_eq(cnnf_load_options_new(&options, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_load_options_set_progress(options, stop_at_once, &calls, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_load_memory(&graph, context, text, strlen(text), "long.pbtxt", options, NULL),
                     CNNF_E_CANCELLED);
    ck_assert_int_eq(calls, 1);
    cnnf_load_options_free(options);
    free(text);
    test_context_done(context);
}
END_TEST

/* 100,000 nodes that nobody loaded: what they need is the writer's. */
START_TEST(steps_of_writes)
{
    enum { NODES = 100000 };
    for (int turn = 0; turn < 4; turn++) {
        const bool text = turn % 2, enough = turn >= 2;
        cnnf_context *context = limited_context(CNNF_LIMIT_STEPS, enough ? 2 * NODES : NODES - 1);
        cnnf_error *error = cnnf_error_new();
        cnnf_write_options *options = NULL;
        cnnfi_builder *b = NULL;
        cnnf_graph *graph = NULL;
        cnnf_buffer *out = NULL;
        char name[16];
        ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
        for (int i = 0; i < NODES; i++) {
            snprintf(name, sizeof name, "n%d", i);
            cnnfi_builder_add(b, "NoOp", name);
        }
        ck_assert_int_eq(cnnfi_builder_publish(&graph, b, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_write_options_new(&options, context, NULL), CNNF_OK);
        cnnf_write_options_set_text(options, text, NULL);
        const cnnf_status status = cnnf_write_graphdef_buffer(&out, graph, options, error);
        ck_assert_int_eq(status, enough ? CNNF_OK : CNNF_E_LIMIT);
        if (status) ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), cnnf_limit_name(CNNF_LIMIT_STEPS)));
        cnnf_buffer_free(out);
        cnnf_write_options_free(options);
        cnnf_graph_unref(graph);
        cnnf_error_free(error);
        test_context_done(context);
    }
}
END_TEST

/* The 50 MB name that once was read in text. */
START_TEST(huge_name)
{
    const size_t size = 50000000;
    char *text = malloc(size + 64);
    cnnf_context *context = limited_context(0, 0);
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = NULL;
    ck_assert_ptr_nonnull(text);
    strcpy(text, "node { name: \"x\" op: \"");
    memset(text + strlen(text), 'A', size);
    strcpy(text + strlen("node { name: \"x\" op: \"") + size, "\" }\n");
    ck_assert_int_eq(cnnf_load_memory(&graph, context, text, strlen(text), "huge.pbtxt", NULL, error), CNNF_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "max_name_bytes"));
    free(text);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

/* Files of other formats: opens one under a limit; CNNF_OK, or the limit's failure. */

static cnnf_status open_checkpoint(cnnf_context *context, cnnf_error *error)
{
    cnnf_checkpoint *checkpoint = NULL;
    const cnnf_status status = cnnf_checkpoint_open(&checkpoint, context, GOLDEN("checkpoint/parts"), error);
    cnnf_checkpoint_unref(checkpoint);
    return status;
}

static cnnf_status open_v1(cnnf_context *context, cnnf_error *error)
{
    cnnf_checkpoint *checkpoint = NULL;
    const cnnf_status status = cnnf_checkpoint_open(&checkpoint, context, GOLDEN("checkpoint/v1/model.ckpt"), error);
    cnnf_checkpoint_unref(checkpoint);
    return status;
}

static cnnf_status read_images(cnnf_context *context, cnnf_error *error)
{
    cnnf_dataset *data = NULL;
    cnnf_tensor *images = NULL, *labels = NULL;
    cnnf_status status = cnnf_dataset_open(&data, context, GOLDEN("dataset/images"), NULL, error);
    if (!status) status = cnnf_dataset_next(&images, &labels, data, 6, error);
    cnnf_tensor_unref(images);
    cnnf_tensor_unref(labels);
    cnnf_dataset_free(data);
    return status;
}

static cnnf_status load_h5(cnnf_context *context, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    const cnnf_status status = cnnf_load_file(&graph, context, GOLDEN("oom/model.h5"), NULL, error);
    cnnf_graph_unref(graph);
    return status;
}

static cnnf_status load_zip(cnnf_context *context, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    const cnnf_status status = cnnf_load_file(&graph, context, GOLDEN("numbers/n7_one/model.keras"), NULL, error);
    cnnf_graph_unref(graph);
    return status;
}

/* What each file has of the limited thing was counted by other means (make.py, Python's zipfile, h5py). */
static const struct file_probe {
    int32_t limit;
    uint64_t least; /* with which it opens; with one less it does not */
    cnnf_status (*open)(cnnf_context *context, cnnf_error *error);
} file_probes[] = {
    {CNNF_LIMIT_SHARDS, 3, open_checkpoint},  /* the pieces of `across` */
    {CNNF_LIMIT_ENTRIES, 7, open_checkpoint}, /* two tensors and their pieces */
    {CNNF_LIMIT_ENTRIES, 4, open_v1},         /* tensors */
    {CNNF_LIMIT_NAME_BYTES, 12, open_v1},     /* scope/kernel */
    {CNNF_LIMIT_ENTRIES, 6, read_images},     /* pictures */
    {CNNF_LIMIT_PIXELS, 1073, read_images},   /* 29 x 37 */
    {CNNF_LIMIT_ENTRIES, 6, load_h5},         /* names of weights in one attribute */
    {CNNF_LIMIT_ATTR_BYTES, 2614, load_h5},   /* model_config */
    {CNNF_LIMIT_ATTR_BYTES, 2426, load_zip},  /* config.json */
};

/* Memory has no number that a file declares: what a load takes at most is enough, one byte less is not. */
START_TEST(memory_limit)
{
    cnnf_status (*const open[])(cnnf_context *, cnnf_error *) = {open_checkpoint, open_v1, read_images, load_h5,
                                                                 load_zip};
    cnnf_context *context = limited_context(0, 0);
    ck_assert_int_eq(open[_i](context, NULL), CNNF_OK);
    const uint64_t peak = cnnf_context_memory(context, 1);
    test_context_done(context);
    for (uint64_t limit = peak - 1; limit <= peak; limit++) {
        context = limited_context(CNNF_LIMIT_MEMORY, limit);
        ck_assert_int_eq(open[_i](context, NULL), limit < peak ? CNNF_E_NOMEM : CNNF_OK);
        ck_assert_uint_le(cnnf_context_memory(context, 1), limit);
        test_context_done(context);
    }
}
END_TEST

START_TEST(file_limits)
{
    const struct file_probe *p = &file_probes[_i];
    for (uint64_t limit = p->least - 1; limit <= p->least + 1; limit++) {
        cnnf_context *context = limited_context(p->limit, limit);
        cnnf_error *error = cnnf_error_new();
        const cnnf_status status = p->open(context, error);
        ck_assert_msg(status == (limit < p->least ? CNNF_E_LIMIT : CNNF_OK), "%s %d: status %d: %s",
                      cnnf_limit_name(p->limit), (int)limit, status, cnnf_error_message(error));
        if (status) ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), cnnf_limit_name(p->limit)));
        cnnf_error_free(error);
        test_context_done(context);
    }
}
END_TEST

static Suite *limits_suite(void)
{
    Suite *suite = suite_create("limits");
    TCase *tests = tcase_create("limits");
    tcase_add_loop_test(tests, graph_limits, 0, (int)(sizeof probes / sizeof *probes));
    tcase_add_test(tests, depth_is_limited);
    tcase_add_loop_test(tests, tensor_limits, 0, 2);
    tcase_add_test(tests, file_size_limit);
    tcase_add_test(tests, line_limit);
    tcase_add_loop_test(tests, steps_of_passes, 0, 5);
    tcase_add_test(tests, a_pass_is_cancelled_inside);
    tcase_add_loop_test(tests, steps_of_loads, 0, (int)(sizeof load_probes / sizeof *load_probes));
    tcase_add_test(tests, steps_of_a_checkpoint);
    tcase_add_test(tests, a_load_is_cancelled_inside);
    tcase_add_test(tests, steps_of_writes);
    tcase_add_test(tests, huge_name);
    tcase_add_loop_test(tests, memory_limit, 0, 5);
    tcase_add_loop_test(tests, file_limits, 0, (int)(sizeof file_probes / sizeof *file_probes));
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(limits_suite)
