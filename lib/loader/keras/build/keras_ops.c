/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary in which layers are written: nodes as TensorFlow's Python functions make them. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "graph/builder.h"
#include "loader/keras/build/keras_build.h"

bool cnnfi_build_ok(const cnnfi_keras_builder *b)
{
    return cnnfi_builder_status(b->graph) == CNNF_OK;
}

void cnnfi_layer_fail(const cnnfi_layer_call *call, cnnf_status code, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    const char *class_name = call->layer->stored_class ? call->layer->stored_class : call->layer->class_name;
    cnnfi_builder_fail(call->b->graph, code, "%s: Keras: layer '%s' (%s): %s", call->b->model->path, call->layer->name,
                       class_name, what);
}

void cnnfi_layer_fail_config(const cnnfi_layer_call *call, cnnf_status code, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    cnnfi_builder_fail(call->b->graph, code, "%s: Keras config: layer '%s': %s", call->b->model->path,
                       call->layer->name, what);
}

/* ---- nodes ---- */

static cnnfi_keras_tensor read_at(cnnfi_keras_builder *b, cnnfi_keras_tensor t)
{
    cnnfi_keras_tensor handle = t, out;
    handle.variable = false;
    handle.dtype = CNNF_RESOURCE;
    cnnf_node *node = cnnfi_build_node(b, &out, "ReadVariableOp", "ReadVariableOp", 1, &handle);
    out.dtype = t.dtype;
    cnnfi_node_set_type(b->graph, node, "dtype", t.dtype);
    return out;
}

cnnfi_keras_tensor cnnfi_build_read(cnnfi_keras_builder *b, cnnfi_keras_tensor t)
{
    return t.variable ? read_at(b, t) : t;
}

static bool any_variable(size_t n, const cnnfi_keras_tensor *inputs)
{
    for (size_t i = 0; i < n; i++) {
        if (inputs[i].variable) return true;
    }
    return false;
}

/* op_def_library enters the op's scope before it converts inputs: a variable is read as "<name>/ReadVariableOp". */
static const char **input_names(cnnfi_keras_builder *b, const char *scope, size_t n, const cnnfi_keras_tensor *inputs)
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

static cnnfi_keras_tensor scalar_of(cnnf_dtype dtype)
{
    return (cnnfi_keras_tensor){.name = "", .dtype = dtype};
}

cnnf_node *cnnfi_build_node(cnnfi_keras_builder *b, cnnfi_keras_tensor *out, const char *op, const char *name, size_t n,
                            const cnnfi_keras_tensor *inputs)
{
    cnnfi_keras_tensor result = n ? inputs[0] : scalar_of(CNNF_FLOAT);
    result.name = "";
    result.variable = false;
    result.mask = NULL;
    if (++b->n_ops > cnnfi_limit(b->context, CNNF_LIMIT_NODES)) {
        cnnfi_builder_fail(b->graph, CNNF_E_LIMIT, "%s: Keras: it makes more than %llu nodes", b->model->path,
                           (unsigned long long)cnnfi_limit(b->context, CNNF_LIMIT_NODES));
    }
    if (cnnfi_build_ok(b)) result.name = cnnfi_build_unique(b, name);
    cnnf_node *node = NULL;
    const char **names = NULL;
    if (cnnfi_build_ok(b) && (any_variable(n, inputs) || b->ghost == 0)) names = input_names(b, result.name, n, inputs);
    bool waits = false;
    if (names && b->loop && b->ghost == 0) cnnfi_build_loop_inputs(b, result.name, n, inputs, names, &waits);
    if (names && b->ghost == 0) {
        node = cnnfi_builder_add(b->graph, op, result.name);
        for (size_t i = 0; i < n; i++)
            cnnfi_node_add_input(b->graph, node, names[i]);
        if (waits) cnnfi_node_add_input(b->graph, node, cnnfi_builder_printf(b->graph, "^%s", b->loop->pivot));
        if (b->colocate) cnnfi_build_colocate(b, node, b->colocate);
    }
    *out = result;
    return node;
}

cnnf_node *cnnfi_build_node_t(cnnfi_keras_builder *b, cnnfi_keras_tensor *out, const char *op, const char *name,
                              size_t n, const cnnfi_keras_tensor *inputs)
{
    cnnf_node *node = cnnfi_build_node(b, out, op, name, n, inputs);
    cnnfi_node_set_type(b->graph, node, "T", inputs[0].dtype);
    return node;
}

cnnfi_keras_tensor cnnfi_build_port(cnnfi_keras_builder *b, const cnnfi_keras_tensor *out, int32_t port)
{
    cnnfi_keras_tensor t = *out;
    if (port > 0) t.name = cnnfi_builder_printf(b->graph, "%s:%d", out->name, port);
    return t;
}

cnnfi_keras_tensor cnnfi_build_masked(cnnfi_keras_builder *b, cnnfi_keras_tensor t, cnnfi_keras_tensor mask)
{
    cnnfi_keras_tensor *kept = cnnfi_builder_array(b->graph, 1, sizeof *kept);
    if (kept) *kept = mask;
    t.mask = kept;
    return t;
}

cnnfi_keras_tensor cnnfi_keras_tensor_shaped(cnnfi_keras_tensor t, int32_t rank, const int64_t *dims)
{
    t.rank = rank;
    for (int32_t i = 0; i < rank && i < CNNFI_KERAS_MAX_RANK; i++)
        t.dims[i] = dims[i];
    return t;
}

/* ---- constants ---- */

/* A Const node that takes the caller's reference to `value`. */
static cnnfi_keras_tensor constant(cnnfi_keras_builder *b, const char *name, cnnf_tensor *value, cnnf_status status,
                                   cnnf_error *error)
{
    cnnfi_keras_tensor t;
    if (status != CNNF_OK) cnnfi_builder_fail(b->graph, status, "%s", error->message);
    cnnf_node *node = cnnfi_build_node(b, &t, "Const", name, 0, NULL);
    if (!value) return t;
    t.dtype = cnnf_tensor_dtype(value);
    t = cnnfi_keras_tensor_shaped(t, cnnf_tensor_rank(value), cnnfi_tensor_dims(value));
    cnnfi_node_set_type(b->graph, node, "dtype", t.dtype);
    cnnfi_node_set_tensor(b->graph, node, "value", value);
    cnnf_tensor_unref(value);
    return t;
}

cnnfi_keras_tensor cnnfi_build_scalar(cnnfi_keras_builder *b, const char *name, cnnf_dtype dtype, double value)
{
    struct cnnf_error error = {0};
    cnnf_tensor *tensor = NULL;
    cnnf_status status = cnnfi_tensor_splat(&tensor, b->context, dtype, 0, NULL, value, &error);
    return constant(b, name, tensor, status, &error);
}

cnnfi_keras_tensor cnnfi_build_splat(cnnfi_keras_builder *b, const char *name, int32_t rank, const int64_t *dims,
                                     double value)
{
    struct cnnf_error error = {0};
    cnnf_tensor *tensor = NULL;
    cnnf_status status = cnnfi_tensor_splat(&tensor, b->context, CNNF_FLOAT, rank, dims, value, &error);
    return constant(b, name, tensor, status, &error);
}

static cnnfi_keras_tensor vector(cnnfi_keras_builder *b, const char *name, cnnf_dtype dtype, size_t count,
                                 const void *values)
{
    struct cnnf_error error = {0};
    cnnf_tensor *tensor = NULL;
    int64_t dims[1] = {(int64_t)count};
    cnnf_status status = cnnfi_tensor_copy(&tensor, b->context, dtype, 1, dims, values, &error);
    return constant(b, name, tensor, status, &error);
}

cnnfi_keras_tensor cnnfi_build_const(cnnfi_keras_builder *b, const char *name, cnnf_dtype dtype, int32_t rank,
                                     const int64_t *dims, const void *values)
{
    struct cnnf_error error = {0};
    cnnf_tensor *tensor = NULL;
    cnnf_status status = cnnfi_tensor_copy(&tensor, b->context, dtype, rank, dims, values, &error);
    return constant(b, name, tensor, status, &error);
}

cnnfi_keras_tensor cnnfi_build_ints(cnnfi_keras_builder *b, const char *name, size_t count, const int32_t *values)
{
    return vector(b, name, CNNF_INT32, count, values);
}

cnnfi_keras_tensor cnnfi_build_longs(cnnfi_keras_builder *b, const char *name, size_t count, const int64_t *values)
{
    return vector(b, name, CNNF_INT64, count, values);
}

cnnfi_keras_tensor cnnfi_build_floats(cnnfi_keras_builder *b, const char *name, size_t count, const float *values)
{
    return vector(b, name, CNNF_FLOAT, count, values);
}

cnnfi_keras_tensor cnnfi_build_int(cnnfi_keras_builder *b, const char *name, int32_t value)
{
    return cnnfi_build_scalar(b, name, CNNF_INT32, value);
}

/* ---- arithmetic ---- */

cnnfi_keras_tensor cnnfi_build_unary(cnnfi_keras_builder *b, const char *op, const char *name, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor y;
    (void)cnnfi_build_node_t(b, &y, op, name, 1, &x);
    return y;
}

static int64_t dim_from_end(const cnnfi_keras_tensor *t, int32_t i)
{
    return i < t->rank ? t->dims[t->rank - 1 - i] : 1;
}

cnnfi_keras_tensor cnnfi_keras_tensor_broadcast(cnnfi_keras_tensor x, cnnfi_keras_tensor y)
{
    cnnfi_keras_tensor out = x;
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

cnnfi_keras_tensor cnnfi_build_binary(cnnfi_keras_builder *b, const char *op, const char *name, cnnfi_keras_tensor x,
                                      cnnfi_keras_tensor y)
{
    cnnfi_keras_tensor out, inputs[2] = {cnnfi_build_read(b, x), y}, shape = cnnfi_keras_tensor_broadcast(x, y);
    (void)cnnfi_build_node_t(b, &out, op, name, 2, inputs);
    if (is_comparison(op)) out.dtype = CNNF_BOOL;
    return cnnfi_keras_tensor_shaped(out, shape.rank, shape.dims);
}

cnnfi_keras_tensor cnnfi_build_binary_const(cnnfi_keras_builder *b, const char *op, const char *name,
                                            cnnfi_keras_tensor x, double y)
{
    x = cnnfi_build_read(b, x);
    const char *saved = cnnfi_build_push(b, name);
    cnnfi_keras_tensor constant_y = cnnfi_build_scalar(b, "y", x.dtype, y);
    cnnfi_keras_tensor out = cnnfi_build_binary(b, op, "", x, constant_y);
    cnnfi_build_pop(b, saved);
    return out;
}

cnnfi_keras_tensor cnnfi_build_const_binary(cnnfi_keras_builder *b, const char *op, const char *name, double x,
                                            cnnfi_keras_tensor y)
{
    const char *saved = cnnfi_build_push(b, name);
    y = cnnfi_build_read(b, y);
    cnnfi_keras_tensor constant_x = cnnfi_build_scalar(b, "x", y.dtype, x);
    cnnfi_keras_tensor out = cnnfi_build_binary(b, op, "", constant_x, y);
    cnnfi_build_pop(b, saved);
    return out;
}

cnnfi_keras_tensor cnnfi_build_cast(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, cnnf_dtype to)
{
    cnnfi_keras_tensor y;
    cnnf_node *node = cnnfi_build_node(b, &y, "Cast", name, 1, &x);
    cnnfi_node_set_type(b->graph, node, "SrcT", x.dtype);
    cnnfi_node_set_type(b->graph, node, "DstT", to);
    cnnfi_node_set_bool(b->graph, node, "Truncate", false);
    y.dtype = to;
    return y;
}

cnnfi_keras_tensor cnnfi_build_matmul(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                      cnnfi_keras_tensor y)
{
    cnnfi_keras_tensor out, inputs[2] = {x, y};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "MatMul", name, 2, inputs);
    cnnfi_node_set_bool(b->graph, node, "transpose_a", false);
    cnnfi_node_set_bool(b->graph, node, "transpose_b", false);
    return cnnfi_keras_tensor_shaped(out, 2, (const int64_t[]){x.dims[0], y.dims[1]});
}

cnnfi_keras_tensor cnnfi_build_bias_add(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                        cnnfi_keras_tensor bias, const char *data_format)
{
    cnnfi_keras_tensor out, inputs[2] = {x, bias};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "BiasAdd", name, 2, inputs);
    cnnfi_node_set_string(b->graph, node, "data_format", data_format);
    return out;
}

/* ---- shape ---- */

cnnfi_keras_tensor cnnfi_build_reshape(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, int32_t rank,
                                       const int64_t *dims)
{
    int32_t shape[CNNFI_KERAS_MAX_RANK] = {0};
    for (int32_t i = 0; i < rank && i < CNNFI_KERAS_MAX_RANK; i++)
        shape[i] = (int32_t)dims[i];
    const char *saved = cnnfi_build_push(b, name);
    x = cnnfi_build_read(b, x);
    cnnfi_keras_tensor out, inputs[2] = {x, cnnfi_build_ints(b, "shape", (size_t)rank, shape)};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Reshape", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tshape", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    return cnnfi_keras_tensor_shaped(out, rank, dims);
}

cnnfi_keras_tensor cnnfi_build_reshape_by(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                          cnnfi_keras_tensor shape, int32_t rank, const int64_t *dims)
{
    cnnfi_keras_tensor out, inputs[2] = {x, shape};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Reshape", name, 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tshape", CNNF_INT32);
    return cnnfi_keras_tensor_shaped(out, rank, dims);
}

cnnfi_keras_dim cnnfi_keras_dim_of(int64_t value)
{
    return (cnnfi_keras_dim){.value = (int32_t)value};
}

cnnfi_keras_dim cnnfi_keras_dim_tensor(cnnfi_keras_tensor tensor)
{
    return (cnnfi_keras_dim){.tensor = tensor};
}

/* A list of numbers alone is a constant. */
static bool all_numbers(size_t n, const cnnfi_keras_dim *items, int32_t *values)
{
    for (size_t i = 0; i < n; i++) {
        if (items[i].tensor.name || i >= CNNFI_KERAS_MAX_RANK) return false;
        values[i] = items[i].value;
    }
    return true;
}

cnnfi_keras_tensor cnnfi_build_autopack(cnnfi_keras_builder *b, const char *name, size_t n,
                                        const cnnfi_keras_dim *items)
{
    int32_t numbers[CNNFI_KERAS_MAX_RANK];
    if (all_numbers(n, items, numbers)) return cnnfi_build_ints(b, name, n, numbers);
    const char *saved = cnnfi_build_push(b, name);
    cnnfi_keras_tensor *values = cnnfi_builder_array(b->graph, n + 1, sizeof *values);
    for (size_t i = 0; values && i < n; i++) {
        char index[24];
        (void)snprintf(index, sizeof index, "%zu", i);
        values[i] = items[i].tensor.name ? items[i].tensor : cnnfi_build_int(b, index, items[i].value);
    }
    cnnfi_keras_tensor out = values ? cnnfi_build_pack(b, "", n, values) : items[0].tensor;
    cnnfi_build_pop(b, saved);
    return out;
}

cnnfi_keras_tensor cnnfi_build_reshape_to(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, size_t n,
                                          const cnnfi_keras_dim *items, const int64_t *dims)
{
    const char *saved = cnnfi_build_push(b, name);
    x = cnnfi_build_read(b, x);
    cnnfi_keras_tensor out =
        cnnfi_build_reshape_by(b, "", x, cnnfi_build_autopack(b, "shape", n, items), (int32_t)n, dims);
    cnnfi_build_pop(b, saved);
    return out;
}

cnnfi_keras_tensor cnnfi_build_transpose(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                         const int32_t *perm)
{
    const char *saved = cnnfi_build_push(b, name);
    x = cnnfi_build_read(b, x);
    cnnfi_keras_tensor out, inputs[2] = {x, cnnfi_build_ints(b, "perm", (size_t)x.rank, perm)};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Transpose", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tperm", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    for (int32_t i = 0; i < x.rank; i++)
        out.dims[i] = x.dims[perm[i]];
    return out;
}

cnnfi_keras_tensor cnnfi_build_shape_of(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x)
{
    int32_t sizes[CNNFI_KERAS_MAX_RANK], known = 0;
    for (; known < x.rank && x.dims[known] >= 0; known++)
        sizes[known] = (int32_t)x.dims[known];
    /* tf.shape() of a shape that is fully known is a constant */
    if (known == x.rank) return cnnfi_build_ints(b, name, (size_t)x.rank, sizes);
    cnnfi_keras_tensor out;
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Shape", name, 1, &x);
    cnnfi_node_set_type(b->graph, node, "out_type", CNNF_INT32);
    out.dtype = CNNF_INT32;
    return cnnfi_keras_tensor_shaped(out, 1, (const int64_t[]){x.rank});
}

cnnfi_keras_tensor cnnfi_build_slice(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, int32_t begin,
                                     int32_t end, bool open_begin, bool open_end, bool shrink)
{
    const char *saved = cnnfi_build_push(b, name);
    cnnfi_keras_tensor inputs[4] = {x, cnnfi_build_ints(b, "stack", 1, &begin), cnnfi_build_ints(b, "stack_1", 1, &end),
                                    cnnfi_build_ints(b, "stack_2", 1, (const int32_t[]){1})};
    cnnfi_keras_tensor out;
    cnnf_node *node = cnnfi_build_node_t(b, &out, "StridedSlice", "", 4, inputs);
    cnnfi_node_set_type(b->graph, node, "Index", CNNF_INT32);
    cnnfi_node_set_int(b->graph, node, "begin_mask", open_begin);
    cnnfi_node_set_int(b->graph, node, "end_mask", open_end);
    cnnfi_node_set_int(b->graph, node, "ellipsis_mask", 0);
    cnnfi_node_set_int(b->graph, node, "new_axis_mask", 0);
    cnnfi_node_set_int(b->graph, node, "shrink_axis_mask", shrink);
    cnnfi_build_pop(b, saved);
    int64_t from = open_begin ? 0 : begin, to = open_end ? x.dims[0] : end;
    return cnnfi_keras_tensor_shaped(out, shrink ? 0 : 1, (const int64_t[]){to - from});
}

cnnfi_keras_tensor cnnfi_build_pack(cnnfi_keras_builder *b, const char *name, size_t n,
                                    const cnnfi_keras_tensor *values)
{
    cnnfi_keras_tensor out;
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Pack", name, n, values);
    cnnfi_node_set_int(b->graph, node, "N", (int64_t)n);
    cnnfi_node_set_int(b->graph, node, "axis", 0);
    return cnnfi_keras_tensor_shaped(out, 1, (const int64_t[]){(int64_t)n});
}

static cnnfi_keras_tensor reduced(cnnfi_keras_tensor y, const cnnfi_keras_tensor *x, size_t n_axes, const int32_t *axes,
                                  bool keep)
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

static cnnfi_keras_tensor reduce_over(cnnfi_keras_builder *b, const char *op, cnnfi_keras_tensor x,
                                      cnnfi_keras_tensor axes, bool keep)
{
    cnnfi_keras_tensor inputs[2] = {x, axes}, out;
    cnnf_node *node = cnnfi_build_node(b, &out, op, "", 2, inputs);
    if (x.dtype != CNNF_BOOL) cnnfi_node_set_type(b->graph, node, "T", x.dtype);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_node_set_bool(b->graph, node, "keep_dims", keep);
    return out;
}

cnnfi_keras_tensor cnnfi_build_reduce_axis(cnnfi_keras_builder *b, const char *op, const char *name,
                                           cnnfi_keras_tensor x, int32_t axis, bool keep)
{
    const char *saved = cnnfi_build_push(b, name);
    x = cnnfi_build_read(b, x);
    cnnfi_keras_tensor out = reduce_over(b, op, x, cnnfi_build_int(b, "reduction_indices", axis), keep);
    cnnfi_build_pop(b, saved);
    int32_t at = axis < 0 ? axis + x.rank : axis;
    return reduced(out, &x, 1, &at, keep);
}

cnnfi_keras_tensor cnnfi_build_reduce(cnnfi_keras_builder *b, const char *op, const char *name, cnnfi_keras_tensor x,
                                      size_t n_axes, const int32_t *axes, bool keep)
{
    const char *saved = cnnfi_build_push(b, name);
    x = cnnfi_build_read(b, x);
    cnnfi_keras_tensor out = reduce_over(b, op, x, cnnfi_build_ints(b, "reduction_indices", n_axes, axes), keep);
    cnnfi_build_pop(b, saved);
    return reduced(out, &x, n_axes, axes, keep);
}

cnnfi_keras_tensor cnnfi_build_reverse(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int32_t axis)
{
    const char *saved = cnnfi_build_push(b, "ReverseV2");
    cnnfi_keras_tensor out, inputs[2] = {x, cnnfi_build_ints(b, "axis", 1, &axis)};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "ReverseV2", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    return out;
}

cnnfi_keras_tensor cnnfi_build_expand_dims(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, int32_t axis)
{
    const char *saved = cnnfi_build_push(b, name);
    x = cnnfi_build_read(b, x);
    cnnfi_keras_tensor inputs[2] = {x, cnnfi_build_int(b, "dim", axis)}, out;
    cnnf_node *node = cnnfi_build_node_t(b, &out, "ExpandDims", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tdim", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    if (x.rank >= CNNFI_KERAS_MAX_RANK) return out;
    int32_t at = axis < 0 ? axis + x.rank + 1 : axis;
    out.rank = x.rank + 1;
    for (int32_t i = 0; i < out.rank; i++)
        out.dims[i] = i < at ? x.dims[i] : i == at ? 1 : x.dims[i - 1];
    return out;
}

cnnfi_keras_tensor cnnfi_build_squeeze(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, int32_t axis)
{
    cnnfi_keras_tensor out;
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Squeeze", name, 1, &x);
    cnnfi_node_set_ints(b->graph, node, "squeeze_dims", (const int64_t[]){axis}, 1);
    int32_t at = axis < 0 ? axis + x.rank : axis;
    out.rank = x.rank - 1;
    for (int32_t i = 0; i < out.rank; i++)
        out.dims[i] = x.dims[i < at ? i : i + 1];
    return out;
}

/* -1 when one of them is unknown or the sum is no number. */
static int64_t joined_dim(size_t n, const cnnfi_keras_tensor *values, int32_t at)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (values[i].dims[at] < 0 || !cnnfi_add_i64(&sum, sum, values[i].dims[at])) return -1;
    }
    return sum;
}

cnnfi_keras_tensor cnnfi_build_concat(cnnfi_keras_builder *b, const char *name, size_t n,
                                      const cnnfi_keras_tensor *values, int32_t axis)
{
    cnnfi_keras_tensor out = n ? values[0] : scalar_of(CNNF_FLOAT);
    cnnfi_keras_tensor *inputs = cnnfi_builder_array(b->graph, n + 1, sizeof *inputs);
    if (!inputs) return out;
    const char *saved = cnnfi_build_push(b, name);
    memcpy(inputs, values, n * sizeof *inputs);
    inputs[n] = cnnfi_build_int(b, "axis", axis);
    cnnf_node *node = cnnfi_build_node_t(b, &out, "ConcatV2", "", n + 1, inputs);
    cnnfi_node_set_int(b->graph, node, "N", (int64_t)n);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    int32_t at = axis < 0 ? axis + out.rank : axis;
    out.dims[at] = joined_dim(n, values, at);
    return out;
}

cnnfi_keras_tensor cnnfi_build_pairs(cnnfi_keras_builder *b, const char *name, size_t n, const int32_t (*pairs)[2])
{
    struct cnnf_error error = {0};
    cnnf_tensor *tensor = NULL;
    int64_t dims[2] = {(int64_t)n, 2};
    cnnf_status status = cnnfi_tensor_copy(&tensor, b->context, CNNF_INT32, 2, dims, pairs, &error);
    return constant(b, name, tensor, status, &error);
}

cnnfi_keras_tensor cnnfi_build_pad(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                   const int32_t (*paddings)[2])
{
    const char *saved = cnnfi_build_push(b, name);
    cnnfi_keras_tensor inputs[2] = {x, cnnfi_build_pairs(b, "paddings", (size_t)x.rank, paddings)}, out;
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Pad", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tpaddings", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    for (int32_t i = 0; i < x.rank; i++) {
        if (x.dims[i] >= 0) out.dims[i] = x.dims[i] + paddings[i][0] + paddings[i][1];
    }
    return out;
}

cnnfi_keras_tensor cnnfi_build_where(cnnfi_keras_builder *b, cnnfi_keras_tensor condition, cnnfi_keras_tensor x,
                                     cnnfi_keras_tensor y)
{
    cnnfi_keras_tensor out, inputs[3] = {condition, x, y}, shape = cnnfi_keras_tensor_broadcast(x, y);
    cnnf_node *node =
        cnnfi_build_node(b, &out, b->tf ? "SelectV2" : "Select", b->tf ? "SelectV2" : "Select", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "T", x.dtype);
    out.dtype = x.dtype;
    return cnnfi_keras_tensor_shaped(out, shape.rank, shape.dims);
}

cnnfi_keras_tensor cnnfi_build_clip_tensors(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor low,
                                            cnnfi_keras_tensor high)
{
    const char *saved = cnnfi_build_push(b, "clip_by_value");
    x = cnnfi_build_binary(b, "Minimum", "Minimum", x, high);
    x = cnnfi_build_binary(b, "Maximum", "", x, low);
    cnnfi_build_pop(b, saved);
    return x;
}

cnnfi_keras_tensor cnnfi_build_clip(cnnfi_keras_builder *b, cnnfi_keras_tensor x, double low, double high)
{
    const char *saved = cnnfi_build_push(b, "clip_by_value");
    x = cnnfi_build_binary_const(b, "Minimum", "Minimum", x, high);
    cnnfi_keras_tensor y = cnnfi_build_scalar(b, "y", x.dtype, low);
    x = cnnfi_build_binary(b, "Maximum", "", x, y);
    cnnfi_build_pop(b, saved);
    return x;
}
