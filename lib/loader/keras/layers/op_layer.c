/* SPDX-License-Identifier: Apache-2.0 */
/* tf.keras' TensorFlowOpLayer: an op of a graph, kept as its NodeDef in JSON. */
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/layers.h"
#include "ops/op_rules.h"
#include "ops/op_table.h"

#define MAX_OUTPUTS 64

/* ---- attributes ---- */

static cnnf_dtype dtype_of(const char *name)
{
    char plain[32];
    if (strncmp(name, "DT_", 3) != 0 || strlen(name) >= sizeof plain) return 0;
    size_t n = strlen(name + 3);
    for (size_t i = 0; i <= n; i++)
        plain[i] = name[3 + i] >= 'A' && name[3 + i] <= 'Z' ? (char)(name[3 + i] + ('a' - 'A')) : name[3 + i];
    for (cnnf_dtype d = CNNF_FLOAT; d <= CNNF_UINT64; d++)
        if (strcmp(cnnf_dtype_name(d), plain) == 0) return d;
    return 0;
}

static int64_t integer(const cnnfi_json *value)
{
    const char *text = cnnfi_json_string(value, NULL);
    if (!text) return cnnfi_json_int(value, 0);
    int64_t number = 0, sign = text[0] == '-' ? -1 : 1;
    for (const char *at = text + (sign < 0); *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *at - '0', &number)) return 0;
    return sign * number;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* protobuf's JSON writes bytes in base64. `out` has room for the text. */
static size_t base64(const char *text, char *out)
{
    uint32_t bits = 0;
    int have = 0;
    size_t n = 0;
    for (; base64_digit(*text) >= 0; text++) {
        bits = bits << 6 | (uint32_t)base64_digit(*text);
        have += 6;
        if (have < 8) continue;
        have -= 8;
        out[n++] = (char)(bits >> have & 0xff);
    }
    return n;
}

static void set_string(cnnfi_layer_call *call, cnnf_node *node, const char *key, const cnnfi_json *value)
{
    const char *text = cnnfi_json_string(value, "");
    char *bytes = cnnfi_builder_array(call->b->graph, strlen(text) + 1, 1);
    if (bytes) cnnfi_node_set_bytes(call->b->graph, node, key, bytes, base64(text, bytes));
}

static void set_int_list(cnnfi_layer_call *call, cnnf_node *node, const char *key, const cnnfi_json *list)
{
    size_t n = cnnfi_json_size(list);
    int64_t *out = cnnfi_builder_array(call->b->graph, n + 1, sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = integer(cnnfi_json_at(list, i));
    if (out) cnnfi_node_set_ints(call->b->graph, node, key, out, n);
}

static void set_type_list(cnnfi_layer_call *call, cnnf_node *node, const char *key, const cnnfi_json *list)
{
    size_t n = cnnfi_json_size(list);
    int32_t *out = cnnfi_builder_array(call->b->graph, n + 1, sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = dtype_of(cnnfi_json_string(cnnfi_json_at(list, i), ""));
    if (out) cnnfi_node_set_types(call->b->graph, node, key, out, n);
}

static void set_list(cnnfi_layer_call *call, cnnf_node *node, const char *key, const cnnfi_json *list)
{
    const cnnfi_json *types = cnnfi_json_get(list, "type"), *ints = cnnfi_json_get(list, "i");
    if (types)
        set_type_list(call, node, key, types);
    else if (ints || cnnfi_json_size(list) == 0)
        set_int_list(call, node, key, ints);
    else
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "attribute '%s' is a list of a kind that is not supported", key);
}

static void set_attr(cnnfi_layer_call *call, cnnf_node *node, const char *key, const cnnfi_json *value)
{
    cnnfi_builder *g = call->b->graph;
    const cnnfi_json *item;
    if ((item = cnnfi_json_get(value, "type")))
        cnnfi_node_set_type(g, node, key, dtype_of(cnnfi_json_string(item, "")));
    else if ((item = cnnfi_json_get(value, "i")))
        cnnfi_node_set_int(g, node, key, integer(item));
    else if ((item = cnnfi_json_get(value, "f")))
        cnnfi_node_set_float(g, node, key, (float)cnnfi_json_number(item, 0));
    else if ((item = cnnfi_json_get(value, "b")))
        cnnfi_node_set_bool(g, node, key, cnnfi_json_bool(item, false));
    else if ((item = cnnfi_json_get(value, "s")))
        set_string(call, node, key, item);
    else if ((item = cnnfi_json_get(value, "list")))
        set_list(call, node, key, item);
    else
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "attribute '%s' is of a kind that is not supported", key);
}

/* ---- the call ---- */

typedef struct op_call {
    size_t n;
    cnnfi_keras_tensor *inputs; /* [n] */
    cnnfi_value *values;        /* [n] what is known of them */
} op_call;

/* The constant for input `index`: keys are numbers as text. */
static const cnnfi_json *constant_at(const cnnfi_json *constants, size_t index)
{
    char key[24];
    size_t n = 0, rest = index;
    do
        key[n++] = (char)('0' + rest % 10);
    while ((rest /= 10));
    for (size_t i = 0; i < n / 2; i++) {
        char c = key[i];
        key[i] = key[n - 1 - i];
        key[n - 1 - i] = c;
    }
    key[n] = '\0';
    return cnnfi_json_get(constants, key);
}

/* dtype and shape of a tensor, and its elements where it is a constant of the op's. */
static cnnfi_value value_of(const cnnfi_keras_builder *b, const cnnfi_keras_tensor *t, bool is_constant)
{
    cnnfi_value value = cnnfi_value_make(t->dtype, t->rank, t->dims);
    const cnnf_node *node = is_constant ? cnnfi_builder_find(b->graph, t->name) : NULL;
    const cnnf_tensor *tensor = node ? cnnf_node_attr_tensor(node, "value") : NULL;
    if (tensor) value.data = (void *)(uintptr_t)cnnf_tensor_data(tensor); /* a rule only reads its inputs */
    return value;
}

/* Tensors in order, constants put between them where they were (TensorFlowOpLayer._make_op). */
static bool gather(cnnfi_layer_call *call, op_call *c, const cnnfi_json *names)
{
    const cnnfi_json *constants = cnnfi_json_get(call->config, "constants");
    size_t next = 0;
    c->n = call->n_inputs + cnnfi_json_size(constants);
    c->inputs = cnnfi_builder_array(call->b->graph, c->n, sizeof *c->inputs);
    c->values = cnnfi_builder_array(call->b->graph, c->n, sizeof *c->values);
    for (size_t i = 0; c->values && i < c->n; i++) {
        const char *name = cnnfi_json_string(cnnfi_json_at(names, i), "Const");
        const cnnfi_json *constant = constant_at(constants, i);
        if (constant)
            c->inputs[i] = cnnfi_layer_constant(call, name, constant, 0);
        else if (next < call->n_inputs && call->inputs[next].name)
            c->inputs[i] = call->inputs[next++];
        else
            cnnfi_layer_fail(call, CNNF_E_CORRUPT, "input %zu of its op is missing", i);
        if (!cnnfi_build_ok(call->b)) return false;
        c->values[i] = value_of(call->b, &c->inputs[i], constant != NULL);
    }
    return c->values != NULL;
}

/* Pure functions of their inputs alone: nothing that keeps state, or touches files or Python. */
static bool is_let_in(const char *name)
{
    const cnnfi_op *op = cnnfi_op_find(name);
    return op && !(op->flags & CNNFI_OP_IS_STATEFUL) && cnnfi_op_rule_find(name);
}

static cnnf_node *make_node(cnnfi_layer_call *call, cnnfi_keras_tensor *first, const cnnfi_json *def, const char *op,
                            const op_call *c)
{
    const cnnfi_json *attrs = cnnfi_json_get(def, "attr");
    cnnf_node *node =
        cnnfi_build_node(call->b, first, op, cnnfi_json_string(cnnfi_json_get(def, "name"), op), c->n, c->inputs);
    for (size_t i = 0; i < cnnfi_json_size(attrs); i++)
        set_attr(call, node, cnnfi_json_key_at(attrs, i), cnnfi_json_value_at(attrs, i));
    cnnfi_node_set_bool(call->b->graph, node, "_cloned", true);
    return cnnfi_build_ok(call->b) ? node : NULL;
}

/* The op's own rule says what it gives. */
static void return_outputs(cnnfi_layer_call *call, const cnnfi_keras_tensor *first, const cnnf_node *node,
                           const op_call *c)
{
    cnnfi_value said[MAX_OUTPUTS];
    cnnfi_keras_tensor outputs[MAX_OUTPUTS];
    struct cnnf_error why = {.offset = -1};
    cnnfi_call question = {.context = call->b->context,
                           .node = node,
                           .n_inputs = (int32_t)c->n,
                           .inputs = c->values,
                           .max_outputs = MAX_OUTPUTS,
                           .outputs = said,
                           .error = &why};
    const cnnf_status status = cnnfi_op_infer(&question);
    if (status < 0) {
        cnnfi_layer_fail(call, status, "its inputs do not fit its op: %s", cnnf_error_message(&why));
        return;
    }
    for (int32_t i = 0; i < question.n_outputs; i++) {
        if (!said[i].dtype || said[i].rank == CNNFI_UNKNOWN) {
            cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "the shape of what op '%s' gives is not known", node->op);
            return;
        }
        outputs[i] = cnnfi_keras_tensor_shaped(cnnfi_build_port(call->b, first, i), said[i].rank, said[i].dims);
        outputs[i].dtype = said[i].dtype;
        outputs[i].variable = false;
    }
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return_n(call, (size_t)question.n_outputs, outputs);
}

static void op_layer(cnnfi_layer_call *call)
{
    const cnnfi_json *def = cnnfi_json_get(call->config, "node_def");
    const char *op = cnnfi_json_string(cnnfi_json_get(def, "op"), NULL);
    op_call c = {0};
    cnnfi_keras_tensor first;
    if (!op) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its node_def is not JSON (TensorFlow 2.0 and older wrote it so)");
        return;
    }
    if (!is_let_in(op)) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "op '%s' is not supported here", op);
        return;
    }
    if (cnnfi_json_size(cnnfi_json_get(def, "attr")) > 64 ||
        cnnfi_json_size(cnnfi_json_get(call->config, "constants")) > 64) {
        cnnfi_layer_fail(call, CNNF_E_LIMIT, "its op has more than 64 attributes or constants");
        return;
    }
    if (!gather(call, &c, cnnfi_json_get(def, "input"))) return;
    const cnnf_node *node = make_node(call, &first, def, op, &c);
    if (node) return_outputs(call, &first, node, &c);
}

static const cnnfi_keras_row rows[] = {
    {"TensorFlowOpLayer", "node_def constants", "", "tf.keras 2.15", 0, 8, 1, 64, NULL, op_layer, NULL},
};

const cnnfi_keras_family cnnfi_keras_operations = {"Operations", rows, sizeof rows / sizeof rows[0]};
