/* SPDX-License-Identifier: Apache-2.0 */
/* predict: feeds .npy files to a graph, fetches .npy files. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "inference.h"
#include "load.h"
#include "output.h"
#include "rows.h"

#define MAX_TENSORS 64

typedef struct arguments {
    const char *graph, *checkpoint, *backend, *isa;
    flag_list feeds, fetches;
    int64_t batch, threads;
    output_flags out;
    inference_flags inference;
    keras_flags keras;
} arguments;

/* NAME=FILE pairs, split. */
typedef struct bindings {
    char names[MAX_TENSORS][512];
    const char *name_list[MAX_TENSORS], *files[MAX_TENSORS];
    cnnf_tensor *tensors[MAX_TENSORS];
    size_t count;
} bindings;

static cnnf_status split_bindings(bindings *b, const flag_list *list, const char *what)
{
    b->count = 0;
    for (size_t i = 0; i < list->count; i++) {
        b->files[i] = cli_split_pair(list->values[i], b->names[i], sizeof b->names[i]);
        if (!b->files[i]) {
            cli_say(0, "--%s is NAME=FILE.npy, not '%s'", what, list->values[i]);
            return CNNF_E_INVALID;
        }
        b->name_list[i] = b->names[i];
        b->count++;
    }
    return CNNF_OK;
}

static void drop_tensors(bindings *b)
{
    for (size_t i = 0; i < b->count; i++) {
        cnnf_tensor_unref(b->tensors[i]);
        b->tensors[i] = NULL;
    }
}

/* Rows as they are fed: `length` of them, of which those from `rows` on are zeros; 0: no more than there are. */
static cnnf_status run_batch(bindings *results, cnnf_evaluator *evaluator, const session *s, const bindings *feeds,
                             int64_t first, int64_t rows, int64_t length)
{
    cnnf_tensor *parts[MAX_TENSORS] = {NULL};
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; !status && i < feeds->count; i++)
        status = take_rows(&parts[i], s, feeds->tensors[i], first, rows, length ? length : rows);
    if (!status) {
        status = cnnf_evaluator_run(results->tensors, evaluator, feeds->name_list, (const cnnf_tensor *const *)parts,
                                    feeds->count, results->name_list, results->count, s->error);
    }
    for (size_t i = 0; i < feeds->count; i++)
        cnnf_tensor_unref(parts[i]);
    return status;
}

/* Copies a batch's first `rows` rows into the whole result, which the first batch makes. */
static cnnf_status collect(bindings *whole, const session *s, const bindings *part, int64_t first, int64_t rows,
                           int64_t total)
{
    for (size_t i = 0; i < whole->count; i++) {
        int64_t dims[32] = {0};
        const int32_t rank = cnnf_tensor_rank(part->tensors[i]);
        for (int32_t axis = 0; axis < rank && axis < 32; axis++)
            dims[axis] = cnnf_tensor_dim(part->tensors[i], axis);
        const int64_t have = rank ? dims[0] : 0;
        if (!whole->tensors[i]) {
            dims[0] = total;
            const cnnf_status status = cnnf_tensor_new(&whole->tensors[i], s->context,
                                                       cnnf_tensor_dtype(part->tensors[i]), rank, dims, s->error);
            if (status) return status;
        }
        const size_t row = have ? cnnf_tensor_byte_size(part->tensors[i]) / (size_t)have : 0;
        const size_t offset = row * (size_t)first, bytes = row * (size_t)rows;
        if (have < rows || offset + bytes > cnnf_tensor_byte_size(whole->tensors[i])) {
            cli_say(0, "output '%s' has no batch dimension: it cannot be had in batches", whole->name_list[i]);
            return CNNF_E_INVALID;
        }
        memcpy((char *)cnnf_tensor_data_mut(whole->tensors[i]) + offset, cnnf_tensor_data(part->tensors[i]), bytes);
    }
    return CNNF_OK;
}

/* In batches of `batch` rows; `padded`: the last one, too. */
static cnnf_status run_batches(bindings *fetches, cnnf_evaluator *evaluator, const session *s, const bindings *feeds,
                               int64_t batch, bool padded)
{
    static bindings part; /* its names are the fetches'; too big for a stack frame */
    const int64_t total = feeds->count ? cnnf_tensor_dim(feeds->tensors[0], 0) : 0;
    cnnf_status status = CNNF_OK;
    part.count = fetches->count;
    memcpy(part.name_list, fetches->name_list, sizeof part.name_list);
    for (size_t i = 0; i < feeds->count; i++) {
        if (cnnf_tensor_rank(feeds->tensors[i]) > 0 && cnnf_tensor_dim(feeds->tensors[i], 0) == total) continue;
        cli_say(0, "batches need feeds of one length");
        return CNNF_E_INVALID;
    }
    for (int64_t first = 0; !status && first < total; first += batch) {
        const int64_t rows = total - first < batch ? total - first : batch;
        status = run_batch(&part, evaluator, s, feeds, first, rows, padded ? batch : 0);
        if (!status) status = collect(fetches, s, &part, first, rows, total);
        drop_tensors(&part);
    }
    return status;
}

/* The batch that a graph is fixed to, when another number of rows is fed to it. */
static int64_t fixed_to(const cnnf_graph *graph, const bindings *feeds)
{
    for (size_t i = 0; i < feeds->count; i++) {
        const int64_t batch = fixed_batch(graph, feeds->names[i]);
        const cnnf_tensor *feed = feeds->tensors[i];
        if (batch > 0 && cnnf_tensor_rank(feed) > 0 && cnnf_tensor_dim(feed, 0) != batch) return batch;
    }
    return 0;
}

static cnnf_status run_graph(bindings *fetches, cnnf_evaluator *evaluator, const session *s, const bindings *feeds,
                             const cnnf_graph *graph, int64_t batch)
{
    const int64_t fixed = fixed_to(graph, feeds);
    if (fixed > 0) return run_batches(fetches, evaluator, s, feeds, fixed, true);
    if (batch > 0 && feeds->count) return run_batches(fetches, evaluator, s, feeds, batch, false);
    return cnnf_evaluator_run(fetches->tensors, evaluator, feeds->name_list, (const cnnf_tensor *const *)feeds->tensors,
                              feeds->count, fetches->name_list, fetches->count, s->error);
}

static cnnf_status make_evaluator(cnnf_evaluator **out, const session *s, const arguments *a, const cnnf_graph *graph)
{
    cnnf_evaluator_options *options = NULL;
    cnnf_status status = cnnf_evaluator_options_new(&options, s->context, s->error);
    if (!status) status = cnnf_evaluator_options_set_threads(options, (int32_t)a->threads, s->error);
    if (!status && a->backend) status = cnnf_evaluator_options_set_backend(options, a->backend, s->error);
    if (!status && a->isa) status = cnnf_evaluator_options_set_isa(options, a->isa, s->error);
    if (!status) status = cnnf_evaluator_new(out, graph, options, s->error);
    cnnf_evaluator_options_free(options);
    return status;
}

static cnnf_status predict(const session *s, const arguments *a, bindings *feeds, bindings *fetches)
{
    cnnf_graph *graph = NULL;
    cnnf_evaluator *evaluator = NULL;
    flag_list outputs = {.count = fetches->count};
    memcpy(outputs.values, fetches->name_list, fetches->count * sizeof *outputs.values);
    cnnf_status status = load_model(&graph, s, a->graph, a->checkpoint, &a->keras);
    if (!status) status = ready_to_run(&graph, s, &a->inference, &outputs, &a->feeds);
    for (size_t i = 0; !status && i < feeds->count; i++) {
        status = cnnf_npy_load(&feeds->tensors[i], s->context, feeds->files[i], s->error);
    }
    if (!status) status = make_evaluator(&evaluator, s, a, graph);
    if (!status) status = run_graph(fetches, evaluator, s, feeds, graph, a->batch);
    for (size_t i = 0; !status && i < fetches->count; i++) {
        status = cnnf_npy_save(fetches->tensors[i], fetches->files[i], s->error);
    }
    drop_tensors(feeds);
    drop_tensors(fetches);
    cnnf_evaluator_free(evaluator);
    cnnf_graph_unref(graph);
    return status;
}

/* 0, or the exit code of what was said. */
static int claim_files(const arguments *a, bindings *feeds, bindings *fetches)
{
    output_claim claim = {.n_outputs = 0};
    if (split_bindings(feeds, &a->feeds, "feed") || split_bindings(fetches, &a->fetches, "fetch")) return EXIT_USAGE;
    claim_input(&claim, a->graph);
    claim_input(&claim, a->checkpoint);
    for (size_t i = 0; i < feeds->count; i++)
        claim_input(&claim, feeds->files[i]);
    for (size_t i = 0; i < fetches->count; i++)
        claim_output(&claim, &fetches->files[i]);
    return claim_check(&claim, a->out.in_place);
}

int cmd_predict(int argc, char **argv)
{
    static bindings feeds, fetches; /* 33 KiB of names each */
    arguments a = {0};
    const flag flags[] = {
        {"graph", FLAG_STRING, &a.graph, "FILE", "frozen graph, or a model"},
        {"feed", FLAG_LIST, &a.feeds, "NAME=x.npy", "tensor to feed; repeatable"},
        {"fetch", FLAG_LIST, &a.fetches, "NAME=y.npy", "tensor to fetch; repeatable"},
        {"input_checkpoint", FLAG_STRING, &a.checkpoint, "PREFIX", "values of a graph that is not frozen"},
        {"batchsize", FLAG_INT, &a.batch, "N", "rows per run (all at once)"},
        PHASE_FLAG(a.inference),
        {"threads", FLAG_INT, &a.threads, "N", "threads (all processors)"},
        {"backend", FLAG_STRING, &a.backend, "NAME", "auto, portable or onednn"},
        {"isa", FLAG_STRING, &a.isa, "NAME", "instruction set: auto, sse2, avx2, avx512 or neon"},
        IN_PLACE_FLAG(a.out),
        KERAS_FLAGS(a.keras),
    };
    const command self = {"predict", "--graph=G --feed NAME=x.npy --fetch NAME=y.npy [flags]", "runs a graph on arrays",
                          NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, NULL, 0, 0, &code)) return code;
    if (!a.graph || !a.fetches.count)
        return cli_say(EXIT_USAGE, "predict: --graph and at least one --fetch are needed");
    if (a.batch < 0 || a.threads < 0) return cli_say(EXIT_USAGE, "predict: a number is out of range");
    if ((code = claim_files(&a, &feeds, &fetches))) return code;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, predict(&s, &a, &feeds, &fetches));
    cli_session_end(&s);
    return code;
}
