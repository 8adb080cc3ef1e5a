/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An op is told in one place: its row in lib/ops/rules. Every rule is found there, belongs to an op of the table and
 * has no second one; and what it says is what the loader (a configuration that holds the op), the passes (a graph's
 * shapes) and the evaluator (a run) have of it. No op is named here.
 */
#include <hdf5.h>
#include <string.h>

#include "evaluator/kernels/kernel.h"
#include "fixture.h"
#include "graph/builder.h"
#include "graph/tensor.h"
#include "ops/graph_shapes.h"
#include "ops/op_rules.h"
#include "ops/op_table.h"

START_TEST(every_rule_is_an_op_and_the_only_one)
{
    size_t rules = 0;
    for (size_t f = 0; cnnfi_rule_family_at(f); f++) {
        const cnnfi_rule_family *family = cnnfi_rule_family_at(f);
        for (size_t i = 0; i < family->count; i++, rules++) {
            const char *op = family->rules[i].op;
            const bool own = *op == '_' || family->rules[i].flags & CNNFI_RULE_OWN;
            /* _FusedConv2D and kin are made by TensorFlow's optimizer while it runs, and in no table. */
            ck_assert_msg(own || cnnfi_op_find(op) != NULL, "%s is no op", op);
            ck_assert_msg(cnnfi_op_rule_find(op) == &family->rules[i], "%s has two rules", op);
        }
    }
    ck_assert_uint_gt(rules, 300);
}
END_TEST

START_TEST(every_kernel_has_a_rule)
{
    for (size_t f = 0; cnnfi_kernel_family_at(f); f++) {
        const cnnfi_kernel_family *family = cnnfi_kernel_family_at(f);
        for (size_t i = 0; i < family->count; i++) {
            ck_assert_msg(cnnfi_op_rule_find(family->kernels[i].op) != NULL, "%s has a kernel and no rule",
                          family->kernels[i].op);
        }
    }
}
END_TEST

/* ---- ops of floats: one attribute T, inputs of type T ---- */

/* How many inputs; 0: another kind of op. */
static int float_inputs(const char *name)
{
    const cnnfi_op *op = cnnfi_op_find(name);
    if (!op || op->n_attrs != 1 || op->n_inputs < 1 || op->n_inputs > 2 || op->n_outputs != 1 ||
        (op->flags & CNNFI_OP_IS_STATEFUL) || strcmp(cnnfi_op_attr_at(op, 0)->name, "T") != 0) {
        return 0;
    }
    return (int)op->n_inputs;
}

/* Two images of x to the op to out; of what the graph knows of `out`. */
static cnnf_graph *graph_of(const char *op, int inputs)
{
    const int64_t dims[] = {-1, 3, 3};
    cnnfi_builder *b = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnf_node *x = cnnfi_builder_add(b, "Placeholder", "x");
    cnnfi_node_set_type(b, x, "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, x, "shape", 3, dims);
    cnnf_node *node = cnnfi_builder_add(b, op, "d");
    for (int i = 0; i < inputs; i++)
        cnnfi_node_add_input(b, node, "x");
    cnnfi_node_set_type(b, node, "T", CNNF_FLOAT);
    cnnfi_builder_set_versions(b, 134, 0);
    cnnf_graph *graph = NULL;
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, error), CNNF_OK);
    return graph;
}

/* The op in the configuration of a Keras file. */
static cnnf_graph *model_of(const char *op, int inputs)
{
    char config[2048];
    snprintf(config, sizeof config,
             "{\"class_name\":\"Functional\",\"config\":{\"name\":\"m\",\"layers\":[{\"class_name\":\"InputLayer\","
             "\"name\":\"x\",\"config\":{\"batch_input_shape\":[null,3,3],\"dtype\":\"float32\",\"name\":\"x\"},"
             "\"inbound_nodes\":[]},{\"class_name\":\"TensorFlowOpLayer\",\"name\":\"d\",\"config\":{\"name\":\"d\","
             "\"node_def\":{\"name\":\"d\",\"op\":\"%s\",\"input\":[\"x\",\"x\"],\"attr\":{\"T\":{\"type\":"
             "\"DT_FLOAT\"}}},\"constants\":{}},\"inbound_nodes\":[[[\"x\",0,0,{}]%s]]}],"
             "\"input_layers\":[[\"x\",0,0]],\"output_layers\":[[\"d\",0,0]]}}",
             op, inputs == 2 ? ",[\"x\",0,0,{}]" : "");
    const char *path = folder_path("m.h5");
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    const char *const values[][2] = {{"model_config", config}, {"keras_version", "2.4.0"}, {"backend", "tensorflow"}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        H5Tset_size(type, strlen(values[i][1]) + 1);
        const hid_t attribute = H5Acreate2(file, values[i][0], type, space, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(attribute, type, values[i][1]);
        H5Aclose(attribute);
    }
    const hid_t weights = H5Gcreate2(file, "model_weights", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t none = H5Screate_simple(1, (const hsize_t[]){0}, NULL);
    H5Aclose(H5Acreate2(weights, "layer_names", H5T_IEEE_F64LE, none, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(none);
    H5Gclose(weights);
    H5Sclose(space);
    H5Tclose(type);
    H5Fclose(file);
    cnnf_graph *graph = NULL;
    ck_assert_msg(cnnf_load_file(&graph, context, path, NULL, error) == CNNF_OK, "%s: %s", op,
                  cnnf_error_message(error));
    return graph;
}

/* What the passes know of a node's output, given that two images come in: dims, -1 for the batch. */
static cnnfi_value shape_in(const cnnf_graph *graph, const char *op)
{
    cnnfi_graph_shapes shapes;
    cnnfi_value value = cnnfi_value_unknown(0);
    ck_assert_int_eq(cnnfi_graph_shapes_init(&shapes, graph, NULL), CNNF_OK);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        if (strcmp(graph->nodes[i]->op, op) == 0) value = cnnfi_graph_shape(&shapes, (cnnfi_edge){(int32_t)i, 0});
    }
    cnnfi_graph_shapes_free(&shapes);
    return value;
}

static bool same_shape(const cnnfi_value *a, const cnnfi_value *b)
{
    return a->dtype == b->dtype && a->rank == b->rank &&
           (a->rank < 0 || memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0);
}

/* A run's output fits what was known before. */
static void expect_run(const cnnf_graph *graph, const char *op, const cnnfi_value *known)
{
    const float ones[18] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const int64_t dims[] = {2, 3, 3};
    cnnf_tensor *x = NULL, *y = NULL;
    cnnf_evaluator *evaluator = NULL;
    ck_assert_int_eq(cnnfi_tensor_copy(&x, context, CNNF_FLOAT, 3, dims, ones, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_new(&evaluator, graph, NULL, NULL), CNNF_OK);
    const cnnf_status status =
        cnnf_evaluator_run(&y, evaluator, (const char *const[]){"x"}, (const cnnf_tensor *const[]){x}, 1,
                           (const char *const[]){"d"}, 1, error);
    /* TruncateDiv has kernels for integers alone, as in TensorFlow. */
    ck_assert_msg(status == CNNF_OK || status == CNNF_E_UNSUPPORTED, "%s: %s", op, cnnf_error_message(error));
    if (status == CNNF_OK) ck_assert_int_eq(cnnf_tensor_dtype(y), known->dtype);
    for (int32_t i = 0; status == CNNF_OK && i < known->rank; i++)
        ck_assert_msg(cnnfi_dim_fits(known->dims[i], cnnf_tensor_dim(y, i)), "%s: axis %d", op, (int)i);
    cnnf_tensor_unref(y);
    cnnf_tensor_unref(x);
    cnnf_evaluator_free(evaluator);
}

START_TEST(loader_passes_and_evaluator_have_it_from_there)
{
    int asked = 0;
    for (size_t f = 0; cnnfi_rule_family_at(f); f++) {
        const cnnfi_rule_family *family = cnnfi_rule_family_at(f);
        for (size_t i = 0; i < family->count; i++) {
            const char *op = family->rules[i].op;
            const int inputs = float_inputs(op);
            cnnf_graph *graph = inputs ? graph_of(op, inputs) : NULL;
            const cnnfi_value known = graph ? shape_in(graph, op) : cnnfi_value_unknown(0);
            /* Not for floats, or not for these shapes. */
            if (known.dtype && known.rank >= 0) {
                cnnf_graph *model = model_of(op, inputs);
                const cnnfi_value loaded = shape_in(model, op);
                ck_assert_msg(same_shape(&known, &loaded), "%s: the loaded graph has another shape", op);
                if (cnnfi_kernel_find(op)) expect_run(graph, op, &known);
                cnnf_graph_unref(model);
                asked++;
            }
            cnnf_graph_unref(graph);
        }
    }
    ck_assert_int_gt(asked, 80);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("one_place");
    TCase *tc = tcase_create("one_place");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_rule_is_an_op_and_the_only_one);
    tcase_add_test(tc, every_kernel_has_a_rule);
    tcase_add_test(tc, loader_passes_and_evaluator_have_it_from_there);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(suite)
