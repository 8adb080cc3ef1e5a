/* SPDX-License-Identifier: Apache-2.0 */
/* summarize_graph: what is in a graph or model. */
#include <stdio.h>

#include "cli.h"
#include "load.h"

typedef struct arguments {
    const char *graph, *in_graph, *format;
    int32_t report; /* CNNF_REPORT_* */
    keras_flags keras;
} arguments;

static cnnf_status summarize(const session *s, const arguments *a)
{
    cnnf_graph *graph = NULL;
    cnnf_buffer *text = NULL;
    cnnf_status status = load_model(&graph, s, a->graph, NULL, &a->keras);
    if (!status) status = cnnf_graph_summary(&text, graph, a->report, s->error);
    if (!status) fwrite(cnnf_buffer_data(text), 1, cnnf_buffer_size(text), stdout);
    cnnf_buffer_free(text);
    cnnf_graph_unref(graph);
    return status;
}

int cmd_summarize_graph(int argc, char **argv)
{
    arguments a = {0};
    const flag flags[] = {
        {"in_graph", FLAG_STRING, &a.in_graph, "FILE", "the graph, as the Graph Transform Tool names it"},
        {"format", FLAG_STRING, &a.format, "text|json|dot", "what to print (text)"},
        KERAS_FLAGS(a.keras),
    };
    const command self = {"summarize_graph", "GRAPH [flags]", "inputs, outputs, ops, parameters of a graph or model",
                          NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, &a.graph, 0, 1, &code)) return code;
    if (!a.graph) a.graph = a.in_graph;
    if (!a.graph) return cli_say(EXIT_USAGE, "usage: cnnfreeze %s %s", self.name, self.usage);
    if (!cli_report_format(a.format, &a.report)) return EXIT_USAGE;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, summarize(&s, &a));
    cli_session_end(&s);
    return code;
}
