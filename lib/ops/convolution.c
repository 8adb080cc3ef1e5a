/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions of both directions, sizes known or not: see convolution.h. */
#include "ops/convolution.h"

#include <string.h>

/* The spatial sizes of filter: [rows, columns (, planes), in, out]. */
static cnnf_status read_filter(cnnfi_call *call, cnnfi_window *w, const cnnfi_value *filter)
{
    if (filter->rank != CNNFI_UNKNOWN && filter->rank != w->spatial + 2) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the filter has rank %d, must be %d", (int)filter->rank,
                               (int)w->spatial + 2);
    }
    for (int32_t i = 0; i < w->spatial; i++) {
        const int64_t size = filter->dims[i];
        if (size == 0 || size > INT32_MAX) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the filter has size %lld along axis %d", (long long)size,
                                   (int)i);
        }
        w->filter[i + 3 - w->spatial] = size;
    }
    return CNNF_OK;
}

static cnnf_status check_groups(cnnfi_call *call, int64_t channels, int64_t filter_in, int64_t filter_out)
{
    if (filter_in == 0) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the filter takes no channels");
    if (channels == CNNFI_UNKNOWN || filter_in == CNNFI_UNKNOWN || filter_in == channels) return CNNF_OK;
    if (channels < filter_in || channels % filter_in != 0) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the filter takes %lld channels, the data has %lld",
                               (long long)filter_in, (long long)channels);
    }
    const int64_t groups = channels / filter_in;
    if (filter_out == CNNFI_UNKNOWN || filter_out % groups == 0) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld groups do not divide %lld output channels", (long long)groups,
                           (long long)filter_out);
}

static cnnf_status read_window(cnnfi_call *call, cnnfi_window *w, int32_t spatial, int32_t rank, const int64_t *dims,
                               const cnnfi_value *filter)
{
    CNNFI_TRY(cnnfi_window_data(call, w, spatial, rank, dims));
    CNNFI_TRY(read_filter(call, w, filter));
    CNNFI_TRY(cnnfi_window_strides(call, w, true));
    return cnnfi_window_padding(call, w);
}

cnnf_status cnnfi_convolution(cnnfi_call *call, cnnfi_window *w, int32_t spatial, const cnnfi_value *data,
                              const cnnfi_value *filter)
{
    CNNFI_TRY(read_window(call, w, spatial, data->rank, data->dims, filter));
    w->out_channels = filter->dims[spatial + 1];
    return check_groups(call, w->in_channels, filter->dims[spatial], w->out_channels);
}

cnnf_status cnnfi_convolution_depthwise(cnnfi_call *call, cnnfi_window *w, const cnnfi_value *data,
                                        const cnnfi_value *filter)
{
    CNNFI_TRY(read_window(call, w, 2, data->rank, data->dims, filter));
    if (!cnnfi_dim_fits(filter->dims[2], w->in_channels)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the filter takes %lld channels, the data has %lld",
                               (long long)filter->dims[2], (long long)w->in_channels);
    }
    w->in_channels = cnnfi_dim_merge(w->in_channels, filter->dims[2]);
    w->out_channels = cnnfi_dim_mul(w->in_channels, filter->dims[3]);
    return CNNF_OK;
}

/* ---- backwards ---- */

/* The filter's channels against those of both sides. */
static cnnf_status check_channels(cnnfi_call *call, cnnfi_window *w, const cnnfi_value *filter)
{
    const int64_t filter_in = filter->dims[w->spatial], filter_out = filter->dims[w->spatial + 1];
    if (strncmp(call->node->op, "Depthwise", 9) == 0) {
        const int64_t made = cnnfi_dim_mul(filter_in, filter_out);
        if (!cnnfi_dim_fits(filter_in, w->in_channels) || !cnnfi_dim_fits(made, w->out_channels) || filter_out == 0) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the filter's channels do not fit the data's");
        }
        w->in_channels = cnnfi_dim_merge(w->in_channels, filter_in);
        return CNNF_OK;
    }
    if (!cnnfi_dim_fits(filter_out, w->out_channels)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the filter gives %lld channels, the data has %lld",
                               (long long)filter_out, (long long)w->out_channels);
    }
    return check_groups(call, w->in_channels, filter_in, w->out_channels);
}

/* The window gives just as many places as the data has. */
static cnnf_status check_places(cnnfi_call *call, const cnnfi_window *w, const cnnfi_value *data)
{
    int64_t dims[5];
    const int32_t rank = cnnfi_window_dims(w, w->out, w->out_channels, dims);
    for (int32_t i = 0; i < rank && data->rank != CNNFI_UNKNOWN; i++) {
        if (cnnfi_dim_fits(dims[i], data->dims[i])) continue;
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "data has size %lld along axis %d, input_sizes ask for %lld",
                               (long long)data->dims[i], (int)i, (long long)dims[i]);
    }
    return CNNF_OK;
}

/* sizes: [spatial + 2]. Conv2DBackpropInput may be told the spatial sizes alone: batch and channels are then those of
   data and filter (conv_grad_shape_utils.cc). CNNFI_INFER_DYNAMIC: the numbers are not known, sizes hold what is. */
static cnnf_status read_sizes(cnnfi_call *call, int32_t spatial, int64_t *sizes)
{
    const cnnfi_value *filter = &call->inputs[1], *data = &call->inputs[2];
    int64_t given[CNNFI_OP_MAX_RANK], count = call->inputs[0].count;
    bool first = false;
    CNNFI_TRY(cnnfi_data_format(call, spatial, &first));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 1));
    const bool is_short = count == spatial && strcmp(call->node->op, "Conv2DBackpropInput") == 0;
    if (count != CNNFI_UNKNOWN && count != spatial + 2 && !is_short) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input_sizes has %lld numbers, needs %d", (long long)count,
                               (int)spatial + 2);
    }
    for (int32_t i = 0; i < spatial + 2; i++)
        sizes[i] = CNNFI_UNKNOWN;
    sizes[0] = data->dims[0];
    if (is_short) sizes[first ? 1 : spatial + 1] = filter->dims[spatial];
    const cnnf_status status = cnnfi_call_ints(call, 0, given, CNNFI_OP_MAX_RANK, &count);
    if (status != CNNF_OK) return status;
    for (int64_t i = 0; i < count; i++) {
        if (given[i] >= 0 && given[i] <= INT32_MAX) continue;
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input_sizes[%d] is %lld", (int)i, (long long)given[i]);
    }
    memcpy(sizes + (is_short ? first ? 2 : 1 : 0), given, (size_t)count * sizeof *sizes);
    return CNNF_OK;
}

cnnf_status cnnfi_convolution_back(cnnfi_call *call, cnnfi_window *w, int32_t spatial)
{
    const cnnfi_value *filter = &call->inputs[1], *data = &call->inputs[2];
    int64_t sizes[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(cnnfi_want_same_dtype(call, 1, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 2, spatial + 2));
    const cnnf_status status = read_sizes(call, spatial, sizes);
    if (status < 0) return status;
    CNNFI_TRY(read_window(call, w, spatial, spatial + 2, sizes, filter));
    w->out_channels = data->dims[w->channels_first ? 1 : spatial + 1];
    CNNFI_TRY(check_channels(call, w, filter));
    CNNFI_TRY(check_places(call, w, data));
    w->batch = cnnfi_dim_merge(w->batch, data->dims[0]);
    return status;
}
