/* SPDX-License-Identifier: Apache-2.0 */
/* Lambda and custom layers by what the user says they compute (--lambda): the code in a file is never run. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/functions.h"

/* What a part of an expression is: tensors, or a constant. */
typedef struct value {
    bool is_list, is_number, is_integer;
    double number;
    const cnnfi_json *json; /* another constant */
    size_t n;               /* tensors; 0 for constants */
    cnnfi_keras_tensor *tensors;
} value;

static value evaluate(cnnfi_layer_call *call, const cnnfi_expression *e);

static value nothing(cnnfi_layer_call *call)
{
    (void)call;
    return (value){.n = 0};
}

#define REFUSE(call, ...) (cnnfi_layer_fail((call), CNNF_E_INVALID, "--lambda: " __VA_ARGS__), nothing(call))

static value of_tensors(cnnfi_layer_call *call, size_t n, const cnnfi_keras_tensor *tensors, bool is_list)
{
    cnnfi_keras_tensor *copy = cnnfi_builder_array(call->b->graph, n ? n : 1, sizeof *copy);
    if (!copy) return nothing(call);
    if (n) memcpy(copy, tensors, n * sizeof *copy);
    return (value){.n = n, .tensors = copy, .is_list = is_list};
}

static value of_tensor(cnnfi_layer_call *call, cnnfi_keras_tensor tensor)
{
    return of_tensors(call, 1, &tensor, false);
}

static value of_number(double number, bool is_integer)
{
    return (value){.is_number = true, .number = number, .is_integer = is_integer};
}

static const cnnfi_json *json_of(cnnfi_layer_call *call, const char *text)
{
    const cnnfi_json *json = text ? cnnfi_json_from_text(call->b->model->documents[0], text) : NULL;
    if (!json && cnnfi_build_ok(call->b)) cnnfi_builder_fail(call->b->graph, CNNF_E_NOMEM, "out of memory");
    return json;
}

static bool is_one_tensor(const value *v)
{
    return v->n == 1 && !v->is_list;
}

/* ---- names ---- */

/* "x12" -> 12, "w" alone -> -1; -2: another name. */
static int64_t numbered(const char *text, char letter)
{
    int64_t n = 0;
    if (text[0] != letter) return -2;
    if (!text[1]) return -1;
    for (const char *at = text + 1; *at; at++) {
        if (*at < '0' || *at > '9' || n > 65536) return -2;
        n = 10 * n + (*at - '0');
    }
    return n;
}

static value input(cnnfi_layer_call *call, int64_t index)
{
    if (index < 0 && call->n_inputs > 1) return of_tensors(call, call->n_inputs, call->inputs, true);
    if (index < 0) index = 0;
    if ((size_t)index >= call->n_inputs || !call->inputs[index].name)
        return REFUSE(call, "there is no input x%lld: the layer has %zu", (long long)index, call->n_inputs);
    return of_tensor(call, call->inputs[index]);
}

/* A word that TensorFlow or Keras has for something constant. */
static const char *without_module(const char *name)
{
    static const char *const modules[] = {"tensorflow.", "tf.",    "keras.", "K.",      "ops.",
                                          "backend.",    "numpy.", "np.",    "compat.", "v1."};
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        if (strncmp(name, modules[i], strlen(modules[i])) != 0) continue;
        name += strlen(modules[i]);
        i = (size_t)-1;
    }
    return name;
}

static value name(cnnfi_layer_call *call, const cnnfi_expression *e)
{
    static const char *const dtypes[] = {"float16", "float32", "float64", "bfloat16", "int8",
                                         "int16",   "int32",   "int64",   "uint8",    "bool"};
    const int64_t x = numbered(e->text, 'x'), w = numbered(e->text, 'w');
    if (x >= -1) return input(call, x);
    if (w >= 0 && (size_t)w < call->state->n_variables)
        return of_tensor(call, cnnfi_build_read(call->b, cnnfi_layer_variable(call, (size_t)w)));
    if (w >= -1) return REFUSE(call, "there is no weight '%s': the layer has %zu", e->text, call->state->n_variables);
    const char *word = without_module(e->text);
    if (strcmp(word, "pi") == 0 || strcmp(word, "math.pi") == 0) return of_number(3.14159265358979323846, false);
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(word, dtypes[i]) == 0)
            return (value){.json = json_of(call, cnnfi_builder_printf(call->b->graph, "\"%s\"", word))};
    if (strncmp(e->text, "config.", 7) == 0) {
        const cnnfi_json *field = cnnfi_json_get(call->config, e->text + 7);
        if (cnnfi_json_is_number(field)) return of_number(cnnfi_json_number(field, 0), cnnfi_json_is_int(field));
        if (field) return (value){.json = field};
        return REFUSE(call, "the configuration has no field '%s'", e->text + 7);
    }
    return REFUSE(call, "'%s' is neither an input (x, x0, x1), a weight (w0) nor a field (config.NAME)", e->text);
}

/* ---- arithmetic ---- */

static bool is_float(cnnf_dtype dtype)
{
    return dtype == CNNF_FLOAT || dtype == CNNF_DOUBLE || dtype == CNNF_HALF || dtype == CNNF_BFLOAT16;
}

/* Integers become float32 where something that is none meets them. */
static cnnfi_keras_tensor as_float(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    return is_float(x.dtype) ? x : cnnfi_build_cast(b, "Cast", x, CNNF_FLOAT);
}

static const char *const operators[][3] = {
    {"+", "AddV2", "add"},
    {"-", "Sub", "sub"},
    {"*", "Mul", "mul"},
    {"/", "RealDiv", "truediv"},
    {"//", "FloorDiv", "floordiv"},
    {"%", "FloorMod", "mod"},
    {"**", "Pow", "pow"},
    {"<", "Less", "Less"},
    {"<=", "LessEqual", "LessEqual"},
    {">", "Greater", "Greater"},
    {">=", "GreaterEqual", "GreaterEqual"},
    {"==", "Equal", "Equal"},
    {"!=", "NotEqual", "NotEqual"},
};

static value operate(cnnfi_layer_call *call, const char *const op[3], const value *a, const value *c)
{
    cnnfi_keras_builder *b = call->b;
    const bool divide = op[0][0] == '/' && !op[0][1];
    if (is_one_tensor(a) && is_one_tensor(c)) {
        cnnfi_keras_tensor x = a->tensors[0], y = c->tensors[0];
        if (divide || (x.dtype != y.dtype && (is_float(x.dtype) || is_float(y.dtype)))) {
            x = as_float(b, x);
            y = as_float(b, y);
        }
        return of_tensor(call, cnnfi_build_binary(b, op[1], op[2], x, y));
    }
    const value *number = a->is_number ? a : c;
    cnnfi_keras_tensor x = is_one_tensor(a) ? a->tensors[0] : c->tensors[0];
    if (divide || !number->is_integer) x = as_float(b, x);
    return of_tensor(call, a->is_number ? cnnfi_build_const_binary(b, op[1], op[2], a->number, x)
                                        : cnnfi_build_binary_const(b, op[1], op[2], x, c->number));
}

static value binary(cnnfi_layer_call *call, const cnnfi_expression *e)
{
    const value a = evaluate(call, e->items), c = evaluate(call, e->items->next);
    const char *const *op = operators[0];
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (strcmp(operators[i][0], e->text) == 0) op = operators[i];
    if (!cnnfi_build_ok(call->b)) return nothing(call);
    if ((a.is_number || is_one_tensor(&a)) && (c.is_number || is_one_tensor(&c))) {
        if (!a.is_number || !c.is_number) return operate(call, op, &a, &c);
        const cnnfi_expression right = {
            .kind = CNNFI_EXPRESSION_NUMBER, .number = c.number, .is_integer = c.is_integer};
        const cnnfi_expression left = {
            .kind = CNNFI_EXPRESSION_NUMBER, .number = a.number, .is_integer = a.is_integer, .next = &right};
        const cnnfi_expression both = {.kind = CNNFI_EXPRESSION_BINARY, .text = e->text, .items = &left, .n_items = 2};
        value v = of_number(0, false);
        if (cnnfi_expression_number(&both, &v.number, &v.is_integer)) return v;
    }
    return REFUSE(call, "'%s' stands between things that it cannot join; several inputs are x0, x1, ...", e->text);
}

static value negate(cnnfi_layer_call *call, const cnnfi_expression *e)
{
    const value v = evaluate(call, e->items);
    if (!cnnfi_build_ok(call->b)) return nothing(call);
    if (v.is_number) return of_number(-v.number, v.is_integer);
    if (!is_one_tensor(&v)) return REFUSE(call, "'-' stands before no number and no tensor");
    return of_tensor(call, cnnfi_build_unary(call->b, "Neg", "Neg", v.tensors[0]));
}

/* ---- indices ---- */

static bool whole_number(const cnnfi_expression *e, int64_t *out)
{
    double number;
    bool is_integer;
    if (!cnnfi_expression_number(e, &number, &is_integer) || !is_integer || fabs(number) > INT32_MAX) return false;
    *out = (int64_t)number;
    return true;
}

static bool read_bound(const cnnfi_expression *e, bool *there, int64_t *out)
{
    *there = e->kind != CNNFI_EXPRESSION_NONE;
    return !*there || whole_number(e, out);
}

static bool read_index(const cnnfi_expression *e, cnnfi_keras_index *out)
{
    bool step;
    *out = (cnnfi_keras_index){.kind = CNNFI_KERAS_INDEX_AT};
    if (e->kind == CNNFI_EXPRESSION_ELLIPSIS) out->kind = CNNFI_KERAS_INDEX_ELLIPSIS;
    if (e->kind == CNNFI_EXPRESSION_NONE) out->kind = CNNFI_KERAS_INDEX_NEW;
    if (e->kind == CNNFI_EXPRESSION_ELLIPSIS || e->kind == CNNFI_EXPRESSION_NONE) return true;
    if (e->kind != CNNFI_EXPRESSION_RANGE) return whole_number(e, &out->begin);
    out->kind = CNNFI_KERAS_INDEX_RANGE;
    return read_bound(e->items, &out->has_begin, &out->begin) && read_bound(e->items->next, &out->has_end, &out->end) &&
           read_bound(e->items->next->next, &step, &out->stride) && (!step || out->stride != 0);
}

static value index_of(cnnfi_layer_call *call, const cnnfi_expression *e)
{
    cnnfi_keras_index indices[CNNFI_KERAS_MAX_RANK + 1];
    const value v = evaluate(call, e->items);
    size_t n = 0;
    int64_t at;
    if (!cnnfi_build_ok(call->b)) return nothing(call);
    if (v.n == 0) return REFUSE(call, "only tensors have indices");
    /* x[1] of several inputs, or of what a function gave */
    if (v.is_list) {
        if (e->n_items != 2 || !whole_number(e->items->next, &at) || at < -(int64_t)v.n || at >= (int64_t)v.n)
            return REFUSE(call, "a list of %zu tensors takes one index", v.n);
        return of_tensor(call, v.tensors[at < 0 ? at + (int64_t)v.n : at]);
    }
    for (const cnnfi_expression *item = e->items->next; item; item = item->next) {
        if (n > CNNFI_KERAS_MAX_RANK || !read_index(item, &indices[n++]))
            return REFUSE(call, "an index is no number and no range of numbers");
    }
    cnnfi_keras_tensor y;
    if (!cnnfi_build_index(call->b, &y, v.tensors[0], n, indices))
        return REFUSE(call, "the indices do not fit a tensor of %d dimensions", v.tensors[0].rank);
    return of_tensor(call, y);
}

/* ---- lists ---- */

static value list(cnnfi_layer_call *call, const cnnfi_expression *e)
{
    cnnfi_keras_tensor *tensors = cnnfi_builder_array(call->b->graph, e->n_items + 1, sizeof *tensors);
    size_t n = 0;
    for (const cnnfi_expression *item = e->items; tensors && item && cnnfi_build_ok(call->b); item = item->next) {
        const value v = evaluate(call, item);
        if (cnnfi_build_ok(call->b) && !is_one_tensor(&v)) return REFUSE(call, "a list of tensors and other things");
        if (cnnfi_build_ok(call->b)) tensors[n++] = v.tensors[0];
    }
    return tensors && cnnfi_build_ok(call->b) ? of_tensors(call, n, tensors, true) : nothing(call);
}

/* Something known now as JSON; NULL: it is a tensor, or failed. */
static const cnnfi_json *constant(cnnfi_layer_call *call, const cnnfi_expression *e)
{
    cnnfi_strbuf text;
    cnnfi_strbuf_init(&text, call->b->context);
    const bool known = cnnfi_expression_json(e, &text);
    if (text.failed) cnnfi_builder_fail(call->b->graph, CNNF_E_NOMEM, "out of memory");
    const cnnfi_json *json = known && !text.failed ? json_of(call, text.data) : NULL;
    cnnfi_strbuf_free(&text);
    return json;
}

/* ---- calls ---- */

/* The arguments of a call, as a file of Keras 3 would have them. */
typedef struct arguments {
    cnnfi_keras_call record;
    cnnfi_keras_tensor *inputs, *named;
} arguments;

static const cnnfi_json *number_json(cnnfi_layer_call *call, const value *v)
{
    const cnnfi_expression e = {.kind = CNNFI_EXPRESSION_NUMBER, .number = v->number, .is_integer = v->is_integer};
    return constant(call, &e);
}

static void add_keyword(cnnfi_layer_call *call, arguments *a, const char *key, const value *v)
{
    if (v->n == 0) {
        cnnfi_json_doc *doc = call->b->model->documents[0];
        if (v->json && !cnnfi_json_set(doc, cnnfi_json_mut(doc, a->record.kwargs), key, v->json))
            cnnfi_builder_fail(call->b->graph, CNNF_E_NOMEM, "out of memory");
    } else if (is_one_tensor(v)) {
        a->named[a->record.n_named] = v->tensors[0];
        a->record.names[a->record.n_named++] = key;
    } else {
        (void)REFUSE(call, "'%s' is given several tensors", key);
    }
}

static void add_position(cnnfi_layer_call *call, arguments *a, const value *v)
{
    cnnfi_keras_call *record = &a->record;
    /* concat([a, b], 1): what follows a list of tensors is its axis */
    if (record->input_is_list) {
        add_keyword(call, a, "axis", v);
    } else if (v->n == 0) {
        record->inputs[record->n_inputs++] = (cnnfi_keras_ref){.layer = -1, .value = v->json};
    } else if (is_one_tensor(v)) {
        a->inputs[record->n_inputs++] = v->tensors[0];
    } else if (record->n_inputs == 0) {
        record->input_is_list = true;
        record->n_inputs = v->n;
        a->inputs = v->tensors;
    } else {
        (void)REFUSE(call, "only the first argument may be a list of tensors");
    }
}

static bool read_arguments(cnnfi_layer_call *call, const cnnfi_expression *e, arguments *a)
{
    cnnfi_builder *g = call->b->graph;
    a->record.kwargs = json_of(call, "{}");
    a->record.inputs = cnnfi_builder_array(g, e->n_items + 1, sizeof *a->record.inputs);
    a->record.names = cnnfi_builder_array(g, e->n_items + 1, sizeof *a->record.names);
    a->inputs = cnnfi_builder_array(g, e->n_items + 1, sizeof *a->inputs);
    a->named = cnnfi_builder_array(g, e->n_items + 1, sizeof *a->named);
    if (!a->named || !a->inputs || !a->record.names || !a->record.inputs) return false;
    for (const cnnfi_expression *item = e->items; item && cnnfi_build_ok(call->b); item = item->next) {
        value v = {.json = constant(call, item)};
        if (!v.json && cnnfi_build_ok(call->b)) v = evaluate(call, item);
        if (v.is_number) v.json = number_json(call, &v);
        if (!cnnfi_build_ok(call->b)) return false;
        if (item->keyword)
            add_keyword(call, a, item->keyword, &v);
        else
            add_position(call, a, &v);
    }
    return cnnfi_build_ok(call->b);
}

/* What a function does not look at must not be there: it would mean something that is not done. */
static void check_asked(cnnfi_layer_call *call, const char *function, const arguments *a,
                        const cnnfi_keras_asked *asked)
{
    const cnnfi_keras_call *r = &a->record;
    for (size_t i = 0; !r->input_is_list && i < r->n_inputs; i++)
        if (i >= 64 || !(asked->positions >> i & 1))
            (void)REFUSE(call, "function '%s': argument %zu is not supported", function, i + 1);
    for (size_t i = 0; i < cnnfi_json_size(r->kwargs); i++) {
        if ((i >= 64 || !(asked->keywords >> i & 1)) && !cnnfi_json_is_null(cnnfi_json_value_at(r->kwargs, i)))
            (void)REFUSE(call, "function '%s': argument '%s' is not supported", function,
                         cnnfi_json_key_at(r->kwargs, i));
    }
    for (size_t i = 0; i < r->n_named; i++)
        if (i >= 64 || !(asked->named >> i & 1))
            (void)REFUSE(call, "function '%s': argument '%s' is not supported", function, r->names[i]);
}

/* log_softmax -> LogSoftmax, as keras.ops names its classes */
static const char *class_of(cnnfi_builder *g, const char *function)
{
    char *out = cnnfi_builder_array(g, strlen(function) + 1, 1), *at = out;
    for (bool begins = true; out && *function; function++) {
        if (*function != '_') *at++ = begins ? (char)toupper((unsigned char)*function) : *function;
        begins = *function == '_';
    }
    return out;
}

/* Names of keras.backend and TensorFlow 1 for functions of the table. */
static const char *synonym(const char *function)
{
    static const char *const synonyms[][2] = {
        {"permute_dimensions", "transpose"},
        {"repeat_elements", "repeat"},
        {"reduce_std", "std"},
        {"math.reduce_std", "std"},
        {"reduce_variance", "var"},
        {"math.reduce_variance", "var"},
        {"reduce_logsumexp", "logsumexp"},
        {"linalg.norm", "norm"},
        {"gather", "take"},
        {"reduce_prod", "prod"},
        {"argmax", "argmax"},
        {"swish", "silu"},
        {"math.argmax", "argmax"},
        {"math.argmin", "argmin"},
        {"math.cumsum", "cumsum"},
    };
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
        if (strcmp(synonyms[i][0], function) == 0) return synonyms[i][1];
    return function;
}

/* The function by any of its names: tf.nn.relu, K.mean, ops.log_softmax, relu. */
static bool run(cnnfi_layer_call *sub, const char *function)
{
    static const char *const rooms[] = {"math.", "nn.", "image.", "linalg."};
    cnnfi_builder *g = sub->b->graph;
    const char *dot = strrchr(function, '.');
    if (cnnfi_function_run(sub, function)) return true;
    for (size_t i = 0; !dot && i < sizeof rooms / sizeof *rooms; i++) {
        const char *full = cnnfi_builder_printf(g, "%s%s", rooms[i], function);
        if (!full || cnnfi_function_run(sub, full)) return true;
    }
    const char *class_name = class_of(g, dot ? dot + 1 : function);
    return !class_name || cnnfi_function_run(sub, class_name);
}

static value call_function(cnnfi_layer_call *call, const cnnfi_expression *e)
{
    arguments a = {.inputs = NULL};
    cnnfi_keras_asked asked = {0};
    const char *function = synonym(without_module(e->text));
    if (strcmp(function, "epsilon") == 0 && e->n_items == 0) return of_number(1e-7, false);
    if (!read_arguments(call, e, &a)) return nothing(call);
    const char *config = cnnfi_builder_printf(call->b->graph, "{\"function\":\"%s\"}", function);
    cnnfi_layer_call sub = {.b = call->b,
                            .layer = call->layer,
                            .state = call->state,
                            .config = json_of(call, config),
                            .record = &a.record,
                            .n_inputs = a.record.n_inputs,
                            .inputs = a.inputs,
                            .named = a.named,
                            .asked = &asked};
    if (!cnnfi_build_ok(call->b)) return nothing(call);
    if (!run(&sub, function)) return REFUSE(call, "there is no function '%s'", e->text);
    if (cnnfi_build_ok(call->b)) check_asked(call, e->text, &a, &asked);
    return cnnfi_build_ok(call->b) ? of_tensors(call, sub.n_outputs, sub.outputs, sub.n_outputs != 1) : nothing(call);
}

/* ---- the layer ---- */

static value evaluate(cnnfi_layer_call *call, const cnnfi_expression *e)
{
    switch (e->kind) {
    case CNNFI_EXPRESSION_NUMBER:
        return of_number(e->number, e->is_integer);
    case CNNFI_EXPRESSION_NAME:
        return name(call, e);
    case CNNFI_EXPRESSION_CALL:
        return call_function(call, e);
    case CNNFI_EXPRESSION_NEGATE:
        return negate(call, e);
    case CNNFI_EXPRESSION_BINARY:
        return binary(call, e);
    case CNNFI_EXPRESSION_INDEX:
        return index_of(call, e);
    case CNNFI_EXPRESSION_LIST:
        return list(call, e);
    default:
        return REFUSE(call, "a text, True, False or None stands where a tensor is wanted");
    }
}

static bool is_said(const cnnfi_layer_call *call)
{
    if (call->layer->lambda) return true;
    cnnfi_layer_fail_config(call, CNNF_E_UNSUPPORTED,
                            "class 'Lambda' holds Python code and is never run; unsupported; --lambda %s='x / 255' "
                            "says what it computes, --map_layer Lambda=KNOWN_CLASS loads it as another class, "
                            "--drop_layer %s where it changes nothing at inference",
                            call->layer->name, call->layer->name);
    return false;
}

/* The stored weights, with the shapes they have: w0, w1, ... */
static void lambda_build(cnnfi_layer_call *call)
{
    for (size_t i = 0; is_said(call) && i < call->layer->n_weights && cnnfi_build_ok(call->b); i++) {
        const cnnfi_keras_weight *w = &call->layer->weights[i];
        const char *slash = strrchr(w->name, '/'), *last = slash ? slash + 1 : w->name;
        const size_t size = strcspn(last, ":");
        const bool named = size > 0 && !isdigit((unsigned char)last[0]);
        const char *own = named ? cnnfi_builder_printf(call->b->graph, "%.*s", (int)(size < 256 ? size : 256), last)
                                : cnnfi_builder_printf(call->b->graph, "weight");
        if (own)
            (void)cnnfi_layer_weight(call, own, cnnf_tensor_rank(w->value), cnnfi_tensor_dims(w->value),
                                     CNNFI_KERAS_INIT_ZEROS, true);
    }
}

static void lambda(cnnfi_layer_call *call)
{
    if (!is_said(call)) return;
    const value v = evaluate(call, call->layer->lambda);
    if (!cnnfi_build_ok(call->b)) return;
    if (v.n == 0)
        (void)REFUSE(call, "the expression is a constant");
    else
        cnnfi_layer_return_n(call, v.n, v.tensors);
}

static const cnnfi_keras_row rows[] = {
    {"Expression", "what --lambda names", "the layer's", "2.2.5, tf.keras 2.15, 3", 0, 8, 0, 65536, lambda_build,
     lambda, NULL},
    {"Lambda", "", "", "2.2.5, tf.keras 2.15, 3", 0, 8, 0, 65536, lambda_build, lambda, NULL},
};

const cnnfi_keras_family cnnfi_keras_lambda = {"Lambda and custom layers, by --lambda", rows,
                                               sizeof rows / sizeof rows[0]};
