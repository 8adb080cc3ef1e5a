/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of tensors, joins of them, places in them. */
#include "serializer/tflite/tflite_ops.h"

/* ---- slices ---- */

static void convert_slice(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in_int32(call, 1), cnnfi_tfl_in_int32(call, 2)};
    cnnfi_tfl_give_one(call, TFL_SLICE, 3, inputs);
}

/* Python's x[...] as TensorFlow has it; the kernel has the same masks. */
static void convert_strided_slice(cnnfi_tfl_call *call)
{
    static const struct {
        const char *attr;
        uint32_t field;
    } masks[] = {{"begin_mask", SLICE_BEGIN_MASK},
                 {"end_mask", SLICE_END_MASK},
                 {"ellipsis_mask", SLICE_ELLIPSIS_MASK},
                 {"new_axis_mask", SLICE_NEW_AXIS_MASK},
                 {"shrink_axis_mask", SLICE_SHRINK_MASK}};
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in_int32(call, 1), cnnfi_tfl_in_int32(call, 2),
                                  cnnfi_tfl_in_int32(call, 3)};
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, TFL_STRIDED_SLICE, 4, inputs);
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        cnnfi_tfl_set_int(node, masks[i].field, cnnf_node_attr_int(call->node, masks[i].attr, 0));
}

static void convert_reverse(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in_int32(call, 1)};
    cnnfi_tfl_give_one(call, TFL_REVERSE_V2, 2, inputs);
}

static void convert_reverse_sequence(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 1)};
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, TFL_REVERSE_SEQUENCE, 2, inputs);
    cnnfi_tfl_set_int(node, SEQUENCE_DIM, cnnf_node_attr_int(call->node, "seq_dim", 0));
    cnnfi_tfl_set_int(node, SEQUENCE_BATCH_DIM, cnnf_node_attr_int(call->node, "batch_dim", 0));
}

/* ---- joins and splits ---- */

/* ConcatV2 has the axis last, Concat first (`number`). */
static void convert_concat(cnnfi_tfl_call *call)
{
    const int32_t n = call->n_inputs - 1, first = call->row->number;
    const int32_t rank = cnnfi_tfl_in_shape(call, first).rank;
    cnnfi_tfl_tensor **parts = cnnfi_export_array(&call->m->x, (size_t)(n > 0 ? n : 0), sizeof(cnnfi_tfl_tensor *));
    int32_t axis;
    if (parts == NULL || n < 1 || !cnnfi_export_want_axis(&call->asked, first > 0 ? 0 : n, rank, &axis)) return;
    if (n == 1) {
        cnnfi_tfl_give_input(call, 0, first);
        return;
    }
    for (int32_t i = 0; i < n; i++)
        parts[i] = cnnfi_tfl_in(call, first + i);
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, TFL_CONCATENATION, (size_t)n, parts);
    cnnfi_tfl_set_int(node, CONCATENATION_AXIS, axis);
}

static void convert_pack(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor **parts = cnnfi_export_array(&call->m->x, (size_t)call->n_inputs, sizeof(cnnfi_tfl_tensor *));
    const int64_t axis = cnnf_node_attr_int(call->node, "axis", 0);
    for (int32_t i = 0; parts != NULL && i < call->n_inputs; i++)
        parts[i] = cnnfi_tfl_in(call, i);
    if (parts == NULL) return;
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, TFL_PACK, (size_t)call->n_inputs, parts);
    cnnfi_tfl_set_int(node, PACK_COUNT, call->n_inputs);
    cnnfi_tfl_set_int(node, PACK_AXIS, axis < 0 ? axis + cnnfi_tfl_out_shape(call, 0).rank : axis);
}

/* The operator with all `n` outputs, those that nobody reads too. */
static cnnfi_tfl_node *give_many(const cnnfi_tfl_call *call, int64_t n, size_t n_inputs,
                                 cnnfi_tfl_tensor *const *inputs)
{
    enum { MAX_PARTS = 4096 };
    if (n < 1 || n > MAX_PARTS) {
        cnnfi_tfl_refuse(call, "%lld outputs", (long long)n);
        return NULL;
    }
    cnnfi_tfl_tensor **outputs = cnnfi_export_array(&call->m->x, (size_t)n, sizeof(cnnfi_tfl_tensor *));
    for (int64_t i = 0; outputs != NULL && i < n; i++) {
        outputs[i] = cnnfi_tfl_out(call, (int32_t)i);
        cnnfi_tfl_give(call, (int32_t)i, outputs[i]);
    }
    return outputs != NULL ? cnnfi_tfl_add(call->m, call->row->as, n_inputs, inputs, (size_t)n, outputs) : NULL;
}

static void convert_split(cnnfi_tfl_call *call)
{
    const int64_t n = cnnf_node_attr_int(call->node, "num_split", 1);
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in_int32(call, 0), cnnfi_tfl_in(call, 1)};
    cnnfi_tfl_set_int(give_many(call, n, 2, inputs), NUM_SPLITS, n);
}

static void convert_split_v(cnnfi_tfl_call *call)
{
    const int64_t n = cnnf_node_attr_int(call->node, "num_split", 1);
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in_int32(call, 1), cnnfi_tfl_in_int32(call, 2)};
    cnnfi_tfl_set_int(give_many(call, n, 3, inputs), NUM_SPLITS, n);
}

static void convert_unpack(cnnfi_tfl_call *call)
{
    const int64_t n = cnnf_node_attr_int(call->node, "num", 0);
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_node *node = give_many(call, n, 1, &x);
    cnnfi_tfl_set_int(node, UNPACK_NUM, n);
    cnnfi_tfl_set_int(node, UNPACK_AXIS, cnnf_node_attr_int(call->node, "axis", 0));
}

/* ---- padding ---- */

static void convert_pad(cnnfi_tfl_call *call)
{
    double zero = 0;
    const bool given = call->n_inputs > 2 && !(cnnfi_export_number_of(&call->asked, 2, &zero) && zero == 0);
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 1), given ? cnnfi_tfl_in(call, 2) : NULL};
    cnnfi_tfl_give_one(call, given ? TFL_PADV2 : TFL_PAD, given ? 3 : 2, inputs);
}

static void convert_mirror_pad(cnnfi_tfl_call *call)
{
    const bool reflect = cnnfi_node_string_is(call->node, "mode", "REFLECT");
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 1)};
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, TFL_MIRROR_PAD, 2, inputs);
    cnnfi_tfl_set_byte(node, MIRROR_PAD_MODE, reflect ? MIRROR_REFLECT : MIRROR_SYMMETRIC);
}

/* ---- places ---- */

static void convert_gather(cnnfi_tfl_call *call)
{
    const int32_t rank = cnnfi_tfl_in_shape(call, 0).rank;
    int32_t axis = 0;
    if (call->n_inputs > 2 && !cnnfi_export_want_axis(&call->asked, 2, rank, &axis)) return;
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 1)};
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, TFL_GATHER, 2, inputs);
    int64_t batch_dims = cnnf_node_attr_int(call->node, "batch_dims", 0);
    if (batch_dims < 0) batch_dims += cnnfi_tfl_in_shape(call, 1).rank;
    cnnfi_tfl_set_int(node, GATHER_AXIS, axis);
    cnnfi_tfl_set_int(node, GATHER_BATCH_DIMS, batch_dims);
}

static void convert_gather_nd(cnnfi_tfl_call *call)
{
    if (cnnf_node_attr_int(call->node, "batch_dims", 0) != 0) cnnfi_tfl_refuse(call, "batch_dims other than 0");
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 1)};
    cnnfi_tfl_give_one(call, TFL_GATHER_ND, 2, inputs);
}

/* ScatterNd(indices, updates, shape) adds to zeros. */
static void convert_scatter_nd(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in_int32(call, 0), cnnfi_tfl_in(call, 1), cnnfi_tfl_in_int32(call, 2)};
    cnnfi_tfl_give_one(call, TFL_SCATTER_ND, 3, inputs);
}

/* OneHot(indices, depth, on, off). */
static void convert_one_hot(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *indices = cnnfi_tfl_in(call, 0);
    const cnnf_dtype dtype = cnnfi_tfl_in_shape(call, 0).dtype;
    if (dtype != CNNF_INT32 && dtype != CNNF_INT64)
        indices = cnnfi_tfl_cast(call->m, indices, cnnfi_tfl_part_like(call, 0, CNNF_INT32));
    cnnfi_tfl_tensor *inputs[] = {indices, cnnfi_tfl_in(call, 1), cnnfi_tfl_in(call, 2), cnnfi_tfl_in(call, 3)};
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, TFL_ONE_HOT, 4, inputs);
    cnnfi_tfl_set_int(node, ONE_HOT_AXIS, cnnf_node_attr_int(call->node, "axis", -1));
}

static void convert_where(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_give_one(call, TFL_WHERE, 1, &x);
}

static void convert_matrix_diag(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *x = cnnfi_tfl_in(call, 0);
    cnnfi_tfl_give_one(call, TFL_MATRIX_DIAG, 1, &x);
}

static void convert_matrix_set_diag(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 1)};
    cnnfi_tfl_give_one(call, TFL_MATRIX_SET_DIAG, 2, inputs);
}

#define FLOAT   CNNFI_TFL_OF_FLOAT
#define INT32   CNNFI_TFL_OF_INT32
#define NUMBERS CNNFI_TFL_OF_NUMBERS
#define BYTE    CNNFI_TFL_OF_BYTE
#define MOVED   CNNFI_TFL_OF_MOVED

/* clang-format off */
const cnnfi_tfl_row cnnfi_tfl_array_rows[] = {
    {"Slice", convert_slice, TFL_SLICE, MOVED, .axes = 5},
    {"StridedSlice", convert_strided_slice, TFL_STRIDED_SLICE, MOVED, .axes = 5},
    {"ReverseV2", convert_reverse, TFL_REVERSE_V2, MOVED},
    {"ReverseSequence", convert_reverse_sequence, TFL_REVERSE_SEQUENCE, NUMBERS | BYTE},
    {"Concat", convert_concat, TFL_CONCATENATION, MOVED, 1, .data = 1},
    {"ConcatV2", convert_concat, TFL_CONCATENATION, MOVED},
    {"Pack", convert_pack, TFL_PACK, MOVED},
    {"Split", convert_split, TFL_SPLIT, FLOAT | INT32 | BYTE | CNNFI_TFL_OF_SHORT, .data = 1},
    {"SplitV", convert_split_v, TFL_SPLIT_V, NUMBERS | BYTE | CNNFI_TFL_OF_SHORT},
    {"Unpack", convert_unpack, TFL_UNPACK, FLOAT | INT32 | BYTE | CNNFI_TFL_OF_BOOL | CNNFI_TFL_OF_SHORT},
    {"Pad", convert_pad, TFL_PAD, NUMBERS | BYTE, .axes = 5},
    {"PadV2", convert_pad, TFL_PADV2, NUMBERS | BYTE, .axes = 5},
    {"MirrorPad", convert_mirror_pad, TFL_MIRROR_PAD, NUMBERS | BYTE},
    {"Gather", convert_gather, TFL_GATHER, MOVED},
    {"GatherV2", convert_gather, TFL_GATHER, MOVED},
    {"GatherNd", convert_gather_nd, TFL_GATHER_ND, MOVED},
    {"ScatterNd", convert_scatter_nd, TFL_SCATTER_ND, NUMBERS | BYTE | CNNFI_TFL_OF_BOOL, .data = 1},
    {"OneHot", convert_one_hot, TFL_ONE_HOT, NUMBERS | BYTE | CNNFI_TFL_OF_BOOL, .data = 2},
    {"Where", convert_where, TFL_WHERE, NUMBERS | BYTE | CNNFI_TFL_OF_BOOL},
    {"MatrixDiag", convert_matrix_diag, TFL_MATRIX_DIAG, NUMBERS | BYTE},
    {"MatrixSetDiag", convert_matrix_set_diag, TFL_MATRIX_SET_DIAG, NUMBERS | BYTE},
    {NULL, NULL},
};
/* clang-format on */
