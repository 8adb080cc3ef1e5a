/* SPDX-License-Identifier: Apache-2.0 */
/* convert: any format of a graph to GraphDef, binary or text, nothing changed. */
#include <string.h>

#include "cli.h"
#include "load.h"
#include "output.h"

typedef struct arguments {
    const char *paths[2], *checkpoint;
    bool binary;
    output_flags out;
    keras_flags keras;
} arguments;

static bool ends_with(const char *text, const char *ending)
{
    const size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcmp(text + n - m, ending) == 0;
}

static cnnf_status convert(const session *s, const arguments *a)
{
    cnnf_graph *graph = NULL;
    cnnf_status status = load_model(&graph, s, a->paths[0], a->checkpoint, &a->keras);
    if (!status) status = output_graph(s, graph, a->paths[1], &a->out);
    cnnf_graph_unref(graph);
    return status;
}

int cmd_convert(int argc, char **argv)
{
    arguments a = {.out = OUTPUT_DEFAULTS};
    output_claim claim = {.n_outputs = 0};
    const flag flags[] = {
        {"as_text", FLAG_BOOL, &a.out.text, NULL, "write text format (what .pbtxt, .txt and .prototxt mean)"},
        {"as_binary", FLAG_BOOL, &a.binary, NULL, "write binary format, whatever the name"},
        OUTPUT_FLAGS(a.out),
        {"saved_model_tags", FLAG_LIST, &a.keras.tags, "TAG", "tags of a SavedModel's graph (serve)"},
        KERAS_FLAGS(a.keras),
    };
    const command self = {"convert", "IN OUT.{pb,pbtxt} [flags]", "any format of a graph to GraphDef, nothing changed",
                          NULL};
    static const char *const text_endings[] = {".pbtxt", ".txt", ".prototxt"};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, a.paths, 2, 2, &code)) return code;
    for (size_t i = 0; !a.binary && i < sizeof text_endings / sizeof *text_endings; i++)
        a.out.text |= ends_with(a.paths[1], text_endings[i]);
    claim_input(&claim, a.paths[0]);
    claim_input(&claim, a.keras.architecture);
    claim_output(&claim, &a.paths[1]);
    if ((code = claim_check(&claim, a.out.in_place))) return code;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, convert(&s, &a));
    cli_session_end(&s);
    return code;
}
