/* SPDX-License-Identifier: Apache-2.0 */
/* Constant arithmetic in double: see constants.h. */
#include "edit/constants.h"

#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/tensor.h"
#include "graph/builder.h"

/* Larger tensors are weights, not parameters of a normalisation. */
#define MAX_COUNT ((size_t)1 << 20)
#define MAX_DEPTH 24

static const cnnfi_const not_constant;

typedef struct evaluation {
    cnnfi_constants *constants;
    const cnnf_node *node;
    int depth;
} evaluation;

static const cnnfi_const *value_of(cnnfi_constants *constants, const cnnf_node *node, int depth);

static const cnnfi_const *operand(const evaluation *e, size_t input)
{
    int32_t port;
    const cnnf_node *from = cnnfi_edit_producer(e->constants->edit, e->node, input, &port);
    return from && port == 0 ? value_of(e->constants, from, e->depth + 1) : NULL;
}

static double *new_values(const evaluation *e, size_t count)
{
    return count <= MAX_COUNT ? cnnfi_edit_array(e->constants->edit, count, sizeof(double)) : NULL;
}

/* ---- tensors ---- */

double *cnnfi_doubles_of_tensor(cnnfi_edit *edit, const cnnf_tensor *tensor)
{
    cnnfi_builder *b = edit->b;
    const int64_t count = cnnf_tensor_element_count(tensor);
    double *values = cnnfi_edit_array(edit, (size_t)count, sizeof *values);
    cnnf_tensor *loaded = NULL;
    if (!values) return NULL;
    b->status = cnnf_tensor_load(&loaded, tensor, b->error);
    const bool is_float = loaded && cnnf_tensor_dtype(loaded) == CNNF_FLOAT && cnnf_tensor_data(loaded);
    const float *floats = is_float ? cnnf_tensor_data(loaded) : NULL;
    bool readable = loaded != NULL;
    for (int64_t i = 0; readable && i < count; i++) {
        if (floats)
            values[i] = (double)floats[i];
        else
            readable = cnnfi_tensor_get_f64(loaded, i, &values[i]);
    }
    cnnf_tensor_unref(loaded);
    return readable ? values : NULL;
}

cnnf_tensor *cnnfi_tensor_of_doubles(cnnfi_edit *edit, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                                     const double *values)
{
    cnnfi_builder *b = edit->b;
    cnnf_tensor *tensor = NULL;
    if (b->status) return NULL;
    b->status = cnnf_tensor_new(&tensor, b->graph->context, dtype, rank, dims, b->error);
    if (b->status) return NULL;
    const int64_t count = cnnf_tensor_element_count(tensor);
    void *data = cnnf_tensor_data_mut(tensor);
    if (dtype == CNNF_DOUBLE) memcpy(data, values, (size_t)count * sizeof *values);
    for (int64_t i = 0; dtype == CNNF_FLOAT && i < count; i++)
        ((float *)data)[i] = (float)values[i];
    return tensor;
}

/* ---- the ops ---- */

static bool is_number(cnnf_dtype dtype)
{
    return dtype == CNNF_FLOAT || dtype == CNNF_DOUBLE || dtype == CNNF_HALF || dtype == CNNF_BFLOAT16 ||
           dtype == CNNF_INT32 || dtype == CNNF_INT64;
}

static bool eval_const(const evaluation *e, cnnfi_const *out)
{
    const cnnf_tensor *tensor = cnnf_node_attr_tensor(e->node, "value");
    if (!tensor || !is_number(cnnf_tensor_dtype(tensor)) || cnnf_tensor_rank(tensor) > CNNFI_CONST_RANK) return false;
    if ((uint64_t)cnnf_tensor_element_count(tensor) > MAX_COUNT) return false;
    out->rank = cnnf_tensor_rank(tensor);
    for (int32_t i = 0; i < out->rank; i++)
        out->dims[i] = cnnf_tensor_dim(tensor, i);
    out->count = (size_t)cnnf_tensor_element_count(tensor);
    return (out->v = cnnfi_doubles_of_tensor(e->constants->edit, tensor)) != NULL;
}

static bool eval_identity(const evaluation *e, cnnfi_const *out)
{
    const cnnfi_const *x = operand(e, 0);
    if (x) *out = *x;
    return x != NULL;
}

typedef double (*unary_fn)(double);

static double rsqrt(double x)
{
    return 1.0 / sqrt(x);
}

static double negate(double x)
{
    return -x;
}

static double reciprocal(double x)
{
    return 1.0 / x;
}

static double square(double x)
{
    return x * x;
}

static bool map(const evaluation *e, cnnfi_const *out, unary_fn f)
{
    const cnnfi_const *x = operand(e, 0);
    double *v = x ? new_values(e, x->count) : NULL;
    if (!v) return false;
    for (size_t i = 0; i < x->count; i++)
        v[i] = f(x->v[i]);
    *out = *x;
    out->v = v;
    out->root = x->root || f == sqrt || f == rsqrt;
    return true;
}

static bool eval_sqrt(const evaluation *e, cnnfi_const *out)
{
    return map(e, out, sqrt);
}

static bool eval_rsqrt(const evaluation *e, cnnfi_const *out)
{
    return map(e, out, rsqrt);
}

static bool eval_neg(const evaluation *e, cnnfi_const *out)
{
    return map(e, out, negate);
}

static bool eval_reciprocal(const evaluation *e, cnnfi_const *out)
{
    return map(e, out, reciprocal);
}

static bool eval_square(const evaluation *e, cnnfi_const *out)
{
    return map(e, out, square);
}

typedef double (*binary_fn)(double, double);

static double add(double a, double b)
{
    return a + b;
}

static double subtract(double a, double b)
{
    return a - b;
}

static double multiply(double a, double b)
{
    return a * b;
}

static double divide(double a, double b)
{
    return a / b;
}

/* The broadcast shape of two constants; false when they do not match or the result is too large. */
static bool broadcast(const cnnfi_const *a, const cnnfi_const *b, cnnfi_const *out)
{
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    out->count = 1;
    for (int32_t i = 0; i < out->rank; i++) {
        const int32_t ia = i - (out->rank - a->rank), ib = i - (out->rank - b->rank);
        const int64_t da = ia < 0 ? 1 : a->dims[ia], db = ib < 0 ? 1 : b->dims[ib];
        if (da != db && da != 1 && db != 1) return false;
        out->dims[i] = da == 1 ? db : da;
        if (out->dims[i] < 0 || (out->dims[i] && out->count > MAX_COUNT / (size_t)out->dims[i])) return false;
        out->count *= (size_t)out->dims[i];
    }
    return true;
}

/* Where element `at` of the broadcast shape lies in `x`. */
static size_t source_index(const cnnfi_const *shape, size_t at, const cnnfi_const *x)
{
    size_t index = 0, stride = 1;
    for (int32_t i = shape->rank - 1; i >= 0; i--) {
        const size_t coordinate = at % (size_t)shape->dims[i];
        const int32_t k = i - (shape->rank - x->rank);
        at /= (size_t)shape->dims[i];
        if (k < 0) continue;
        if (x->dims[k] != 1) index += coordinate * stride;
        stride *= (size_t)x->dims[k];
    }
    return index;
}

static bool zip(const evaluation *e, cnnfi_const *out, binary_fn f)
{
    const cnnfi_const *a = operand(e, 0), *b = a ? operand(e, 1) : NULL;
    double *v = b && broadcast(a, b, out) ? new_values(e, out->count) : NULL;
    if (!v) return false;
    for (size_t i = 0; i < out->count; i++)
        v[i] = f(a->v[source_index(out, i, a)], b->v[source_index(out, i, b)]);
    out->v = v;
    out->root = a->root || b->root || f == pow; /* pow(variance, 0.5) */
    return true;
}

static bool eval_add(const evaluation *e, cnnfi_const *out)
{
    return zip(e, out, add);
}

static bool eval_sub(const evaluation *e, cnnfi_const *out)
{
    return zip(e, out, subtract);
}

static bool eval_mul(const evaluation *e, cnnfi_const *out)
{
    return zip(e, out, multiply);
}

static bool eval_div(const evaluation *e, cnnfi_const *out)
{
    return cnnfi_node_type(e->node, "T") != CNNF_INT32 && zip(e, out, divide);
}

static bool eval_pow(const evaluation *e, cnnfi_const *out)
{
    return zip(e, out, pow);
}

/* Values as they are under other dims. */
static bool with_dims(cnnfi_const *out, const cnnfi_const *x, int32_t rank, const int64_t *dims)
{
    size_t known = 1;
    int32_t open = -1;
    *out = *x;
    out->rank = rank;
    for (int32_t i = 0; i < rank; i++) {
        out->dims[i] = dims[i];
        if (dims[i] == -1 && open < 0)
            open = i;
        else if (dims[i] < 0 || (dims[i] && known > MAX_COUNT / (size_t)dims[i]))
            return false;
        else
            known *= (size_t)dims[i];
    }
    if (open >= 0 && known) out->dims[open] = (int64_t)(x->count / known);
    return open >= 0 ? known && x->count % known == 0 : known == x->count;
}

static bool eval_reshape(const evaluation *e, cnnfi_const *out)
{
    const cnnfi_const *x = operand(e, 0), *shape = x ? operand(e, 1) : NULL;
    int64_t dims[CNNFI_CONST_RANK] = {0};
    if (!shape || shape->rank > 1 || shape->count > CNNFI_CONST_RANK) return false;
    for (size_t i = 0; i < shape->count; i++)
        dims[i] = (int64_t)shape->v[i];
    return with_dims(out, x, (int32_t)shape->count, dims);
}

static bool eval_expand_dims(const evaluation *e, cnnfi_const *out)
{
    const cnnfi_const *x = operand(e, 0), *axis = x ? operand(e, 1) : NULL;
    int64_t dims[CNNFI_CONST_RANK] = {0};
    if (!axis || axis->count != 1 || x->rank >= CNNFI_CONST_RANK) return false;
    const int32_t rank = x->rank + 1;
    const int32_t at = (int32_t)axis->v[0] < 0 ? (int32_t)axis->v[0] + rank : (int32_t)axis->v[0];
    if (at < 0 || at >= rank) return false;
    for (int32_t i = 0; i < rank; i++)
        dims[i] = i == at ? 1 : x->dims[i < at ? i : i - 1];
    return with_dims(out, x, rank, dims);
}

/* Squeeze without squeeze_dims, or one that names all the ones there are. */
static bool eval_squeeze(const evaluation *e, cnnfi_const *out)
{
    const cnnfi_const *x = operand(e, 0);
    int64_t dims[CNNFI_CONST_RANK] = {0};
    int32_t rank = 0;
    if (!x) return false;
    for (int32_t i = 0; i < x->rank; i++) {
        if (x->dims[i] != 1) dims[rank++] = x->dims[i];
    }
    const int64_t named = cnnf_node_attr_list_count(e->node, "squeeze_dims");
    return (named <= 0 || named == x->rank - rank) && with_dims(out, x, rank, dims);
}

static bool splat(const evaluation *e, cnnfi_const *out, double value)
{
    double *v = new_values(e, out->count);
    for (size_t i = 0; v && i < out->count; i++)
        v[i] = value;
    out->v = v;
    out->root = false;
    return v != NULL;
}

static bool eval_fill(const evaluation *e, cnnfi_const *out)
{
    const cnnfi_const *shape = operand(e, 0), *value = shape ? operand(e, 1) : NULL;
    if (!value || value->count != 1 || shape->count > CNNFI_CONST_RANK) return false;
    out->rank = (int32_t)shape->count;
    out->count = 1;
    for (size_t i = 0; i < shape->count; i++) {
        if (shape->v[i] < 0 || shape->v[i] > (double)(MAX_COUNT / (out->count ? out->count : 1))) return false;
        out->dims[i] = (int64_t)shape->v[i];
        out->count *= (size_t)out->dims[i];
    }
    return splat(e, out, value->v[0]);
}

static bool eval_ones_like(const evaluation *e, cnnfi_const *out)
{
    return eval_identity(e, out) && splat(e, out, 1.0);
}

static bool eval_zeros_like(const evaluation *e, cnnfi_const *out)
{
    return eval_identity(e, out) && splat(e, out, 0.0);
}

static bool eval_cast(const evaluation *e, cnnfi_const *out)
{
    const cnnf_dtype to = cnnfi_node_type(e->node, "DstT");
    return (to == CNNF_FLOAT || to == CNNF_DOUBLE) && eval_identity(e, out);
}

static const struct {
    const char *op;
    bool (*eval)(const evaluation *e, cnnfi_const *out);
} evaluators[] = {
    {"Add", eval_add},
    {"AddV2", eval_add},
    {"BiasAdd", eval_add},
    {"Cast", eval_cast},
    {"Const", eval_const},
    {"Div", eval_div},
    {"ExpandDims", eval_expand_dims},
    {"Fill", eval_fill},
    {"Inv", eval_reciprocal},
    {"Mul", eval_mul},
    {"Neg", eval_neg},
    {"OnesLike", eval_ones_like},
    {"Pow", eval_pow},
    {"RealDiv", eval_div},
    {"Reciprocal", eval_reciprocal},
    {"Reshape", eval_reshape},
    {"Rsqrt", eval_rsqrt},
    {"Sqrt", eval_sqrt},
    {"Square", eval_square},
    {"Squeeze", eval_squeeze},
    {"Sub", eval_sub},
    {"ZerosLike", eval_zeros_like},
};

/* ---- asking ---- */

void cnnfi_constants_init(cnnfi_constants *constants, cnnfi_edit *edit)
{
    *constants = (cnnfi_constants){.edit = edit};
}

void cnnfi_constants_forget(cnnfi_constants *constants)
{
    if (constants->size) memset(constants->known, 0, constants->size * sizeof *constants->known);
}

static bool remembers(cnnfi_constants *constants, size_t index)
{
    if (index < constants->size) return true;
    cnnfi_constants grown = *constants;
    grown.size = constants->edit->count;
    grown.known = cnnfi_edit_array(constants->edit, grown.size, sizeof *grown.known);
    if (!grown.known) return false;
    if (constants->size) memcpy(grown.known, constants->known, constants->size * sizeof *grown.known);
    *constants = grown;
    return index < constants->size;
}

static bool evaluate(const evaluation *e, cnnfi_const *out)
{
    if (cnnfi_op_is_identity(e->node->op)) return eval_identity(e, out);
    for (size_t i = 0; i < sizeof evaluators / sizeof *evaluators; i++) {
        if (strcmp(evaluators[i].op, e->node->op) == 0) return evaluators[i].eval(e, out);
    }
    return false;
}

static const cnnfi_const *value_of(cnnfi_constants *constants, const cnnf_node *node, int depth)
{
    const size_t index = (size_t)node->index;
    if (depth > MAX_DEPTH || !remembers(constants, index)) return NULL;
    if (!constants->known[index]) {
        cnnfi_const *out = cnnfi_edit_array(constants->edit, 1, sizeof *out);
        const evaluation e = {.constants = constants, .node = node, .depth = depth};
        if (!out) return NULL;
        /* Entered before evaluating: a cycle in a hostile graph ends here. */
        constants->known[index] = (cnnfi_const *)(uintptr_t)&not_constant;
        const bool known = evaluate(&e, out);
        if (known && remembers(constants, index)) constants->known[index] = out;
    }
    const cnnfi_const *value = constants->known[index];
    return value == &not_constant ? NULL : value;
}

const cnnfi_const *cnnfi_constant_input(cnnfi_constants *constants, const cnnf_node *node, size_t input)
{
    const evaluation e = {.constants = constants, .node = node, .depth = 0};
    return operand(&e, input);
}

cnnf_node *cnnfi_const_node(const cnnfi_edit *edit, const cnnf_node *node, size_t input)
{
    int32_t port;
    cnnf_node *from = cnnfi_edit_producer(edit, node, input, &port);
    for (int depth = 0; from && port == 0 && depth < MAX_DEPTH; depth++) {
        if (strcmp(from->op, "Const") == 0) return from;
        if (!cnnfi_op_is_identity(from->op)) return NULL;
        from = cnnfi_edit_producer(edit, from, 0, &port);
    }
    return NULL;
}

bool cnnfi_constant_ints(cnnfi_constants *constants, const cnnf_node *node, size_t input, int64_t *values,
                         size_t capacity, size_t *count)
{
    const cnnfi_const *c = cnnfi_constant_input(constants, node, input);
    if (!c || c->rank > 1 || c->count > capacity) return false;
    for (size_t i = 0; i < c->count; i++)
        values[i] = (int64_t)c->v[i];
    *count = c->count;
    return true;
}

/* Whether nobody but this input can see the Const: no other user, no protected name on the way. */
static bool owns_const(const cnnfi_edit *edit, const cnnf_node *node, size_t input, const cnnf_node *source)
{
    while (node && node != source) {
        node = cnnfi_edit_producer(edit, node, input, NULL);
        input = 0;
        if (!node || cnnfi_edit_is_protected(edit, node) || cnnfi_edit_user_count(edit, node, CNNFI_PORT_ANY) != 1)
            return false;
    }
    return node != NULL;
}

void cnnfi_edit_own_const(cnnfi_edit *edit, cnnf_node *node, size_t input, const cnnf_tensor *value)
{
    cnnf_node *source = cnnfi_const_node(edit, node, input);
    if (!value) return;
    if (source && owns_const(edit, node, input, source)) {
        cnnfi_node_set_tensor(edit->b, source, "value", value);
        cnnfi_edit_touch(edit, source);
        return;
    }
    const char *last = source ? strrchr(source->name, '/') : NULL;
    const cnnf_node *own = cnnfi_edit_const(edit, value, "%s/%s", node->name, last ? last + 1 : "folded");
    cnnfi_edit_set_input(edit, node, input, cnnfi_end(own, 0));
}
