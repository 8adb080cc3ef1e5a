/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/rewrite/target_kernels.h"

#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/tensor.h"

/* The last release that was seen to refuse both on the CPU. */
#define LAST_WITHOUT_KERNELS 115
/* Nobody splits further; each is a node. */
#define MAX_GROUPS 4096

static cnnf_node *add(const cnnfi_lowering *l, const char *op, const char *suffix)
{
    const char *name = cnnfi_edit_unique(l->edit, "%s/%s", l->node->name, suffix);
    return name ? cnnfi_edit_add(l->edit, op, name) : NULL;
}

static cnnf_node *constant(const cnnfi_lowering *l, const char *suffix, int32_t rank, int64_t count,
                           const int32_t *values)
{
    cnnfi_builder *b = l->edit->b;
    cnnf_tensor *tensor = NULL;
    if (b->status) return NULL;
    b->status = cnnfi_tensor_copy(&tensor, b->graph->context, CNNF_INT32, rank, &count, values, b->error);
    cnnf_node *node = cnnfi_edit_const(l->edit, tensor, "%s/%s", l->node->name, suffix);
    cnnf_tensor_unref(tensor);
    return node;
}

/* The node's twin, with its inputs and what it waits for. */
static cnnf_node *twin(const cnnfi_lowering *l, const char *suffix)
{
    const char *name = cnnfi_edit_unique(l->edit, "%s/%s", l->node->name, suffix);
    cnnf_node *copy = name ? cnnfi_edit_copy(l->edit, l->node, name) : NULL;
    for (size_t i = 0; copy && i < l->node->n_inputs; i++) {
        const cnnfi_edge end = cnnfi_edit_input(l->node, i);
        if (end.port != CNNFI_PORT_CONTROL)
            cnnfi_edit_add_input(l->edit, copy, end);
        else
            cnnfi_edit_add_control(l->edit, copy, cnnfi_edit_node(l->edit, end.node));
    }
    return copy;
}

/* ---- convolutions in groups ---- */

static cnnf_node *split(const cnnfi_lowering *l, const char *suffix, size_t input, int32_t axis, int64_t groups)
{
    char axis_name[64];
    (void)snprintf(axis_name, sizeof axis_name, "%s/split_dim", suffix);
    const cnnfi_edge from = cnnfi_edit_input(l->node, input);
    cnnf_node *dim = constant(l, axis_name, 0, 1, &axis), *node = add(l, "Split", suffix);
    cnnfi_edit_add_input(l->edit, node, cnnfi_end(dim, 0));
    cnnfi_edit_add_input(l->edit, node, from);
    cnnfi_node_set_type(l->edit->b, node, "T", cnnfi_node_type(l->node, "T"));
    cnnfi_node_set_int(l->edit->b, node, "num_split", groups);
    return node;
}

/* x [..., groups * c], filter [..., c, groups * f]: how many groups; 1 when that is not known. */
static int64_t groups_of(const cnnfi_lowering *l, cnnfi_shapes *shapes, int32_t axis)
{
    const cnnfi_value x = cnnfi_shape_of_input(shapes, l->node, 0), filter = cnnfi_shape_of_input(shapes, l->node, 1);
    if (x.rank <= axis || filter.rank != x.rank) return 1;
    const int64_t channels = x.dims[axis], depth = filter.dims[filter.rank - 2], all = filter.dims[filter.rank - 1];
    if (channels <= 0 || depth <= 0 || all <= 0 || channels % depth != 0) return 1;
    const int64_t groups = channels / depth;
    return groups <= MAX_GROUPS && all % groups == 0 ? groups : 1;
}

static bool in_groups(const cnnfi_lowering *l, cnnfi_shapes *shapes)
{
    cnnfi_edit *edit = l->edit;
    const int32_t rank = strcmp(l->node->op, "Conv3D") == 0 ? 5 : 4;
    const bool first = cnnfi_node_string_is(l->node, "data_format", rank == 5 ? "NCDHW" : "NCHW");
    const int32_t axis = first ? 1 : rank - 1;
    const int64_t groups = groups_of(l, shapes, axis);
    if (groups < 2) return false;
    const uint64_t limit = cnnfi_limit(edit->b->graph->context, CNNF_LIMIT_NODES);
    if (edit->count + (uint64_t)groups + 5 > limit) {
        cnnfi_builder_fail_at(edit->b, CNNF_E_LIMIT, l->node->name,
                              "node '%s': split in %lld groups the graph has more "
                              "than %llu nodes",
                              l->node->name, (long long)groups, (unsigned long long)limit);
        return false;
    }
    cnnf_node *image = split(l, "split", 0, axis, groups), *filter = split(l, "filter", 1, rank - 1, groups);
    cnnf_node **parts = cnnfi_edit_array(edit, (size_t)groups, sizeof *parts);
    for (int64_t i = 0; parts && i < groups; i++) {
        parts[i] = twin(l, "group");
        cnnfi_edit_set_input(edit, parts[i], 0, cnnfi_end(image, (int32_t)i));
        cnnfi_edit_set_input(edit, parts[i], 1, cnnfi_end(filter, (int32_t)i));
    }
    const cnnf_dtype dtype = cnnfi_node_type(l->node, "T");
    cnnf_node *last = constant(l, "axis", 0, 1, &axis);
    if (edit->b->status) return false;
    cnnfi_edit_reset(edit, l->node, "ConcatV2");
    for (int64_t i = 0; i < groups; i++)
        cnnfi_edit_add_input(edit, l->node, cnnfi_end(parts[i], 0));
    cnnfi_edit_add_input(edit, l->node, cnnfi_end(last, 0));
    cnnfi_node_set_int(edit->b, l->node, "N", groups);
    cnnfi_node_set_type(edit->b, l->node, "T", dtype);
    cnnfi_node_set_type(edit->b, l->node, "Tidx", CNNF_INT32);
    return true;
}

/* ---- batch normalisation of NCHW, and of five dimensions ---- */

/* `node` becomes Transpose(x, order). */
static void make_transpose(const cnnfi_lowering *l, cnnf_node *node, cnnfi_edge x, const char *suffix, int32_t rank,
                           const int32_t *order)
{
    cnnf_node *perm = constant(l, suffix, 1, rank, order);
    cnnfi_edit_add_input(l->edit, node, x);
    cnnfi_edit_add_input(l->edit, node, cnnfi_end(perm, 0));
    cnnfi_node_set_type(l->edit->b, node, "T", CNNF_FLOAT);
    cnnfi_node_set_type(l->edit->b, node, "Tperm", CNNF_INT32);
}

static void make_reshape(const cnnfi_lowering *l, cnnf_node *node, cnnfi_edge x, cnnf_node *shape)
{
    cnnfi_edit_add_input(l->edit, node, x);
    cnnfi_edit_add_input(l->edit, node, cnnfi_end(shape, 0));
    cnnfi_node_set_type(l->edit->b, node, "T", CNNF_FLOAT);
    cnnfi_node_set_type(l->edit->b, node, "Tshape", CNNF_INT32);
}

/* The twin that normalises `x` [..., channels]; what reads the statistics reads its. */
static cnnf_node *norm_of(const cnnfi_lowering *l, cnnfi_edge x)
{
    cnnfi_edit *edit = l->edit;
    cnnf_node *norm = twin(l, "NHWC");
    cnnfi_edit_set_input(edit, norm, 0, x);
    cnnfi_node_set_string(edit->b, norm, "data_format", "NHWC");
    for (int32_t port = 1; port < 6 && norm; port++)
        cnnfi_edit_redirect(edit, l->node, port, cnnfi_end(norm, port), NULL);
    return norm;
}

/* The statistics are taken over all but the channels: a list of pixels [1, 1, n, channels] has the same. */
static cnnfi_edge flat_norm(const cnnfi_lowering *l, cnnfi_edge x, int32_t channels)
{
    const int32_t dims[] = {1, 1, -1, channels};
    cnnf_node *flat = add(l, "Reshape", "pixels");
    make_reshape(l, flat, x, constant(l, "pixels/shape", 1, 4, dims));
    return cnnfi_end(norm_of(l, cnnfi_end(flat, 0)), 0);
}

static cnnf_node *shape_of(const cnnfi_lowering *l, cnnfi_edge x)
{
    cnnf_node *shape = add(l, "Shape", "Shape");
    cnnfi_edit_add_input(l->edit, shape, x);
    cnnfi_node_set_type(l->edit->b, shape, "T", CNNF_FLOAT);
    cnnfi_node_set_type(l->edit->b, shape, "out_type", CNNF_INT32);
    return shape;
}

static bool normalisation(const cnnfi_lowering *l, cnnfi_shapes *shapes)
{
    static const int32_t to_last[2][5] = {{0, 2, 3, 1}, {0, 2, 3, 4, 1}},
                         to_first[2][5] = {{0, 3, 1, 2}, {0, 4, 1, 2, 3}};
    cnnfi_edit *edit = l->edit;
    const bool five =
        cnnfi_node_string_is(l->node, "data_format", "NCDHW") || cnnfi_node_string_is(l->node, "data_format", "NDHWC");
    const bool first =
        cnnfi_node_string_is(l->node, "data_format", "NCHW") || cnnfi_node_string_is(l->node, "data_format", "NCDHW");
    const cnnfi_value scale = cnnfi_shape_of_input(shapes, l->node, 1);
    if ((!five && !first) || cnnfi_node_type(l->node, "T") != CNNF_FLOAT) return false;
    if (five && (scale.rank != 1 || scale.dims[0] < 0 || scale.dims[0] > INT32_MAX)) return false;
    const int32_t rank = five ? 5 : 4;
    cnnfi_edge x = cnnfi_edit_input(l->node, 0), y;
    if (first) {
        cnnf_node *before = add(l, "Transpose", "transpose");
        make_transpose(l, before, x, "transpose/perm", rank, to_last[five]);
        x = cnnfi_end(before, 0);
    }
    y = five ? flat_norm(l, x, (int32_t)scale.dims[0]) : cnnfi_end(norm_of(l, x), 0);
    cnnf_node *after = l->node, *shape = five ? shape_of(l, x) : NULL;
    if (five && first) after = add(l, "Reshape", "voxels");
    if (edit->b->status) return false;
    cnnfi_edit_reset(edit, l->node, first ? "Transpose" : "Reshape");
    if (five) {
        make_reshape(l, after, y, shape);
        y = cnnfi_end(after, 0);
    }
    if (first) make_transpose(l, l->node, y, "perm", rank, to_first[five]);
    return !edit->b->status;
}

static const struct {
    const char *op;
    bool (*lower)(const cnnfi_lowering *l, cnnfi_shapes *shapes);
} rows[] = {
    {"Conv2D", in_groups},
    {"Conv3D", in_groups},
    {"FusedBatchNorm", normalisation},
    {"FusedBatchNormV2", normalisation},
    {"FusedBatchNormV3", normalisation},
};

bool cnnfi_lower_kernel(const cnnfi_lowering *l, cnnfi_shapes *shapes)
{
    if (l->in_function || l->release > LAST_WITHOUT_KERNELS || l->edit->b->status) return false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].op, l->node->op) == 0) return rows[i].lower(l, shapes);
    }
    return false;
}
