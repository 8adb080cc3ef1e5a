/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluator/kernels/portable.h"

#include <math.h>

static const struct {
    uint8_t type; /* + 1; 0: none */
} dtype_types[32] = {
    [CNNF_FLOAT] = {CNNFI_T_F32 + 1},     [CNNF_DOUBLE] = {CNNFI_T_F64 + 1},      [CNNF_INT32] = {CNNFI_T_I32 + 1},
    [CNNF_UINT8] = {CNNFI_T_U8 + 1},      [CNNF_INT16] = {CNNFI_T_I16 + 1},       [CNNF_INT8] = {CNNFI_T_I8 + 1},
    [CNNF_COMPLEX64] = {CNNFI_T_C64 + 1}, [CNNF_INT64] = {CNNFI_T_I64 + 1},       [CNNF_BOOL] = {CNNFI_T_BOOL + 1},
    [CNNF_QINT8] = {CNNFI_T_I8 + 1},      [CNNF_QUINT8] = {CNNFI_T_U8 + 1},       [CNNF_QINT32] = {CNNFI_T_I32 + 1},
    [CNNF_BFLOAT16] = {CNNFI_T_BF16 + 1}, [CNNF_QINT16] = {CNNFI_T_I16 + 1},      [CNNF_QUINT16] = {CNNFI_T_U16 + 1},
    [CNNF_UINT16] = {CNNFI_T_U16 + 1},    [CNNF_COMPLEX128] = {CNNFI_T_C128 + 1}, [CNNF_HALF] = {CNNFI_T_HALF + 1},
    [CNNF_UINT32] = {CNNFI_T_U32 + 1},    [CNNF_UINT64] = {CNNFI_T_U64 + 1},
};

cnnfi_type cnnfi_type_of(cnnf_dtype dtype)
{
    if (dtype < 0 || dtype >= 32 || dtype_types[dtype].type == 0) return CNNFI_T_NONE;
    return (cnnfi_type)(dtype_types[dtype].type - 1);
}

bool cnnfi_type_is_float(cnnfi_type type)
{
    return type == CNNFI_T_F32 || type == CNNFI_T_F64 || cnnfi_type_is_small_float(type);
}

void cnnfi_small_load(cnnfi_type type, const void *in, int64_t n, float *out)
{
    const uint16_t *bits = in;
    if (type == CNNFI_T_HALF)
        for (int64_t i = 0; i < n; i++)
            out[i] = cnnfi_half_to_float(bits[i]);
    else
        for (int64_t i = 0; i < n; i++)
            out[i] = cnnfi_bfloat16_to_float(bits[i]);
}

void cnnfi_small_store(cnnfi_type type, const float *in, int64_t n, void *out)
{
    uint16_t *bits = out;
    if (type == CNNFI_T_HALF)
        for (int64_t i = 0; i < n; i++)
            bits[i] = cnnfi_float_to_half(in[i]);
    else
        for (int64_t i = 0; i < n; i++)
            bits[i] = cnnfi_float_to_bfloat16(in[i]);
}

cnnf_status cnnfi_take_numbers(cnnfi_call *call)
{
    return cnnfi_type_of(call->inputs[0].dtype) < CNNFI_T_NONE ? CNNF_OK : cnnfi_fail_dtype(call, 0);
}

cnnf_status cnnfi_take_ordered(cnnfi_call *call)
{
    return cnnfi_type_of(call->inputs[0].dtype) < CNNFI_T_C64 ? CNNF_OK : cnnfi_fail_dtype(call, 0);
}

/* ---- single elements ---- */

void cnnfi_put_f64(cnnfi_type type, double number, void *to)
{
    float f = (float)number;
    int64_t i = cnnfi_saturate_i64(number);
    uint16_t bits;
    memset(to, 0, 16);
    switch (type) {
    case CNNFI_T_F32:
    case CNNFI_T_C64:
        memcpy(to, &f, sizeof(f));
        return;
    case CNNFI_T_F64:
    case CNNFI_T_C128:
        memcpy(to, &number, sizeof(number));
        return;
    case CNNFI_T_HALF:
    case CNNFI_T_BF16:
        bits = type == CNNFI_T_HALF ? cnnfi_float_to_half(f) : cnnfi_float_to_bfloat16(f);
        memcpy(to, &bits, sizeof(bits));
        return;
    case CNNFI_T_BOOL:
        *(uint8_t *)to = number != 0;
        return;
    default: /* integers: little-endian, the low bytes */
        memcpy(to, &i, sizeof(i));
    }
}

int64_t cnnfi_span(const int64_t *dims, int32_t begin, int32_t end)
{
    int64_t product = 1;
    for (int32_t i = begin; i < end; i++)
        product *= dims[i];
    return product;
}

/* ---- copying ---- */

void cnnfi_copy_bytes(cnnfi_value *to, const cnnfi_value *from)
{
    size_t size = (size_t)from->count * cnnf_dtype_size(from->dtype);
    if (size > 0 && to->data != from->data) memcpy(to->data, from->data, size);
}

void cnnfi_strides(int32_t rank, const int64_t *dims, int64_t *strides)
{
    int64_t step = 1;
    for (int32_t i = rank - 1; i >= 0; i--) {
        strides[i] = step;
        step *= dims[i];
    }
}

static void copy_row(char *out, const char *in, size_t size, int64_t n, int64_t stride)
{
    if (stride == 1) {
        memcpy(out, in, (size_t)n * size);
        return;
    }
    switch (size) {
#define CASE(bytes, T)                                                                                                 \
    case bytes:                                                                                                        \
        for (int64_t i = 0; i < n; i++)                                                                                \
            ((T *)(void *)out)[i] = ((const T *)(const void *)in)[i * stride];                                         \
        return;
        CASE(1, uint8_t)
        CASE(2, uint16_t)
        CASE(4, uint32_t)
        CASE(8, uint64_t)
#undef CASE
    default:
        for (int64_t i = 0; i < n; i++)
            memcpy(out + (size_t)i * size, in + i * stride * (int64_t)size, size);
    }
}

void cnnfi_copy_strided(void *out, const void *in, size_t size, int32_t rank, const int64_t *dims,
                        const int64_t *strides)
{
    int64_t index[CNNFI_OP_MAX_RANK * 2] = {0}, n = rank ? dims[rank - 1] : 1, step = rank ? strides[rank - 1] : 1;
    const char *from = in;
    char *to = out;
    for (int32_t i = 0; i < rank; i++)
        if (dims[i] == 0) return;
    for (;;) {
        copy_row(to, from, size, n, step);
        to += (size_t)n * size;
        int32_t axis = rank - 2;
        for (; axis >= 0; axis--) {
            from += strides[axis] * (int64_t)size;
            if (++index[axis] < dims[axis]) break;
            from -= index[axis] * strides[axis] * (int64_t)size;
            index[axis] = 0;
        }
        if (axis < 0) return;
    }
}

void cnnfi_fill(void *out, const void *element, size_t size, int64_t n)
{
    char *to = out;
    if (n <= 0) return;
    memcpy(to, element, size);
    size_t done = size, all = (size_t)n * size;
    while (done < all) { /* doubling: memcpy does the work */
        size_t piece = done < all - done ? done : all - done;
        memcpy(to + done, to, piece);
        done += piece;
    }
}

/* ---- broadcasting ---- */

/* Whether axis `i` may join the axis before it: every operand walks through both in one stride. */
static bool axes_join(const cnnfi_broadcast *b, int32_t last, const int64_t *strides, int64_t dim)
{
    for (int32_t k = 0; k < b->n; k++)
        if (b->strides[k][last] != strides[k] * dim) return false;
    return true;
}

void cnnfi_broadcast_init(cnnfi_broadcast *b, const cnnfi_value *inputs, int32_t n, const cnnfi_value *out)
{
    int64_t strides[CNNFI_BROADCAST_MAX][CNNFI_OP_MAX_RANK] = {{0}};
    b->n = n;
    b->rank = 0;
    for (int32_t k = 0; k < n; k++) {
        int64_t step = 1;
        for (int32_t i = inputs[k].rank - 1; i >= 0; i--) {
            strides[k][i + out->rank - inputs[k].rank] = inputs[k].dims[i] == 1 ? 0 : step;
            step *= inputs[k].dims[i];
        }
    }
    for (int32_t i = 0; i < out->rank; i++) {
        int64_t step[CNNFI_BROADCAST_MAX];
        if (out->dims[i] == 1) continue;
        for (int32_t k = 0; k < n; k++)
            step[k] = strides[k][i];
        bool join = b->rank > 0 && axes_join(b, b->rank - 1, step, out->dims[i]);
        int32_t at = join ? b->rank - 1 : b->rank++;
        b->dims[at] = join ? b->dims[at] * out->dims[i] : out->dims[i];
        for (int32_t k = 0; k < n; k++)
            b->strides[k][at] = step[k];
    }
    if (b->rank == 0) {
        b->rank = 1;
        b->dims[0] = 1;
        for (int32_t k = 0; k < n; k++)
            b->strides[k][0] = 0;
    }
}

void cnnfi_broadcast_init_flat(cnnfi_broadcast *b, int32_t n, int64_t count)
{
    b->n = n;
    b->rank = 1;
    b->dims[0] = count;
    for (int32_t k = 0; k < n; k++)
        b->strides[k][0] = count == 1 ? 0 : 1;
}

int64_t cnnfi_broadcast_row_count(const cnnfi_broadcast *b)
{
    return b->dims[b->rank - 1] == 0 ? 0 : cnnfi_span(b->dims, 0, b->rank - 1);
}

void cnnfi_broadcast_rows(const cnnfi_broadcast *b, int64_t begin, int64_t end, cnnfi_broadcast_row row, void *user)
{
    int64_t index[CNNFI_OP_MAX_RANK] = {0}, offsets[CNNFI_BROADCAST_MAX] = {0}, left = begin;
    int64_t n = b->dims[b->rank - 1];
    if (begin >= end) return; /* an empty axis has no places to divide by */
    for (int32_t i = b->rank - 2; i >= 0; i--) {
        index[i] = left % b->dims[i];
        left /= b->dims[i];
        for (int32_t k = 0; k < b->n; k++)
            offsets[k] += index[i] * b->strides[k][i];
    }
    for (int64_t r = begin; r < end; r++) {
        row(offsets, r * n, n, user);
        for (int32_t i = b->rank - 2; i >= 0; i--) {
            bool wrap = ++index[i] == b->dims[i];
            for (int32_t k = 0; k < b->n; k++)
                offsets[k] += wrap ? -(b->dims[i] - 1) * b->strides[k][i] : b->strides[k][i];
            if (!wrap) break;
            index[i] = 0;
        }
    }
}
