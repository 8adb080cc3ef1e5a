/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optimize_for_inference: TensorFlow's tool of that name and its flags. What that one does wrongly (a convolution read
 * by others beside its batch norm, a filter of two convolutions) is done exactly or left; versions and functions stay.
 */
#include <stdio.h>
#include <string.h>

#include "inference.h"
#include "load.h"
#include "output.h"
#include "strip_unused.h"

#define STRIP_SIZE 8192

typedef struct arguments {
    const char *input, *output, *inputs, *outputs, *types, *checkpoint;
    bool frozen, toco;
    inference_flags inference;
    output_flags out;
    keras_flags keras;
} arguments;

static cnnf_status optimize(const session *s, const arguments *a, const char *strip)
{
    cnnf_graph *graph = NULL, *cut = NULL, *inference = NULL, *out = NULL;
    output_names outputs;
    cnnf_status status = load_model(&graph, s, a->input, a->checkpoint, &a->keras);
    if (!status) status = find_output_names(&outputs, s, graph, a->outputs);
    if (!status) status = run_between(&cut, s, graph, strip, a->inputs, &outputs.list);
    if (!status) status = infer_only(&inference, s, cut, &a->inference, false, &outputs.list);
    if (!status && cnnf_graph_variable_count(inference)) {
        cnnf_graph *frozen = NULL; /* a batch norm folds into constants */
        status = run_between(&frozen, s, inference, "freeze_variables", a->inputs, &outputs.list);
        if (!status) cnnf_graph_unref(inference);
        if (!status) inference = frozen;
    }
    if (!status)
        status =
            run_between(&out, s, inference, "remove_identity remove_nodes(op=CheckNumerics) fold_batch_norms prune",
                        a->inputs, &outputs.list);
    if (!status) status = output_graph(s, out, a->output, &a->out);
    if (!status) cli_print_io(out);
    cnnf_graph_unref(out);
    cnnf_graph_unref(inference);
    cnnf_graph_unref(cut);
    cnnf_graph_unref(graph);
    return status;
}

int cmd_optimize_for_inference(int argc, char **argv)
{
    arguments a = {.frozen = true, .out = OUTPUT_DEFAULTS};
    output_claim claim = {.n_outputs = 0};
    char strip[STRIP_SIZE];
    const flag flags[] = {
        {"input", FLAG_STRING, &a.input, "FILE", "graph or model, any format"},
        {"output", FLAG_STRING, &a.output, "FILE", "where the result goes"},
        {"input_names", FLAG_STRING, &a.inputs, "a,b", "inputs: become placeholders (the declared ones)"},
        {"output_names", FLAG_STRING, &a.outputs, "a,b", "outputs (found by itself when absent)"},
        {"frozen_graph", FLAG_BOOL, &a.frozen, NULL, "false: write text format (true)"},
        {"placeholder_type_enum", FLAG_STRING, &a.types, "1,4", "dtypes of new placeholders (what the nodes give)"},
        {"toco_compatible", FLAG_BOOL, &a.toco, NULL, "accepted: no op is made that only TensorFlow runs"},
        {"input_checkpoint", FLAG_STRING, &a.checkpoint, "PREFIX", "values of a graph that is not frozen"},
        PHASE_FLAG(a.inference),
        OUTPUT_FLAGS(a.out),
        KERAS_FLAGS(a.keras),
    };
    const command self = {"optimize_for_inference", "--input=A --output=B [flags]",
                          "what inference needs, batch norms folded: TensorFlow's optimize_for_inference", NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, NULL, 0, 0, &code)) return code;
    if (!a.input || !a.output) return cli_say(EXIT_USAGE, "optimize_for_inference: --input and --output are needed");
    if (!strip_pass(strip, sizeof strip, a.inputs, a.types)) return EXIT_USAGE;
    a.out.text = !a.frozen;
    claim_input(&claim, a.input);
    claim_input(&claim, a.checkpoint);
    claim_input(&claim, a.keras.architecture);
    claim_output(&claim, &a.output);
    if ((code = claim_check(&claim, a.out.in_place))) return code;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, optimize(&s, &a, strip));
    cli_session_end(&s);
    return code;
}
