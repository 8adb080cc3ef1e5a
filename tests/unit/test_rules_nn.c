/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What rules say of network ops: all known, the batch not known, ranks not known, bad input. Random calls are in
 * test_kernels.c, comparisons with TensorFlow in tests/conformance/check_shapes.py.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/builder.h"
#include "ops/op_rules.h"
#include "ops/op_table.h"
#include "support.h"

#define MOST 16

typedef struct question {
    cnnf_context *context;
    cnnfi_builder *b;
    cnnf_node *node;
    cnnf_graph *graph;
    cnnf_error *error;
    cnnfi_value inputs[MOST], outputs[CNNFI_CALL_OUTPUTS];
    int32_t n_inputs;
    cnnfi_call call;
} question;

static void ask(question *q, const char *op)
{
    memset(q, 0, sizeof *q);
    q->context = test_context();
    q->error = cnnf_error_new();
    ck_assert_int_eq(cnnfi_builder_new(&q->b, q->context, NULL), CNNF_OK);
    q->node = cnnfi_builder_add(q->b, op, "n");
}

/* "2,?,3": a shape; "": a scalar; "*": not even the rank. */
static cnnfi_value value_of(cnnf_dtype dtype, const char *text)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    int32_t rank = 0;
    if (strcmp(text, "*") == 0) return cnnfi_value_unknown(dtype);
    while (*text) {
        char *end = NULL;
        dims[rank++] = *text == '?' ? CNNFI_UNKNOWN : strtoll(text, &end, 10);
        text = *text == '?' ? text + 1 : end;
        if (*text == ',') text++;
    }
    return cnnfi_value_make(dtype, rank, dims);
}

static void input(question *q, cnnf_dtype dtype, const char *shape)
{
    q->inputs[q->n_inputs++] = value_of(dtype, shape);
}

static void floats(question *q, int32_t count, ...)
{
    va_list shapes;
    va_start(shapes, count);
    for (int32_t i = 0; i < count; i++)
        input(q, CNNF_FLOAT, va_arg(shapes, const char *));
    va_end(shapes);
}

/* A known value: int32, of a vector or in the given shape. */
static void numbers(question *q, const int32_t *values, const char *shape)
{
    input(q, CNNF_INT32, shape);
    q->inputs[q->n_inputs - 1].data = (void *)(uintptr_t)values;
}

static void list(question *q, const char *key, int64_t a, int64_t b, int64_t c, int64_t d)
{
    cnnfi_node_set_ints(q->b, q->node, key, (const int64_t[]){a, b, c, d}, 4);
}

static void text(question *q, const char *key, const char *value)
{
    cnnfi_node_set_string(q->b, q->node, key, value);
}

static cnnf_status infer(question *q)
{
    ck_assert_int_eq(cnnfi_builder_publish(&q->graph, q->b, q->error), CNNF_OK);
    q->call = (cnnfi_call){.context = q->context,
                           .node = q->graph->nodes[0],
                           .n_inputs = q->n_inputs,
                           .inputs = q->inputs,
                           .outputs = q->outputs,
                           .max_outputs = CNNFI_CALL_OUTPUTS,
                           .error = q->error};
    return cnnfi_op_infer(&q->call);
}

static void done(question *q)
{
    cnnf_graph_unref(q->graph);
    cnnf_error_free(q->error);
    test_context_done(q->context);
}

static void is(const question *q, int32_t output, const char *shape)
{
    const cnnfi_value want = value_of(0, shape), *have = &q->outputs[output];
    ck_assert_int_gt(q->call.n_outputs, output);
    ck_assert_msg(have->rank == want.rank, "output %d: rank %d, not %s", output, have->rank, shape);
    for (int32_t i = 0; i < want.rank; i++)
        ck_assert_msg(have->dims[i] == want.dims[i], "output %d: axis %d is %lld, not %s", output, i,
                      (long long)have->dims[i], shape);
}

/* Answers with these shapes, apart by spaces. */
static void gives(question *q, cnnf_status status, const char *shapes)
{
    char shape[64];
    int32_t output = 0;
    const cnnf_status got = infer(q);
    ck_assert_msg(got == status, "%d: %s", (int)got, cnnf_error_message(q->error));
    for (; *shapes; output++) {
        const size_t size = strcspn(shapes, " ");
        ck_assert_uint_lt(size, sizeof shape);
        memcpy(shape, shapes, size);
        shape[size] = '\0';
        is(q, output, strcmp(shape, "scalar") == 0 ? "" : shape);
        shapes += size + (shapes[size] == ' ');
    }
    ck_assert_int_eq(q->call.n_outputs, output);
    done(q);
}

static void refuses(question *q, const char *words)
{
    const cnnf_status got = infer(q);
    ck_assert_msg(got < 0, "not refused: %s", words);
    ck_assert_msg(strstr(cnnf_error_message(q->error), words), "'%s' is not in '%s'", words,
                  cnnf_error_message(q->error));
    ck_assert_msg(strstr(cnnf_error_message(q->error), "'n'"), "no node in '%s'", cnnf_error_message(q->error));
    done(q);
}

/* ---- convolutions ---- */

static void ask_conv(question *q, const char *op, const char *padding, const char *data, const char *filter)
{
    ask(q, op);
    list(q, "strides", 1, 2, 2, 1);
    text(q, "padding", padding);
    floats(q, 2, data, filter);
}

START_TEST(convolutions)
{
    question q;
    ask_conv(&q, "Conv2D", "SAME", "2,7,8,3", "3,3,3,16");
    gives(&q, CNNF_OK, "2,4,4,16");
    ask_conv(&q, "Conv2D", "VALID", "?,7,8,3", "3,3,3,16");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,3,3,16");
    ask_conv(&q, "Conv2D", "SAME", "?,7,?,?", "*"); /* SAME does not ask for the filter's size */
    gives(&q, CNNFI_INFER_DYNAMIC, "?,4,?,?");
    ask_conv(&q, "Conv2D", "VALID", "*", "3,3,3,16");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,?,?,16");
    ask_conv(&q, "DepthwiseConv2dNative", "VALID", "2,7,8,?", "3,3,3,4"); /* the filter knows the channels */
    gives(&q, CNNF_OK, "2,3,3,12");
    ask_conv(&q, "Conv2D", "SAME", "2,7,8,6", "3,3,3,16"); /* two groups */
    gives(&q, CNNF_OK, "2,4,4,16");
    ask_conv(&q, "_FusedConv2D", "SAME", "?,7,8,3", "3,3,3,16");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,4,4,16");
}
END_TEST

START_TEST(bad_convolutions)
{
    question q;
    ask_conv(&q, "Conv2D", "VALID", "2,7,8", "3,3,3,16");
    refuses(&q, "data has rank 3, needs 4");
    ask_conv(&q, "Conv2D", "VALID", "2,7,8,3", "3,3,16");
    refuses(&q, "the filter has rank 3");
    ask_conv(&q, "Conv2D", "VALID", "2,7,8,4", "3,3,3,16");
    refuses(&q, "the filter takes 3 channels, the data has 4");
    ask_conv(&q, "Conv2D", "VALID", "2,7,8,6", "3,3,3,15");
    refuses(&q, "2 groups do not divide 15 output channels");
    ask_conv(&q, "Conv2D", "VALID", "?,1,8,3", "5,3,3,16");
    refuses(&q, "a window of 5 does not fit into 1");
    ask_conv(&q, "Conv2D", "VALID", "?,8,8,3", "0,3,3,16");
    refuses(&q, "the filter has size 0 along axis 0");
    ask_conv(&q, "Conv2D", "SAME", "2,7,8,3", "3,3,3,16");
    list(&q, "explicit_paddings", 0, 0, 0, 0);
    refuses(&q, "explicit_paddings is for padding EXPLICIT");
    ask_conv(&q, "Conv2D", "EXPLICIT", "2,7,8,3", "3,3,3,16");
    refuses(&q, "explicit_paddings has 0 numbers, needs 8");
    ask_conv(&q, "Conv2D", "SAME", "2,7,8,3", "3,3,3,16");
    list(&q, "strides", 2, 1, 1, 1);
    refuses(&q, "strides[0] is 2: only 1 over batch and channels");
    ask_conv(&q, "Conv2D", "SAME", "2,7,8,3", "3,3,3,16");
    list(&q, "strides", 1, 0, 1, 1);
    refuses(&q, "strides[1] is 0, must be >= 1");
    ask_conv(&q, "Conv2D", "SAME", "2,7,8,3", "3,3,3,16");
    cnnfi_node_set_ints(q.b, q.node, "dilations", (const int64_t[]){1, 2, 1}, 3);
    refuses(&q, "dilations has 3 numbers, needs 4");
    ask_conv(&q, "DepthwiseConv2dNative", "SAME", "2,7,8,4", "3,3,3,16");
    refuses(&q, "the filter takes 3 channels, the data has 4");
    ask_conv(&q, "_FusedConv2D", "SAME", "2,7,8,3", "3,3,3,16");
    floats(&q, 1, "16");
    refuses(&q, "more inputs than its fused_ops take");
    /* Large sizes beside unknown ones: nothing overflows. */
    ask_conv(&q, "Conv2D", "EXPLICIT", "?,9223372036854775807,?,3", "2,?,3,9223372036854775806");
    cnnfi_node_set_ints(q.b, q.node, "explicit_paddings", (const int64_t[]){0, 0, 9, 9, 0, 0, 0, 0}, 8);
    gives(&q, CNNFI_INFER_DYNAMIC, "?,4611686018427387903,?,9223372036854775806");
}
END_TEST

static void ask_back(question *q, const char *op, const int32_t *sizes, const char *shape, const char *filter,
                     const char *data)
{
    ask(q, op);
    list(q, "strides", 1, 2, 2, 1);
    text(q, "padding", "SAME");
    if (sizes)
        numbers(q, sizes, shape);
    else
        input(q, CNNF_INT32, shape);
    floats(q, 2, filter, data);
}

START_TEST(convolutions_backwards)
{
    static const int32_t all[] = {2, 7, 8, 3}, some[] = {7, 8}, negative[] = {2, 7, -8, 3};
    question q;
    ask_back(&q, "Conv2DBackpropInput", all, "4", "3,3,3,16", "2,4,4,16");
    gives(&q, CNNF_OK, "2,7,8,3");
    ask_back(&q, "Conv2DBackpropInput", some, "2", "3,3,3,16", "?,4,4,16");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,7,8,3");
    ask_back(&q, "Conv2DBackpropInput", NULL, "2", "3,3,3,16", "2,4,4,16");
    gives(&q, CNNFI_INFER_DYNAMIC, "2,?,?,3");
    ask_back(&q, "Conv2DBackpropInput", NULL, "?", "3,3,3,16", "2,4,4,16"); /* perhaps in groups */
    gives(&q, CNNFI_INFER_DYNAMIC, "2,?,?,?");
    ask_back(&q, "DepthwiseConv2dNativeBackpropInput", NULL, "*", "3,3,3,2", "2,4,4,6");
    gives(&q, CNNFI_INFER_DYNAMIC, "2,?,?,3");
    ask_back(&q, "DepthwiseConv2dNativeBackpropInput", some, "2", "3,3,3,2", "2,4,4,6");
    refuses(&q, "input_sizes has 2 numbers, needs 4");
    ask_back(&q, "Conv2DBackpropInput", negative, "4", "3,3,3,16", "2,4,4,16");
    refuses(&q, "input_sizes[2] is -8");
    ask_back(&q, "Conv2DBackpropInput", all, "4", "3,3,3,16", "2,5,4,16");
    refuses(&q, "data has size 5 along axis 1, input_sizes ask for 4");
    ask_back(&q, "Conv2DBackpropInput", all, "4", "3,3,3,16", "2,4,4,8");
    refuses(&q, "the filter gives 16 channels, the data has 8");
}
END_TEST

START_TEST(convolutions_with_pads)
{
    static const int32_t around[] = {0, 0, 1, 1, 2, 0, 0, 0}, size[] = {5, 6}, bad[] = {0, 0, -1, 0, 0, 0, 0, 0};
    question q;
    ask_conv(&q, "FusedPadConv2D", "VALID", "?,3,4,3", "");
    q.n_inputs = 1;
    numbers(&q, around, "4,2");
    floats(&q, 1, "3,3,3,4");
    text(&q, "mode", "REFLECT");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,2,2,4");
    ask_conv(&q, "FusedResizeAndPadConv2D", "VALID", "?,9,9,3", "");
    q.n_inputs = 1;
    numbers(&q, size, "2");
    numbers(&q, around, "4,2");
    floats(&q, 1, "3,3,3,4");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,3,3,4");
    ask_conv(&q, "FusedPadConv2D", "VALID", "?,3,4,3", "");
    q.n_inputs = 1;
    numbers(&q, bad, "4,2");
    floats(&q, 1, "3,3,3,4");
    refuses(&q, "paddings of axis 1 are -1 and 0");
}
END_TEST

/* ---- pools ---- */

static void ask_pool(question *q, const char *op, const char *padding, const char *data)
{
    ask(q, op);
    list(q, "ksize", 1, 3, 3, 1);
    list(q, "strides", 1, 2, 2, 1);
    text(q, "padding", padding);
    floats(q, 1, data);
}

START_TEST(pools)
{
    static const int32_t window[] = {1, 3, 3, 1}, step[] = {1, 2, 2, 1};
    question q;
    ask_pool(&q, "MaxPool", "VALID", "?,7,8,3");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,3,3,3");
    ask_pool(&q, "AvgPool", "SAME", "*");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,?,?,?");
    ask_pool(&q, "MaxPoolWithArgmax", "VALID", "2,7,8,?");
    gives(&q, CNNFI_INFER_DYNAMIC, "2,3,3,? 2,3,3,?");
    ask_pool(&q, "MaxPool", "VALID", "2,1,7,8,4");
    text(&q, "data_format", "NCHW_VECT_C");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,?,?,?,?");
    ask_pool(&q, "MaxPoolV2", "VALID", "2,7,8,3");
    numbers(&q, window, "4");
    numbers(&q, step, "4");
    gives(&q, CNNF_OK, "2,3,3,3");
    ask_pool(&q, "MaxPoolV2", "VALID", "2,7,8,3"); /* ksize may join channels, too */
    input(&q, CNNF_INT32, "4");
    numbers(&q, step, "4");
    gives(&q, CNNFI_INFER_DYNAMIC, "2,?,?,?");
    ask_pool(&q, "MaxPool", "VALID", "2,7,8,6");
    list(&q, "ksize", 1, 1, 1, 2);
    list(&q, "strides", 1, 1, 1, 2);
    gives(&q, CNNF_OK, "2,7,8,3");
    ask_pool(&q, "AvgPool", "VALID", "2,7,8,6");
    list(&q, "ksize", 1, 1, 1, 2);
    refuses(&q, "a window of 2 channels");
    ask_pool(&q, "MaxPool", "EXPLICIT", "2,7,8,6");
    cnnfi_node_set_ints(q.b, q.node, "explicit_paddings", (const int64_t[]){0, 0, 3, 0, 0, 0, 0, 0}, 8);
    refuses(&q, "explicit_paddings are not smaller than a window of 3");
    ask_pool(&q, "MaxPool", "VALID", "2,7,8,6");
    list(&q, "ksize", 1, 3, -3, 1);
    refuses(&q, "ksize[2] is -3, must be >= 1");
}
END_TEST

START_TEST(fractional_pools)
{
    question q;
    ask(&q, "FractionalMaxPool");
    cnnfi_node_set_floats(q.b, q.node, "pooling_ratio", (const float[]){1, 1.44f, 1.73f, 1}, 4);
    floats(&q, 1, "?,9,8,3");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,6,4,3 7 5");
    ask(&q, "FractionalAvgPool");
    cnnfi_node_set_floats(q.b, q.node, "pooling_ratio", (const float[]){1, 0.5f, 1.73f, 1}, 4);
    floats(&q, 1, "?,9,8,3");
    refuses(&q, "pooling_ratio[1] must be 1 or more");
}
END_TEST

/* ---- normalization ---- */

START_TEST(normalization)
{
    question q;
    ask(&q, "FusedBatchNormV3");
    cnnfi_node_set_bool(q.b, q.node, "is_training", 0);
    floats(&q, 5, "?,7,8,?", "*", "?", "3", "?"); /* one vector knows the channels */
    gives(&q, CNNFI_INFER_DYNAMIC, "?,7,8,3 3 3 3 3 scalar");
    ask(&q, "FusedBatchNorm"); /* training, which does not read mean and variance */
    floats(&q, 5, "2,7,8,3", "3", "3", "0", "9");
    gives(&q, CNNF_OK, "2,7,8,3 3 3 3 3");
    ask(&q, "FusedBatchNorm");
    cnnfi_node_set_bool(q.b, q.node, "is_training", 0);
    floats(&q, 5, "2,7,8,3", "3", "3", "0", "3");
    refuses(&q, "input 3 has 0 elements for 3 channels");
    ask(&q, "FusedBatchNormV3");
    text(&q, "data_format", "NCDHW");
    floats(&q, 5, "2,3,8,3", "3", "3", "3", "3");
    refuses(&q, "input 0 has rank 4, must be 5");
    ask(&q, "BiasAdd");
    floats(&q, 2, "*", "3");
    gives(&q, CNNFI_INFER_DYNAMIC, "*");
    ask(&q, "BiasAdd");
    text(&q, "data_format", "NCHW");
    floats(&q, 2, "2,?,5", "3");
    gives(&q, CNNF_OK, "2,3,5");
    ask(&q, "BiasAdd");
    floats(&q, 2, "5", "5");
    refuses(&q, "input 0 has rank 1, must be at least 2");
    ask(&q, "LRN");
    cnnfi_node_set_int(q.b, q.node, "depth_radius", -1);
    floats(&q, 1, "2,3,4,5");
    refuses(&q, "depth_radius is -1");
    ask(&q, "Softmax");
    floats(&q, 1, "");
    refuses(&q, "input 0 has rank 0, must be at least 1");
}
END_TEST

/* ---- space, pictures ---- */

START_TEST(space)
{
    static const int32_t block[] = {2, 2}, pads[] = {0, 1, 0, 0}, large[] = {9, 9, 0, 0};
    question q;
    ask(&q, "SpaceToDepth");
    cnnfi_node_set_int(q.b, q.node, "block_size", 2);
    floats(&q, 1, "?,6,?,3");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,3,?,12");
    ask(&q, "DepthToSpace");
    cnnfi_node_set_int(q.b, q.node, "block_size", 2);
    floats(&q, 1, "2,6,4,6");
    refuses(&q, "block_size 2 does not divide the input");
    ask(&q, "SpaceToBatchND");
    floats(&q, 1, "2,5,4,3");
    numbers(&q, block, "2");
    numbers(&q, pads, "2,2");
    gives(&q, CNNF_OK, "8,3,2,3");
    ask(&q, "SpaceToBatchND"); /* without the block: what lies behind the spatial axes */
    floats(&q, 1, "2,5,4,3");
    input(&q, CNNF_INT32, "2");
    numbers(&q, pads, "2,2");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,?,?,3");
    ask(&q, "BatchToSpaceND");
    floats(&q, 1, "8,3,2,?");
    numbers(&q, block, "2");
    numbers(&q, large, "2,2");
    refuses(&q, "the crops of axis 0 are too big");
    ask(&q, "BatchToSpaceND");
    floats(&q, 1, "7,3,2,3");
    numbers(&q, block, "2");
    input(&q, CNNF_INT32, "2,2");
    refuses(&q, "4 blocks do not divide a batch of 7");
    ask(&q, "ExtractImagePatches");
    list(&q, "ksizes", 1, 2, 3, 1);
    list(&q, "strides", 1, 1, 1, 1);
    list(&q, "rates", 1, 1, 1, 1);
    text(&q, "padding", "VALID");
    floats(&q, 1, "?,5,6,2");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,4,4,12");
}
END_TEST

START_TEST(pictures)
{
    static const int32_t size[] = {5, 6}, none[] = {0, 6};
    question q;
    ask(&q, "ResizeBilinear");
    floats(&q, 1, "?,?,9,3");
    numbers(&q, size, "2");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,5,6,3");
    ask(&q, "ResizeNearestNeighbor");
    floats(&q, 1, "2,9,9,3");
    input(&q, CNNF_INT32, "*");
    gives(&q, CNNFI_INFER_DYNAMIC, "2,?,?,3");
    ask(&q, "ResizeBilinear");
    floats(&q, 1, "2,9,9,3");
    numbers(&q, none, "2");
    refuses(&q, "a size of 0 x 6");
    ask(&q, "ResizeBilinear");
    floats(&q, 1, "2,0,9,3");
    numbers(&q, size, "2");
    refuses(&q, "a picture of 0 x 9 pixels");
    ask(&q, "CropAndResize");
    floats(&q, 2, "?,9,9,3", "?,4");
    input(&q, CNNF_INT32, "7");
    numbers(&q, size, "2");
    gives(&q, CNNF_OK, "7,5,6,3");
    ask(&q, "DecodePng");
    cnnfi_node_set_int(q.b, q.node, "channels", 3);
    input(&q, CNNF_STRING, "");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,?,3");
}
END_TEST

/* ---- losses, boxes, quantized numbers ---- */

START_TEST(losses)
{
    question q;
    ask(&q, "SoftmaxCrossEntropyWithLogits");
    floats(&q, 2, "", "3,4"); /* a scalar stands for all logits */
    gives(&q, CNNF_OK, "3 3,4");
    ask(&q, "SoftmaxCrossEntropyWithLogits");
    floats(&q, 2, "?,10", "*");
    gives(&q, CNNFI_INFER_DYNAMIC, "? ?,10");
    ask(&q, "SoftmaxCrossEntropyWithLogits");
    floats(&q, 2, "4", "4");
    refuses(&q, "logits and labels must be matrices of one shape");
    ask(&q, "SparseSoftmaxCrossEntropyWithLogits");
    cnnfi_node_set_type(q.b, q.node, "Tlabels", CNNF_INT32);
    floats(&q, 1, "?,10");
    input(&q, CNNF_INT32, "5");
    gives(&q, CNNF_OK, "5 5,10");
    ask(&q, "SparseSoftmaxCrossEntropyWithLogits");
    cnnfi_node_set_type(q.b, q.node, "Tlabels", CNNF_INT32);
    floats(&q, 1, "4,10");
    input(&q, CNNF_INT32, "5");
    refuses(&q, "one label per row is needed");
    ask(&q, "CTCBeamSearchDecoder");
    cnnfi_node_set_int(q.b, q.node, "top_paths", 2);
    cnnfi_node_set_int(q.b, q.node, "beam_width", 9);
    floats(&q, 1, "7,?,5");
    input(&q, CNNF_INT32, "3");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,2 ?,2 ? ? 2 2 3,2");
}
END_TEST

START_TEST(boxes)
{
    static const float corners[] = {0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3}, scores[] = {0.5f, 0.9f, 0.7f}, half = 0.5f;
    static const int32_t most = 3;
    question q;
    for (int known = 0; known < 2; known++) {
        ask(&q, "NonMaxSuppressionV3");
        floats(&q, 2, "3,4", "3");
        numbers(&q, &most, "");
        floats(&q, 2, "", "");
        q.inputs[0].data = known ? (void *)(uintptr_t)corners : NULL;
        q.inputs[1].data = (void *)(uintptr_t)scores;
        q.inputs[3].data = q.inputs[4].data = (void *)(uintptr_t)&half;
        gives(&q, known ? CNNF_OK : CNNFI_INFER_DYNAMIC, known ? "2" : "?");
    }
    ask(&q, "NonMaxSuppressionV5");
    cnnfi_node_set_bool(q.b, q.node, "pad_to_max_output_size", 1);
    floats(&q, 2, "*", "*");
    numbers(&q, &most, "");
    floats(&q, 3, "", "", "");
    gives(&q, CNNF_OK, "3 3 scalar");
    ask(&q, "NonMaxSuppressionV2");
    floats(&q, 2, "3,4", "2");
    numbers(&q, &most, "");
    floats(&q, 1, "");
    refuses(&q, "boxes and scores do not fit");
    ask(&q, "CombinedNonMaxSuppression");
    floats(&q, 2, "?,9,1,4", "2,9,3");
    input(&q, CNNF_INT32, "");
    numbers(&q, &most, "");
    floats(&q, 2, "", "");
    gives(&q, CNNF_OK, "2,3,4 2,3 2,3 2");
}
END_TEST

START_TEST(quantized)
{
    question q;
    ask(&q, "FakeQuantWithMinMaxVarsPerChannel");
    floats(&q, 3, "2,?", "3", "?");
    gives(&q, CNNF_OK, "2,3");
    ask(&q, "FakeQuantWithMinMaxVars");
    floats(&q, 3, "2,3", "1", "1");
    refuses(&q, "input 1 has rank 1, must be 0");
    ask(&q, "QuantizeAndDequantizeV2");
    cnnfi_node_set_int(q.b, q.node, "axis", 2);
    floats(&q, 3, "2,3", "3", "3");
    refuses(&q, "axis 2 of rank 2");
    ask(&q, "QuantizeAndDequantizeV2");
    cnnfi_node_set_int(q.b, q.node, "num_bits", 62);
    floats(&q, 3, "2,3", "", "");
    refuses(&q, "num_bits is 62");
    ask(&q, "QuantizedConv2D"); /* without a kernel, dtypes from the op table */
    list(&q, "strides", 1, 1, 1, 1);
    text(&q, "padding", "SAME");
    cnnfi_node_set_type(q.b, q.node, "Tinput", CNNF_QUINT8);
    cnnfi_node_set_type(q.b, q.node, "Tfilter", CNNF_QUINT8);
    input(&q, CNNF_QUINT8, "?,7,8,3");
    input(&q, CNNF_QUINT8, "3,3,3,16");
    floats(&q, 4, "", "", "", "");
    gives(&q, CNNFI_INFER_DYNAMIC, "?,7,8,16 scalar scalar");
    ck_assert_int_eq(q.outputs[0].dtype, CNNF_QINT32);
}
END_TEST

/* Every rule is of an op of the table, so that its contract was asked before; but for those that the optimiser makes,
   which no file of a user declares. */
START_TEST(rules_have_contracts)
{
    const cnnfi_rule_family *family;
    size_t rules = 0;
    for (size_t f = 0; (family = cnnfi_rule_family_at(f)) != NULL; f++) {
        for (size_t i = 0; i < family->count; i++, rules++) {
            const char *op = family->rules[i].op;
            const bool own = *op == '_' || family->rules[i].flags & CNNFI_RULE_OWN;
            ck_assert_msg(own || cnnfi_op_find(op), "%s is not in the op table", op);
            ck_assert_msg(cnnfi_op_rule_find(op) == &family->rules[i], "%s is there twice", op);
        }
    }
    ck_assert_uint_gt(rules, 100);
}
END_TEST

static Suite *rules_suite(void)
{
    Suite *suite = suite_create("rules_nn");
    TCase *tests = tcase_create("rules_nn");
    tcase_add_test(tests, convolutions);
    tcase_add_test(tests, bad_convolutions);
    tcase_add_test(tests, convolutions_backwards);
    tcase_add_test(tests, convolutions_with_pads);
    tcase_add_test(tests, pools);
    tcase_add_test(tests, fractional_pools);
    tcase_add_test(tests, normalization);
    tcase_add_test(tests, space);
    tcase_add_test(tests, pictures);
    tcase_add_test(tests, losses);
    tcase_add_test(tests, boxes);
    tcase_add_test(tests, quantized);
    tcase_add_test(tests, rules_have_contracts);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(rules_suite)
