/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/space_blocks.h"

#include <string.h>

/* ---- depth ---- */

static bool divides(int64_t block, int64_t size)
{
    return size == CNNFI_UNKNOWN || size % block == 0;
}

cnnf_status cnnfi_depth_blocks_read(cnnfi_call *call, bool to_depth, cnnfi_depth_blocks *s)
{
    const cnnfi_value *in = &call->inputs[0];
    const char *format = cnnf_node_attr_string(NULL, call->node, "data_format");
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    const bool first = format && strcmp(format, "NCHW") == 0;
    if (format && !first && strcmp(format, "NHWC") != 0)
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "data_format %s", format);
    *s = (cnnfi_depth_blocks){.channels_first = first,
                              .batch = in->dims[0],
                              .height = in->dims[first ? 2 : 1],
                              .width = in->dims[first ? 3 : 2],
                              .channels = in->dims[first ? 1 : 3],
                              .block = cnnf_node_attr_int(call->node, "block_size", 0)};
    if (s->block < 2 || s->block > 32768)
        return cnnfi_call_fail(call, CNNF_E_CORRUPT, "block_size is %lld", (long long)s->block);
    const int64_t square = s->block * s->block;
    if (to_depth ? !divides(s->block, s->height) || !divides(s->block, s->width) : !divides(square, s->channels))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "block_size %lld does not divide the input", (long long)s->block);
    if (to_depth) return CNNF_OK;
    s->channels = cnnfi_dim_div(s->channels, square);
    s->height = cnnfi_dim_mul(s->height, s->block);
    s->width = cnnfi_dim_mul(s->width, s->block);
    return CNNF_OK;
}

/* ---- batch ---- */

/* s->axes numbers each; -1 where the input's value is not known. */
static cnnf_status read_blocks(cnnfi_call *call, bool nd, cnnfi_batch_blocks *s)
{
    int64_t count = 2;
    cnnf_status status = CNNF_OK;
    for (int32_t i = 0; i < CNNFI_OP_MAX_RANK; i++)
        s->block[i] = nd ? CNNFI_UNKNOWN : cnnf_node_attr_int(call->node, "block_size", 0);
    if (nd) {
        CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
        status = cnnfi_call_ints(call, 1, s->block, CNNFI_OP_MAX_RANK - 1, &count);
        if (status < 0) return status;
        if (status == CNNFI_INFER_DYNAMIC) count = call->inputs[1].dims[0];
    }
    s->axes = (int32_t)count;
    s->product = 1;
    for (int32_t i = 0; i < s->axes; i++) {
        if (s->block[i] < (nd ? 1 : 2) && status == CNNF_OK)
            return cnnfi_call_fail(call, CNNF_E_INVALID, "a block of %lld", (long long)s->block[i]);
        s->product = cnnfi_dim_mul(s->product, s->block[i]);
    }
    if (s->axes == CNNFI_UNKNOWN) s->product = CNNFI_UNKNOWN;
    return CNNF_OK;
}

/* Input `input`: [axes][before, after]. */
static cnnf_status read_pairs(cnnfi_call *call, int32_t input, cnnfi_batch_blocks *s)
{
    const cnnfi_value *given = &call->inputs[input];
    int64_t pairs[2 * CNNFI_OP_MAX_RANK];
    CNNFI_TRY(cnnfi_want_rank(call, input, 2));
    if (!cnnfi_dim_fits(given->dims[0], s->axes) || !cnnfi_dim_fits(given->dims[1], 2)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "paddings or crops must have the shape [%d,2]", (int)s->axes);
    }
    for (int32_t i = 0; i < CNNFI_OP_MAX_RANK; i++)
        s->before[i] = s->after[i] = CNNFI_UNKNOWN;
    if (s->axes == CNNFI_UNKNOWN) return CNNF_OK;
    const cnnf_status status = cnnfi_call_ints_exact(call, input, pairs, 2 * (int64_t)s->axes);
    for (int32_t i = 0; i < s->axes && status == CNNF_OK; i++) {
        s->before[i] = pairs[2 * i];
        s->after[i] = pairs[2 * i + 1];
        if (s->before[i] >= 0 && s->after[i] >= 0) continue;
        return cnnfi_call_fail(call, CNNF_E_INVALID, "paddings or crops of axis %d are %lld and %lld", (int)i + 1,
                               (long long)s->before[i], (long long)s->after[i]);
    }
    return status < 0 ? status : CNNF_OK;
}

cnnf_status cnnfi_batch_blocks_read(cnnfi_call *call, cnnfi_batch_blocks *s)
{
    const bool nd = strstr(call->node->op, "ND") != NULL;
    if (!nd) CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    CNNFI_TRY(read_blocks(call, nd, s));
    if (s->axes != CNNFI_UNKNOWN) CNNFI_TRY(cnnfi_want_least_rank(call, 0, s->axes + 1));
    return read_pairs(call, nd ? 2 : 1, s);
}
