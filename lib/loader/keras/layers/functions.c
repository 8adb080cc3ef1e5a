/* SPDX-License-Identifier: Apache-2.0 */
/* Functions called on a model's tensors: keras.ops of Keras 3, tf.* kept as TFOpLambda and SlicingOpLambda by tf.keras.
 */
#include <string.h>

#include "loader/keras/layers/functions.h"
#include "graph/builder.h"

/* ---- arguments ---- */

static void mark(uint64_t *bits, size_t index)
{
    if (index < 64) *bits |= (uint64_t)1 << index;
}

static void note_position(const cnnfi_layer_call *call, size_t index)
{
    if (call->asked) mark(&call->asked->positions, index);
}

static void note_keyword(const cnnfi_layer_call *call, const char *name)
{
    for (size_t i = 0; call->asked && i < cnnfi_json_size(call->record->kwargs); i++)
        if (strcmp(cnnfi_json_key_at(call->record->kwargs, i), name) == 0) mark(&call->asked->keywords, i);
}

/* Argument `index`, called `name` (several: "axis|axes"), as JSON: by position, by keyword, or from the config. */
static const cnnfi_json *in_object(const cnnfi_layer_call *call, const cnnfi_json *object, const char *names)
{
    char name[48];
    while (*names) {
        size_t n = strcspn(names, "|");
        if (n < sizeof name) {
            memcpy(name, names, n);
            name[n] = '\0';
            const cnnfi_json *value = cnnfi_json_get(object, name);
            if (value) note_keyword(call, name);
            if (value) return cnnfi_json_is_null(value) ? NULL : value;
        }
        names += n + (names[n] == '|');
    }
    return NULL;
}

const cnnfi_json *cnnfi_function_argument(const cnnfi_layer_call *call, size_t index, const char *names)
{
    if (!call->record) return in_object(call, call->config, names);
    if (!call->record->input_is_list && index < call->n_inputs && !call->inputs[index].name) {
        note_position(call, index);
        return call->record->inputs[index].value;
    }
    const cnnfi_json *value = in_object(call, call->record->kwargs, names);
    return value ? value : in_object(call, call->config, names);
}

static bool named_tensor(const cnnfi_layer_call *call, const char *names, cnnfi_keras_tensor *out)
{
    for (size_t i = 0; call->record && i < call->record->n_named; i++) {
        const char *at = strstr(names, call->record->names[i]);
        size_t n = strlen(call->record->names[i]);
        if (!at || (at != names && at[-1] != '|') || (at[n] != '\0' && at[n] != '|')) continue;
        if (call->asked) mark(&call->asked->named, i);
        *out = call->named[i];
        return true;
    }
    return false;
}

/* Argument `index` as a tensor; a number becomes a constant of dtype `like`. */
cnnfi_keras_tensor cnnfi_function_tensor(cnnfi_layer_call *call, size_t index, const char *names, cnnf_dtype like)
{
    cnnfi_keras_tensor t;
    note_position(call, index);
    if (index < call->n_inputs && call->inputs[index].name) return call->inputs[index];
    if (named_tensor(call, names, &t)) return t;
    return cnnfi_layer_constant(call, "Const", cnnfi_function_argument(call, index, names), like);
}

bool cnnfi_function_flag(const cnnfi_layer_call *call, size_t index, const char *names)
{
    return cnnfi_json_bool(cnnfi_function_argument(call, index, names), false);
}

/* The axes named, normalised; all of them when none is. */
int32_t cnnfi_function_axes(cnnfi_layer_call *call, size_t index, const char *names, int32_t rank, int32_t *out)
{
    int64_t axes[2 * CNNFI_KERAS_MAX_RANK];
    const cnnfi_json *value = cnnfi_function_argument(call, index, names);
    int32_t n = value ? cnnfi_json_integers(value, axes, CNNFI_KERAS_MAX_RANK) : rank;
    if (n < 0) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its axes are no numbers");
    for (int32_t i = 0; i < n; i++)
        out[i] = value ? cnnfi_layer_axis(call, axes[i], rank) : i;
    return n < 0 ? 0 : n;
}

int32_t cnnfi_function_axis(cnnfi_layer_call *call, size_t index, const char *names, int64_t fallback, int32_t rank)
{
    return cnnfi_layer_axis(call, cnnfi_json_int(cnnfi_function_argument(call, index, names), fallback), rank);
}

cnnfi_keras_tensor cnnfi_function_first(cnnfi_layer_call *call)
{
    cnnfi_keras_tensor x;
    note_position(call, 0);
    if (call->n_inputs > 0 && call->inputs[0].name) return call->inputs[0];
    if (named_tensor(call, "x|input|inputs|tensor|a|values|features|images|logits", &x)) return x;
    cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "it is called on a constant");
    return (cnnfi_keras_tensor){.name = "", .dtype = CNNF_FLOAT};
}

/* ---- elementwise ---- */

static void unary(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, cnnfi_build_unary(call->b, op, op, x));
}

static void binary(cnnfi_layer_call *call, const char *op)
{
    bool second = call->n_inputs > 1 && call->inputs[1].name;
    cnnfi_keras_tensor like = call->n_inputs > 0 && call->inputs[0].name ? call->inputs[0]
                              : second                                   ? call->inputs[1]
                                                                         : (cnnfi_keras_tensor){.dtype = CNNF_FLOAT};
    cnnfi_keras_tensor x = cnnfi_function_tensor(call, 0, "x|x1|a", like.dtype),
                       y = cnnfi_function_tensor(call, 1, "y|x2|b", like.dtype);
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, cnnfi_build_binary(call->b, op, op, x, y));
}

/* Activations that the layers know by name. */
static void activation(cnnfi_layer_call *call, const char *name)
{
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(call->b)) return;
    char text[40] = "\"";
    strncat(text, name, sizeof text - 3);
    strncat(text, "\"", sizeof text - strlen(text) - 1);
    const cnnfi_json *value = cnnfi_json_from_text(call->b->model->documents[0], text);
    if (!value)
        cnnfi_builder_fail(call->b->graph, CNNF_E_NOMEM, "out of memory");
    else
        cnnfi_layer_return(call, cnnfi_layer_activate(call, value, x));
}

static cnnfi_keras_tensor gelu_exact(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor e =
        cnnfi_build_unary(b, "Erf", "Erf", cnnfi_build_binary_const(b, "Mul", "mul", x, 0.7071067811865476));
    cnnfi_keras_tensor half = cnnfi_build_binary_const(b, "Mul", "mul", x, 0.5);
    return cnnfi_build_binary(b, "Mul", "mul", half, cnnfi_build_binary_const(b, "AddV2", "add", e, 1));
}

static cnnfi_keras_tensor gelu_tanh(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor cube = cnnfi_build_binary(b, "Mul", "mul", cnnfi_build_unary(b, "Square", "Square", x), x);
    cnnfi_keras_tensor inner =
        cnnfi_build_binary(b, "AddV2", "add", x, cnnfi_build_binary_const(b, "Mul", "mul", cube, 0.044715));
    cnnfi_keras_tensor t =
        cnnfi_build_unary(b, "Tanh", "Tanh", cnnfi_build_binary_const(b, "Mul", "mul", inner, 0.7978845608028654));
    cnnfi_keras_tensor half = cnnfi_build_binary_const(b, "Mul", "mul", x, 0.5);
    return cnnfi_build_binary(b, "Mul", "mul", half, cnnfi_build_binary_const(b, "AddV2", "add", t, 1));
}

static void gelu(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(call->b)) return;
    cnnfi_layer_return(call,
                       cnnfi_function_flag(call, 1, "approximate") ? gelu_tanh(call->b, x) : gelu_exact(call->b, x));
}

static void leaky_relu(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    double alpha = cnnfi_json_number(cnnfi_function_argument(call, 1, "negative_slope|alpha"), 0.2);
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, cnnfi_build_leaky_relu(call->b, x, alpha));
}

/* The softmaxes work along the last dimension. */
static void softmax(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(call->b)) return;
    int32_t axis = cnnfi_function_axis(call, 1, "axis|dim", -1, x.rank);
    if (axis == x.rank - 1)
        cnnfi_layer_return(call, cnnfi_build_unary(call->b, op, op, x));
    else if (strcmp(op, "Softmax") == 0)
        cnnfi_layer_return(call, cnnfi_build_softmax_by_hand(call->b, x, axis));
    else
        cnnfi_layer_return(call,
                           cnnfi_build_unary(call->b, "Log", "Log", cnnfi_build_softmax_by_hand(call->b, x, axis)));
}

static void clip(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    const cnnfi_json *low = cnnfi_function_argument(call, 1, "x_min|clip_value_min"),
                     *high = cnnfi_function_argument(call, 2, "x_max|clip_value_max");
    if (!cnnfi_json_is_number(low) || !cnnfi_json_is_number(high))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its bounds are no numbers");
    if (cnnfi_build_ok(call->b))
        cnnfi_layer_return(call, cnnfi_build_clip(call->b, x, cnnfi_json_number(low, 0), cnnfi_json_number(high, 0)));
}

static void l2_normalize(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(call->b)) return;
    int32_t axis = cnnfi_function_axis(call, 1, "axis|dim", -1, x.rank);
    cnnfi_layer_return(call,
                       cnnfi_build_l2_normalize(call->b, x, axis,
                                                cnnfi_json_number(cnnfi_function_argument(call, 2, "epsilon"), 1e-12)));
}

static void cast(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    const char *name = cnnfi_json_string(cnnfi_function_argument(call, 1, "dtype"), "float32");
    static const struct {
        const char *name;
        cnnf_dtype dtype;
    } types[] = {{"bool", CNNF_BOOL},         {"float16", CNNF_HALF}, {"float32", CNNF_FLOAT}, {"float64", CNNF_DOUBLE},
                 {"int16", CNNF_INT16},       {"int32", CNNF_INT32},  {"int64", CNNF_INT64},   {"int8", CNNF_INT8},
                 {"bfloat16", CNNF_BFLOAT16}, {"uint8", CNNF_UINT8}};
    cnnf_dtype to = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0) to = types[i].dtype;
    if (!to) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "a cast to '%s'", name);
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, to == x.dtype ? x : cnnfi_build_cast(call->b, "Cast", x, to));
}

static void identity(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_layer_return(call, cnnfi_function_first(call));
}

/* ---- reductions ---- */

static void reduce(cnnfi_layer_call *call, const char *op)
{
    int32_t axes[CNNFI_KERAS_MAX_RANK];
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(call->b)) return;
    int32_t n = cnnfi_function_axes(call, 1, "axis|reduction_indices", x.rank, axes);
    if (cnnfi_function_argument(call, 4, "initial"))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "'initial' is not supported");
    if (cnnfi_build_ok(call->b))
        cnnfi_layer_return(call, cnnfi_build_reduce(call->b, op, op, x, (size_t)n, axes,
                                                    cnnfi_function_flag(call, 2, "keepdims|keep_dims")));
}

/* ---- shapes ---- */

static void reshape(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    int64_t dims[2 * CNNFI_KERAS_MAX_RANK], known = 1, total = 1;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    int32_t n = cnnfi_json_integers(cnnfi_function_argument(call, 1, "newshape|shape"), dims, CNNFI_KERAS_MAX_RANK),
            open = -1, unknown = 0;
    if (n < 0) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its shape is no list of numbers");
    if (!cnnfi_build_ok(call->b)) return;
    cnnfi_keras_tensor y = cnnfi_build_reshape(call->b, "Reshape", x, n, dims);
    for (int32_t i = 0; i < n; i++) {
        if (dims[i] < 0)
            open = i;
        else if (__builtin_mul_overflow(known, dims[i], &known))
            known = 0;
    }
    for (int32_t i = 0; i < x.rank; i++) {
        if (x.dims[i] < 0)
            unknown++;
        else if (__builtin_mul_overflow(total, x.dims[i], &total))
            known = 0;
    }
    if (open >= 0 && unknown == 0 && known > 0) y.dims[open] = total / known;
    cnnfi_layer_return(call, y);
}

static void transpose(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    int32_t perm[CNNFI_KERAS_MAX_RANK];
    bool seen[CNNFI_KERAS_MAX_RANK] = {false};
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(call->b)) return;
    int32_t n = cnnfi_function_axes(call, 1, "axes|perm|pattern", x.rank, perm);
    bool whole = n == x.rank;
    for (int32_t i = 0; i < n; i++)
        seen[perm[i]] = true;
    for (int32_t i = 0; i < x.rank; i++)
        whole = whole && seen[i];
    for (int32_t i = 0; i < n && !cnnfi_function_argument(call, 1, "axes|perm|pattern"); i++)
        perm[i] = n - 1 - i;
    if (!whole) cnnfi_layer_fail(call, CNNF_E_CORRUPT, "its axes are no permutation");
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, cnnfi_build_transpose(call->b, "transpose", x, perm));
}

/* All inputs are tensors of one rank. */
static bool uniform(cnnfi_layer_call *call)
{
    for (size_t i = 0; i < call->n_inputs; i++)
        if (!call->inputs[i].name || call->inputs[i].rank != call->inputs[0].rank)
            cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its inputs do not fit");
    return call->n_inputs > 0 && cnnfi_build_ok(call->b);
}

static void concatenate(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    if (!uniform(call)) return;
    int32_t axis = cnnfi_function_axis(call, 1, "axis", -1, call->inputs[0].rank);
    if (cnnfi_build_ok(call->b))
        cnnfi_layer_return(call, cnnfi_build_concat(call->b, "concat", call->n_inputs, call->inputs, axis));
}

static void add_n(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor y;
    if (!uniform(call)) return;
    cnnf_node *node = cnnfi_build_node_t(call->b, &y, op, op, call->n_inputs, call->inputs);
    cnnfi_node_set_int(call->b->graph, node, "N", (int64_t)call->n_inputs);
    cnnfi_layer_return(call, y);
}

static void expand_dims(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(call->b)) return;
    int64_t axes[2 * CNNFI_KERAS_MAX_RANK] = {-1};
    const cnnfi_json *given = cnnfi_function_argument(call, 1, "axis");
    int32_t n = given ? cnnfi_json_integers(given, axes, CNNFI_KERAS_MAX_RANK) : 1;
    bool wanted[CNNFI_KERAS_MAX_RANK + 1] = {false};
    if (n < 1 || x.rank + n > CNNFI_KERAS_MAX_RANK) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "too many dimensions");
    const int32_t rank = x.rank + n;
    for (int32_t i = 0; i < n && cnnfi_build_ok(call->b); i++)
        wanted[cnnfi_layer_axis(call, axes[i], rank)] = true;
    for (int32_t i = 0; i < rank && cnnfi_build_ok(call->b); i++)
        if (wanted[i]) x = cnnfi_build_expand_dims(call->b, "ExpandDims", x, i);
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, x);
}

static void stack(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    if (!uniform(call) || call->inputs[0].rank == CNNFI_KERAS_MAX_RANK) return;
    int32_t axis = cnnfi_function_axis(call, 1, "axis", 0, call->inputs[0].rank + 1);
    cnnfi_keras_tensor y;
    cnnf_node *node = cnnfi_build_node_t(call->b, &y, "Pack", "stack", call->n_inputs, call->inputs);
    cnnfi_node_set_int(call->b->graph, node, "N", (int64_t)call->n_inputs);
    cnnfi_node_set_int(call->b->graph, node, "axis", axis);
    for (int32_t i = y.rank; i > axis; i--)
        y.dims[i] = y.dims[i - 1];
    y.dims[axis] = (int64_t)call->n_inputs;
    y.rank++;
    cnnfi_layer_return(call, y);
}

static void squeeze(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    int32_t axes[CNNFI_KERAS_MAX_RANK], n = 0;
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    if (!cnnfi_build_ok(call->b)) return;
    if (cnnfi_function_argument(call, 1, "axis"))
        n = cnnfi_function_axes(call, 1, "axis", x.rank, axes);
    else
        for (int32_t i = 0; i < x.rank; i++)
            if (x.dims[i] == 1) axes[n++] = i;
    for (int32_t i = n; i-- > 0 && cnnfi_build_ok(call->b);)
        x = cnnfi_build_squeeze(call->b, "Squeeze", x, axes[i]);
    if (n == 0) x = cnnfi_build_unary(call->b, "Identity", "Identity", x);
    cnnfi_layer_return(call, x);
}

/* At the given places: slices of x. */
static void split_at(cnnfi_layer_call *call, cnnfi_keras_tensor x, const cnnfi_json *places)
{
    int64_t at[2 * CNNFI_KERAS_MAX_RANK + 2] = {0};
    cnnfi_keras_index indices[CNNFI_KERAS_MAX_RANK];
    cnnfi_keras_tensor parts[2 * CNNFI_KERAS_MAX_RANK + 1];
    const int32_t n = cnnfi_json_integers(places, at, 2 * CNNFI_KERAS_MAX_RANK);
    const int32_t axis = cnnfi_function_axis(call, 2, "axis", 0, x.rank);
    if (n < 1) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its places are no numbers");
    for (int32_t i = 0; i <= n && cnnfi_build_ok(call->b); i++) {
        for (int32_t k = 0; k < axis; k++)
            indices[k] = (cnnfi_keras_index){.kind = CNNFI_KERAS_INDEX_RANGE};
        indices[axis] = (cnnfi_keras_index){.kind = CNNFI_KERAS_INDEX_RANGE, .has_begin = i > 0, .has_end = i < n};
        if (i > 0) indices[axis].begin = at[i - 1];
        if (i < n) indices[axis].end = at[i];
        if (!cnnfi_build_index(call->b, &parts[i], x, (size_t)axis + 1, indices))
            cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its places do not fit");
    }
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return_n(call, (size_t)n + 1, parts);
}

static void split(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call), parts[64];
    const cnnfi_json *given = cnnfi_function_argument(call, 1, "indices_or_sections|num_or_size_splits");
    int64_t sections = cnnfi_json_int(given, 0);
    if (!cnnfi_build_ok(call->b)) return;
    if (cnnfi_json_is_array(given) && call->b->keras3) {
        split_at(call, x, given);
        return;
    }
    int32_t axis = cnnfi_function_axis(call, 2, "axis", 0, x.rank);
    if (sections < 1 || sections > 64 || x.dims[axis] % sections != 0) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only splits into at most 64 equal parts are supported");
        return;
    }
    cnnfi_keras_tensor part = cnnfi_build_split(call->b, "split", x, axis, sections);
    for (int64_t i = 0; i < sections; i++)
        parts[i] = cnnfi_build_port(call->b, &part, (int32_t)i);
    cnnfi_layer_return_n(call, (size_t)sections, parts);
}

static void unstack(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_first(call), y, parts[64];
    if (!cnnfi_build_ok(call->b)) return;
    int32_t axis = cnnfi_function_axis(call, 2, "axis", 0, x.rank);
    int64_t n = x.dims[axis];
    if (n < 1 || n > 64) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only 1 to 64 parts are supported");
        return;
    }
    cnnf_node *node = cnnfi_build_node_t(call->b, &y, "Unpack", "unstack", 1, &x);
    cnnfi_node_set_int(call->b->graph, node, "num", n);
    cnnfi_node_set_int(call->b->graph, node, "axis", axis);
    for (int32_t i = axis; i + 1 < y.rank; i++)
        y.dims[i] = y.dims[i + 1];
    y.rank--;
    for (int64_t i = 0; i < n; i++)
        parts[i] = cnnfi_build_port(call->b, &y, (int32_t)i);
    cnnfi_layer_return_n(call, (size_t)n, parts);
}

static void tile(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    int64_t times[2 * CNNFI_KERAS_MAX_RANK];
    int32_t multiples[CNNFI_KERAS_MAX_RANK];
    cnnfi_keras_tensor x = cnnfi_function_first(call), y;
    if (!cnnfi_build_ok(call->b)) return;
    if (cnnfi_json_integers(cnnfi_function_argument(call, 1, "multiples|repeats"), times, CNNFI_KERAS_MAX_RANK) !=
        x.rank) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its multiples are not one number for each dimension");
        return;
    }
    for (int32_t i = 0; i < x.rank; i++)
        multiples[i] = times[i] >= 0 && times[i] <= 65536 ? (int32_t)times[i] : 0;
    cnnfi_keras_tensor inputs[2] = {x, cnnfi_build_ints(call->b, "multiples", (size_t)x.rank, multiples)};
    cnnf_node *node = cnnfi_build_node_t(call->b, &y, "Tile", "Tile", 2, inputs);
    cnnfi_node_set_type(call->b->graph, node, "Tmultiples", CNNF_INT32);
    for (int32_t i = 0; i < x.rank; i++)
        if (y.dims[i] >= 0 && __builtin_mul_overflow(y.dims[i], multiples[i], &y.dims[i])) y.dims[i] = -1;
    cnnfi_layer_return(call, y);
}

/* PadV2 with a value, MirrorPad */
static cnnfi_keras_tensor pad_otherwise(cnnfi_keras_builder *b, cnnfi_keras_tensor x, const int32_t (*pairs)[2],
                                        const char *mode, double value)
{
    const bool mirror = strcmp(mode, "constant") != 0;
    cnnfi_keras_tensor y, inputs[3] = {x, cnnfi_build_pairs(b, "paddings", (size_t)x.rank, pairs)};
    if (!mirror) inputs[2] = cnnfi_build_scalar(b, "constant_values", x.dtype, value);
    cnnf_node *node = cnnfi_build_node_t(b, &y, mirror ? "MirrorPad" : "PadV2", "Pad", mirror ? 2 : 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tpaddings", CNNF_INT32);
    if (mirror) cnnfi_node_set_string(b->graph, node, "mode", strcmp(mode, "reflect") == 0 ? "REFLECT" : "SYMMETRIC");
    for (int32_t i = 0; i < x.rank; i++)
        if (x.dims[i] >= 0) y.dims[i] = x.dims[i] + pairs[i][0] + pairs[i][1];
    return y;
}

static void pad(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    static const char *const modes[][2] = {
        {"constant", "CONSTANT"}, {"reflect", "REFLECT"}, {"symmetric", "SYMMETRIC"}};
    int64_t amounts[2 * CNNFI_KERAS_MAX_RANK];
    int32_t pairs[CNNFI_KERAS_MAX_RANK][2];
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    const double fill = cnnfi_json_number(cnnfi_function_argument(call, 3, "constant_values"), 0);
    const char *given = cnnfi_json_string(cnnfi_function_argument(call, 2, "mode"), "constant"), *mode = NULL;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(given, modes[i][0]) == 0 || strcmp(given, modes[i][1]) == 0) mode = modes[i][0];
    if (!cnnfi_build_ok(call->b)) return;
    int32_t n =
        cnnfi_json_integers(cnnfi_function_argument(call, 1, "pad_width|paddings"), amounts, 2 * CNNFI_KERAS_MAX_RANK);
    if (n != 2 * x.rank || !mode) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only padding by a list of pairs is supported");
        return;
    }
    for (int32_t i = 0; i < n; i++) {
        if (amounts[i] < 0 || amounts[i] > INT32_MAX / 4) amounts[i] = 0;
        pairs[i / 2][i % 2] = (int32_t)amounts[i];
    }
    const int32_t(*rows)[2] = (const int32_t(*)[2])pairs;
    if (strcmp(mode, "constant") == 0 && fill == 0)
        cnnfi_layer_return(call, cnnfi_build_pad(call->b, "Pad", x, rows));
    else
        cnnfi_layer_return(call, pad_otherwise(call->b, x, rows, mode, fill));
}

static void flip(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    int32_t axes[CNNFI_KERAS_MAX_RANK];
    cnnfi_keras_tensor x = cnnfi_function_first(call), y;
    if (!cnnfi_build_ok(call->b)) return;
    int32_t n = cnnfi_function_axes(call, 1, "axis", x.rank, axes);
    cnnfi_keras_tensor inputs[2] = {x, cnnfi_build_ints(call->b, "axis", (size_t)n, axes)};
    cnnf_node *node = cnnfi_build_node_t(call->b, &y, "ReverseV2", "ReverseV2", 2, inputs);
    cnnfi_node_set_type(call->b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_layer_return(call, y);
}

/* ---- x[a, b, c] ---- */

static bool read_index(const cnnfi_json *value, cnnfi_keras_index *out)
{
    const char *class_name = cnnfi_json_string(cnnfi_json_get(value, "class_name"), "");
    const cnnfi_json *range = strcmp(class_name, "__slice__") == 0 ? cnnfi_json_get(value, "config") : value;
    *out = (cnnfi_keras_index){.kind = CNNFI_KERAS_INDEX_RANGE};
    if (strcmp(class_name, "__ellipsis__") == 0 || strcmp(cnnfi_json_string(value, ""), "...") == 0) {
        out->kind = CNNFI_KERAS_INDEX_ELLIPSIS;
    } else if (cnnfi_json_is_int(value)) {
        *out = (cnnfi_keras_index){.kind = CNNFI_KERAS_INDEX_AT, .begin = cnnfi_json_int(value, 0)};
    } else if (cnnfi_json_is_null(value)) {
        out->kind = CNNFI_KERAS_INDEX_NEW;
    } else {
        const cnnfi_json *start = cnnfi_json_get(range, "start"), *stop = cnnfi_json_get(range, "stop");
        out->has_begin = cnnfi_json_is_int(start);
        out->has_end = cnnfi_json_is_int(stop);
        out->begin = cnnfi_json_int(start, 0);
        out->end = cnnfi_json_int(stop, 0);
        out->stride = cnnfi_json_int(cnnfi_json_get(range, "step"), 0);
        return cnnfi_json_is_object(range);
    }
    return true;
}

static void get_item(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_index indices[CNNFI_KERAS_MAX_RANK + 1];
    cnnfi_keras_tensor x = cnnfi_function_first(call), y;
    const cnnfi_json *spec = cnnfi_function_argument(call, 1, "key|slice_spec"), *items = cnnfi_json_get(spec, "items");
    if (items) spec = items;
    size_t n = cnnfi_json_is_array(spec) ? cnnfi_json_size(spec) : 1;
    bool fits = n <= CNNFI_KERAS_MAX_RANK + 1 && spec;
    for (size_t i = 0; i < n && fits; i++)
        fits = read_index(cnnfi_json_is_array(spec) ? cnnfi_json_at(spec, i) : spec, &indices[i]);
    if (!cnnfi_build_ok(call->b)) return;
    if (fits && cnnfi_build_index(call->b, &y, x, n, indices))
        cnnfi_layer_return(call, y);
    else
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its indices are not supported or do not fit");
}

/* ---- the rest ---- */

static void matmul(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x = cnnfi_function_tensor(call, 0, "x1|a", CNNF_FLOAT),
                       y = cnnfi_function_tensor(call, 1, "x2|b", CNNF_FLOAT);
    bool left = cnnfi_function_flag(call, 2, "transpose_a"), right = cnnfi_function_flag(call, 3, "transpose_b");
    if (!cnnfi_build_ok(call->b)) return;
    if (x.rank < 2 || y.rank < 2)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its inputs are no matrices");
    else if (x.rank > y.rank && !left && !right)
        cnnfi_layer_return(call, cnnfi_build_batch_matmul(call->b, x, y, left, right));
    else if (x.rank != y.rank)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its inputs have different ranks");
    else if (x.rank > 2)
        cnnfi_layer_return(call, cnnfi_build_batch_matmul(call->b, x, y, left, right));
    else if (!left && !right)
        cnnfi_layer_return(call, cnnfi_build_matmul(call->b, "MatMul", x, y));
    else
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "transposed operands of two dimensions are not supported");
}

static void resize(cnnfi_layer_call *call, const char *op)
{
    int64_t size[2 * CNNFI_KERAS_MAX_RANK];
    cnnfi_keras_tensor x = cnnfi_function_first(call);
    const char *method = cnnfi_json_string(cnnfi_function_argument(call, 2, "interpolation|method"), "bilinear");
    if (!op) op = cnnfi_keras_resize_op(method);
    int32_t n = cnnfi_json_integers(cnnfi_function_argument(call, 1, "size"), size, 2);
    bool plain = !cnnfi_function_flag(call, 3, "antialias") &&
                 !cnnfi_function_flag(call, 4, "crop_to_aspect_ratio|preserve_aspect_ratio") &&
                 !cnnfi_function_flag(call, 5, "pad_to_aspect_ratio");
    if (!op || n != 2 || !plain || x.rank != 4)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "this kind of resizing is not supported");
    if (!cnnfi_build_ok(call->b)) return;
    cnnfi_keras_tensor target =
        cnnfi_build_ints(call->b, "size", 2, (const int32_t[]){(int32_t)size[0], (int32_t)size[1]});
    bool v1 = strstr(cnnfi_layer_string(call, "function", ""), "image.resize_") != NULL;
    bool corners = cnnfi_function_flag(call, 2, "align_corners");
    bool centers = v1 ? cnnfi_function_flag(call, 3, "half_pixel_centers") : true;
    cnnfi_layer_return(call, cnnfi_build_resize(call->b, op, op, x, target, corners, centers, size));
}

static void block(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x = cnnfi_function_first(call), y;
    int64_t size = cnnfi_json_int(cnnfi_function_argument(call, 1, "block_size"), 0);
    bool grows = strcmp(op, "DepthToSpace") == 0;
    if (x.rank != 4 || size < 2 || size > 4096) cnnfi_layer_fail(call, CNNF_E_CORRUPT, "'block_size' is wrong");
    if (!cnnfi_build_ok(call->b)) return;
    cnnf_node *node = cnnfi_build_node_t(call->b, &y, op, op, 1, &x);
    cnnfi_node_set_int(call->b->graph, node, "block_size", size);
    cnnfi_node_set_string(call->b->graph, node, "data_format", "NHWC");
    for (int32_t i = 1; i < 3; i++)
        if (y.dims[i] >= 0) y.dims[i] = grows ? y.dims[i] * size : y.dims[i] / size;
    if (y.dims[3] >= 0) y.dims[3] = grows ? y.dims[3] / (size * size) : y.dims[3] * size * size;
    cnnfi_layer_return(call, y);
}

/* "SAME" or "valid"; one number or a list for the windows, batch and channels maybe included. */
static void window(cnnfi_layer_call *call, size_t index, const char *names, int64_t out[4], const int64_t *fallback)
{
    int64_t given[2 * CNNFI_KERAS_MAX_RANK];
    const cnnfi_json *value = cnnfi_function_argument(call, index, names);
    int32_t n = value ? cnnfi_json_integers(value, given, 4) : 0;
    if (!value && fallback) {
        memcpy(out, fallback, 4 * sizeof *out);
        return;
    }
    out[0] = out[3] = 1;
    out[1] = n == 4 ? given[1] : n > 0 ? given[0] : 0;
    out[2] = n == 4 ? given[2] : n == 2 ? given[1] : out[1];
    if (out[1] < 1 || out[2] < 1 || out[1] > INT32_MAX || out[2] > INT32_MAX)
        cnnfi_layer_fail(call, CNNF_E_CORRUPT, "its window is no size");
}

static void pool(cnnfi_layer_call *call, const char *op)
{
    int64_t size[4], strides[4];
    cnnfi_keras_tensor x = cnnfi_function_first(call), y;
    const char *padding = cnnfi_json_string(cnnfi_function_argument(call, 3, "padding"), "valid"),
               *format = cnnfi_json_string(cnnfi_function_argument(call, 4, "data_format"), "NHWC");
    bool same = strcmp(padding, "same") == 0 || strcmp(padding, "SAME") == 0;
    window(call, 1, "pool_size|ksize", size, NULL);
    window(call, 2, "strides", strides, size);
    if (x.rank != 4 || (strcmp(format, "NHWC") != 0 && strcmp(format, "channels_last") != 0))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "only channels_last images are supported");
    if (!cnnfi_build_ok(call->b)) return;
    cnnf_node *node = cnnfi_build_node_t(call->b, &y, op, op, 1, &x);
    cnnfi_node_set_ints(call->b->graph, node, "ksize", size, 4);
    cnnfi_node_set_ints(call->b->graph, node, "strides", strides, 4);
    cnnfi_node_set_string(call->b->graph, node, "padding", same ? "SAME" : "VALID");
    cnnfi_node_set_string(call->b->graph, node, "data_format", "NHWC");
    for (int32_t i = 1; i < 3; i++)
        y.dims[i] = cnnfi_keras_window_length(x.dims[i], size[i], strides[i], 1, same);
    cnnfi_layer_return(call, y);
}

/* ---- tf.nn.bias_add() and tf.image ---- */

static void bias_add(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x = cnnfi_function_first(call), bias = cnnfi_function_tensor(call, 1, "bias", x.dtype);
    const char *format = cnnfi_json_string(cnnfi_function_argument(call, 2, "data_format"), "NHWC");
    if (cnnfi_build_ok(call->b) && (x.rank < 2 || bias.rank != 1))
        cnnfi_layer_fail(call, CNNF_E_MISMATCH, "its bias has %d dimensions", bias.rank);
    if (cnnfi_build_ok(call->b))
        cnnfi_layer_return(call, cnnfi_build_bias_add(call->b, op, x, bias, format[1] == 'C' ? "NCHW" : "NHWC"));
}

/* An image or a batch of images; the first of its last three dimensions is its height. */
static bool image_of(cnnfi_layer_call *call, cnnfi_keras_tensor *x, int32_t *height, bool sized)
{
    cnnfi_keras_tensor t;
    *x = named_tensor(call, "image|images|contents", &t) ? t : cnnfi_function_first(call);
    *height = x->rank - 3;
    if (!cnnfi_build_ok(call->b)) return false;
    if (x->rank != 3 && x->rank != 4)
        cnnfi_layer_fail(call, CNNF_E_MISMATCH, "its image has %d dimensions", x->rank);
    else if (x->dtype != CNNF_FLOAT)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its image is not float32");
    else if (sized && (x->dims[*height] < 0 || x->dims[*height + 1] < 0))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "the size of its image must be known");
    return cnnfi_build_ok(call->b);
}

static void flip_image(cnnfi_layer_call *call, const char *side)
{
    cnnfi_keras_tensor x;
    int32_t at;
    if (image_of(call, &x, &at, false))
        cnnfi_layer_return(call, cnnfi_build_reverse(call->b, x, at + (side[0] == 'W')));
}

static cnnfi_keras_tensor turned_image(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int32_t at)
{
    int32_t perm[4] = {0, 1, 2, 3};
    perm[at] = at + 1;
    perm[at + 1] = at;
    return cnnfi_build_transpose(b, "transpose", x, perm);
}

static void transpose_image(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x;
    int32_t at;
    if (image_of(call, &x, &at, false)) cnnfi_layer_return(call, turned_image(call->b, x, at));
}

static void rot90(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x;
    int32_t at;
    int64_t k = ((cnnfi_json_int(cnnfi_function_argument(call, 1, "k"), 1) % 4) + 4) % 4;
    if (!image_of(call, &x, &at, false)) return;
    if (k == 1) x = turned_image(call->b, cnnfi_build_reverse(call->b, x, at + 1), at);
    if (k == 2) x = cnnfi_build_reverse(call->b, cnnfi_build_reverse(call->b, x, at), at + 1);
    if (k == 3) x = cnnfi_build_reverse(call->b, turned_image(call->b, x, at), at + 1);
    cnnfi_layer_return(call, k ? x : cnnfi_build_unary(call->b, "Identity", "Identity", x));
}

static void rgb_to_grayscale(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    static const float weights[3] = {0.2989f, 0.587f, 0.114f};
    cnnfi_keras_tensor x;
    int32_t at;
    if (!image_of(call, &x, &at, false)) return;
    if (x.dims[x.rank - 1] != 3) {
        cnnfi_layer_fail(call, CNNF_E_MISMATCH, "its image has %lld channels", (long long)x.dims[x.rank - 1]);
        return;
    }
    cnnfi_keras_tensor weighed =
        cnnfi_build_binary(call->b, "Mul", "mul", x, cnnfi_build_floats(call->b, "Const", 3, weights));
    cnnfi_layer_return(call, cnnfi_build_reduce_axis(call->b, "Sum", "Sum", weighed, -1, true));
}

static void grayscale_to_rgb(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x;
    int32_t at;
    if (!image_of(call, &x, &at, false)) return;
    if (x.dims[x.rank - 1] != 1)
        cnnfi_layer_fail(call, CNNF_E_MISMATCH, "its image has %lld channels", (long long)x.dims[x.rank - 1]);
    else
        cnnfi_layer_return(call,
                           cnnfi_build_concat(call->b, "concat", 3, (const cnnfi_keras_tensor[]){x, x, x}, x.rank - 1));
}

/* An image cut to a window and then set into a larger one: [0] rows, [1] columns. */
typedef struct frame {
    int64_t from[2], size[2], before[2], all[2];
} frame;

static void put_in_frame(cnnfi_layer_call *call, cnnfi_keras_tensor x, int32_t at, const frame *f)
{
    cnnfi_keras_index indices[4] = {{.kind = CNNFI_KERAS_INDEX_RANGE}};
    int32_t paddings[4][2] = {{0}};
    bool cut = false, padded = false;
    for (int32_t i = 0; i < 2; i++) {
        if (f->from[i] < 0 || f->size[i] < 1 || f->from[i] + f->size[i] > x.dims[at + i] || f->before[i] < 0 ||
            f->all[i] > INT32_MAX || f->before[i] + f->size[i] > f->all[i]) {
            cnnfi_layer_fail(call, CNNF_E_MISMATCH, "its window does not fit the image");
            return;
        }
        indices[at + i] = (cnnfi_keras_index){
            .has_begin = true, .begin = f->from[i], .has_end = true, .end = f->from[i] + f->size[i]};
        paddings[at + i][0] = (int32_t)f->before[i];
        paddings[at + i][1] = (int32_t)(f->all[i] - f->before[i] - f->size[i]);
        cut = cut || f->size[i] != x.dims[at + i];
        padded = padded || f->all[i] != f->size[i];
    }
    cnnfi_keras_tensor y = x;
    if (cut && !cnnfi_build_index(call->b, &y, x, (size_t)at + 2, indices)) return;
    if (padded) y = cnnfi_build_pad(call->b, "Pad", y, (const int32_t(*)[2])paddings);
    cnnfi_layer_return(call, cut || padded ? y : cnnfi_build_unary(call->b, "Identity", "Identity", x));
}

static void bounding_box(cnnfi_layer_call *call, const char *what)
{
    static const char *const offsets[2] = {"offset_height", "offset_width"}, *const targets[2] = {"target_height",
                                                                                                  "target_width"};
    cnnfi_keras_tensor x;
    int32_t at;
    frame f;
    if (!image_of(call, &x, &at, true)) return;
    for (size_t i = 0; i < 2; i++) {
        int64_t offset = cnnfi_json_int(cnnfi_function_argument(call, 1 + i, offsets[i]), -1),
                target = cnnfi_json_int(cnnfi_function_argument(call, 3 + i, targets[i]), -1);
        if (target > INT32_MAX || offset > INT32_MAX) offset = -1;
        const bool crop = what[0] == 'c';
        f.from[i] = crop ? offset : 0;
        f.size[i] = crop ? target : x.dims[at + (int32_t)i];
        f.before[i] = crop ? 0 : offset;
        f.all[i] = target;
    }
    put_in_frame(call, x, at, &f);
}

static void crop_or_pad(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    static const char *const targets[2] = {"target_height", "target_width"};
    cnnfi_keras_tensor x;
    int32_t at;
    frame f;
    if (!image_of(call, &x, &at, true)) return;
    for (size_t i = 0; i < 2; i++) {
        int64_t have = x.dims[at + (int32_t)i],
                want = cnnfi_json_int(cnnfi_function_argument(call, 1 + i, targets[i]), -1);
        f.from[i] = have > want ? (have - want) / 2 : 0;
        f.size[i] = have < want ? have : want;
        f.before[i] = want > have ? (want - have) / 2 : 0;
        f.all[i] = want;
    }
    put_in_frame(call, x, at, &f);
}

static void central_crop(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_tensor x;
    int32_t at;
    frame f = {.before = {0, 0}};
    double fraction = cnnfi_json_number(cnnfi_function_argument(call, 1, "central_fraction"), 0);
    if (!image_of(call, &x, &at, true)) return;
    if (!(fraction > 0 && fraction <= 1))
        cnnfi_layer_fail(call, CNNF_E_CORRUPT, "central_fraction is not within (0, 1]");
    for (int32_t i = 0; i < 2 && cnnfi_build_ok(call->b); i++) {
        double size = (double)x.dims[at + i];
        f.from[i] = (int64_t)((size - size * fraction) / 2);
        f.size[i] = f.all[i] = x.dims[at + i] - 2 * f.from[i];
    }
    if (cnnfi_build_ok(call->b)) put_in_frame(call, x, at, &f);
}

/* (x - mean) / max(deviation, 1 / sqrt(pixels)) of each image */
static void standardize(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x;
    int32_t at;
    if (!image_of(call, &x, &at, true)) return;
    const int32_t axes[3] = {at, at + 1, at + 2};
    const double pixels = (double)x.dims[at] * (double)x.dims[at + 1] * (double)x.dims[at + 2];
    cnnfi_keras_tensor moved =
        cnnfi_build_binary(b, "Sub", "sub", x, cnnfi_build_reduce(b, "Mean", "Mean", x, 3, axes, true));
    cnnfi_keras_tensor variance =
        cnnfi_build_reduce(b, "Mean", "Mean", cnnfi_build_unary(b, "Square", "Square", moved), 3, axes, true);
    cnnfi_keras_tensor least = cnnfi_build_scalar(b, "Const", x.dtype, 1 / __builtin_sqrt(pixels > 1 ? pixels : 1));
    cnnfi_keras_tensor deviation =
        cnnfi_build_binary(b, "Maximum", "Maximum", cnnfi_build_unary(b, "Sqrt", "Sqrt", variance), least);
    cnnfi_layer_return(call, cnnfi_build_binary(b, "RealDiv", "truediv", moved, deviation));
}

static void adjust_brightness(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x;
    int32_t at;
    const cnnfi_json *delta = cnnfi_function_argument(call, 1, "delta");
    if (!image_of(call, &x, &at, false)) return;
    cnnfi_layer_return(call, cnnfi_build_binary_const(call->b, op, "add", x, cnnfi_json_number(delta, 0)));
}

static void adjust_contrast(cnnfi_layer_call *call, const char *op)
{
    (void)op;
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x;
    int32_t at;
    const cnnfi_json *factor = cnnfi_function_argument(call, 1, "contrast_factor");
    if (!image_of(call, &x, &at, false)) return;
    const int32_t axes[2] = {at, at + 1};
    cnnfi_keras_tensor mean = cnnfi_build_reduce(b, "Mean", "Mean", x, 2, axes, true);
    cnnfi_keras_tensor moved = cnnfi_build_binary_const(b, "Mul", "mul", cnnfi_build_binary(b, "Sub", "sub", x, mean),
                                                        cnnfi_json_number(factor, 1));
    cnnfi_layer_return(call, cnnfi_build_binary(b, "AddV2", "add", moved, mean));
}

static const cnnfi_keras_function_row functions[] = {
    {"Absolute|Abs|math.abs|abs", unary, "Abs"},
    {"Add|math.add|__operators__.add|__operators__.radd", binary, "AddV2"},
    {"math.add_n|add_n", add_n, "AddN"},
    {"Amax|Max|math.reduce_max|reduce_max", reduce, "Max"},
    {"Amin|Min|math.reduce_min|reduce_min", reduce, "Min"},
    {"AveragePool|nn.avg_pool2d|nn.avg_pool", pool, "AvgPool"},
    {"Cast|cast", cast, NULL},
    {"Ceil|math.ceil", unary, "Ceil"},
    {"Clip|clip_by_value", clip, NULL},
    {"Concatenate|concat|keras.backend.concatenate", concatenate, NULL},
    {"Cos|math.cos", unary, "Cos"},
    {"DepthToSpace|nn.depth_to_space", block, "DepthToSpace"},
    {"Elu|nn.elu", unary, "Elu"},
    {"Erf|math.erf", unary, "Erf"},
    {"Exp|math.exp|exp", unary, "Exp"},
    {"ExpandDims|expand_dims", expand_dims, NULL},
    {"Flip|reverse", flip, NULL},
    {"Floor|math.floor", unary, "Floor"},
    {"FloorDivide|math.floordiv", binary, "FloorDiv"},
    {"Gelu|nn.gelu", gelu, NULL},
    {"GetItem|__operators__.getitem", get_item, NULL},
    {"HardSigmoid", activation, "hard_sigmoid"},
    {"HardSilu|HardSwish", activation, "hard_silu"},
    {"Identity|identity|stop_gradient|StopGradient", identity, NULL},
    {"LeakyRelu|nn.leaky_relu", leaky_relu, NULL},
    {"Log|math.log", unary, "Log"},
    {"LogSoftmax|nn.log_softmax", softmax, "LogSoftmax"},
    {"Matmul|linalg.matmul|matmul", matmul, NULL},
    {"MaxPool|nn.max_pool2d|nn.max_pool", pool, "MaxPool"},
    {"Equal|math.equal|equal", binary, "Equal"},
    {"Greater|math.greater|greater", binary, "Greater"},
    {"GreaterEqual|math.greater_equal|greater_equal", binary, "GreaterEqual"},
    {"Less|math.less|less", binary, "Less"},
    {"LessEqual|math.less_equal|less_equal", binary, "LessEqual"},
    {"NotEqual|math.not_equal|not_equal", binary, "NotEqual"},
    {"Maximum|math.maximum|maximum", binary, "Maximum"},
    {"Mean|math.reduce_mean|reduce_mean", reduce, "Mean"},
    {"Minimum|math.minimum|minimum", binary, "Minimum"},
    {"Mish", activation, "mish"},
    {"Multiply|math.multiply|__operators__.mul|__operators__.rmul", binary, "Mul"},
    {"Negative|math.negative|__operators__.neg", unary, "Neg"},
    {"Pad|pad", pad, NULL},
    {"Power|math.pow|__operators__.pow|pow", binary, "Pow"},
    {"Prod|math.reduce_prod", reduce, "Prod"},
    {"Relu|nn.relu", unary, "Relu"},
    {"Relu6|nn.relu6", unary, "Relu6"},
    {"Reshape|reshape", reshape, NULL},
    {"Resize|image.resize", resize, NULL},
    {"image.adjust_brightness", adjust_brightness, "AddV2"},
    {"image.adjust_contrast", adjust_contrast, NULL},
    {"image.central_crop", central_crop, NULL},
    {"image.crop_to_bounding_box", bounding_box, "crop"},
    {"image.flip_left_right", flip_image, "W"},
    {"image.flip_up_down", flip_image, "H"},
    {"image.grayscale_to_rgb", grayscale_to_rgb, NULL},
    {"image.pad_to_bounding_box", bounding_box, "pad"},
    {"image.per_image_standardization", standardize, NULL},
    {"image.resize_with_crop_or_pad|image.resize_image_with_crop_or_pad", crop_or_pad, NULL},
    {"image.rgb_to_grayscale", rgb_to_grayscale, NULL},
    {"image.rot90", rot90, NULL},
    {"image.transpose", transpose_image, NULL},
    {"nn.bias_add", bias_add, "BiasAdd"},
    {"image.resize_bilinear", resize, "ResizeBilinear"},
    {"image.resize_nearest_neighbor", resize, "ResizeNearestNeighbor"},
    {"Round|math.round", unary, "Round"},
    {"Rsqrt|math.rsqrt", unary, "Rsqrt"},
    {"Selu|nn.selu", unary, "Selu"},
    {"Sigmoid|math.sigmoid|nn.sigmoid|sigmoid", unary, "Sigmoid"},
    {"Sign|math.sign", unary, "Sign"},
    {"Silu|Swish|nn.silu|nn.swish", activation, "silu"},
    {"Sin|math.sin", unary, "Sin"},
    {"Softmax|nn.softmax", softmax, "Softmax"},
    {"Softplus|math.softplus|nn.softplus", unary, "Softplus"},
    {"Softsign|nn.softsign", unary, "Softsign"},
    {"SpaceToDepth|nn.space_to_depth", block, "SpaceToDepth"},
    {"Split|split", split, NULL},
    {"Sqrt|math.sqrt|sqrt", unary, "Sqrt"},
    {"Square|math.square|square", unary, "Square"},
    {"SquaredDifference|math.squared_difference", binary, "SquaredDifference"},
    {"Squeeze|squeeze", squeeze, NULL},
    {"Stack|stack", stack, NULL},
    {"Subtract|math.subtract|__operators__.sub|__operators__.rsub", binary, "Sub"},
    {"Sum|math.reduce_sum|reduce_sum", reduce, "Sum"},
    {"Tanh|math.tanh|nn.tanh|tanh", unary, "Tanh"},
    {"Transpose|transpose", transpose, NULL},
    {"Tile|tile", tile, NULL},
    {"Unstack|unstack", unstack, NULL},
    {"TrueDivide|Divide|math.truediv|math.divide|__operators__.truediv|__operators__.rtruediv|divide", binary,
     "RealDiv"},
    {"math.l2_normalize|linalg.l2_normalize|nn.l2_normalize", l2_normalize, NULL},
};

static bool listed(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = names; (at = strstr(at, name)); at += n)
        if ((at == names || at[-1] == '|') && (at[n] == '\0' || at[n] == '|')) return n > 0;
    return false;
}

bool cnnfi_function_run(cnnfi_layer_call *call, const char *name)
{
    static const char v1[] = "compat.v1.";
    if (strncmp(name, v1, sizeof v1 - 1) == 0) name += sizeof v1 - 1;
    const cnnfi_keras_function_row *found = NULL;
    for (size_t i = 0; !found && i < sizeof functions / sizeof functions[0]; i++)
        if (listed(functions[i].names, name)) found = &functions[i];
    for (size_t i = 0; !found && i < cnnfi_keras_function_row_count; i++)
        if (listed(cnnfi_keras_function_rows[i].names, name)) found = &cnnfi_keras_function_rows[i];
    if (found) found->call(call, found->op);
    return found != NULL;
}

static void dispatch(cnnfi_layer_call *call, const char *name)
{
    if (!cnnfi_function_run(call, name))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "function '%s' is not supported", name);
}

static void op_lambda(cnnfi_layer_call *call)
{
    dispatch(call, cnnfi_layer_string(call, "function", "?"));
}

static void operation(cnnfi_layer_call *call)
{
    dispatch(call, call->layer->stored_class);
}

static const cnnfi_keras_row rows[] = {
    {"SlicingOpLambda", "function", "", "tf.keras 2.15", 0, 8, 0, 64, NULL, op_lambda, NULL},
    {"TFOpLambda", "function", "", "tf.keras 2.15", 0, 8, 0, 64, NULL, op_lambda, NULL},
    {"ops.*", "as keras.ops", "", "3", 0, 8, 0, 64, NULL, operation, NULL},
};

const cnnfi_keras_family cnnfi_keras_functions = {"Functions", rows, sizeof rows / sizeof rows[0]};
