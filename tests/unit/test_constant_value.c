/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small constant expressions: each op of the table against the kernel that computes it, with all and with part of the
 * inputs known; then provenance, roundings, what one operand decides, limits, memory.
 */
#include <math.h>
#include <string.h>

#include "evaluator/kernels/kernel.h"
#include "graph/builder.h"
#include "graph/element.h"
#include "ops/constant_value.h"
#include "ops/op_table.h"
#include "support.h"

#define MAX_INPUTS  4
#define MAX_OUTPUTS 64
#define MAX_COUNT   256
#define ROUNDS      400

static uint32_t state;

static int32_t pick(int32_t n)
{
    state = state * 1664525u + 1013904223u;
    return (int32_t)((state >> 8) % (uint32_t)n);
}

/* ---- one node with constant inputs ---- */

typedef struct bench {
    cnnf_context *context;
    cnnf_graph *graph;
    cnnfi_arena arena;
    cnnf_error *error;
    cnnf_tensor *tensors[MAX_INPUTS];
    cnnfi_constant constants[MAX_INPUTS];
    const cnnfi_constant *inputs[MAX_INPUTS]; /* NULL: not known */
    int32_t n_inputs;
    cnnfi_constant outputs[MAX_OUTPUTS];
    int32_t n_outputs;
} bench;

static void bench_init(bench *t)
{
    memset(t, 0, sizeof *t);
    t->context = test_context();
    t->error = cnnf_error_new();
    cnnfi_arena_init(&t->arena, t->context);
}

/* Ready for the next node. */
static void bench_reset(bench *t)
{
    for (int32_t i = 0; i < MAX_INPUTS; i++) {
        cnnf_tensor_unref(t->tensors[i]);
        t->tensors[i] = NULL;
        t->inputs[i] = NULL;
    }
    cnnf_graph_unref(t->graph);
    t->graph = NULL;
    t->n_inputs = 0;
    cnnfi_arena_free(&t->arena);
    cnnfi_arena_init(&t->arena, t->context);
}

static void bench_done(bench *t)
{
    bench_reset(t);
    cnnfi_arena_free(&t->arena);
    cnnf_error_free(t->error);
    test_context_done(t->context);
}

/* Elements of any dtype from doubles. */
static void fill(cnnf_tensor *tensor, const double *values)
{
    const cnnf_dtype dtype = cnnf_tensor_dtype(tensor);
    void *data = cnnf_tensor_data_mut(tensor);
    for (int64_t i = 0; i < cnnf_tensor_element_count(tensor); i++) {
        const double x = values[i];
        if (dtype == CNNF_FLOAT) ((float *)data)[i] = (float)x;
        if (dtype == CNNF_DOUBLE) ((double *)data)[i] = x;
        if (dtype == CNNF_INT32) ((int32_t *)data)[i] = (int32_t)x;
        if (dtype == CNNF_INT64) ((int64_t *)data)[i] = (int64_t)x;
        if (dtype == CNNF_BOOL) ((uint8_t *)data)[i] = x != 0;
    }
}

/* One more input, known. */
static void add_input(bench *t, cnnf_dtype dtype, int32_t rank, const int64_t *dims, const double *values)
{
    const int32_t i = t->n_inputs++;
    ck_assert_int_eq(cnnf_tensor_new(&t->tensors[i], t->context, dtype, rank, dims, t->error), CNNF_OK);
    fill(t->tensors[i], values);
    ck_assert_int_eq(cnnfi_constant_of_tensor(&t->constants[i], t->tensors[i], &t->arena, t->error), CNNF_OK);
    t->inputs[i] = &t->constants[i];
}

static void add_scalar(bench *t, cnnf_dtype dtype, double value)
{
    add_input(t, dtype, 0, NULL, &value);
}

static void add_vector(bench *t, cnnf_dtype dtype, int64_t n, const double *values)
{
    add_input(t, dtype, 1, &n, values);
}

/* One more of which only the shape is known. */
static void add_open(bench *t, cnnf_dtype dtype, int32_t rank, const int64_t *dims)
{
    const int32_t i = t->n_inputs++;
    t->constants[i] = (cnnfi_constant){.shape = cnnfi_value_make(dtype, rank, dims)};
    t->inputs[i] = &t->constants[i];
}

static void add_unknown(bench *t)
{
    t->n_inputs++;
}

/* The attributes that the op table has for the inputs' dtypes and number. */
static void set_contract(const bench *t, cnnfi_builder *b, cnnf_node *node)
{
    const cnnfi_op *op = cnnfi_op_find(node->op);
    int32_t at = 0;
    for (size_t i = 0; i < op->n_inputs && at < t->n_inputs; i++) {
        const cnnfi_op_arg *arg = cnnfi_op_input(op, i);
        if (arg->type_attr && t->inputs[at]) {
            cnnfi_node_set_type(b, node, arg->type_attr, t->inputs[at]->shape.dtype);
        }
        const int32_t width = arg->number_attr ? t->n_inputs - (int32_t)op->n_inputs + 1 : 1;
        if (arg->number_attr) cnnfi_node_set_int(b, node, arg->number_attr, width);
        at += width;
    }
}

/* A node of the inputs' dtypes; attributes may be given to it before it is published. */
typedef void (*attributes)(cnnfi_builder *b, cnnf_node *node);

static void make_node(bench *t, const char *op, attributes set)
{
    cnnfi_builder *b = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, t->context, t->error), CNNF_OK);
    cnnf_node *node = cnnfi_builder_add(b, op, "node");
    set_contract(t, b, node);
    if (set) set(b, node);
    ck_assert_int_eq(cnnfi_builder_publish(&t->graph, b, t->error), CNNF_OK);
}

static cnnf_status evaluate(bench *t)
{
    cnnfi_constant_call call = {.node = t->graph->nodes[0],
                                .n_inputs = t->n_inputs,
                                .inputs = t->inputs,
                                .max_outputs = MAX_OUTPUTS,
                                .outputs = t->outputs,
                                .arena = &t->arena,
                                .error = t->error};
    const cnnf_status status = cnnfi_constant_evaluate(&call);
    t->n_outputs = call.n_outputs;
    return status;
}

static const cnnfi_constant *value_of(bench *t, const char *op, attributes set)
{
    make_node(t, op, set);
    const cnnf_status status = evaluate(t);
    ck_assert_msg(status == CNNF_OK, "%s: %s", op, cnnf_error_message(t->error));
    ck_assert_int_ge(t->n_outputs, 1);
    return &t->outputs[0];
}

static void is_scalar(const cnnfi_constant *constant, double want)
{
    double value;
    ck_assert(cnnfi_constant_scalar(constant, &value));
    ck_assert_double_eq(value, want);
}

/* ---- against the kernels ---- */

/* What inputs an op takes: x = data of one dtype and fitting shapes, i = a few small integers, s = one, c = a
   condition, p = a permutation of the axes of x, v = a vector for its last axis,
   a = a small integer for each of its axes. */
static const struct {
    const char *op, *inputs;
} cases[] = {
    {"Abs", "x"},
    {"Add", "xx"},
    {"AddV2", "xx"},
    {"All", "xi"},
    {"Any", "xi"},
    {"BiasAdd", "xv"},
    {"Cast", "x"},
    {"Ceil", "x"},
    {"ConcatV2", "xxs"},
    {"Concat", "sxx"},
    {"Div", "xx"},
    {"DivNoNan", "xx"},
    {"Equal", "xx"},
    {"Exp", "x"},
    {"ExpandDims", "xs"},
    {"Fill", "iz"},
    {"Floor", "x"},
    {"FloorDiv", "xx"},
    {"FloorMod", "xx"},
    {"Gather", "xi"},
    {"GatherV2", "xis"},
    {"Greater", "xx"},
    {"GreaterEqual", "xx"},
    {"Identity", "x"},
    {"Inv", "x"},
    {"Less", "xx"},
    {"LessEqual", "xx"},
    {"Log", "x"},
    {"LogicalAnd", "xx"},
    {"LogicalNot", "x"},
    {"LogicalOr", "xx"},
    {"Max", "xi"},
    {"Maximum", "xx"},
    {"Mean", "xi"},
    {"Min", "xi"},
    {"Minimum", "xx"},
    {"Mod", "xx"},
    {"Mul", "xx"},
    {"Neg", "x"},
    {"NotEqual", "xx"},
    {"OnesLike", "x"},
    {"Pack", "xx"},
    {"Pow", "xx"},
    {"PreventGradient", "x"},
    {"Prod", "xi"},
    {"Range", "zzz"},
    {"Rank", "x"},
    {"RealDiv", "xx"},
    {"Reciprocal", "x"},
    {"Reshape", "xi"},
    {"Rint", "x"},
    {"Round", "x"},
    {"Rsqrt", "x"},
    {"Select", "cxx"},
    {"SelectV2", "cxx"},
    {"Shape", "x"},
    {"ShapeN", "xx"},
    {"Sign", "x"},
    {"Size", "x"},
    {"Slice", "xaa"},
    {"Snapshot", "x"},
    {"Sqrt", "x"},
    {"Square", "x"},
    {"SquaredDifference", "xx"},
    {"Squeeze", "x"},
    {"StopGradient", "x"},
    {"StridedSlice", "xaaa"},
    {"Sub", "xx"},
    {"Sum", "xi"},
    {"Transpose", "xp"},
    {"TruncateDiv", "xx"},
    {"TruncateMod", "xx"},
    {"Unpack", "x"},
    {"ZerosLike", "x"},
};

static void random_attributes(cnnfi_builder *b, cnnf_node *node)
{
    static const char *const masks[] = {"begin_mask", "end_mask", "shrink_axis_mask"};
    static const cnnf_dtype dtypes[] = {CNNF_FLOAT, CNNF_INT32, CNNF_INT64, CNNF_BOOL, CNNF_DOUBLE};
    cnnfi_node_set_bool(b, node, "keep_dims", pick(2));
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        cnnfi_node_set_int(b, node, masks[i], pick(2));
    if (strcmp(node->op, "Pack") == 0 || strcmp(node->op, "Unpack") == 0) {
        cnnfi_node_set_int(b, node, "axis", pick(4) - 2);
    }
    cnnfi_node_set_int(b, node, "num", 1 + pick(3));
    if (strcmp(node->op, "Cast") == 0) cnnfi_node_set_type(b, node, "DstT", dtypes[pick(5)]);
    if (pick(2)) cnnfi_node_set_type(b, node, "out_type", pick(2) ? CNNF_INT32 : CNNF_INT64);
}

/* Mostly sizes that broadcast with `base`. */
static void random_shape(int32_t *rank, int64_t *dims, int32_t base_rank, const int64_t *base)
{
    const int32_t skip = pick(6) ? 0 : pick(base_rank + 1);
    *rank = base_rank - skip;
    for (int32_t i = 0; i < *rank; i++)
        dims[i] = pick(8) ? base[i + skip] : 1;
}

static void add_random(bench *t, char kind, cnnf_dtype dtype, int32_t base_rank, const int64_t *base)
{
    static const double floats[] = {0, 1, -1, 2, 0.5, -1.5, 3, 0.3, -0.7, 100};
    double values[MAX_COUNT];
    int64_t dims[4] = {0}, n = 1 + pick(3);
    int32_t rank = strchr("ipa", kind) != NULL;
    if (kind == 'x') random_shape(&rank, dims, base_rank, base);
    if (kind == 'p') n = base_rank;
    if (kind == 'a') n = t->constants[0].shape.rank;
    if (kind == 'c' && pick(2)) random_shape(&rank, dims, base_rank, base);
    if (strchr("ipa", kind)) dims[0] = n;
    if (kind == 'v') {
        const cnnfi_value *x = &t->constants[0].shape;
        rank = 1;
        dims[0] = x->rank ? x->dims[x->rank - 1] : 1;
    }
    for (int32_t i = 0; i < MAX_COUNT; i++)
        values[i] = kind == 'x' || kind == 'z' || kind == 'v' ? floats[pick(10)] : pick(4) - 1;
    for (int32_t i = 0; kind == 'p' && i < n; i++)
        values[i] = (double)(n - 1 - i);
    const cnnf_dtype own = kind == 'x' || kind == 'z' || kind == 'v' ? dtype : kind == 'c' ? CNNF_BOOL : CNNF_INT32;
    add_input(t, own, rank, dims, values);
}

static void random_call(bench *t, size_t at)
{
    static const cnnf_dtype dtypes[] = {CNNF_FLOAT, CNNF_INT32, CNNF_INT64, CNNF_BOOL, CNNF_DOUBLE};
    const cnnf_dtype dtype = dtypes[pick(5)];
    const int32_t rank = pick(4);
    int64_t base[3];
    for (int32_t i = 0; i < rank; i++)
        base[i] = pick(12) ? 1 + pick(3) : 0;
    for (const char *p = cases[at].inputs; *p; p++)
        add_random(t, *p, dtype, rank, base);
    make_node(t, cases[at].op, random_attributes);
}

/* Forgets elements of integers, or the values of inputs; `shapes` stay known. */
static void forget(bench *t)
{
    for (int32_t i = 0; i < t->n_inputs; i++) {
        cnnfi_constant *in = &t->constants[i];
        const bool integers = in->shape.dtype != CNNF_FLOAT && in->shape.dtype != CNNF_DOUBLE;
        if (!in->v || pick(2)) continue;
        if (!integers || pick(2) || in->shape.count < 2) {
            in->v = NULL;
            continue;
        }
        double *v = cnnfi_arena_array(&t->arena, (size_t)in->shape.count, sizeof *v);
        ck_assert_ptr_nonnull(v);
        memcpy(v, in->v, (size_t)in->shape.count * sizeof *v);
        v[pick((int32_t)in->shape.count)] = (double)NAN;
        in->v = v;
        in->partial = true;
    }
}

/* The kernel's answer into `outputs`; false when the op refuses its inputs. */
static bool run_kernel(bench *t, cnnfi_value *outputs, int32_t *n_outputs, void *room, void *scratch)
{
    cnnfi_value inputs[MAX_INPUTS];
    const cnnfi_kernel *kernel = cnnfi_kernel_find(t->graph->nodes[0]->op);
    ck_assert_ptr_nonnull(kernel);
    for (int32_t i = 0; i < t->n_inputs; i++) {
        inputs[i] = t->constants[i].shape;
        inputs[i].data = cnnf_tensor_data_mut(t->tensors[i]);
        if (!inputs[i].data) inputs[i].data = t;
    }
    cnnfi_call call = {.context = t->context,
                       .node = t->graph->nodes[0],
                       .n_inputs = t->n_inputs,
                       .inputs = inputs,
                       .outputs = outputs,
                       .max_outputs = MAX_OUTPUTS,
                       .scratch = scratch,
                       .error = t->error};
    if (cnnfi_kernel_infer(kernel, &call) != CNNF_OK || call.scratch_size > MAX_COUNT * 64) return false;
    for (int32_t i = 0; i < call.n_outputs; i++) {
        if (i >= MAX_INPUTS || outputs[i].count > MAX_COUNT) return false;
        outputs[i].data = (char *)room + (size_t)i * MAX_COUNT * 16;
    }
    *n_outputs = call.n_outputs;
    return kernel->run(&call) == CNNF_OK;
}

/* The known elements are the kernel's; returns how many those are. */
static int64_t agrees(const cnnfi_constant *ours, const cnnfi_value *kernel, const char *op)
{
    int64_t known = 0;
    if (!ours->v) return 0;
    ck_assert_msg(ours->shape.dtype == kernel->dtype, "%s: dtype", op);
    const bool is_float = kernel->dtype == CNNF_FLOAT || kernel->dtype == CNNF_DOUBLE;
    for (int64_t i = 0; i < kernel->count; i++) {
        double want;
        ck_assert(cnnfi_element_f64(&want, kernel->dtype, kernel->data, i));
        const double have = ours->uniform ? ours->v[0] : ours->v[i];
        if (!is_float && isnan(have)) {
            ck_assert(ours->partial);
            continue;
        }
        known++;
        const double far = ours->rounded ? 1e-5 * (fabs(want) + 1e-30) : 0;
        const bool same = have == want || (isnan(have) && isnan(want)) || fabs(have - want) <= far;
        ck_assert_msg(same, "%s: element %lld is %.17g, not %.17g", op, (long long)i, have, want);
    }
    return known;
}

/* 1 when the values are known and right. */
static int64_t try_once(bench *t, size_t at)
{
    static char room[MAX_INPUTS][MAX_COUNT * 16], scratch[MAX_COUNT * 64] __attribute__((aligned(64)));
    cnnfi_value outputs[MAX_OUTPUTS];
    int32_t n = 0;
    int64_t known = 0;
    random_call(t, at);
    if (!run_kernel(t, outputs, &n, room, scratch)) return 0;
    for (int round = 0; round < 2; round++) {
        ck_assert_msg(evaluate(t) == CNNF_OK, "%s: %s", cases[at].op, cnnf_error_message(t->error));
        for (int32_t i = 0; i < n && i < t->n_outputs; i++) {
            const int64_t found = agrees(&t->outputs[i], &outputs[i], cases[at].op);
            if (round == 0) known += found;
        }
        forget(t);
    }
    return known > 0;
}

START_TEST(ops_agree_with_kernels)
{
    bench t;
    bench_init(&t);
    state = 4711;
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        int64_t known = 0;
        for (int round = 0; round < ROUNDS; round++) {
            known += try_once(&t, at);
            bench_reset(&t);
        }
        /* Without a rule there is no shape, and no value. */
        const bool expected = cnnfi_op_rule_find(cases[at].op) != NULL;
        ck_assert_msg(known >= 10 || !expected, "%s: known %d times", cases[at].op, (int)known);
    }
    bench_done(&t);
}
END_TEST

/* ---- provenance ---- */

START_TEST(square_roots_leave_a_mark)
{
    bench t;
    bench_init(&t);
    add_scalar(&t, CNNF_FLOAT, 4);
    const cnnfi_constant *out = value_of(&t, "Rsqrt", NULL);
    is_scalar(out, 0.5);
    ck_assert(out->root);
    const cnnfi_constant kept = *out;
    t.n_inputs = 0;
    cnnf_graph_unref(t.graph);
    t.constants[0] = kept;
    t.inputs[0] = &t.constants[0];
    t.n_inputs = 1;
    out = value_of(&t, "Neg", NULL);
    is_scalar(out, -0.5);
    ck_assert(out->root);
    bench_reset(&t);
    add_scalar(&t, CNNF_FLOAT, 4);
    ck_assert(!value_of(&t, "Neg", NULL)->root);
    bench_reset(&t);
    add_scalar(&t, CNNF_FLOAT, 4);
    add_scalar(&t, CNNF_FLOAT, 0.5);
    out = value_of(&t, "Pow", NULL);
    is_scalar(out, 2);
    ck_assert(out->root);
    bench_done(&t);
}
END_TEST

/* 0.1f + 0.2f has more bits than a float: carried, marked, and compared with nothing. */
START_TEST(rounded_floats_decide_nothing)
{
    bench t;
    bench_init(&t);
    add_scalar(&t, CNNF_FLOAT, 0.1);
    add_scalar(&t, CNNF_FLOAT, 0.2);
    const cnnfi_constant *out = value_of(&t, "AddV2", NULL);
    is_scalar(out, (double)0.1f + (double)0.2f);
    ck_assert(out->rounded);
    const cnnfi_constant sum = *out;
    const char *const jumping[] = {"Less", "Equal", "FloorDiv"};
    for (size_t i = 0; i < sizeof jumping / sizeof *jumping; i++) {
        cnnf_graph_unref(t.graph);
        t.constants[0] = sum;
        ck_assert_ptr_null(value_of(&t, jumping[i], NULL)->v);
    }
    bench_reset(&t);
    add_scalar(&t, CNNF_FLOAT, 0.5);
    add_scalar(&t, CNNF_FLOAT, 0.25);
    ck_assert(!value_of(&t, "AddV2", NULL)->rounded);
    bench_done(&t);
}
END_TEST

/* ---- integers ---- */

START_TEST(integers_are_exact_or_not_known)
{
    bench t;
    bench_init(&t);
    const double large[] = {2147483647, 5};
    add_vector(&t, CNNF_INT32, 2, large);
    add_scalar(&t, CNNF_INT32, 1);
    const cnnfi_constant *out = value_of(&t, "AddV2", NULL);
    ck_assert(out->partial && isnan(out->v[0]));
    ck_assert_double_eq(out->v[1], 6);
    bench_reset(&t);
    add_scalar(&t, CNNF_INT64, 9007199254740991.0);
    add_scalar(&t, CNNF_INT64, 1);
    ck_assert_ptr_null(value_of(&t, "AddV2", NULL)->v);
    bench_reset(&t);
    add_scalar(&t, CNNF_INT64, 9007199254740992.0); /* as a constant too */
    ck_assert_ptr_null(t.constants[0].v);
    bench_reset(&t);
    add_scalar(&t, CNNF_INT32, 7);
    add_scalar(&t, CNNF_INT32, 0);
    ck_assert_ptr_null(value_of(&t, "FloorDiv", NULL)->v);
    bench_done(&t);
}
END_TEST

/* ---- what one operand, or a shape, says ---- */

START_TEST(false_and_anything_is_false)
{
    bench t;
    bench_init(&t);
    add_scalar(&t, CNNF_BOOL, 0);
    add_unknown(&t);
    const cnnfi_constant *out = value_of(&t, "LogicalAnd", NULL);
    is_scalar(out, 0);
    ck_assert(out->uniform && !cnnfi_constant_is_whole(out)); /* the other may be of any shape */
    const cnnfi_constant kept = *out;
    bench_reset(&t);
    t.constants[0] = kept;
    t.constants[0].v = (const double[]){0};
    t.inputs[0] = &t.constants[0];
    t.n_inputs = 1;
    is_scalar(value_of(&t, "LogicalNot", NULL), 1);
    bench_reset(&t);
    add_open(&t, CNNF_BOOL, 0, NULL);
    add_scalar(&t, CNNF_BOOL, 1);
    out = value_of(&t, "LogicalOr", NULL);
    is_scalar(out, 1);
    ck_assert(cnnfi_constant_is_whole(out));
    bench_reset(&t);
    add_scalar(&t, CNNF_BOOL, 1);
    add_unknown(&t);
    ck_assert_ptr_null(value_of(&t, "LogicalAnd", NULL)->v);
    bench_done(&t);
}
END_TEST

START_TEST(a_switch_hands_its_value_to_both_sides)
{
    bench t;
    bench_init(&t);
    add_scalar(&t, CNNF_FLOAT, 3);
    add_unknown(&t);
    value_of(&t, "Switch", NULL);
    ck_assert_int_eq(t.n_outputs, 2);
    is_scalar(&t.outputs[0], 3);
    is_scalar(&t.outputs[1], 3);
    bench_done(&t);
}
END_TEST

START_TEST(values_that_shapes_give)
{
    bench t;
    bench_init(&t);
    const int64_t dims[] = {2, 3};
    add_open(&t, CNNF_FLOAT, 2, dims);
    const cnnfi_constant *out = value_of(&t, "ZerosLike", NULL);
    ck_assert(cnnfi_constant_is_whole(out));
    ck_assert_int_eq(out->shape.count, 6);
    bench_reset(&t);
    add_open(&t, CNNF_FLOAT, 2, dims);
    is_scalar(value_of(&t, "ToBool", NULL), 1);
    bench_reset(&t);
    const double axes[] = {0};
    add_open(&t, CNNF_INT32, 2, dims); /* its values, though, are not known */
    add_vector(&t, CNNF_INT32, 1, axes);
    out = value_of(&t, "Sum", NULL);
    ck_assert_ptr_null(out->v);
    ck_assert_int_eq(out->shape.dims[0], 3);
    bench_done(&t);
}
END_TEST

/* A gap among integers spreads to what is computed from it and no further. */
START_TEST(gaps_stay_where_they_are)
{
    bench t;
    bench_init(&t);
    const double values[] = {(double)NAN, 28, 28}, axes[] = {0};
    const int64_t dims[] = {3};
    add_open(&t, CNNF_INT32, 1, dims);
    t.constants[0].v = values;
    t.constants[0].partial = true;
    add_scalar(&t, CNNF_INT32, 2);
    const cnnfi_constant *out = value_of(&t, "Mul", NULL);
    ck_assert(out->partial && isnan(out->v[0]));
    ck_assert_double_eq(out->v[2], 56);
    ck_assert(!cnnfi_constant_is_whole(out));
    bench_reset(&t);
    add_open(&t, CNNF_INT32, 1, dims);
    t.constants[0].v = values;
    t.constants[0].partial = true;
    add_vector(&t, CNNF_INT32, 1, axes);
    ck_assert_ptr_null(value_of(&t, "Prod", NULL)->v);
    bench_done(&t);
}
END_TEST

/* ---- refusals and limits ---- */

START_TEST(nodes_that_cannot_be_fail)
{
    bench t;
    bench_init(&t);
    const double two[] = {1, 2}, three[] = {1, 2, 3};
    add_vector(&t, CNNF_FLOAT, 2, two);
    add_vector(&t, CNNF_FLOAT, 3, three);
    make_node(&t, "Mul", NULL);
    ck_assert_int_eq(evaluate(&t), CNNF_E_MISMATCH);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(t.error), "node"));
    bench_done(&t);
}
END_TEST

START_TEST(large_tensors_are_weights)
{
    bench t;
    bench_init(&t);
    const double dims[] = {1 << 20, 2}, half[] = {1 << 20};
    add_vector(&t, CNNF_INT32, 2, dims);
    add_scalar(&t, CNNF_FLOAT, 1);
    const cnnfi_constant *out = value_of(&t, "Fill", NULL);
    ck_assert_ptr_null(out->v);
    bench_reset(&t);
    add_vector(&t, CNNF_INT32, 1, half);
    add_scalar(&t, CNNF_FLOAT, 1);
    out = value_of(&t, "Fill", NULL);
    ck_assert(cnnfi_op_rule_find("Fill") ? cnnfi_constant_is_whole(out) : !out->v);
    bench_done(&t);
}
END_TEST

static long allocations, fail_at;

static void *faulty_malloc(size_t size, void *user)
{
    return ++allocations == fail_at ? NULL : malloc(size);
}

static void *faulty_realloc(void *pointer, size_t size, void *user)
{
    return ++allocations == fail_at ? NULL : realloc(pointer, size);
}

static void plain_free(void *pointer, void *user)
{
    free(pointer);
}

START_TEST(no_memory)
{
    bench t;
    bench_init(&t);
    cnnf_context *outer = t.context;
    cnnf_context_options *options = NULL;
    const double two[] = {1, 2};
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    cnnf_context_options_set_allocator(options, faulty_malloc, faulty_realloc, plain_free, NULL, NULL);
    ck_assert_int_eq(cnnf_context_new(&t.context, options, t.error), CNNF_OK);
    cnnf_context_options_free(options);
    cnnfi_arena_init(&t.arena, t.context);
    add_vector(&t, CNNF_FLOAT, 2, two);
    add_vector(&t, CNNF_FLOAT, 2, two);
    make_node(&t, "Mul", NULL);
    const cnnfi_arena inputs = t.arena;
    cnnf_status status = CNNF_E_NOMEM;
    long n = 0;
    while (status != CNNF_OK) {
        cnnfi_arena_init(&t.arena, t.context); /* its first page is one of the allocations */
        allocations = 0;
        fail_at = ++n;
        status = evaluate(&t);
        ck_assert_msg(status == CNNF_OK || status == CNNF_E_NOMEM, "%s", cnnf_error_message(t.error));
        cnnfi_arena_free(&t.arena);
    }
    ck_assert_int_ge(n, 3);
    fail_at = 0;
    t.arena = inputs;
    cnnf_context *inner = t.context;
    bench_reset(&t);
    cnnfi_arena_free(&t.arena);
    test_context_done(inner);
    t.context = outer;
    cnnfi_arena_init(&t.arena, outer);
    bench_done(&t);
}
END_TEST

static Suite *constant_value_suite(void)
{
    Suite *suite = suite_create("constant_value");
    TCase *tests = tcase_create("constant_value");
    tcase_add_test(tests, ops_agree_with_kernels);
    tcase_add_test(tests, square_roots_leave_a_mark);
    tcase_add_test(tests, rounded_floats_decide_nothing);
    tcase_add_test(tests, integers_are_exact_or_not_known);
    tcase_add_test(tests, false_and_anything_is_false);
    tcase_add_test(tests, a_switch_hands_its_value_to_both_sides);
    tcase_add_test(tests, values_that_shapes_give);
    tcase_add_test(tests, gaps_stay_where_they_are);
    tcase_add_test(tests, nodes_that_cannot_be_fail);
    tcase_add_test(tests, large_tensors_are_weights);
    tcase_add_test(tests, no_memory);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(constant_value_suite)
