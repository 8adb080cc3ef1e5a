/* SPDX-License-Identifier: Apache-2.0 */
/* Each line of shape_rules.txt: what an op's rule says of its outputs when ranks, sizes or values are not known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/builder.h"
#include "ops/op_rules.h"
#include "ops/op_table.h"
#include "support.h"

#define MOST  8
#define FILE_ SOURCE_ROOT "/tests/unit/shape_rules.txt"

static const struct {
    char letter;
    cnnf_dtype dtype;
} letters[] = {{'f', CNNF_FLOAT}, {'i', CNNF_INT32}, {'l', CNNF_INT64}, {'b', CNNF_BOOL}, {'c', CNNF_COMPLEX64}};

static cnnf_dtype dtype_of(char letter)
{
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (letters[i].letter == letter) return letters[i].dtype;
    ck_abort_msg("no dtype '%c'", letter);
    return 0;
}

/* "[?,3]" or "*"; returns the end. */
static const char *read_shape(const char *at, int32_t *rank, int64_t *dims)
{
    *rank = *at == '*' ? CNNFI_UNKNOWN : 0;
    if (*at == '*') return at + 1;
    ck_assert_int_eq(*at++, '[');
    while (*at != ']') {
        char *end = NULL;
        dims[(*rank)++] = *at == '?' ? CNNFI_UNKNOWN : strtoll(at, &end, 10);
        at = *at == '?' ? at + 1 : end;
        if (*at == ',') at++;
    }
    return at + 1;
}

/* "f[?,3]", "i[2]=1,2" */
static cnnfi_value read_value(const char *text, int64_t *room)
{
    int32_t rank;
    int64_t dims[CNNFI_OP_MAX_RANK];
    const char *at = read_shape(text + 1, &rank, dims);
    cnnfi_value value = cnnfi_value_make(dtype_of(*text), rank, dims);
    if (*at != '=') return value;
    value.data = room;
    for (int64_t i = 0; i < value.count; i++) {
        char *end;
        const int64_t number = strtoll(at + 1, &end, 10);
        if (value.dtype == CNNF_INT32)
            ((int32_t *)value.data)[i] = (int32_t)number;
        else
            room[i] = number;
        at = end;
    }
    return value;
}

static void print_value(char *out, const cnnfi_value *value)
{
    char shape[128] = "*";
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (letters[i].dtype == value->dtype) *out = letters[i].letter;
    if (value->rank != CNNFI_UNKNOWN) cnnfi_shape_print(shape, sizeof shape, value->rank, value->dims);
    strcpy(out + 1, shape);
}

/* name=3, name=f, name=[?,3], name=li:1,2, name=s:text */
static void set_attr(cnnfi_builder *b, cnnf_node *node, char *text)
{
    int64_t numbers[CNNFI_OP_MAX_RANK];
    int32_t count = 0;
    char *value = strchr(text, '=');
    *value++ = '\0';
    if (strncmp(value, "s:", 2) == 0) {
        cnnfi_node_set_string(b, node, text, value + 2);
    } else if (strncmp(value, "lf:", 3) == 0) {
        cnnfi_node_set_floats(b, node, text, (const float[]){1, 2}, 2);
    } else if (strncmp(value, "li:", 3) == 0) {
        char list[64];
        snprintf(list, sizeof list, "[%s]", value + 3);
        read_shape(list, &count, numbers);
        cnnfi_node_set_ints(b, node, text, numbers, (size_t)count);
    } else if (*value == '[') {
        read_shape(value, &count, numbers);
        cnnfi_node_set_shape(b, node, text, count, numbers);
    } else if (*value >= 'a') {
        cnnfi_node_set_type(b, node, text, dtype_of(*value));
    } else {
        cnnfi_node_set_int(b, node, text, strtoll(value, NULL, 10));
    }
}

/* The types that the inputs have, for the attributes that say so: some have another default. */
static void set_types(cnnfi_builder *b, cnnf_node *node, const cnnfi_call *call)
{
    const cnnfi_op *op = cnnfi_op_find(node->op);
    int32_t at = 0;
    for (size_t i = 0; i < op->n_inputs && at < call->n_inputs; i++) {
        const cnnfi_op_arg *arg = cnnfi_op_input(op, i);
        if (arg->number_attr) return;
        if (arg->type_attr) cnnfi_node_set_type(b, node, arg->type_attr, call->inputs[at].dtype);
        at++;
    }
}

static cnnf_graph *make_node(const char *op, char *attrs, const cnnfi_call *call)
{
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    char *rest = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, call->context, NULL), CNNF_OK);
    cnnf_node *node = cnnfi_builder_add(b, op, "node");
    for (char *attr = strtok_r(attrs, " ", &rest); attr; attr = strtok_r(NULL, " ", &rest))
        set_attr(b, node, attr);
    set_types(b, node, call);
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, NULL), CNNF_OK);
    return graph;
}

/* What the rule says, as the file writes it. */
static void ask(cnnf_context *context, const char *op, char *attrs, char *inputs, char *out)
{
    static int64_t room[MOST][16];
    static cnnfi_value outputs[CNNFI_CALL_OUTPUTS];
    cnnfi_value values[MOST];
    char *rest = NULL;
    cnnf_error *error = cnnf_error_new();
    cnnfi_call call = {
        .context = context, .inputs = values, .outputs = outputs, .max_outputs = CNNFI_CALL_OUTPUTS, .error = error};
    for (char *input = strtok_r(inputs, " ", &rest); input; input = strtok_r(NULL, " ", &rest)) {
        values[call.n_inputs] = read_value(input, room[call.n_inputs]);
        call.n_inputs++;
    }
    cnnf_graph *graph = make_node(op, attrs, &call);
    call.node = graph->nodes[0];
    const cnnf_status status = cnnfi_op_infer(&call);
    bool complete = true;
    *out = '\0';
    for (int32_t i = 0; status >= 0 && i < call.n_outputs; i++) {
        if (i) strcat(out, " ");
        print_value(out + strlen(out), &outputs[i]);
        complete = complete && cnnfi_value_is_shaped(&outputs[i]);
    }
    if (status < 0) strcpy(out, "error");
    ck_assert(status < 0 || complete || status == CNNFI_INFER_DYNAMIC);
    ck_assert_msg(status >= 0 || strstr(cnnf_error_message(error), "node"), "%s", cnnf_error_message(error));
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
}

/* The next field of a line, without blanks around it. */
static char *field(char **line)
{
    char *begin = *line, *end = strpbrk(begin, "|\n");
    *line = end + 1;
    while (strchr(" +-", *begin))
        begin++;
    while (end > begin && end[-1] == ' ')
        end--;
    *end = '\0';
    return begin;
}

START_TEST(rules_say_what_follows)
{
    char line[512], said[512];
    cnnf_context *context = test_context();
    FILE *file = fopen(FILE_, "r");
    ck_assert_ptr_nonnull(file);
    int lines = 0;
    while (fgets(line, sizeof line, file)) {
        char *at = line;
        if (*line == '#' || *line == '\n') continue;
        char *op = field(&at), *attrs = field(&at), *inputs = field(&at), *want = field(&at);
        char asked[512];
        memcpy(asked, inputs, strlen(inputs) + 1);
        ask(context, op, attrs, inputs, said);
        ck_assert_msg(strcmp(said, want) == 0, "%s %s: %s, not %s", op, asked, said, want);
        lines++;
    }
    fclose(file);
    ck_assert_int_gt(lines, 150);
    test_context_done(context);
}
END_TEST

static Suite *shape_rules_suite(void)
{
    Suite *suite = suite_create("shape_rules");
    TCase *tests = tcase_create("shape_rules");
    tcase_add_test(tests, rules_say_what_follows);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(shape_rules_suite)
