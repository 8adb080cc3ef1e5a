/* SPDX-License-Identifier: Apache-2.0 */
/* freeze: any model in, one frozen inference graph out. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "load.h"
#include "output.h"

/* What only training needs goes before freezing: moving statistics must still be in the graph. */
#define INFERENCE_PASSES "set_learning_phase remove_dropout"

typedef struct arguments {
    const char *input, *output, *checkpoint, *output_nodes, *transforms, *target_tf, *target, *report;
    bool fold, verify, inline_functions;
    output_flags out;
    double tolerance;
    keras_flags keras;
} arguments;

/* Outputs of the run: given, declared or guessed; names live in `room`. */
typedef struct output_names {
    flag_list list;
    char room[8192];
    size_t used;
} output_names;

static cnnf_status remember(void *user, const char *name, cnnf_error *error)
{
    output_names *names = user;
    const size_t length = strlen(name) + 1;
    if (names->used + length > sizeof names->room || names->list.count == 64) return CNNF_E_LIMIT;
    memcpy(names->room + names->used, name, length);
    names->list.values[names->list.count++] = names->room + names->used;
    names->used += length;
    return CNNF_OK;
}

static cnnf_status find_outputs(output_names *names, const session *s, const arguments *a, const cnnf_graph *graph)
{
    cnnf_status status = cli_each(a->output_nodes, remember, names, s->error);
    for (int64_t i = 0; !status && !a->output_nodes && i < cnnf_graph_output_count(graph); i++) {
        status = remember(names, cnnf_graph_output_name(graph, i), s->error);
    }
    if (status || names->list.count) return status;
    status = each_guessed_output(s, graph, remember, names);
    if (status || names->list.count) return status;
    cli_say(0, "%s: no output found; give --output_node_names", a->input);
    return CNNF_E_NOT_FOUND;
}

static cnnf_status freeze_variables(cnnf_graph **out, const session *s, const cnnf_graph *graph,
                                    const output_names *names)
{
    cnnf_freeze_options *options = NULL;
    cnnf_status status = cnnf_freeze_options_new(&options, s->context, s->error);
    for (size_t i = 0; !status && i < names->list.count; i++) {
        status = cnnf_freeze_options_add_output(options, names->list.values[i], s->error);
    }
    if (!status) status = cnnf_freeze(out, NULL, graph, options, s->error);
    cnnf_freeze_options_free(options);
    return status;
}

/* What follows freezing, in order: folding, the caller's passes, the next tool's demands, the target's vocabulary. */
static void pass_list(char *out, size_t size, const arguments *a)
{
    const char *target = a->target ? cnnf_check_target_passes(a->target) : NULL;
    /* A release that was asked for is a demand; the default is the oldest one that will do. */
    snprintf(out, size, "%s %s %s %s target_tf(version=%.16s%s)", a->inline_functions ? "prune" : "",
             a->fold ? "fold_batch_norms" : "", a->transforms ? a->transforms : "", target ? target : "",
             a->target_tf ? a->target_tf : "1.15", a->target_tf ? "" : ", ignore_errors=true");
}

static cnnf_status make_inference_graph(cnnf_graph **out, const session *s, const arguments *a, const cnnf_graph *model)
{
    cnnf_graph *flat = NULL, *inference = NULL, *frozen = NULL;
    output_names names = {.used = 0};
    char passes[4096];
    pass_list(passes, sizeof passes, a);
    cnnf_status status = find_outputs(&names, s, a, model);
    if (!status) status = run_passes(&flat, s, model, a->inline_functions ? "inline_functions" : NULL, &names.list);
    if (!status) status = run_passes(&inference, s, flat, INFERENCE_PASSES, &names.list);
    if (!status) status = freeze_variables(&frozen, s, inference, &names);
    if (!status) status = run_passes_report(out, s, frozen, passes, &names.list, a->report);
    cnnf_graph_unref(frozen);
    cnnf_graph_unref(inference);
    cnnf_graph_unref(flat);
    return status;
}

/* Input and output of the whole job on random inputs: what --verify promises before anything is written. */
static cnnf_status verify(const session *s, const arguments *a, const cnnf_graph *model, const cnnf_graph *out)
{
    cnnf_graph *reference = NULL;
    cnnf_comparison_options *options = NULL;
    cnnf_comparison *comparison = NULL;
    output_names names = {.used = 0};
    cnnf_status status = find_outputs(&names, s, a, model);
    if (!status) status = run_passes(&reference, s, model, "inline_functions set_learning_phase", &names.list);
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

static cnnf_status freeze(const session *s, const arguments *a)
{
    cnnf_graph *model = NULL, *out = NULL;
    cnnf_status status = load_model(&model, s, a->input, a->checkpoint, &a->keras);
    if (!status) status = make_inference_graph(&out, s, a, model);
    if (!status && a->verify) status = verify(s, a, model, out);
    if (!status) status = output_graph(s, out, a->output, &a->out);
    if (!status) {
        cli_print_io(out);
        printf("%" PRId64 " ops in the final graph.\n", cnnf_graph_node_count(out));
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
        {"input_checkpoint", FLAG_STRING, &a.checkpoint, "PREFIX", "values of a GraphDef or .meta"},
        {"output_node_names", FLAG_STRING, &a.output_nodes, "a,b", "outputs (found by itself when absent)"},
        {"fold", FLAG_BOOL, &a.fold, NULL, "fold batch norms into the weights around them"},
        {"transforms", FLAG_STRING, &a.transforms, "'a b(x=y)'", "more passes, after folding"},
        {"for", FLAG_STRING, &a.target, "vitis-ai", "make the graph that the next tool takes"},
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
    const command self = {"freeze", "INPUT -o OUT.pb [flags]", "any model to one frozen inference graph", NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, &a.input, 1, 1, &code)) return code;
    if (!a.output) return cli_say(EXIT_USAGE, "freeze: -o OUT.pb is needed");
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
