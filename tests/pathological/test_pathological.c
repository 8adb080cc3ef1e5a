/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graphs that cost little to write and would cost a careless pass a day: values that are read twice at each step (2^200
 * paths from end to end), nodes of tens of thousands of inputs, long chains, functions that call functions twice. Every
 * pass, freezing, output guessing and one evaluation go through each of them within a bound that is generous for what
 * is linear and that nothing quadratic or exponential meets.
 */
#include "graph/tensor.h"
#include "passes_support.h"

#define DEEP  200
#define LONG  20000
#define BOUND 60 /* seconds for all passes on one graph; most take one */

/* ---- passes ---- */

static const char *arguments_of(const char *pass)
{
    static const char *const arguments[][2] = {
        {"insert_logging", "(op=Relu)"},
        {"remove_attribute", "(attribute_name=_output_shapes)"},
        {"remove_nodes", "(op=StopGradient, op=Identity)"},
        {"rename_attribute", "(old_attribute_name=seed2, new_attribute_name=seed3)"},
        {"rename_node", "(old_node_name=x, new_node_name=z)"},
        {"rename_op", "(old_op_name=Relu, new_op_name=Relu6)"},
        {"scale_dropout_weights", "(name=none)"},
        {"set_device", "(device=\"/cpu:0\")"},
        {"set_input_shape", "(batch=4)"},
        {"target_tf", "(version=1.15)"},
    };
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        if (strcmp(arguments[i][0], pass) == 0) return arguments[i][1];
    }
    return "";
}

static void run_all(const cnnf_graph *graph)
{
    char text[256];
    for (int32_t i = 0; i < cnnf_pass_count(); i++) {
        const char *pass = cnnf_pass_name(i);
        snprintf(text, sizeof text, "%s%s", pass, arguments_of(pass));
        cnnf_graph *out = NULL;
        cnnf_error error = {.offset = -1};
        const cnnf_status status = run_passes(&out, graph, text, "x", "out", &error);
        /* Nothing was asked of the graph that cannot be done, except by limits. */
        ck_assert_msg(status == CNNF_OK || status == CNNF_E_LIMIT, "%s: %s", pass, error.message);
        ck_assert((out != NULL) == (status == CNNF_OK));
        cnnf_graph_unref(out);
    }
}

static void freeze_and_guess(const cnnf_graph *graph)
{
    cnnf_freeze_options *options = NULL;
    cnnf_buffer *names = NULL;
    cnnf_graph *frozen = NULL;
    ck_assert_int_eq(cnnf_freeze_options_new(&options, graph->context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_freeze_options_add_output(options, "out", NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_freeze(&frozen, NULL, graph, options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_graph_guess_outputs(&names, graph, NULL), CNNF_OK);
    cnnf_buffer_free(names);
    cnnf_graph_unref(frozen);
    cnnf_freeze_options_free(options);
}

/* ---- graphs: from "x" to "out" ---- */

static cnnfi_builder *begin(cnnf_context *context)
{
    cnnfi_builder *b = NULL;
    const int64_t dims[] = {-1, 4};
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnf_node *x = cnnfi_builder_add(b, "Placeholder", "x");
    cnnfi_node_set_type(b, x, "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, x, "shape", 2, dims);
    cnnfi_builder_set_versions(b, 134, 0);
    return b;
}

static cnnf_node *add(cnnfi_builder *b, const char *op, const char *name, const char *first, const char *second)
{
    cnnf_node *node = cnnfi_builder_add(b, op, name);
    cnnfi_node_add_input(b, node, first);
    if (second) cnnfi_node_add_input(b, node, second);
    if (strncmp(op, "Logical", 7) != 0) cnnfi_node_set_type(b, node, "T", CNNF_FLOAT);
    return node;
}

/* `count` nodes, each reading the one before twice; gives the last one's name. */
static const char *double_up(cnnfi_builder *b, const char *op, const char *from, int count)
{
    for (int i = 0; i < count; i++) {
        const char *name = cnnfi_builder_printf(b, "%s%d", op, i);
        add(b, op, name, from, from);
        from = name;
    }
    return from;
}

static cnnf_graph *doubled(cnnf_context *context, const char *op)
{
    cnnfi_builder *b = begin(context);
    add(b, "Identity", "out", double_up(b, op, "x", DEEP), NULL);
    return publish(b);
}

/* What a look for the mask of dropout, a batch norm's constants and a branch's condition walk up. */
static cnnf_graph *before_random(cnnf_context *context)
{
    cnnfi_builder *b = begin(context);
    const int32_t four = 4;
    cnnfi_builder_const_i32(b, "shape", 1, &four, 1);
    cnnf_node *random = cnnfi_builder_add(b, "RandomUniform", "random");
    cnnfi_node_add_input(b, random, "shape");
    cnnfi_node_set_type(b, random, "dtype", CNNF_FLOAT);
    cnnfi_node_set_type(b, random, "T", CNNF_INT32);
    add(b, "Mul", "out", double_up(b, "Mul", "x", DEEP), "random");
    return publish(b);
}

static cnnf_graph *before_bias(cnnf_context *context)
{
    cnnfi_builder *b = begin(context);
    const float values[] = {1, 2, 3, 4};
    cnnfi_builder_const_f32(b, "bias", 1, values, 4);
    add(b, "Mul", "scaled", double_up(b, "Add", "x", DEEP), "bias");
    add(b, "Add", "out", "scaled", "bias");
    return publish(b);
}

static cnnf_graph *before_condition(cnnf_context *context)
{
    cnnfi_builder *b = begin(context);
    const uint8_t value = 1;
    cnnf_tensor *yes = NULL;
    ck_assert_int_eq(cnnfi_tensor_copy(&yes, context, CNNF_BOOL, 0, NULL, &value, NULL), CNNF_OK);
    cnnfi_builder_const(b, "yes", yes);
    cnnf_tensor_unref(yes);
    add(b, "Switch", "switch", "x", double_up(b, "LogicalAnd", "yes", DEEP));
    add(b, "Identity", "out", "switch:1", NULL);
    return publish(b);
}

static cnnf_graph *wide(cnnf_context *context)
{
    cnnfi_builder *b = begin(context);
    const float values[] = {1, 2, 3, 4};
    cnnfi_builder_const_f32(b, "c", 1, values, 4);
    cnnf_node *sum = cnnfi_builder_add(b, "AddN", "sum");
    for (int i = 0; i < LONG; i++) {
        const char *name = cnnfi_builder_printf(b, "add%d", i);
        add(b, "Add", name, "x", "c");
        cnnfi_node_add_input(b, sum, name);
    }
    cnnfi_node_set_type(b, sum, "T", CNNF_FLOAT);
    cnnfi_node_set_int(b, sum, "N", LONG);
    add(b, "Identity", "out", "sum", NULL);
    return publish(b);
}

/* Names that differ at their ends alone, every node waiting for the first. */
static cnnf_graph *chained(cnnf_context *context)
{
    cnnfi_builder *b = begin(context);
    const char *last = "x";
    for (int i = 0; i < LONG; i++) {
        const char *name = cnnfi_builder_printf(b, "%0100d/relu", i);
        cnnfi_node_add_input(b, add(b, "Relu", name, last, NULL), "^x");
        last = name;
    }
    add(b, "Identity", "out", last, NULL);
    return publish(b);
}

/* ---- tests ---- */

static void expect_quick(cnnf_graph *(*make)(cnnf_context *))
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = make(context);
    run_all(graph);
    freeze_and_guess(graph);
    cnnf_graph_unref(graph);
    test_context_done(context);
}

static cnnf_graph *doubled_add(cnnf_context *context)
{
    return doubled(context, "Add");
}

static cnnf_graph *doubled_mul(cnnf_context *context)
{
    return doubled(context, "Mul");
}

static const struct {
    const char *name;
    cnnf_graph *(*make)(cnnf_context *);
} graphs[] = {{"doubled_add", doubled_add}, {"doubled_mul", doubled_mul},           {"before_random", before_random},
              {"before_bias", before_bias}, {"before_condition", before_condition}, {"wide", wide},
              {"chained", chained}};

START_TEST(test_passes)
{
    expect_quick(graphs[_i].make);
}
END_TEST

/* f0 is x + x; f1 calls f0 twice, f2 f1 ...: 2^DEEP additions, which no limit has room for. */
static cnnf_graph *nested(cnnf_context *context, int depth)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    const char *const types = "attr { key: 'Tin' value { list { type: DT_FLOAT } } }"
                              "attr { key: 'Tout' value { list { type: DT_FLOAT } } }";
    ck_assert_ptr_nonnull(file);
    fprintf(file,
            "node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } }"
            "node { name: 'out' op: 'PartitionedCall' input: 'x' %s"
            "attr { key: 'f' value { func { name: 'f%d' } } } } library {",
            types, depth);
    for (int i = 0; i <= depth; i++) {
        fprintf(file,
                "function { signature { name: 'f%d' input_arg { name: 'a' type: DT_FLOAT }"
                "output_arg { name: 'r' type: DT_FLOAT } }",
                i);
        for (int k = 0; i > 0 && k < 2; k++) {
            fprintf(file,
                    "node_def { name: 'c%d' op: 'PartitionedCall' input: '%s' %s"
                    "attr { key: 'f' value { func { name: 'f%d' } } } }",
                    k, k ? "c0:output:0" : "a", types, i - 1);
        }
        if (i == 0) {
            fprintf(file, "node_def { name: 's' op: 'Neg' input: 'a' attr { key: 'T' value { type: DT_FLOAT } } }");
        }
        fprintf(file, "ret { key: 'r' value: '%s' } }", i ? "c1:output:0" : "s:y:0");
    }
    fputs("} versions { producer: 134 }", file);
    fclose(file);
    cnnf_graph *graph = NULL;
    ck_assert_int_eq(cnnf_load_memory(&graph, context, text, size, "nested", NULL, NULL), CNNF_OK);
    free(text);
    return graph;
}

START_TEST(test_functions)
{
    cnnf_context *context = test_context();
    cnnf_graph *few = nested(context, 5), *out = NULL;
    ck_assert_int_eq(run_passes(&out, few, "inline_functions", NULL, "out", NULL), CNNF_OK);
    ck_assert_int_ge(cnnf_graph_node_count(out), 32);
    cnnf_graph_unref(out);
    cnnf_graph_unref(few);
    cnnf_graph *many = nested(context, 60);
    ck_assert_int_eq(run_passes(&out, many, "inline_functions", NULL, "out", NULL), CNNF_E_LIMIT);
    run_all(many); /* calls stay calls, or the limit is met */
    cnnf_graph_unref(many);
    test_context_done(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pathological");
    TCase *passes = tcase_create("passes"), *functions = tcase_create("functions");
    tcase_set_timeout(passes, BOUND);
    tcase_set_timeout(functions, BOUND);
    tcase_add_loop_test(passes, test_passes, 0, (int)(sizeof graphs / sizeof *graphs));
    tcase_add_test(functions, test_functions);
    suite_add_tcase(s, passes);
    suite_add_tcase(s, functions);
    return s;
}

TEST_MAIN(suite)
