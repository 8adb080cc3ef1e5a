/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole data set through a graph. Each thread of the evaluator takes batches in turn: it reads one under the reading
 * lock (so parsing runs beside the others' arithmetic), runs it alone, and adds it under the metrics' lock. Metrics do
 * not depend on the order, so neither does the result.
 */
#include <string.h>

#include <cnnfreeze/report.h>

#include "base/os.h"
#include "evaluation/dataset/dataset.h"
#include "evaluation/report/evaluation_report.h"
#include "evaluator/evaluator.h"
#include "evaluator/run/thread_pool.h"
#include "graph/resolve.h"
#include "graph/tensor.h"

typedef struct job {
    cnnf_metrics *metrics;
    cnnf_report *report; /* NULL: none */
    cnnf_evaluator *evaluator;
    cnnf_dataset *dataset;
    const char *input, *output;
    int64_t batch;
    int64_t fixed; /* the input takes this batch alone; 0: any */
    bool full_only;
    cnnf_progress_fn progress;
    void *user;
    uint64_t caller; /* the thread that may call `progress` */
    cnnfi_mutex *reading, *adding;
    bool ended;         /* under `reading` */
    uint64_t done;      /* under `adding` */
    uint64_t reported;  /* by the caller's thread alone */
    cnnf_status status; /* the first failure, under `adding` */
    cnnf_error *error;
} job;

static bool stopped(job *j)
{
    cnnfi_mutex_lock(j->adding);
    bool stop = j->status != CNNF_OK;
    cnnfi_mutex_unlock(j->adding);
    return stop;
}

static void stop_with(job *j, cnnf_status status, const cnnf_error *why)
{
    cnnfi_mutex_lock(j->adding);
    if (j->status == CNNF_OK) {
        j->status = status;
        cnnfi_error_copy(j->error, why);
    }
    cnnfi_mutex_unlock(j->adding);
}

/* The next batch; *images NULL at the end. Formats that can read beside other threads do so out of the lock. */
static cnnf_status take_batch(job *j, cnnf_tensor **images, cnnf_tensor **labels, int64_t *row, cnnf_error *error)
{
    cnnf_status status = CNNF_OK;
    cnnfi_rows rows = {0};
    *images = *labels = NULL;
    cnnfi_mutex_lock(j->reading);
    if (!j->ended) status = cnnfi_dataset_take(images, labels, &rows, j->dataset, j->batch, error);
    j->ended = j->ended || status != CNNF_OK || rows.count < j->batch;
    cnnfi_mutex_unlock(j->reading);
    *row = rows.first;
    if (status == CNNF_OK && rows.count > 0 && (rows.count == j->batch || !j->full_only))
        return *images ? CNNF_OK : cnnfi_dataset_read_rows(images, labels, j->dataset, rows, error);
    cnnf_tensor_unref(*images);
    cnnf_tensor_unref(*labels);
    *images = *labels = NULL;
    return status;
}

static cnnf_status add_batch(job *j, const cnnf_tensor *images, const cnnf_tensor *predictions,
                             const cnnf_tensor *labels, int64_t row, cnnf_error *error)
{
    cnnfi_mutex_lock(j->adding);
    cnnf_status status = cnnf_metrics_add(j->metrics, predictions, labels, row, error);
    if (status == CNNF_OK && j->report) status = cnnf_report_add(j->report, images, predictions, labels, row, error);
    if (status == CNNF_OK) j->done += (uint64_t)cnnf_tensor_element_count(labels);
    cnnfi_mutex_unlock(j->adding);
    return status;
}

static cnnf_status report(job *j, cnnf_error *error)
{
    if (!j->progress || cnnfi_os_thread_id() != j->caller) return CNNF_OK;
    cnnfi_mutex_lock(j->adding);
    uint64_t done = j->done;
    cnnfi_mutex_unlock(j->adding);
    int64_t total = cnnf_dataset_count(j->dataset);
    j->reported = done;
    if (j->progress(done, total > 0 ? (uint64_t)total : 0, j->user) == 0) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_CANCELLED, "stopped after %llu images", (unsigned long long)done);
}

/* The tensor with another number of rows: the first ones, then zeros. Takes *tensor, also where it fails. */
static cnnf_status resize(cnnf_tensor **tensor, int64_t rows, cnnf_error *error)
{
    const cnnf_tensor *old = *tensor;
    cnnf_tensor *new = NULL;
    int64_t dims[CNNFI_MAX_RANK];
    const int32_t rank = cnnf_tensor_rank(old);
    if (rank < 1 || cnnf_tensor_dim(old, 0) == rows) return CNNF_OK;
    for (int32_t i = 0; i < rank; i++)
        dims[i] = i ? cnnf_tensor_dim(old, i) : rows;
    const cnnf_status status =
        cnnf_tensor_new(&new, cnnfi_tensor_context(old), cnnf_tensor_dtype(old), rank, dims, error);
    if (status == CNNF_OK) {
        const size_t have = cnnf_tensor_byte_size(old), want = cnnf_tensor_byte_size(new);
        const size_t both = have < want ? have : want;
        char *to = cnnf_tensor_data_mut(new);
        if (both) memcpy(to, cnnf_tensor_data(old), both);
        if (want > both) memset(to + both, 0, want - both);
    }
    cnnf_tensor_unref(*tensor);
    *tensor = new;
    return status;
}

/* One batch from reading to counting; *more is false at the end. */
static cnnf_status step(job *j, bool *more, cnnf_error *error)
{
    cnnf_tensor *images = NULL, *labels = NULL, *predictions = NULL;
    int64_t row = 0;
    cnnf_status status = take_batch(j, &images, &labels, &row, error);
    *more = status == CNNF_OK && images;
    if (!*more) return status;
    const int64_t rows = cnnf_tensor_dim(images, 0);
    if (j->fixed) status = resize(&images, j->fixed, error);
    const cnnf_tensor *feeds[] = {images};
    if (status == CNNF_OK)
        status = cnnf_evaluator_run(&predictions, j->evaluator, &j->input, feeds, 1, &j->output, 1, error);
    if (status == CNNF_OK && j->fixed) status = resize(&predictions, rows, error);
    if (status == CNNF_OK) status = add_batch(j, images, predictions, labels, row, error);
    cnnf_tensor_unref(images);
    cnnf_tensor_unref(labels);
    cnnf_tensor_unref(predictions);
    return status == CNNF_OK ? report(j, error) : status;
}

static void work(int64_t begin, int64_t end, void *user)
{
    job *j = user;
    bool more = true;
    struct cnnf_error error;
    memset(&error, 0, sizeof(error));
    while (more && !stopped(j)) {
        cnnf_status status = step(j, &more, &error);
        if (status != CNNF_OK) stop_with(j, status, &error);
    }
}

static cnnf_status run_job(job *j, cnnf_error *error)
{
    cnnf_context *context = j->dataset->context;
    j->reading = cnnfi_mutex_new(context);
    j->adding = cnnfi_mutex_new(context);
    if (!j->reading || !j->adding) {
        cnnfi_mutex_free(context, j->reading);
        cnnfi_mutex_free(context, j->adding);
        return cnnfi_fail_nomem(error);
    }
    cnnfi_pool *pool = cnnfi_evaluator_pool(j->evaluator);
    cnnfi_parallel_for(pool, cnnfi_pool_threads(pool), 1, work, j);
    /* Other threads may have done the last batches, or all of them. */
    if (j->status == CNNF_OK && j->reported != j->done) j->status = report(j, error);
    cnnfi_mutex_free(context, j->reading);
    cnnfi_mutex_free(context, j->adding);
    return j->status;
}

/* ---- options ---- */

struct cnnf_evaluate_options {
    cnnf_context *context;
    char *input, *output; /* NULL: the declared one */
    int64_t batch;
    bool full_only;
    cnnf_progress_fn progress;
    void *user;
    cnnf_report *report; /* borrowed */
};

static const struct cnnf_evaluate_options defaults = {.batch = 32};

cnnf_status cnnf_evaluate_options_new(cnnf_evaluate_options **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out) *out = NULL;
    if (!out || !context) return cnnfi_fail_null(error, __func__);
    cnnf_evaluate_options *options = cnnfi_malloc(context, sizeof *options);
    if (!options) return cnnfi_fail_nomem(error);
    *options = defaults;
    options->context = cnnf_context_ref(context);
    *out = options;
    return CNNF_OK;
}

void cnnf_evaluate_options_free(cnnf_evaluate_options *options)
{
    if (!options) return;
    cnnf_context *context = options->context;
    cnnfi_free(context, options->input);
    cnnfi_free(context, options->output);
    cnnfi_free(context, options);
    cnnf_context_unref(context);
}

static cnnf_status set_name(cnnf_evaluate_options *options, char **slot, const char *name, cnnf_error *error)
{
    char *copy = cnnfi_strdup(options->context, name);
    if (!copy) return cnnfi_fail_nomem(error);
    cnnfi_free(options->context, *slot);
    *slot = copy;
    return CNNF_OK;
}

cnnf_status cnnf_evaluate_options_set_input(cnnf_evaluate_options *options, const char *name, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !name) return cnnfi_fail_null(error, __func__);
    return set_name(options, &options->input, name, error);
}

cnnf_status cnnf_evaluate_options_set_output(cnnf_evaluate_options *options, const char *name, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !name) return cnnfi_fail_null(error, __func__);
    return set_name(options, &options->output, name, error);
}

cnnf_status cnnf_evaluate_options_set_batch(cnnf_evaluate_options *options, int64_t batch, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    if (batch < 1) return cnnfi_fail(error, CNNF_E_INVALID, "evaluate: batches of %lld; at least 1", (long long)batch);
    options->batch = batch;
    return CNNF_OK;
}

cnnf_status cnnf_evaluate_options_set_full_batches_only(cnnf_evaluate_options *options, int32_t full_only,
                                                        cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    options->full_only = full_only != 0;
    return CNNF_OK;
}

cnnf_status cnnf_evaluate_options_set_progress(cnnf_evaluate_options *options, cnnf_progress_fn progress, void *user,
                                               cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    options->progress = progress;
    options->user = user;
    return CNNF_OK;
}

cnnf_status cnnf_evaluate_options_set_report(cnnf_evaluate_options *options, cnnf_report *report, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    options->report = report;
    return CNNF_OK;
}

/* ---- the call ---- */

/* The name that was given, else the only one the graph declares. */
static cnnf_status choose_name(const char **out, const char *given, int64_t declared, const char *first,
                               const char *what, cnnf_error *error)
{
    *out = given ? given : first;
    if (given || declared == 1) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_INVALID, "evaluate: the graph declares %lld %ss; name the %s", (long long)declared,
                      what, what);
}

/* The batch that a placeholder is fixed to; 0: it takes any. */
static int64_t fixed_batch(const cnnf_graph *graph, const char *input)
{
    const cnnf_node *node = NULL;
    struct cnnf_error ignored = {0};
    if (cnnfi_resolve_node(&node, graph, input, &ignored) != CNNF_OK || !cnnfi_starts_with(node->op, "Placeholder"))
        return 0;
    const int64_t batch = cnnf_node_attr_shape_dim(node, "shape", 0);
    return cnnf_node_attr_shape_rank(node, "shape") > 0 && batch > 0 ? batch : 0;
}

cnnf_status cnnf_evaluate_dataset(cnnf_metrics *metrics, cnnf_evaluator *evaluator, cnnf_dataset *dataset,
                                  const cnnf_evaluate_options *options, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!metrics || !evaluator || !dataset) return cnnfi_fail_null(error, __func__);
    if (!options) options = &defaults;
    job j = {.metrics = metrics,
             .report = options->report,
             .evaluator = evaluator,
             .dataset = dataset,
             .batch = options->batch,
             .full_only = options->full_only,
             .progress = options->progress,
             .user = options->user,
             .caller = cnnfi_os_thread_id(),
             .error = error};
    const cnnf_graph *graph = cnnfi_evaluator_graph(evaluator);
    CNNFI_TRY(choose_name(&j.input, options->input, cnnf_graph_input_count(graph), cnnf_graph_input_name(graph, 0),
                          "input", error));
    CNNFI_TRY(choose_name(&j.output, options->output, cnnf_graph_output_count(graph), cnnf_graph_output_name(graph, 0),
                          "output", error));
    j.fixed = fixed_batch(graph, j.input);
    if (j.fixed) j.batch = j.fixed;
    if (j.report) {
        const cnnfi_pixels pixels = cnnfi_dataset_pixels(dataset);
        cnnfi_report_set_pixels(j.report, &pixels);
    }
    dataset->classes = cnnf_metrics_classes(metrics);
    const cnnf_status status = run_job(&j, error);
    dataset->classes = 0;
    if (j.report) cnnfi_report_set_pixels(j.report, NULL);
    return status;
}
