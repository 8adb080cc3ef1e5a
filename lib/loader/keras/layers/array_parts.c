/* SPDX-License-Identifier: Apache-2.0 */
/* Slicing, splitting and resizing as TensorFlow's Python functions write them. */
#include <string.h>

#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

/* ---- Tensor.__getitem__ ---- */

/* The op's five masks and three vectors. */
typedef struct slicing {
    size_t n;
    int32_t begin[CNNFI_KERAS_MAX_RANK + 1], end[CNNFI_KERAS_MAX_RANK + 1], strides[CNNFI_KERAS_MAX_RANK + 1];
    int64_t begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask;
} slicing;

static void add_range(slicing *s, size_t i, const cnnfi_keras_index *index)
{
    s->begin[i] = index->has_begin ? (int32_t)index->begin : 0;
    s->end[i] = index->has_end ? (int32_t)index->end : 0;
    s->strides[i] = index->stride ? (int32_t)index->stride : 1;
    if (!index->has_begin) s->begin_mask |= 1 << i;
    if (!index->has_end) s->end_mask |= 1 << i;
}

/* array_ops._slice_helper() */
static slicing slicing_of(size_t n, const cnnfi_keras_index *indices)
{
    slicing s = {.n = n};
    for (size_t i = 0; i < n; i++) {
        s.strides[i] = 1;
        switch (indices[i].kind) {
        case CNNFI_KERAS_INDEX_RANGE:
            add_range(&s, i, &indices[i]);
            break;
        case CNNFI_KERAS_INDEX_AT:
            s.begin[i] = (int32_t)indices[i].begin;
            s.end[i] = (int32_t)indices[i].begin + 1;
            s.shrink_axis_mask |= 1 << i;
            break;
        case CNNFI_KERAS_INDEX_ELLIPSIS:
            s.ellipsis_mask |= 1 << i;
            break;
        case CNNFI_KERAS_INDEX_NEW:
            s.new_axis_mask |= 1 << i;
            break;
        }
    }
    return s;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Elements of range(begin, end, stride) over `length`; -1 when that is unknown. */
static int64_t range_length(const cnnfi_keras_index *index, int64_t length)
{
    int64_t stride = index->stride ? index->stride : 1;
    if (length < 0) return !index->has_begin && !index->has_end && (stride == 1 || stride == -1) ? length : -1;
    int64_t low = stride > 0 ? 0 : -1, high = stride > 0 ? length : length - 1;
    int64_t begin = index->has_begin ? index->begin : stride > 0 ? 0 : length - 1;
    int64_t end = index->has_end ? index->end : stride > 0 ? length : -1;
    if (index->has_begin && begin < 0) begin += length;
    if (index->has_end && end < 0) end += length;
    begin = clamp(begin, low, high);
    end = clamp(end, low, high);
    int64_t span = stride > 0 ? end - begin : begin - end, step = stride > 0 ? stride : -stride;
    return span > 0 ? (span + step - 1) / step : 0;
}

/* Dimensions of x that the indices use up, the ellipsis apart. */
static int32_t consumed(size_t n, const cnnfi_keras_index *indices)
{
    int32_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += indices[i].kind == CNNFI_KERAS_INDEX_RANGE || indices[i].kind == CNNFI_KERAS_INDEX_AT;
    return count;
}

static bool put_dim(cnnfi_keras_tensor *out, int64_t dim)
{
    if (out->rank >= CNNFI_KERAS_MAX_RANK) return false;
    out->dims[out->rank++] = dim;
    return true;
}

static bool copy_dims(cnnfi_keras_tensor *out, const cnnfi_keras_tensor *x, int32_t *at, int32_t count)
{
    for (; count > 0; count--)
        if (!put_dim(out, x->dims[(*at)++])) return false;
    return true;
}

bool cnnfi_keras_tensor_slice(cnnfi_keras_tensor *out, const cnnfi_keras_tensor *x, size_t n,
                              const cnnfi_keras_index *indices)
{
    int32_t left = x->rank - consumed(n, indices), at = 0;
    bool fits = left >= 0;
    out->rank = 0;
    for (size_t i = 0; i < n && fits; i++) {
        const cnnfi_keras_index *index = &indices[i];
        if (index->kind == CNNFI_KERAS_INDEX_NEW)
            fits = put_dim(out, 1);
        else if (index->kind == CNNFI_KERAS_INDEX_RANGE)
            fits = put_dim(out, range_length(index, x->dims[at++]));
        else if (index->kind == CNNFI_KERAS_INDEX_AT)
            at++;
        else {
            fits = copy_dims(out, x, &at, left);
            left = 0;
        }
    }
    return fits && copy_dims(out, x, &at, x->rank - at);
}

bool cnnfi_build_index(cnnfi_keras_builder *b, cnnfi_keras_tensor *out, cnnfi_keras_tensor x, size_t n,
                       const cnnfi_keras_index *indices)
{
    *out = x;
    if (n == 0 || n > CNNFI_KERAS_MAX_RANK + 1) return false;
    slicing s = slicing_of(n, indices);
    const char *saved = cnnfi_build_push(b, "strided_slice");
    cnnfi_keras_tensor inputs[4] = {x, cnnfi_build_ints(b, "stack", n, s.begin),
                                    cnnfi_build_ints(b, "stack_1", n, s.end),
                                    cnnfi_build_ints(b, "stack_2", n, s.strides)};
    cnnf_node *node = cnnfi_build_node_t(b, out, "StridedSlice", "", 4, inputs);
    cnnfi_node_set_type(b->graph, node, "Index", CNNF_INT32);
    cnnfi_node_set_int(b->graph, node, "begin_mask", s.begin_mask);
    cnnfi_node_set_int(b->graph, node, "end_mask", s.end_mask);
    cnnfi_node_set_int(b->graph, node, "ellipsis_mask", s.ellipsis_mask);
    cnnfi_node_set_int(b->graph, node, "new_axis_mask", s.new_axis_mask);
    cnnfi_node_set_int(b->graph, node, "shrink_axis_mask", s.shrink_axis_mask);
    cnnfi_build_pop(b, saved);
    return cnnfi_keras_tensor_slice(out, &x, n, indices);
}

/* ---- tf.split() ---- */

cnnfi_keras_tensor cnnfi_build_split(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, int32_t axis,
                                     int64_t count)
{
    const char *saved = cnnfi_build_push(b, name);
    cnnfi_keras_tensor inputs[2] = {cnnfi_build_int(b, "split_dim", axis), x}, out;
    cnnf_node *node = cnnfi_build_node(b, &out, "Split", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "T", x.dtype);
    cnnfi_node_set_int(b->graph, node, "num_split", count);
    cnnfi_build_pop(b, saved);
    out.dtype = x.dtype;
    out = cnnfi_keras_tensor_shaped(out, x.rank, x.dims);
    int32_t at = axis < 0 ? axis + x.rank : axis;
    if (x.dims[at] >= 0) out.dims[at] = x.dims[at] / count;
    return out;
}

/* ---- images ---- */

cnnfi_keras_tensor cnnfi_build_resize(cnnfi_keras_builder *b, const char *op, const char *name, cnnfi_keras_tensor x,
                                      cnnfi_keras_tensor size, bool align_corners, bool half_pixel_centers,
                                      const int64_t height_width[2])
{
    cnnfi_keras_tensor out, inputs[2] = {x, size};
    cnnf_node *node = cnnfi_build_node_t(b, &out, op, name, 2, inputs);
    cnnfi_node_set_bool(b->graph, node, "align_corners", align_corners);
    /* ResizeArea alone has no such attribute */
    if (strcmp(op, "ResizeArea") != 0) cnnfi_node_set_bool(b->graph, node, "half_pixel_centers", half_pixel_centers);
    if (strcmp(op, "ResizeNearestNeighbor") != 0) out.dtype = CNNF_FLOAT;
    out.dims[1] = height_width[0];
    out.dims[2] = height_width[1];
    return out;
}

const char *cnnfi_keras_resize_op(const char *method)
{
    static const char *const ops[][2] = {{"nearest", "ResizeNearestNeighbor"},
                                         {"bilinear", "ResizeBilinear"},
                                         {"bicubic", "ResizeBicubic"},
                                         {"area", "ResizeArea"}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (strcmp(ops[i][0], method) == 0) return ops[i][1];
    return NULL;
}
