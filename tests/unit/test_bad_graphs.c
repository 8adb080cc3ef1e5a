/* SPDX-License-Identifier: Apache-2.0 */
/* GraphDefs that are wrong, and the one line each of them gets. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

static cnnf_context *context;

static void setup(void)
{
    context = test_context();
}

static void teardown(void)
{
    test_context_done(context);
}

/* ---- a message under construction ---- */

typedef struct message {
    uint8_t data[4096];
    size_t size;
} message;

static void put_varint(message *m, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        m->data[m->size++] = (uint8_t)(value | 0x80);
    m->data[m->size++] = (uint8_t)value;
}

static void put_bytes(message *m, uint32_t field, const void *data, size_t size)
{
    put_varint(m, field << 3 | 2);
    put_varint(m, size);
    memcpy(m->data + m->size, data, size);
    m->size += size;
}

static void put_text(message *m, uint32_t field, const char *text)
{
    put_bytes(m, field, text, strlen(text));
}

static void put_message(message *m, uint32_t field, const message *inner)
{
    put_bytes(m, field, inner->data, inner->size);
}

static void put_int(message *m, uint32_t field, uint64_t value)
{
    put_varint(m, field << 3);
    put_varint(m, value);
}

/* NodeDef: name, op and up to two inputs. */
static void put_node(message *graph, const char *name, const char *op, const char *first, const char *second)
{
    message node = {.size = 0};
    put_text(&node, 1, name);
    put_text(&node, 2, op);
    if (first != NULL) put_text(&node, 3, first);
    if (second != NULL) put_text(&node, 3, second);
    put_message(graph, 1, &node);
}

static void check_fails(const void *data, size_t size, cnnf_status wanted, const char *line)
{
    cnnf_graph *graph = NULL;
    cnnf_error *error = cnnf_error_new();
    ck_assert_int_eq(cnnf_load_memory(&graph, context, data, size, "g.pb", NULL, error), wanted);
    ck_assert_ptr_null(graph);
    ck_assert_str_eq(cnnf_error_message(error), line);
    ck_assert_str_eq(cnnf_error_where(error), "g.pb");
    cnnf_error_free(error);
}

/* ---- the wire ---- */

static const struct {
    const char *tail; /* after a good node of 31 bytes */
    size_t size;
    const char *line;
} wires[] = {
    {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12,
     "g.pb: protobuf: offset 32: a number of more than 10 bytes"},
    {"\x0a\x80\xd0\xac\xf3\x0e"
     "12345678",
     14, "g.pb: protobuf: offset 32: length 4000000000 but 8 bytes left"},
    {"\x0b", 1, "g.pb: protobuf: offset 31: field 1 has wire type 3 (a group or unknown)"},
    {"\x0c", 1, "g.pb: protobuf: offset 31: field 1 has wire type 4 (a group or unknown)"},
    {"\x02\x00", 2, "g.pb: protobuf: offset 31: field number 0 is not allowed"},
    {"\x80\x80\x80\x80\x10\x00", 6, "g.pb: protobuf: offset 31: field number 536870912 is not allowed"},
    {"\x08\x01", 2, "g.pb: protobuf: offset 31: field 'node' has wire type 0, want 2"},
    {"\x0a", 1, "g.pb: protobuf: offset 32: ends inside a number"},
    {"\x1d\x01\x02", 3, "g.pb: protobuf: offset 32: ends inside a number"},
    {"\x0a\x05\x0a\x03"
     "a\xff"
     "b",
     7, "g.pb: protobuf: offset 35: text field 'name' is not UTF-8"},
    {"\x0a\x05\x0a\x03"
     "a\0b",
     7, "g.pb: protobuf: offset 35: zero byte in text field 'name'"},
    {"\x0a\x02\x12\x00", 4, "g.pb: node 1: empty name"},
};

START_TEST(wire_is_checked)
{
    message graph = {.size = 0}, node = {.size = 0}, entry = {.size = 0};
    put_text(&entry, 1, "a");
    put_text(&node, 1, "x");
    put_text(&node, 2, "Placeholder");
    put_bytes(&node, 5,
              "\x0a\x05"
              "dtype\x12\x02\x30\x01",
              11);
    put_message(&graph, 1, &node);
    ck_assert_uint_eq(graph.size, 31);
    memcpy(graph.data + graph.size, wires[_i].tail, wires[_i].size);
    check_fails(graph.data, graph.size + wires[_i].size, CNNF_E_CORRUPT, wires[_i].line);
}
END_TEST

/* AttrValue.func -> NameAttrList.attr -> AttrValue ...: 3,000 levels kill a parser that recurses. */
START_TEST(nesting_has_an_end)
{
    enum { LEVELS = 3000 };
    static uint8_t data[64 * LEVELS];
    size_t at = sizeof data, size;
    uint8_t head[40];
    for (int i = 0; i < LEVELS; i++) { /* inside out */
        static const uint32_t fields[] = {2, 2, 10};
        for (size_t f = 0; f < 3; f++) {
            message m = {.size = 0};
            put_varint(&m, fields[f] << 3 | 2);
            put_varint(&m, sizeof data - at);
            at -= m.size;
            memcpy(data + at, m.data, m.size);
        }
    }
    size = sizeof data - at;
    message outer = {.size = 0};
    const uint32_t around[] = {2, 5, 1}; /* the attribute's value, NodeDef.attr, GraphDef.node */
    for (size_t i = 0; i < 3; i++) {
        message m = {.size = 0};
        put_varint(&m, around[i] << 3 | 2);
        put_varint(&m, size + outer.size);
        memcpy(head, outer.data, outer.size);
        memcpy(m.data + m.size, head, outer.size);
        m.size += outer.size;
        outer = m;
    }
    memcpy(data + at - outer.size, outer.data, outer.size);
    char line[128];
    cnnf_graph *graph = NULL;
    cnnf_error *error = cnnf_error_new();
    ck_assert_int_eq(cnnf_load_memory(&graph, context, data + at - outer.size, size + outer.size, "g.pb", NULL, error),
                     CNNF_E_LIMIT);
    snprintf(line, sizeof line, "g.pb: protobuf: offset %lld: nesting deeper than 64 (limit max_depth)",
             (long long)cnnf_error_offset(error));
    ck_assert_str_eq(cnnf_error_message(error), line);
    cnnf_error_free(error);
}
END_TEST

START_TEST(empty_nodes_cost_nothing)
{
    static uint8_t data[1000000];
    for (size_t i = 0; i < sizeof data; i += 2)
        data[i] = 0x0a;
    check_fails(data, sizeof data, CNNF_E_CORRUPT, "g.pb: node 0: empty name");
    ck_assert_uint_lt(cnnf_context_memory(context, 1), 4 * sizeof data);
}
END_TEST

/* A million empty entries in one node would become 76 times as much memory. */
START_TEST(memory_is_projected)
{
    enum { SIZE = 1 << 20 };
    static uint8_t data[SIZE + 16];
    cnnf_context *small = NULL;
    cnnf_context_options *options = NULL;
    cnnf_graph *graph = NULL;
    cnnf_error *error = cnnf_error_new();
    message head = {.size = 0};
    put_varint(&head, 1 << 3 | 2);
    put_varint(&head, SIZE);
    memcpy(data, head.data, head.size);
    for (size_t i = 0; i < SIZE; i += 2)
        data[head.size + i] = 5 << 3 | 2;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    cnnf_context_options_set_limit(options, CNNF_LIMIT_MEMORY, 32 << 20, NULL);
    ck_assert_int_eq(cnnf_context_new(&small, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    ck_assert_int_eq(cnnf_load_memory(&graph, small, data, SIZE + head.size, "g.pb", NULL, error), CNNF_E_LIMIT);
    ck_assert_msg(strstr(cnnf_error_message(error), "g.pb: protobuf: memory for the decoded message: ") != NULL, "%s",
                  cnnf_error_message(error));
    ck_assert_uint_lt(cnnf_context_memory(small, 1), 16 << 20);
    cnnf_context_unref(small);
    cnnf_error_free(error);
}
END_TEST

/* ---- nodes ---- */

START_TEST(names_are_unique)
{
    message graph = {.size = 0};
    put_node(&graph, "x", "A", NULL, NULL);
    put_node(&graph, "y", "A", NULL, NULL);
    put_node(&graph, "x", "A", NULL, NULL);
    check_fails(graph.data, graph.size, CNNF_E_CORRUPT, "g.pb: node 'x' occurs twice (nodes 0 and 2)");
}
END_TEST

static const char *const bad_inputs[] = {"zz:0", ":::", "^", "x:-1", "x:99999999999999"};

START_TEST(inputs_name_nodes)
{
    char line[128];
    message graph = {.size = 0};
    put_node(&graph, "x", "A", NULL, NULL);
    put_node(&graph, "y", "B", "x", bad_inputs[_i]);
    snprintf(line, sizeof line, "g.pb: node 'y': input 1 '%s' names no node", bad_inputs[_i]);
    check_fails(graph.data, graph.size, CNNF_E_CORRUPT, line);
}
END_TEST

START_TEST(cycles_are_named)
{
    message graph = {.size = 0};
    cnnf_graph *loaded = NULL;
    cnnf_error *error = cnnf_error_new();
    put_node(&graph, "a", "A", "b", NULL);
    put_node(&graph, "b", "B", "a", NULL);
    ck_assert_int_eq(cnnf_load_memory(&loaded, context, graph.data, graph.size, "g.pb", NULL, error), CNNF_E_CORRUPT);
    ck_assert_msg(strncmp(cnnf_error_message(error), "g.pb: cycle: ", 13) == 0, "%s", cnnf_error_message(error));
    cnnf_error_free(error);
}
END_TEST

/* A Const of float[4]; fields of its TensorProto. */
static void put_const(message *graph, uint64_t declared, uint64_t dim, const void *content, size_t size, bool both)
{
    message d = {.size = 0}, shape = {.size = 0}, tensor = {.size = 0}, value = {.size = 0}, entry = {.size = 0};
    message node = {.size = 0}, type = {.size = 0}, dtype = {.size = 0};
    put_int(&d, 1, dim);
    put_message(&shape, 2, &d);
    put_int(&tensor, 1, CNNF_FLOAT);
    put_message(&tensor, 2, &shape);
    if (size > 0) put_bytes(&tensor, 4, content, size);
    if (both) put_bytes(&tensor, 5, "\0\0\0\0", 4);
    put_message(&value, 8, &tensor);
    put_text(&entry, 1, "value");
    put_message(&entry, 2, &value);
    put_int(&type, 6, declared);
    put_text(&dtype, 1, "dtype");
    put_message(&dtype, 2, &type);
    put_text(&node, 1, "c");
    put_text(&node, 2, "Const");
    put_message(&node, 5, &entry);
    put_message(&node, 5, &dtype);
    put_message(graph, 1, &node);
}

static const struct {
    uint64_t declared, dim;
    size_t size;
    bool both;
    cnnf_status status;
    const char *line;
} consts[] = {
    {CNNF_FLOAT, 4, 10, false, CNNF_E_CORRUPT, "g.pb: node 'c': tensor_content is 10 bytes, float[4] needs 16"},
    {CNNF_FLOAT, 4, 16, true, CNNF_E_CORRUPT, "g.pb: node 'c': tensor has both tensor_content and other values"},
    {CNNF_INT32, 4, 16, false, CNNF_E_CORRUPT, "g.pb: node 'c': value is float, attribute 'dtype' says int32"},
    {CNNF_FLOAT, (uint64_t)-5, 0, false, CNNF_E_CORRUPT, "g.pb: node 'c': tensor: dimension 0 is -5"},
};

START_TEST(constants_fit_their_shape)
{
    message graph = {.size = 0};
    put_const(&graph, consts[_i].declared, consts[_i].dim, "0123456789abcdef", consts[_i].size, consts[_i].both);
    check_fails(graph.data, graph.size, consts[_i].status, consts[_i].line);
}
END_TEST

/* ---- text ---- */

static const struct {
    cnnf_status status;
    const char *text, *line;
} texts[] = {
    {CNNF_E_CORRUPT, "node {\n  name: \"x\"\n  op: \"abc\n}\n", "g.pb:3:7: unterminated string"},
    {CNNF_E_CORRUPT, "node { name: \"x", "g.pb:1:14: unterminated string"},
    {CNNF_E_CORRUPT, "node { name: \"\\x\" }", "g.pb:1:17: bad escape in string"},
    {CNNF_E_CORRUPT, "node { name: \"\\q\" }", "g.pb:1:17: bad escape in string"},
    {CNNF_E_CORRUPT, "node { name: \"\\777\" }", "g.pb:1:19: bad escape in string"},
    {CNNF_E_CORRUPT, "node { name: \"\\ud800\" }", "g.pb:1:21: no such character"},
    {CNNF_E_CORRUPT, "versions { producer: 2147483648 }", "g.pb:1:22: '2147483648' does not fit 'producer' (int32)"},
    {CNNF_E_CORRUPT, "versions { producer: -2147483649 }", "g.pb:1:23: '-2147483649' does not fit 'producer' (int32)"},
    {CNNF_E_CORRUPT, "node { attr { value { i: 1180591620717411303424 } } }",
     "g.pb:1:26: '1180591620717411303424' does not fit 'i' (int64)"},
    {CNNF_E_CORRUPT, "node { attr { value { i: 08 } } }", "g.pb:1:26: '08' does not fit 'i' (int64)"},
    {CNNF_E_CORRUPT, "node { attr { value { i: 1.5 } } }", "g.pb:1:26: '1.5' is no integer for 'i'"},
    {CNNF_E_CORRUPT, "node { attr { value { f: 1.2.3 } } }", "g.pb:1:26: '1.2.3' is no number for 'f'"},
    {CNNF_E_CORRUPT, "node { attr { value { f: 0x10 } } }", "g.pb:1:26: '0x10' is no number for 'f'"},
    {CNNF_E_CORRUPT, "node { attr { value { b: 2 } } }", "g.pb:1:26: '2' does not fit 'b' (bool)"},
    {CNNF_E_CORRUPT, "node { attr { value { b: yes } } }", "g.pb:1:26: 'yes' is no bool for 'b'"},
    {CNNF_E_CORRUPT, "node { attr { value { type: DT_FOO } } }", "g.pb:1:29: 'DT_FOO' is no DataType for 'type'"},
    {CNNF_E_CORRUPT, "node { name: 3 }", "g.pb:1:14: 'name' wants a string"},
    {CNNF_E_CORRUPT, "node { name \"a\" }", "g.pb:1:13: want ':' after 'name'"},
    {CNNF_E_CORRUPT, "node { name: [\"a\"] }", "g.pb:1:14: a list for 'name', which is none"},
    {CNNF_E_CORRUPT, "node { foo: 3 }", "g.pb:1:8: NodeDef has no field 'foo'"},
    {CNNF_E_CORRUPT, "versions { producer: 1 }\nfoo: 3", "g.pb:2:1: GraphDef has no field 'foo'"},
    {CNNF_E_CORRUPT, "node {\n name: \"a\"\n", "g.pb:3:1: end of file inside NodeDef, which began at line 1"},
    {CNNF_E_CORRUPT, "library {\n", "g.pb:2:1: end of file inside FunctionDefLibrary, which began at line 1"},
    {CNNF_E_CORRUPT, "node { name: \"a\" >", "g.pb:1:18: want a field of NodeDef, found '>'"},
    {CNNF_E_CORRUPT, "node { input: [\"a\" \"b\", \"c\" }", "g.pb:1:29: want ',' or ']' in a list"},
    {CNNF_E_CORRUPT, "node { name: \"a\" device: \"\\377\" }", "g.pb:1:33: text field 'device' is not UTF-8"},
    {CNNF_E_CORRUPT, "node { name: \"a\" device: \"\\0\" }", "g.pb:1:31: zero byte in text field 'device'"},
    {CNNF_E_UNSUPPORTED, "node { [foo.bar]: 3 }", "g.pb:1:8: extension '[foo.bar]' is not supported"},
    {CNNF_E_UNSUPPORTED, "node { [type.googleapis.com/a.B] { } }",
     "g.pb:1:8: extension '[type.googleapis.com/a.B]' is not supported"},
};

START_TEST(text_is_checked)
{
    check_fails(texts[_i].text, strlen(texts[_i].text), texts[_i].status, texts[_i].line);
}
END_TEST

START_TEST(text_nesting_has_an_end)
{
    static char text[100000];
    size_t n = (size_t)snprintf(text, sizeof text, "node { attr { value ");
    while (n + 40 < sizeof text)
        n += (size_t)snprintf(text + n, sizeof text - n, "{ func { attr { value ");
    check_fails(text, n, CNNF_E_LIMIT, "g.pb:1:475: nesting deeper than 64 (limit max_depth)");
}
END_TEST

/* Everything the format allows. */
START_TEST(text_is_complete)
{
    static const char text[] =
        "\xef\xbb\xbf# comment\n"
        "node: [{ name: 'x' \"yz\" # pieces\n op: \"\\x41\\101\\u00e9\\U0001F600\\a\\?\"; input: ['a', \"b\\\"\"],\n"
        " attr: < key: \"i\"; value { i: -0x10 } >, attr { key: \"o\" value { i: 017 } }\n"
        " attr { key: 'f' value { f: -inf } } attr { key: 'g' value { f: 1.5e3f } } attr { key: 'n' value { f: NaN } "
        "}\n"
        " attr { key: 'h' value { f: .5 } } attr { key: 'b' value { b: t } } attr { key: 't' value { type: 3 } }\n"
        " attr { key: 'l' value { list { i: [1,2 , 3] f: [] } } }\n"
        " attr { key: 'm' value { list { shape: [{ dim { size: 1 } }, < unknown_rank: True >] } } }\n"
        " }, {name: 'a'}, <name: 'b\"'>]; versions < producer: - 21 >;\n";
    cnnf_graph *graph = NULL;
    cnnf_error *error = cnnf_error_new();
    cnnf_status status = cnnf_load_memory(&graph, context, text, sizeof text - 1, "g.pbtxt", NULL, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    const cnnf_node *node = cnnf_graph_find(graph, "xyz");
    ck_assert_ptr_nonnull(node);
    ck_assert_str_eq(cnnf_node_op(node), "AA\xc3\xa9\xf0\x9f\x98\x80\a?");
    ck_assert_str_eq(cnnf_node_input(node, 1), "b\"");
    ck_assert_int_eq(cnnf_node_attr_int(node, "i", 0), -16);
    ck_assert_int_eq(cnnf_node_attr_int(node, "o", 0), 15);
    ck_assert(cnnf_node_attr_float(node, "f", 0) < -3e38);
    ck_assert(cnnf_node_attr_float(node, "g", 0) == 1500);
    ck_assert(cnnf_node_attr_float(node, "h", 0) == 0.5);
    ck_assert(cnnf_node_attr_float(node, "n", 0) != cnnf_node_attr_float(node, "n", 0));
    ck_assert_int_eq(cnnf_node_attr_bool(node, "b", 0), 1);
    ck_assert_int_eq(cnnf_node_attr_type(node, "t", 0), CNNF_INT32);
    ck_assert_int_eq(cnnf_node_attr_list_count(node, "l"), 3);
    ck_assert_int_eq(cnnf_node_attr_list_count(node, "m"), 2);
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))

static Suite *bad_graphs_suite(void)
{
    Suite *suite = suite_create("bad graphs");
    TCase *binary = tcase_create("binary");
    tcase_add_checked_fixture(binary, setup, teardown);
    tcase_add_loop_test(binary, wire_is_checked, 0, COUNT(wires));
    tcase_add_test(binary, nesting_has_an_end);
    tcase_add_test(binary, empty_nodes_cost_nothing);
    tcase_add_test(binary, memory_is_projected);
    tcase_add_test(binary, names_are_unique);
    tcase_add_loop_test(binary, inputs_name_nodes, 0, COUNT(bad_inputs));
    tcase_add_test(binary, cycles_are_named);
    tcase_add_loop_test(binary, constants_fit_their_shape, 0, COUNT(consts));
    suite_add_tcase(suite, binary);
    TCase *text = tcase_create("text");
    tcase_add_checked_fixture(text, setup, teardown);
    tcase_add_loop_test(text, text_is_checked, 0, COUNT(texts));
    tcase_add_test(text, text_nesting_has_an_end);
    tcase_add_test(text, text_is_complete);
    suite_add_tcase(suite, text);
    return suite;
}

TEST_MAIN(bad_graphs_suite)
