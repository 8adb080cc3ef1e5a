/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of tensors, joins of them, places in them. */
#include "serializer/onnx/onnx_ops.h"

/* ---- slices ---- */

/* ONNX' Slice, axis by axis. */
typedef struct slices {
    size_t count;
    int64_t begin[CNNFI_OP_MAX_RANK], end[CNNFI_OP_MAX_RANK], axes[CNNFI_OP_MAX_RANK], step[CNNFI_OP_MAX_RANK];
} slices;

static void add_slice(slices *s, int64_t axis, int64_t begin, int64_t end, int64_t step)
{
    if (s->count == CNNFI_OP_MAX_RANK) return;
    s->begin[s->count] = begin;
    s->end[s->count] = end;
    s->axes[s->count] = axis;
    s->step[s->count++] = step;
}

static const char *slice(const cnnfi_onnx_call *call, const char *x, const slices *s, const char *out)
{
    bool steps = false;
    for (size_t i = 0; i < s->count; i++)
        steps |= s->step[i] != 1;
    const char *inputs[] = {x, cnnfi_onnx_ints(call->m, s->count, s->begin), cnnfi_onnx_ints(call->m, s->count, s->end),
                            cnnfi_onnx_ints(call->m, s->count, s->axes),
                            steps ? cnnfi_onnx_ints(call->m, s->count, s->step) : NULL};
    return cnnfi_onnx_add(call->m, NULL, "Slice", out, steps ? 5 : 4, inputs);
}

/* Slice(x, begin, size): size -1 goes to the end. */
static void convert_slice(cnnfi_onnx_call *call)
{
    const cnnfi_layout layout = cnnfi_onnx_layout_of(call, 0);
    int64_t begin[CNNFI_OP_MAX_RANK], size[CNNFI_OP_MAX_RANK];
    size_t n_begin, n_size;
    slices s = {0};
    if (!cnnfi_export_want_ints(&call->asked, 1, "begin", begin, CNNFI_OP_MAX_RANK, &n_begin)) return;
    if (!cnnfi_export_want_ints(&call->asked, 2, "size", size, CNNFI_OP_MAX_RANK, &n_size) || n_begin != n_size) return;
    for (size_t i = 0; i < n_begin; i++) {
        const int64_t end = size[i] < 0 ? INT64_MAX : begin[i] + size[i];
        if (begin[i] != 0 || end != INT64_MAX)
            add_slice(&s, cnnfi_onnx_axis(layout, (int32_t)i, (int32_t)n_begin), begin[i], end, 1);
    }
    if (s.count == 0) {
        cnnfi_onnx_give_input(call, 0, 0);
        return;
    }
    cnnfi_onnx_give(call, 0, layout,
                    slice(call, cnnfi_onnx_in(call, 0, layout), &s, cnnfi_onnx_out_name(call, 0, layout)));
}

/* Python's x[...] as TensorFlow has it: entry i of begin, end and strides is a slice, an index (its axis goes), a new
   axis or an ellipsis. */
typedef struct subscript {
    slices slices;
    size_t n_gone, n_new;
    int64_t gone[CNNFI_OP_MAX_RANK], fresh[CNNFI_OP_MAX_RANK]; /* axes of the input; axes of the result */
    int64_t begin[CNNFI_OP_MAX_RANK], end[CNNFI_OP_MAX_RANK], step[CNNFI_OP_MAX_RANK];
    size_t count;
} subscript;

static bool has_bit(const cnnfi_onnx_call *call, const char *mask, size_t bit)
{
    return (cnnf_node_attr_int(call->node, mask, 0) >> bit) & 1;
}

static bool read_subscript(const cnnfi_onnx_call *call, subscript *s)
{
    size_t n_end, n_step;
    *s = (subscript){.count = 0};
    if (!cnnfi_export_want_ints(&call->asked, 1, "begin", s->begin, CNNFI_OP_MAX_RANK, &s->count)) return false;
    if (!cnnfi_export_want_ints(&call->asked, 2, "end", s->end, CNNFI_OP_MAX_RANK, &n_end)) return false;
    if (!cnnfi_export_want_ints(&call->asked, 3, "strides", s->step, CNNFI_OP_MAX_RANK, &n_step)) return false;
    return n_end == s->count && n_step == s->count;
}

/* One entry that is neither an ellipsis nor a new axis. */
static void take_entry(const cnnfi_onnx_call *call, subscript *s, size_t i, int64_t axis)
{
    const int64_t step = s->step[i];
    if (has_bit(call, "shrink_axis_mask", i)) {
        const int64_t at = s->begin[i];
        add_slice(&s->slices, axis, at, at == -1 ? INT64_MAX : at + 1, 1);
        if (s->n_gone < CNNFI_OP_MAX_RANK) s->gone[s->n_gone++] = axis;
        return;
    }
    const bool from_start = has_bit(call, "begin_mask", i), to_end = has_bit(call, "end_mask", i);
    const int64_t begin = from_start ? (step > 0 ? 0 : INT64_MAX) : s->begin[i];
    const int64_t end = to_end ? (step > 0 ? INT64_MAX : INT64_MIN) : s->end[i];
    if (step != 1 || begin != 0 || end != INT64_MAX) add_slice(&s->slices, axis, begin, end, step);
}

/* Walks the entries: `axis` of the input, `place` in the result. */
static void walk_subscript(const cnnfi_onnx_call *call, subscript *s, int32_t rank)
{
    int64_t axis = 0, place = 0, used = 0;
    for (size_t i = 0; i < s->count; i++)
        used += !has_bit(call, "new_axis_mask", i) && !has_bit(call, "ellipsis_mask", i);
    for (size_t i = 0; i < s->count; i++) {
        if (has_bit(call, "ellipsis_mask", i)) {
            const int64_t skipped = rank > used ? rank - used : 0;
            axis += skipped;
            place += skipped;
        } else if (has_bit(call, "new_axis_mask", i)) {
            if (s->n_new < CNNFI_OP_MAX_RANK) s->fresh[s->n_new++] = place++;
        } else {
            take_entry(call, s, i, axis++);
            place += !has_bit(call, "shrink_axis_mask", i);
        }
    }
}

static void convert_strided_slice(cnnfi_onnx_call *call)
{
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank;
    subscript s;
    if (!read_subscript(call, &s)) return;
    if (rank < 0 && cnnf_node_attr_int(call->node, "ellipsis_mask", 0) != 0) {
        cnnfi_export_refuse(&call->asked, "the number of axes of its input is not known");
        return;
    }
    walk_subscript(call, &s, rank);
    cnnfi_layout layout = cnnfi_onnx_layout_of(call, 0);
    if (s.n_gone > 0 || s.n_new > 0) layout = CNNFI_PLAIN;
    for (size_t i = 0; i < s.slices.count; i++)
        s.slices.axes[i] = cnnfi_onnx_axis(layout, (int32_t)s.slices.axes[i], rank);
    const char *x = cnnfi_onnx_in(call, 0, layout);
    if (s.slices.count > 0) x = slice(call, x, &s.slices, NULL);
    if (s.n_gone > 0) x = cnnfi_onnx_binary(call->m, "Squeeze", NULL, x, cnnfi_onnx_ints(call->m, s.n_gone, s.gone));
    if (s.n_new > 0) x = cnnfi_onnx_binary(call->m, "Unsqueeze", NULL, x, cnnfi_onnx_ints(call->m, s.n_new, s.fresh));
    cnnfi_onnx_give(call, 0, layout, x);
}

/* Input 1: axes whose order turns round. */
static void convert_reverse(cnnfi_onnx_call *call)
{
    const cnnfi_layout layout = cnnfi_onnx_layout_of(call, 0);
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank;
    int64_t axes[CNNFI_OP_MAX_RANK];
    size_t count;
    slices s = {0};
    if (!cnnfi_export_want_ints(&call->asked, 1, "the list of axes", axes, CNNFI_OP_MAX_RANK, &count)) return;
    for (size_t i = 0; i < count; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        add_slice(&s, cnnfi_onnx_axis(layout, (int32_t)axis, rank), INT64_MAX, INT64_MIN, -1);
    }
    cnnfi_onnx_give(call, 0, layout,
                    slice(call, cnnfi_onnx_in(call, 0, layout), &s, cnnfi_onnx_out_name(call, 0, layout)));
}

/* Two slices change places, axis by axis. */
static void convert_roll(cnnfi_onnx_call *call)
{
    const cnnfi_layout layout = cnnfi_onnx_layout_of(call, 0);
    const cnnfi_value in = cnnfi_export_in_shape(&call->asked, 0);
    int64_t shift[CNNFI_OP_MAX_RANK], axes[CNNFI_OP_MAX_RANK];
    size_t count, n_axes;
    if (!cnnfi_export_want_ints(&call->asked, 1, "the shift", shift, CNNFI_OP_MAX_RANK, &count)) return;
    if (!cnnfi_export_want_ints(&call->asked, 2, "the axis", axes, CNNFI_OP_MAX_RANK, &n_axes) || n_axes != count)
        return;
    const char *x = cnnfi_onnx_in(call, 0, layout);
    for (size_t i = 0; i < count; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + in.rank : axes[i];
        const int64_t size = axis >= 0 && axis < in.rank ? in.dims[axis] : -1;
        if (size <= 0) {
            cnnfi_export_refuse(&call->asked, "the size of axis %d is not known", (int)axis);
            return;
        }
        const int64_t at = size - ((shift[i] % size) + size) % size;
        const int32_t mapped = cnnfi_onnx_axis(layout, (int32_t)axis, in.rank);
        slices front = {0}, back = {0};
        add_slice(&front, mapped, 0, at, 1);
        add_slice(&back, mapped, at, INT64_MAX, 1);
        const char *parts[] = {slice(call, x, &back, NULL), slice(call, x, &front, NULL)};
        cnnfi_onnx_node *node;
        x = cnnfi_onnx_add(call->m, &node, "Concat", NULL, 2, parts);
        cnnfi_onnx_set_int(call->m, node, "axis", mapped);
    }
    cnnfi_onnx_give(call, 0, layout, x);
}

/* ---- joins and splits ---- */

/* Tensors first .. first + n - 1 along an axis. */
static void concat(cnnfi_onnx_call *call, int32_t first, int32_t n, int32_t axis, int32_t rank)
{
    const char **parts = cnnfi_export_array(&call->m->x, (size_t)n, sizeof *parts);
    cnnfi_layout layout = CNNFI_PLAIN;
    for (int32_t i = 0; i < n; i++)
        if (cnnfi_onnx_layout_of(call, first + i) == CNNFI_FIRST) layout = CNNFI_FIRST;
    for (int32_t i = 0; parts != NULL && i < n; i++)
        parts[i] = cnnfi_onnx_in(call, first + i, layout);
    if (parts == NULL) return;
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(call->m, &node, "Concat", cnnfi_onnx_out_name(call, 0, layout), (size_t)n, parts);
    cnnfi_onnx_set_int(call->m, node, "axis", cnnfi_onnx_axis(layout, axis, rank));
    cnnfi_onnx_give(call, 0, layout, y);
}

/* ConcatV2 has the axis last, Concat first (`number`). */
static void convert_concat(cnnfi_onnx_call *call)
{
    const bool leads = call->row->number > 0;
    const int32_t n = call->n_inputs - 1, first = leads ? 1 : 0;
    const int32_t rank = cnnfi_export_in_shape(&call->asked, first).rank;
    int32_t axis;
    if (n < 1 || !cnnfi_export_want_axis(&call->asked, leads ? 0 : n, rank, &axis)) return;
    concat(call, first, n, axis, rank);
}

static void convert_pack(cnnfi_onnx_call *call)
{
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank;
    const int64_t value = cnnf_node_attr_int(call->node, "axis", 0);
    const int64_t axis = value < 0 ? value + rank + 1 : value;
    const char **parts = cnnfi_export_array(&call->m->x, (size_t)call->n_inputs, sizeof *parts);
    for (int32_t i = 0; parts != NULL && i < call->n_inputs; i++)
        parts[i] = cnnfi_onnx_binary(call->m, "Unsqueeze", NULL, cnnfi_onnx_in(call, i, CNNFI_PLAIN),
                                     cnnfi_onnx_int(call->m, axis));
    if (parts == NULL) return;
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(call->m, &node, "Concat", cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN),
                                   (size_t)call->n_inputs, parts);
    cnnfi_onnx_set_int(call->m, node, "axis", axis);
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, y);
}

/* Names of all outputs in a layout; those that nobody reads are parts. */
static const char **output_names(const cnnfi_onnx_call *call, int32_t n, cnnfi_layout layout, bool parts)
{
    const char **names = cnnfi_export_array(&call->m->x, (size_t)n, sizeof *names);
    const int32_t read = call->m->x.n_read[call->node->index];
    for (int32_t i = 0; names != NULL && i < n; i++)
        names[i] = i < read && !parts ? cnnfi_onnx_out_name(call, i, layout) : cnnfi_onnx_part(call->m, "part");
    return names;
}

/* sizes[n] along an axis of the layout. */
static void split(const cnnfi_onnx_call *call, int32_t input, cnnfi_layout layout, int32_t axis, int32_t n,
                  const int64_t *sizes, const char *const *names)
{
    const char *inputs[] = {cnnfi_onnx_in(call, input, layout), cnnfi_onnx_ints(call->m, (size_t)n, sizes)};
    cnnfi_onnx_node *node = cnnfi_onnx_add_many(call->m, "Split", (size_t)n, names, 2, inputs);
    cnnfi_onnx_set_int(call->m, node, "axis", axis);
}

static int64_t *equal_sizes(const cnnfi_onnx_call *call, int64_t size, int32_t n)
{
    int64_t *sizes = cnnfi_export_array(&call->m->x, (size_t)n, sizeof *sizes);
    if (n < 1 || size < 0) {
        cnnfi_export_refuse(&call->asked, "the size that is split is not known");
        return NULL;
    }
    for (int32_t i = 0; sizes != NULL && i < n; i++)
        sizes[i] = size / n;
    return sizes;
}

static void split_and_give(cnnfi_onnx_call *call, int32_t input, int32_t axis, int32_t n, const int64_t *sizes)
{
    const int32_t rank = cnnfi_export_in_shape(&call->asked, input).rank;
    const cnnfi_layout layout = cnnfi_onnx_layout_of(call, input);
    const char **names = output_names(call, n, layout, false);
    if (sizes == NULL || names == NULL) return;
    split(call, input, layout, cnnfi_onnx_axis(layout, axis, rank), n, sizes, names);
    for (int32_t i = 0; i < n; i++)
        cnnfi_onnx_give(call, i, layout, names[i]);
}

static void convert_split(cnnfi_onnx_call *call)
{
    const cnnfi_value in = cnnfi_export_in_shape(&call->asked, 1);
    const int32_t n = (int32_t)cnnf_node_attr_int(call->node, "num_split", 1);
    int32_t axis;
    if (!cnnfi_export_want_axis(&call->asked, 0, in.rank, &axis)) return;
    split_and_give(call, 1, axis, n, equal_sizes(call, in.dims[axis], n));
}

/* SplitV(x, sizes, axis): one size may be -1. */
static void convert_split_v(cnnfi_onnx_call *call)
{
    enum { MAX_PARTS = 1024 };
    const cnnfi_value in = cnnfi_export_in_shape(&call->asked, 0);
    int64_t *sizes = cnnfi_export_array(&call->m->x, MAX_PARTS, sizeof *sizes);
    size_t count;
    int32_t axis;
    if (sizes == NULL || !cnnfi_export_want_ints(&call->asked, 1, "the list of sizes", sizes, MAX_PARTS, &count))
        return;
    if (!cnnfi_export_want_axis(&call->asked, 2, in.rank, &axis)) return;
    int64_t rest = in.dims[axis];
    for (size_t i = 0; i < count; i++)
        if (sizes[i] > 0) rest -= sizes[i];
    for (size_t i = 0; i < count; i++)
        if (sizes[i] < 0) sizes[i] = rest;
    if (rest < 0) {
        cnnfi_export_refuse(&call->asked, "the size that is split is not known");
        return;
    }
    split_and_give(call, 0, axis, (int32_t)count, sizes);
}

static void convert_unpack(cnnfi_onnx_call *call)
{
    const cnnfi_value in = cnnfi_export_in_shape(&call->asked, 0);
    const int64_t value = cnnf_node_attr_int(call->node, "axis", 0), axis = value < 0 ? value + in.rank : value;
    const int32_t n = (int32_t)cnnf_node_attr_int(call->node, "num", 0);
    const int64_t *sizes = equal_sizes(call, n, n);
    const char **parts = output_names(call, n, CNNFI_PLAIN, true);
    if (sizes == NULL || parts == NULL) return;
    split(call, 0, CNNFI_PLAIN, (int32_t)axis, n, sizes, parts);
    for (int32_t i = 0; i < n && i < call->m->x.n_read[call->node->index]; i++)
        cnnfi_onnx_give(call, i, CNNFI_PLAIN,
                        cnnfi_onnx_binary(call->m, "Squeeze", cnnfi_onnx_out_name(call, i, CNNFI_PLAIN), parts[i],
                                          cnnfi_onnx_int(call->m, axis)));
}

/* ---- padding ---- */

/* [rank, 2] of TensorFlow as ONNX' begins, then ends. */
static bool read_pads(const cnnfi_onnx_call *call, cnnfi_layout layout, int32_t rank, int64_t *pads)
{
    int64_t values[2 * CNNFI_OP_MAX_RANK];
    size_t count;
    if (!cnnfi_export_want_ints(&call->asked, 1, "the padding", values, 2 * CNNFI_OP_MAX_RANK, &count)) return false;
    if (rank < 0 || count != 2 * (size_t)rank) {
        cnnfi_export_refuse(&call->asked, "the padding does not fit its input");
        return false;
    }
    for (int32_t axis = 0; axis < rank; axis++) {
        const int32_t to = cnnfi_onnx_axis(layout, axis, rank);
        pads[to] = values[2 * axis];
        pads[rank + to] = values[2 * axis + 1];
    }
    return true;
}

static void convert_pad(cnnfi_onnx_call *call)
{
    const cnnfi_layout layout = cnnfi_onnx_layout_of(call, 0);
    const cnnfi_value in = cnnfi_export_in_shape(&call->asked, 0);
    const bool mirror = call->row->as != NULL;
    int64_t pads[2 * CNNFI_OP_MAX_RANK];
    if (mirror && !cnnfi_node_string_is(call->node, "mode", "REFLECT")) {
        cnnfi_export_refuse(&call->asked, "ONNX has no symmetric padding");
        return;
    }
    if (!read_pads(call, layout, in.rank, pads)) return;
    if (in.rank == 0) {
        cnnfi_onnx_give_input(call, 0, 0);
        return;
    }
    const bool given = !mirror && call->n_inputs > 2;
    const char *inputs[] = {cnnfi_onnx_in(call, 0, layout), cnnfi_onnx_ints(call->m, 2 * (size_t)in.rank, pads),
                            given ? cnnfi_onnx_in(call, 2, CNNFI_PLAIN) : NULL};
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(call->m, &node, "Pad", cnnfi_onnx_out_name(call, 0, layout), given ? 3 : 2, inputs);
    if (mirror) cnnfi_onnx_set_text(call->m, node, "mode", call->row->as);
    cnnfi_onnx_give(call, 0, layout, y);
}

/* ---- places ---- */

static void convert_gather(cnnfi_onnx_call *call)
{
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank;
    int32_t axis = 0;
    if (cnnf_node_attr_int(call->node, "batch_dims", 0) != 0) {
        cnnfi_export_refuse(&call->asked, "batch_dims other than 0");
        return;
    }
    if (call->n_inputs > 2 && !cnnfi_export_want_axis(&call->asked, 2, rank, &axis)) return;
    const char *inputs[] = {cnnfi_onnx_in(call, 0, CNNFI_PLAIN), cnnfi_onnx_in(call, 1, CNNFI_PLAIN)};
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(call->m, &node, "Gather", cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN), 2, inputs);
    if (axis != 0) cnnfi_onnx_set_int(call->m, node, "axis", axis);
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, y);
}

static void convert_gather_nd(cnnfi_onnx_call *call)
{
    if (cnnf_node_attr_int(call->node, "batch_dims", 0) != 0)
        cnnfi_export_refuse(&call->asked, "batch_dims other than 0");
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN,
                    cnnfi_onnx_binary(call->m, "GatherND", cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN),
                                      cnnfi_onnx_in(call, 0, CNNFI_PLAIN), cnnfi_onnx_in_int64(call, 1)));
}

/* data with updates at indices, combined as `as` says (NULL: replaced). */
static void scatter(const cnnfi_onnx_call *call, const char *data, const char *indices, const char *updates)
{
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(call->m, &node, "ScatterND", cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN), 3,
                                   (const char *[]){data, indices, updates});
    if (call->row->as != NULL) cnnfi_onnx_set_text(call->m, node, "reduction", call->row->as);
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, y);
}

static void convert_tensor_scatter(cnnfi_onnx_call *call)
{
    scatter(call, cnnfi_onnx_in(call, 0, CNNFI_PLAIN), cnnfi_onnx_in_int64(call, 1),
            cnnfi_onnx_in(call, 2, CNNFI_PLAIN));
}

/* ScatterNd(indices, updates, shape) adds to zeros. */
static void convert_scatter_nd(cnnfi_onnx_call *call)
{
    const char *zero = cnnfi_onnx_scalar(call->m, cnnfi_export_in_shape(&call->asked, 1).dtype, 0);
    const char *zeros = cnnfi_onnx_binary(call->m, "Expand", NULL, zero, cnnfi_onnx_in_int64(call, 2));
    scatter(call, zeros, cnnfi_onnx_in_int64(call, 0), cnnfi_onnx_in(call, 1, CNNFI_PLAIN));
}

/* OneHot(indices, depth, on, off). ONNX counts an index below 0 from the end, TensorFlow has no place for it: such an
   index becomes depth, which is outside for both. */
static void convert_one_hot(cnnfi_onnx_call *call)
{
    cnnfi_onnx_model *m = call->m;
    const char *indices = cnnfi_onnx_in_int64(call, 0), *depth = cnnfi_onnx_in_int64(call, 1);
    const char *below = cnnfi_onnx_binary(m, "Less", NULL, indices, cnnfi_onnx_scalar(m, CNNF_INT64, 0));
    const char *outside = cnnfi_onnx_add(m, NULL, "Where", NULL, 3, (const char *[]){below, depth, indices});
    const char *zero = cnnfi_onnx_int(m, 0);
    const char *values[] = {cnnfi_onnx_binary(m, "Unsqueeze", NULL, cnnfi_onnx_in(call, 3, CNNFI_PLAIN), zero),
                            cnnfi_onnx_binary(m, "Unsqueeze", NULL, cnnfi_onnx_in(call, 2, CNNFI_PLAIN), zero)};
    cnnfi_onnx_node *join, *node;
    const char *pair = cnnfi_onnx_add(m, &join, "Concat", NULL, 2, values);
    cnnfi_onnx_set_int(m, join, "axis", 0);
    const char *inputs[] = {outside, depth, pair};
    const char *y = cnnfi_onnx_add(m, &node, "OneHot", cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN), 3, inputs);
    cnnfi_onnx_set_int(m, node, "axis", cnnf_node_attr_int(call->node, "axis", -1));
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, y);
}

/* Where(condition): the places that are true, [n, rank]. */
static void convert_where(cnnfi_onnx_call *call)
{
    static const int64_t perm[] = {1, 0};
    const char *places = cnnfi_onnx_unary(call->m, "NonZero", NULL, cnnfi_onnx_in(call, 0, CNNFI_PLAIN));
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN,
                    cnnfi_onnx_transpose(call->m, places, 2, perm, cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN)));
}

static const char *triangle(cnnfi_onnx_model *m, const char *x, bool upper, int64_t diagonal)
{
    cnnfi_onnx_node *node;
    const char *inputs[] = {x, cnnfi_onnx_scalar(m, CNNF_INT64, (double)diagonal)};
    const char *y = cnnfi_onnx_add(m, &node, "Trilu", NULL, 2, inputs);
    cnnfi_onnx_set_int(m, node, "upper", upper);
    return y;
}

/* MatrixBandPart(x, below, above): so many diagonals below and above the main one stay, all when negative. */
static void convert_band_part(cnnfi_onnx_call *call)
{
    int64_t below, above;
    size_t count;
    if (!cnnfi_export_want_ints(&call->asked, 1, "num_lower", &below, 1, &count)) return;
    if (!cnnfi_export_want_ints(&call->asked, 2, "num_upper", &above, 1, &count)) return;
    const char *x = cnnfi_onnx_in(call, 0, CNNFI_PLAIN);
    if (below >= 0) x = triangle(call->m, x, true, -below);
    if (above >= 0) x = triangle(call->m, x, false, above);
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, x);
}

/* A length of 0 turns nothing round, as 1 does; ONNX wants at least 1. */
static void convert_reverse_sequence(cnnfi_onnx_call *call)
{
    const char *one = cnnfi_onnx_scalar(call->m, CNNF_INT64, 1);
    const char *inputs[] = {cnnfi_onnx_in(call, 0, CNNFI_PLAIN),
                            cnnfi_onnx_binary(call->m, "Max", NULL, cnnfi_onnx_in_int64(call, 1), one)};
    const int64_t batch = cnnf_node_attr_int(call->node, "batch_dim", 0),
                  time = cnnf_node_attr_int(call->node, "seq_dim", 0);
    if (batch + time != 1 || batch < 0 || time < 0) {
        cnnfi_export_refuse(&call->asked, "batch and sequence must be the first two axes");
        return;
    }
    cnnfi_onnx_node *node;
    const char *y =
        cnnfi_onnx_add(call->m, &node, "ReverseSequence", cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN), 2, inputs);
    cnnfi_onnx_set_int(call->m, node, "batch_axis", batch);
    cnnfi_onnx_set_int(call->m, node, "time_axis", time);
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, y);
}

/* clang-format off */
const cnnfi_onnx_row cnnfi_onnx_array_rows[] = {
    {"Slice", convert_slice},
    {"StridedSlice", convert_strided_slice},
    {"ReverseV2", convert_reverse},
    {"Roll", convert_roll},
    {"Concat", convert_concat, NULL, 1},
    {"ConcatV2", convert_concat},
    {"Pack", convert_pack},
    {"Split", convert_split},
    {"SplitV", convert_split_v},
    {"Unpack", convert_unpack},
    {"Pad", convert_pad},
    {"PadV2", convert_pad},
    {"MirrorPad", convert_pad, "reflect"},
    {"Gather", convert_gather},
    {"GatherV2", convert_gather},
    {"GatherNd", convert_gather_nd},
    {"ScatterNd", convert_scatter_nd, "add", 0, 16},
    {"TensorScatterUpdate", convert_tensor_scatter},
    {"TensorScatterAdd", convert_tensor_scatter, "add", 0, 16},
    {"TensorScatterMax", convert_tensor_scatter, "max", 0, 18},
    {"TensorScatterMin", convert_tensor_scatter, "min", 0, 18},
    {"OneHot", convert_one_hot},
    {"Where", convert_where},
    {"MatrixBandPart", convert_band_part, NULL, 0, 14},
    {"ReverseSequence", convert_reverse_sequence},
    {NULL, NULL},
};
/* clang-format on */
