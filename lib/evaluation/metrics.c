/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accuracy and what stands behind it. Everything is counted in integers, the loss in fixed point, so that parts
 * added in any order and merged in any way give exactly the numbers of one run.
 */
#include <cnnfreeze/metrics.h>

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "graph/tensor.h"

/* The unit in which losses are summed: 2^-40. */
#define LOSS_SCALE 1099511627776.0

typedef struct mistake {
    int64_t row, label, guess;
    double confidence;
} mistake;

struct cnnf_metrics {
    cnnf_context *context;
    int64_t classes, worst_room, worst_count;
    int64_t count, undefined;     /* examples; those whose loss is NaN */
    uint64_t loss_low, loss_high; /* sum of the others, 128 bits */
    int64_t *rank;                /* [classes]: examples whose label had that many better guesses */
    int64_t *confusion;           /* [label][guess] */
    mistake *worst;               /* most confident first */
};

/* Places of int64_t in a saved state before the arrays: classes, worst_room, worst_count, count, undefined, loss. */
#define SAVED_NUMBERS 7
#define MAGIC         "CNNFMTR\1" /* the last byte is the version */

static cnnf_status check_size(cnnf_context *context, int64_t classes, int64_t worst, cnnf_error *error)
{
    size_t bytes = 0;
    if (classes < 1 || worst < 0)
        return cnnfi_fail(error, CNNF_E_INVALID, "metrics: %lld classes, %lld worst mistakes", (long long)classes,
                          (long long)worst);
    if (!cnnfi_mul_size(&bytes, (size_t)classes, (size_t)classes) || !cnnfi_mul_size(&bytes, bytes, sizeof(int64_t)))
        bytes = SIZE_MAX;
    CNNFI_TRY(cnnfi_check_limit(context, CNNF_LIMIT_TENSOR_BYTES, bytes, "metrics: the confusion matrix", error));
    if (!cnnfi_mul_size(&bytes, (size_t)worst, sizeof(mistake))) bytes = SIZE_MAX;
    return cnnfi_check_limit(context, CNNF_LIMIT_TENSOR_BYTES, bytes, "metrics: the worst mistakes", error);
}

cnnf_status cnnf_metrics_new(cnnf_metrics **out, cnnf_context *context, int64_t classes, int64_t worst,
                             cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "metrics: out is NULL");
    *out = NULL;
    if (!context) return cnnfi_fail(error, CNNF_E_INVALID, "metrics: context is NULL");
    CNNFI_TRY(check_size(context, classes, worst, error));
    cnnf_metrics *m = cnnfi_calloc(context, 1, sizeof(*m));
    if (!m) return cnnfi_fail_nomem(error);
    m->context = cnnf_context_ref(context);
    m->classes = classes;
    m->worst_room = worst;
    m->rank = cnnfi_calloc(context, (size_t)classes, sizeof(m->rank[0]));
    m->confusion = cnnfi_calloc(context, (size_t)(classes * classes), sizeof(m->confusion[0]));
    m->worst = cnnfi_calloc(context, (size_t)worst + 1, sizeof(m->worst[0]));
    if (!m->rank || !m->confusion || !m->worst) {
        cnnf_metrics_free(m);
        return cnnfi_fail_nomem(error);
    }
    *out = m;
    return CNNF_OK;
}

void cnnf_metrics_free(cnnf_metrics *metrics)
{
    if (!metrics) return;
    cnnf_context *context = metrics->context;
    cnnfi_free(context, metrics->rank);
    cnnfi_free(context, metrics->confusion);
    cnnfi_free(context, metrics->worst);
    cnnfi_free(context, metrics);
    cnnf_context_unref(context);
}

/* ---- adding ---- */

static bool is_worse(const mistake *a, const mistake *b)
{
    if (a->confidence != b->confidence) return a->confidence > b->confidence;
    return a->row < b->row; /* a fixed order, however the parts come together */
}

static void keep_mistake(cnnf_metrics *m, mistake new)
{
    int64_t at = m->worst_count;
    if (at == m->worst_room) {
        if (at == 0 || !is_worse(&new, &m->worst[at - 1])) return;
        at--;
    } else {
        m->worst_count++;
    }
    for (; at > 0 && is_worse(&new, &m->worst[at - 1]); at--)
        m->worst[at] = m->worst[at - 1];
    m->worst[at] = new;
}

static void add_loss(cnnf_metrics *m, double p)
{
    if (isnan(p)) {
        m->undefined++;
        return;
    }
    p = p < 1e-7 ? 1e-7 : p > 1 - 1e-7 ? 1 - 1e-7 : p;
    uint64_t units = (uint64_t)llrint(-log(p) * LOSS_SCALE);
    m->loss_low += units;
    m->loss_high += m->loss_low < units;
}

/* The first of the largest; the first NaN when there is one, as numpy's argmax. */
static int64_t best_guess(const float *p, int64_t classes)
{
    int64_t best = 0;
    for (int64_t i = 0; i < classes; i++) {
        if (isnan(p[i])) return i;
        if (p[i] > p[best]) best = i;
    }
    return best;
}

/* How many guesses stand before the label's in that order. */
static int64_t label_rank(const float *p, int64_t classes, int64_t label)
{
    int64_t rank = 0;
    bool nan = isnan(p[label]);
    for (int64_t i = 0; i < classes; i++) {
        bool equal = isnan(p[i]) ? nan : p[i] == p[label];
        rank += p[i] > p[label] || (isnan(p[i]) && !nan) || (i < label && equal);
    }
    return rank;
}

static void add_example(cnnf_metrics *m, const float *p, int64_t label, int64_t row)
{
    int64_t guess = best_guess(p, m->classes);
    m->count++;
    m->rank[label_rank(p, m->classes, label)]++;
    m->confusion[label * m->classes + guess]++;
    add_loss(m, (double)p[label]);
    if (guess != label)
        keep_mistake(m, (mistake){.row = row,
                                  .label = label,
                                  .guess = guess,
                                  .confidence = isnan(p[guess]) ? (double)INFINITY : (double)p[guess]});
}

static cnnf_status check_batch(const cnnf_metrics *m, const cnnf_tensor *predictions, const cnnf_tensor *labels,
                               int64_t *columns, cnnf_error *error)
{
    int64_t n = labels ? cnnf_tensor_element_count(labels) : 0;
    if (!m || !predictions || !labels) return cnnfi_fail(error, CNNF_E_INVALID, "metrics: an argument is NULL");
    if (cnnf_tensor_dtype(predictions) != CNNF_FLOAT || cnnf_tensor_dtype(labels) != CNNF_INT64)
        return cnnfi_fail(error, CNNF_E_MISMATCH, "metrics: predictions must be float, labels int64; they are %s, %s",
                          cnnf_dtype_name(cnnf_tensor_dtype(predictions)), cnnf_dtype_name(cnnf_tensor_dtype(labels)));
    int64_t all = cnnf_tensor_element_count(predictions);
    *columns = n > 0 ? all / n : m->classes;
    bool binary = *columns == 1 && m->classes == 2;
    if (cnnf_tensor_rank(labels) != 1 || cnnf_tensor_dim(predictions, 0) != n || *columns * n != all ||
        (*columns != m->classes && !binary))
        return cnnfi_fail(error, CNNF_E_MISMATCH, "metrics: %lld predictions do not fit %lld labels of %lld classes",
                          (long long)all, (long long)n, (long long)m->classes);
    return CNNF_OK;
}

/* Every count is at most `count`, so that none runs over when it does not. */
static cnnf_status check_count(const cnnf_metrics *m, int64_t more, cnnf_error *error)
{
    int64_t sum;
    if (cnnfi_add_i64(&sum, m->count, more)) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_LIMIT, "metrics: %lld examples and %lld more are too many to count",
                      (long long)m->count, (long long)more);
}

cnnf_status cnnf_metrics_add(cnnf_metrics *metrics, const cnnf_tensor *predictions, const cnnf_tensor *labels,
                             int64_t first_row, cnnf_error *error)
{
    cnnf_error_clear(error);
    int64_t columns = 0;
    cnnf_tensor *p = NULL, *l = NULL;
    CNNFI_TRY(check_batch(metrics, predictions, labels, &columns, error));
    cnnf_status status = cnnf_tensor_load(&p, predictions, error);
    if (status == CNNF_OK) status = cnnf_tensor_load(&l, labels, error);
    if (status != CNNF_OK) goto done;
    int64_t n = cnnf_tensor_element_count(l);
    status = check_count(metrics, n, error);
    if (status != CNNF_OK) goto done;
    const int64_t *label = cnnf_tensor_data(l);
    const float *row = cnnf_tensor_data(p);
    for (int64_t i = 0; i < n; i++) {
        if (label[i] >= 0 && label[i] < metrics->classes) continue;
        status = cnnfi_fail(error, CNNF_E_INVALID, "metrics: row %lld: label %lld is outside 0 .. %lld",
                            (long long)(first_row + i), (long long)label[i], (long long)metrics->classes - 1);
        goto done;
    }
    for (int64_t i = 0; i < n; i++, row += columns) {
        const float both[2] = {1.0f - row[0], row[0]}; /* one sigmoid output: the second class's probability */
        add_example(metrics, columns == metrics->classes ? row : both, label[i], first_row + i);
    }
done:
    cnnf_tensor_unref(p);
    cnnf_tensor_unref(l);
    return status;
}

cnnf_status cnnf_metrics_merge(cnnf_metrics *metrics, const cnnf_metrics *other, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!metrics || !other || metrics == other) return cnnfi_fail(error, CNNF_E_INVALID, "metrics: nothing to merge");
    if (metrics->classes != other->classes)
        return cnnfi_fail(error, CNNF_E_MISMATCH, "metrics of %lld and %lld classes do not merge",
                          (long long)metrics->classes, (long long)other->classes);
    CNNFI_TRY(check_count(metrics, other->count, error));
    metrics->count += other->count;
    metrics->undefined += other->undefined;
    metrics->loss_low += other->loss_low;
    metrics->loss_high += other->loss_high + (metrics->loss_low < other->loss_low);
    for (int64_t i = 0; i < metrics->classes; i++)
        metrics->rank[i] += other->rank[i];
    for (int64_t i = 0; i < metrics->classes * metrics->classes; i++)
        metrics->confusion[i] += other->confusion[i];
    for (int64_t i = 0; i < other->worst_count; i++)
        keep_mistake(metrics, other->worst[i]);
    return CNNF_OK;
}

/* ---- state ---- */

static size_t saved_size(int64_t classes, int64_t worst_count)
{
    return 8 + SAVED_NUMBERS * 8 + (size_t)(classes + classes * classes) * 8 + (size_t)worst_count * sizeof(mistake) +
           4;
}

static char *put(char *to, const void *data, size_t size)
{
    if (size) memcpy(to, data, size);
    return to + size;
}

cnnf_status cnnf_metrics_save(cnnf_buffer **out, const cnnf_metrics *metrics, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "metrics: out is NULL");
    *out = NULL;
    if (!metrics) return cnnfi_fail(error, CNNF_E_INVALID, "metrics is NULL");
    const cnnf_metrics *m = metrics;
    size_t size = saved_size(m->classes, m->worst_count), cells = (size_t)(m->classes * m->classes);
    cnnf_buffer *buffer = cnnfi_buffer_new(m->context, size);
    if (!buffer) return cnnfi_fail_nomem(error);
    const int64_t numbers[SAVED_NUMBERS] = {m->classes,   m->worst_room,        m->worst_count,       m->count,
                                            m->undefined, (int64_t)m->loss_low, (int64_t)m->loss_high};
    char *start = cnnfi_buffer_mut(buffer), *to = put(start, MAGIC, 8);
    to = put(to, numbers, sizeof(numbers));
    to = put(to, m->rank, (size_t)m->classes * 8);
    to = put(to, m->confusion, cells * 8);
    to = put(to, m->worst, (size_t)m->worst_count * sizeof(mistake));
    uint32_t crc = cnnfi_crc32c_mask(cnnfi_crc32c(0, start, size - 4));
    put(to, &crc, 4);
    *out = buffer;
    return CNNF_OK;
}

/* Everything a checksum cannot promise: counts that add up, classes in range, the order of the mistakes. */
static bool is_sound(const cnnf_metrics *m)
{
    int64_t ranked = 0, confused = 0;
    for (int64_t i = 0; i < m->classes; i++)
        if (m->rank[i] < 0 || !cnnfi_add_i64(&ranked, ranked, m->rank[i])) return false;
    for (int64_t i = 0; i < m->classes * m->classes; i++)
        if (m->confusion[i] < 0 || !cnnfi_add_i64(&confused, confused, m->confusion[i])) return false;
    for (int64_t i = 0; i < m->worst_count; i++) {
        const mistake *w = &m->worst[i];
        if (w->label < 0 || w->label >= m->classes || w->guess < 0 || w->guess >= m->classes) return false;
    }
    return ranked == m->count && confused == m->count && m->undefined >= 0 && m->undefined <= m->count;
}

static cnnf_status read_numbers(cnnfi_cursor *c, int64_t *numbers, cnnf_error *error)
{
    cnnfi_bytes magic = {0}, raw = {0};
    uint32_t crc = 0;
    if (c->size < 8 + SAVED_NUMBERS * 8 + 4 || !cnnfi_read_bytes(c, 8, &magic) || memcmp(magic.data, MAGIC, 7) != 0)
        return cnnfi_fail(error, CNNF_E_FORMAT, "metrics: not a saved state");
    if (magic.data[7] != MAGIC[7])
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "metrics: state of version %d, this library reads 1",
                          magic.data[7]);
    memcpy(&crc, c->data + c->size - 4, 4);
    if (crc != cnnfi_crc32c_mask(cnnfi_crc32c(0, c->data, c->size - 4)))
        return cnnfi_fail(error, CNNF_E_CORRUPT, "metrics: the checksum does not fit");
    cnnfi_read_bytes(c, SAVED_NUMBERS * 8, &raw);
    memcpy(numbers, raw.data, SAVED_NUMBERS * 8);
    return CNNF_OK;
}

cnnf_status cnnf_metrics_restore(cnnf_metrics **out, cnnf_context *context, const void *data, size_t size,
                                 cnnf_error *error)
{
    cnnf_error_clear(error);
    int64_t n[SAVED_NUMBERS];
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "metrics: out is NULL");
    *out = NULL;
    if (!context || !data) return cnnfi_fail(error, CNNF_E_INVALID, "metrics: an argument is NULL");
    cnnfi_cursor c = cnnfi_cursor_of(data, size);
    CNNFI_TRY(read_numbers(&c, n, error));
    /* classes^2 * 8 bytes are in the state: a size that fits also bounds them */
    if (n[0] < 1 || n[0] > (int64_t)1 << 24 || n[1] < 0 || n[2] < 0 || n[2] > n[1] || (uint64_t)n[2] > size ||
        n[3] < 0 || saved_size(n[0], n[2]) != size)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "metrics: the state's size does not fit its numbers");
    cnnf_metrics *m = NULL;
    CNNFI_TRY(cnnf_metrics_new(&m, context, n[0], n[1], error));
    const uint8_t *from = c.data + c.at;
    size_t cells = (size_t)(n[0] * n[0]);
    m->worst_count = n[2];
    m->count = n[3];
    m->undefined = n[4];
    m->loss_low = (uint64_t)n[5];
    m->loss_high = (uint64_t)n[6];
    memcpy(m->rank, from, (size_t)n[0] * 8);
    memcpy(m->confusion, from + (size_t)n[0] * 8, cells * 8);
    if (n[2] > 0) memcpy(m->worst, from + ((size_t)n[0] + cells) * 8, (size_t)n[2] * sizeof(mistake));
    if (!is_sound(m)) {
        cnnf_metrics_free(m);
        return cnnfi_fail(error, CNNF_E_CORRUPT, "metrics: the state's counts do not add up");
    }
    *out = m;
    return CNNF_OK;
}

/* ---- reading ---- */

int64_t cnnf_metrics_classes(const cnnf_metrics *metrics)
{
    return metrics ? metrics->classes : 0;
}

int64_t cnnf_metrics_count(const cnnf_metrics *metrics)
{
    return metrics ? metrics->count : 0;
}

int64_t cnnf_metrics_correct(const cnnf_metrics *metrics)
{
    return metrics ? metrics->rank[0] : 0;
}

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

double cnnf_metrics_accuracy(const cnnf_metrics *metrics)
{
    return metrics ? share(metrics->rank[0], metrics->count) : 0;
}

double cnnf_metrics_topk(const cnnf_metrics *metrics, int64_t k)
{
    int64_t sum = 0;
    if (!metrics) return 0;
    for (int64_t i = 0; i < k && i < metrics->classes; i++)
        sum += metrics->rank[i];
    return share(sum, metrics->count);
}

double cnnf_metrics_loss(const cnnf_metrics *metrics)
{
    if (!metrics || metrics->count == 0) return 0;
    if (metrics->undefined > 0) return (double)NAN;
    double sum = (double)metrics->loss_high * 18446744073709551616.0 + (double)metrics->loss_low;
    return sum / LOSS_SCALE / (double)metrics->count;
}

int64_t cnnf_metrics_confusion(const cnnf_metrics *metrics, int64_t label, int64_t guess)
{
    if (!metrics || label < 0 || guess < 0 || label >= metrics->classes || guess >= metrics->classes) return 0;
    return metrics->confusion[label * metrics->classes + guess];
}

/* The diagonal's share of a row (recall) or a column (precision). */
static double diagonal_share(const cnnf_metrics *metrics, int64_t label, bool column)
{
    int64_t sum = 0;
    if (!metrics) return 0;
    for (int64_t i = 0; i < metrics->classes; i++)
        sum += column ? cnnf_metrics_confusion(metrics, i, label) : cnnf_metrics_confusion(metrics, label, i);
    return share(cnnf_metrics_confusion(metrics, label, label), sum);
}

double cnnf_metrics_precision(const cnnf_metrics *metrics, int64_t label)
{
    return diagonal_share(metrics, label, true);
}

double cnnf_metrics_recall(const cnnf_metrics *metrics, int64_t label)
{
    return diagonal_share(metrics, label, false);
}

double cnnf_metrics_f1(const cnnf_metrics *metrics, int64_t label)
{
    double p = cnnf_metrics_precision(metrics, label), r = cnnf_metrics_recall(metrics, label);
    return p + r > 0 ? 2 * p * r / (p + r) : 0;
}

int64_t cnnf_metrics_worst_count(const cnnf_metrics *metrics)
{
    return metrics ? metrics->worst_count : 0;
}

cnnf_status cnnf_metrics_worst(int64_t *row, int64_t *label, int64_t *guess, double *confidence,
                               const cnnf_metrics *metrics, int64_t index, cnnf_error *error)
{
    cnnf_error_clear(error);
    static const mistake none;
    const bool found = metrics && index >= 0 && index < metrics->worst_count;
    const mistake *w = found ? &metrics->worst[index] : &none;
    if (row) *row = w->row;
    if (label) *label = w->label;
    if (guess) *guess = w->guess;
    if (confidence) *confidence = w->confidence;
    if (found) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_INVALID, "metrics: there is no mistake %lld", (long long)index);
}
