/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary in which layers are written: nodes as TensorFlow's Python functions make them. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "graph/builder.h"
#include "loader/keras/build/keras_build.h"

bool cnnfi_kb_ok(const cnnfi_kb *b)
{
    return cnnfi_builder_status(b->graph) == CNNF_OK;
}

void cnnfi_kc_fail(const cnnfi_kc *kc, cnnf_status code, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    const char *class_name = kc->layer->stored_class ? kc->layer->stored_class : kc->layer->class_name;
    cnnfi_builder_fail(kc->b->graph, code, "%s: Keras: layer '%s' (%s): %s", kc->b->model->path, kc->layer->name,
                       class_name, what);
}

void cnnfi_kc_fail_config(const cnnfi_kc *kc, cnnf_status code, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    cnnfi_builder_fail(kc->b->graph, code, "%s: Keras config: layer '%s': %s", kc->b->model->path, kc->layer->name,
                       what);
}

/* ---- nodes ---- */

static cnnfi_kt read_at(cnnfi_kb *b, cnnfi_kt t)
{
    cnnfi_kt handle = t, out;
    handle.variable = false;
    handle.dtype = CNNF_RESOURCE;
    cnnf_node *node = cnnfi_kb_node(b, &out, "ReadVariableOp", "ReadVariableOp", 1, &handle);
    out.dtype = t.dtype;
    cnnfi_node_set_type(b->graph, node, "dtype", t.dtype);
    return out;
}

cnnfi_kt cnnfi_kb_read(cnnfi_kb *b, cnnfi_kt t)
{
    return t.variable ? read_at(b, t) : t;
}

static bool any_variable(size_t n, const cnnfi_kt *inputs)
{
    for (size_t i = 0; i < n; i++) {
        if (inputs[i].variable) return true;
    }
    return false;
}

/* op_def_library enters the op's scope before it converts inputs: a variable is read as "<name>/ReadVariableOp". */
static const char **input_names(cnnfi_kb *b, const char *scope, size_t n, const cnnfi_kt *inputs)
{
    const char **names = cnnfi_builder_array(b->graph, n ? n : 1, sizeof *names);
    if (!names) return NULL;
    const char *saved = b->scope;
    b->scope = scope;
    for (size_t i = 0; i < n; i++) {
        names[i] = inputs[i].variable ? read_at(b, inputs[i]).name : inputs[i].name;
    }
    b->scope = saved;
    return names;
}

static cnnfi_kt scalar_of(cnnf_dtype dtype)
{
    return (cnnfi_kt){.name = "", .dtype = dtype};
}

cnnf_node *cnnfi_kb_node(cnnfi_kb *b, cnnfi_kt *out, const char *op, const char *name, size_t n, const cnnfi_kt *inputs)
{
    cnnfi_kt result = n ? inputs[0] : scalar_of(CNNF_FLOAT);
    result.name = "";
    result.variable = false;
    result.mask = NULL;
    if (++b->n_ops > cnnfi_limit(b->context, CNNF_LIMIT_NODES)) {
        cnnfi_builder_fail(b->graph, CNNF_E_LIMIT, "%s: Keras: it makes more than %llu nodes", b->model->path,
                           (unsigned long long)cnnfi_limit(b->context, CNNF_LIMIT_NODES));
    }
    if (cnnfi_kb_ok(b)) result.name = cnnfi_kb_unique(b, name);
    cnnf_node *node = NULL;
    const char **names = NULL;
    if (cnnfi_kb_ok(b) && (any_variable(n, inputs) || b->ghost == 0)) names = input_names(b, result.name, n, inputs);
    bool waits = false;
    if (names && b->loop && b->ghost == 0) cnnfi_kb_loop_inputs(b, result.name, n, inputs, names, &waits);
    if (names && b->ghost == 0) {
        node = cnnfi_builder_add(b->graph, op, result.name);
        for (size_t i = 0; i < n; i++)
            cnnfi_node_add_input(b->graph, node, names[i]);
        if (waits) cnnfi_node_add_input(b->graph, node, cnnfi_builder_printf(b->graph, "^%s", b->loop->pivot));
        if (b->colocate) cnnfi_kb_colocate(b, node, b->colocate);
    }
    *out = result;
    return node;
}

cnnf_node *cnnfi_kb_node_t(cnnfi_kb *b, cnnfi_kt *out, const char *op, const char *name, size_t n,
                           const cnnfi_kt *inputs)
{
    cnnf_node *node = cnnfi_kb_node(b, out, op, name, n, inputs);
    cnnfi_node_set_type(b->graph, node, "T", inputs[0].dtype);
    return node;
}

cnnfi_kt cnnfi_kb_port(cnnfi_kb *b, const cnnfi_kt *out, int32_t port)
{
    cnnfi_kt t = *out;
    if (port > 0) t.name = cnnfi_builder_printf(b->graph, "%s:%d", out->name, port);
    return t;
}

cnnfi_kt cnnfi_kb_masked(cnnfi_kb *b, cnnfi_kt t, cnnfi_kt mask)
{
    cnnfi_kt *kept = cnnfi_builder_array(b->graph, 1, sizeof *kept);
    if (kept) *kept = mask;
    t.mask = kept;
    return t;
}

cnnfi_kt cnnfi_kt_shaped(cnnfi_kt t, int32_t rank, const int64_t *dims)
{
    t.rank = rank;
    for (int32_t i = 0; i < rank && i < CNNFI_KERAS_MAX_RANK; i++)
        t.dims[i] = dims[i];
    return t;
}

/* ---- constants ---- */

/* A Const node that takes the caller's reference to `value`. */
static cnnfi_kt constant(cnnfi_kb *b, const char *name, cnnf_tensor *value, cnnf_status status, cnnf_error *error)
{
    cnnfi_kt t;
    if (status != CNNF_OK) cnnfi_builder_fail(b->graph, status, "%s", error->message);
    cnnf_node *node = cnnfi_kb_node(b, &t, "Const", name, 0, NULL);
    if (!value) return t;
    t.dtype = cnnf_tensor_dtype(value);
    t = cnnfi_kt_shaped(t, cnnf_tensor_rank(value), cnnfi_tensor_dims(value));
    cnnfi_node_set_type(b->graph, node, "dtype", t.dtype);
    cnnfi_node_set_tensor(b->graph, node, "value", value);
    cnnf_tensor_unref(value);
    return t;
}

cnnfi_kt cnnfi_kb_scalar(cnnfi_kb *b, const char *name, cnnf_dtype dtype, double value)
{
    struct cnnf_error error = {0};
    cnnf_tensor *tensor = NULL;
    cnnf_status status = cnnfi_tensor_splat(&tensor, b->context, dtype, 0, NULL, value, &error);
    return constant(b, name, tensor, status, &error);
}

cnnfi_kt cnnfi_kb_splat(cnnfi_kb *b, const char *name, int32_t rank, const int64_t *dims, double value)
{
    struct cnnf_error error = {0};
    cnnf_tensor *tensor = NULL;
    cnnf_status status = cnnfi_tensor_splat(&tensor, b->context, CNNF_FLOAT, rank, dims, value, &error);
    return constant(b, name, tensor, status, &error);
}

static cnnfi_kt vector(cnnfi_kb *b, const char *name, cnnf_dtype dtype, size_t count, const void *values)
{
    struct cnnf_error error = {0};
    cnnf_tensor *tensor = NULL;
    int64_t dims[1] = {(int64_t)count};
    cnnf_status status = cnnfi_tensor_copy(&tensor, b->context, dtype, 1, dims, values, &error);
    return constant(b, name, tensor, status, &error);
}

cnnfi_kt cnnfi_kb_const(cnnfi_kb *b, const char *name, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                        const void *values)
{
    struct cnnf_error error = {0};
    cnnf_tensor *tensor = NULL;
    cnnf_status status = cnnfi_tensor_copy(&tensor, b->context, dtype, rank, dims, values, &error);
    return constant(b, name, tensor, status, &error);
}

cnnfi_kt cnnfi_kb_ints(cnnfi_kb *b, const char *name, size_t count, const int32_t *values)
{
    return vector(b, name, CNNF_INT32, count, values);
}

cnnfi_kt cnnfi_kb_longs(cnnfi_kb *b, const char *name, size_t count, const int64_t *values)
{
    return vector(b, name, CNNF_INT64, count, values);
}

cnnfi_kt cnnfi_kb_floats(cnnfi_kb *b, const char *name, size_t count, const float *values)
{
    return vector(b, name, CNNF_FLOAT, count, values);
}

cnnfi_kt cnnfi_kb_int(cnnfi_kb *b, const char *name, int32_t value)
{
    return cnnfi_kb_scalar(b, name, CNNF_INT32, value);
}

/* ---- arithmetic ---- */

cnnfi_kt cnnfi_kb_unary(cnnfi_kb *b, const char *op, const char *name, cnnfi_kt x)
{
    cnnfi_kt y;
    (void)cnnfi_kb_node_t(b, &y, op, name, 1, &x);
    return y;
}

static int64_t dim_from_end(const cnnfi_kt *t, int32_t i)
{
    return i < t->rank ? t->dims[t->rank - 1 - i] : 1;
}

cnnfi_kt cnnfi_kt_broadcast(cnnfi_kt x, cnnfi_kt y)
{
    cnnfi_kt out = x;
    out.rank = x.rank > y.rank ? x.rank : y.rank;
    for (int32_t i = 0; i < out.rank; i++) {
        int64_t p = dim_from_end(&x, i), q = dim_from_end(&y, i);
        out.dims[out.rank - 1 - i] = p == 1 ? q : q == 1 ? p : p < 0 ? q : p;
    }
    return out;
}

static bool is_comparison(const char *op)
{
    static const char *const ops[] = {"Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(ops[i], op) == 0) return true;
    }
    return false;
}

cnnfi_kt cnnfi_kb_binary(cnnfi_kb *b, const char *op, const char *name, cnnfi_kt x, cnnfi_kt y)
{
    cnnfi_kt out, inputs[2] = {cnnfi_kb_read(b, x), y}, shape = cnnfi_kt_broadcast(x, y);
    (void)cnnfi_kb_node_t(b, &out, op, name, 2, inputs);
    if (is_comparison(op)) out.dtype = CNNF_BOOL;
    return cnnfi_kt_shaped(out, shape.rank, shape.dims);
}

cnnfi_kt cnnfi_kb_binary_const(cnnfi_kb *b, const char *op, const char *name, cnnfi_kt x, double y)
{
    x = cnnfi_kb_read(b, x);
    const char *saved = cnnfi_kb_push(b, name);
    cnnfi_kt constant_y = cnnfi_kb_scalar(b, "y", x.dtype, y);
    cnnfi_kt out = cnnfi_kb_binary(b, op, "", x, constant_y);
    cnnfi_kb_pop(b, saved);
    return out;
}

cnnfi_kt cnnfi_kb_const_binary(cnnfi_kb *b, const char *op, const char *name, double x, cnnfi_kt y)
{
    const char *saved = cnnfi_kb_push(b, name);
    y = cnnfi_kb_read(b, y);
    cnnfi_kt constant_x = cnnfi_kb_scalar(b, "x", y.dtype, x);
    cnnfi_kt out = cnnfi_kb_binary(b, op, "", constant_x, y);
    cnnfi_kb_pop(b, saved);
    return out;
}

cnnfi_kt cnnfi_kb_cast(cnnfi_kb *b, const char *name, cnnfi_kt x, cnnf_dtype to)
{
    cnnfi_kt y;
    cnnf_node *node = cnnfi_kb_node(b, &y, "Cast", name, 1, &x);
    cnnfi_node_set_type(b->graph, node, "SrcT", x.dtype);
    cnnfi_node_set_type(b->graph, node, "DstT", to);
    cnnfi_node_set_bool(b->graph, node, "Truncate", false);
    y.dtype = to;
    return y;
}

cnnfi_kt cnnfi_kb_matmul(cnnfi_kb *b, const char *name, cnnfi_kt x, cnnfi_kt y)
{
    cnnfi_kt out, inputs[2] = {x, y};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "MatMul", name, 2, inputs);
    cnnfi_node_set_bool(b->graph, node, "transpose_a", false);
    cnnfi_node_set_bool(b->graph, node, "transpose_b", false);
    return cnnfi_kt_shaped(out, 2, (const int64_t[]){x.dims[0], y.dims[1]});
}

cnnfi_kt cnnfi_kb_bias_add(cnnfi_kb *b, const char *name, cnnfi_kt x, cnnfi_kt bias, const char *data_format)
{
    cnnfi_kt out, inputs[2] = {x, bias};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "BiasAdd", name, 2, inputs);
    cnnfi_node_set_string(b->graph, node, "data_format", data_format);
    return out;
}

/* ---- shape ---- */

cnnfi_kt cnnfi_kb_reshape(cnnfi_kb *b, const char *name, cnnfi_kt x, int32_t rank, const int64_t *dims)
{
    int32_t shape[CNNFI_KERAS_MAX_RANK] = {0};
    for (int32_t i = 0; i < rank && i < CNNFI_KERAS_MAX_RANK; i++)
        shape[i] = (int32_t)dims[i];
    const char *saved = cnnfi_kb_push(b, name);
    x = cnnfi_kb_read(b, x);
    cnnfi_kt out, inputs[2] = {x, cnnfi_kb_ints(b, "shape", (size_t)rank, shape)};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "Reshape", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tshape", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    return cnnfi_kt_shaped(out, rank, dims);
}

cnnfi_kt cnnfi_kb_reshape_by(cnnfi_kb *b, const char *name, cnnfi_kt x, cnnfi_kt shape, int32_t rank,
                             const int64_t *dims)
{
    cnnfi_kt out, inputs[2] = {x, shape};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "Reshape", name, 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tshape", CNNF_INT32);
    return cnnfi_kt_shaped(out, rank, dims);
}

cnnfi_kdim cnnfi_kdim_of(int64_t value)
{
    return (cnnfi_kdim){.value = (int32_t)value};
}

cnnfi_kdim cnnfi_kdim_tensor(cnnfi_kt tensor)
{
    return (cnnfi_kdim){.tensor = tensor};
}

/* A list of numbers alone is a constant. */
static bool all_numbers(size_t n, const cnnfi_kdim *items, int32_t *values)
{
    for (size_t i = 0; i < n; i++) {
        if (items[i].tensor.name || i >= CNNFI_KERAS_MAX_RANK) return false;
        values[i] = items[i].value;
    }
    return true;
}

cnnfi_kt cnnfi_kb_autopack(cnnfi_kb *b, const char *name, size_t n, const cnnfi_kdim *items)
{
    int32_t numbers[CNNFI_KERAS_MAX_RANK];
    if (all_numbers(n, items, numbers)) return cnnfi_kb_ints(b, name, n, numbers);
    const char *saved = cnnfi_kb_push(b, name);
    cnnfi_kt *values = cnnfi_builder_array(b->graph, n + 1, sizeof *values);
    for (size_t i = 0; values && i < n; i++) {
        char index[24];
        (void)snprintf(index, sizeof index, "%zu", i);
        values[i] = items[i].tensor.name ? items[i].tensor : cnnfi_kb_int(b, index, items[i].value);
    }
    cnnfi_kt out = values ? cnnfi_kb_pack(b, "", n, values) : items[0].tensor;
    cnnfi_kb_pop(b, saved);
    return out;
}

cnnfi_kt cnnfi_kb_reshape_to(cnnfi_kb *b, const char *name, cnnfi_kt x, size_t n, const cnnfi_kdim *items,
                             const int64_t *dims)
{
    const char *saved = cnnfi_kb_push(b, name);
    x = cnnfi_kb_read(b, x);
    cnnfi_kt out = cnnfi_kb_reshape_by(b, "", x, cnnfi_kb_autopack(b, "shape", n, items), (int32_t)n, dims);
    cnnfi_kb_pop(b, saved);
    return out;
}

cnnfi_kt cnnfi_kb_transpose(cnnfi_kb *b, const char *name, cnnfi_kt x, const int32_t *perm)
{
    const char *saved = cnnfi_kb_push(b, name);
    x = cnnfi_kb_read(b, x);
    cnnfi_kt out, inputs[2] = {x, cnnfi_kb_ints(b, "perm", (size_t)x.rank, perm)};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "Transpose", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tperm", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    for (int32_t i = 0; i < x.rank; i++)
        out.dims[i] = x.dims[perm[i]];
    return out;
}

cnnfi_kt cnnfi_kb_shape_of(cnnfi_kb *b, const char *name, cnnfi_kt x)
{
    int32_t sizes[CNNFI_KERAS_MAX_RANK], known = 0;
    for (; known < x.rank && x.dims[known] >= 0; known++)
        sizes[known] = (int32_t)x.dims[known];
    /* tf.shape() of a shape that is fully known is a constant */
    if (known == x.rank) return cnnfi_kb_ints(b, name, (size_t)x.rank, sizes);
    cnnfi_kt out;
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "Shape", name, 1, &x);
    cnnfi_node_set_type(b->graph, node, "out_type", CNNF_INT32);
    out.dtype = CNNF_INT32;
    return cnnfi_kt_shaped(out, 1, (const int64_t[]){x.rank});
}

cnnfi_kt cnnfi_kb_slice(cnnfi_kb *b, const char *name, cnnfi_kt x, int32_t begin, int32_t end, bool open_begin,
                        bool open_end, bool shrink)
{
    const char *saved = cnnfi_kb_push(b, name);
    cnnfi_kt inputs[4] = {x, cnnfi_kb_ints(b, "stack", 1, &begin), cnnfi_kb_ints(b, "stack_1", 1, &end),
                          cnnfi_kb_ints(b, "stack_2", 1, (const int32_t[]){1})};
    cnnfi_kt out;
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "StridedSlice", "", 4, inputs);
    cnnfi_node_set_type(b->graph, node, "Index", CNNF_INT32);
    cnnfi_node_set_int(b->graph, node, "begin_mask", open_begin);
    cnnfi_node_set_int(b->graph, node, "end_mask", open_end);
    cnnfi_node_set_int(b->graph, node, "ellipsis_mask", 0);
    cnnfi_node_set_int(b->graph, node, "new_axis_mask", 0);
    cnnfi_node_set_int(b->graph, node, "shrink_axis_mask", shrink);
    cnnfi_kb_pop(b, saved);
    int64_t from = open_begin ? 0 : begin, to = open_end ? x.dims[0] : end;
    return cnnfi_kt_shaped(out, shrink ? 0 : 1, (const int64_t[]){to - from});
}

cnnfi_kt cnnfi_kb_pack(cnnfi_kb *b, const char *name, size_t n, const cnnfi_kt *values)
{
    cnnfi_kt out;
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "Pack", name, n, values);
    cnnfi_node_set_int(b->graph, node, "N", (int64_t)n);
    cnnfi_node_set_int(b->graph, node, "axis", 0);
    return cnnfi_kt_shaped(out, 1, (const int64_t[]){(int64_t)n});
}

static cnnfi_kt reduced(cnnfi_kt y, const cnnfi_kt *x, size_t n_axes, const int32_t *axes, bool keep)
{
    bool gone[CNNFI_KERAS_MAX_RANK] = {false};
    for (size_t i = 0; i < n_axes; i++)
        gone[axes[i]] = true;
    y.rank = 0;
    for (int32_t i = 0; i < x->rank; i++) {
        if (!gone[i])
            y.dims[y.rank++] = x->dims[i];
        else if (keep)
            y.dims[y.rank++] = 1;
    }
    return y;
}

static cnnfi_kt reduce_over(cnnfi_kb *b, const char *op, cnnfi_kt x, cnnfi_kt axes, bool keep)
{
    cnnfi_kt inputs[2] = {x, axes}, out;
    cnnf_node *node = cnnfi_kb_node(b, &out, op, "", 2, inputs);
    if (x.dtype != CNNF_BOOL) cnnfi_node_set_type(b->graph, node, "T", x.dtype);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_node_set_bool(b->graph, node, "keep_dims", keep);
    return out;
}

cnnfi_kt cnnfi_kb_reduce_axis(cnnfi_kb *b, const char *op, const char *name, cnnfi_kt x, int32_t axis, bool keep)
{
    const char *saved = cnnfi_kb_push(b, name);
    x = cnnfi_kb_read(b, x);
    cnnfi_kt out = reduce_over(b, op, x, cnnfi_kb_int(b, "reduction_indices", axis), keep);
    cnnfi_kb_pop(b, saved);
    int32_t at = axis < 0 ? axis + x.rank : axis;
    return reduced(out, &x, 1, &at, keep);
}

cnnfi_kt cnnfi_kb_reduce(cnnfi_kb *b, const char *op, const char *name, cnnfi_kt x, size_t n_axes, const int32_t *axes,
                         bool keep)
{
    const char *saved = cnnfi_kb_push(b, name);
    x = cnnfi_kb_read(b, x);
    cnnfi_kt out = reduce_over(b, op, x, cnnfi_kb_ints(b, "reduction_indices", n_axes, axes), keep);
    cnnfi_kb_pop(b, saved);
    return reduced(out, &x, n_axes, axes, keep);
}

cnnfi_kt cnnfi_kb_reverse(cnnfi_kb *b, cnnfi_kt x, int32_t axis)
{
    const char *saved = cnnfi_kb_push(b, "ReverseV2");
    cnnfi_kt out, inputs[2] = {x, cnnfi_kb_ints(b, "axis", 1, &axis)};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "ReverseV2", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    return out;
}

cnnfi_kt cnnfi_kb_expand_dims(cnnfi_kb *b, const char *name, cnnfi_kt x, int32_t axis)
{
    const char *saved = cnnfi_kb_push(b, name);
    x = cnnfi_kb_read(b, x);
    cnnfi_kt inputs[2] = {x, cnnfi_kb_int(b, "dim", axis)}, out;
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "ExpandDims", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tdim", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    if (x.rank >= CNNFI_KERAS_MAX_RANK) return out;
    int32_t at = axis < 0 ? axis + x.rank + 1 : axis;
    out.rank = x.rank + 1;
    for (int32_t i = 0; i < out.rank; i++)
        out.dims[i] = i < at ? x.dims[i] : i == at ? 1 : x.dims[i - 1];
    return out;
}

cnnfi_kt cnnfi_kb_squeeze(cnnfi_kb *b, const char *name, cnnfi_kt x, int32_t axis)
{
    cnnfi_kt out;
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "Squeeze", name, 1, &x);
    cnnfi_node_set_ints(b->graph, node, "squeeze_dims", (const int64_t[]){axis}, 1);
    int32_t at = axis < 0 ? axis + x.rank : axis;
    out.rank = x.rank - 1;
    for (int32_t i = 0; i < out.rank; i++)
        out.dims[i] = x.dims[i < at ? i : i + 1];
    return out;
}

/* -1 when one of them is unknown or the sum is no number. */
static int64_t joined_dim(size_t n, const cnnfi_kt *values, int32_t at)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (values[i].dims[at] < 0 || !cnnfi_add_i64(&sum, sum, values[i].dims[at])) return -1;
    }
    return sum;
}

cnnfi_kt cnnfi_kb_concat(cnnfi_kb *b, const char *name, size_t n, const cnnfi_kt *values, int32_t axis)
{
    cnnfi_kt out = n ? values[0] : scalar_of(CNNF_FLOAT);
    cnnfi_kt *inputs = cnnfi_builder_array(b->graph, n + 1, sizeof *inputs);
    if (!inputs) return out;
    const char *saved = cnnfi_kb_push(b, name);
    memcpy(inputs, values, n * sizeof *inputs);
    inputs[n] = cnnfi_kb_int(b, "axis", axis);
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "ConcatV2", "", n + 1, inputs);
    cnnfi_node_set_int(b->graph, node, "N", (int64_t)n);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    int32_t at = axis < 0 ? axis + out.rank : axis;
    out.dims[at] = joined_dim(n, values, at);
    return out;
}

cnnfi_kt cnnfi_kb_pairs(cnnfi_kb *b, const char *name, size_t n, const int32_t (*pairs)[2])
{
    struct cnnf_error error = {0};
    cnnf_tensor *tensor = NULL;
    int64_t dims[2] = {(int64_t)n, 2};
    cnnf_status status = cnnfi_tensor_copy(&tensor, b->context, CNNF_INT32, 2, dims, pairs, &error);
    return constant(b, name, tensor, status, &error);
}

cnnfi_kt cnnfi_kb_pad(cnnfi_kb *b, const char *name, cnnfi_kt x, const int32_t (*paddings)[2])
{
    const char *saved = cnnfi_kb_push(b, name);
    cnnfi_kt inputs[2] = {x, cnnfi_kb_pairs(b, "paddings", (size_t)x.rank, paddings)}, out;
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "Pad", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tpaddings", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    for (int32_t i = 0; i < x.rank; i++) {
        if (x.dims[i] >= 0) out.dims[i] = x.dims[i] + paddings[i][0] + paddings[i][1];
    }
    return out;
}

cnnfi_kt cnnfi_kb_where(cnnfi_kb *b, cnnfi_kt condition, cnnfi_kt x, cnnfi_kt y)
{
    cnnfi_kt out, inputs[3] = {condition, x, y}, shape = cnnfi_kt_broadcast(x, y);
    cnnf_node *node = cnnfi_kb_node(b, &out, b->tf ? "SelectV2" : "Select", b->tf ? "SelectV2" : "Select", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "T", x.dtype);
    out.dtype = x.dtype;
    return cnnfi_kt_shaped(out, shape.rank, shape.dims);
}

cnnfi_kt cnnfi_kb_clip_tensors(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt low, cnnfi_kt high)
{
    const char *saved = cnnfi_kb_push(b, "clip_by_value");
    x = cnnfi_kb_binary(b, "Minimum", "Minimum", x, high);
    x = cnnfi_kb_binary(b, "Maximum", "", x, low);
    cnnfi_kb_pop(b, saved);
    return x;
}

cnnfi_kt cnnfi_kb_clip(cnnfi_kb *b, cnnfi_kt x, double low, double high)
{
    const char *saved = cnnfi_kb_push(b, "clip_by_value");
    x = cnnfi_kb_binary_const(b, "Minimum", "Minimum", x, high);
    cnnfi_kt y = cnnfi_kb_scalar(b, "y", x.dtype, low);
    x = cnnfi_kb_binary(b, "Maximum", "", x, y);
    cnnfi_kb_pop(b, saved);
    return x;
}
