/* SPDX-License-Identifier: Apache-2.0 */
/* compare_graphs: two graphs or models side by side, structure and numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "inference.h"
#include "load.h"

typedef struct arguments {
    const char *paths[2], *outputs, *format, *checkpoint;
    flag_list feeds;
    bool structure_only, numbers_only;
    double tolerance;
    int64_t runs, seed, batch;
    int32_t report; /* CNNF_REPORT_* */
    inference_flags inference;
    keras_flags keras;
} arguments;

static cnnf_status add_output(void *options, const char *name, cnnf_error *error)
{
    return cnnf_comparison_options_add_output(options, name, NULL, error);
}

static cnnf_status add_feeds(cnnf_comparison_options *options, const session *s, const flag_list *feeds)
{
    char name[512];
    for (size_t i = 0; i < feeds->count; i++) {
        const char *file = cli_split_pair(feeds->values[i], name, sizeof name);
        if (!file) {
            cli_say(0, "--feed is NAME=FILE.npy, not '%s'", feeds->values[i]);
            return CNNF_E_INVALID;
        }
        cnnf_tensor *value = NULL;
        cnnf_status status = cnnf_npy_load(&value, s->context, file, s->error);
        if (!status) status = cnnf_comparison_options_add_feed(options, name, value, s->error);
        cnnf_tensor_unref(value);
        if (status) return status;
    }
    return CNNF_OK;
}

static cnnf_status comparison_options(cnnf_comparison_options **out, const session *s, const arguments *a)
{
    cnnf_status status = cnnf_comparison_options_new(out, s->context, s->error);
    if (!status) status = cnnf_comparison_options_set_tolerance(*out, a->tolerance, s->error);
    if (!status) status = cnnf_comparison_options_set_random(*out, (int32_t)a->runs, (uint64_t)a->seed, s->error);
    if (!status) status = cnnf_comparison_options_set_batch(*out, a->batch, s->error);
    if (!status) status = cli_each(a->outputs, add_output, *out, s->error);
    if (!status) status = add_feeds(*out, s, &a->feeds);
    return status;
}

static void print_report(const cnnf_buffer *report)
{
    const size_t size = cnnf_buffer_size(report);
    const char *text = cnnf_buffer_data(report);
    fwrite(text, 1, size, stdout);
    if (size && text[size - 1] != '\n') putchar('\n');
}

static cnnf_status compare_structure(const session *s, const arguments *a, cnnf_graph *const graphs[2])
{
    cnnf_buffer *report = NULL;
    int64_t differences = 0;
    const cnnf_status status = cnnf_compare_graphs(&report, &differences, graphs[0], graphs[1], a->report, s->error);
    if (status) return status;
    print_report(report);
    if (a->report == CNNF_REPORT_TEXT) printf("%" PRId64 " differences in structure\n", differences);
    cnnf_buffer_free(report);
    return differences && a->structure_only ? CLI_CHECK_FAILED : CNNF_OK;
}

static cnnf_status compare_numbers(const session *s, const arguments *a, cnnf_graph *const graphs[2])
{
    cnnf_comparison_options *options = NULL;
    cnnf_comparison *comparison = NULL;
    cnnf_buffer *report = NULL;
    cnnf_status status = comparison_options(&options, s, a);
    if (!status) status = cnnf_compare_numbers(&comparison, graphs[0], graphs[1], options, s->error);
    if (!status) status = cnnf_comparison_report(&report, comparison, a->report, s->error);
    if (!status) print_report(report);
    if (!status && !cnnf_comparison_within(comparison)) status = CLI_CHECK_FAILED;
    cnnf_buffer_free(report);
    cnnf_comparison_free(comparison);
    cnnf_comparison_options_free(options);
    return status;
}

/* What the graph computes when it infers. */
static cnnf_status prepare(cnnf_graph **graph, const session *s, const arguments *a)
{
    output_names names;
    cnnf_status status = set_input_shapes(graph, s, &a->inference);
    if (!status) status = find_output_names(&names, s, *graph, a->outputs);
    return status ? status : ready_to_run(graph, s, &a->inference, &names.list, &a->feeds);
}

static cnnf_status compare(const session *s, const arguments *a)
{
    cnnf_graph *graphs[2] = {NULL, NULL};
    cnnf_status status = CNNF_OK;
    for (int i = 0; !status && i < 2; i++)
        status = load_model(&graphs[i], s, a->paths[i], a->checkpoint, &a->keras);
    if (!status && !a->numbers_only) status = compare_structure(s, a, graphs);
    for (int i = 0; !status && !a->structure_only && i < 2; i++)
        status = prepare(&graphs[i], s, a);
    if (!status && !a->structure_only) status = compare_numbers(s, a, graphs);
    cnnf_graph_unref(graphs[0]);
    cnnf_graph_unref(graphs[1]);
    return status;
}

int cmd_compare_graphs(int argc, char **argv)
{
    arguments a = {.tolerance = 1e-5, .runs = 1, .seed = 1, .batch = 2};
    const flag flags[] = {
        {"tolerance", FLAG_DOUBLE, &a.tolerance, "X", "largest error, relative to the largest value (1e-5)"},
        {"output_node_names", FLAG_STRING, &a.outputs, "a,b", "outputs to compare (the declared ones, else all sinks)"},
        {"feed", FLAG_LIST, &a.feeds, "NAME=x.npy", "value of an input; the others are random; repeatable"},
        {"runs", FLAG_INT, &a.runs, "N", "runs on random inputs (1)"},
        {"seed", FLAG_INT, &a.seed, "N", "seed of the random inputs (1)"},
        {"batchsize", FLAG_INT, &a.batch, "N", "rows of an unknown first dimension (2)"},
        INPUT_SHAPE_FLAG(a.inference),
        PHASE_FLAG(a.inference),
        {"input_checkpoint", FLAG_STRING, &a.checkpoint, "PREFIX", "values of graphs that are not frozen"},
        {"structure_only", FLAG_BOOL, &a.structure_only, NULL, "nodes and attributes only; exit 1 when they differ"},
        {"numbers_only", FLAG_BOOL, &a.numbers_only, NULL, "numbers only"},
        {"format", FLAG_STRING, &a.format, "text|json", "what to print (text)"},
        KERAS_FLAGS(a.keras),
    };
    a.keras.shapes = &a.inference.shapes;
    const command self = {"compare_graphs", "A B [flags]", "two graphs side by side, structure and numbers", NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, a.paths, 2, 2, &code)) return code;
    if (a.runs < 1 || a.runs > 1000 || a.batch < 1)
        return cli_say(EXIT_USAGE, "compare_graphs: a number is out of range");
    if (!cli_report_format(a.format, &a.report)) return EXIT_USAGE;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    const cnnf_status status = compare(&s, &a);
    code = status == CLI_CHECK_FAILED ? cli_say(EXIT_CHECK_FAILED, "the graphs differ") : cli_finish(&s, status);
    cli_session_end(&s);
    return code;
}
