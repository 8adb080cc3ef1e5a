/* SPDX-License-Identifier: Apache-2.0 */
/* check: the demands of the next tool on a frozen graph, one by one. */
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "load.h"

typedef struct arguments {
    const char *graph, *target, *format, *outputs;
    int32_t report; /* CNNF_REPORT_* */
    keras_flags keras;
} arguments;

static cnnf_status add_output(void *options, const char *name, cnnf_error *error)
{
    return cnnf_freeze_options_add_output(options, name, error);
}

/* A GraphDef does not say its outputs: freezing takes those given, or finds them, and declares them. */
static cnnf_status declare_outputs(cnnf_graph **graph, const session *s, const arguments *a)
{
    cnnf_freeze_options *options = NULL;
    cnnf_graph *declared = NULL;
    if (!a->outputs && cnnf_graph_output_count(*graph)) return CNNF_OK;
    cnnf_status status = cnnf_freeze_options_new(&options, s->context, s->error);
    if (!status) status = cli_each(a->outputs, add_output, options, s->error);
    if (!status) status = cnnf_freeze(&declared, NULL, *graph, options, s->error);
    cnnf_freeze_options_free(options);
    if (status) return status;
    cnnf_graph_unref(*graph);
    *graph = declared;
    return CNNF_OK;
}

/* Says on stderr what decides whether the graph trains, where its name does not; what else fails here is the report's.
 */
static void name_learning_phase(const session *s, const cnnf_graph *graph)
{
    cnnf_graph *inference = NULL;
    if (run_passes(&inference, s, graph, "set_learning_phase", NULL)) cnnf_error_clear(s->error);
    cnnf_graph_unref(inference);
}

static cnnf_status check(const session *s, const arguments *a)
{
    cnnf_graph *graph = NULL;
    cnnf_buffer *report = NULL;
    int64_t unmet = 0;
    cnnf_status status = load_model(&graph, s, a->graph, NULL, &a->keras);
    if (!status) status = declare_outputs(&graph, s, a);
    if (!status) name_learning_phase(s, graph);
    if (!status) status = cnnf_check_graph_file(&report, &unmet, graph, a->graph, a->target, a->report, s->error);
    if (!status) fwrite(cnnf_buffer_data(report), 1, cnnf_buffer_size(report), stdout);
    if (!status && unmet) {
        cli_say(0, "%s: %" PRId64 " demands of %s are not met", a->graph, unmet, a->target);
        status = CLI_CHECK_FAILED;
    }
    cnnf_buffer_free(report);
    cnnf_graph_unref(graph);
    return status;
}

static int list_targets(void)
{
    for (int32_t i = 0; i < cnnf_check_target_count(); i++)
        puts(cnnf_check_target_name(i));
    return EXIT_DONE;
}

int cmd_check(int argc, char **argv)
{
    arguments a = {0};
    bool list = false;
    const flag flags[] = {
        {"for", FLAG_STRING, &a.target, "TOOL",
         "the next tool: vitis-ai, opencv (opencv4, opencv5: one release), tflite, openvino"},
        {"output_node_names", FLAG_STRING, &a.outputs, "a,b", "outputs (found by itself when absent)"},
        {"format", FLAG_STRING, &a.format, "text|json", "what to print (text)"},
        {"list", FLAG_BOOL, &list, NULL, "the tools there are"},
        KERAS_FLAGS(a.keras),
    };
    const command self = {"check", "GRAPH --for=vitis-ai", "the demands of the next tool, one by one", NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, &a.graph, 0, 1, &code)) return code;
    if (list) return list_targets();
    if (!a.graph || !a.target) return cli_say(EXIT_USAGE, "usage: cnnfreeze %s %s", self.name, self.usage);
    if (!cli_report_format(a.format, &a.report)) return EXIT_USAGE;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    /* A failed check has said its lines already. */
    const cnnf_status status = check(&s, &a);
    code = status == CLI_CHECK_FAILED ? EXIT_CHECK_FAILED : cli_finish(&s, status);
    cli_session_end(&s);
    return code;
}
