/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every kernel with whatever a hostile graph may ask of it: wrong counts, ranks, types, axes, attributes. Nothing is
 * expected but that infer refuses or run stays inside its buffers (the sanitizers look), and that a rule which knows
 * less says nothing else. Numbers are compared with TensorFlow's in tests/conformance/check_ops.py.
 */
#include <stdio.h>
#include <string.h>

#include "evaluator/kernels/kernel.h"
#include "evaluator/object.h"
#include "support.h"
#include "graph/builder.h"
#include "ops/op_table.h"

#define ROUNDS      300
#define MAX_INPUTS  5
#define MAX_OUTPUTS 64
#define ROOM        65536 /* bytes of the largest output that is run */

static uint32_t state;

static int32_t pick(int32_t n)
{
    state = state * 1664525u + 1013904223u;
    return (int32_t)((state >> 8) % (uint32_t)n);
}

static const char *const words[] = {
    "SAME",    "VALID",      "EXPLICIT",  "NHWC",        "NCHW", "REFLECT", "SYMMETRIC", "bilinear",
    "nearest", "RIGHT_LEFT", "ij,jk->ik", "...i,i->...", "ii->", "i->ii",   "HALF_UP",   ""};
static const char *const ints[] = {"bit_width",
                                   "quantize_pos",
                                   "phase",
                                   "axis",
                                   "num_split",
                                   "num",
                                   "k",
                                   "block_size",
                                   "begin_mask",
                                   "end_mask",
                                   "ellipsis_mask",
                                   "new_axis_mask",
                                   "shrink_axis_mask",
                                   "seq_dim",
                                   "batch_dim",
                                   "batch_dims",
                                   "num_bits",
                                   "N"};
static const char *const lists[] = {"strides",   "ksize",        "ksizes",           "rates",
                                    "dilations", "squeeze_dims", "explicit_paddings"};
static const char *const types[] = {"DstT", "out_type", "type", "output_type", "out_idx", "dtype"};
static const char *const strings[] = {"padding", "data_format", "mode", "method", "align", "equation", "round_mode"};
static const char *const flags[] = {"keep_dims",          "exclusive",     "reverse",     "align_corners",
                                    "half_pixel_centers", "adj_x",         "transpose_a", "narrow_range",
                                    "range_given",        "binary_output", "is_training"};
static const cnnf_dtype dtypes[] = {CNNF_FLOAT,     CNNF_FLOAT,    CNNF_FLOAT,  CNNF_INT32,  CNNF_INT32,
                                    CNNF_INT64,     CNNF_BOOL,     CNNF_HALF,   CNNF_DOUBLE, CNNF_UINT8,
                                    CNNF_COMPLEX64, CNNF_BFLOAT16, CNNF_STRING, 77};

#define COUNT(array) ((int32_t)(sizeof(array) / sizeof(array[0])))

static void add_attributes(cnnfi_builder *b, cnnf_node *node)
{
    for (int32_t i = 0; i < COUNT(ints); i++)
        if (pick(2)) cnnfi_node_set_int(b, node, ints[i], pick(8) ? pick(6) - 1 : pick(2) ? INT64_MAX : INT64_MIN);
    for (int32_t i = 0; i < COUNT(lists); i++) {
        int64_t values[6];
        for (int k = 0; k < 6; k++)
            values[k] = pick(12) ? 1 + pick(2) : pick(2) ? 0 : INT64_MAX;
        if (pick(4)) cnnfi_node_set_ints(b, node, lists[i], values, (size_t)(pick(3) ? 4 : pick(6)));
    }
    for (int32_t i = 0; i < COUNT(types); i++)
        if (pick(3)) cnnfi_node_set_type(b, node, types[i], dtypes[pick(COUNT(dtypes))]);
    for (int32_t i = 0; i < COUNT(strings); i++)
        if (pick(5)) cnnfi_node_set_string(b, node, strings[i], words[pick(COUNT(words))]);
    for (int32_t i = 0; i < COUNT(flags); i++)
        cnnfi_node_set_bool(b, node, flags[i], pick(2));
}

/* Types and numbers that the op table has attributes for, as the inputs have them, most of the time: a call whose
   contract holds gets further. *n_inputs becomes what the op takes, as far as there is room. */
static void fit_contract(cnnfi_builder *b, cnnf_node *node, cnnfi_value *inputs, int32_t *n_inputs)
{
    const cnnfi_op *op = cnnfi_op_find(node->op);
    const char *seen[MAX_INPUTS];
    int32_t at = 0, n_seen = 0;
    for (size_t i = 0; op && i < op->n_inputs && at < MAX_INPUTS; i++) {
        const cnnfi_op_arg *arg = cnnfi_op_input(op, i);
        const int32_t width = arg->number_attr || arg->type_list_attr ? 1 + pick(2) : 1;
        int32_t types_of_list[2] = {CNNF_FLOAT, CNNF_FLOAT};
        if (arg->number_attr) cnnfi_node_set_int(b, node, arg->number_attr, width);
        for (int32_t k = 0; k < width && at < MAX_INPUTS; k++, at++) {
            cnnfi_value *in = &inputs[at];
            const cnnf_dtype own = arg->type_attr ? cnnfi_node_type(node, arg->type_attr) : arg->type;
            int32_t known = 0;
            while (known < n_seen && arg->type_attr && strcmp(seen[known], arg->type_attr) != 0)
                known++;
            if (arg->type_attr && known == n_seen) {
                cnnfi_node_set_type(b, node, arg->type_attr, in->dtype);
                seen[n_seen++] = arg->type_attr;
            } else if (own && own != CNNF_RESOURCE) {
                in->dtype = own;
            }
            types_of_list[k] = in->dtype;
        }
        if (arg->type_list_attr) cnnfi_node_set_types(b, node, arg->type_list_attr, types_of_list, (size_t)width);
    }
    if (op) *n_inputs = at;
}

/* A node with this op, published alone. */
static cnnf_graph *make_node(cnnf_context *context, const char *op, cnnfi_value *inputs, int32_t *n_inputs)
{
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnf_node *node = cnnfi_builder_add(b, op, "node");
    add_attributes(b, node);
    if (pick(8)) fit_contract(b, node, inputs, n_inputs);
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, NULL), CNNF_OK);
    return graph;
}

static void fill_value(cnnfi_value *v, void *room, bool known)
{
    memset(v, 0, sizeof(*v));
    v->dtype = dtypes[pick(COUNT(dtypes))];
    v->rank = pick(6);
    v->count = 1;
    for (int32_t i = 0; i < v->rank; i++) {
        v->dims[i] = pick(10) ? 1 + pick(3) : 0;
        v->count *= v->dims[i];
    }
    unsigned char *bytes = room;
    size_t size = (size_t)v->count * cnnf_dtype_size(v->dtype);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(pick(3) ? 0 : pick(256));
    for (int64_t i = 0; i < v->count && (v->dtype == CNNF_INT32 || v->dtype == CNNF_INT64) && pick(8); i++) {
        int64_t small = pick(5) - 1;
        memcpy(bytes + (size_t)i * cnnf_dtype_size(v->dtype), &small, cnnf_dtype_size(v->dtype));
    }
    v->data = known ? room : NULL;
}

/* Ops with lists make their outputs themselves. */
static cnnf_status run_objects(cnnfi_call *call, const cnnfi_kernel *kernel)
{
    cnnfi_budget budget;
    cnnfi_object *keepers[MAX_INPUTS] = {NULL}, *given[MAX_OUTPUTS] = {NULL};
    const bool last[MAX_INPUTS] = {false};
    struct cnnfi_object_step step = {.keepers = keepers, .last = last, .outputs = given, .budget = &budget};
    cnnfi_budget_init(&budget, call->context);
    call->objects = &step;
    const cnnf_status status = kernel->run(call);
    for (int32_t i = 0; i < MAX_OUTPUTS; i++)
        cnnfi_object_unref(given[i]);
    call->objects = NULL;
    return status;
}

/* Output memory exactly as large as asked, so that a byte too far is seen. */
static cnnf_status run_call(cnnfi_call *call, const cnnfi_kernel *kernel)
{
    void *blocks[MAX_OUTPUTS + 1] = {NULL};
    cnnf_status status = CNNF_OK;
    size_t all = call->scratch_size;
    if (cnnfi_kernel_flags(kernel) & CNNFI_OP_OBJECTS) return run_objects(call, kernel);
    for (int32_t i = 0; i < call->n_outputs; i++)
        all += (size_t)call->outputs[i].count * cnnf_dtype_size(call->outputs[i].dtype);
    if (all > ROOM) return CNNF_OK;
    for (int32_t i = 0; i < call->n_outputs; i++) {
        size_t size = (size_t)call->outputs[i].count * cnnf_dtype_size(call->outputs[i].dtype);
        call->outputs[i].data = blocks[i] = malloc(size ? size : 1);
    }
    call->scratch = blocks[MAX_OUTPUTS] = aligned_alloc(64, (call->scratch_size + 64) / 64 * 64);
    status = kernel->run(call);
    for (int32_t i = 0; i <= MAX_OUTPUTS; i++)
        free(blocks[i]);
    return status;
}

/* Forgets some of what is known. */
static void forget(cnnfi_value *v)
{
    if (pick(2)) v->data = NULL;
    if (pick(6) == 0) *v = cnnfi_value_unknown(v->dtype);
    for (int32_t i = 0; i < v->rank; i++) {
        if (pick(3)) continue;
        v->dims[i] = CNNFI_UNKNOWN;
        v->count = CNNFI_UNKNOWN;
        v->data = NULL;
    }
}

static void agrees(const cnnfi_value *less, const cnnfi_value *whole, const char *op)
{
    ck_assert_msg(!less->dtype || less->dtype == whole->dtype, "%s: dtype", op);
    if (less->rank == CNNFI_UNKNOWN) return;
    ck_assert_msg(less->rank == whole->rank, "%s: rank %d, not %d", op, less->rank, whole->rank);
    for (int32_t i = 0; i < whole->rank; i++) {
        ck_assert_msg(cnnfi_dim_fits(less->dims[i], whole->dims[i]), "%s: axis %d is %lld, not %lld", op, i,
                      (long long)less->dims[i], (long long)whole->dims[i]);
    }
}

/* `call` went well: with less known it must go as well, and nothing may be said that is not so. */
static void know_less(const cnnfi_call *call)
{
    static cnnfi_value outputs[MAX_OUTPUTS];
    cnnfi_value inputs[MAX_INPUTS];
    for (int round = 0; round < 4; round++) {
        cnnfi_call less = *call;
        memcpy(inputs, call->inputs, (size_t)call->n_inputs * sizeof *inputs);
        for (int32_t i = 0; i < call->n_inputs; i++)
            forget(&inputs[i]);
        less.inputs = inputs;
        less.outputs = outputs;
        const cnnf_status status = cnnfi_op_infer(&less);
        ck_assert_msg(status >= 0, "%s: refused with less known: %s", call->node->op, cnnf_error_message(call->error));
        ck_assert_msg(status == CNNFI_INFER_DYNAMIC || less.n_outputs == call->n_outputs, "%s: outputs",
                      call->node->op);
        for (int32_t i = 0; i < less.n_outputs && i < call->n_outputs; i++)
            agrees(&outputs[i], &call->outputs[i], call->node->op);
    }
}

/* Shapes that the rule tells without values are there before the values are: a kernel that runs must look at them
   itself, whatever they are. */
static void run_late(const cnnfi_call *call, const cnnfi_kernel *kernel)
{
    static cnnfi_value outputs[MAX_OUTPUTS];
    cnnfi_value inputs[MAX_INPUTS];
    cnnfi_call late = *call;
    memcpy(inputs, call->inputs, (size_t)call->n_inputs * sizeof *inputs);
    for (int32_t i = 0; i < call->n_inputs; i++)
        if (pick(3)) inputs[i].data = NULL;
    late.inputs = inputs;
    late.outputs = outputs;
    late.scratch_size = 0;
    if (cnnfi_kernel_infer(kernel, &late) != CNNF_OK) return;
    late.inputs = call->inputs;
    ck_assert_int_le(run_call(&late, kernel), CNNF_OK);
}

/* 1 when it ran. */
static int try_once(cnnf_context *context, const cnnfi_kernel *kernel, cnnf_error *error)
{
    static unsigned char room[MAX_INPUTS][4 * 4 * 4 * 4 * 4 * 16];
    static cnnfi_value outputs[MAX_OUTPUTS];
    cnnfi_value inputs[MAX_INPUTS];
    int32_t n_inputs = pick(MAX_INPUTS + 1);
    bool known = pick(4) != 0;
    for (int32_t i = 0; i < MAX_INPUTS; i++)
        fill_value(&inputs[i], room[i], known);
    if (pick(2)) /* like types get further */
        for (int32_t i = 1; i < MAX_INPUTS; i++)
            if (pick(2)) inputs[i].dtype = inputs[0].dtype;
    if (pick(2))
        for (int32_t i = 1; i < MAX_INPUTS; i++)
            if (pick(3) == 0 && inputs[i].dtype == inputs[0].dtype) memcpy(&inputs[i], &inputs[0], sizeof(inputs[0]));
    cnnf_graph *graph = make_node(context, kernel->op, inputs, &n_inputs);
    cnnfi_call call = {.context = context,
                       .node = graph->nodes[0],
                       .n_inputs = n_inputs,
                       .inputs = inputs,
                       .outputs = outputs,
                       .max_outputs = MAX_OUTPUTS,
                       .error = error};
    memset(outputs, 0, sizeof(outputs));
    cnnf_status status = call.n_inputs > 0 ? cnnfi_kernel_infer(kernel, &call) : CNNF_E_INVALID;
    ck_assert(status <= CNNFI_INFER_DYNAMIC);
    ck_assert(call.n_outputs >= 0 && call.n_outputs <= MAX_OUTPUTS);
    if (status < 0 && call.n_inputs > 0) ck_assert_int_ne(cnnf_error_message(error)[0], 0);
    int ran = 0;
    if (known && call.n_inputs > 0) run_late(&call, kernel);
    if (status == CNNF_OK && known) {
        if (cnnfi_op_rule_find(kernel->op)) know_less(&call);
        ck_assert_int_le(run_call(&call, kernel), CNNF_OK);
        ran = 1;
    }
    cnnf_graph_unref(graph);
    return ran;
}

/* Lists may be as long as a random number says. */
static cnnf_context *small_context(void)
{
    cnnf_context_options *options = NULL;
    cnnf_context *context = NULL;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_limit(options, CNNF_LIMIT_MEMORY, 32 << 20, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_new(&context, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    return context;
}

START_TEST(hostile_calls)
{
    cnnf_context *context = small_context();
    cnnf_error *error = cnnf_error_new();
    int64_t ran = 0, kernels = 0;
    state = 12345;
    for (int32_t op = 0; op < cnnf_op_count(); op++) {
        const cnnfi_kernel *kernel = cnnfi_kernel_find(cnnf_op_name(op));
        if (!kernel->run) continue;
        kernels++;
        for (int round = 0; round < ROUNDS; round++)
            ran += try_once(context, kernel, error);
    }
    ck_assert_int_gt(kernels, 250);
    ck_assert_int_gt(ran, kernels); /* the calls are not all refused */
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

START_TEST(no_op_is_there_twice)
{
    for (int32_t i = 1; i < cnnf_op_count(); i++) {
        ck_assert_ptr_nonnull(cnnf_op_name(i));
        ck_assert_int_lt(strcmp(cnnf_op_name(i - 1), cnnf_op_name(i)), 0);
    }
}
END_TEST

static Suite *kernels_suite(void)
{
    Suite *suite = suite_create("kernels");
    TCase *tests = tcase_create("kernels");
    tcase_set_timeout(tests, 100);
    tcase_add_test(tests, hostile_calls);
    tcase_add_test(tests, no_op_is_there_twice);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(kernels_suite)
