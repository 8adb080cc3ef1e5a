/* SPDX-License-Identifier: Apache-2.0 */
/* tf.keras' TensorFlowOpLayer: an op of a graph, kept as its NodeDef in JSON. */
#include <string.h>

#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

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

static void set_string(cnnfi_kc *kc, cnnf_node *node, const char *key, const cnnfi_json *value)
{
    const char *text = cnnfi_json_string(value, "");
    char *bytes = cnnfi_builder_array(kc->b->graph, strlen(text) + 1, 1);
    if (bytes) cnnfi_node_set_bytes(kc->b->graph, node, key, bytes, base64(text, bytes));
}

static void set_int_list(cnnfi_kc *kc, cnnf_node *node, const char *key, const cnnfi_json *list)
{
    size_t n = cnnfi_json_size(list);
    int64_t *out = cnnfi_builder_array(kc->b->graph, n + 1, sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = integer(cnnfi_json_at(list, i));
    if (out) cnnfi_node_set_ints(kc->b->graph, node, key, out, n);
}

static void set_type_list(cnnfi_kc *kc, cnnf_node *node, const char *key, const cnnfi_json *list)
{
    size_t n = cnnfi_json_size(list);
    int32_t *out = cnnfi_builder_array(kc->b->graph, n + 1, sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = dtype_of(cnnfi_json_string(cnnfi_json_at(list, i), ""));
    if (out) cnnfi_node_set_types(kc->b->graph, node, key, out, n);
}

static void set_list(cnnfi_kc *kc, cnnf_node *node, const char *key, const cnnfi_json *list)
{
    const cnnfi_json *types = cnnfi_json_get(list, "type"), *ints = cnnfi_json_get(list, "i");
    if (types)
        set_type_list(kc, node, key, types);
    else if (ints || cnnfi_json_size(list) == 0)
        set_int_list(kc, node, key, ints);
    else
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "attribute '%s' is a list of a kind that is not supported", key);
}

static void set_attr(cnnfi_kc *kc, cnnf_node *node, const char *key, const cnnfi_json *value)
{
    cnnfi_builder *g = kc->b->graph;
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
        set_string(kc, node, key, item);
    else if ((item = cnnfi_json_get(value, "list")))
        set_list(kc, node, key, item);
    else
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "attribute '%s' is of a kind that is not supported", key);
}

/* ---- the call ---- */

typedef struct op_call {
    cnnfi_kop op;
    cnnfi_kt *inputs;
    const cnnfi_json **values;
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

/* Tensors in order, constants put between them where they were (TensorFlowOpLayer._make_op). */
static bool gather(cnnfi_kc *kc, op_call *c, const cnnfi_json *names)
{
    const cnnfi_json *constants = cnnfi_json_get(kc->config, "constants");
    size_t next = 0;
    c->op.n = kc->n_inputs + cnnfi_json_size(constants);
    c->inputs = cnnfi_builder_array(kc->b->graph, c->op.n, sizeof *c->inputs);
    c->values = cnnfi_builder_array(kc->b->graph, c->op.n, sizeof *c->values);
    for (size_t i = 0; c->values && i < c->op.n; i++) {
        const char *name = cnnfi_json_string(cnnfi_json_at(names, i), "Const");
        c->values[i] = constant_at(constants, i);
        if (c->values[i])
            c->inputs[i] = cnnfi_kc_constant(kc, name, c->values[i], 0);
        else if (next < kc->n_inputs && kc->inputs[next].name)
            c->inputs[i] = kc->inputs[next++];
        else
            cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "input %zu of its op is missing", i);
        if (!cnnfi_kb_ok(kc->b)) return false;
    }
    c->op.inputs = c->inputs;
    c->op.values = c->values;
    return c->values != NULL;
}

static void op_layer(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    const cnnfi_json *def = cnnfi_json_get(kc->config, "node_def");
    const char *op = cnnfi_json_string(cnnfi_json_get(def, "op"), NULL),
               *name = cnnfi_json_string(cnnfi_json_get(def, "name"), op);
    op_call c = {.op = {.op = op, .attrs = cnnfi_json_get(def, "attr")}};
    cnnfi_kt outputs[MAX_OUTPUTS], first;
    size_t count = 0;
    if (!op) {
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "its node_def is not JSON (TensorFlow 2.0 and older wrote it so)");
        return;
    }
    if (cnnfi_json_size(c.op.attrs) > 64 || cnnfi_json_size(cnnfi_json_get(kc->config, "constants")) > 64) {
        cnnfi_kc_fail(kc, CNNF_E_LIMIT, "its op has more than 64 attributes or constants");
        return;
    }
    if (!gather(kc, &c, cnnfi_json_get(def, "input"))) return;
    if (!cnnfi_kop_infer(&c.op, outputs, MAX_OUTPUTS, &count)) {
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "op '%s' is not supported here, or its inputs do not fit it", op);
        return;
    }
    cnnf_node *node = cnnfi_kb_node(b, &first, op, name, c.op.n, c.inputs);
    for (size_t i = 0; i < cnnfi_json_size(c.op.attrs); i++)
        set_attr(kc, node, cnnfi_json_key_at(c.op.attrs, i), cnnfi_json_value_at(c.op.attrs, i));
    cnnfi_node_set_bool(b->graph, node, "_cloned", true);
    for (size_t i = 0; i < count; i++) {
        const char *port = cnnfi_kb_port(b, &first, (int32_t)i).name;
        outputs[i].name = port;
        outputs[i].variable = false;
    }
    if (cnnfi_kb_ok(b)) cnnfi_kc_return_n(kc, count, outputs);
}

static const cnnfi_keras_row rows[] = {
    {"TensorFlowOpLayer", "node_def constants", "", "tf.keras 2.15", 0, 8, 1, 64, NULL, op_layer, NULL},
};

const cnnfi_keras_family cnnfi_keras_operations = {"Operations", rows, sizeof rows / sizeof rows[0]};
