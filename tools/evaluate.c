/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate: accuracy of a graph or model on a data set, and what stands behind it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "dataset_flags.h"
#include "inference.h"
#include "load.h"
#include "output.h"
#include "report.h"
#include "rows.h"

typedef struct arguments {
    const char *graph, *model, *against, *checkpoint, *input, *output, *dataset, *shape, *backend, *isa, *format,
        *confusion, *report, *label_names;
    bool full_batches_only;
    output_flags out;
    int64_t batch, threads, topk, worst, pictures;
    int32_t report_format; /* CNNF_REPORT_* */
    dataset_flags examples;
    inference_flags inference;
    keras_flags keras;
} arguments;

/* One graph made ready: graph, evaluator, the names it is fed and read by. */
typedef struct subject {
    cnnf_graph *graph;
    cnnf_evaluator *evaluator;
    const char *input, *output;
    char input_room[1024], output_room[1024];
} subject;

/* Copied: the graph that declares them makes room for another. */
static cnnf_status subject_names(subject *m, const session *s, const arguments *a, const char *path)
{
    const char *input = a->input ? a->input : default_input(m->graph), *output = a->output;
    cnnf_status status = CNNF_OK;
    if (!output) status = default_output(&output, s, m->graph, m->output_room, sizeof m->output_room);
    if (status) return status;
    if (!input || !output) {
        cli_say(0, "%s: give --input_node and --output_node", path);
        return CNNF_E_INVALID;
    }
    snprintf(m->input_room, sizeof m->input_room, "%s", input);
    if (output != m->output_room) snprintf(m->output_room, sizeof m->output_room, "%s", output);
    m->input = m->input_room;
    m->output = m->output_room;
    return CNNF_OK;
}

static cnnf_status subject_open(subject *m, const session *s, const arguments *a, const char *path)
{
    cnnf_evaluator_options *options = NULL;
    cnnf_status status = load_model(&m->graph, s, path, a->checkpoint, &a->keras);
    if (!status) status = subject_names(m, s, a, path);
    if (!status) status = ready_to_run(&m->graph, s, &a->inference, &(flag_list){{m->output}, 1}, NULL);
    if (!status) status = cnnf_evaluator_options_new(&options, s->context, s->error);
    if (!status) status = cnnf_evaluator_options_set_threads(options, (int32_t)a->threads, s->error);
    if (!status && a->backend) status = cnnf_evaluator_options_set_backend(options, a->backend, s->error);
    if (!status && a->isa) status = cnnf_evaluator_options_set_isa(options, a->isa, s->error);
    if (!status) status = cnnf_evaluator_new(&m->evaluator, m->graph, options, s->error);
    cnnf_evaluator_options_free(options);
    return status;
}

static void subject_close(subject *m)
{
    cnnf_evaluator_free(m->evaluator);
    cnnf_graph_unref(m->graph);
}

/* One example is as --input_shape says, else as the input node. */
static cnnf_status open_examples(cnnf_dataset **out, const session *s, const arguments *a, const subject *m)
{
    int64_t shape[8];
    size_t rank = 0;
    if (a->shape && !cli_numbers(a->shape, shape, 8, &rank)) return CNNF_E_INVALID;
    if (!a->shape) rank = declared_example_shape(m->graph, m->input, shape);
    return open_dataset(out, s, a->dataset, &a->examples, rank, shape);
}

/* Classes: the last dimension of the output for the first example. */
static cnnf_status count_classes(int64_t *classes, const session *s, const subject *m, cnnf_dataset *data)
{
    cnnf_tensor *images = NULL, *labels = NULL, *fed = NULL, *output = NULL;
    cnnf_status status = cnnf_dataset_next(&images, &labels, data, 1, s->error);
    if (!status && !images) {
        cli_say(0, "the data set is empty");
        status = CLI_CHECK_FAILED;
    }
    const int64_t fixed = fixed_batch(m->graph, m->input);
    if (!status) status = take_rows(&fed, s, images, 0, 1, fixed ? fixed : 1);
    if (!status) {
        const cnnf_tensor *feeds[] = {fed};
        status = cnnf_evaluator_run(&output, m->evaluator, &m->input, feeds, 1, &m->output, 1, s->error);
    }
    if (!status) *classes = cnnf_tensor_dim(output, cnnf_tensor_rank(output) - 1);
    if (!status) status = cnnf_dataset_rewind(data, s->error);
    cnnf_tensor_unref(images);
    cnnf_tensor_unref(labels);
    cnnf_tensor_unref(fed);
    cnnf_tensor_unref(output);
    return status;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static cnnf_status add_facts(cnnf_report *report, const session *s, const arguments *a, const subject *m)
{
    char batch[32];
    snprintf(batch, sizeof batch, "%lld", (long long)a->batch);
    const char *const facts[][2] = {{"Data set", a->dataset},
                                    {"Input", m->input},
                                    {"Output", m->output},
                                    {"Batch", batch},
                                    {"Backend", cnnf_evaluator_backend(m->evaluator)}};
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; !status && i < sizeof facts / sizeof *facts; i++)
        status = cnnf_report_add_fact(report, facts[i][0], facts[i][1], s->error);
    return status;
}

/* The report of the first graph, made when its classes are known. */
static cnnf_status open_report(cnnf_report **out, const session *s, const arguments *a, const subject *m,
                               const label_names *labels, int64_t classes)
{
    char title[1024];
    cnnf_status status = cnnf_report_new(out, s->context, classes, a->pictures, s->error);
    snprintf(title, sizeof title, "Evaluation of %s", base_name(a->model ? a->model : a->graph));
    if (!status) status = cnnf_report_set_title(*out, title, s->error);
    if (!status) status = add_facts(*out, s, a, m);
    for (int64_t i = 0; !status && i < classes && (size_t)i < labels->count; i++) {
        if (labels->names[i]) status = cnnf_report_set_class_name(*out, i, labels->names[i], s->error);
    }
    return status;
}

static cnnf_status write_report(const session *s, cnnf_report *report, const arguments *a, bool partial)
{
    cnnf_buffer *text = NULL;
    cnnf_status status = partial ? cnnf_report_add_fact(report, "State", "interrupted: partial", s->error) : CNNF_OK;
    if (!status) status = cnnf_report_write(&text, report, a->report_format, s->error);
    if (!status) status = output_buffer(s, text, a->report);
    cnnf_buffer_free(text);
    return status;
}

static cnnf_status evaluate_options(cnnf_evaluate_options **out, progress *bar, const session *s, const arguments *a,
                                    const subject *m, cnnf_report *report)
{
    cnnf_status status = cnnf_evaluate_options_new(out, s->context, s->error);
    if (!status) status = cnnf_evaluate_options_set_input(*out, m->input, s->error);
    if (!status) status = cnnf_evaluate_options_set_output(*out, m->output, s->error);
    if (!status) status = cnnf_evaluate_options_set_batch(*out, a->batch, s->error);
    if (!status) status = cnnf_evaluate_options_set_full_batches_only(*out, a->full_batches_only, s->error);
    if (!status) status = cnnf_evaluate_options_set_progress(*out, cli_progress, bar, s->error);
    if (!status) status = cnnf_evaluate_options_set_report(*out, report, s->error);
    return status;
}

/* Evaluates one graph; *metrics is kept also when the run was interrupted. *report is made by the first of them. */
static cnnf_status evaluate(cnnf_metrics **metrics, double *seconds, cnnf_report **report, const session *s,
                            const arguments *a, const label_names *labels, const char *path)
{
    subject m = {0};
    cnnf_dataset *data = NULL;
    int64_t classes = 0;
    cnnf_evaluate_options *options = NULL;
    progress bar;
    cnnf_status status = subject_open(&m, s, a, path);
    if (!status) status = open_examples(&data, s, a, &m);
    if (!status) status = count_classes(&classes, s, &m, data);
    if (!status) status = cnnf_metrics_new(metrics, s->context, classes, a->worst, s->error);
    if (!status && a->report && !*report) status = open_report(report, s, a, &m, labels, classes);
    if (!status && *report) status = cnnf_report_begin(*report, base_name(path), s->error);
    if (!status) status = evaluate_options(&options, &bar, s, a, &m, *report);
    if (!status) {
        cli_catch_interrupt(m.evaluator);
        cli_progress_start(&bar, "images");
        const uint64_t start = cli_now_ns();
        status = cnnf_evaluate_dataset(*metrics, m.evaluator, data, options, s->error);
        *seconds = cli_seconds_since(start);
        cli_progress((uint64_t)cnnf_metrics_count(*metrics), bar.total,
                     &bar); /* the last batches may be counted together */
        cli_progress_end(&bar);
        cli_catch_interrupt(NULL);
        if (*report && (!status || status == CNNF_E_CANCELLED)) cnnf_report_end(*report, *seconds, NULL);
    }
    cnnf_evaluate_options_free(options);
    cnnf_dataset_free(data);
    subject_close(&m);
    return status;
}

static cnnf_status run(const session *s, const arguments *a)
{
    cnnf_metrics *metrics = NULL, *other = NULL;
    cnnf_report *report = NULL;
    label_names labels;
    double seconds = 0, other_seconds = 0;
    cnnf_status status = label_names_read(&labels, a->label_names, a->examples.label_map);
    if (!status) status = evaluate(&metrics, &seconds, &report, s, a, &labels, a->model ? a->model : a->graph);
    if (!status && a->against) status = evaluate(&other, &other_seconds, &report, s, a, &labels, a->against);
    if (!status || (status == CNNF_E_CANCELLED && metrics)) {
        const report_request request = {.topk = a->topk,
                                        .worst = a->worst,
                                        .confusion = a->confusion,
                                        .labels = &labels,
                                        .json = a->format && strcmp(a->format, "json") == 0,
                                        .details = a->format && strcmp(a->format, "full") == 0,
                                        .seconds = seconds};
        const cnnf_status printed = report_metrics(s, metrics, &request);
        if (!status) status = printed;
        if (!status && other) report_against(metrics, other);
        const bool partial = status == CNNF_E_CANCELLED;
        if (report && (!status || partial)) {
            const cnnf_status written = write_report(s, report, a, partial);
            if (written) status = written;
        }
    }
    cnnf_report_free(report);
    label_names_free(&labels);
    cnnf_metrics_free(metrics);
    cnnf_metrics_free(other);
    return status;
}

/* By the ending of its name; standard output is HTML. false: said. */
static bool report_format(arguments *a)
{
    static const struct {
        const char *ending;
        int32_t format;
    } known[] = {{".html", CNNF_REPORT_HTML}, {".htm", CNNF_REPORT_HTML}, {".json", CNNF_REPORT_JSON}};
    a->report_format = CNNF_REPORT_HTML;
    const char *dot = a->report ? strrchr(base_name(a->report), '.') : NULL;
    for (size_t i = 0; dot && i < sizeof known / sizeof *known; i++) {
        if (strcasecmp(dot, known[i].ending)) continue;
        a->report_format = known[i].format;
        return true;
    }
    if (!a->report || strcmp(a->report, "-") == 0 || strncmp(a->report, "/dev/", 5) == 0) return true;
    cli_say(0, "evaluate: --report is FILE.html or FILE.json, not '%s'", a->report);
    return false;
}

int cmd_evaluate(int argc, char **argv)
{
    arguments a = {.batch = 32, .pictures = 24};
    output_claim claim = {.n_outputs = 0};
    const flag flags[] = {
        {"graph", FLAG_STRING, &a.graph, "FILE", "frozen graph"},
        {"model", FLAG_STRING, &a.model, "FILE", "model instead: H5, .keras, SavedModel"},
        {"against", FLAG_STRING, &a.against, "FILE", "a second graph or model to compare with"},
        {"input_checkpoint", FLAG_STRING, &a.checkpoint, "PREFIX", "values of a graph that is not frozen"},
        {"input_node", FLAG_STRING, &a.input, "NAME", "node that takes the images (the declared one)"},
        {"output_node", FLAG_STRING, &a.output, "NAME", "node that gives the scores (the declared one)"},
        {"batchsize", FLAG_INT, &a.batch, "N", "images per batch (32)"},
        {"dataset", FLAG_STRING, &a.dataset, "FILE", "CSV, IDX, NPY, NPZ or a folder of images"},
        DATASET_FLAGS(a.examples),
        {"full_batches_only", FLAG_BOOL, &a.full_batches_only, NULL,
         "drop a last partial batch, as the tutorial's script"},
        {"input_shape", FLAG_STRING, &a.shape, "28,28,1", "shape of one example (the input node's)"},
        PHASE_FLAG(a.inference),
        {"topk", FLAG_INT, &a.topk, "K", "print top-K accuracy"},
        {"confusion", FLAG_OPTIONAL, &a.confusion, "FILE.csv", "print the confusion matrix, or write it as CSV"},
        {"worst", FLAG_INT, &a.worst, "N", "print the N most confident mistakes"},
        {"format", FLAG_STRING, &a.format, "text|full|json", "what to print (text)"},
        {"report", FLAG_STRING, &a.report, "FILE.{html,json}",
         "write all that was found: accuracy, confusion, calibration, the mistakes with their pictures"},
        {"report_pictures", FLAG_INT, &a.pictures, "N", "pictures of each kind in the report (24)"},
        {"label_names", FLAG_STRING, &a.label_names, "FILE", "what the classes are called: a line each, from class 0"},
        {"threads", FLAG_INT, &a.threads, "N", "threads (all processors)"},
        {"backend", FLAG_STRING, &a.backend, "NAME", "auto, portable or onednn"},
        {"isa", FLAG_STRING, &a.isa, "NAME", "instruction set: auto, sse2, avx2, avx512 or neon"},
        IN_PLACE_FLAG(a.out),
        KERAS_FLAGS(a.keras),
    };
    const command self = {"evaluate", "--graph=G --dataset=FILE [flags]", "accuracy on a data set", NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, NULL, 0, 0, &code)) return code;
    if ((!a.graph && !a.model) || !a.dataset)
        return cli_say(EXIT_USAGE, "evaluate: --graph (or --model) and --dataset are needed");
    if (a.batch < 1 || a.threads < 0 || a.worst < 0 || a.topk < 0)
        return cli_say(EXIT_USAGE, "evaluate: a number is out of range");
    if (a.pictures < 0 || a.pictures > 500)
        return cli_say(EXIT_USAGE, "evaluate: --report_pictures is 0 to 500, not %lld", (long long)a.pictures);
    if (!report_format(&a)) return EXIT_USAGE;
    if ((code = check_dataset_flags(&a.examples))) return code;
    const char *const inputs[] = {
        a.graph, a.model, a.against, a.checkpoint, a.dataset, a.examples.labels, a.examples.label_map, a.label_names};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        claim_input(&claim, inputs[i]);
    if (a.confusion) claim_output(&claim, &a.confusion);
    if (a.report) claim_output(&claim, &a.report);
    if ((code = claim_check(&claim, a.out.in_place))) return code;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, run(&s, &a));
    cli_session_end(&s);
    return code;
}
