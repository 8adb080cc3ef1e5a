/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at graphs: what a target demands, what a release reads, what is in them, how two differ. */
#include <string.h>

#include "ops/validate.h"
#include "passes_support.h"
#include "graph/builder.h"

static void expect_text(cnnf_buffer *buffer, const char *part)
{
    const char *text = cnnf_buffer_data(buffer);
    ck_assert_msg(strstr(text, part) != NULL, "no '%s' in:\n%s", part, text);
}

/* x (float, ?x4x4x1) -> Conv2D -> Relu -> y, frozen; `phase` leaves a placeholder open. */
static cnnf_graph *conv_graph(cnnf_context *context, bool phase)
{
    static const graph_row rows[] = {{"Placeholder", "x", {NULL}},
                                     {"Const", "w", {NULL}},
                                     {"Conv2D", "conv", {"x", "w", NULL}},
                                     {"Relu", "y", {"conv", NULL}}};
    const int64_t dims[] = {-1, 4, 4, 1}, filter[] = {1, 1, 1, 2}, ones[] = {1, 1, 1, 1};
    const float values[] = {1, 2};
    cnnf_tensor *tensor = NULL;
    cnnfi_builder *b = make_builder(context, rows, 4);
    ck_assert_int_eq(cnnf_tensor_wrap(&tensor, context, CNNF_FLOAT, 4, filter, values, sizeof values, NULL, NULL, NULL),
                     CNNF_OK);
    cnnfi_node_set_shape(b, cnnfi_builder_find(b, "x"), "shape", 4, dims);
    cnnfi_node_set_tensor(b, cnnfi_builder_find(b, "w"), "value", tensor);
    cnnf_tensor_unref(tensor);
    cnnfi_node_set_ints(b, cnnfi_builder_find(b, "conv"), "strides", ones, 4);
    cnnfi_node_set_string(b, cnnfi_builder_find(b, "conv"), "padding", "SAME");
    cnnfi_builder_set_io(b, (const char *[]){"x"}, 1, (const char *[]){"y"}, 1);
    if (phase) cnnfi_node_set_type(b, cnnfi_builder_add(b, "Placeholder", "keras_learning_phase"), "dtype", CNNF_BOOL);
    return publish(b);
}

/* ---- check ---- */

START_TEST(a_good_graph_gets_its_command)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = conv_graph(context, false);
    cnnf_buffer *text = NULL;
    int64_t unmet = -1;
    ck_assert_int_eq(cnnf_check_graph(&text, &unmet, graph, "vitis-ai", CNNF_REPORT_TEXT, NULL), CNNF_OK);
    ck_assert_int_eq(unmet, 0);
    expect_text(text,
                "vai_q_tensorflow quantize --input_frozen_graph frozen_graph.pb --input_nodes x --input_shapes ?,4,4,1 "
                "--output_nodes y --input_fn input_fn.calib_input");
    cnnf_buffer_free(text);
    ck_assert_int_eq(cnnf_check_graph(&text, NULL, graph, "tflite", CNNF_REPORT_JSON, NULL), CNNF_OK);
    expect_text(text, "\"unmet\": 0");
    expect_text(text, "--input_shapes=1,4,4,1 --output_arrays=y");
    cnnf_buffer_free(text);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(unmet_demands_name_nodes)
{
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = conv_graph(context, true);
    cnnf_buffer *text = NULL;
    int64_t unmet = 0;
    ck_assert_int_eq(cnnf_check_graph(&text, &unmet, graph, "vitis-ai", CNNF_REPORT_TEXT, error), CNNF_OK);
    ck_assert_int_eq(unmet, 1);
    expect_text(text,
                "FAIL  placeholders: every Placeholder is an input\n      'keras_learning_phase' is Placeholder\n");
    expect_text(text, "1 demands are not met");
    cnnf_buffer_free(text);
    ck_assert_int_eq(cnnf_check_graph(&text, NULL, graph, "toaster", CNNF_REPORT_TEXT, error), CNNF_E_NOT_FOUND);
    ck_assert_ptr_null(text);
    ck_assert_int_eq(cnnf_check_graph(&text, NULL, graph, "opencv", CNNF_REPORT_DOT, error), CNNF_E_INVALID);
    for (int32_t i = 0; i < cnnf_check_target_count(); i++) {
        cnnf_pipeline *pipeline = NULL;
        ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, NULL), CNNF_OK);
        const char *passes = cnnf_check_target_passes(cnnf_check_target_name(i));
        ck_assert_msg(cnnf_pipeline_add(pipeline, passes, error) == CNNF_OK, "%s", cnnf_error_message(error));
        cnnf_pipeline_free(pipeline);
    }
    ck_assert_ptr_null(cnnf_check_target_passes("toaster"));
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

/* ---- target_tf ---- */

START_TEST(newer_attributes_go_at_their_default)
{
    static const graph_row rows[] = {{"Placeholder", "x", {NULL}},
                                     {"Const", "p", {NULL}},
                                     {"FusedBatchNormV3", "n", {"x", "p", "p", "p", "p", NULL}},
                                     {"AddV2", "y", {"n", "n", NULL}},
                                     {"LeakyRelu", "z", {"y", NULL}}};
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnfi_builder *b = make_builder(context, rows, 5);
    cnnf_node *norm = cnnfi_builder_find(b, "n");
    cnnfi_node_set_type(b, norm, "U", CNNF_FLOAT);
    cnnfi_node_set_float(b, norm, "exponential_avg_factor", 1);
    cnnfi_node_set_bool(b, norm, "is_training", false);
    cnnfi_node_set_strings(b, norm, "_class", (const char *[]){"loc:@x"}, 1);
    cnnfi_builder_set_versions(b, 1645, 12);
    cnnf_graph *graph = publish(b), *refused = NULL;
    cnnf_graph *after = run_twice(graph, "target_tf(version=1.15, clear_internal=true)", "x", "z");
    const cnnf_node *node = cnnf_graph_find(after, "n");
    ck_assert_str_eq(cnnf_node_op(node), "FusedBatchNormV3");
    ck_assert_int_eq(cnnf_node_attr_kind(node, "exponential_avg_factor"), CNNF_ATTR_NONE);
    ck_assert_int_eq(cnnf_node_attr_kind(node, "_class"), CNNF_ATTR_NONE);
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "y")), "AddV2");
    ck_assert_int_eq(after->versions.producer, 134);
    cnnf_graph_unref(after);
    after = run_twice(graph, "target_tf(version=1.4)", "x", "z");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "n")), "FusedBatchNormV2");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "y")), "Add");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "z")), "Maximum");
    ck_assert_inputs(after, "z", "y z/mul");
    ck_assert_inputs(after, "z/mul", "y z/alpha");
    ck_assert_int_eq(cnnfi_graph_validate(after, error), CNNF_OK);
    cnnf_graph_unref(after);
    ck_assert_int_eq(run_passes(&refused, graph, "target_tf(version=0.12)", "x", "z", error), CNNF_E_INVALID);
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

START_TEST(what_has_no_older_form_is_refused)
{
    static const graph_row rows[] = {{"Placeholder", "x", {NULL}},
                                     {"Const", "p", {NULL}},
                                     {"FusedBatchNormV3", "n", {"x", "p", "p", "p", "p", NULL}},
                                     {"Relu", "y", {"n", NULL}}};
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnfi_builder *b = make_builder(context, rows, 4);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "n"), "U", CNNF_FLOAT);
    cnnfi_node_set_float(b, cnnfi_builder_find(b, "n"), "exponential_avg_factor", 0.5f);
    cnnf_graph *graph = publish(b), *after = NULL;
    ck_assert_int_eq(run_passes(&after, graph, "target_tf(version=1.15)", "x", "y", error), CNNF_E_UNSUPPORTED);
    ck_assert_str_eq(cnnf_error_message(error),
                     "target_tf: node 'n': attribute 'exponential_avg_factor' of FusedBatchNormV3 "
                     "is not at its default, and it is newer than TensorFlow 1.15");
    ck_assert_str_eq(cnnf_error_node(error), "n");
    cnnf_graph_unref(graph);
    b = make_builder(context, chain, N_CHAIN);
    cnnfi_node_set_op(b, cnnfi_builder_find(b, "y"), "Einsum");
    graph = publish(b);
    ck_assert_int_eq(run_passes(&after, graph, "target_tf(version=1.14)", "x", "y", error), CNNF_E_UNSUPPORTED);
    ck_assert_str_eq(cnnf_error_message(error),
                     "target_tf: node 'y': Einsum is newer than TensorFlow 1.14 and has no exact older form");
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

/* A Pad before the node cannot say it where input 0 is no image; a Pad of zeros is what a filter's gradient sees. */
START_TEST(only_images_are_padded)
{
    static const struct {
        const char *op;
        cnnf_status status;
        const char *first;
    } cases[] = {{"DepthwiseConv2dNativeBackpropInput", CNNF_E_UNSUPPORTED, NULL},
                 {"DepthwiseConv2dNativeBackpropFilter", CNNF_OK, "y/Pad"},
                 {"DepthwiseConv2dNative", CNNF_OK, "y/Pad"}};
    static const graph_row rows[] = {{"Placeholder", "x", {NULL}},
                                     {"Placeholder", "sizes", {NULL}},
                                     {"Placeholder", "w", {NULL}},
                                     {"Unset", "y", {"x", "w", NULL}}};
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cnnfi_builder *b = make_builder(context, rows, 4);
        cnnf_node *node = cnnfi_builder_find(b, "y");
        cnnfi_node_set_type(b, cnnfi_builder_find(b, "sizes"), "dtype", CNNF_INT32);
        cnnfi_node_set_op(b, node, cases[i].op);
        cnnfi_node_set_ints(b, node, "strides", (const int64_t[]){1, 1, 1, 1}, 4);
        cnnfi_node_set_string(b, node, "padding", "EXPLICIT");
        cnnfi_node_set_ints(b, node, "explicit_paddings", (const int64_t[]){0, 0, 1, 1, 2, 0, 0, 0}, 8);
        if (i == 0) cnnfi_node_set_input(b, node, 0, "sizes");
        if (i == 1) cnnfi_node_set_input(b, node, 1, "sizes");
        if (i < 2) cnnfi_node_add_input(b, node, "x");
        cnnf_graph *graph = publish(b), *after = NULL;
        ck_assert_int_eq(run_passes(&after, graph, "target_tf(version=1.15)", "x", "y", error), cases[i].status);
        if (after) {
            ck_assert_str_eq(cnnf_graph_find(after, "y")->inputs[0], cases[i].first);
            ck_assert_inputs(after, "y/Pad", "x y/paddings");
        } else {
            ck_assert_str_eq(cnnf_error_message(error),
                             "target_tf: node 'y': attribute 'padding' of DepthwiseConv2dNativeBackpropInput is "
                             "EXPLICIT, which cannot be written for TensorFlow 1.15");
            ck_assert_str_eq(cnnf_error_node(error), "y");
        }
        cnnf_graph_unref(after);
        cnnf_graph_unref(graph);
    }
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

START_TEST(control_inputs_outlive_a_split)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, chain, N_CHAIN);
    cnnf_node *node = cnnfi_builder_find(b, "y");
    char name[16];
    cnnfi_node_set_op(b, node, "LeakyRelu");
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "wait%d", i);
        cnnfi_builder_add(b, "NoOp", name);
        cnnfi_node_add_control(b, node, name);
    }
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "target_tf(version=1.4)", "x", "y");
    const cnnf_node *maximum = cnnf_graph_find(after, "y");
    ck_assert_str_eq(maximum->op, "Maximum");
    ck_assert_uint_eq(maximum->n_inputs, 22);
    ck_assert_str_eq(maximum->inputs[1], "y/mul");
    ck_assert_str_eq(maximum->inputs[21], "^wait19");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* ---- validate ---- */

static void expect_invalid(cnnfi_builder *b, const char *message)
{
    cnnf_error error = {.offset = -1};
    cnnf_graph *graph = publish(b);
    ck_assert_int_eq(cnnfi_graph_validate(graph, &error), CNNF_E_CORRUPT);
    ck_assert_str_eq(error.message, message);
    cnnf_graph_unref(graph);
}

START_TEST(invalid_graphs_are_named)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, chain, N_CHAIN);
    cnnfi_node_add_input(b, cnnfi_builder_find(b, "y"), "x");
    expect_invalid(b, "node 'y' (2): Relu takes 1 inputs, not 2");
    b = make_builder(context, chain, N_CHAIN);
    cnnfi_node_set_input(b, cnnfi_builder_find(b, "y"), 0, "middle:1");
    expect_invalid(b, "node 'y' (2): input 0 is 'middle:1', but Identity has 1 outputs");
    b = make_builder(context, chain, N_CHAIN);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "y"), "T", CNNF_INT32);
    expect_invalid(b, "node 'y' (2): input 0 was passed float from 'middle', incompatible with expected int32");
    b = make_builder(context, chain, N_CHAIN);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "y"), "T", CNNF_STRING);
    expect_invalid(b, "node 'y' (2): attribute 'T' has a value that Relu does not take");
    b = make_builder(context, chain, N_CHAIN);
    cnnfi_node_attr_remove(cnnfi_builder_find(b, "middle"), "T");
    expect_invalid(b, "node 'middle' (1): Identity needs an attribute 'T'");
    b = make_builder(context, chain, N_CHAIN);
    cnnfi_node_set_int(b, cnnfi_builder_find(b, "middle"), "T", 1);
    expect_invalid(b, "node 'middle' (1): attribute 'T' is no type");
    b = make_builder(context, chain, N_CHAIN);
    cnnf_node *assign = cnnfi_builder_add(b, "AssignAdd", "assign");
    cnnfi_node_set_type(b, assign, "T", CNNF_FLOAT);
    cnnfi_node_add_input(b, assign, "x");
    cnnfi_node_add_input(b, assign, "unused");
    expect_invalid(b, "node 'assign' (4): input 0 was passed float from 'x', incompatible with expected float_ref");
    b = make_builder(context, chain, N_CHAIN);
    cnnfi_node_set_input(b, cnnfi_builder_find(b, "middle"), 0, "y");
    expect_invalid(b, "cycle: middle <- y <- middle");
    test_context_done(context);
}
END_TEST

/* ---- summary and comparison ---- */

START_TEST(summaries_say_what_the_tool_says)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = conv_graph(context, false);
    cnnf_buffer *text = NULL;
    ck_assert_int_eq(cnnf_graph_summary(&text, graph, CNNF_REPORT_GTT, NULL), CNNF_OK);
    ck_assert_str_eq(cnnf_buffer_data(text),
                     "Found 1 possible inputs: (name=x, type=float(1), shape=[?,4,4,1]) \n"
                     "No variables spotted.\n"
                     "Found 1 possible outputs: (name=y, op=Relu) \n"
                     "Found 2 (2) const parameters, 0 (0) variable parameters, and 0 control_edges\n"
                     "Op types used: 1 Const, 1 Conv2D, 1 Placeholder, 1 Relu\n"
                     "4 nodes, 0 functions, 8 bytes of constants, 0 bytes of variables\n");
    cnnf_buffer_free(text);
    ck_assert_int_eq(cnnf_graph_summary(&text, graph, CNNF_REPORT_JSON, NULL), CNNF_OK);
    expect_text(text, "\"inputs\": [\n    {\"name\": \"x\", \"op\": \"Placeholder\", \"type\": \"float\", \"shape\": "
                      "\"[?,4,4,1]\"}]");
    expect_text(text, "\"ops\": {\"Const\": 1, \"Conv2D\": 1, \"Placeholder\": 1, \"Relu\": 1}");
    cnnf_buffer_free(text);
    ck_assert_int_eq(cnnf_graph_summary(&text, graph, CNNF_REPORT_DOT, NULL), CNNF_OK);
    expect_text(text, "label=\"conv\\nConv2D\"");
    expect_text(text, "n0 -> n2;\n");
    cnnf_buffer_free(text);
    ck_assert_int_eq(cnnf_graph_summary(&text, graph, 6, NULL), CNNF_E_INVALID);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* What Keras' summary() prints, of a graph: layers, shapes with an open batch, parameters, multiplications. */
START_TEST(tables_show_layers)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = conv_graph(context, false);
    cnnf_buffer *text = NULL;
    ck_assert_int_eq(cnnf_graph_summary(&text, graph, CNNF_REPORT_TEXT, NULL), CNNF_OK);
    ck_assert_str_eq(cnnf_buffer_data(text), "Layer  Ops          Output shape     Parameters  MACs\n"
                                             "=====================================================\n"
                                             "x      Placeholder  (None, 4, 4, 1)           0     0\n"
                                             "conv   Conv2D       (None, 4, 4, 2)           2    32\n"
                                             "y      Relu         (None, 4, 4, 2)           0     0\n"
                                             "=====================================================\n"
                                             "Parameters 2\n"
                                             "MACs       32 for one example\n"
                                             "Inputs     x  float  (None, 4, 4, 1)\n"
                                             "Outputs    y  float  (None, 4, 4, 2)\n"
                                             "Nodes      4\n");
    cnnf_buffer_free(text);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* Boxes of the layers, and nothing of a name is markup. */
START_TEST(svg_shows_layers)
{
    static const graph_row rows[] = {{"Placeholder", "x", {NULL}},
                                     {"Relu", "a/Relu", {"x", NULL}},
                                     {"Tanh", "<script>&\"/Tanh", {"a/Relu", NULL}},
                                     {"Add", "y/add", {"<script>&\"/Tanh", "x", NULL}}};
    cnnf_context *context = test_context();
    cnnf_graph *graph = make_graph(context, rows, sizeof rows / sizeof *rows);
    cnnf_buffer *text = NULL;
    ck_assert_int_eq(cnnf_graph_summary(&text, graph, CNNF_REPORT_SVG, NULL), CNNF_OK);
    const char *svg = cnnf_buffer_data(text);
    expect_text(text, "aria-label=\"4 boxes\"");
    expect_text(text, "&#60;script&#62;&#38;&#34;");
    ck_assert_ptr_null(strstr(svg, "<script"));
    size_t links = 0;
    for (const char *at = svg; (at = strstr(at, "<path d=\"M")); at++)
        links += !strstr(at, "<rect") || strstr(at, "<rect") > strstr(at, "</g>");
    ck_assert_uint_ge(links, 4);
    cnnf_buffer_free(text);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* Dropout at inference is an Identity, and a layer; the Identity that reads a variable is neither. */
START_TEST(pictures_show_layers)
{
    static const graph_row rows[] = {{"Placeholder", "x", {NULL}},
                                     {"Const", "dense/w", {NULL}},
                                     {"Identity", "dense/w/read", {"dense/w", NULL}},
                                     {"Const", "spare", {NULL}},
                                     {"Mul", "dense/mul", {"x", "dense/w/read", NULL}},
                                     {"Identity", "dropout/Identity", {"dense/mul", NULL}},
                                     {"Relu", "act/y", {"dropout/Identity", "^x", NULL}}};
    cnnf_context *context = test_context();
    cnnf_graph *graph = make_graph(context, rows, sizeof rows / sizeof *rows);
    cnnf_buffer *text = NULL;
    ck_assert_int_eq(cnnf_graph_summary(&text, graph, CNNF_REPORT_DOT, NULL), CNNF_OK);
    ck_assert_str_eq(cnnf_buffer_data(text), "digraph network {\n"
                                             "  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n"
                                             "  n0 [label=\"x\\nPlaceholder\"];\n"
                                             "  n1 [label=\"dense\\nMul\\n2 parameters\"];\n"
                                             "  n3 [label=\"dropout\\nIdentity\"];\n"
                                             "  n4 [label=\"act\\nRelu\"];\n"
                                             "  n0 -> n1;\n  n1 -> n3;\n  n3 -> n4;\n  n0 -> n4 [style=dashed];\n}\n");
    cnnf_buffer_free(text);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(differences_are_listed)
{
    static const graph_row other[] = {{"Placeholder", "x", {NULL}},
                                      {"Identity", "middle", {"x:0", NULL}},
                                      {"Elu", "y", {"middle", NULL}},
                                      {"Const", "more", {NULL}}};
    cnnf_context *context = test_context();
    cnnf_graph *a = make_graph(context, chain, N_CHAIN);
    cnnfi_builder *b = make_builder(context, other, 4);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "middle"), "T", CNNF_HALF);
    cnnf_graph *changed = publish(b);
    cnnf_buffer *text = NULL;
    int64_t differences = -1;
    ck_assert_int_eq(cnnf_compare_graphs(&text, &differences, a, a, CNNF_REPORT_TEXT, NULL), CNNF_OK);
    ck_assert_int_eq(differences, 0);
    ck_assert_uint_eq(cnnf_buffer_size(text), 0);
    cnnf_buffer_free(text);
    ck_assert_int_eq(cnnf_compare_graphs(&text, &differences, a, changed, CNNF_REPORT_TEXT, NULL), CNNF_OK);
    ck_assert_int_eq(differences, 4);
    ck_assert_str_eq(cnnf_buffer_data(text),
                     "~ middle: attribute T\n~ y: op Relu -> Elu\n- unused Const\n+ more Const\n");
    cnnf_buffer_free(text);
    ck_assert_int_eq(cnnf_compare_graphs(&text, NULL, a, changed, CNNF_REPORT_JSON, NULL), CNNF_OK);
    expect_text(text, "{\"kind\": \"op\", \"node\": \"y\", \"a\": \"Relu\", \"b\": \"Elu\"}");
    cnnf_buffer_free(text);
    cnnf_graph_unref(changed);
    cnnf_graph_unref(a);
    test_context_done(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("check");
    TCase *t = tcase_create("check");
    tcase_add_test(t, a_good_graph_gets_its_command);
    tcase_add_test(t, unmet_demands_name_nodes);
    tcase_add_test(t, newer_attributes_go_at_their_default);
    tcase_add_test(t, what_has_no_older_form_is_refused);
    tcase_add_test(t, only_images_are_padded);
    tcase_add_test(t, control_inputs_outlive_a_split);
    tcase_add_test(t, invalid_graphs_are_named);
    tcase_add_test(t, summaries_say_what_the_tool_says);
    tcase_add_test(t, tables_show_layers);
    tcase_add_test(t, svg_shows_layers);
    tcase_add_test(t, pictures_show_layers);
    tcase_add_test(t, differences_are_listed);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
