/* SPDX-License-Identifier: Apache-2.0 */
/* Einsum: a walk over the labels of the output and, for each of its elements, over the labels that are summed. */
#include <string.h>

#include "evaluator/kernels/portable.h"

#define MAX_LABELS 32
#define ELLIPSIS   1 /* labels 1 .. 8: the axes of "..." from the last one backwards */

typedef struct einsum {
    int32_t n_labels; /* output labels first, then those summed */
    int32_t n_out;
    unsigned char label[MAX_LABELS];
    int64_t dims[MAX_LABELS];
    int64_t strides[2][MAX_LABELS]; /* of each operand along each label; 0 where it does not have it */
} einsum;

typedef struct subscript {
    int32_t n;
    unsigned char label[MAX_LABELS];
} subscript;

/* One operand's letters; "..." becomes as many axes as `rank` leaves (-1: as many as `ellipsis`). */
static bool read_subscript(const char *begin, const char *end, int32_t rank, int32_t ellipsis, subscript *out)
{
    int32_t letters = 0;
    out->n = 0;
    for (const char *p = begin; p < end; p++)
        letters += (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
    if (rank >= 0) ellipsis = rank - letters;
    bool dots = false;
    for (const char *p = begin; p < end; p++) {
        if (*p == ' ') continue;
        if (*p == '.') {
            if (dots || end - p < 3 || p[1] != '.' || p[2] != '.' || ellipsis < 0 || out->n + ellipsis >= MAX_LABELS)
                return false;
            for (int32_t i = ellipsis - 1; i >= 0; i--)
                out->label[out->n++] = (unsigned char)(ELLIPSIS + i);
            dots = true;
            p += 2;
        } else {
            bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
            if (!letter || out->n >= MAX_LABELS) return false;
            out->label[out->n++] = (unsigned char)*p;
        }
    }
    return rank < 0 || out->n == rank;
}

static int32_t add_label(einsum *e, unsigned char label)
{
    for (int32_t i = 0; i < e->n_labels; i++)
        if (e->label[i] == label) return i;
    if (e->n_labels == MAX_LABELS) return -1;
    e->label[e->n_labels] = label;
    e->dims[e->n_labels] = 1;
    return e->n_labels++;
}

/* Sizes and strides from an operand; a repeated label takes a diagonal. Only "..." axes broadcast. */
static bool add_operand(einsum *e, int32_t k, const subscript *s, const cnnfi_value *in)
{
    int64_t strides[CNNFI_OP_MAX_RANK];
    cnnfi_strides(in->rank, in->dims, strides);
    for (int32_t i = 0; i < s->n; i++) {
        int32_t at = add_label(e, s->label[i]);
        if (at < 0) return false;
        bool broadcasts = s->label[i] < 'A';
        if (in->dims[i] == 1 && broadcasts) continue;
        bool known = e->strides[0][at] != 0 || e->strides[1][at] != 0;
        if ((known || e->dims[at] != 1) && e->dims[at] != in->dims[i]) return false;
        e->dims[at] = in->dims[i];
        e->strides[k][at] += strides[i];
    }
    return true;
}

static cnnf_status read_einsum(cnnfi_call *call, einsum *e)
{
    size_t size = 0;
    const char *equation = cnnf_node_attr_string(&size, call->node, "equation");
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 2));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    if (call->n_inputs == 2) CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    if (call->inputs[0].dtype == CNNF_BOOL) return cnnfi_fail_dtype(call, 0);
    memset(e, 0, sizeof(*e));
    const char *arrow = equation ? strstr(equation, "->") : NULL,
               *comma = arrow ? memchr(equation, ',', (size_t)(arrow - equation)) : NULL;
    subscript in[2] = {{0, {0}}, {0, {0}}}, out = {0, {0}};
    int32_t ellipsis = 0;
    bool good = arrow && (comma != NULL) == (call->n_inputs == 2) &&
                read_subscript(equation, comma ? comma : arrow, call->inputs[0].rank, 0, &in[0]) &&
                (!comma || read_subscript(comma + 1, arrow, call->inputs[1].rank, 0, &in[1]));
    for (int32_t k = 0; good && k < call->n_inputs; k++)
        for (int32_t i = 0; i < in[k].n; i++)
            if (in[k].label[i] < 'A' && in[k].label[i] > ellipsis) ellipsis = in[k].label[i];
    good = good && read_subscript(arrow + 2, equation + size, -1, ellipsis, &out);
    for (int32_t i = 0; good && i < out.n; i++)
        good = add_label(e, out.label[i]) == i; /* no label twice */
    e->n_out = e->n_labels;
    for (int32_t k = 0; good && k < call->n_inputs; k++)
        good = add_operand(e, k, &in[k], &call->inputs[k]);
    for (int32_t i = 0; good && i < e->n_out; i++) { /* every output label comes from an input */
        bool found = e->label[i] < 'A';
        for (int32_t k = 0; k < 2; k++)
            found = found || memchr(in[k].label, e->label[i], (size_t)in[k].n) != NULL;
        good = found;
    }
    return good ? CNNF_OK
                : cnnfi_call_fail(call, CNNF_E_MISMATCH, "equation '%s' does not fit the inputs",
                                  equation ? equation : "");
}

static cnnf_status einsum_infer(cnnfi_call *call)
{
    einsum e;
    CNNFI_TRY(read_einsum(call, &e));
    if (e.n_out > CNNFI_OP_MAX_RANK) return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "a result of rank %d", e.n_out);
    return cnnfi_output_one(call, call->inputs[0].dtype, e.n_out, e.dims);
}

/* The next place over labels [first, last): offsets of both operands; false after the last. */
static bool advance(const einsum *e, int32_t first, int32_t last, int64_t *index, int64_t *at)
{
    for (int32_t i = last - 1; i >= first; i--) {
        bool wrap = ++index[i] == e->dims[i];
        for (int k = 0; k < 2; k++)
            at[k] += wrap ? -(e->dims[i] - 1) * e->strides[k][i] : e->strides[k][i];
        if (!wrap) return true;
        index[i] = 0;
    }
    return false;
}

typedef struct number {
    double re, im;
    uint64_t bits;
} number;

/* a[at] * b[at] added to *sum; one operand counts as times one. */
static void multiply_add(const cnnfi_value *in, int32_t n, const int64_t *at, number *sum)
{
    cnnfi_type type = cnnfi_type_of(in->dtype);
    if (type == CNNFI_T_C64 || type == CNNFI_T_C128) {
        cnnfi_value parts[2] = {in[0], in[n - 1]};
        double re[2] = {1, 1}, im[2] = {0, 0};
        for (int32_t k = 0; k < n; k++) {
            parts[k].dtype = type == CNNFI_T_C64 ? CNNF_FLOAT : CNNF_DOUBLE;
            re[k] = cnnfi_get_f64(&parts[k], 2 * at[k]);
            im[k] = cnnfi_get_f64(&parts[k], 2 * at[k] + 1);
        }
        sum->re += re[0] * re[1] - im[0] * im[1];
        sum->im += re[0] * im[1] + im[0] * re[1];
    } else if (cnnfi_type_is_float(type)) {
        sum->re += cnnfi_get_f64(&in[0], at[0]) * (n == 2 ? cnnfi_get_f64(&in[1], at[1]) : 1);
    } else {
        sum->bits += (uint64_t)cnnfi_get_i64(&in[0], at[0]) * (n == 2 ? (uint64_t)cnnfi_get_i64(&in[1], at[1]) : 1);
    }
}

static void put_sum(cnnfi_value *out, int64_t at, const number *sum)
{
    cnnfi_type type = cnnfi_type_of(out->dtype);
    size_t size = cnnf_dtype_size(out->dtype);
    char *to = (char *)out->data + (size_t)at * size, element[16];
    if (type == CNNFI_T_C64 || type == CNNFI_T_C128) {
        for (int k = 0; k < 2; k++) {
            cnnfi_put_f64(type == CNNFI_T_C64 ? CNNFI_T_F32 : CNNFI_T_F64, k ? sum->im : sum->re, element);
            memcpy(to + (size_t)k * size / 2, element, size / 2);
        }
        return;
    }
    if (cnnfi_type_is_float(type))
        cnnfi_put_f64(type, sum->re, element);
    else
        memcpy(element, &sum->bits, sizeof(sum->bits));
    memcpy(to, element, size);
}

/* The usual case, floats, without conversions. */
static double sum_floats(const einsum *e, const cnnfi_value *in, int32_t n, int64_t *index, int64_t *at)
{
    const float *a = in[0].data, *b = n == 2 ? in[1].data : NULL;
    double sum = 0;
    do
        sum += (double)a[at[0]] * (b ? (double)b[at[1]] : 1);
    while (advance(e, e->n_out, e->n_labels, index, at));
    return sum;
}

static cnnf_status einsum_run(cnnfi_call *call)
{
    einsum e;
    int64_t index[MAX_LABELS] = {0}, at[2] = {0, 0};
    CNNFI_TRY(read_einsum(call, &e));
    cnnfi_value *out = &call->outputs[0];
    bool empty = false, single = out->dtype == CNNF_FLOAT;
    for (int32_t i = e.n_out; i < e.n_labels; i++)
        empty = empty || e.dims[i] == 0;
    for (int64_t i = 0; i < out->count; i++) {
        number sum = {0, 0, 0};
        if (single && !empty)
            sum.re = sum_floats(&e, call->inputs, call->n_inputs, index, at);
        else if (!empty)
            do
                multiply_add(call->inputs, call->n_inputs, at, &sum);
            while (advance(&e, e.n_out, e.n_labels, index, at));
        put_sum(out, i, &sum);
        advance(&e, 0, e.n_out, index, at);
    }
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {{"Einsum", einsum_infer, einsum_run, 0}};

const cnnfi_kernel_family cnnfi_kernels_einsum = {"einsum", kernels, sizeof(kernels) / sizeof(kernels[0])};
