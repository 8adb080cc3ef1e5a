/* SPDX-License-Identifier: Apache-2.0 */
/* export: any model in, one ONNX or TFLite model out. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "inference.h"
#include "load.h"
#include "output.h"

/* The smallest graph of the same meaning: what the other side would fold is folded here, exactly. */
#define EXPORT_PASSES "prune fold_batch_norms fold_constants flatten_atrous_conv merge_duplicate_nodes"
#define TFLITE_PASSES                                                                                                  \
    "prune fold_constants static_shapes fold_constants fold_batch_norms fuse_softmax fuse_relu6 "                      \
    "flatten_atrous_conv merge_duplicate_nodes remove_identity prune"

typedef struct arguments {
    const char *input, *output, *checkpoint, *output_nodes, *transforms;
    bool tflite; /* else ONNX */
    int64_t opset;
    bool inputs_as_nchw, external_data, fold;
    output_flags out;
    inference_flags inference;
    keras_flags keras;
} arguments;

static cnnf_status make_inference_graph(cnnf_graph **out, const session *s, const arguments *a, const cnnf_graph *model,
                                        const flag_list *names)
{
    cnnf_graph *inference = NULL, *frozen = NULL;
    char passes[4096];
    const char *folding = a->tflite ? TFLITE_PASSES : EXPORT_PASSES;
    snprintf(passes, sizeof passes, "%s %s", a->fold ? folding : "prune", a->transforms ? a->transforms : "");
    cnnf_status status = infer_only(&inference, s, model, &a->inference, true, names);
    if (!status) status = freeze_variables(&frozen, s, inference, names);
    if (!status) status = run_passes(out, s, frozen, passes, names);
    cnnf_graph_unref(frozen);
    cnnf_graph_unref(inference);
    return status;
}

static cnnf_status write_onnx(const session *s, const arguments *a, const cnnf_graph *graph, const flag_list *names)
{
    cnnf_onnx_options *options = NULL;
    cnnf_write_options *write = NULL;
    cnnf_status status = cnnf_onnx_options_new(&options, s->context, s->error);
    if (!status) status = cnnf_onnx_options_set_opset(options, (int32_t)a->opset, s->error);
    if (!status) status = cnnf_onnx_options_set_inputs_as_nchw(options, a->inputs_as_nchw, s->error);
    if (!status) status = cnnf_onnx_options_set_external_data(options, a->external_data, s->error);
    for (size_t i = 0; !status && i < names->count; i++)
        status = cnnf_onnx_options_add_output(options, names->values[i], s->error);
    if (!status) status = cnnf_write_options_new(&write, s->context, s->error);
    if (!status) status = cnnf_write_options_set_fsync(write, a->out.fsync, s->error);
    if (!status) status = cnnf_write_onnx_file(graph, a->output, options, write, s->error);
    cnnf_write_options_free(write);
    cnnf_onnx_options_free(options);
    return status;
}

static cnnf_status write_tflite(const session *s, const arguments *a, const cnnf_graph *graph, const flag_list *names)
{
    cnnf_tflite_options *options = NULL;
    cnnf_write_options *write = NULL;
    cnnf_status status = cnnf_tflite_options_new(&options, s->context, s->error);
    for (size_t i = 0; !status && i < names->count; i++)
        status = cnnf_tflite_options_add_output(options, names->values[i], s->error);
    if (!status) status = cnnf_write_options_new(&write, s->context, s->error);
    if (!status) status = cnnf_write_options_set_fsync(write, a->out.fsync, s->error);
    if (!status) status = cnnf_write_tflite_file(graph, a->output, options, write, s->error);
    cnnf_write_options_free(write);
    cnnf_tflite_options_free(options);
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), n = strlen(end);
    return length >= n && strcmp(text + length - n, end) == 0;
}

static cnnf_status export_model(const session *s, const arguments *a)
{
    cnnf_graph *model = NULL, *graph = NULL;
    output_names names = {.used = 0};
    cnnf_status status = load_model(&model, s, a->input, a->checkpoint, &a->keras);
    if (!status) status = set_input_shapes(&model, s, &a->inference);
    if (!status) status = want_output_names(&names, s, model, a->output_nodes, a->input, "output_node_names");
    if (!status) status = make_inference_graph(&graph, s, a, model, &names.list);
    if (!status) status = (a->tflite ? write_tflite : write_onnx)(s, a, graph, &names.list);
    if (!status) cli_print_io(graph);
    cnnf_graph_unref(graph);
    cnnf_graph_unref(model);
    return status;
}

int cmd_export(int argc, char **argv)
{
    arguments a = {.opset = CNNF_ONNX_OPSET_DEFAULT, .fold = true, .out = OUTPUT_DEFAULTS};
    output_claim claim = {.n_outputs = 0};
    const flag flags[] = {
        {"o", FLAG_STRING, &a.output, "OUT.onnx|OUT.tflite", "where the model goes; the ending says what it is"},
        {"output", FLAG_STRING, &a.output, "OUT", "the same"},
        {"opset", FLAG_INT, &a.opset, "N", "version of ONNX' operators, 13 to 21 (17)"},
        {"inputs_as_nchw", FLAG_BOOL, &a.inputs_as_nchw, NULL, "images come channels-first"},
        {"external_data", FLAG_BOOL, &a.external_data, NULL, "weights in OUT.onnx.data (by itself above 2 GiB)"},
        {"input_checkpoint", FLAG_STRING, &a.checkpoint, "PREFIX", "values of a GraphDef or .meta"},
        {"output_node_names", FLAG_STRING, &a.output_nodes, "a,b", "outputs (found by itself when absent)"},
        {"fold", FLAG_BOOL, &a.fold, NULL, "fold batch norms and constants (true)"},
        {"transforms", FLAG_STRING, &a.transforms, "'a b(x=y)'", "more passes before the export"},
        PHASE_FLAG(a.inference),
        INPUT_SHAPE_FLAG(a.inference),
        BATCH_FLAG(a.inference),
        OUTPUT_FLAGS(a.out),
        {"saved_model_tags", FLAG_LIST, &a.keras.tags, "TAG", "tags of a SavedModel's graph (serve)"},
        {"signature", FLAG_STRING, &a.keras.signature, "NAME", "signature of a SavedModel (serving_default)"},
        KERAS_FLAGS(a.keras),
    };
    const command self = {"export", "INPUT OUT.onnx|OUT.tflite [flags]", "any model to one ONNX or TFLite model", NULL};
    const char *positional[2] = {NULL, NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, positional, 1, 2, &code)) return code;
    a.input = positional[0];
    if (positional[1] && a.output)
        return cli_say(EXIT_USAGE, "export: two outputs, '%s' and '%s'", positional[1], a.output);
    if (positional[1]) a.output = positional[1];
    if (!a.output) return cli_say(EXIT_USAGE, "export: where to? export INPUT OUT.onnx, or OUT.tflite");
    a.tflite = ends_with(a.output, ".tflite");
    if (a.inference.batch < 0) return cli_say(EXIT_USAGE, "export: --batch must be 1 or more");
    claim_input(&claim, a.input);
    claim_input(&claim, a.checkpoint);
    claim_input(&claim, a.keras.architecture);
    claim_output(&claim, &a.output);
    if ((code = claim_check(&claim, a.out.in_place))) return code;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, export_model(&s, &a));
    cli_session_end(&s);
    return code;
}
