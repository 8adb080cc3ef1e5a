/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "support.h"

#include "base/context.h"
#include "base/error.h"
#include "graph/builder.h"
#include "graph/tensor.h"

static cnnf_context *context;
static cnnf_error *error;
static cnnf_freeze_options *options;
static char log_text[1024];

static void keep_log(int32_t level, const char *message, void *user)
{
    (void)level, (void)user;
    strncat(log_text, message, sizeof log_text - strlen(log_text) - 1);
}

static void setup(void)
{
    cnnf_context_options *context_options = NULL;
    error = cnnf_error_new();
    log_text[0] = '\0';
    cnnf_context_options_new(&context_options, NULL);
    cnnf_context_options_set_log(context_options, keep_log, CNNF_LOG_WARNING, NULL, NULL);
    ck_assert_int_eq(cnnf_context_new(&context, context_options, error), CNNF_OK);
    cnnf_context_options_free(context_options);
    ck_assert_int_eq(cnnf_freeze_options_new(&options, context, error), CNNF_OK);
}

static void teardown(void)
{
    cnnf_freeze_options_free(options);
    cnnf_error_free(error);
    test_context_done(context);
}

/* ---- graphs ---- */

static cnnfi_builder *begin(void)
{
    cnnfi_builder *b = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, error), CNNF_OK);
    cnnfi_node_set_type(b, cnnfi_builder_add(b, "Placeholder", "x"), "dtype", CNNF_FLOAT);
    return b;
}

static cnnf_graph *end(cnnfi_builder *b)
{
    cnnf_graph *graph = NULL;
    const cnnf_status status = cnnfi_builder_publish(&graph, b, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    return graph;
}

static cnnf_node *add(cnnfi_builder *b, const char *op, const char *name, const char *a, const char *c)
{
    cnnf_node *node = cnnfi_builder_add(b, op, name);
    if (a) cnnfi_node_add_input(b, node, a);
    if (c) cnnfi_node_add_input(b, node, c);
    cnnfi_node_set_type(b, node, "T", CNNF_FLOAT);
    return node;
}

/* A variable of two floats; bound when `value` is not 0. */
static cnnf_node *add_variable(cnnfi_builder *b, const char *op, const char *name, float value)
{
    const int64_t dims[] = {2};
    const float values[] = {value, value};
    cnnf_tensor *tensor = NULL;
    cnnf_node *node = cnnfi_builder_add(b, op, name);
    cnnfi_node_set_type(b, node, "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, node, "shape", 1, dims);
    cnnfi_node_set_string(b, node, "container", "");
    cnnfi_node_set_device(b, node, "/gpu:0");
    if (value == 0) return node;
    ck_assert_int_eq(cnnfi_tensor_copy(&tensor, context, CNNF_FLOAT, 1, dims, values, error), CNNF_OK);
    cnnfi_node_set_value(b, node, tensor);
    cnnf_tensor_unref(tensor);
    return node;
}

static cnnf_node *add_read(cnnfi_builder *b, const char *name, const char *variable)
{
    cnnf_node *read = cnnfi_builder_add(b, "ReadVariableOp", name);
    cnnfi_node_add_input(b, read, variable);
    cnnfi_node_set_type(b, read, "dtype", CNNF_FLOAT);
    return read;
}

static cnnf_graph *freeze_ok(cnnf_graph *graph, int64_t wanted)
{
    cnnf_graph *frozen = NULL;
    int64_t converted = -1;
    const cnnf_status status = cnnf_freeze(&frozen, &converted, graph, options, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    ck_assert_int_eq(converted, wanted);
    cnnf_graph_unref(graph);
    return frozen;
}

/* `node`: the one that cnnf_error_node() must name; NULL: not looked at. */
static void freeze_fails_at(cnnf_graph *graph, cnnf_status wanted, const char *node, const char *message)
{
    cnnf_graph *frozen = graph;
    ck_assert_int_eq(cnnf_freeze(&frozen, NULL, graph, options, error), wanted);
    ck_assert_ptr_null(frozen);
    ck_assert_str_eq(cnnf_error_message(error), message);
    if (node) ck_assert_str_eq(cnnf_error_node(error), node);
    cnnf_graph_unref(graph);
}

static void freeze_fails(cnnf_graph *graph, cnnf_status wanted, const char *message)
{
    freeze_fails_at(graph, wanted, NULL, message);
}

static void check_node(const cnnf_graph *graph, const char *name, const char *op, size_t inputs)
{
    const cnnf_node *node = cnnf_graph_find(graph, name);
    ck_assert_msg(node != NULL, "%s is gone", name);
    ck_assert_str_eq(node->op, op);
    ck_assert_uint_eq(node->n_inputs, inputs);
    ck_assert_str_eq(node->device, "");
}

static void check_const(const cnnf_graph *graph, const char *name, double wanted)
{
    double value;
    check_node(graph, name, "Const", 0);
    const cnnf_node *node = cnnf_graph_find(graph, name);
    ck_assert_uint_eq(node->n_attrs, 2);
    ck_assert_str_eq(node->attrs[0].key, "dtype");
    ck_assert(cnnfi_tensor_get_f64(cnnfi_node_attr(node, "value")->u.tensor, 1, &value));
    ck_assert_double_eq(value, wanted);
}

/* x * v -> out, beside something nobody needs. */
static cnnf_graph *reference_graph(float value)
{
    cnnfi_builder *b = begin();
    add_variable(b, "VariableV2", "v", value);
    cnnfi_node_set_type(b, add(b, "Identity", "v/read", "v", NULL), "_unknown", CNNF_FLOAT);
    add(b, "Mul", "out", "x", "v/read");
    add(b, "Relu", "other", "x", NULL);
    return end(b);
}

START_TEST(reference_variable)
{
    cnnf_freeze_options_add_output(options, "out:0", NULL);
    cnnf_graph *frozen = freeze_ok(reference_graph(3), 1);
    ck_assert_int_eq(cnnf_graph_node_count(frozen), 4);
    check_const(frozen, "v", 3);
    check_node(frozen, "v/read", "Identity", 1);
    ck_assert(frozen->has_library && frozen->versions.present);
    ck_assert_str_eq(cnnf_graph_output_name(frozen, 0), "out");
    cnnf_freeze_options_free(options);
    options = NULL;
    cnnf_graph *again = freeze_ok(frozen, 0);
    ck_assert_ptr_nonnull(strstr(log_text, "frozen already"));
    cnnf_graph_unref(again);
}
END_TEST

START_TEST(resource_variable)
{
    cnnfi_builder *b = begin();
    add_variable(b, "VarHandleOp", "v", 5);
    cnnfi_node_add_control(b, add_read(b, "read", "v"), "x");
    cnnf_node *gather = add(b, "ResourceGather", "rows", "v", "x");
    cnnfi_node_set_type(b, gather, "dtype", CNNF_FLOAT);
    cnnfi_node_set_type(b, gather, "Tindices", CNNF_INT64);
    add(b, "VariableShape", "shape", "v", NULL);
    cnnfi_node_add_control(b, add(b, "Mul", "out", "read", "rows"), "shape");
    cnnf_freeze_options_add_output(options, "out", NULL);
    cnnf_graph *frozen = freeze_ok(end(b), 1);
    check_const(frozen, "v", 5);
    check_node(frozen, "read", "Identity", 1);
    check_node(frozen, "rows", "GatherV2", 3);
    check_node(frozen, "shape", "Shape", 1);
    ck_assert_str_eq(cnnf_graph_find(frozen, "rows")->inputs[2], "rows/axis");
    ck_assert_int_eq(cnnfi_node_type(cnnf_graph_find(frozen, "rows/axis"), "dtype"), CNNF_INT64);
    cnnf_graph_unref(frozen);
}
END_TEST

/* Somebody else's node has the name that a gather's axis gets. */
START_TEST(axis_of_another_name)
{
    cnnfi_builder *b = begin();
    add_variable(b, "VarHandleOp", "v", 5);
    cnnf_node *gather = add(b, "ResourceGather", "rows", "v", "x");
    cnnfi_node_set_type(b, gather, "dtype", CNNF_FLOAT);
    cnnfi_node_set_type(b, gather, "Tindices", CNNF_INT32);
    add(b, "Relu", "rows/axis", "x", NULL);
    add(b, "Mul", "out", "rows", "rows/axis");
    cnnf_freeze_options_add_output(options, "out", NULL);
    cnnf_graph *frozen = freeze_ok(end(b), 1);
    check_node(frozen, "rows", "GatherV2", 3);
    check_node(frozen, "rows/axis", "Relu", 1);
    ck_assert_str_eq(cnnf_graph_find(frozen, "rows")->inputs[2], "rows/axis_1");
    check_node(frozen, "rows/axis_1", "Const", 0);
    cnnf_graph_unref(frozen);
}
END_TEST

/* A handle travels through Switch and Merge, which TensorFlow leaves invalid. */
START_TEST(handle_through_control_flow)
{
    cnnfi_builder *b = begin();
    add_variable(b, "VarHandleOp", "v", 2);
    cnnfi_node_set_type(b, add(b, "Switch", "switch", "v", "x"), "T", CNNF_RESOURCE);
    cnnfi_node_set_type(b, add(b, "Merge", "merge", "switch", "switch:1"), "T", CNNF_RESOURCE);
    add_read(b, "out", "merge");
    cnnf_freeze_options_add_output(options, "out", NULL);
    cnnf_graph *frozen = freeze_ok(end(b), 1);
    ck_assert_int_eq(cnnfi_node_type(cnnf_graph_find(frozen, "switch"), "T"), CNNF_FLOAT);
    ck_assert_int_eq(cnnfi_node_type(cnnf_graph_find(frozen, "merge"), "T"), CNNF_FLOAT);
    check_node(frozen, "out", "Identity", 1);
    cnnf_graph_unref(frozen);
}
END_TEST

START_TEST(reference_control_flow)
{
    cnnfi_builder *b = begin();
    add_variable(b, "VariableV2", "v", 2);
    add(b, "RefSwitch", "switch", "v", "x");
    add(b, "RefMerge", "out", "switch", "switch:1");
    cnnf_freeze_options_add_output(options, "out", NULL);
    cnnf_graph *frozen = freeze_ok(end(b), 1);
    check_node(frozen, "switch", "Switch", 2);
    check_node(frozen, "out", "Merge", 2);
    cnnf_graph_unref(frozen);
}
END_TEST

/* ---- functions ---- */

static cnnfi_function *add_function(cnnfi_builder *b, const char *name)
{
    cnnfi_function *f = cnnfi_builder_add_function(b, name);
    f->n_inputs = f->n_outputs = f->n_ret = 1;
    f->inputs = cnnfi_builder_array(b, 1, sizeof *f->inputs);
    f->outputs = cnnfi_builder_array(b, 1, sizeof *f->outputs);
    f->ret = cnnfi_builder_array(b, 1, sizeof *f->ret);
    f->inputs[0] = (cnnfi_arg){.name = "handle",
                               .description = "",
                               .type_attr = "",
                               .number_attr = "",
                               .type_list_attr = "",
                               .type = CNNF_RESOURCE,
                               .extra = {(const uint8_t *)"", 0}};
    f->outputs[0] = f->inputs[0];
    f->outputs[0].name = "y";
    f->outputs[0].type = CNNF_FLOAT;
    f->signature_extra = f->extra = (cnnfi_bytes){(const uint8_t *)"", 0};
    return f;
}

/* A call of `function` with resource `argument`. */
static cnnf_node *add_call(cnnfi_builder *b, cnnfi_function *in, const char *name, const char *function,
                           const char *argument)
{
    static const int32_t resource[] = {CNNF_RESOURCE}, number[] = {CNNF_FLOAT};
    cnnf_node *call =
        in ? cnnfi_function_add(b, in, "PartitionedCall", name) : cnnfi_builder_add(b, "PartitionedCall", name);
    cnnfi_node_add_input(b, call, argument);
    cnnfi_node_set_func(b, call, "f", function);
    cnnfi_node_set_types(b, call, "Tin", resource, 1);
    cnnfi_node_set_types(b, call, "Tout", number, 1);
    return call;
}

static cnnf_graph *calling_graph(void)
{
    cnnfi_builder *b = begin();
    cnnfi_function *inner = add_function(b, "inner_12"), *outer = add_function(b, "outer_3");
    cnnf_node *read = cnnfi_function_add(b, inner, "ReadVariableOp", "read");
    cnnfi_node_add_input(b, read, "handle");
    cnnfi_node_set_type(b, read, "dtype", CNNF_FLOAT);
    inner->ret[0] = (cnnfi_pair){"y", "read:value:0"};
    add_call(b, outer, "call", "inner_12", "handle");
    outer->ret[0] = (cnnfi_pair){"y", "call:output:0"};
    add_variable(b, "VarHandleOp", "v", 4);
    add_call(b, NULL, "out", "outer_3", "v");
    return end(b);
}

START_TEST(nested_functions)
{
    cnnf_freeze_options_add_output(options, "out", NULL);
    cnnf_graph *frozen = freeze_ok(calling_graph(), 1);
    check_const(frozen, "v", 4);
    ck_assert_str_eq(cnnfi_node_attr(cnnf_graph_find(frozen, "out"), "f")->u.func->name, "outer_frozen_1");
    const cnnfi_function *outer = cnnfi_graph_function(frozen, "outer_frozen_1");
    const cnnfi_function *inner = cnnfi_graph_function(frozen, "inner_frozen_2");
    ck_assert(outer && inner);
    ck_assert_int_eq(outer->inputs[0].type, CNNF_FLOAT);
    ck_assert_str_eq(cnnfi_node_attr(outer->nodes[0], "f")->u.func->name, "inner_frozen_2");
    ck_assert_int_eq(cnnfi_node_attr(outer->nodes[0], "Tin")->u.list.u.types[0], CNNF_FLOAT);
    ck_assert_str_eq(inner->nodes[0]->op, "Identity");
    ck_assert_str_eq(inner->ret[0].value, "read:output:0");
    ck_assert_uint_eq(inner->n_arg_attrs, 1);
    cnnf_graph_unref(frozen);
}
END_TEST

static cnnf_graph *run(cnnf_graph *graph, const char *passes, const char *output)
{
    cnnf_pipeline *pipeline = NULL;
    cnnf_graph *out = NULL;
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, error), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, passes, error), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add_output(pipeline, output, error), CNNF_OK);
    cnnf_pipeline_run(&out, pipeline, graph, error);
    cnnf_pipeline_free(pipeline);
    cnnf_graph_unref(graph);
    return out;
}

START_TEST(inlined_functions)
{
    cnnf_graph *flat = run(calling_graph(), "inline_functions freeze_variables", "out");
    ck_assert_msg(flat != NULL, "%s", cnnf_error_message(error));
    ck_assert_int_eq(cnnf_graph_function_count(flat), 0);
    check_const(flat, "v", 4);
    check_node(flat, "out/call/read", "Identity", 1);
    check_node(flat, "out", "Identity", 1);
    ck_assert_str_eq(cnnf_graph_find(flat, "out")->inputs[0], "out/call/read");
    cnnf_graph_unref(flat);
}
END_TEST

START_TEST(recursion_is_refused)
{
    cnnfi_builder *b = begin();
    cnnfi_function *f = add_function(b, "f"), *g = add_function(b, "g");
    add_call(b, f, "call", "g", "handle");
    f->ret[0] = (cnnfi_pair){"y", "call:output:0"};
    add_call(b, g, "call", "f", "handle");
    g->ret[0] = (cnnfi_pair){"y", "call:output:0"};
    add_variable(b, "VarHandleOp", "v", 4);
    add_call(b, NULL, "out", "f", "v");
    ck_assert_ptr_null(run(end(b), "inline_functions", "out"));
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "cycle: f -> g -> f"));
}
END_TEST

/* ---- what cannot be frozen ---- */

START_TEST(assignment_in_the_cone)
{
    cnnfi_builder *b = begin();
    add_variable(b, "VariableV2", "v", 1);
    add(b, "AssignAdd", "update", "v", "x");
    add(b, "Mul", "product", "update", "x");
    add(b, "Relu", "out", "product", NULL);
    cnnf_freeze_options_add_output(options, "out", NULL);
    freeze_fails_at(end(b), CNNF_E_UNSUPPORTED, "update",
                    "node 'update' (AssignAdd) needs variable 'v' itself, which a constant cannot "
                    "replace; the outputs need it: update -> product -> out");
}
END_TEST

START_TEST(names_that_are_not_there)
{
    cnnf_freeze_options_add_output(options, "oud", NULL);
    freeze_fails(reference_graph(1), CNNF_E_NOT_FOUND, "'oud' is not in graph; did you mean 'out'?");
    cnnf_freeze_options_free(options);
    cnnf_freeze_options_new(&options, context, error);
    cnnf_freeze_options_allow(options, "w*", NULL);
    freeze_fails(reference_graph(1), CNNF_E_NOT_FOUND, "allow list: 'w*' is the name of no variable");
}
END_TEST

START_TEST(unbound_variable)
{
    cnnf_freeze_options_add_output(options, "out", NULL);
    freeze_fails_at(reference_graph(0), CNNF_E_NOT_FOUND, "v", "variable 'v' has no value: no checkpoint was given");
}
END_TEST

START_TEST(missing_in_checkpoint)
{
    cnnfi_builder *b = begin();
    cnnf_graph *bound = NULL;
    add_variable(b, "VariableV2", "scope/kernl", 0);
    add(b, "Mul", "out", "x", "scope/kernl");
    cnnf_graph *graph = end(b);
    ck_assert_int_eq(cnnf_bind_checkpoint(&bound, graph, GOLDEN("checkpoint/sharded"), NULL, error), CNNF_OK);
    cnnf_graph_unref(graph);
    cnnf_freeze_options_add_output(options, "out", NULL);
    freeze_fails(bound, CNNF_E_NOT_FOUND,
                 "'scope/kernl' is not in checkpoint " GOLDEN(
                     "checkpoint/sharded/model.ckpt.index") "; nearest: 'scope/kernel'");
}
END_TEST

START_TEST(shapes_that_do_not_fit)
{
    cnnfi_builder *b = begin();
    cnnf_graph *bound = NULL;
    add_variable(b, "VariableV2", "scope/kernel", 0);
    add_variable(b, "VariableV2", "scope/count", 0);
    cnnf_graph *graph = end(b);
    ck_assert_int_eq(cnnf_bind_checkpoint(&bound, graph, GOLDEN("checkpoint/sharded"), NULL, error), CNNF_E_MISMATCH);
    ck_assert_str_eq(cnnf_error_message(error),
                     GOLDEN("checkpoint/sharded/model.ckpt.index") ": 2 variables do not fit: "
                                                                   "'scope/kernel' is float[2] in the graph, "
                                                                   "float[4,5] in the checkpoint; "
                                                                   "'scope/count' is float[2] in the graph, int32[3] "
                                                                   "in the checkpoint");
    cnnf_graph_unref(graph);
}
END_TEST

START_TEST(two_gibibytes)
{
    const int64_t dims[] = {300000000};
    cnnfi_builder *b = begin();
    cnnf_tensor *big = NULL;
    ck_assert_int_eq(cnnfi_tensor_splat(&big, context, CNNF_FLOAT, 1, dims, 1, error), CNNF_OK);
    cnnfi_node_set_value(b, add_variable(b, "VariableV2", "a", 0), big);
    cnnfi_node_set_value(b, add_variable(b, "VariableV2", "b", 0), big);
    cnnf_tensor_unref(big);
    add(b, "Mul", "out", "a", "b");
    cnnf_freeze_options_add_output(options, "out", NULL);
    freeze_fails(end(b), CNNF_E_LIMIT,
                 "the frozen graph would have 2400000000 bytes, a GraphDef can have 2147483647; "
                 "largest: 'a' (1200000000), 'b' (1200000000), '' (0)");
}
END_TEST

/* ---- options ---- */

START_TEST(deny_keeps_a_variable)
{
    cnnf_freeze_options_add_output(options, "out", NULL);
    cnnf_freeze_options_deny(options, "?", NULL);
    cnnf_freeze_options_set_clear_devices(options, 0, NULL);
    cnnf_graph *frozen = freeze_ok(reference_graph(3), 0);
    ck_assert_str_eq(cnnf_graph_find(frozen, "v")->op, "VariableV2");
    ck_assert_str_eq(cnnf_graph_find(frozen, "v")->device, "/gpu:0");
    cnnf_graph_unref(frozen);
}
END_TEST

START_TEST(initializers)
{
    cnnfi_builder *b = begin();
    const float values[] = {7, 8};
    const int32_t two[] = {2};
    const float nine[] = {9};
    add_variable(b, "VariableV2", "v", 0);
    add_variable(b, "VariableV2", "w", 1);
    add_variable(b, "VariableV2", "r", 1);
    cnnfi_builder_const_f32(b, "v/initial", -1, values, 2);
    cnnfi_builder_const_i32(b, "w/dims", -1, two, 1);
    cnnfi_builder_const_f32(b, "w/nine", 0, nine, 1);
    add(b, "Fill", "w/initial", "w/dims", "w/nine");
    add(b, "Assign", "v/Assign", "v", "v/initial");
    add(b, "Assign", "w/Assign", "w", "w/initial");
    add(b, "Assign", "r/Assign", "r", "x");
    cnnf_node *init = cnnfi_builder_add(b, "NoOp", "init");
    cnnfi_node_add_control(b, init, "v/Assign");
    cnnfi_node_add_control(b, init, "w/Assign");
    add(b, "Mul", "out", "v", "w");
    cnnf_graph *graph = end(b);
    cnnf_freeze_options_add_output(options, "out", NULL);
    cnnf_freeze_options_add_initializer(options, "init", NULL);
    cnnf_graph *frozen = freeze_ok(cnnf_graph_ref(graph), 2);
    check_const(frozen, "v", 8);
    check_const(frozen, "w", 9);
    cnnf_graph_unref(frozen);
    cnnf_freeze_options_add_initializer(options, "r/Assign", NULL);
    freeze_fails_at(graph, CNNF_E_UNSUPPORTED, "r/Assign", "initializer 'r/Assign': the value of 'r' is not constant");
}
END_TEST

/* ---- outputs that nobody names ---- */

/* 1.15's tool writes no `versions`; "auto" is that one for a graph of its time. */
START_TEST(as_the_tool_of_a_release)
{
    static const struct {
        const char *as;
        int32_t producer;
        bool versions;
    } cases[] = {{"2.15", 134, true}, {"1.15", 134, false}, {"1.15", 1645, false}, {"auto", 134, false},
                 {"auto", 27, false}, {"auto", 1645, true}, {"auto", 0, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cnnfi_builder *b = begin();
        add_variable(b, "VariableV2", "v", 1);
        add(b, "Identity", "v/read", "v", NULL);
        add(b, "Mul", "y", "x", "v/read");
        cnnfi_builder_set_versions(b, cases[i].producer, 0);
        cnnf_graph *graph = end(b), *frozen = NULL;
        ck_assert_int_eq(cnnf_freeze_options_set_as_tf(options, cases[i].as, error), CNNF_OK);
        ck_assert_int_eq(cnnf_freeze(&frozen, NULL, graph, options, error), CNNF_OK);
        ck_assert_int_eq(frozen->versions.present, cases[i].versions);
        ck_assert_int_eq(frozen->versions.producer, cases[i].versions ? cases[i].producer : 0);
        cnnf_graph_unref(frozen);
        cnnf_graph_unref(graph);
    }
    ck_assert_int_eq(cnnf_freeze_options_set_as_tf(options, "1.14", error), CNNF_E_INVALID);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "1.15, 2.15 or auto"));
    ck_assert_int_eq(cnnf_freeze_options_set_as_tf(options, NULL, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_freeze_options_set_as_tf(NULL, "1.15", error), CNNF_E_INVALID);
}
END_TEST

START_TEST(guessed_outputs)
{
    cnnfi_builder *b = begin();
    cnnf_buffer *names = NULL;
    add_variable(b, "VariableV2", "v", 1);
    add(b, "Mul", "logits", "x", "v");
    add(b, "Softmax", "probabilities", "logits", NULL);
    add(b, "Relu", "side", "x", NULL);
    add(b, "Mean", "loss/mean", "probabilities", NULL);
    add(b, "Mul", "moments/decay", "x", NULL);
    add(b, "AssignSub", "moments/update", "v", "moments/decay");
    add(b, "ScalarSummary", "summary", "side", NULL);
    add(b, "SaveV2", "save/SaveV2", "v", NULL);
    cnnf_graph *graph = end(b);
    ck_assert_int_eq(cnnf_graph_guess_outputs(&names, graph, error), CNNF_OK);
    /* Nothing that was learned is in "side". */
    ck_assert_str_eq(cnnf_buffer_data(names), "probabilities\n");
    cnnf_buffer_free(names);
    cnnf_graph *frozen = freeze_ok(graph, 1);
    ck_assert_int_eq(cnnf_graph_output_count(frozen), 1);
    cnnf_graph_unref(frozen);
}
END_TEST

/* Two heads under their losses: -log(p) meets one label, a square the other; what only leads there is no output. */
START_TEST(guessed_heads_below_losses)
{
    cnnfi_builder *b = begin();
    cnnf_buffer *names = NULL;
    const int64_t dims[] = {-1, 4};
    cnnf_node *label = add(b, "Placeholder", "label", NULL, NULL);
    cnnfi_node_set_type(b, label, "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, label, "shape", 2, dims);
    add_variable(b, "VariableV2", "v", 1);
    add_variable(b, "VariableV2", "w", 1);
    add(b, "Mul", "trunk", "x", "v");
    add_variable(b, "VariableV2", "u", 1);
    add(b, "Mul", "logits", "trunk", "u");
    add(b, "Sigmoid", "class", "logits", NULL);
    add(b, "Mul", "box", "trunk", "w");
    add(b, "Log", "log", "class", NULL);
    add(b, "Mul", "cross", "log", "label");
    add(b, "Sub", "distance", "box", "label");
    add(b, "L2Loss", "l2", "distance", NULL);
    add(b, "L2Loss", "sum", "cross", NULL);
    add(b, "Add", "total", "l2", "sum");
    cnnf_graph *graph = end(b);
    ck_assert_int_eq(cnnf_graph_guess_outputs(&names, graph, error), CNNF_OK);
    ck_assert_str_eq(cnnf_buffer_data(names), "class\nbox\n");
    cnnf_buffer_free(names);
    cnnf_graph_unref(graph);
}
END_TEST

/* What the graph shows, or the message that it is not clear. */
static void assert_shows(cnnf_graph *graph, cnnf_status status, const char *wanted)
{
    cnnf_buffer *names = NULL;
    ck_assert_int_eq(cnnf_graph_guess_outputs(&names, graph, error), status);
    if (status == CNNF_OK)
        ck_assert_str_eq(cnnf_buffer_data(names), wanted);
    else
        ck_assert_msg(strstr(cnnf_error_message(error), wanted) != NULL, "%s", cnnf_error_message(error));
    cnnf_buffer_free(names);
    cnnf_graph_unref(graph);
}

static void add_placeholder(cnnfi_builder *b, const char *name)
{
    const int64_t dims[] = {-1, 4};
    cnnf_node *node = add(b, "Placeholder", name, NULL, NULL);
    cnnfi_node_set_type(b, node, "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, node, "shape", 2, dims);
}

/* Two networks, neither below the other: no answer, but both names. */
START_TEST(two_networks_are_not_clear)
{
    cnnfi_builder *b = begin();
    add_variable(b, "VariableV2", "v", 1);
    add_variable(b, "VariableV2", "w", 1);
    add(b, "Mul", "actor", "x", "v");
    add(b, "Mul", "critic", "x", "w");
    assert_shows(end(b), CNNF_E_INVALID, "for example of: actor, critic");
}
END_TEST

/* One network on the same variables twice; dropout tells which one is to be used. */
START_TEST(the_steady_one_of_two_builds)
{
    for (int random = 0; random < 2; random++) {
        cnnfi_builder *b = begin();
        add_placeholder(b, "y");
        add_variable(b, "VariableV2", "v", 1);
        add(b, "Mul", "using", "y", "v");
        cnnf_node *noise = add(b, random ? "RandomUniform" : "Shape", "noise", "x", NULL);
        cnnfi_node_set_type(b, noise, random ? "dtype" : "out_type", random ? CNNF_FLOAT : CNNF_INT32);
        add(b, "Mul", "training_one", "x", "v");
        add(b, "Mul", "dropped", "training_one", random ? "noise" : "x");
        if (random)
            assert_shows(end(b), CNNF_OK, "using\n");
        else
            assert_shows(end(b), CNNF_E_INVALID, "for example of: using, dropped");
    }
}
END_TEST

/* What stands behind a StopGradient is a target, and a network that no optimiser changes makes none of the outputs. */
START_TEST(a_target_is_no_output)
{
    cnnfi_builder *b = begin();
    add_placeholder(b, "next");
    add_variable(b, "VariableV2", "v", 1);
    add_variable(b, "VariableV2", "target", 1);
    add(b, "Mul", "q", "x", "v");
    add(b, "Mul", "q_next", "next", "target");
    add(b, "StopGradient", "wanted", "q_next", NULL);
    add(b, "SquaredDifference", "difference", "q", "wanted");
    add(b, "L2Loss", "loss_value", "difference", NULL);
    add(b, "ApplyGradientDescent", "step", "v", "loss_value");
    assert_shows(end(b), CNNF_OK, "q\n");
}
END_TEST

/* x - f(x) is the result where another label follows; the label alone marks the loss. */
START_TEST(a_residual_is_no_loss)
{
    cnnfi_builder *b = begin();
    add_placeholder(b, "y");
    add_variable(b, "VariableV2", "v", 1);
    add(b, "Mul", "noise", "x", "v");
    add(b, "Sub", "clean", "x", "noise");
    add(b, "Sub", "error", "clean", "y");
    add(b, "L2Loss", "value", "error", NULL);
    assert_shows(end(b), CNNF_OK, "clean\n");
}
END_TEST

/* A whole model may stand under "train"; what is computed from gradients may not be anything. */
START_TEST(gradients_are_no_outputs)
{
    cnnfi_builder *b = begin();
    add_placeholder(b, "y");
    add_variable(b, "VariableV2", "v", 1);
    add(b, "Mul", "train/out", "x", "v");
    add(b, "Sub", "error", "train/out", "y");
    add(b, "L2Loss", "value", "error", NULL);
    add(b, "Mul", "gradients/value_grad/mul", "error", "v");
    add(b, "Mul", "clipped", "gradients/value_grad/mul", "v");
    assert_shows(end(b), CNNF_OK, "train/out\n");
}
END_TEST

static Suite *freeze_suite(void)
{
    Suite *suite = suite_create("freeze");
    TCase *tests = tcase_create("freeze");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, reference_variable);
    tcase_add_test(tests, resource_variable);
    tcase_add_test(tests, axis_of_another_name);
    tcase_add_test(tests, handle_through_control_flow);
    tcase_add_test(tests, reference_control_flow);
    tcase_add_test(tests, nested_functions);
    tcase_add_test(tests, inlined_functions);
    tcase_add_test(tests, recursion_is_refused);
    tcase_add_test(tests, assignment_in_the_cone);
    tcase_add_test(tests, names_that_are_not_there);
    tcase_add_test(tests, unbound_variable);
    tcase_add_test(tests, missing_in_checkpoint);
    tcase_add_test(tests, shapes_that_do_not_fit);
    tcase_add_test(tests, two_gibibytes);
    tcase_add_test(tests, deny_keeps_a_variable);
    tcase_add_test(tests, initializers);
    tcase_add_test(tests, as_the_tool_of_a_release);
    tcase_add_test(tests, guessed_outputs);
    tcase_add_test(tests, guessed_heads_below_losses);
    tcase_add_test(tests, two_networks_are_not_clear);
    tcase_add_test(tests, the_steady_one_of_two_builds);
    tcase_add_test(tests, a_target_is_no_output);
    tcase_add_test(tests, a_residual_is_no_loss);
    tcase_add_test(tests, gradients_are_no_outputs);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(freeze_suite)
