/* SPDX-License-Identifier: Apache-2.0 */
/* keras2tf: what the tutorial's keras2tf.py does: checkpoint (with .meta) and GraphDef of a Keras model. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "load.h"

typedef struct arguments {
    const char *model, *prefix, *folder, *graph_name;
    bool as_text, fsync, no_training_state;
    keras_flags keras;
    const char *target_tf;
} arguments;

static cnnf_status write_options_new(cnnf_write_options **out, const session *s, const arguments *a)
{
    cnnf_status status = cnnf_write_options_new(out, s->context, s->error);
    if (!status) status = cnnf_write_options_set_text(*out, a->as_text, s->error);
    if (!status) status = cnnf_write_options_set_fsync(*out, a->fsync, s->error);
    return status;
}

/* GRAPH_DIR/tf_complete_model.pb, or .pbtxt for text. */
static cnnf_status write_graph(const session *s, const arguments *a, const cnnf_graph *graph)
{
    char path[4200];
    const char *name = a->graph_name ? a->graph_name : a->as_text ? "tf_complete_model.pbtxt" : "tf_complete_model.pb";
    const int n = snprintf(path, sizeof path, "%s/%s", a->folder, name);
    if (n < 0 || (size_t)n >= sizeof path) return CNNF_E_INVALID;
    cnnf_write_options *options = NULL;
    cnnf_status status = write_options_new(&options, s, a);
    if (!status) status = cnnf_write_graphdef_file(graph, path, options, s->error);
    cnnf_write_options_free(options);
    return status;
}

static cnnf_status write_checkpoint(const session *s, const arguments *a, const cnnf_graph *graph)
{
    if (!cnnf_graph_variable_count(graph)) {
        printf("The model has no variables: only the GraphDef is written.\n");
        return CNNF_OK;
    }
    cnnf_write_options *options = NULL;
    cnnf_status status = cnnf_write_options_new(&options, s->context, s->error);
    if (!status) status = cnnf_write_options_set_fsync(options, a->fsync, s->error);
    if (!status) status = cnnf_write_checkpoint(graph, a->prefix, options, s->error);
    cnnf_write_options_free(options);
    return status;
}

static cnnf_status convert(const session *s, const arguments *a)
{
    cnnf_load_options *options = NULL;
    cnnf_graph *model = NULL, *lowered = NULL, *with_saver = NULL;
    cnnf_status status = load_options_from_flags(&options, s, &a->keras);
    if (!status) status = cnnf_load_options_set_training_state(options, !a->no_training_state, s->error);
    if (!status) status = cnnf_load_file(&model, s->context, a->model, options, s->error);
    if (!status) status = lower_to_target(&lowered, s, model, a->target_tf);
    if (!status) status = cnnf_graph_with_saver(&with_saver, lowered, s->error);
    if (!status) status = write_checkpoint(s, a, with_saver);
    if (!status) status = write_graph(s, a, with_saver);
    if (!status) cli_print_io(model);
    cnnf_graph_unref(with_saver);
    cnnf_graph_unref(lowered);
    cnnf_graph_unref(model);
    cnnf_load_options_free(options);
    return status;
}

int cmd_keras2tf(int argc, char **argv)
{
    arguments a = {0};
    const flag flags[] = {
        {"graph_name", FLAG_STRING, &a.graph_name, "NAME", "file name of the GraphDef (tf_complete_model.pb)"},
        {"as_text", FLAG_BOOL, &a.as_text, NULL, "write the GraphDef as text"},
        {"no_training_state", FLAG_BOOL, &a.no_training_state, NULL, "leave the optimizer's variables out"},
        {"target_tf", FLAG_STRING, &a.target_tf, "VERSION", "oldest TensorFlow that must read the graph (1.15)"},
        {"fsync", FLAG_BOOL, &a.fsync, NULL, "survive a power loss"},
        KERAS_FLAGS(a.keras),
    };
    const command self = {"keras2tf", "MODEL.{h5,keras} CKPT_PREFIX GRAPH_DIR [flags]",
                          "Keras model to checkpoint and GraphDef", NULL};
    const char *positional[3];
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, positional, 3, 3, &code)) return code;
    a.model = positional[0];
    a.prefix = positional[1];
    a.folder = positional[2];
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, convert(&s, &a));
    cli_session_end(&s);
    return code;
}
