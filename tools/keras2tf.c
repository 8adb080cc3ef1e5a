/* SPDX-License-Identifier: Apache-2.0 */
/* keras2tf: what the tutorial's keras2tf.py does: checkpoint (with .meta) and GraphDef of a Keras model. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "host.h"
#include "inference.h"
#include "load.h"
#include "output.h"

typedef struct arguments {
    const char *model, *prefix, *folder, *graph_name;
    bool no_training_state;
    output_flags out;
    inference_flags inference;
    keras_flags keras;
    const char *target_tf;
} arguments;

#define CHECKPOINT_FILES 4

/* Everything that will be written; strings of the run's own. */
typedef struct result_paths {
    char *graph, *checkpoint[CHECKPOINT_FILES];
} result_paths;

static void free_paths(result_paths *paths)
{
    free(paths->graph);
    for (size_t i = 0; i < CHECKPOINT_FILES; i++)
        free(paths->checkpoint[i]);
}

/* GRAPH_DIR/tf_complete_model.pb, or .pbtxt for text; PREFIX's files and `checkpoint` beside them. false: no memory. */
static bool make_paths(result_paths *paths, const arguments *a)
{
    static const char *const endings[] = {".data-00000-of-00001", ".index", ".meta"};
    const char *name = a->graph_name ? a->graph_name : a->out.text ? "tf_complete_model.pbtxt" : "tf_complete_model.pb";
    const int folder = (int)(host_name_of(a->prefix) - a->prefix);
    bool made = asprintf(&paths->graph, "%s/%s", a->folder, name) >= 0;
    for (size_t i = 0; made && i < CHECKPOINT_FILES; i++) {
        char **path = &paths->checkpoint[i];
        made = (i < 3 ? asprintf(path, "%s%s", a->prefix, endings[i])
                      : asprintf(path, "%.*scheckpoint", folder, a->prefix)) >= 0;
    }
    return made;
}

static cnnf_status write_checkpoint(const session *s, const arguments *a, const cnnf_graph *graph)
{
    if (cnnf_graph_variable_count(graph)) return output_checkpoint(s, graph, a->prefix, &a->out);
    printf("The model has no variables: only the GraphDef is written.\n");
    return CNNF_OK;
}

static cnnf_status convert(const session *s, const arguments *a, const char *graph_path)
{
    cnnf_load_options *options = NULL;
    cnnf_graph *model = NULL, *lowered = NULL, *with_saver = NULL;
    cnnf_status status = load_options_from_flags(&options, s, &a->keras);
    if (!status) status = cnnf_load_options_set_training_state(options, !a->no_training_state, s->error);
    if (!status) status = load_path(&model, s, a->model, options);
    if (!status) status = set_input_shapes(&model, s, &a->inference);
    if (!status) status = lower_to_target(&lowered, s, model, a->target_tf);
    if (!status) status = cnnf_graph_with_saver(&with_saver, lowered, s->error);
    if (!status) status = write_checkpoint(s, a, with_saver);
    if (!status) status = output_graph(s, with_saver, graph_path, &a->out);
    if (!status) cli_print_io(model);
    cnnf_graph_unref(with_saver);
    cnnf_graph_unref(lowered);
    cnnf_graph_unref(model);
    cnnf_load_options_free(options);
    return status;
}

static int run(const arguments *a, result_paths *paths)
{
    output_claim claim = {.n_outputs = 0};
    session s;
    if (!make_paths(paths, a)) return cli_say(EXIT_LIMIT, "out of memory");
    claim_input(&claim, a->model);
    claim_input(&claim, a->keras.architecture);
    const char *outputs[] = {paths->graph, paths->checkpoint[0], paths->checkpoint[1], paths->checkpoint[2],
                             paths->checkpoint[3]};
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
        claim_output(&claim, &outputs[i]);
    int code = claim_check(&claim, a->out.in_place);
    if (code) return code;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, convert(&s, a, outputs[0]));
    cli_session_end(&s);
    return code;
}

int cmd_keras2tf(int argc, char **argv)
{
    arguments a = {.out = OUTPUT_DEFAULTS};
    result_paths paths = {0};
    const flag flags[] = {
        {"graph_name", FLAG_STRING, &a.graph_name, "NAME", "file name of the GraphDef (tf_complete_model.pb)"},
        {"as_text", FLAG_BOOL, &a.out.text, NULL, "write the GraphDef as text"},
        {"no_training_state", FLAG_BOOL, &a.no_training_state, NULL, "leave the optimizer's variables out"},
        INPUT_SHAPE_FLAG(a.inference),
        {"target_tf", FLAG_STRING, &a.target_tf, "VERSION", "oldest TensorFlow that must read the graph (1.15)"},
        OUTPUT_FLAGS(a.out),
        KERAS_FLAGS(a.keras),
    };
    a.keras.shapes = &a.inference.shapes;
    const command self = {"keras2tf", "MODEL.{h5,keras} CKPT_PREFIX GRAPH_DIR [flags]",
                          "Keras model to checkpoint and GraphDef", NULL};
    const char *positional[3];
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, positional, 3, 3, &code)) return code;
    a.model = positional[0];
    a.prefix = positional[1];
    a.folder = positional[2];
    code = run(&a, &paths);
    free_paths(&paths);
    return code;
}
