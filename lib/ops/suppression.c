/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes in the order of their scores, without those that overlap a better one (non_max_suppression_op.cc). */
#include "ops/suppression.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "graph/element.h"

int32_t cnnfi_suppression_version(const cnnf_node *node)
{
    const char *tail = node->op + strlen("NonMaxSuppression");
    return *tail == 'W' ? 0 : *tail == 'V' ? tail[1] - '0' : 1;
}

bool cnnfi_suppression_pads(const cnnf_node *node)
{
    return cnnfi_suppression_version(node) >= 4 && cnnf_node_attr_bool(node, "pad_to_max_output_size", 0);
}

cnnf_status cnnfi_suppression_check(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    CNNFI_TRY(cnnfi_want_rank(call, 0, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    for (int32_t i = 2; i < call->n_inputs; i++)
        CNNFI_TRY(cnnfi_want_rank(call, i, 0));
    const int64_t n = cnnfi_dim_merge(in[0].dims[0], in[1].dims[0]);
    const int64_t width = cnnfi_suppression_version(call->node) ? 4 : n;
    if (cnnfi_dim_fits(in[0].dims[0], in[1].dims[0]) && cnnfi_dim_fits(in[0].dims[1], width)) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "boxes and scores do not fit");
}

/* ---- limits: max_output_size, iou_threshold, score_threshold, soft_nms_sigma, as far as the version has them ---- */

static double number_of(const cnnfi_call *call, int32_t input, double fallback)
{
    double number = fallback;
    if (input < call->n_inputs) cnnfi_element_f64(&number, call->inputs[input].dtype, call->inputs[input].data, 0);
    return number;
}

static cnnf_status read_limits(cnnfi_call *call, cnnfi_suppression *s)
{
    CNNFI_TRY(cnnfi_call_int(call, 2, &s->most));
    s->overlap =
        (float)(s->version == 1 ? cnnf_node_attr_float(call->node, "iou_threshold", 0.5) : number_of(call, 3, 0));
    s->least = (float)number_of(call, 4, -(double)FLT_MAX);
    s->sigma = (float)number_of(call, 5, 0);
    if (s->most < 0) return cnnfi_call_fail(call, CNNF_E_INVALID, "max_output_size is %lld", (long long)s->most);
    if (s->version > 0 && !(s->overlap >= 0 && s->overlap <= 1))
        return cnnfi_call_fail(call, CNNF_E_INVALID, "iou_threshold is outside 0 to 1");
    if (!(s->sigma >= 0)) return cnnfi_call_fail(call, CNNF_E_INVALID, "soft_nms_sigma is negative");
    return CNNF_OK;
}

/* ---- two boxes ---- */

static float overlap_of(const cnnfi_suppression *s, int64_t i, int64_t j)
{
    if (s->version == 0) return s->boxes[i * s->n + j];
    const float *a = s->boxes + 4 * i, *b = s->boxes + 4 * j;
    float low[2][2], high[2][2], inner[2];
    for (int axis = 0; axis < 2; axis++) {
        low[0][axis] = fminf(a[axis], a[axis + 2]), high[0][axis] = fmaxf(a[axis], a[axis + 2]);
        low[1][axis] = fminf(b[axis], b[axis + 2]), high[1][axis] = fmaxf(b[axis], b[axis + 2]);
        inner[axis] = fmaxf(fminf(high[0][axis], high[1][axis]) - fmaxf(low[0][axis], low[1][axis]), 0);
    }
    float area_a = (high[0][0] - low[0][0]) * (high[0][1] - low[0][1]);
    float area_b = (high[1][0] - low[1][0]) * (high[1][1] - low[1][1]), both = inner[0] * inner[1];
    return area_a <= 0 || area_b <= 0 ? 0 : both / (area_a + area_b - both);
}

/* ---- a heap with the best on top; of equal scores the first box ---- */

static bool better(const cnnfi_candidate *a, const cnnfi_candidate *b)
{
    return a->score > b->score || (a->score == b->score && a->box < b->box);
}

static void push(cnnfi_suppression *s, cnnfi_candidate c)
{
    int64_t at = s->heap_size++;
    for (; at > 0 && better(&c, &s->heap[(at - 1) / 2]); at = (at - 1) / 2)
        s->heap[at] = s->heap[(at - 1) / 2];
    s->heap[at] = c;
}

static cnnfi_candidate pop(cnnfi_suppression *s)
{
    cnnfi_candidate top = s->heap[0], last = s->heap[--s->heap_size];
    int64_t at = 0;
    for (int64_t child = 1; child < s->heap_size; child = 2 * at + 1) {
        if (child + 1 < s->heap_size && better(&s->heap[child + 1], &s->heap[child])) child++;
        if (!better(&s->heap[child], &last)) break;
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = last;
    return top;
}

/* Lowers the score by what the boxes chosen since the last time cover of it; false: covered for good. */
static bool weigh(const cnnfi_suppression *s, cnnfi_candidate *c)
{
    float scale = s->sigma > 0 ? -0.5f / s->sigma : 0;
    for (int64_t j = s->count - 1; j >= c->checked; j--) {
        float overlap = overlap_of(s, c->box, s->chosen[j].box);
        if (s->sigma == 0 && overlap > s->overlap) return false;
        c->score *= expf(scale * overlap * overlap);
        if (c->score <= s->least) break;
    }
    c->checked = s->count;
    return true;
}

static void choose(cnnfi_suppression *s)
{
    for (int64_t i = 0; i < s->n; i++)
        if (s->scores[i] > s->least) push(s, (cnnfi_candidate){.score = s->scores[i], .box = i});
    while (s->count < s->most && s->heap_size > 0) {
        cnnfi_candidate c = pop(s);
        float before = c.score;
        if (!weigh(s, &c)) continue;
        if (c.score == before)
            s->chosen[s->count++] = c;
        else if (c.score > s->least)
            push(s, c);
    }
}

cnnf_status cnnfi_suppress(cnnfi_call *call, cnnfi_suppression *s)
{
    CNNFI_TRY(cnnfi_suppression_check(call));
    for (int32_t i = 0; i < call->n_inputs; i++) {
        const bool is_float = i == 2 || call->inputs[i].dtype == CNNF_FLOAT;
        if (!call->inputs[i].data || !is_float) return CNNFI_INFER_DYNAMIC;
    }
    *s = (cnnfi_suppression){.version = cnnfi_suppression_version(call->node),
                             .n = call->inputs[1].dims[0],
                             .boxes = call->inputs[0].data,
                             .scores = call->inputs[1].data};
    CNNFI_TRY(read_limits(call, s));
    /* n is that of a tensor of n * 4 */
    s->heap = cnnfi_calloc(call->context, (size_t)(2 * s->n + 1), sizeof *s->heap);
    if (!s->heap) return cnnfi_call_fail(call, CNNF_E_NOMEM, "out of memory");
    s->chosen = s->heap + s->n;
    choose(s);
    return CNNF_OK;
}

void cnnfi_suppression_done(cnnfi_call *call, cnnfi_suppression *s)
{
    cnnfi_free(call->context, s->heap);
}
