/* SPDX-License-Identifier: Apache-2.0 */
/* transform_graph: runs passes with the flags of TensorFlow's Graph Transform Tool. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "load.h"
#include "output.h"

typedef struct arguments {
    const char *in_graph, *out_graph, *inputs, *outputs, *transforms, *report, *checkpoint, *picture;
    bool list;
    output_flags out;
    keras_flags keras;
} arguments;

static cnnf_status add_input(void *pipeline, const char *name, cnnf_error *error)
{
    return cnnf_pipeline_add_input(pipeline, name, error);
}

static cnnf_status add_output(void *pipeline, const char *name, cnnf_error *error)
{
    return cnnf_pipeline_add_output(pipeline, name, error);
}

/* Both graphs side by side in one page. */
static cnnf_status write_picture(const session *s, const char *path, const cnnf_graph *before, const cnnf_graph *after)
{
    static const char head[] = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta "
                               "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
                               "style-src 'unsafe-inline'\"><link rel=\"icon\" href=\"data:,\"><title>Before and "
                               "after</title><style>:root{color-scheme:light dark}body{display:flex;gap:3rem;font:15px "
                               "system-ui,sans-serif}</style></head><body>\n";
    cnnf_buffer *pictures[2] = {NULL, NULL};
    char *text = NULL;
    size_t size = 0;
    cnnf_status status = cnnf_graph_summary(&pictures[0], before, CNNF_REPORT_SVG, s->error);
    if (!status) status = cnnf_graph_summary(&pictures[1], after, CNNF_REPORT_SVG, s->error);
    FILE *memory = status ? NULL : open_memstream(&text, &size);
    if (memory) {
        fputs(head, memory);
        for (int i = 0; i < 2; i++)
            fprintf(memory, "<section><h1>%s</h1>%s</section>\n", i ? "After" : "Before",
                    (const char *)cnnf_buffer_data(pictures[i]));
        fputs("</body></html>\n", memory);
    }
    if (!status && (!memory || fclose(memory) != 0)) status = CNNF_E_NOMEM;
    if (!status) status = cnnf_write_file(s->context, path, text, size, NULL, s->error);
    cnnf_buffer_free(pictures[0]);
    cnnf_buffer_free(pictures[1]);
    free(text);
    return status;
}

static cnnf_status transform(const session *s, const arguments *a)
{
    cnnf_graph *in = NULL, *out = NULL;
    cnnf_pipeline *pipeline = NULL;
    cnnf_buffer *report = NULL;
    cnnf_status status = load_model(&in, s, a->in_graph, a->checkpoint, &a->keras);
    if (!status) status = cnnf_pipeline_new(&pipeline, s->context, s->error);
    if (!status) status = cli_each(a->inputs, add_input, pipeline, s->error);
    if (!status) status = cli_each(a->outputs, add_output, pipeline, s->error);
    if (!status) status = cnnf_pipeline_add(pipeline, a->transforms, s->error);
    if (!status) status = cnnf_pipeline_run_report(&out, a->report ? &report : NULL, pipeline, in, s->error);
    if (!status) status = output_graph(s, out, a->out_graph, &a->out);
    if (!status && report) status = output_buffer(s, report, a->report);
    if (!status && a->picture) status = write_picture(s, a->picture, in, out);
    cnnf_buffer_free(report);
    cnnf_pipeline_free(pipeline);
    cnnf_graph_unref(out);
    cnnf_graph_unref(in);
    return status;
}

static int list_passes(void)
{
    for (int32_t i = 0; i < cnnf_pass_count(); i++)
        printf("%-28s %s\n", cnnf_pass_name(i), cnnf_pass_description(i));
    return EXIT_DONE;
}

int cmd_transform_graph(int argc, char **argv)
{
    arguments a = {.out = OUTPUT_DEFAULTS};
    output_claim claim = {.n_outputs = 0};
    const flag flags[] = {
        {"in_graph", FLAG_STRING, &a.in_graph, "FILE", "graph or model, any format"},
        {"out_graph", FLAG_STRING, &a.out_graph, "FILE", "where the result goes"},
        {"inputs", FLAG_STRING, &a.inputs, "a,b", "input nodes: kept, and where unused parts are cut"},
        {"outputs", FLAG_STRING, &a.outputs, "c,d", "output nodes: kept"},
        {"transforms", FLAG_STRING, &a.transforms, "'a b(x=y)'", "passes, in order"},
        {"output_as_text", FLAG_BOOL, &a.out.text, NULL, "write text format"},
        {"report", FLAG_STRING, &a.report, "FILE.json", "what each pass did"},
        {"picture", FLAG_STRING, &a.picture, "FILE.html", "the graph before and after, drawn"},
        {"input_checkpoint", FLAG_STRING, &a.checkpoint, "PREFIX", "values of a graph that is not frozen"},
        OUTPUT_FLAGS(a.out),
        {"list", FLAG_BOOL, &a.list, NULL, "the passes there are"},
        KERAS_FLAGS(a.keras),
    };
    const command self = {"transform_graph", "--in_graph=A --out_graph=B --transforms='...' [flags]",
                          "runs passes: TensorFlow's Graph Transform Tool", NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, NULL, 0, 0, &code)) return code;
    if (a.list) return list_passes();
    if (!a.in_graph) return cli_say(EXIT_USAGE, "in_graph graph can't be empty.");
    if (!a.out_graph) return cli_say(EXIT_USAGE, "out_graph graph can't be empty.");
    if (!a.transforms || !*a.transforms) return cli_say(EXIT_USAGE, "You must specify at least one transform.");
    claim_input(&claim, a.in_graph);
    claim_input(&claim, a.checkpoint);
    claim_output(&claim, &a.out_graph);
    claim_output(&claim, &a.report);
    claim_output(&claim, &a.picture);
    if ((code = claim_check(&claim, a.out.in_place))) return code;
    session s;
    if (!cli_session_verbose(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, transform(&s, &a));
    cli_session_end(&s);
    return code;
}
