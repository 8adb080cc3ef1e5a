/* SPDX-License-Identifier: Apache-2.0 */
/* A graph's variables meet a checkpoint's tensors. */
#include <cnnfreeze/loader.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "base/num.h"
#include "graph/builder.h"
#include "loader/checkpoint/checkpoint_impl.h"
#include "loader/checkpoint/restore_map.h"
#include "loader/load_options.h"

/* How many missing variables are told with the names near theirs: each is looked for among all of the checkpoint. */
#define MOST_NEAR 32

typedef struct binder {
    const cnnf_graph *graph;
    const cnnf_checkpoint *checkpoint;
    cnnfi_builder *builder;
    cnnfi_restore_map restore;
    cnnfi_strbuf mismatches;
    size_t n_mismatches, n_missing;
    cnnfi_budget *budget;
    bool saver_first; /* restore ops say more than names */
    bool forgiving;   /* what does not fit stays unbound */
} binder;

static const char *string_attr(const cnnf_node *node, const char *key)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, key);
    return attr && attr->kind == CNNF_ATTR_STRING && attr->u.s.size ? (const char *)attr->u.s.data : NULL;
}

static int64_t find(const binder *b, const char *name)
{
    return name && *name ? cnnfi_checkpoint_find_variable(b->checkpoint, name) : -1;
}

/*
 * A MetaGraph's or SavedModel's Saver says which tensor a variable is restored from; it comes first
 * there, as in TensorFlow's restore. A bare GraphDef goes by name first, as freeze_graph does.
 */
static int64_t find_value(const binder *b, const cnnf_node *node, const char **slice)
{
    const cnnfi_restore_item *restore = &b->restore.items[node->index];
    const int64_t restored = find(b, restore->key), named = find(b, node->name);
    if (restored >= 0 && (b->saver_first || named < 0)) {
        *slice = restore->slice;
        return restored;
    }
    *slice = "";
    if (named >= 0) return named;
    return find(b, string_attr(node, "shared_name"));
}

/* ---- partitions: shape_and_slices, "10 4 0,5:0,4" or "10 4 0,5:-" ---- */

static bool take_number(const char **at, int64_t *out)
{
    size_t n = 0;
    while ((*at)[n] >= '0' && (*at)[n] <= '9')
        n++;
    if (!cnnfi_parse_i64(*at, n, out)) return false;
    *at += n;
    return true;
}

static bool take_extent(const char **at, int64_t dim, cnnfi_extent *extent)
{
    int64_t end;
    if (**at == '-') {
        ++*at;
        *extent = (cnnfi_extent){0, -1};
        return true;
    }
    if (!take_number(at, &extent->start) || *(*at)++ != ',') return false;
    if (!take_number(at, &extent->length)) return false;
    return cnnfi_add_i64(&end, extent->start, extent->length) && end <= dim;
}

static bool parse_slice(const char *text, const cnnf_tensor *whole, cnnfi_extent *extents)
{
    const int32_t rank = cnnf_tensor_rank(whole);
    int64_t dim;
    for (int32_t i = 0; i < rank; i++, text++) {
        if (!take_number(&text, &dim) || dim != cnnf_tensor_dim(whole, i) || *text != ' ') return false;
    }
    for (int32_t i = 0; i < rank; i++) {
        if (i && *text++ != ':') return false;
        if (!take_extent(&text, cnnf_tensor_dim(whole, i), &extents[i])) return false;
    }
    return *text == '\0';
}

static cnnf_status cut_slice(cnnf_tensor **out, const cnnf_tensor *whole, const cnnfi_extent *extents,
                             cnnf_error *error)
{
    int64_t dims[CNNFI_MAX_RANK];
    const int32_t rank = cnnf_tensor_rank(whole);
    cnnf_tensor *loaded = NULL, *part = NULL;
    for (int32_t i = 0; i < rank; i++)
        dims[i] = extents[i].length < 0 ? cnnf_tensor_dim(whole, i) : extents[i].length;
    cnnf_status status = cnnf_tensor_load(&loaded, whole, error);
    if (status == CNNF_OK)
        status = cnnf_tensor_new(&part, cnnfi_tensor_context(whole), cnnf_tensor_dtype(whole), rank, dims, error);
    if (status == CNNF_OK)
        cnnfi_slice_gather(cnnf_tensor_data_mut(part), cnnf_tensor_data(loaded), extents, rank,
                           cnnfi_tensor_dims(whole), cnnf_dtype_size(cnnf_tensor_dtype(whole)));
    cnnf_tensor_unref(loaded);
    *out = part;
    return status;
}

/* *out is a new reference. */
static cnnf_status take_part(cnnf_tensor **out, const cnnf_tensor *whole, const char *slice, const char *name,
                             cnnf_error *error)
{
    cnnfi_extent extents[CNNFI_MAX_RANK];
    if (!*slice) {
        *out = cnnf_tensor_ref(whole);
        return CNNF_OK;
    }
    if (cnnf_dtype_size(cnnf_tensor_dtype(whole)) == 0 || !parse_slice(slice, whole, extents))
        return cnnfi_fail(error, CNNF_E_MISMATCH, "'%s': its slice '%s' does not fit the checkpoint's tensor", name,
                          slice);
    return cut_slice(out, whole, extents, error);
}

/* ---- fitting ---- */

/* Unknown dimensions of the graph's variable fit anything. */
static bool shape_fits(const cnnf_node *node, const cnnf_tensor *tensor)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, "shape");
    if (!attr || attr->kind != CNNF_ATTR_SHAPE || attr->u.shape.rank < 0) return true;
    if (attr->u.shape.rank != cnnf_tensor_rank(tensor)) return false;
    for (int32_t i = 0; i < attr->u.shape.rank; i++) {
        if (attr->u.shape.dims[i] >= 0 && attr->u.shape.dims[i] != cnnf_tensor_dim(tensor, i)) return false;
    }
    return true;
}

static bool fits(const cnnf_node *node, const cnnf_tensor *tensor)
{
    const cnnf_dtype dtype = cnnfi_node_type(node, "dtype");
    return (dtype == 0 || dtype == cnnf_tensor_dtype(tensor)) && shape_fits(node, tensor);
}

static void add_mismatch(binder *b, const cnnf_node *node, const cnnf_tensor *tensor)
{
    char wanted[128] = "", found[128];
    const cnnfi_attr *attr = cnnfi_node_attr(node, "shape");
    const cnnf_dtype dtype = cnnfi_node_type(node, "dtype");
    if (attr && attr->kind == CNNF_ATTR_SHAPE)
        cnnfi_shape_print(wanted, sizeof wanted, attr->u.shape.rank, attr->u.shape.dims);
    cnnfi_shape_print(found, sizeof found, cnnf_tensor_rank(tensor), cnnfi_tensor_dims(tensor));
    cnnfi_strbuf_printf(&b->mismatches, "%s'%s' is %s%s in the graph, %s%s in the checkpoint",
                        b->n_mismatches ? "; " : "", node->name,
                        cnnf_dtype_name(dtype ? dtype : cnnf_tensor_dtype(tensor)), wanted,
                        cnnf_dtype_name(cnnf_tensor_dtype(tensor)), found);
    b->n_mismatches++;
}

/* The same for one variable of many: it is told when an output turns out to need it. */
static void note_mismatch(binder *b, const cnnf_node *node, const cnnf_tensor *tensor, cnnf_node *copy)
{
    add_mismatch(b, node, tensor);
    copy->unbound = b->mismatches.failed
                        ? NULL
                        : cnnfi_builder_printf(b->builder, "%s: %s", b->checkpoint->path, b->mismatches.data);
    b->mismatches.size = 0;
    b->n_mismatches = 0;
}

static void note_missing(binder *b, cnnf_node *copy)
{
    char near[512] = "";
    if (b->n_missing++ < MOST_NEAR) cnnfi_checkpoint_nearest(near, sizeof near, b->checkpoint, copy->name);
    copy->unbound = cnnfi_builder_printf(b->builder, "'%s' is not in checkpoint %s%s%s", copy->name,
                                         b->checkpoint->path, *near ? "; nearest: " : "", near);
}

static cnnf_status bind_variable(binder *b, const cnnf_node *node, cnnf_error *error)
{
    const char *slice;
    const cnnf_tensor *tensor = NULL;
    cnnf_tensor *value = NULL;
    cnnf_node *copy = cnnfi_builder_node(b->builder, (size_t)node->index);
    const int64_t index = find_value(b, node, &slice);
    if (index < 0) {
        if (!node->value) note_missing(b, copy);
        return CNNF_OK;
    }
    CNNFI_TRY(cnnfi_checkpoint_use(&tensor, b->checkpoint, index, error));
    CNNFI_TRY(take_part(&value, tensor, slice, node->name, error));
    if (fits(node, value)) {
        cnnfi_node_set_value(b->builder, copy, value);
        copy->unbound = NULL;
    } else if (b->forgiving) {
        note_mismatch(b, node, value, copy);
    } else {
        add_mismatch(b, node, value);
    }
    cnnf_tensor_unref(value);
    return CNNF_OK;
}

static cnnf_status bind_all(binder *b, cnnf_error *error)
{
    CNNFI_TRY(cnnfi_builder_status(b->builder) == CNNF_OK ? CNNF_OK : cnnfi_fail_nomem(error));
    for (size_t i = 0; i < b->graph->n_nodes; i++) {
        CNNFI_TRY(cnnfi_budget_spend(b->budget, 1, error));
        if (cnnfi_op_is_variable(b->graph->nodes[i]->op)) CNNFI_TRY(bind_variable(b, b->graph->nodes[i], error));
    }
    if (b->n_mismatches == 0) return CNNF_OK;
    if (b->mismatches.failed) return cnnfi_fail_nomem(error);
    return cnnfi_fail(error, CNNF_E_MISMATCH, "%s: %zu variables do not fit: %s", b->checkpoint->path, b->n_mismatches,
                      b->mismatches.data);
}

cnnf_status cnnf_bind_checkpoint(cnnf_graph **out, const cnnf_graph *graph, const char *path,
                                 const cnnf_load_options *options, cnnf_error *error)
{
    cnnf_error_clear(error);
    cnnf_checkpoint *checkpoint = NULL;
    char *restore_op = NULL;
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_bind_checkpoint: out is NULL");
    *out = NULL;
    if (!graph || !path) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_bind_checkpoint: NULL argument");
    if (options && options->saver_file) {
        CNNFI_TRY(cnnfi_saver_restore_op(&restore_op, graph->context, options->saver_file, error));
    }
    cnnfi_load_call call;
    options = cnnfi_load_begin(&call, graph->context, options);
    cnnf_status status = cnnfi_checkpoint_open(&checkpoint, graph->context, path, cnnfi_load_budget(options), error);
    binder b = {.graph = graph,
                .checkpoint = checkpoint,
                .budget = cnnfi_load_budget(options),
                .saver_first = restore_op || graph->meta.saver_restore_op || graph->n_functions,
                .forgiving = graph->n_functions > 0};
    cnnfi_strbuf_init(&b.mismatches, graph->context);
    if (status == CNNF_OK) status = cnnfi_restore_map_init(&b.restore, graph, restore_op, error);
    if (status == CNNF_OK) {
        status = cnnfi_builder_from(&b.builder, graph, error);
        if (status == CNNF_OK) status = bind_all(&b, error);
        cnnfi_restore_map_free(&b.restore);
    }
    if (status == CNNF_OK)
        status = cnnfi_builder_publish(out, b.builder, error);
    else
        cnnfi_builder_free(b.builder);
    cnnfi_strbuf_free(&b.mismatches);
    cnnf_checkpoint_unref(checkpoint);
    cnnfi_free(graph->context, restore_op);
    return status;
}
