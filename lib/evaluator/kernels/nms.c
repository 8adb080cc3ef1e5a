/* SPDX-License-Identifier: Apache-2.0 */
/* NonMaxSuppression*: boxes in the order of their scores, without those that overlap a better one. */
#include <float.h>
#include <math.h>

#include "evaluator/kernels/nn.h"
#include "evaluator/kernels/portable.h"

typedef struct candidate {
    float score;
    int64_t box, checked; /* how many of the chosen it was held against */
} candidate;

typedef struct suppression {
    int32_t version;     /* 1 .. 5; 0: WithOverlaps */
    int64_t n, most;     /* boxes; outputs at most */
    const float *boxes;  /* [n, 4], or the overlaps [n, n] */
    const float *scores; /* [n] */
    float overlap, least, sigma;
    bool pad;
    candidate *heap, *chosen;
    int64_t heap_size, count;
} suppression;

static float number_of(const cnnfi_call *call, int32_t input, float fallback)
{
    return input < call->n_inputs ? (float)cnnfi_get_f64(&call->inputs[input], 0) : fallback;
}

static cnnf_status read_limits(cnnfi_call *call, suppression *s)
{
    s->most = cnnfi_get_i64(&call->inputs[2], 0);
    s->overlap =
        s->version == 1 ? (float)cnnf_node_attr_float(call->node, "iou_threshold", 0.5) : number_of(call, 3, 0);
    s->least = number_of(call, 4, -FLT_MAX);
    s->sigma = number_of(call, 5, 0);
    s->pad = s->version >= 4 && cnnf_node_attr_bool(call->node, "pad_to_max_output_size", 0);
    if (s->most < 0) return cnnfi_call_fail(call, CNNF_E_INVALID, "max_output_size is %lld", (long long)s->most);
    if (s->version > 0 && !(s->overlap >= 0 && s->overlap <= 1))
        return cnnfi_call_fail(call, CNNF_E_INVALID, "iou_threshold is outside 0 to 1");
    if (!(s->sigma >= 0)) return cnnfi_call_fail(call, CNNF_E_INVALID, "soft_nms_sigma is negative");
    return CNNF_OK;
}

static cnnf_status read_suppression(cnnfi_call *call, suppression *s)
{
    static const int32_t n_inputs[] = {5, 3, 4, 5, 5, 6};
    const char *tail = call->node->op + strlen("NonMaxSuppression");
    *s = (suppression){.version = *tail == 'W' ? 0 : *tail == 'V' ? tail[1] - '0' : 1};
    CNNFI_TRY(cnnfi_want_inputs(call, n_inputs[s->version], n_inputs[s->version]));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    CNNFI_TRY(cnnfi_want_dtype(call, 2, CNNF_INT32));
    const cnnfi_value *in = call->inputs;
    s->n = in[0].dims[0];
    if (in[0].dims[1] != (s->version ? 4 : s->n) || in[1].dims[0] != s->n)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "boxes and scores do not fit");
    for (int32_t i = 0; i < call->n_inputs; i++) {
        if (i != 2) CNNFI_TRY(cnnfi_want_dtype(call, i, CNNF_FLOAT));
        if (i >= 2) CNNFI_TRY(cnnfi_want_rank(call, i, 0));
        CNNFI_TRY(cnnfi_want_value(call, i));
    }
    s->boxes = in[0].data;
    s->scores = in[1].data;
    return read_limits(call, s);
}

static float overlap_of(const suppression *s, int64_t i, int64_t j)
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

static bool better(const candidate *a, const candidate *b)
{
    return a->score > b->score || (a->score == b->score && a->box < b->box);
}

static void push(suppression *s, candidate c)
{
    int64_t at = s->heap_size++;
    for (; at > 0 && better(&c, &s->heap[(at - 1) / 2]); at = (at - 1) / 2)
        s->heap[at] = s->heap[(at - 1) / 2];
    s->heap[at] = c;
}

static candidate pop(suppression *s)
{
    candidate top = s->heap[0], last = s->heap[--s->heap_size];
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
static bool weigh(const suppression *s, candidate *c)
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

static void choose(suppression *s)
{
    for (int64_t i = 0; i < s->n; i++)
        if (s->scores[i] > s->least) push(s, (candidate){.score = s->scores[i], .box = i});
    while (s->count < s->most && s->heap_size > 0) {
        candidate c = pop(s);
        float before = c.score;
        if (!weigh(s, &c)) continue;
        if (c.score == before)
            s->chosen[s->count++] = c;
        else if (c.score > s->least)
            push(s, c);
    }
}

/* The caller frees s->heap. */
static cnnf_status suppress(cnnfi_call *call, suppression *s)
{
    CNNFI_TRY(read_suppression(call, s));
    s->heap = cnnfi_calloc(call->context, (size_t)(2 * s->n + 1), sizeof(candidate)); /* n is that of a tensor of n*4 */
    if (!s->heap) return cnnfi_call_fail(call, CNNF_E_NOMEM, "out of memory");
    s->chosen = s->heap + s->n;
    choose(s);
    return CNNF_OK;
}

static cnnf_status suppress_infer(cnnfi_call *call)
{
    suppression s;
    CNNFI_TRY(suppress(call, &s));
    cnnfi_free(call->context, s.heap);
    int64_t n = s.pad ? s.most : s.count;
    int32_t next = 1;
    CNNFI_TRY(cnnfi_call_output(call, 0, CNNF_INT32, 1, &n));
    if (s.version == 5) CNNFI_TRY(cnnfi_call_output(call, next++, CNNF_FLOAT, 1, &n));
    return s.version >= 4 ? cnnfi_call_output(call, next, CNNF_INT32, 0, NULL) : CNNF_OK;
}

static cnnf_status suppress_run(cnnfi_call *call)
{
    suppression s;
    CNNFI_TRY(suppress(call, &s));
    cnnfi_value *out = call->outputs;
    for (int64_t i = 0; i < out[0].count; i++) {
        ((int32_t *)out[0].data)[i] = i < s.count ? (int32_t)s.chosen[i].box : 0;
        if (s.version == 5) ((float *)out[1].data)[i] = i < s.count ? s.chosen[i].score : 0;
    }
    if (s.version >= 4) *(int32_t *)out[s.version - 3].data = (int32_t)s.count;
    cnnfi_free(call->context, s.heap);
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"NonMaxSuppression", suppress_infer, suppress_run, 0},
    {"NonMaxSuppressionV2", suppress_infer, suppress_run, 0},
    {"NonMaxSuppressionV3", suppress_infer, suppress_run, 0},
    {"NonMaxSuppressionV4", suppress_infer, suppress_run, 0},
    {"NonMaxSuppressionV5", suppress_infer, suppress_run, 0},
    {"NonMaxSuppressionWithOverlaps", suppress_infer, suppress_run, 0},
};

const cnnfi_kernel_family cnnfi_kernels_suppress = {"suppression", kernels, sizeof(kernels) / sizeof(kernels[0])};
