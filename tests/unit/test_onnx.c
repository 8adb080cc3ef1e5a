/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX models as they are written: read back field by field and held to what makes a model valid. What they compute is
   tests/conformance/test_onnx.py's. */
#include "base/strmap.h"
#include "base/wire.h"
#include "export_support.h"

#include <cnnfreeze/onnx.h>

#define TUTORIAL SOURCE_ROOT "/examples/data/keras_trained_model.h5"

/* onnx.proto */
enum { MODEL_IR_VERSION = 1, MODEL_GRAPH = 7, MODEL_OPSET_IMPORT };
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT };
enum { NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, NODE_OP_TYPE };
enum { TENSOR_DIMS = 1, TENSOR_DATA_TYPE, TENSOR_NAME = 8, TENSOR_RAW_DATA, TENSOR_EXTERNAL_DATA = 13 };

typedef struct model_facts {
    cnnfi_strmap defined, used;
    char names[8192][96]; /* what `defined` borrows */
    int n_names, n_nodes, n_initializers, n_external;
    int n_inputs, n_outputs, n_transposes, n_norms, n_identities;
    int64_t opset;
} model_facts;

static model_facts facts;

static const char *keep(cnnfi_bytes bytes)
{
    ck_assert_int_lt(facts.n_names, 8192);
    char *name = facts.names[facts.n_names++];
    snprintf(name, sizeof facts.names[0], "%.*s", (int)bytes.size, (const char *)bytes.data);
    return name;
}

static void define(cnnfi_bytes name)
{
    const char *text = keep(name);
    ck_assert_msg(cnnfi_strmap_get(&facts.defined, text) < 0, "'%s' is defined twice", text);
    ck_assert(cnnfi_strmap_set(&facts.defined, text, 1));
}

static void use(cnnfi_bytes name)
{
    if (name.size == 0) return; /* left out */
    ck_assert(cnnfi_strmap_set(&facts.used, keep(name), 1));
    ck_assert_msg(cnnfi_strmap_get_n(&facts.defined, (const char *)name.data, name.size) >= 0, "'%.*s' is not defined",
                  (int)name.size, (const char *)name.data);
}

static bool text_is(cnnfi_bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

/* Calls take() for each field; the message must be whole. */
static void each_field(cnnfi_bytes message, void (*take)(const cnnfi_wire_field *field))
{
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    int more;
    while ((more = cnnfi_wire_next(&c, &field)) > 0)
        take(&field);
    ck_assert_int_eq(more, 0);
}

static void take_node_field(const cnnfi_wire_field *field)
{
    if (field->number == NODE_INPUT) use(field->bytes);
    if (field->number == NODE_OUTPUT) define(field->bytes);
    if (field->number != NODE_OP_TYPE) return;
    facts.n_transposes += text_is(field->bytes, "Transpose");
    facts.n_norms += text_is(field->bytes, "BatchNormalization");
    facts.n_identities += text_is(field->bytes, "Identity");
}

static int64_t tensor_count, tensor_type;
static uint64_t tensor_raw;
static bool tensor_external;

static void take_tensor_field(const cnnfi_wire_field *field)
{
    if (field->number == TENSOR_DIMS) tensor_count *= (int64_t)field->value;
    if (field->number == TENSOR_DATA_TYPE) tensor_type = (int64_t)field->value;
    if (field->number == TENSOR_NAME) define(field->bytes);
    if (field->number == TENSOR_RAW_DATA) tensor_raw = field->bytes.size;
    if (field->number == TENSOR_EXTERNAL_DATA) tensor_external = true;
}

static void take_initializer(cnnfi_bytes message)
{
    static const int64_t sizes[] = {[1] = 4, [2] = 1, [3] = 1, [6] = 4, [7] = 8, [9] = 1, [10] = 2, [11] = 8};
    tensor_count = 1;
    tensor_raw = 0;
    tensor_external = false;
    each_field(message, take_tensor_field);
    facts.n_initializers++;
    facts.n_external += tensor_external;
    if (!tensor_external) ck_assert_int_eq((int64_t)tensor_raw, tensor_count * sizes[tensor_type]);
}

static void take_port_name(const cnnfi_wire_field *field)
{
    if (field->number == 1) define(field->bytes);
}

static void take_result_name(const cnnfi_wire_field *field)
{
    if (field->number == 1) use(field->bytes);
}

/* Initializers and inputs first: nodes come before them in the file. */
static void take_graph_values(const cnnfi_wire_field *field)
{
    if (field->number == GRAPH_INITIALIZER) take_initializer(field->bytes);
    if (field->number != GRAPH_INPUT) return;
    each_field(field->bytes, take_port_name);
    facts.n_inputs++;
}

static bool node_is_read;

static void look_for_reader(const cnnfi_wire_field *field)
{
    if (field->number == NODE_OUTPUT)
        node_is_read |= cnnfi_strmap_get_n(&facts.used, (const char *)field->bytes.data, field->bytes.size) >= 0;
}

/* Nothing is computed for nobody. */
static void check_graph_readers(const cnnfi_wire_field *field)
{
    if (field->number != GRAPH_NODE) return;
    node_is_read = false;
    each_field(field->bytes, look_for_reader);
    ck_assert_msg(node_is_read, "a node that nobody reads");
}

static void take_graph_nodes(const cnnfi_wire_field *field)
{
    if (field->number == GRAPH_NODE) each_field(field->bytes, take_node_field);
    facts.n_nodes += field->number == GRAPH_NODE;
}

static void take_graph_outputs(const cnnfi_wire_field *field)
{
    if (field->number != GRAPH_OUTPUT) return;
    each_field(field->bytes, take_result_name);
    facts.n_outputs++;
}

static void take_opset_field(const cnnfi_wire_field *field)
{
    if (field->number == 2) facts.opset = (int64_t)field->value;
}

static void take_model_field(const cnnfi_wire_field *field)
{
    if (field->number == MODEL_OPSET_IMPORT) each_field(field->bytes, take_opset_field);
    if (field->number != MODEL_GRAPH) return;
    each_field(field->bytes, take_graph_values);
    each_field(field->bytes, take_graph_nodes);
    each_field(field->bytes, take_graph_outputs);
    each_field(field->bytes, check_graph_readers);
}

static void read_model(const void *data, size_t size)
{
    memset(&facts, 0, sizeof facts);
    cnnfi_strmap_init(&facts.defined, context);
    cnnfi_strmap_init(&facts.used, context);
    each_field((cnnfi_bytes){.data = data, .size = size}, take_model_field);
    cnnfi_strmap_free(&facts.defined);
    cnnfi_strmap_free(&facts.used);
}

/* ---- models ---- */

static cnnf_buffer *export_graph(const cnnf_graph *graph, const cnnf_onnx_options *options)
{
    cnnf_buffer *buffer = NULL;
    test_ok(cnnf_write_onnx_buffer(&buffer, graph, options, error));
    read_model(cnnf_buffer_data(buffer), cnnf_buffer_size(buffer));
    return buffer;
}

START_TEST(test_tutorial)
{
    cnnf_graph *graph = frozen(TUTORIAL, "fold_batch_norms fold_constants");
    cnnf_buffer *first = export_graph(graph, NULL), *second = export_graph(graph, NULL);
    ck_assert_int_eq(facts.opset, CNNF_ONNX_OPSET_DEFAULT);
    ck_assert_int_eq(facts.n_inputs, 1);
    ck_assert_int_eq(facts.n_outputs, 1);
    ck_assert_int_gt(facts.n_nodes, 5);
    /* One channel comes in, and the dense layers see one place: no axis has to move. */
    ck_assert_int_le(facts.n_transposes, 1);
    ck_assert_int_eq(facts.n_identities, 0);
    ck_assert_uint_eq(cnnf_buffer_size(first), cnnf_buffer_size(second));
    ck_assert_mem_eq(cnnf_buffer_data(first), cnnf_buffer_data(second), cnnf_buffer_size(first));
    cnnf_buffer_free(first);
    cnnf_buffer_free(second);
    cnnf_graph_unref(graph);
}
END_TEST

/* The Flatten of Keras 2.2.5 computes its shape, which is known here: what computed it is gone. */
START_TEST(test_shape_arithmetic)
{
    cnnf_graph *graph = frozen(TUTORIAL, "prune");
    bool computes = false;
    for (int64_t i = 0; i < cnnf_graph_node_count(graph); i++)
        computes |= strcmp(cnnf_node_op(cnnf_graph_node(graph, i)), "StridedSlice") == 0;
    ck_assert(computes);
    cnnf_buffer_free(export_graph(graph, NULL));
    cnnf_graph_unref(graph);
}
END_TEST

static const char *const models[] = {"oom/model.h5", "numbers/i2_act_prelu/model.h5", "numbers/i2_dense_i64/model.h5",
                                     "numbers/m3_F_feat/model.keras", "numbers/o2_ops/model.h5"};

START_TEST(test_golden)
{
    char path[512];
    snprintf(path, sizeof path, GOLDEN("%s"), models[_i]);
    cnnf_graph *graph = frozen(path, "fold_constants");
    for (int32_t opset = CNNF_ONNX_OPSET_MIN; opset <= CNNF_ONNX_OPSET_MAX; opset++) {
        cnnf_onnx_options *options = NULL;
        test_ok(cnnf_onnx_options_new(&options, context, error));
        test_ok(cnnf_onnx_options_set_opset(options, opset, error));
        test_ok(cnnf_onnx_options_set_inputs_as_nchw(options, opset % 2, error));
        cnnf_buffer_free(export_graph(graph, options));
        ck_assert_int_eq(facts.opset, opset);
        cnnf_onnx_options_free(options);
    }
    cnnf_graph_unref(graph);
}
END_TEST

START_TEST(test_external_data)
{
    cnnf_graph *graph = frozen(TUTORIAL, "fold_batch_norms");
    cnnf_onnx_options *options = NULL;
    size_t size, data_size;
    test_ok(cnnf_onnx_options_new(&options, context, error));
    test_ok(cnnf_onnx_options_set_external_data(options, 1, error));
    test_ok(cnnf_write_onnx_file(graph, folder_path("m.onnx"), options, NULL, error));
    uint8_t *bytes = file_read(folder_path("m.onnx"), &size), *data = file_read(folder_path("m.onnx.data"), &data_size);
    read_model(bytes, size);
    ck_assert_int_gt(facts.n_external, 2);
    ck_assert_uint_gt(data_size, size);
    free(bytes);
    free(data);
    cnnf_onnx_options_free(options);
    cnnf_graph_unref(graph);
}
END_TEST

/* ---- what is refused ---- */

static cnnf_status export_status(const cnnf_graph *graph, const char *output)
{
    cnnf_onnx_options *options = NULL;
    cnnf_buffer *buffer = NULL;
    test_ok(cnnf_onnx_options_new(&options, context, error));
    if (output) test_ok(cnnf_onnx_options_add_output(options, output, error));
    const cnnf_status status = cnnf_write_onnx_buffer(&buffer, graph, options, error);
    ck_assert((status == CNNF_OK) == (buffer != NULL));
    cnnf_buffer_free(buffer);
    cnnf_onnx_options_free(options);
    return status;
}

START_TEST(test_refused)
{
    cnnf_graph *digamma = one_op("Digamma", CNNF_FLOAT), *relu = one_op("Relu", CNNF_FLOAT);
    ck_assert_int_eq(export_status(relu, "y"), CNNF_OK);
    ck_assert_int_eq(export_status(digamma, "y"), CNNF_E_UNSUPPORTED);
    ck_assert_str_eq(cnnf_error_node(error), "y");
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "Digamma"));
    ck_assert_int_eq(export_status(digamma, "x"), CNNF_OK); /* what is not needed does no harm */
    ck_assert_int_eq(export_status(relu, "z"), CNNF_E_NOT_FOUND);
    ck_assert_int_eq(export_status(relu, NULL), CNNF_E_NOT_FOUND);
    cnnf_graph_unref(digamma);
    cnnf_graph_unref(relu);
}
END_TEST

START_TEST(test_misuse)
{
    cnnf_graph *graph = one_op("Relu", CNNF_FLOAT);
    cnnf_onnx_options *options = NULL;
    cnnf_buffer *buffer = NULL;
    ck_assert_int_eq(cnnf_onnx_options_new(NULL, context, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_onnx_options_new(&options, NULL, error), CNNF_E_INVALID);
    test_ok(cnnf_onnx_options_new(&options, context, error));
    ck_assert_int_eq(cnnf_onnx_options_set_opset(options, CNNF_ONNX_OPSET_MIN - 1, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_onnx_options_set_opset(options, CNNF_ONNX_OPSET_MAX + 1, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_onnx_options_set_opset(NULL, 17, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_onnx_options_set_inputs_as_nchw(NULL, 1, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_onnx_options_set_external_data(NULL, 1, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_onnx_options_add_output(options, NULL, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_onnx_options_add_output(NULL, "y", error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_write_onnx_buffer(NULL, graph, NULL, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_write_onnx_buffer(&buffer, NULL, NULL, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_write_onnx_file(graph, NULL, NULL, NULL, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_write_onnx_file(NULL, "x", NULL, NULL, error), CNNF_E_INVALID);
    test_ok(cnnf_onnx_options_add_output(options, "y", error));
    ck_assert_int_eq(cnnf_write_onnx_file(graph, folder_path("none/m.onnx"), options, NULL, error), CNNF_E_IO);
    cnnf_onnx_options_free(options);
    cnnf_onnx_options_free(NULL);
    ck_assert_int_eq(cnnf_onnx_opset_of("Relu"), CNNF_ONNX_OPSET_MIN);
    ck_assert_int_eq(cnnf_onnx_opset_of("ScatterNd"), 16);
    ck_assert_int_eq(cnnf_onnx_opset_of("Digamma"), 0);
    ck_assert_int_eq(cnnf_onnx_opset_of(NULL), 0);
    cnnf_graph_unref(graph);
}
END_TEST

static Suite *onnx_suite(void)
{
    Suite *suite = suite_create("onnx");
    TCase *tcase = tcase_create("onnx");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_tutorial);
    tcase_add_test(tcase, test_shape_arithmetic);
    tcase_add_loop_test(tcase, test_golden, 0, (int)(sizeof models / sizeof *models));
    tcase_add_test(tcase, test_external_data);
    tcase_add_test(tcase, test_refused);
    tcase_add_test(tcase, test_misuse);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(onnx_suite)
