/* SPDX-License-Identifier: Apache-2.0 */
/* Geometry of sliding windows, sizes known or not: see window.h. */
#include "ops/window.h"

#include <string.h>

/* ---- data formats ---- */

cnnf_status cnnfi_data_format(cnnfi_call *call, int32_t spatial, bool *channels_first)
{
    static const char *const last[] = {"NWC", "NHWC", "NDHWC"}, *const first[] = {"NCW", "NCHW", "NCDHW"};
    const char *format = cnnf_node_attr_string(NULL, call->node, "data_format");
    *channels_first = format && strcmp(format, first[spatial - 1]) == 0;
    /* An empty string is TensorFlow's default too. */
    if (!format || !*format || *channels_first || strcmp(format, last[spatial - 1]) == 0) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "data_format %s", format);
}

bool cnnfi_format_is_vectorized(const cnnfi_call *call)
{
    const char *format = cnnf_node_attr_string(NULL, call->node, "data_format");
    return format && strcmp(format, "NCHW_VECT_C") == 0;
}

int32_t cnnfi_channel_axis(const cnnfi_call *call, int32_t rank)
{
    const char *format = cnnf_node_attr_string(NULL, call->node, "data_format");
    if (rank == CNNFI_UNKNOWN) return CNNFI_UNKNOWN;
    return format && strncmp(format, "NC", 2) == 0 ? 1 : rank - 1;
}

/* Position of spatial axis `axis` (0 .. spatial-1) in a data tensor. */
static int32_t axis_at(const cnnfi_window *w, int32_t axis)
{
    return axis + (w->channels_first ? 2 : 1);
}

static int32_t channel_at(const cnnfi_window *w)
{
    return w->channels_first ? 1 : w->spatial + 1;
}

/* ---- step by step ---- */

cnnf_status cnnfi_window_data(cnnfi_call *call, cnnfi_window *w, int32_t spatial, int32_t rank, const int64_t *dims)
{
    *w = (cnnfi_window){.spatial = spatial, .depth = 1};
    CNNFI_TRY(cnnfi_data_format(call, spatial, &w->channels_first));
    if (rank != CNNFI_UNKNOWN && rank != spatial + 2) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "data has rank %d, needs %d", (int)rank, (int)spatial + 2);
    }
    const bool known = rank != CNNFI_UNKNOWN;
    w->batch = known ? dims[0] : CNNFI_UNKNOWN;
    w->in_channels = known ? dims[channel_at(w)] : CNNFI_UNKNOWN;
    for (int32_t i = 0; i < 3; i++) {
        const int32_t axis = i - (3 - spatial);
        w->in[i] = axis < 0 ? 1 : known ? dims[axis_at(w, axis)] : CNNFI_UNKNOWN;
        w->filter[i] = w->stride[i] = w->dilation[i] = 1;
    }
    return CNNF_OK;
}

/* values: [spatial + 2], one number for each axis of the data; *depth: the channels' (NULL: must be 1). */
static cnnf_status spread(cnnfi_call *call, const cnnfi_window *w, const char *key, const int64_t *values, int64_t *out,
                          int64_t *depth)
{
    for (int32_t i = 0; i < 3; i++)
        out[i] = 1;
    for (int32_t k = 0; k < w->spatial + 2; k++) {
        const int64_t value = values[k];
        const int32_t axis = k - axis_at(w, 0);
        const bool is_spatial = axis >= 0 && axis < w->spatial;
        if (value < 1 || value > INT32_MAX) {
            return cnnfi_call_fail(call, CNNF_E_CORRUPT, "%s[%d] is %lld, must be >= 1", key, (int)k, (long long)value);
        }
        if (is_spatial) {
            out[axis + 3 - w->spatial] = value;
        } else if (depth && k == channel_at(w)) {
            *depth = value;
        } else if (value != 1) {
            return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "%s[%d] is %lld: only 1 over batch and channels", key,
                                   (int)k, (long long)value);
        }
    }
    return CNNF_OK;
}

/* The numbers of a list attribute that has one for each axis of the data. */
static cnnf_status read_list(cnnfi_call *call, const cnnfi_window *w, const char *key, int64_t values[5])
{
    const int64_t count = cnnf_node_attr_list_count(call->node, key);
    if (count != w->spatial + 2) {
        return cnnfi_call_fail(call, CNNF_E_CORRUPT, "%s has %lld numbers, needs %d", key,
                               (long long)(count < 0 ? 0 : count), (int)w->spatial + 2);
    }
    for (int32_t k = 0; k < count; k++)
        values[k] = cnnf_node_attr_list_int(call->node, key, k, 0);
    return CNNF_OK;
}

cnnf_status cnnfi_window_list(cnnfi_call *call, const cnnfi_window *w, const char *key, int64_t out[3])
{
    int64_t values[5];
    CNNFI_TRY(read_list(call, w, key, values));
    return spread(call, w, key, values, out, NULL);
}

/* Graphs from before dilated convolutions have no `dilations`. */
cnnf_status cnnfi_window_strides(cnnfi_call *call, cnnfi_window *w, bool dilations)
{
    CNNFI_TRY(cnnfi_window_list(call, w, "strides", w->stride));
    if (!dilations || cnnf_node_attr_list_count(call->node, "dilations") < 0) return CNNF_OK;
    return cnnfi_window_list(call, w, "dilations", w->dilation);
}

/* explicit_paddings: [spatial + 2][before, after], those of batch and channels 0. */
static cnnf_status explicit_padding(cnnfi_call *call, cnnfi_window *w)
{
    const int64_t count = cnnf_node_attr_list_count(call->node, "explicit_paddings");
    if (count != 2 * (w->spatial + 2)) {
        return cnnfi_call_fail(call, CNNF_E_CORRUPT, "explicit_paddings has %lld numbers, needs %d",
                               (long long)(count < 0 ? 0 : count), 2 * ((int)w->spatial + 2));
    }
    for (int32_t k = 0; k < count; k++) {
        const int64_t value = cnnf_node_attr_list_int(call->node, "explicit_paddings", k, -1);
        const int32_t axis = k / 2 - axis_at(w, 0);
        const bool is_spatial = axis >= 0 && axis < w->spatial;
        if (value < 0 || value > INT32_MAX || (!is_spatial && value != 0)) {
            return cnnfi_call_fail(call, CNNF_E_CORRUPT, "explicit_paddings[%d] is %lld", (int)k, (long long)value);
        }
        if (is_spatial) (k % 2 == 0 ? w->before : w->after)[axis + 3 - w->spatial] = value;
    }
    return CNNF_OK;
}

/* What is missing goes around the picture, the odd element behind it. */
static void pad_same(cnnfi_window *w, int32_t i, int64_t reach)
{
    w->out[i] = cnnfi_dim_div(cnnfi_dim_add(w->in[i], w->stride[i] - 1), w->stride[i]);
    w->before[i] = w->after[i] = CNNFI_UNKNOWN;
    if (w->in[i] == CNNFI_UNKNOWN || reach == CNNFI_UNKNOWN) return;
    const int64_t total = (w->out[i] - 1) * w->stride[i] - w->in[i] + reach;
    w->before[i] = total > 0 ? total / 2 : 0;
    w->after[i] = total > 0 ? total - total / 2 : 0;
}

/* A picture that is too small by less than the stride has no window (TensorFlow's kernels divide towards zero; its
   shape functions refuse it, but where the size is not known until it runs nobody asks them). */
static cnnf_status pad_given(cnnfi_call *call, cnnfi_window *w, int32_t i, int64_t reach)
{
    const int64_t padded = cnnfi_dim_add(w->in[i], w->before[i] + w->after[i]);
    w->out[i] = CNNFI_UNKNOWN;
    if (padded == CNNFI_UNKNOWN || reach == CNNFI_UNKNOWN) return CNNF_OK;
    const int64_t steps = (padded - reach) / w->stride[i]; /* from the first window on; both are not negative */
    if (padded < reach - w->stride[i]) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "a window of %lld does not fit into %lld", (long long)reach,
                               (long long)padded);
    }
    w->out[i] = padded < reach ? 0 : steps + 1;
    return CNNF_OK;
}

cnnf_status cnnfi_window_padding(cnnfi_call *call, cnnfi_window *w)
{
    const char *padding = cnnf_node_attr_string(NULL, call->node, "padding");
    const bool same = padding && strcmp(padding, "SAME") == 0, given = padding && strcmp(padding, "EXPLICIT") == 0;
    if (!same && !given && (!padding || strcmp(padding, "VALID") != 0)) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "padding %s", padding ? padding : "is missing");
    }
    if (given) CNNFI_TRY(explicit_padding(call, w));
    if (!given && cnnf_node_attr_list_count(call->node, "explicit_paddings") > 0) {
        return cnnfi_call_fail(call, CNNF_E_CORRUPT, "explicit_paddings is for padding EXPLICIT, not %s", padding);
    }
    for (int32_t i = 0; i < 3; i++) {
        const int64_t beside = w->filter[i] == CNNFI_UNKNOWN ? CNNFI_UNKNOWN : w->filter[i] - 1;
        const int64_t reach = cnnfi_dim_add(cnnfi_dim_mul(beside, w->dilation[i]), 1);
        if (same)
            pad_same(w, i, reach);
        else
            CNNFI_TRY(pad_given(call, w, i, reach));
    }
    return CNNF_OK;
}

static void set_strides(int64_t *strides, bool channels_first, const int64_t *size, int64_t channels)
{
    const int64_t pixel = channels_first ? 1 : channels;
    strides[3] = pixel;
    strides[2] = size[2] * pixel;
    strides[1] = size[1] * strides[2];
    strides[0] = size[0] * size[1] * size[2] * channels;
    strides[4] = channels_first ? size[0] * size[1] * size[2] : 1;
}

void cnnfi_window_layout(cnnfi_window *w)
{
    set_strides(w->in_strides, w->channels_first, w->in, w->in_channels);
    set_strides(w->out_strides, w->channels_first, w->out, w->out_channels);
}

int32_t cnnfi_window_dims(const cnnfi_window *w, const int64_t size[3], int64_t channels, int64_t dims[5])
{
    dims[0] = w->batch;
    dims[channel_at(w)] = channels;
    for (int32_t i = 0; i < w->spatial; i++)
        dims[axis_at(w, i)] = size[i + 3 - w->spatial];
    return w->spatial + 2;
}

/* ---- pools ---- */

/* ksize or strides, an attribute or (input >= 0) an input's numbers. */
static cnnf_status read_pool_sizes(cnnfi_call *call, const cnnfi_window *w, const char *key, int32_t input,
                                   int64_t *out, int64_t *depth)
{
    int64_t values[5];
    if (input < 0)
        CNNFI_TRY(read_list(call, w, key, values));
    else
        CNNFI_TRY(cnnfi_call_ints_exact(call, input, values, w->spatial + 2));
    return spread(call, w, key, values, out, depth);
}

/* Maxima over channels (maxout) are those of neighbours that do not overlap, of single pixels
   (pooling_ops_common.cc). */
static cnnf_status join_channels(cnnfi_call *call, cnnfi_window *w, int64_t stride)
{
    const char *op = call->node->op;
    const bool may = strcmp(op, "MaxPool") == 0 || strcmp(op, "MaxPoolV2") == 0;
    w->out_channels = w->in_channels;
    if (w->depth == 1 && stride == 1) return CNNF_OK;
    if (!may || w->filter[1] != 1 || w->filter[2] != 1) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "a window of %lld channels", (long long)w->depth);
    }
    if (stride != w->depth || (w->in_channels != CNNFI_UNKNOWN && w->in_channels % w->depth != 0)) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "%lld channels in windows of %lld, strides of %lld",
                               (long long)w->in_channels, (long long)w->depth, (long long)stride);
    }
    w->out_channels = cnnfi_dim_div(w->in_channels, w->depth);
    return CNNF_OK;
}

/* A window that lay in the padding alone would have no maximum. */
static cnnf_status check_padded(cnnfi_call *call, const cnnfi_window *w)
{
    for (int32_t i = 0; i < 3; i++) {
        if (w->before[i] < w->filter[i] && w->after[i] < w->filter[i]) continue;
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "explicit_paddings are not smaller than a window of %lld",
                               (long long)w->filter[i]);
    }
    return CNNF_OK;
}

cnnf_status cnnfi_window_pool(cnnfi_call *call, cnnfi_window *w, int32_t spatial)
{
    const cnnfi_value *x = &call->inputs[0];
    const bool v2 = strcmp(call->node->op, "MaxPoolV2") == 0;
    int64_t stride = 1;
    CNNFI_TRY(cnnfi_window_data(call, w, spatial, x->rank, x->dims));
    CNNFI_TRY(read_pool_sizes(call, w, "ksize", v2 ? 1 : -1, w->filter, &w->depth));
    CNNFI_TRY(read_pool_sizes(call, w, "strides", v2 ? 2 : -1, w->stride, &stride));
    CNNFI_TRY(cnnfi_window_padding(call, w));
    CNNFI_TRY(check_padded(call, w));
    return join_channels(call, w, stride);
}

/* ---- patches, dilations ---- */

cnnf_status cnnfi_window_patches(cnnfi_call *call, cnnfi_window *w, int32_t spatial)
{
    const cnnfi_value *x = &call->inputs[0];
    CNNFI_TRY(cnnfi_window_data(call, w, spatial, x->rank, x->dims));
    CNNFI_TRY(cnnfi_window_list(call, w, "ksizes", w->filter));
    CNNFI_TRY(cnnfi_window_list(call, w, "strides", w->stride));
    if (spatial == 2) CNNFI_TRY(cnnfi_window_list(call, w, "rates", w->dilation)); /* volumes have none */
    CNNFI_TRY(cnnfi_window_padding(call, w));
    w->out_channels = w->in_channels;
    for (int32_t i = 0; i < 3; i++)
        w->out_channels = cnnfi_dim_mul(w->out_channels, w->filter[i]);
    return CNNF_OK;
}

/* filter: [rows, columns, channels] */
cnnf_status cnnfi_window_dilation(cnnfi_call *call, cnnfi_window *w)
{
    const cnnfi_value *x = &call->inputs[0], *f = &call->inputs[1];
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 3));
    CNNFI_TRY(cnnfi_window_data(call, w, 2, x->rank, x->dims));
    CNNFI_TRY(cnnfi_window_list(call, w, "strides", w->stride));
    CNNFI_TRY(cnnfi_window_list(call, w, "rates", w->dilation));
    if (!cnnfi_dim_fits(w->in_channels, f->dims[2])) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input and filter differ in depth");
    }
    for (int32_t i = 0; i < 2; i++) {
        w->filter[1 + i] = f->dims[i];
        if (f->dims[i] != 0 && f->dims[i] <= INT32_MAX) continue;
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the filter has size %lld along axis %d", (long long)f->dims[i],
                               (int)i);
    }
    CNNFI_TRY(cnnfi_window_padding(call, w));
    w->in_channels = w->out_channels = cnnfi_dim_merge(w->in_channels, f->dims[2]);
    return CNNF_OK;
}
