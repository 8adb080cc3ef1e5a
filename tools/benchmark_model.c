/* SPDX-License-Identifier: Apache-2.0 */
/* benchmark_model: images per second and latency of a graph on random input. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "load.h"

#define MAX_RUNS    1000000
#define WARMUP_RUNS 3
#define BLOCK_NS    50000000u   /* the best block of this length counts */
#define LEAST_NS    1000000000u /* measured time at least */

typedef struct arguments {
    const char *graph, *input, *shape, *output, *backend, *isa, *format;
    int64_t threads, max_runs;
    keras_flags keras;
} arguments;

typedef struct measurement {
    double images_per_second;
    uint64_t runs, *latencies_ns;
} measurement;

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Pixels as a data set would give: uniform in [0, 1), the same every time. */
static cnnf_status random_input(cnnf_tensor **out, const session *s, const int64_t *dims, size_t rank)
{
    const cnnf_status status = cnnf_tensor_new(out, s->context, CNNF_FLOAT, (int32_t)rank, dims, s->error);
    if (status) return status;
    float *data = cnnf_tensor_data_mut(*out);
    uint32_t state = 12345;
    for (int64_t i = 0; i < cnnf_tensor_element_count(*out); i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = (float)(state >> 8) / 16777216.0f;
    }
    return CNNF_OK;
}

static cnnf_status one_run(cnnf_evaluator *evaluator, const session *s, const char *input, const char *output,
                           const cnnf_tensor *x)
{
    cnnf_tensor *y = NULL;
    const cnnf_status status = cnnf_evaluator_run(&y, evaluator, &input, &x, 1, &output, 1, s->error);
    cnnf_tensor_unref(y);
    return status;
}

static cnnf_status measure(measurement *m, cnnf_evaluator *evaluator, const session *s, const char *input,
                           const char *output, const cnnf_tensor *x, uint64_t max_runs)
{
    const double batch = (double)cnnf_tensor_dim(x, 0);
    cnnf_status status = CNNF_OK;
    for (int i = 0; !status && i < WARMUP_RUNS; i++)
        status = one_run(evaluator, s, input, output, x);
    const uint64_t start = cli_now_ns();
    uint64_t block = start, block_runs = 0, before = start;
    while (!status && m->runs < max_runs && (before - start < LEAST_NS || m->runs < 3)) {
        status = one_run(evaluator, s, input, output, x);
        const uint64_t now = cli_now_ns();
        m->latencies_ns[m->runs++] = now - before;
        block_runs++;
        before = now;
        if (now - block < BLOCK_NS) continue;
        const double rate = (double)block_runs * batch / ((double)(now - block) / 1e9);
        if (rate > m->images_per_second) m->images_per_second = rate;
        block = now;
        block_runs = 0;
    }
    if (!status && m->images_per_second <= 0 && m->runs) {
        m->images_per_second = (double)m->runs * batch / ((double)(before - start) / 1e9);
    }
    return status;
}

static double percentile_us(const measurement *m, double share)
{
    return (double)m->latencies_ns[(uint64_t)(share * (double)(m->runs - 1))] / 1e3;
}

static void print_measurement(const measurement *m, const char *backend, bool json)
{
    qsort(m->latencies_ns, m->runs, sizeof *m->latencies_ns, by_value);
    if (!json) {
        printf("%.0f images/s\n", m->images_per_second);
        printf("latency us: min %.0f p50 %.0f p90 %.0f p99 %.0f (%" PRIu64 " runs, %s)\n", percentile_us(m, 0),
               percentile_us(m, 0.5), percentile_us(m, 0.9), percentile_us(m, 0.99), m->runs, backend);
        return;
    }
    printf("{\"images_per_second\":%.2f,\"latency_us\":{\"min\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f},"
           "\"runs\":%" PRIu64 ",\"backend\":\"%s\"}\n",
           m->images_per_second, percentile_us(m, 0), percentile_us(m, 0.5), percentile_us(m, 0.9),
           percentile_us(m, 0.99), m->runs, backend);
}

static cnnf_status input_shape(const arguments *a, const cnnf_graph *graph, const char *input, int64_t *dims,
                               size_t *rank)
{
    if (a->shape) return cli_numbers(a->shape, dims, 8, rank) ? CNNF_OK : CNNF_E_INVALID;
    const cnnf_node *node = cnnf_graph_find(graph, input);
    const int32_t declared = cnnf_node_attr_shape_rank(node, "shape");
    for (*rank = 0; (int32_t)*rank < declared && *rank < 8; ++*rank) {
        dims[*rank] = cnnf_node_attr_shape_dim(node, "shape", (int32_t)*rank);
        if (dims[*rank] < 0) dims[*rank] = 1;
    }
    if (declared > 0) return CNNF_OK;
    cli_say(0, "give --input_layer_shape");
    return CNNF_E_INVALID;
}

static cnnf_status benchmark(const session *s, const arguments *a)
{
    cnnf_graph *graph = NULL;
    cnnf_evaluator *evaluator = NULL;
    cnnf_evaluator_options *options = NULL;
    cnnf_tensor *x = NULL;
    measurement m = {.latencies_ns = calloc((size_t)a->max_runs, sizeof *m.latencies_ns)};
    int64_t dims[8];
    size_t rank = 0;
    char room[512];
    cnnf_status status = m.latencies_ns ? load_model(&graph, s, a->graph, NULL, &a->keras) : CNNF_E_NOMEM;
    const char *input = a->input ? a->input : default_input(graph);
    const char *output = a->output;
    if (!status && !output) status = default_output(&output, s, graph, room, sizeof room);
    if (!status && (!input || !output)) {
        cli_say(0, "give --input_layer and --output_layer");
        status = CNNF_E_INVALID;
    }
    if (!status) status = input_shape(a, graph, input, dims, &rank);
    if (!status) status = random_input(&x, s, dims, rank);
    if (!status) status = cnnf_evaluator_options_new(&options, s->context, s->error);
    if (!status) status = cnnf_evaluator_options_set_threads(options, (int32_t)a->threads, s->error);
    if (!status && a->backend) status = cnnf_evaluator_options_set_backend(options, a->backend, s->error);
    if (!status && a->isa) status = cnnf_evaluator_options_set_isa(options, a->isa, s->error);
    if (!status) status = cnnf_evaluator_new(&evaluator, graph, options, s->error);
    if (!status) status = measure(&m, evaluator, s, input, output, x, (uint64_t)a->max_runs);
    if (!status) print_measurement(&m, cnnf_evaluator_backend(evaluator), a->format && strcmp(a->format, "json") == 0);
    free(m.latencies_ns);
    cnnf_evaluator_free(evaluator);
    cnnf_evaluator_options_free(options);
    cnnf_tensor_unref(x);
    cnnf_graph_unref(graph);
    return status;
}

int cmd_benchmark_model(int argc, char **argv)
{
    arguments a = {.max_runs = 10000};
    const flag flags[] = {
        {"graph", FLAG_STRING, &a.graph, "FILE", "frozen graph, or a model"},
        {"input_layer", FLAG_STRING, &a.input, "NAME", "node to feed (the declared one)"},
        {"input_layer_shape", FLAG_STRING, &a.shape, "32,28,28,1",
         "its shape, batch first (the declared one, batch 1)"},
        {"output_layer", FLAG_STRING, &a.output, "NAME", "node to fetch (the declared one)"},
        {"num_threads", FLAG_INT, &a.threads, "N", "threads (all processors)"},
        {"max_num_runs", FLAG_INT, &a.max_runs, "N", "stop after so many runs (10000)"},
        {"backend", FLAG_STRING, &a.backend, "NAME", "auto, portable or onednn"},
        {"isa", FLAG_STRING, &a.isa, "NAME", "instruction set: auto, sse2, avx2, avx512 or neon"},
        {"format", FLAG_STRING, &a.format, "text|json", "what to print (text)"},
        KERAS_FLAGS(a.keras),
    };
    const command self = {"benchmark_model", "--graph=G [flags]", "images per second and latency", NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, NULL, 0, 0, &code)) return code;
    if (!a.graph) return cli_say(EXIT_USAGE, "benchmark_model: --graph is needed");
    if (a.max_runs < 1 || a.max_runs > MAX_RUNS || a.threads < 0)
        return cli_say(EXIT_USAGE, "benchmark_model: a number is out of range");
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, benchmark(&s, &a));
    cli_session_end(&s);
    return code;
}
