/* SPDX-License-Identifier: Apache-2.0 */
/* transform_graph: runs passes with the flags of TensorFlow's Graph Transform Tool. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "load.h"

typedef struct arguments {
    const char *in_graph, *out_graph, *inputs, *outputs, *transforms, *report, *checkpoint;
    bool output_as_text, list;
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

static cnnf_status write_report(const char *path, const cnnf_buffer *report)
{
    FILE *file = fopen(path, "wb");
    const size_t size = cnnf_buffer_size(report);
    const bool written = file && fwrite(cnnf_buffer_data(report), 1, size, file) == size;
    if (file && fclose(file) == 0 && written) return CNNF_OK;
    cli_say(0, "%s: cannot write the report", path);
    return CNNF_E_IO;
}

static cnnf_status transform(const session *s, const arguments *a)
{
    cnnf_graph *in = NULL, *out = NULL;
    cnnf_pipeline *pipeline = NULL;
    cnnf_buffer *report = NULL;
    cnnf_write_options *options = NULL;
    cnnf_status status = load_model(&in, s, a->in_graph, a->checkpoint, &a->keras);
    if (!status) status = cnnf_pipeline_new(&pipeline, s->context, s->error);
    if (!status) status = cli_each(a->inputs, add_input, pipeline, s->error);
    if (!status) status = cli_each(a->outputs, add_output, pipeline, s->error);
    if (!status) status = cnnf_pipeline_add(pipeline, a->transforms, s->error);
    if (!status) status = cnnf_pipeline_run_report(&out, a->report ? &report : NULL, pipeline, in, s->error);
    if (!status) status = cnnf_write_options_new(&options, s->context, s->error);
    if (!status) status = cnnf_write_options_set_text(options, a->output_as_text, s->error);
    if (!status) status = cnnf_write_graphdef_file(out, a->out_graph, options, s->error);
    if (!status && report) status = write_report(a->report, report);
    cnnf_write_options_free(options);
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
    arguments a = {0};
    const flag flags[] = {
        {"in_graph", FLAG_STRING, &a.in_graph, "FILE", "graph or model, any format"},
        {"out_graph", FLAG_STRING, &a.out_graph, "FILE", "where the result goes"},
        {"inputs", FLAG_STRING, &a.inputs, "a,b", "input nodes: kept, and where unused parts are cut"},
        {"outputs", FLAG_STRING, &a.outputs, "c,d", "output nodes: kept"},
        {"transforms", FLAG_STRING, &a.transforms, "'a b(x=y)'", "passes, in order"},
        {"output_as_text", FLAG_BOOL, &a.output_as_text, NULL, "write text format"},
        {"report", FLAG_STRING, &a.report, "FILE.json", "what each pass did"},
        {"input_checkpoint", FLAG_STRING, &a.checkpoint, "PREFIX", "values of a graph that is not frozen"},
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
    session s;
    if (!cli_session_verbose(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, transform(&s, &a));
    cli_session_end(&s);
    return code;
}
