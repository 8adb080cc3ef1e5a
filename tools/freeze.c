/* SPDX-License-Identifier: Apache-2.0 */
/* freeze: any model in, one frozen inference graph out. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "inference.h"
#include "load.h"
#include "output.h"

typedef struct arguments {
    const char *input, *output, *checkpoint, *input_nodes, *output_nodes, *transforms, *target_tf, *target, *report;
    bool fold, verify, inline_functions;
    output_flags out;
    double tolerance;
    inference_flags inference;
    keras_flags keras;
} arguments;

/* Ops that every next tool knows, in place of their pieces. */
#define WHOLE_OPS "fuse_softmax fuse_relu6"

/* What the target's own passes leave to the end: OpenCV 5 takes `versions` for a promise. */
static const char *last_passes(const char *target)
{
    return target && strncmp(target, "opencv", 6) == 0 ? "set_versions" : "";
}

/* What follows freezing, in order: folding, the caller's passes, the next tool's demands, the target's vocabulary. */
static void pass_list(char *out, size_t size, const arguments *a)
{
    const char *target = a->target ? cnnf_check_target_passes(a->target) : NULL;
    /* A release that was asked for is a demand; the default is the oldest one that will do. */
    snprintf(out, size, "%s %s %s %s %s target_tf(version=%.16s%s) %s", a->inline_functions ? "prune" : "",
             a->fold ? "fold_batch_norms" : "", a->transforms ? a->transforms : "", target ? WHOLE_OPS : "",
             target ? target : "", a->target_tf ? a->target_tf : "1.15", a->target_tf ? "" : ", ignore_errors=true",
             last_passes(a->target));
}

static cnnf_status make_inference_graph(cnnf_graph **out, const session *s, const arguments *a, const cnnf_graph *model)
{
    cnnf_graph *inference = NULL, *frozen = NULL;
    output_names names = {.used = 0};
    char passes[4096];
    pass_list(passes, sizeof passes, a);
    cnnf_status status = want_output_names(&names, s, model, a->output_nodes, a->input, "output_node_names");
    /* What only training needs goes before freezing: moving statistics must still be in the graph. */
    if (!status) status = infer_only(&inference, s, model, &a->inference, a->inline_functions, &names.list);
    if (!status) status = freeze_variables(&frozen, s, inference, &names.list);
    if (!status) status = run_passes_report(out, s, frozen, passes, &names.list, a->report);
    cnnf_graph_unref(frozen);
    cnnf_graph_unref(inference);
    return status;
}

/* What the input means when it infers, and the output of the whole job, on random inputs: what --verify promises before
   anything is written. */
static cnnf_status verify(const session *s, const arguments *a, const cnnf_graph *model, const cnnf_graph *out)
{
    cnnf_graph *reference = NULL;
    cnnf_comparison_options *options = NULL;
    cnnf_comparison *comparison = NULL;
    output_names names = {.used = 0};
    cnnf_status status = want_output_names(&names, s, model, a->output_nodes, a->input, "output_node_names");
    if (!status) status = infer_only(&reference, s, model, &a->inference, true, &names.list);
    if (!status) status = cnnf_comparison_options_new(&options, s->context, s->error);
    if (!status) status = cnnf_comparison_options_set_tolerance(options, a->tolerance, s->error);
    if (!status) status = cnnf_comparison_options_set_inside(options, 0, s->error);
    for (size_t i = 0; !status && i < names.list.count; i++) {
        status = cnnf_comparison_options_add_output(options, names.list.values[i], NULL, s->error);
    }
    if (!status) status = cnnf_compare_numbers(&comparison, reference, out, options, s->error);
    if (!status) {
        printf("Verified: largest difference %.3g, relative %.3g (tolerance %.3g)\n",
               cnnf_comparison_max_abs(comparison), cnnf_comparison_max_rel(comparison), a->tolerance);
        if (!cnnf_comparison_within(comparison)) {
            cli_say(0, "%s: the frozen graph differs beyond the tolerance; nothing was written", a->output);
            status = CLI_CHECK_FAILED;
        }
    }
    cnnf_comparison_free(comparison);
    cnnf_comparison_options_free(options);
    cnnf_graph_unref(reference);
    return status;
}

/* --inputs: the graph begins there. */
static cnnf_status cut_at_inputs(cnnf_graph **model, const session *s, const arguments *a)
{
    cnnf_graph *cut = NULL;
    output_names names;
    if (!a->input_nodes || !*a->input_nodes) return CNNF_OK;
    cnnf_status status = want_output_names(&names, s, *model, a->output_nodes, a->input, "output_node_names");
    if (!status) status = run_between(&cut, s, *model, "strip_unused_nodes", a->input_nodes, &names.list);
    if (status) return status;
    cnnf_graph_unref(*model);
    *model = cut;
    return CNNF_OK;
}

/* --for: whether the tool takes what was made; the reasons where it does not. The graph is written in any case. */
static cnnf_status check_target(const session *s, const arguments *a, const cnnf_graph *graph)
{
    cnnf_buffer *report = NULL;
    int64_t unmet = 0;
    if (!a->target) return CNNF_OK;
    const cnnf_status status =
        cnnf_check_graph_file(&report, &unmet, graph, a->output, a->target, CNNF_REPORT_TEXT, s->error);
    if (!status && unmet) {
        fwrite(cnnf_buffer_data(report), 1, cnnf_buffer_size(report), stderr);
        cli_say(0, "%s: %s will not take it: %" PRId64 " demands are not met", a->output, a->target, unmet);
    }
    cnnf_buffer_free(report);
    return !status && unmet ? CLI_CHECK_FAILED : status;
}

static cnnf_status freeze(const session *s, const arguments *a)
{
    cnnf_graph *model = NULL, *out = NULL;
    cnnf_status status = load_model(&model, s, a->input, a->checkpoint, &a->keras);
    if (!status) status = cut_at_inputs(&model, s, a);
    if (!status) status = set_input_shapes(&model, s, &a->inference);
    if (!status) status = make_inference_graph(&out, s, a, model);
    if (!status && a->verify) status = verify(s, a, model, out);
    if (!status) status = output_graph(s, out, a->output, &a->out);
    if (!status) {
        cli_print_io(out);
        printf("%" PRId64 " ops in the final graph.\n", cnnf_graph_node_count(out));
        status = check_target(s, a, out);
    }
    cnnf_graph_unref(out);
    cnnf_graph_unref(model);
    return status;
}

int cmd_freeze(int argc, char **argv)
{
    arguments a = {.inline_functions = true, .tolerance = 1e-4, .out = OUTPUT_DEFAULTS};
    output_claim claim = {.n_outputs = 0};
    const flag flags[] = {
        {"o", FLAG_STRING, &a.output, "FILE", "where the frozen graph goes"},
        {"output", FLAG_STRING, &a.output, "FILE", "the same"},
        {"output_graph", FLAG_STRING, &a.output, "FILE", "the same"},
        {"input_checkpoint", FLAG_STRING, &a.checkpoint, "PREFIX", "values of a GraphDef or .meta"},
        {"output_node_names", FLAG_STRING, &a.output_nodes, "a,b", "outputs (found by itself when absent)"},
        {"outputs", FLAG_STRING, &a.output_nodes, "a,b", "the same"},
        {"inputs", FLAG_STRING, &a.input_nodes, "a,b", "inputs: the graph begins there (its placeholders)"},
        INPUT_SHAPE_FLAG(a.inference),
        BATCH_FLAG(a.inference),
        PHASE_FLAG(a.inference),
        {"fold", FLAG_BOOL, &a.fold, NULL, "fold batch norms into the weights around them"},
        {"transforms", FLAG_STRING, &a.transforms, "'a b(x=y)'", "more passes, after folding"},
        {"for", FLAG_STRING, &a.target, "vitis-ai", "make the graph that the next tool takes"},
        {"batchsize", FLAG_INT, &a.inference.batch, "N", "the same as --batch"},
        {"target_tf", FLAG_STRING, &a.target_tf, "VERSION", "oldest TensorFlow that must read the graph (1.15)"},
        {"inline_functions", FLAG_BOOL, &a.inline_functions, NULL, "put functions into the graph (true)"},
        {"verify", FLAG_BOOL, &a.verify, NULL, "compare input and output numerically before writing"},
        {"tolerance", FLAG_DOUBLE, &a.tolerance, "X",
         "largest difference --verify accepts, relative to the largest value (1e-4)"},
        {"report", FLAG_STRING, &a.report, "FILE.json", "what each pass did"},
        {"as_text", FLAG_BOOL, &a.out.text, NULL, "write text format"},
        OUTPUT_FLAGS(a.out),
        {"saved_model_tags", FLAG_LIST, &a.keras.tags, "TAG", "tags of a SavedModel's graph (serve)"},
        {"signature", FLAG_STRING, &a.keras.signature, "NAME", "signature of a SavedModel (serving_default)"},
        KERAS_FLAGS(a.keras),
    };
    a.keras.shapes = &a.inference.shapes;
    const command self = {"freeze", "INPUT OUT.pb [flags]", "any model to one frozen inference graph", NULL};
    const char *positional[2] = {NULL, NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, positional, 1, 2, &code)) return code;
    a.input = positional[0];
    if (positional[1] && a.output)
        return cli_say(EXIT_USAGE, "freeze: two outputs, '%s' and '%s'", positional[1], a.output);
    if (positional[1]) a.output = positional[1];
    if (!a.output) return cli_say(EXIT_USAGE, "freeze: where to? freeze INPUT OUT.pb");
    if (a.inference.batch < 0) return cli_say(EXIT_USAGE, "freeze: --batch must be 1 or more");
    if (a.target && !cnnf_check_target_passes(a.target))
        return cli_say(EXIT_USAGE, "freeze: --for=%s is not known", a.target);
    claim_input(&claim, a.input);
    claim_input(&claim, a.checkpoint);
    claim_input(&claim, a.keras.architecture);
    claim_output(&claim, &a.output);
    claim_output(&claim, &a.report);
    if ((code = claim_check(&claim, a.out.in_place))) return code;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, freeze(&s, &a));
    cli_session_end(&s);
    return code;
}
