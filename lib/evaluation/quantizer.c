/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calibration: the graph with FixNeurons that find their own positions is run batch by batch; what each found is
 * counted, and nothing else of a batch is kept but the first few rows, for the report.
 */
#include "evaluation/quantizer.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/tensor.h"

/* ---- life ---- */

static cnnf_status copy_names(cnnf_quantizer *q, cnnfi_name_set *to, const cnnfi_name_set *from, cnnf_error *error)
{
    for (size_t i = 0; i < from->count; i++)
        CNNFI_TRY(cnnfi_name_set_add(to, &q->arena, q->context, from->names[i], error));
    return CNNF_OK;
}

static cnnf_status default_inputs(cnnf_quantizer *q, const cnnf_graph *graph, cnnf_error *error)
{
    for (int64_t i = 0; !q->inputs.count && i < cnnf_graph_input_count(graph); i++)
        CNNFI_TRY(cnnfi_name_set_add(&q->inputs, &q->arena, q->context, cnnf_graph_input_name(graph, i), error));
    if (q->inputs.count) return CNNF_OK;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        if (strcmp(graph->nodes[i]->op, "Placeholder")) continue;
        CNNFI_TRY(cnnfi_name_set_add(&q->inputs, &q->arena, q->context, graph->nodes[i]->name, error));
    }
    return q->inputs.count ? CNNF_OK : cnnfi_fail(error, CNNF_E_INVALID, "the graph has no Placeholder: name an input");
}

static cnnf_status default_outputs(cnnf_quantizer *q, const cnnf_graph *graph, cnnf_error *error)
{
    for (int64_t i = 0; !q->outputs.count && i < cnnf_graph_output_count(graph); i++)
        CNNFI_TRY(cnnfi_name_set_add(&q->outputs, &q->arena, q->context, cnnf_graph_output_name(graph, i), error));
    if (q->outputs.count) return CNNF_OK;
    bool *read = cnnfi_calloc(graph->context, graph->n_nodes + 1, sizeof *read);
    if (!read) return cnnfi_fail_nomem(error);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        for (size_t k = 0; k < graph->nodes[i]->n_inputs; k++)
            read[graph->nodes[i]->edges[k].node] = true;
    }
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; !status && i < graph->n_nodes; i++) {
        const cnnf_node *node = graph->nodes[i];
        if (read[i] || !node->n_inputs || strcmp(node->op, "NoOp") == 0) continue;
        status = cnnfi_name_set_add(&q->outputs, &q->arena, q->context, node->name, error);
    }
    cnnfi_free(graph->context, read);
    if (status || q->outputs.count) return status;
    return cnnfi_fail(error, CNNF_E_INVALID, "the graph has no output: name one");
}

static cnnf_status check_names(const cnnf_graph *graph, const cnnfi_name_set *set, const char *what, cnnf_error *error)
{
    for (size_t i = 0; i < set->count; i++) {
        if (cnnf_graph_find(graph, set->names[i])) continue;
        return cnnfi_fail_at_node(error, CNNF_E_NOT_FOUND, set->names[i], "the graph has no node '%s' (%s)",
                                  set->names[i], what);
    }
    return CNNF_OK;
}

cnnf_status cnnfi_quantizer_evaluator(cnnf_evaluator **out, const cnnf_quantizer *q, const cnnf_graph *graph,
                                      cnnf_error *error)
{
    cnnf_evaluator_options *options = NULL;
    cnnf_status status = cnnf_evaluator_options_new(&options, q->context, error);
    if (!status) status = cnnf_evaluator_options_set_threads(options, (int32_t)q->threads, error);
    if (!status) status = cnnf_evaluator_new(out, graph, options, error);
    cnnf_evaluator_options_free(options);
    return status;
}

static cnnf_status make_facts(cnnf_quantizer *q, cnnf_error *error)
{
    const size_t n = q->plan.n_fixes;
    q->facts = cnnfi_arena_array(&q->arena, n + 1, sizeof *q->facts);
    q->fetches = cnnfi_arena_array(&q->arena, n + 1, sizeof *q->fetches);
    q->fetched = cnnfi_arena_array(&q->arena, n + 1, sizeof *q->fetched);
    q->found = cnnfi_arena_array(&q->arena, n + 1, sizeof *q->found);
    bool *reached = cnnfi_arena_array(&q->arena, n + 1, sizeof *reached);
    if (!q->facts || !q->fetches || !q->fetched || !q->found || !reached) return cnnfi_fail_nomem(error);
    CNNFI_TRY(cnnfi_quantize_reach(reached, q->fixed, &q->plan, q->outputs.count, error));
    for (size_t i = 0; i < n; i++) {
        /* The tool runs what it fetches; the others keep position 0. */
        if (q->options.as_vai_q && !reached[i]) continue;
        q->fetches[q->n_fetches] = cnnfi_arena_printf(&q->arena, "%s:1", q->plan.fixes[i]);
        if (!q->fetches[q->n_fetches]) return cnnfi_fail_nomem(error);
        q->fetched[q->n_fetches++] = i;
    }
    return CNNF_OK;
}

static cnnf_status build(cnnf_quantizer *q, const cnnf_graph *graph, cnnf_error *error)
{
    CNNFI_TRY(default_inputs(q, graph, error));
    CNNFI_TRY(default_outputs(q, graph, error));
    CNNFI_TRY(check_names(graph, &q->inputs, "an input", error));
    CNNFI_TRY(check_names(graph, &q->outputs, "an output", error));
    q->options.inputs = q->inputs.names;
    q->options.n_inputs = q->inputs.count;
    q->options.outputs = q->outputs.names;
    q->options.n_outputs = q->outputs.count;
    q->notes.arena = &q->arena;
    cnnf_status status = q->scheme->build(q, graph, error);
    if (!status) status = make_facts(q, error);
    return status;
}

static void take_options(cnnf_quantizer *q, const int64_t *values)
{
    q->threads = values[CNNFI_QUANTIZER_THREADS];
    q->scheme = values[CNNFI_QUANTIZER_SCHEME] ? &cnnfi_quantizer_int8 : &cnnfi_quantizer_dpu;
    q->options = (cnnfi_quantize_options){.weight_bit = values[CNNFI_QUANTIZER_WEIGHT_BIT],
                                          .activation_bit = values[CNNFI_QUANTIZER_ACTIVATION_BIT],
                                          .method = values[CNNFI_QUANTIZER_METHOD],
                                          .align_concat = values[CNNFI_QUANTIZER_ALIGN_CONCAT],
                                          .align_pool = values[CNNFI_QUANTIZER_ALIGN_POOL],
                                          .simulate_dpu = values[CNNFI_QUANTIZER_SIMULATE_DPU] != 0,
                                          .adjust_shift_bias = values[CNNFI_QUANTIZER_ADJUST_SHIFT_BIAS] != 0,
                                          .adjust_shift_cut = values[CNNFI_QUANTIZER_ADJUST_SHIFT_CUT] != 0,
                                          .do_cle = values[CNNFI_QUANTIZER_DO_CLE] != 0,
                                          .replace_softmax = values[CNNFI_QUANTIZER_REPLACE_SOFTMAX] != 0,
                                          .as_vai_q = values[CNNFI_QUANTIZER_AS_VAI_Q] != 0,
                                          .ranges = values[CNNFI_QUANTIZER_RANGES],
                                          .kept = (double)values[CNNFI_QUANTIZER_KEPT] / 1e6,
                                          .by_channel = values[CNNFI_QUANTIZER_PER_CHANNEL] != 0};
}

cnnf_status cnnf_quantizer_new(cnnf_quantizer **out, const cnnf_graph *graph, const cnnf_quantizer_options *options,
                               cnnf_error *error)
{
    cnnf_error_clear(error);
    int64_t values[CNNFI_QUANTIZER_OPTIONS];
    if (!out) return cnnfi_fail_null(error, __func__);
    *out = NULL;
    if (!graph) return cnnfi_fail_null(error, __func__);
    cnnf_quantizer *q = cnnfi_calloc(graph->context, 1, sizeof *q);
    if (!q) return cnnfi_fail_nomem(error);
    q->context = cnnf_context_ref(graph->context);
    cnnfi_arena_init(&q->arena, q->context);
    cnnfi_quantizer_defaults(values);
    take_options(q, options ? options->values : values);
    cnnf_status status = CNNF_OK;
    if (q->options.replace_softmax)
        status = cnnfi_fail(error, CNNF_E_UNSUPPORTED, "replace_softmax: the DPU's hard softmax is not known here");
    if (!status && options) status = copy_names(q, &q->inputs, &options->inputs, error);
    if (!status && options) status = copy_names(q, &q->outputs, &options->outputs, error);
    if (!status) status = build(q, graph, error);
    if (status) {
        cnnf_quantizer_free(q);
        return status;
    }
    *out = q;
    return CNNF_OK;
}

static void forget_sample(cnnf_quantizer *q)
{
    for (size_t i = 0; q->sample && i < q->inputs.count; i++)
        cnnf_tensor_unref(q->sample[i]);
}

void cnnf_quantizer_free(cnnf_quantizer *q)
{
    if (!q) return;
    cnnf_context *context = q->context;
    forget_sample(q);
    cnnf_evaluator_free(q->evaluator);
    cnnf_graph_unref(q->prepared);
    cnnf_graph_unref(q->fixed);
    cnnfi_free(context, q->inputs.names);
    cnnfi_free(context, q->outputs.names);
    cnnfi_arena_free(&q->arena);
    cnnfi_free(context, q);
    cnnf_context_unref(context);
}

/* ---- names ---- */

int32_t cnnf_quantizer_input_count(const cnnf_quantizer *q)
{
    return q ? (int32_t)q->inputs.count : 0;
}

const char *cnnf_quantizer_input_name(const cnnf_quantizer *q, int32_t index)
{
    return q && index >= 0 && (size_t)index < q->inputs.count ? q->inputs.names[index] : NULL;
}

int32_t cnnf_quantizer_output_count(const cnnf_quantizer *q)
{
    return q ? (int32_t)q->outputs.count : 0;
}

const char *cnnf_quantizer_output_name(const cnnf_quantizer *q, int32_t index)
{
    return q && index >= 0 && (size_t)index < q->outputs.count ? q->plan.outputs[index] : NULL;
}

/* ---- feeding ---- */

static cnnf_status wake(cnnf_quantizer *q, cnnf_error *error)
{
    cnnf_graph *calibrating = NULL;
    if (q->evaluator) return CNNF_OK;
    CNNFI_TRY(q->scheme->calibrating(&calibrating, q, error));
    const cnnf_status status = cnnfi_quantizer_evaluator(&q->evaluator, q, calibrating, error);
    cnnf_graph_unref(calibrating);
    return status;
}

void cnnfi_quantizer_rest(cnnf_quantizer *q)
{
    cnnf_evaluator_free(q->evaluator);
    q->evaluator = NULL;
}

/* The first rows of every input, in the order of the inputs; kept as references where the batch is small. */
static cnnf_status keep_sample(cnnf_quantizer *q, const char *const *names, const cnnf_tensor *const *tensors,
                               size_t count, cnnf_error *error)
{
    if (q->sample) return CNNF_OK;
    cnnf_tensor **sample = cnnfi_arena_array(&q->arena, q->inputs.count + 1, sizeof *sample);
    if (!sample) return cnnfi_fail_nomem(error);
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; !status && i < q->inputs.count; i++) {
        for (size_t k = 0; !status && !sample[i] && k < count; k++) {
            const size_t length = strlen(q->inputs.names[i]);
            if (strncmp(names[k], q->inputs.names[i], length) || (names[k][length] && names[k][length] != ':'))
                continue;
            status = cnnfi_quantizer_rows(&sample[i], tensors[k], 0, CNNFI_QUANTIZER_SAMPLE, error);
        }
    }
    q->sample = sample;
    if (!status) return CNNF_OK;
    forget_sample(q);
    q->sample = NULL;
    return status;
}

cnnf_status cnnfi_quantizer_rows(cnnf_tensor **out, const cnnf_tensor *from, int64_t first, int64_t rows,
                                 cnnf_error *error)
{
    int64_t dims[CNNFI_MAX_RANK];
    const int32_t rank = cnnf_tensor_rank(from);
    cnnf_tensor *loaded = NULL;
    *out = NULL;
    if (!rank || cnnf_tensor_dim(from, 0) < first + rows) {
        rows = rank ? cnnf_tensor_dim(from, 0) - first : 0;
        if (rows < 0 || !rank) return cnnfi_fail(error, CNNF_E_INVALID, "a batch has no rows");
    }
    for (int32_t i = 0; i < rank; i++)
        dims[i] = cnnf_tensor_dim(from, i);
    const int64_t all = dims[0];
    dims[0] = rows;
    CNNFI_TRY(cnnf_tensor_load(&loaded, from, error));
    const size_t size = all ? cnnf_tensor_byte_size(loaded) / (size_t)all : 0;
    const char *data = cnnf_tensor_data(loaded);
    const cnnf_status status = cnnfi_tensor_copy(out, cnnfi_tensor_context(from), cnnf_tensor_dtype(from), rank, dims,
                                                 data ? data + (size_t)first * size : (const char *)"", error);
    cnnf_tensor_unref(loaded);
    return status;
}

cnnf_status cnnf_quantizer_feed(cnnf_quantizer *q, const char *const *names, const cnnf_tensor *const *tensors,
                                size_t count, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!q || !names || !tensors) return cnnfi_fail_null(error, __func__);
    for (size_t i = 0; i < count; i++) {
        if (!names[i] || !tensors[i]) return cnnfi_fail_null(error, __func__);
        if (!cnnf_tensor_element_count(tensors[i]))
            return cnnfi_fail(error, CNNF_E_INVALID, "the batch for '%s' is empty", names[i]);
    }
    CNNFI_TRY(wake(q, error));
    CNNFI_TRY(cnnf_evaluator_run(q->found, q->evaluator, names, tensors, count, q->fetches, q->n_fetches, error));
    const cnnf_status status = keep_sample(q, names, tensors, count, error);
    for (size_t i = 0; i < q->n_fetches; i++) {
        if (!status) q->scheme->count(q, q->fetched[i], cnnf_tensor_data(q->found[i]));
        cnnf_tensor_unref(q->found[i]);
    }
    q->batches += !status;
    if (!status && count && cnnf_tensor_rank(tensors[0])) q->examples += cnnf_tensor_dim(tensors[0], 0);
    return status;
}

static cnnf_status feed_next(cnnf_quantizer *q, cnnf_dataset *dataset, int64_t batch, int64_t *rows, cnnf_error *error)
{
    cnnf_tensor *images = NULL, *labels = NULL;
    cnnf_status status = cnnf_dataset_next(&images, &labels, dataset, batch, error);
    const cnnf_tensor *const tensors[] = {images};
    *rows = images ? cnnf_tensor_dim(images, 0) : 0;
    if (!status && images) status = cnnf_quantizer_feed(q, q->inputs.names, tensors, 1, error);
    cnnf_tensor_unref(images);
    cnnf_tensor_unref(labels);
    return status;
}

cnnf_status cnnf_quantizer_feed_dataset(cnnf_quantizer *q, cnnf_dataset *dataset, int64_t batch, int64_t batches,
                                        cnnf_progress_fn progress, void *user, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!q || !dataset) return cnnfi_fail_null(error, __func__);
    if (batch < 1 || batches < 0) return cnnfi_fail(error, CNNF_E_INVALID, "batch and batches are out of range");
    if (q->inputs.count != 1)
        return cnnfi_fail(error, CNNF_E_INVALID, "a data set feeds one input, the graph has %zu", q->inputs.count);
    const int64_t count = cnnf_dataset_count(dataset),
                  planned = batches && batches < INT64_MAX / batch ? batch * batches : count;
    const uint64_t total = count < 0 ? 0 : (uint64_t)(planned < count ? planned : count);
    uint64_t done = 0;
    int64_t rows = batch;
    for (int64_t i = 0; (!batches || i < batches) && rows == batch; i++) {
        CNNFI_TRY(feed_next(q, dataset, batch, &rows, error));
        done += (uint64_t)rows;
        if (rows && progress && progress(done, total, user))
            return cnnfi_fail(error, CNNF_E_CANCELLED, "stopped after %llu examples", (unsigned long long)done);
    }
    return CNNF_OK;
}

/* ---- results ---- */

cnnf_status cnnfi_quantizer_decide(cnnf_quantizer *q, cnnf_error *error)
{
    if (!q->batches) return cnnfi_fail(error, CNNF_E_INVALID, "nothing was fed to the quantizer");
    return q->scheme->decide(q, error);
}

cnnf_status cnnf_quantizer_finish(cnnf_graph **out, cnnf_quantizer *q, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail_null(error, __func__);
    *out = NULL;
    if (!q) return cnnfi_fail_null(error, __func__);
    CNNFI_TRY(cnnfi_quantizer_decide(q, error));
    return q->scheme->write(out, q, error);
}

cnnf_status cnnf_quantizer_deploy(cnnf_graph **out, cnnf_quantizer *q, cnnf_error *error)
{
    cnnf_error_clear(error);
    cnnf_graph *graph = NULL;
    if (out) *out = NULL;
    if (out && q && q->scheme != &cnnfi_quantizer_dpu)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "deploy_model is the DPU's");
    CNNFI_TRY(cnnf_quantizer_finish(&graph, q, error));
    const cnnf_status status = cnnfi_quantize_deploy(out, graph, &q->plan, &q->options, error);
    cnnf_graph_unref(graph);
    return status;
}
