/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the writers wrote is read back: every graph among the golden files, and made ones that have payloads at every
 * nesting and on both sides of the size from which they are streamed. The made ones are composed as TensorFlow's
 * serializer does, so that reading and writing them must give the same bytes.
 */
#include "base/context.h"
#include "base/wire.h"
#include "fixture.h"

#include "graph/builder.h"
#include "graph/tensor.h"

#define SEEDS 400

/* ---- composing GraphDefs ---- */

enum { UINT8 = 4, INT32 = 3, STRING = 7, FLOAT = 1 };

static const size_t sizes[] = {0, 1, 16, 127, 128, 1022, 1023, 1024, 1025, 3000, 20000};

static uint32_t state;

static uint32_t draw(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
}

static size_t draw_size(void)
{
    return sizes[draw(sizeof sizes / sizeof *sizes)];
}

/* A field holding what `fill` composes. */
typedef void (*fill_fn)(cnnfi_strbuf *out, uint32_t depth);

static void put_message(cnnfi_strbuf *out, uint32_t field, fill_fn fill, uint32_t depth)
{
    cnnfi_strbuf inner;
    cnnfi_strbuf_init(&inner, context);
    fill(&inner, depth);
    ck_assert(!inner.failed);
    cnnfi_put_bytes(out, field, inner.data, inner.size);
    cnnfi_strbuf_free(&inner);
}

/* TensorShapeProto with one dimension. */
static void put_shape(cnnfi_strbuf *out, size_t size)
{
    cnnfi_strbuf dim, shape;
    cnnfi_strbuf_init(&dim, context);
    cnnfi_strbuf_init(&shape, context);
    cnnfi_put_int_nonzero(&dim, 1, (int64_t)size);
    cnnfi_put_bytes(&shape, 2, dim.data, dim.size);
    cnnfi_put_bytes(out, 2, shape.data, shape.size);
    cnnfi_strbuf_free(&dim);
    cnnfi_strbuf_free(&shape);
}

static void put_pattern(cnnfi_strbuf *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        cnnfi_strbuf_putc(out, (char)(uint8_t)(1 + draw(120)));
}

static void fill_bytes(cnnfi_strbuf *out, uint32_t depth)
{
    put_pattern(out, draw_size());
}

/* TensorProto: bytes in tensor_content, packed int_val, or string_val. */
static void fill_tensor(cnnfi_strbuf *out, uint32_t depth)
{
    const size_t size = draw_size();
    cnnfi_strbuf values;
    cnnfi_strbuf_init(&values, context);
    put_pattern(&values, size);
    switch (size ? draw(4) : 0) {
    case 0:
        cnnfi_put_int(out, 1, UINT8);
        put_shape(out, size);
        if (size) cnnfi_put_bytes(out, 4, values.data, size);
        break;
    case 1: /* a varint below 128 is its own byte */
        cnnfi_put_int(out, 1, INT32);
        put_shape(out, size);
        cnnfi_put_bytes(out, 7, values.data, size);
        break;
    case 2:
        cnnfi_put_int(out, 1, STRING);
        put_shape(out, 2);
        cnnfi_put_bytes(out, 8, values.data, size);
        cnnfi_put_bytes(out, 8, values.data, draw((uint32_t)size));
        break;
    default:
        cnnfi_put_int(out, 1, FLOAT);
        put_shape(out, size / 4);
        if (size / 4) cnnfi_put_bytes(out, 4, values.data, size / 4 * 4);
    }
    cnnfi_strbuf_free(&values);
}

static void fill_attrs(cnnfi_strbuf *out, uint32_t field, uint32_t depth);

/* NameAttrList: a function's name and its attributes, which may hold tensors again. */
static void fill_func(cnnfi_strbuf *out, uint32_t depth)
{
    cnnfi_put_string(out, 1, "f");
    fill_attrs(out, 2, depth + 1);
}

static void fill_list(cnnfi_strbuf *out, uint32_t depth)
{
    const uint32_t kind = draw(3);
    for (uint32_t i = draw(4); i > 0; i--) {
        if (kind == 0) put_message(out, 8, fill_tensor, depth);
        if (kind == 1) put_message(out, 9, fill_func, depth);
        if (kind == 2) put_message(out, 2, fill_bytes, 0);
    }
}

static void fill_value(cnnfi_strbuf *out, uint32_t depth)
{
    switch (depth < 3 ? draw(7) : draw(3)) {
    case 0:
    case 1:
        put_message(out, 8, fill_tensor, depth);
        break;
    case 2:
        put_message(out, 2, fill_bytes, 0);
        break;
    case 3:
        put_message(out, 10, fill_func, depth);
        break;
    case 4:
        put_message(out, 1, fill_list, depth);
        break;
    default:
        cnnfi_put_int(out, 3, draw(1000));
    }
}

/* A map's entries: no key begins another, so that upb's order is the plain one. */
static void fill_attrs(cnnfi_strbuf *out, uint32_t field, uint32_t depth)
{
    const uint32_t count = draw(4);
    for (uint32_t i = 0; i < count; i++) {
        const char key[] = {'k', (char)('a' + i), '\0'};
        cnnfi_strbuf entry;
        cnnfi_strbuf_init(&entry, context);
        cnnfi_put_string(&entry, 1, key);
        put_message(&entry, 2, fill_value, depth);
        cnnfi_put_bytes(out, field, entry.data, entry.size);
        cnnfi_strbuf_free(&entry);
    }
}

/* NodeDef */
static void fill_node(cnnfi_strbuf *out, uint32_t number)
{
    char name[16];
    snprintf(name, sizeof name, "n%u", number);
    cnnfi_put_string(out, 1, name);
    cnnfi_put_string(out, 2, "NoOp");
    fill_attrs(out, 5, 0);
}

static void fill_nodes(cnnfi_strbuf *out, uint32_t field)
{
    const uint32_t count = draw(4);
    for (uint32_t i = 0; i < count; i++)
        put_message(out, field, fill_node, i);
}

static void fill_signature(cnnfi_strbuf *out, uint32_t number)
{
    char name[16];
    snprintf(name, sizeof name, "f%u", number);
    cnnfi_put_string(out, 1, name);
}

static void fill_arg_attrs(cnnfi_strbuf *out, uint32_t depth)
{
    fill_attrs(out, 1, depth);
}

/* FunctionDef: a body, attributes, and those of its first argument. */
static void fill_function(cnnfi_strbuf *out, uint32_t number)
{
    put_message(out, 1, fill_signature, number);
    fill_nodes(out, 3);
    fill_attrs(out, 5, 1);
    if (!draw(2)) return;
    cnnfi_strbuf entry;
    cnnfi_strbuf_init(&entry, context);
    cnnfi_put_int(&entry, 1, 0);
    put_message(&entry, 2, fill_arg_attrs, 1);
    cnnfi_put_bytes(out, 7, entry.data, entry.size);
    cnnfi_strbuf_free(&entry);
}

static void fill_library(cnnfi_strbuf *out, uint32_t depth)
{
    const uint32_t count = draw(4);
    for (uint32_t i = 0; i < count; i++)
        put_message(out, 1, fill_function, i);
}

static void fill_versions(cnnfi_strbuf *out, uint32_t depth)
{
    cnnfi_put_int(out, 1, 134);
}

static void fill_graph(cnnfi_strbuf *out)
{
    fill_nodes(out, 1);
    put_message(out, 2, fill_library, 0);
    put_message(out, 4, fill_versions, 0);
}

/* ---- reading back ---- */

static cnnf_graph *loaded(const void *bytes, size_t size)
{
    cnnf_graph *graph = NULL;
    const cnnf_status status = cnnf_load_memory(&graph, context, bytes, size, "written", NULL, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    return graph;
}

static cnnf_buffer *written(const cnnf_graph *graph, int text)
{
    cnnf_write_options *options = NULL;
    cnnf_buffer *buffer = NULL;
    ck_assert_int_eq(cnnf_write_options_new(&options, context, NULL), CNNF_OK);
    cnnf_write_options_set_text(options, text, NULL);
    const cnnf_status status = cnnf_write_graphdef_buffer(&buffer, graph, options, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    cnnf_write_options_free(options);
    return buffer;
}

static void check_same_bytes(const cnnf_buffer *buffer, const void *bytes, size_t size)
{
    ck_assert_uint_eq(cnnf_buffer_size(buffer), size);
    ck_assert_int_eq(memcmp(cnnf_buffer_data(buffer), bytes, size), 0);
}

/* Binary and text of a graph, each read back and written again: the same bytes. (Text has no unknown fields.) */
static void check_reads_back(const cnnf_graph *graph)
{
    uint64_t size = 0;
    for (int text = 0; text < 2; text++) {
        cnnf_buffer *first = written(graph, text);
        if (!text) {
            ck_assert_int_eq(cnnf_graphdef_size(&size, graph, NULL), CNNF_OK);
            ck_assert_uint_eq(cnnf_buffer_size(first), size);
        }
        cnnf_graph *again = loaded(cnnf_buffer_data(first), cnnf_buffer_size(first));
        ck_assert_int_eq(cnnf_graph_node_count(again), cnnf_graph_node_count(graph));
        cnnf_buffer *second = written(again, text);
        check_same_bytes(second, cnnf_buffer_data(first), cnnf_buffer_size(first));
        cnnf_buffer_free(second);
        cnnf_graph_unref(again);
        cnnf_buffer_free(first);
    }
}

/* From memory and from a file: payloads that lie in a file are cut out whatever their size. */
START_TEST(made_graphs_read_back)
{
    const char *path = folder_path("graph.pb");
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        cnnfi_strbuf bytes;
        cnnf_graph *graph = NULL;
        state = seed;
        cnnfi_strbuf_init(&bytes, context);
        fill_graph(&bytes);
        graph = loaded(bytes.data, bytes.size);
        cnnf_buffer *buffer = written(graph, 0);
        check_same_bytes(buffer, bytes.data, bytes.size);
        cnnf_buffer_free(buffer);
        check_reads_back(graph);
        cnnf_graph_unref(graph);
        file_write(path, bytes.data, bytes.size);
        ck_assert_int_eq(cnnf_load_file(&graph, context, path, NULL, error), CNNF_OK);
        check_reads_back(graph);
        cnnf_graph_unref(graph);
        cnnfi_strbuf_free(&bytes);
    }
}
END_TEST

static const size_t around[] = {1023, 1024, 1025};

/* AttrValue {list {tensor ...}}: three tensors of the sizes drawn by `choice`, an empty one among them. */
static void fill_three_tensors(cnnfi_strbuf *out, uint32_t choice)
{
    cnnfi_strbuf list, tensor, values;
    cnnfi_strbuf_init(&list, context);
    cnnfi_strbuf_init(&tensor, context);
    cnnfi_strbuf_init(&values, context);
    for (uint32_t k = 0; k < 3; k++, choice /= 3) {
        tensor.size = values.size = 0;
        put_pattern(&values, around[choice % 3]);
        cnnfi_put_int(&tensor, 1, UINT8);
        put_shape(&tensor, values.size);
        cnnfi_put_bytes(&tensor, 4, values.data, values.size);
        cnnfi_put_bytes(&list, 8, tensor.data, tensor.size);
        tensor.size = 0;
        cnnfi_put_int(&tensor, 1, UINT8);
        put_shape(&tensor, 0);
        if (k == 1) cnnfi_put_bytes(&list, 8, tensor.data, tensor.size);
    }
    cnnfi_put_bytes(out, 1, list.data, list.size);
    cnnfi_strbuf_free(&values);
    cnnfi_strbuf_free(&tensor);
    cnnfi_strbuf_free(&list);
}

static void fill_one_attr(cnnfi_strbuf *out, uint32_t choice)
{
    cnnfi_put_string(out, 1, "values");
    put_message(out, 2, fill_three_tensors, choice);
}

static void fill_plain_node(cnnfi_strbuf *out, uint32_t choice)
{
    cnnfi_put_string(out, 1, "c");
    cnnfi_put_string(out, 2, "NoOp");
    put_message(out, 5, fill_one_attr, choice);
}

static void fill_plain_function(cnnfi_strbuf *out, uint32_t choice)
{
    put_message(out, 1, fill_signature, 0);
    put_message(out, 3, fill_plain_node, choice);
    put_message(out, 5, fill_one_attr, choice);
}

static void fill_plain_library(cnnfi_strbuf *out, uint32_t choice)
{
    put_message(out, 1, fill_plain_function, choice);
}

/* A payload that ends where the next begins: in a list, in a function's body, at the seam of body and attributes. */
START_TEST(payloads_side_by_side)
{
    for (uint32_t choice = 0; choice < 27; choice++) {
        cnnfi_strbuf bytes;
        cnnfi_strbuf_init(&bytes, context);
        put_message(&bytes, 1, fill_plain_node, choice);
        put_message(&bytes, 2, fill_plain_library, choice);
        cnnf_graph *graph = loaded(bytes.data, bytes.size);
        cnnf_buffer *buffer = written(graph, 0);
        check_same_bytes(buffer, bytes.data, bytes.size);
        cnnf_buffer_free(buffer);
        check_reads_back(graph);
        cnnf_graph_unref(graph);
        cnnfi_strbuf_free(&bytes);
    }
}
END_TEST

/* ---- golden files ---- */

static const char *const golden[] = {
    GOLDEN("oom/graph.meta"),
    GOLDEN("oom/graph.pb"),
    GOLDEN("oom/graph.pbtxt"),
    GOLDEN("passes/training_cond_v1.pb"),
    GOLDEN("passes/training_cond_v2.pb"),
    GOLDEN("graphdef/all.pb"),
    GOLDEN("graphdef/all.pbtxt"),
    GOLDEN("graphdef/canonical.pb"),
    GOLDEN("graphdef/graph.meta"),
    GOLDEN("graphdef/graph.meta.pbtxt"),
};

START_TEST(golden_graphs_read_back)
{
    cnnf_graph *graph = NULL;
    const cnnf_status status = cnnf_load_file(&graph, context, golden[_i], NULL, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    check_reads_back(graph);
    cnnf_graph_unref(graph);
}
END_TEST

/* ---- MetaGraphDef: a graph with a library inside another message, and the checkpoint beside it ---- */

static cnnf_graph *graph_with_variable(uint32_t seed)
{
    cnnfi_builder *b = NULL;
    cnnf_graph *made = NULL;
    cnnfi_strbuf bytes;
    const float values[300] = {1, 2, 3};
    state = seed;
    cnnfi_strbuf_init(&bytes, context);
    fill_graph(&bytes);
    cnnf_graph *graph = loaded(bytes.data, bytes.size);
    ck_assert_int_eq(cnnfi_builder_from(&b, graph, NULL), CNNF_OK);
    cnnf_graph_unref(graph);
    cnnfi_strbuf_free(&bytes);
    cnnf_tensor *tensor = NULL;
    const int64_t dims[] = {300};
    ck_assert_int_eq(cnnfi_tensor_copy(&tensor, context, CNNF_FLOAT, 1, dims, values, NULL), CNNF_OK);
    cnnf_node *node = cnnfi_builder_add(b, "VariableV2", "v");
    cnnfi_node_set_type(b, node, "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, node, "shape", 1, dims);
    cnnfi_node_set_value(b, node, tensor);
    cnnf_tensor_unref(tensor);
    ck_assert_int_eq(cnnfi_builder_publish(&made, b, error), CNNF_OK);
    return made;
}

START_TEST(meta_graphs_read_back)
{
    for (uint32_t seed = 0; seed < 40; seed++) {
        cnnf_graph *graph = graph_with_variable(seed), *with_saver = NULL, *again = NULL;
        ck_assert_int_eq(cnnf_graph_with_saver(&with_saver, graph, error), CNNF_OK);
        cnnf_buffer *wanted = written(with_saver, 0);
        cnnf_status status = cnnf_write_checkpoint(graph, folder_path("set"), NULL, error);
        ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
        status = cnnf_load_file(&again, context, folder_path("set.meta"), NULL, error);
        ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
        cnnf_buffer *buffer = written(again, 0);
        check_same_bytes(buffer, cnnf_buffer_data(wanted), cnnf_buffer_size(wanted));
        cnnf_buffer_free(buffer);
        cnnf_buffer_free(wanted);
        cnnf_graph_unref(again);
        cnnf_graph_unref(with_saver);
        cnnf_graph_unref(graph);
    }
}
END_TEST

static Suite *write_back_suite(void)
{
    Suite *suite = suite_create("write_back");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, made_graphs_read_back);
    tcase_add_test(all, payloads_side_by_side);
    tcase_add_loop_test(all, golden_graphs_read_back, 0, (int)(sizeof golden / sizeof *golden));
    tcase_add_test(all, meta_graphs_read_back);
    suite_add_tcase(suite, all);
    return suite;
}

TEST_MAIN(write_back_suite)
