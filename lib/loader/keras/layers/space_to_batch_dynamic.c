/* SPDX-License-Identifier: Apache-2.0 */
/* Dilation of an image whose size is not known: required_space_to_batch_paddings() as nodes. */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

/* pairs[:, column] */
static cnnfi_keras_tensor column_of(cnnfi_keras_builder *b, cnnfi_keras_tensor pairs, int32_t column)
{
    const int32_t begin[2] = {0, column}, end[2] = {0, column + 1}, step[2] = {1, 1};
    const char *saved = cnnfi_build_push(b, "strided_slice");
    cnnfi_keras_tensor y, inputs[4] = {pairs};
    inputs[1] = cnnfi_build_ints(b, "stack", 2, begin);
    inputs[2] = cnnfi_build_ints(b, "stack_1", 2, end);
    inputs[3] = cnnfi_build_ints(b, "stack_2", 2, step);
    cnnf_node *node = cnnfi_build_node_t(b, &y, "StridedSlice", "", 4, inputs);
    cnnfi_node_set_type(b->graph, node, "Index", CNNF_INT32);
    cnnfi_node_set_int(b->graph, node, "begin_mask", 1);
    cnnfi_node_set_int(b->graph, node, "end_mask", 1);
    cnnfi_node_set_int(b->graph, node, "ellipsis_mask", 0);
    cnnfi_node_set_int(b->graph, node, "new_axis_mask", 0);
    cnnfi_node_set_int(b->graph, node, "shrink_axis_mask", 2);
    cnnfi_build_pop(b, saved);
    return cnnfi_keras_tensor_shaped(y, 1, pairs.dims);
}

static cnnfi_keras_tensor item(cnnfi_keras_builder *b, cnnfi_keras_tensor vector, int32_t i)
{
    return cnnfi_build_slice(b, "strided_slice", vector, i, i + 1, false, false, true);
}

/* tf.stack([[first[i], second[i]] ...]); first NULL: zeros */
static cnnfi_keras_tensor stack_pairs(cnnfi_keras_builder *b, const char *name, int32_t n,
                                      const cnnfi_keras_tensor *first, cnnfi_keras_tensor second)
{
    static const char *const index[] = {"0", "1", "2"};
    cnnfi_keras_dim items[3][2];
    cnnfi_keras_tensor rows[3];
    for (int32_t i = 0; i < n; i++) {
        items[i][0] = first ? cnnfi_keras_dim_tensor(item(b, *first, i)) : cnnfi_keras_dim_of(0);
        items[i][1] = cnnfi_keras_dim_tensor(item(b, second, i));
    }
    const char *saved = cnnfi_build_push(b, name);
    for (int32_t i = 0; i < n; i++)
        rows[i] = cnnfi_build_autopack(b, index[i], 2, items[i]);
    cnnfi_keras_tensor y = cnnfi_build_pack(b, "", (size_t)n, rows);
    cnnfi_build_pop(b, saved);
    return cnnfi_keras_tensor_shaped(y, 2, (const int64_t[]){n, 2});
}

static cnnfi_keras_tensor spatial_shape(cnnfi_keras_builder *b, const cnnfi_keras_space *s, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor shape = cnnfi_build_shape_of(b, "Shape", x), parts[3];
    for (int32_t i = 0; i < s->n; i++)
        parts[i] = item(b, shape, s->at + i);
    return cnnfi_build_pack(b, "stack", (size_t)s->n, parts);
}

/* The adjustment for leading dimensions, of which there are none: a slice of all and a concat of one. */
static cnnfi_keras_tensor adjusted(cnnfi_keras_builder *b, cnnfi_keras_tensor pairs, int32_t n)
{
    cnnfi_keras_tensor all = cnnfi_build_slice(b, "strided_slice", pairs, 0, n, false, false, false);
    const char *saved = cnnfi_build_push(b, "concat");
    all = cnnfi_build_unary(b, "Identity", "concat", all);
    cnnfi_build_pop(b, saved);
    return all;
}

/* rate: block shape; base: constant paddings; shape: the spatial size */
static void required(cnnfi_keras_builder *b, cnnfi_keras_space *s, cnnfi_keras_tensor rate, cnnfi_keras_tensor base,
                     cnnfi_keras_tensor shape)
{
    cnnfi_keras_tensor start = column_of(b, base, 0), end = column_of(b, base, 1);
    cnnfi_keras_tensor full =
        cnnfi_build_binary(b, "AddV2", "add", cnnfi_build_binary(b, "AddV2", "add", shape, start), end);
    cnnfi_keras_tensor rest = cnnfi_build_binary(b, "FloorMod", "mod", full, rate);
    cnnfi_keras_tensor extra =
        cnnfi_build_binary(b, "FloorMod", "mod", cnnfi_build_binary(b, "Sub", "sub", rate, rest), rate);
    end = cnnfi_build_binary(b, "AddV2", "add", end, extra);
    s->paddings = stack_pairs(b, "paddings", s->n, &start, end);
    s->crops = stack_pairs(b, "crops", s->n, NULL, extra);
}

void cnnfi_keras_space_dynamic(cnnfi_keras_builder *b, cnnfi_keras_space *s, cnnfi_keras_tensor x)
{
    int32_t rates[3], pairs[3][2] = {{0}};
    for (int32_t i = 0; i < s->n; i++) {
        int32_t reach = s->same ? (int32_t)((s->kernel[i] - 1) * s->rate[i]) : 0;
        rates[i] = (int32_t)s->rate[i];
        pairs[i][0] = reach / 2;
        pairs[i][1] = reach - reach / 2;
    }
    cnnfi_keras_tensor rate = cnnfi_build_ints(b, "dilation_rate", (size_t)s->n, rates), base = rate;
    if (s->same) base = cnnfi_build_pairs(b, "stack", (size_t)s->n, (const int32_t(*)[2])pairs);
    cnnfi_keras_tensor shape = spatial_shape(b, s, x);
    const char *saved = cnnfi_build_push(b, "required_space_to_batch_paddings");
    if (!s->same) base = cnnfi_build_pairs(b, "base_paddings", (size_t)s->n, (const int32_t(*)[2])pairs);
    required(b, s, rate, base, shape);
    cnnfi_build_pop(b, saved);
    s->paddings = adjusted(b, s->paddings, s->n);
    s->crops = adjusted(b, s->crops, s->n);
}
