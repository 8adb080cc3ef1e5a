/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cross-layer equalization (do_cle): between two convolutions in a row each channel is scaled so that the weights that
 * make it and those that read it have the same largest number. Rectifiers and pools between let a positive factor pass;
 * Relu6 becomes Relu first, as in the tool.
 */
#include <math.h>
#include <string.h>

#include "transform/quantize/vitis.h"

#define ROUNDS    10
#define THRESHOLD 0.5f /* channels whose largest numbers do not add up to this are left alone */
#define LEAST     0.01f
#define MOST      100.0f

#define CONVOLUTIONS "Conv2D|DepthwiseConv2dNative"
#define BETWEEN      "Relu|AvgPool|MaxPool|Mul|Pad"

typedef struct pair {
    cnnf_node *head, *bias, *tail; /* bias NULL: none */
    struct pair *next;
} pair;

static cnnf_node *only_reader(const cnnfi_vitis *v, const cnnf_node *node)
{
    const cnnfi_use *use = cnnfi_vitis_is_private(v, node) ? cnnfi_edit_uses(v->edit, node) : NULL;
    return use && use->input == 0 ? use->user : NULL;
}

static pair *find_pair(cnnfi_vitis *v, cnnf_node *head)
{
    if (!cnnfi_vitis_is(head, CONVOLUTIONS) || !cnnfi_vitis_const(v, head, 1)) return NULL;
    cnnf_node *bias = NULL, *node = only_reader(v, head);
    if (cnnfi_vitis_is(node, CNNFI_VITIS_BIAS) && cnnfi_vitis_const(v, node, 1)) {
        bias = node;
        node = only_reader(v, node);
    }
    while (cnnfi_vitis_is(node, BETWEEN) && (strcmp(node->op, "Mul") || cnnfi_vitis_const(v, node, 1)))
        node = only_reader(v, node);
    if (!cnnfi_vitis_is(node, CONVOLUTIONS) || !cnnfi_vitis_const(v, node, 1)) return NULL;
    pair *p = cnnfi_edit_array(v->edit, 1, sizeof *p);
    if (p) *p = (pair){.head = head, .bias = bias, .tail = node};
    return p;
}

static float larger(float a, float b)
{
    return fabsf(b) > a ? fabsf(b) : a;
}

/* scales[i]: what channel i of the head is multiplied by. */
static void find_scales(float *scales, int64_t n, const cnnfi_vitis_floats *head, cnnfi_vitis_channels out,
                        const cnnfi_vitis_floats *bias, const cnnfi_vitis_floats *tail, cnnfi_vitis_channels in)
{
    float *most = scales + n; /* of the tail */
    for (int64_t i = 0; i < head->count; i++) {
        float *at = &scales[i / out.divisor % n];
        *at = larger(*at, head->data[i]);
    }
    for (int64_t i = 0; i < bias->count; i++)
        scales[i % n] = larger(scales[i % n], bias->data[i]);
    for (int64_t i = 0; i < tail->count; i++) {
        float *at = &most[i / in.divisor % n];
        *at = larger(*at, tail->data[i]);
    }
    for (int64_t i = 0; i < n; i++) {
        const float h = scales[i], t = most[i], scale = sqrtf(t / h);
        const bool alone = !(h > 0) || !(t > 0) || h + t < THRESHOLD;
        scales[i] = alone ? 1.0f : scale < LEAST ? LEAST : scale > MOST ? MOST : scale;
    }
}

static void multiply(cnnfi_vitis_floats *w, cnnfi_vitis_channels at, const float *scales, bool divide)
{
    for (int64_t i = 0; i < w->count; i++) {
        const float s = scales[i / at.divisor % at.count];
        w->data[i] = divide ? w->data[i] / s : w->data[i] * s;
    }
}

static void equalize(cnnfi_vitis *v, const pair *p)
{
    cnnfi_vitis_floats head = cnnfi_vitis_load(v, p->head, 1), tail = cnnfi_vitis_load(v, p->tail, 1), bias = {0};
    if (p->bias) bias = cnnfi_vitis_load(v, p->bias, 1);
    const bool ready = head.data && tail.data && (!p->bias || bias.data);
    const cnnfi_vitis_channels out = ready ? cnnfi_vitis_output_channels(p->head, head.rank, head.dims)
                                           : (cnnfi_vitis_channels){0, 1},
                               in = ready ? cnnfi_vitis_input_channels(p->tail, tail.rank, tail.dims) : out;
    float *scales = ready ? cnnfi_edit_array(v->edit, (size_t)(2 * out.count), sizeof *scales) : NULL;
    if (scales && out.count && out.count == in.count && (!bias.count || bias.count == out.count)) {
        find_scales(scales, out.count, &head, out, &bias, &tail, in);
        multiply(&head, out, scales, false);
        multiply(&bias, (cnnfi_vitis_channels){out.count, 1}, scales, false);
        multiply(&tail, in, scales, true);
        cnnfi_vitis_store(v, p->head, 1, &head);
        if (p->bias) cnnfi_vitis_store(v, p->bias, 1, &bias);
        cnnfi_vitis_store(v, p->tail, 1, &tail);
    }
    cnnfi_vitis_drop(&head);
    cnnfi_vitis_drop(&bias);
    cnnfi_vitis_drop(&tail);
}

void cnnfi_vitis_equalize(cnnfi_vitis *v)
{
    pair *pairs = NULL, **end = &pairs;
    for (int32_t i = 0; (size_t)i < v->edit->count; i++) {
        cnnf_node *node = cnnfi_edit_node(v->edit, i);
        if (cnnfi_vitis_is(node, "Relu6")) cnnfi_edit_set_op(v->edit, node, "Relu");
    }
    for (int32_t i = 0; (size_t)i < v->edit->count; i++) {
        cnnf_node *node = cnnfi_edit_node(v->edit, i);
        pair *found = node ? find_pair(v, node) : NULL;
        if (!found) continue;
        *end = found;
        end = &found->next;
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (const pair *p = pairs; p && !v->edit->b->status; p = p->next)
            equalize(v, p);
    }
}
