/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes of the ops that a configuration may hold (tf.keras' TensorFlowOpLayer). This table is also the list of
 * what is let in: pure arithmetic, no op that touches files, state or Python.
 */
#include <string.h>

#include "loader/keras/layers/layers.h"

typedef bool (*infer_fn)(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count);

/* ---- reading the op ---- */

static int64_t attr_int(const cnnfi_kop *op, const char *key, int64_t fallback)
{
    const cnnfi_json *value = cnnfi_json_get(cnnfi_json_get(op->attrs, key), "i");
    /* protobuf writes int64 as strings */
    const char *text = cnnfi_json_string(value, NULL);
    if (!text) return cnnfi_json_int(value, fallback);
    int64_t sign = text[0] == '-' ? -1 : 1, number = 0;
    for (const char *at = text + (sign < 0); *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *at - '0', &number))
            return fallback;
    return sign * number;
}

static bool attr_bool(const cnnfi_kop *op, const char *key)
{
    return cnnfi_json_bool(cnnfi_json_get(cnnfi_json_get(op->attrs, key), "b"), false);
}

/* A list attribute's integers: how many. */
static int32_t attr_ints(const cnnfi_kop *op, const char *key, int64_t *out)
{
    const cnnfi_json *list = cnnfi_json_get(cnnfi_json_get(cnnfi_json_get(op->attrs, key), "list"), "i");
    int32_t n = (int32_t)cnnfi_json_size(list);
    if (n > CNNFI_KERAS_MAX_RANK) return -1;
    for (int32_t i = 0; i < n; i++) {
        const char *text = cnnfi_json_string(cnnfi_json_at(list, (size_t)i), NULL);
        int64_t number = 0, sign = text && text[0] == '-' ? -1 : 1;
        for (const char *at = text ? text + (sign < 0) : ""; *at >= '0' && *at <= '9' && number < INT32_MAX; at++)
            number = number * 10 + (*at - '0');
        out[i] = text ? sign * number : cnnfi_json_int(cnnfi_json_at(list, (size_t)i), 0);
    }
    return n;
}

/* Integers that input `index` is a constant of; -1 when it is none. */
static int32_t values(const cnnfi_kop *op, size_t index, int64_t *out)
{
    return index < op->n && op->values[index] ? cnnfi_json_integers(op->values[index], out, 2 * CNNFI_KERAS_MAX_RANK)
                                              : -1;
}

static bool axis_at(int64_t axis, int32_t rank, int32_t *out)
{
    if (axis < -rank || axis >= rank) return false;
    *out = (int32_t)(axis < 0 ? axis + rank : axis);
    return true;
}

static bool one(cnnfi_kt *out, size_t *count, cnnfi_kt t)
{
    out[0] = t;
    *count = 1;
    return true;
}

/* ---- shapes ---- */

static bool same(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    return op->n > 0 && one(out, count, op->inputs[0]);
}

static bool broadcast(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    return op->n == 2 && one(out, count, cnnfi_kt_broadcast(op->inputs[0], op->inputs[1]));
}

static bool compare(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    if (!broadcast(op, out, capacity, count)) return false;
    out->dtype = CNNF_BOOL;
    return true;
}

static bool select_op(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    return op->n == 3 && one(out, count, cnnfi_kt_broadcast(op->inputs[1], op->inputs[2]));
}

static bool cast(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    static const struct {
        const char *name;
        cnnf_dtype dtype;
    } types[] = {{"DT_FLOAT", CNNF_FLOAT}, {"DT_DOUBLE", CNNF_DOUBLE}, {"DT_INT32", CNNF_INT32},
                 {"DT_INT64", CNNF_INT64}, {"DT_BOOL", CNNF_BOOL},     {"DT_HALF", CNNF_HALF},
                 {"DT_UINT8", CNNF_UINT8}};
    const char *to = cnnfi_json_string(cnnfi_json_get(cnnfi_json_get(op->attrs, "DstT"), "type"), "");
    if (!same(op, out, capacity, count)) return false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, to) != 0) continue;
        out->dtype = types[i].dtype;
        return true;
    }
    return false;
}

static bool reduce(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    int64_t axes[2 * CNNFI_KERAS_MAX_RANK];
    bool gone[CNNFI_KERAS_MAX_RANK] = {false}, keep = attr_bool(op, "keep_dims");
    int32_t n = values(op, 1, axes), at;
    cnnfi_kt y = op->inputs[0];
    if (op->n != 2 || n < 0) return false;
    for (int32_t i = 0; i < n; i++) {
        if (!axis_at(axes[i], y.rank, &at)) return false;
        gone[at] = true;
    }
    y.rank = 0;
    for (int32_t i = 0; i < op->inputs[0].rank; i++)
        if (keep || !gone[i]) y.dims[y.rank++] = gone[i] ? 1 : op->inputs[0].dims[i];
    return one(out, count, y);
}

static bool arg_reduce(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    if (!reduce(op, out, capacity, count)) return false;
    out->dtype = CNNF_INT64;
    return true;
}

/* Elements of dims[0..rank) but the unknown ones; 0 when there are too many. */
static int64_t known_elements(const int64_t *dims, int32_t rank, int32_t *unknown)
{
    int64_t product = 1;
    *unknown = 0;
    for (int32_t i = 0; i < rank; i++) {
        if (dims[i] < 0)
            ++*unknown;
        else if (__builtin_mul_overflow(product, dims[i], &product))
            return 0;
    }
    return product;
}

static bool reshape(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    int64_t dims[2 * CNNFI_KERAS_MAX_RANK];
    int32_t n = values(op, 1, dims), open = 0, unknown = 0;
    if (op->n != 2 || n < 0 || n > CNNFI_KERAS_MAX_RANK) return false;
    int64_t total = known_elements(op->inputs[0].dims, op->inputs[0].rank, &unknown),
            wanted = known_elements(dims, n, &open);
    for (int32_t i = 0; i < n; i++)
        if (dims[i] < 0 && unknown == 0 && open == 1 && wanted > 0) dims[i] = total / wanted;
    return one(out, count, cnnfi_kt_shaped(op->inputs[0], n, dims));
}

static bool transpose(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    int64_t perm[2 * CNNFI_KERAS_MAX_RANK];
    cnnfi_kt y = op->inputs[0];
    if (op->n != 2 || values(op, 1, perm) != y.rank) return false;
    for (int32_t i = 0; i < y.rank; i++) {
        if (perm[i] < 0 || perm[i] >= y.rank) return false;
        y.dims[i] = op->inputs[0].dims[perm[i]];
    }
    return one(out, count, y);
}

static bool concat(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    int64_t axis[2 * CNNFI_KERAS_MAX_RANK];
    cnnfi_kt y = op->inputs[0];
    int32_t at;
    if (op->n < 2 || values(op, op->n - 1, axis) != 1 || !axis_at(axis[0], y.rank, &at)) return false;
    for (size_t i = 1; i + 1 < op->n; i++) {
        const cnnfi_kt *x = &op->inputs[i];
        if (x->rank != y.rank) return false;
        if (x->dims[at] < 0 || y.dims[at] < 0)
            y.dims[at] = -1;
        else if (__builtin_add_overflow(y.dims[at], x->dims[at], &y.dims[at]))
            return false;
    }
    return one(out, count, y);
}

static bool strided_slice(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    int64_t begin[2 * CNNFI_KERAS_MAX_RANK], end[2 * CNNFI_KERAS_MAX_RANK], strides[2 * CNNFI_KERAS_MAX_RANK];
    cnnfi_kindex indices[CNNFI_KERAS_MAX_RANK + 1] = {{.kind = CNNFI_KINDEX_RANGE}};
    int32_t n = values(op, 1, begin);
    if (op->n != 4 || n < 0 || n > CNNFI_KERAS_MAX_RANK || values(op, 2, end) != n || values(op, 3, strides) != n)
        return false;
    for (int32_t i = 0; i < n; i++) {
        int64_t bit = (int64_t)1 << i;
        indices[i] = (cnnfi_kindex){.has_begin = !(attr_int(op, "begin_mask", 0) & bit),
                                    .has_end = !(attr_int(op, "end_mask", 0) & bit),
                                    .begin = begin[i],
                                    .end = end[i],
                                    .stride = strides[i]};
        if (attr_int(op, "ellipsis_mask", 0) & bit)
            indices[i].kind = CNNFI_KINDEX_ELLIPSIS;
        else if (attr_int(op, "new_axis_mask", 0) & bit)
            indices[i].kind = CNNFI_KINDEX_NEW;
        else if (attr_int(op, "shrink_axis_mask", 0) & bit)
            indices[i].kind = CNNFI_KINDEX_AT;
        if (strides[i] == 0) return false;
    }
    cnnfi_kt y = op->inputs[0];
    return cnnfi_kt_slice(&y, &op->inputs[0], (size_t)n, indices) && one(out, count, y);
}

static bool insert_dim(cnnfi_kt *y, int32_t at, int64_t dim)
{
    if (y->rank >= CNNFI_KERAS_MAX_RANK) return false;
    for (int32_t i = y->rank; i > at; i--)
        y->dims[i] = y->dims[i - 1];
    y->dims[at] = dim;
    y->rank++;
    return true;
}

static void remove_dim(cnnfi_kt *y, int32_t at)
{
    for (int32_t i = at; i + 1 < y->rank; i++)
        y->dims[i] = y->dims[i + 1];
    y->rank--;
}

static bool expand_dims(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    int64_t axis[2 * CNNFI_KERAS_MAX_RANK];
    cnnfi_kt y = op->inputs[0];
    int32_t at;
    if (op->n != 2 || values(op, 1, axis) != 1 || !axis_at(axis[0], y.rank + 1, &at)) return false;
    return insert_dim(&y, at, 1) && one(out, count, y);
}

static bool squeeze(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    int64_t axes[CNNFI_KERAS_MAX_RANK];
    bool gone[CNNFI_KERAS_MAX_RANK] = {false};
    int32_t n = attr_ints(op, "squeeze_dims", axes), at;
    cnnfi_kt y = op->inputs[0];
    if (op->n != 1 || n < 0) return false;
    for (int32_t i = 0; i < n; i++) {
        if (!axis_at(axes[i], y.rank, &at)) return false;
        gone[at] = true;
    }
    for (int32_t i = y.rank; i-- > 0;)
        if (n == 0 ? y.dims[i] == 1 : gone[i]) remove_dim(&y, i);
    return one(out, count, y);
}

static bool pack(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    cnnfi_kt y = op->inputs[0];
    int32_t at;
    return op->n > 0 && axis_at(attr_int(op, "axis", 0), y.rank + 1, &at) && insert_dim(&y, at, (int64_t)op->n) &&
           one(out, count, y);
}

static bool several(cnnfi_kt *out, size_t capacity, size_t *count, int64_t n, cnnfi_kt t)
{
    if (n < 1 || (uint64_t)n > capacity) return false;
    for (int64_t i = 0; i < n; i++)
        out[i] = t;
    *count = (size_t)n;
    return true;
}

static bool unpack(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    cnnfi_kt y = op->inputs[0];
    int32_t at;
    if (op->n != 1 || !axis_at(attr_int(op, "axis", 0), y.rank, &at)) return false;
    remove_dim(&y, at);
    return several(out, capacity, count, attr_int(op, "num", 0), y);
}

static bool split(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    int64_t axis[2 * CNNFI_KERAS_MAX_RANK], n = attr_int(op, "num_split", 0);
    int32_t at;
    if (op->n != 2 || n < 1 || values(op, 0, axis) != 1 || !axis_at(axis[0], op->inputs[1].rank, &at)) return false;
    cnnfi_kt y = op->inputs[1];
    if (y.dims[at] >= 0) y.dims[at] /= n;
    return several(out, capacity, count, n, y);
}

static bool split_v(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    int64_t sizes[2 * CNNFI_KERAS_MAX_RANK], axis[2 * CNNFI_KERAS_MAX_RANK];
    int32_t n = values(op, 1, sizes), at;
    if (op->n != 3 || values(op, 2, axis) != 1 || !axis_at(axis[0], op->inputs[0].rank, &at)) return false;
    if (!several(out, capacity, count, n, op->inputs[0])) return false;
    for (int32_t i = 0; i < n; i++)
        out[i].dims[at] = sizes[i];
    return true;
}

static bool identity_n(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    if (op->n > capacity) return false;
    for (size_t i = 0; i < op->n; i++)
        out[i] = op->inputs[i];
    *count = op->n;
    return op->n > 0;
}

static bool pad(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    int64_t amounts[2 * CNNFI_KERAS_MAX_RANK];
    cnnfi_kt y = op->inputs[0];
    if (op->n < 2 || values(op, 1, amounts) != 2 * y.rank) return false;
    for (int32_t i = 0; i < y.rank; i++)
        if (y.dims[i] >= 0) y.dims[i] += amounts[2 * i] + amounts[2 * i + 1];
    return one(out, count, y);
}

static bool tile(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    int64_t times[2 * CNNFI_KERAS_MAX_RANK];
    cnnfi_kt y = op->inputs[0];
    if (op->n != 2 || values(op, 1, times) != y.rank) return false;
    for (int32_t i = 0; i < y.rank; i++)
        if (y.dims[i] >= 0 && __builtin_mul_overflow(y.dims[i], times[i], &y.dims[i])) return false;
    return one(out, count, y);
}

static bool matmul(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    bool left = attr_bool(op, "transpose_a") || attr_bool(op, "adj_x"),
         right = attr_bool(op, "transpose_b") || attr_bool(op, "adj_y");
    const cnnfi_kt *x = &op->inputs[0], *z = &op->inputs[1];
    if (op->n != 2 || x->rank < 2 || z->rank < 2) return false;
    cnnfi_kt y = x->rank >= z->rank ? *x : *z;
    y.dims[y.rank - 2] = x->dims[x->rank - (left ? 1 : 2)];
    y.dims[y.rank - 1] = z->dims[z->rank - (right ? 2 : 1)];
    return one(out, count, y);
}

static bool resize(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    int64_t size[2 * CNNFI_KERAS_MAX_RANK] = {-1, -1};
    cnnfi_kt y = op->inputs[0];
    if (op->n != 2 || y.rank != 4 || (op->values[1] && values(op, 1, size) != 2)) return false;
    y.dims[1] = size[0];
    y.dims[2] = size[1];
    return one(out, count, y);
}

static bool is_first(const cnnfi_kop *op)
{
    const char *format = cnnfi_json_string(cnnfi_json_get(cnnfi_json_get(op->attrs, "data_format"), "s"), "");
    return strcmp(format, "TkNIVw==") == 0; /* "NCHW" in base64 */
}

static bool pool(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    int64_t size[CNNFI_KERAS_MAX_RANK], strides[CNNFI_KERAS_MAX_RANK];
    const char *padding = cnnfi_json_string(cnnfi_json_get(cnnfi_json_get(op->attrs, "padding"), "s"), "");
    bool is_same = strcmp(padding, "U0FNRQ==") == 0; /* "SAME" */
    cnnfi_kt y = op->inputs[0];
    if (op->n != 1 || attr_ints(op, "ksize", size) != y.rank || attr_ints(op, "strides", strides) != y.rank)
        return false;
    for (int32_t i = 0; i < y.rank; i++) {
        if (size[i] < 1 || strides[i] < 1) return false;
        y.dims[i] = cnnfi_keras_window_length(y.dims[i], size[i], strides[i], 1, is_same);
    }
    return one(out, count, y);
}

static bool block(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    bool grows = strcmp(op->op, "DepthToSpace") == 0, first = is_first(op);
    int64_t size = attr_int(op, "block_size", 0);
    cnnfi_kt y = op->inputs[0];
    if (op->n != 1 || y.rank != 4 || size < 1 || size > 4096) return false;
    for (int32_t i = 1; i < 4; i++) {
        bool channels = i == (first ? 1 : 3);
        if (y.dims[i] < 0) continue;
        if (channels)
            y.dims[i] = grows ? y.dims[i] / (size * size) : y.dims[i] * size * size;
        else
            y.dims[i] = grows ? y.dims[i] * size : y.dims[i] / size;
    }
    return one(out, count, y);
}

static bool shape_op(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    (void)capacity;
    if (op->n != 1) return false;
    cnnfi_kt y = cnnfi_kt_shaped(op->inputs[0], 1, (const int64_t[]){op->inputs[0].rank});
    y.dtype = CNNF_INT32;
    return one(out, count, y);
}

static const struct {
    const char *op;
    infer_fn infer;
} ops[] = {
    {"Abs", same},
    {"Add", broadcast},
    {"AddN", same},
    {"AddV2", broadcast},
    {"All", reduce},
    {"Any", reduce},
    {"ArgMax", arg_reduce},
    {"ArgMin", arg_reduce},
    {"AvgPool", pool},
    {"BatchMatMul", matmul},
    {"BatchMatMulV2", matmul},
    {"BiasAdd", same},
    {"Cast", cast},
    {"Ceil", same},
    {"ConcatV2", concat},
    {"Cos", same},
    {"DepthToSpace", block},
    {"Div", broadcast},
    {"DivNoNan", broadcast},
    {"Elu", same},
    {"Equal", compare},
    {"Erf", same},
    {"Exp", same},
    {"ExpandDims", expand_dims},
    {"Expm1", same},
    {"Floor", same},
    {"FloorDiv", broadcast},
    {"FloorMod", broadcast},
    {"Greater", compare},
    {"GreaterEqual", compare},
    {"Identity", same},
    {"IdentityN", identity_n},
    {"LRN", same},
    {"LeakyRelu", same},
    {"Less", compare},
    {"LessEqual", compare},
    {"Log", same},
    {"Log1p", same},
    {"LogSoftmax", same},
    {"LogicalAnd", broadcast},
    {"LogicalNot", same},
    {"LogicalOr", broadcast},
    {"MatMul", matmul},
    {"Max", reduce},
    {"MaxPool", pool},
    {"Maximum", broadcast},
    {"Mean", reduce},
    {"Min", reduce},
    {"Minimum", broadcast},
    {"MirrorPad", pad},
    {"Mul", broadcast},
    {"Neg", same},
    {"NotEqual", compare},
    {"Pack", pack},
    {"Pad", pad},
    {"PadV2", pad},
    {"Pow", broadcast},
    {"Prod", reduce},
    {"RealDiv", broadcast},
    {"Reciprocal", same},
    {"Relu", same},
    {"Relu6", same},
    {"Reshape", reshape},
    {"ResizeArea", resize},
    {"ResizeBicubic", resize},
    {"ResizeBilinear", resize},
    {"ResizeNearestNeighbor", resize},
    {"Round", same},
    {"Rsqrt", same},
    {"Select", select_op},
    {"SelectV2", select_op},
    {"Selu", same},
    {"Shape", shape_op},
    {"Sigmoid", same},
    {"Sign", same},
    {"Sin", same},
    {"Softmax", same},
    {"Softplus", same},
    {"Softsign", same},
    {"SpaceToDepth", block},
    {"Split", split},
    {"SplitV", split_v},
    {"Sqrt", same},
    {"Square", same},
    {"SquaredDifference", broadcast},
    {"Squeeze", squeeze},
    {"StopGradient", same},
    {"StridedSlice", strided_slice},
    {"Sub", broadcast},
    {"Sum", reduce},
    {"Tan", same},
    {"Tanh", same},
    {"Tile", tile},
    {"Transpose", transpose},
    {"Unpack", unpack},
    {"ZerosLike", same},
};

bool cnnfi_kop_infer(const cnnfi_kop *op, cnnfi_kt *out, size_t capacity, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (strcmp(ops[i].op, op->op) == 0) return ops[i].infer && op->n > 0 && ops[i].infer(op, out, capacity, count);
    return false;
}
