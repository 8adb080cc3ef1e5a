/* SPDX-License-Identifier: Apache-2.0 */
/* TFLite models as they are written: read back table by table and held to what makes a model valid. What they compute
   is tests/conformance/test_tflite.py's. */
#include "export_support.h"
#include "flat_reader.h"
#include "serializer/tflite/tflite_schema.h"

#include <cnnfreeze/tflite.h>

#define TUTORIAL SOURCE_ROOT "/examples/data/keras_trained_model.h5"

enum { MAX_TENSORS = 4096, MAX_CODES = 256 };

typedef struct model_facts {
    flat_file file;
    size_t model, subgraph, tensors, buffers;
    size_t n_tensors, n_nodes, n_inputs, n_outputs, weight_bytes;
    int counts[MAX_CODES]; /* operators by BuiltinOperator */
    int fused;             /* operators with an activation */
    bool defined[MAX_TENSORS], used[MAX_TENSORS];
    char runtime[32];
} model_facts;

static model_facts facts;

/* ---- reading ---- */

static size_t element_size(int64_t type)
{
    static const size_t sizes[] = {4, 2, 4, 1, 8, 0, 1, 2, 8, 1, 8, 16, 8, 0, 0, 4, 2};
    ck_assert_int_lt(type, (int64_t)(sizeof sizes / sizeof *sizes));
    return sizes[type];
}

/* Bytes of a buffer's data, which begin at a multiple of 16. */
static size_t buffer_size(size_t index, size_t *at)
{
    const size_t data = flat_at(&facts.file, flat_item(&facts.file, facts.buffers, index), BUFFER_DATA);
    *at = data + 4;
    if (data > 0) ck_assert_uint_eq(*at % 16, 0);
    return flat_count(&facts.file, data, 1);
}

static void read_tensor(size_t index)
{
    const flat_file *f = &facts.file;
    const size_t tensor = flat_item(f, facts.tensors, index), shape = flat_at(f, tensor, TENSOR_SHAPE),
                 signature = flat_at(f, tensor, TENSOR_SHAPE_SIGNATURE);
    size_t count = element_size(flat_byte(f, tensor, TENSOR_TYPE)), at;
    ck_assert_uint_gt(strlen(flat_text(f, flat_at(f, tensor, TENSOR_NAME))), 0);
    for (size_t i = 0; i < flat_count(f, shape, 4); i++) {
        const int32_t dim = flat_item_int(f, shape, i);
        ck_assert_int_ge(dim, 0);
        if (signature > 0)
            ck_assert_int_eq(flat_item_int(f, signature, i) < 0 ? 1 : flat_item_int(f, signature, i), dim);
        count *= (size_t)dim;
    }
    const size_t size = buffer_size((size_t)flat_int(f, tensor, TENSOR_BUFFER, 0), &at);
    if (size == 0) return;
    ck_assert_uint_eq(size, count);
    facts.weight_bytes += size;
    facts.defined[index] = true;
}

static void use(int32_t index)
{
    if (index < 0) return; /* left out */
    ck_assert_int_lt(index, (int32_t)facts.n_tensors);
    ck_assert_msg(facts.defined[index], "tensor %d is read before it is there", (int)index);
    facts.used[index] = true;
}

static void define(int32_t index)
{
    ck_assert_int_ge(index, 0);
    ck_assert_int_lt(index, (int32_t)facts.n_tensors);
    ck_assert_msg(!facts.defined[index], "tensor %d is given twice", (int)index);
    facts.defined[index] = true;
}

static void each_int(size_t vector, void (*take)(int32_t index))
{
    for (size_t i = 0; i < flat_count(&facts.file, vector, 4); i++)
        take(flat_item_int(&facts.file, vector, i));
}

static int64_t code_of(size_t node)
{
    const flat_file *f = &facts.file;
    const size_t codes = flat_at(f, facts.model, MODEL_OPERATOR_CODES),
                 code = flat_item(f, codes, (size_t)flat_int(f, node, OPERATOR_CODE, 0));
    const int64_t builtin = flat_int(f, code, CODE_BUILTIN, 0);
    ck_assert_int_lt(builtin, MAX_CODES);
    ck_assert_int_eq(flat_byte(f, code, CODE_DEPRECATED), builtin < CODE_PLACEHOLDER ? builtin : CODE_PLACEHOLDER);
    ck_assert_int_ge(flat_int(f, code, CODE_VERSION, 1), 1);
    return builtin;
}

static void read_node(size_t node)
{
    const flat_file *f = &facts.file;
    const int64_t code = code_of(node);
    facts.counts[code]++;
    each_int(flat_at(f, node, OPERATOR_INPUTS), use);
    each_int(flat_at(f, node, OPERATOR_OUTPUTS), define);
    const size_t options = flat_at(f, node, OPERATOR_OPTIONS);
    ck_assert_int_eq(options > 0, flat_byte(f, node, OPERATOR_OPTIONS_TYPE) != 0);
    if (code == TFL_CONV_2D) facts.fused += flat_byte(f, options, CONV_ACTIVATION) != ACTIVATION_NONE;
    if (code == TFL_FULLY_CONNECTED)
        facts.fused += flat_byte(f, options, FULLY_CONNECTED_ACTIVATION) != ACTIVATION_NONE;
}

static bool node_is_read;

static void look_for_reader(int32_t index)
{
    node_is_read |= facts.used[index];
}

static void read_graph(void)
{
    const flat_file *f = &facts.file;
    const size_t nodes = flat_at(f, facts.subgraph, SUBGRAPH_OPERATORS),
                 inputs = flat_at(f, facts.subgraph, SUBGRAPH_INPUTS),
                 outputs = flat_at(f, facts.subgraph, SUBGRAPH_OUTPUTS);
    facts.n_tensors = flat_count(f, facts.tensors, 4);
    ck_assert_uint_le(facts.n_tensors, MAX_TENSORS);
    for (size_t i = 0; i < facts.n_tensors; i++)
        read_tensor(i);
    each_int(inputs, define);
    facts.n_inputs = flat_count(f, inputs, 4);
    facts.n_outputs = flat_count(f, outputs, 4);
    facts.n_nodes = flat_count(f, nodes, 4);
    for (size_t i = 0; i < facts.n_nodes; i++)
        read_node(flat_item(f, nodes, i));
    each_int(outputs, use);
    for (size_t i = 0; i < facts.n_nodes; i++) { /* nothing is computed for nobody */
        node_is_read = false;
        each_int(flat_at(f, flat_item(f, nodes, i), OPERATOR_OUTPUTS), look_for_reader);
        ck_assert_msg(node_is_read, "an operator that nobody reads");
    }
}

static void read_metadata(void)
{
    const flat_file *f = &facts.file;
    const size_t entries = flat_at(f, facts.model, MODEL_METADATA);
    ck_assert_uint_eq(flat_count(f, entries, 4), 2);
    for (size_t i = 0; i < 2; i++) {
        const size_t entry = flat_item(f, entries, i);
        const char *name = flat_text(f, flat_at(f, entry, METADATA_NAME));
        size_t at, size = buffer_size((size_t)flat_int(f, entry, METADATA_BUFFER, 0), &at);
        if (strcmp(name, "min_runtime_version") == 0) {
            ck_assert_uint_eq(size, 16);
            memcpy(facts.runtime, f->data + at, 16);
        } else {
            ck_assert_str_eq(name, "CONVERSION_METADATA");
            const flat_file inner = {.data = f->data + at, .size = size};
            const size_t environment = flat_at(&inner, flat_root(&inner, "CNVT"), CONVERSION_ENVIRONMENT);
            ck_assert_ptr_nonnull(
                strstr(flat_text(&inner, flat_at(&inner, environment, ENVIRONMENT_VERSION)), "cnnfreeze"));
        }
    }
}

/* What the signature calls input or output `index`. */
static const char *key_of(uint32_t side, size_t index)
{
    const flat_file *f = &facts.file;
    const size_t signature = flat_item(f, flat_at(f, facts.model, MODEL_SIGNATURE_DEFS), 0),
                 map = flat_item(f, flat_at(f, signature, side), index),
                 ports = flat_at(f, facts.subgraph, side == SIGNATURE_INPUTS ? SUBGRAPH_INPUTS : SUBGRAPH_OUTPUTS);
    ck_assert_str_eq(flat_text(f, flat_at(f, signature, SIGNATURE_KEY)), "serving_default");
    ck_assert_int_eq(flat_int(f, map, TENSOR_MAP_INDEX, 0), flat_item_int(f, ports, index));
    return flat_text(f, flat_at(f, map, TENSOR_MAP_NAME));
}

static void read_model(const cnnf_buffer *buffer)
{
    memset(&facts, 0, sizeof facts);
    facts.file = (flat_file){.data = cnnf_buffer_data(buffer), .size = cnnf_buffer_size(buffer)};
    const flat_file *f = &facts.file;
    facts.model = flat_root(f, CNNFI_TFLITE_IDENTIFIER);
    ck_assert_int_eq(flat_int(f, facts.model, MODEL_VERSION, 0), CNNFI_TFLITE_VERSION);
    facts.buffers = flat_at(f, facts.model, MODEL_BUFFERS);
    facts.subgraph = flat_item(f, flat_at(f, facts.model, MODEL_SUBGRAPHS), 0);
    facts.tensors = flat_at(f, facts.subgraph, SUBGRAPH_TENSORS);
    size_t at;
    ck_assert_uint_eq(buffer_size(0, &at), 0);
    read_graph();
    read_metadata();
}

/* ---- models ---- */

static cnnf_buffer *export_graph(const cnnf_graph *graph, const cnnf_tflite_options *options)
{
    cnnf_buffer *buffer = NULL;
    test_ok(cnnf_write_tflite_buffer(&buffer, graph, options, error));
    read_model(buffer);
    return buffer;
}

START_TEST(test_tutorial)
{
    cnnf_graph *graph = frozen(TUTORIAL, "static_shapes fold_batch_norms fold_constants");
    cnnf_buffer *first = export_graph(graph, NULL), *second = export_graph(graph, NULL);
    ck_assert_uint_eq(facts.n_inputs, 1);
    ck_assert_uint_eq(facts.n_outputs, 1);
    ck_assert_int_gt(facts.counts[TFL_CONV_2D], 1);
    ck_assert_int_eq(facts.counts[TFL_SOFTMAX], 1);
    ck_assert_int_eq(facts.counts[TFL_TRANSPOSE], 0);
    ck_assert_str_eq(key_of(SIGNATURE_INPUTS, 0), "input_1");
    ck_assert_str_eq(key_of(SIGNATURE_OUTPUTS, 0), "activation_6");
    ck_assert_str_eq(facts.runtime, "1.14.0"); /* MAXIMUM of the batch norms that went through an activation */
    ck_assert_uint_eq(cnnf_buffer_size(first), cnnf_buffer_size(second));
    ck_assert_mem_eq(cnnf_buffer_data(first), cnnf_buffer_data(second), cnnf_buffer_size(first));
    cnnf_buffer_free(first);
    cnnf_buffer_free(second);
    cnnf_graph_unref(graph);
}
END_TEST

/* Biases and ReLUs go into the convolutions. */
START_TEST(test_fused)
{
    cnnf_graph *graph = frozen(TUTORIAL, "static_shapes fold_batch_norms(plain_relu=true) fold_constants");
    cnnf_buffer_free(export_graph(graph, NULL));
    ck_assert_int_gt(facts.fused, 2);
    ck_assert_int_eq(facts.counts[TFL_RELU], 0);
    cnnf_graph_unref(graph);
}
END_TEST

static const char *const models[] = {"oom/model.h5", "numbers/i2_act_prelu/model.h5", "numbers/i2_dense_i64/model.h5",
                                     "numbers/m3_F_feat/model.keras"};

START_TEST(test_golden)
{
    char path[512];
    snprintf(path, sizeof path, GOLDEN("%s"), models[_i]);
    cnnf_graph *graph = frozen(path, "fold_constants");
    cnnf_buffer_free(export_graph(graph, NULL));
    ck_assert_uint_gt(facts.n_nodes, 0);
    ck_assert_uint_gt(facts.weight_bytes, 0);
    cnnf_graph_unref(graph);
}
END_TEST

START_TEST(test_file)
{
    cnnf_graph *graph = frozen(TUTORIAL, "fold_batch_norms");
    cnnf_buffer *buffer = export_graph(graph, NULL);
    size_t size;
    test_ok(cnnf_write_tflite_file(graph, folder_path("m.tflite"), NULL, NULL, error));
    uint8_t *bytes = file_read(folder_path("m.tflite"), &size);
    ck_assert_uint_eq(size, cnnf_buffer_size(buffer));
    ck_assert_mem_eq(bytes, cnnf_buffer_data(buffer), size);
    free(bytes);
    cnnf_buffer_free(buffer);
    cnnf_graph_unref(graph);
}
END_TEST

/* ---- small graphs ---- */

static cnnf_status export_status(const cnnf_graph *graph, const char *output)
{
    cnnf_tflite_options *options = NULL;
    cnnf_buffer *buffer = NULL;
    test_ok(cnnf_tflite_options_new(&options, context, error));
    if (output) test_ok(cnnf_tflite_options_add_output(options, output, error));
    const cnnf_status status = cnnf_write_tflite_buffer(&buffer, graph, options, error);
    ck_assert((status == CNNF_OK) == (buffer != NULL));
    if (buffer != NULL) read_model(buffer);
    cnnf_buffer_free(buffer);
    cnnf_tflite_options_free(options);
    return status;
}

/* An open batch is 1 in the shape and -1 in the signature. */
START_TEST(test_open_batch)
{
    cnnf_graph *graph = one_op("Relu", CNNF_FLOAT);
    cnnf_tflite_options *options = NULL;
    test_ok(cnnf_tflite_options_new(&options, context, error));
    test_ok(cnnf_tflite_options_add_output(options, "y", error));
    cnnf_buffer *buffer = export_graph(graph, options);
    const size_t tensor = flat_item(&facts.file, facts.tensors, 0);
    const size_t shape = flat_at(&facts.file, tensor, TENSOR_SHAPE),
                 signature = flat_at(&facts.file, tensor, TENSOR_SHAPE_SIGNATURE);
    ck_assert_str_eq(flat_text(&facts.file, flat_at(&facts.file, tensor, TENSOR_NAME)), "x");
    ck_assert_int_eq(flat_item_int(&facts.file, shape, 0), 1);
    ck_assert_int_eq(flat_item_int(&facts.file, signature, 0), -1);
    ck_assert_int_eq(flat_item_int(&facts.file, signature, 1), 4);
    ck_assert_int_eq(facts.counts[TFL_RELU], 1);
    ck_assert_str_eq(facts.runtime, "1.5.0");
    cnnf_buffer_free(buffer);
    cnnf_tflite_options_free(options);
    cnnf_graph_unref(graph);
}
END_TEST

/* A convolution that two read keeps its own result: neither's activation goes into it. */
START_TEST(test_shared_result_is_not_fused)
{
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    cnnf_tensor *weights = NULL;
    const int64_t dims[] = {-1, 2}, square[] = {2, 2};
    test_ok(cnnf_tensor_new(&weights, context, CNNF_FLOAT, 2, square, error));
    test_ok(cnnfi_builder_new(&b, context, error));
    cnnf_node *x = cnnfi_builder_add(b, "Placeholder", "x"), *w = cnnfi_builder_add(b, "Const", "w"),
              *product = cnnfi_builder_add(b, "MatMul", "product"), *same = cnnfi_builder_add(b, "Identity", "same"),
              *relu = cnnfi_builder_add(b, "Relu", "relu"), *sum = cnnfi_builder_add(b, "AddV2", "sum");
    cnnfi_node_set_type(b, x, "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, x, "shape", 2, dims);
    cnnfi_node_set_type(b, w, "dtype", CNNF_FLOAT);
    cnnfi_node_set_tensor(b, w, "value", weights);
    cnnf_node *const floats[] = {product, same, relu, sum};
    for (size_t i = 0; i < 4; i++)
        cnnfi_node_set_type(b, floats[i], "T", CNNF_FLOAT);
    cnnfi_node_add_input(b, product, "x");
    cnnfi_node_add_input(b, product, "w");
    cnnfi_node_add_input(b, same, "product");
    cnnfi_node_add_input(b, relu, "same");
    cnnfi_node_add_input(b, sum, "relu");
    cnnfi_node_add_input(b, sum, "product");
    test_ok(cnnfi_builder_publish(&graph, b, error));
    ck_assert_int_eq(export_status(graph, "sum"), CNNF_OK);
    ck_assert_int_eq(facts.counts[TFL_RELU], 1);
    ck_assert_int_eq(facts.fused, 0);
    ck_assert_int_eq(export_status(graph, "relu"), CNNF_OK);
    cnnf_tensor_unref(weights);
    cnnf_graph_unref(graph);
}
END_TEST

START_TEST(test_refused)
{
    cnnf_graph *softsign = one_op("Softsign", CNNF_FLOAT), *relu = one_op("Relu", CNNF_FLOAT),
               *wide = one_op("Tanh", CNNF_DOUBLE);
    ck_assert_int_eq(export_status(relu, "y"), CNNF_OK);
    ck_assert_int_eq(export_status(softsign, "y"), CNNF_E_UNSUPPORTED);
    ck_assert_str_eq(cnnf_error_node(error), "y");
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "Softsign"));
    ck_assert_int_eq(export_status(softsign, "x"), CNNF_OK); /* what is not needed does no harm */
    ck_assert_int_eq(export_status(wide, "y"), CNNF_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "double"));
    ck_assert_int_eq(export_status(relu, "z"), CNNF_E_NOT_FOUND);
    ck_assert_int_eq(export_status(relu, NULL), CNNF_E_NOT_FOUND);
    cnnf_graph_unref(softsign);
    cnnf_graph_unref(relu);
    cnnf_graph_unref(wide);
}
END_TEST

START_TEST(test_misuse)
{
    cnnf_graph *graph = one_op("Relu", CNNF_FLOAT);
    cnnf_tflite_options *options = NULL;
    cnnf_buffer *buffer = NULL;
    ck_assert_int_eq(cnnf_tflite_options_new(NULL, context, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_tflite_options_new(&options, NULL, error), CNNF_E_INVALID);
    test_ok(cnnf_tflite_options_new(&options, context, error));
    ck_assert_int_eq(cnnf_tflite_options_add_output(options, NULL, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_tflite_options_add_output(NULL, "y", error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_write_tflite_buffer(NULL, graph, NULL, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_write_tflite_buffer(&buffer, NULL, NULL, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_write_tflite_file(graph, NULL, NULL, NULL, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_write_tflite_file(NULL, "x", NULL, NULL, error), CNNF_E_INVALID);
    test_ok(cnnf_tflite_options_add_output(options, "y", error));
    ck_assert_int_eq(cnnf_write_tflite_file(graph, folder_path("none/m.tflite"), options, NULL, error), CNNF_E_IO);
    cnnf_tflite_options_free(options);
    cnnf_tflite_options_free(NULL);
    ck_assert_int_eq(cnnf_tflite_has_op("Relu"), 1);
    ck_assert_int_eq(cnnf_tflite_has_op("Const"), 1);
    ck_assert_int_eq(cnnf_tflite_has_op("MaxPool3D"), 0);
    ck_assert_int_eq(cnnf_tflite_has_op(NULL), 0);
    cnnf_graph_unref(graph);
}
END_TEST

static Suite *tflite_suite(void)
{
    Suite *suite = suite_create("tflite");
    TCase *tcase = tcase_create("tflite");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_tutorial);
    tcase_add_test(tcase, test_fused);
    tcase_add_loop_test(tcase, test_golden, 0, (int)(sizeof models / sizeof *models));
    tcase_add_test(tcase, test_file);
    tcase_add_test(tcase, test_open_batch);
    tcase_add_test(tcase, test_shared_result_is_not_fused);
    tcase_add_test(tcase, test_refused);
    tcase_add_test(tcase, test_misuse);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(tflite_suite)
