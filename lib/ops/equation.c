/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an einsum: see equation.h. The grammar and its checks are einsum_op_util.cc's. */
#include "ops/equation.h"

#include <string.h>

/* One operand, or the output, as it is written. */
typedef struct subscript {
    int32_t n;    /* letters */
    int32_t dots; /* how many letters come before "..."; CNNFI_UNKNOWN: it is not there */
    char letter[CNNFI_EQUATION_LABELS];
} subscript;

/* Labels while they are collected. */
typedef struct labels {
    cnnfi_equation *equation;
    int16_t name[CNNFI_EQUATION_LABELS]; /* a letter, or DOTS + the axis of "..." counted from its end */
    bool open[CNNFI_EQUATION_LABELS];    /* an axis of "..." whose size is not known took part */
} labels;

#define DOTS 256

static cnnf_status fail(cnnfi_call *call, const char *why)
{
    const char *equation = cnnf_node_attr_string(NULL, call->node, "equation");
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "equation '%s' %s", equation ? equation : "", why);
}

static bool read_subscript(const char *p, const char *end, subscript *out)
{
    *out = (subscript){.dots = CNNFI_UNKNOWN};
    for (; p < end; p++) {
        const bool is_letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
        if (is_letter && out->n < CNNFI_EQUATION_LABELS) {
            out->letter[out->n++] = *p;
            continue;
        }
        if (end - p < 3 || memcmp(p, "...", 3) != 0 || out->dots != CNNFI_UNKNOWN) return false;
        out->dots = out->n;
        p += 2;
    }
    return true;
}

/* "ij,jk->ik" into its parts. */
static cnnf_status read_parts(cnnfi_call *call, subscript in[2], subscript *out)
{
    size_t size = 0;
    const char *text = cnnf_node_attr_string(&size, call->node, "equation");
    const char *arrow = text ? strstr(text, "->") : NULL;
    if (!arrow) return fail(call, "has no '->'");
    const char *comma = memchr(text, ',', (size_t)(arrow - text));
    if ((comma != NULL) != (call->n_inputs == 2)) return fail(call, "is for another number of inputs");
    const bool good = read_subscript(text, comma ? comma : arrow, &in[0]) &&
                      (!comma || read_subscript(comma + 1, arrow, &in[1])) &&
                      read_subscript(arrow + 2, text + size, out);
    return good ? CNNF_OK : fail(call, "is none");
}

/* How many axes "..." stands for: the most of any operand's. */
static cnnf_status count_dots(cnnfi_call *call, const subscript in[2], int32_t *dots)
{
    *dots = 0;
    for (int32_t k = 0; k < call->n_inputs; k++) {
        const int32_t rank = call->inputs[k].rank, left = rank - in[k].n;
        if (rank == CNNFI_UNKNOWN) {
            if (in[k].dots != CNNFI_UNKNOWN) *dots = CNNFI_UNKNOWN;
            continue;
        }
        if (left < 0 || (left > 0 && in[k].dots == CNNFI_UNKNOWN)) return fail(call, "does not fit the inputs' ranks");
        if (*dots != CNNFI_UNKNOWN && left > *dots) *dots = left;
    }
    return CNNF_OK;
}

/* The label's index; a new one has no size yet (an axis of "...": 1). CNNFI_UNKNOWN: too many. */
static int32_t find_label(labels *l, int32_t name)
{
    cnnfi_equation *e = l->equation;
    for (int32_t i = 0; i < e->n_labels; i++) {
        if (l->name[i] == name) return i;
    }
    if (e->n_labels == CNNFI_EQUATION_LABELS) return CNNFI_UNKNOWN;
    l->name[e->n_labels] = (int16_t)name;
    e->dims[e->n_labels] = name < DOTS ? CNNFI_UNKNOWN : 1;
    return e->n_labels++;
}

/* Name of axis `axis` of a subscript whose "..." stands for `dots` axes. */
static int32_t axis_name(const subscript *s, int32_t dots, int32_t axis)
{
    if (s->dots == CNNFI_UNKNOWN || axis < s->dots) return s->letter[axis];
    return axis < s->dots + dots ? DOTS + s->dots + dots - 1 - axis : s->letter[axis - dots];
}

/* Every letter of the output comes from an input. */
static bool is_covered(const cnnfi_call *call, const subscript in[2], const subscript *out)
{
    for (int32_t i = 0; i < out->n; i++) {
        bool found = false;
        for (int32_t k = 0; k < call->n_inputs; k++)
            found |= memchr(in[k].letter, out->letter[i], (size_t)in[k].n) != NULL;
        if (!found) return false;
    }
    return true;
}

static cnnf_status add_output(cnnfi_call *call, labels *l, const subscript *out, int32_t dots)
{
    cnnfi_equation *e = l->equation;
    if (out->dots == CNNFI_UNKNOWN && dots > 0) return fail(call, "drops the axes of '...'");
    if (out->dots != CNNFI_UNKNOWN && dots == CNNFI_UNKNOWN) {
        e->out_rank = CNNFI_UNKNOWN;
        return CNNF_OK;
    }
    e->out_rank = out->n + (out->dots == CNNFI_UNKNOWN ? 0 : dots);
    if (e->out_rank > CNNFI_OP_MAX_RANK) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "a result of rank %d", (int)e->out_rank);
    }
    for (int32_t i = 0; i < e->out_rank; i++)
        e->out_label[i] = (uint8_t)find_label(l, axis_name(out, dots, i));
    e->n_out = e->n_labels;
    return CNNF_OK;
}

/* The size of one axis: letters want one size, axes of "..." broadcast. */
static bool add_size(labels *l, int32_t at, int64_t dim)
{
    int64_t *size = &l->equation->dims[at];
    if (l->name[at] < DOTS) {
        if (!cnnfi_dim_fits(*size, dim)) return false;
        *size = cnnfi_dim_merge(*size, dim);
        return true;
    }
    l->open[at] |= dim == CNNFI_UNKNOWN;
    if (dim == 1 || dim == CNNFI_UNKNOWN || dim == *size) return true;
    if (*size != 1) return false;
    *size = dim;
    return true;
}

static cnnf_status add_operand(cnnfi_call *call, labels *l, int32_t k, const subscript *s)
{
    const cnnfi_value *in = &call->inputs[k];
    for (int32_t i = 0; i < in->rank; i++) {
        const int32_t at = find_label(l, axis_name(s, in->rank - s->n, i));
        if (at == CNNFI_UNKNOWN || !add_size(l, at, in->dims[i])) return fail(call, "does not fit the inputs' sizes");
        l->equation->label[k][i] = (uint8_t)at;
    }
    return CNNF_OK;
}

cnnf_status cnnfi_equation_read(cnnfi_call *call, cnnfi_equation *equation)
{
    subscript in[2], out;
    int32_t dots;
    labels l = {.equation = equation};
    *equation = (cnnfi_equation){0};
    CNNFI_TRY(read_parts(call, in, &out));
    CNNFI_TRY(count_dots(call, in, &dots));
    if (!is_covered(call, in, &out)) return fail(call, "makes axes that no input has");
    CNNFI_TRY(add_output(call, &l, &out, dots));
    for (int32_t k = 0; k < call->n_inputs; k++)
        CNNFI_TRY(add_operand(call, &l, k, &in[k]));
    for (int32_t i = 0; i < equation->n_labels; i++) {
        if (l.open[i] && equation->dims[i] == 1) equation->dims[i] = CNNFI_UNKNOWN;
    }
    return CNNF_OK;
}
