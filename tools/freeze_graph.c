/* SPDX-License-Identifier: Apache-2.0 */
/* freeze_graph: TensorFlow's tool, its 16 flags and their defaults; it prints the lines that scripts look for. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "load.h"
#include "output.h"

typedef struct arguments {
    const char *input_graph, *input_saver, *input_checkpoint, *output_graph, *output_node_names, *restore_op_name,
        *filename_tensor_name, *initializer_nodes, *allow, *deny, *input_meta_graph, *saved_model_dir, *tags, *as_tf;
    int64_t checkpoint_version;
    bool input_binary, clear_devices;
    output_flags out;
} arguments;

static cnnf_status add_output(void *options, const char *name, cnnf_error *error)
{
    return cnnf_freeze_options_add_output(options, name, error);
}

static cnnf_status add_allow(void *options, const char *pattern, cnnf_error *error)
{
    return cnnf_freeze_options_allow(options, pattern, error);
}

static cnnf_status add_deny(void *options, const char *pattern, cnnf_error *error)
{
    return cnnf_freeze_options_deny(options, pattern, error);
}

static cnnf_status add_initializer(void *options, const char *name, cnnf_error *error)
{
    return cnnf_freeze_options_add_initializer(options, name, error);
}

static cnnf_status add_tag(void *options, const char *tag, cnnf_error *error)
{
    return cnnf_load_options_add_tag(options, tag, error);
}

static cnnf_status freeze_options(cnnf_freeze_options **out, const session *s, const arguments *a)
{
    cnnf_status status = cnnf_freeze_options_new(out, s->context, s->error);
    if (!status) status = cli_each(a->output_node_names, add_output, *out, s->error);
    if (!status) status = cli_each(a->allow, add_allow, *out, s->error);
    if (!status) status = cli_each(a->deny, add_deny, *out, s->error);
    if (!status) status = cli_each(a->initializer_nodes, add_initializer, *out, s->error);
    if (!status) status = cnnf_freeze_options_set_clear_devices(*out, a->clear_devices, s->error);
    if (!status) status = cnnf_freeze_options_set_default_attrs(*out, 1, s->error);
    if (!status) status = cnnf_freeze_options_set_as_tf(*out, a->as_tf, s->error);
    return status;
}

static bool is_text(int32_t format)
{
    return format == CNNF_FORMAT_GRAPHDEF_TEXT || format == CNNF_FORMAT_META_GRAPH_TEXT;
}

/* The content decides; that --input_binary said otherwise is worth a line. */
static cnnf_status note_format(const session *s, const arguments *a, const char *path)
{
    int32_t format = CNNF_FORMAT_UNKNOWN;
    const cnnf_status status = cnnf_format_detect(&format, s->context, path, s->error);
    if (status) return status;
    if (is_text(format) == a->input_binary && format != CNNF_FORMAT_UNKNOWN) {
        cli_say(0, "%s is %s: read as such, whatever --input_binary says", path, cnnf_format_name(format));
    }
    return CNNF_OK;
}

/* Restore precedence of TensorFlow's tool: saver > meta graph > SavedModel > bare checkpoint. */
static cnnf_status load(cnnf_graph **out, const session *s, const arguments *a)
{
    const char *path = a->saved_model_dir    ? a->saved_model_dir
                       : a->input_meta_graph ? a->input_meta_graph
                                             : a->input_graph;
    const int32_t wanted = a->saved_model_dir    ? CNNF_FORMAT_SAVED_MODEL
                           : a->input_meta_graph ? CNNF_FORMAT_META_GRAPH
                                                 : CNNF_FORMAT_GRAPHDEF;
    cnnf_load_options *options = NULL;
    cnnf_graph *graph = NULL;
    cnnf_status status = CNNF_OK;
    status = cnnf_load_options_new(&options, s->context, s->error);
    if (!status && a->input_saver) status = cnnf_load_options_set_saver_file(options, a->input_saver, s->error);
    if (!status) status = cnnf_load_options_set_format(options, wanted, s->error);
    if (!status) status = cli_each(a->tags, add_tag, options, s->error);
    if (!status) status = load_path(&graph, s, path, options);
    if (!status && !a->saved_model_dir && !is_stdin(path)) status = note_format(s, a, path);
    if (!status && a->input_meta_graph)
        printf("Loaded meta graph file '%s\n", path); /* the quote is TensorFlow's own */
    if (!status && a->input_checkpoint) {
        status = cnnf_bind_checkpoint(out, graph, a->input_checkpoint, options, s->error);
        cnnf_graph_unref(graph);
    } else {
        *out = graph;
    }
    cnnf_load_options_free(options);
    return status;
}

static cnnf_status freeze(const session *s, const arguments *a)
{
    cnnf_graph *graph = NULL, *frozen = NULL;
    cnnf_freeze_options *options = NULL;
    int64_t converted = 0;
    cnnf_status status = load(&graph, s, a);
    if (!status) status = freeze_options(&options, s, a);
    if (!status) status = cnnf_freeze(&frozen, &converted, graph, options, s->error);
    if (!status && a->output_graph) status = output_graph(s, frozen, a->output_graph, &a->out);
    if (!status) {
        if (!converted) printf("The graph has no variables to freeze: what the outputs need is copied.\n");
        printf("Froze %" PRId64 " variables.\n", converted);
        printf("Converted %" PRId64 " variables to const ops.\n", converted);
        printf("%" PRId64 " ops in the final graph.\n", cnnf_graph_node_count(frozen));
    }
    cnnf_freeze_options_free(options);
    cnnf_graph_unref(frozen);
    cnnf_graph_unref(graph);
    return status;
}

/* An empty flag is one that was not given. */
static void drop_empty(const char **value)
{
    if (*value && !**value) *value = NULL;
}

static int check_arguments(arguments *a)
{
    const char **values[] = {&a->input_graph,  &a->input_saver,     &a->input_checkpoint,
                             &a->output_graph, &a->saved_model_dir, &a->input_meta_graph};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        drop_empty(values[i]);
    if (a->checkpoint_version != 1 && a->checkpoint_version != 2) {
        return cli_say(EXIT_USAGE, "Invalid checkpoint version (must be '1' or '2'): %" PRId64, a->checkpoint_version);
    }
    if (!a->input_graph && !a->input_meta_graph && !a->saved_model_dir) {
        return cli_say(EXIT_USAGE, "freeze_graph: give --input_graph, --input_meta_graph or --input_saved_model_dir");
    }
    return 0;
}

int cmd_freeze_graph(int argc, char **argv)
{
    arguments a = {.checkpoint_version = 2, .clear_devices = true, .as_tf = "auto", .out = OUTPUT_DEFAULTS};
    output_claim claim = {.n_outputs = 0};
    const flag flags[] = {
        {"input_graph", FLAG_STRING, &a.input_graph, "FILE", "GraphDef, binary or text"},
        {"input_saver", FLAG_STRING, &a.input_saver, "FILE", "SaverDef: values follow its restore ops"},
        {"input_checkpoint", FLAG_STRING, &a.input_checkpoint, "PREFIX",
         "checkpoint: prefix, folder or any of its files"},
        {"checkpoint_version", FLAG_INT, &a.checkpoint_version, "1|2", "accepted; the file says what it is"},
        {"output_graph", FLAG_STRING, &a.output_graph, "FILE", "where the frozen graph goes (binary)"},
        {"input_binary", FLAG_BOOL, &a.input_binary, NULL, "accepted; the content says what it is"},
        {"output_node_names", FLAG_STRING, &a.output_node_names, "a,b", "outputs (found by itself when absent)"},
        {"restore_op_name", FLAG_STRING, &a.restore_op_name, "NAME", "unused, as in TensorFlow"},
        {"filename_tensor_name", FLAG_STRING, &a.filename_tensor_name, "NAME", "unused, as in TensorFlow"},
        {"clear_devices", FLAG_BOOL, &a.clear_devices, NULL, "clear the nodes' devices (true)"},
        {"initializer_nodes", FLAG_STRING, &a.initializer_nodes, "a,b",
         "initializers run before freezing, where they are constant"},
        {"variable_names_whitelist", FLAG_STRING, &a.allow, "a,b*", "freeze only these variables"},
        {"variable_names_denylist", FLAG_STRING, &a.deny, "a,b*", "do not freeze these variables"},
        {"variable_names_blacklist", FLAG_STRING, &a.deny, "a,b*", "the same, TensorFlow 1.x's name"},
        {"input_meta_graph", FLAG_STRING, &a.input_meta_graph, "FILE", "MetaGraphDef (.meta) instead of --input_graph"},
        {"input_saved_model_dir", FLAG_STRING, &a.saved_model_dir, "DIR", "SavedModel instead of --input_graph"},
        {"saved_model_tags", FLAG_STRING, &a.tags, "a,b", "tags of the SavedModel's graph (serve)"},
        {"as_tf", FLAG_STRING, &a.as_tf, "1.15|2.15|auto",
         "whose tool's bytes (auto: 1.15's for a graph of TensorFlow 1.15 or older)"},
        OUTPUT_FLAGS(a.out),
    };
    const command self = {"freeze_graph", "[flags]", "graph and checkpoint to frozen graph: TensorFlow's freeze_graph",
                          NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, NULL, 0, 0, &code)) return code;
    code = check_arguments(&a);
    if (code) return code;
    claim_input(&claim, a.input_graph);
    claim_input(&claim, a.input_meta_graph);
    claim_input(&claim, a.input_saver);
    claim_input(&claim, a.input_checkpoint);
    claim_input(&claim, a.saved_model_dir);
    claim_output(&claim, &a.output_graph);
    if ((code = claim_check(&claim, a.out.in_place))) return code;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, freeze(&s, &a));
    cli_session_end(&s);
    return code;
}
