/* SPDX-License-Identifier: Apache-2.0 */
#include "inference.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for a list of passes with the names that a caller gives. */
#define PASSES_SIZE 16384

/* ---- the learning phase ---- */

/* "NAME", "NAME=true", "NAME=false", "NAME=1" ...: the name's length, and whether it is to be true. */
static size_t split_phase(const char *text, bool *truth)
{
    static const struct {
        const char *word;
        bool truth;
    } words[] = {{"=true", true}, {"=True", true}, {"=1", true}, {"=false", false}, {"=False", false}, {"=0", false}};
    const size_t n = strlen(text);
    *truth = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const size_t m = strlen(words[i].word);
        if (n <= m || strcmp(text + n - m, words[i].word) != 0) continue;
        *truth = words[i].truth;
        return n - m;
    }
    return n;
}

/* "NAME:0" is NAME. */
static size_t without_port(const char *text, size_t length)
{
    return length > 2 && text[length - 2] == ':' && text[length - 1] == '0' ? length - 2 : length;
}

static cnnf_status phase_pass(char *out, size_t size, const cnnf_graph *graph, const flag_list *phases)
{
    size_t used = (size_t)snprintf(out, size, "set_learning_phase(");
    for (size_t i = 0; i < phases->count; i++) {
        char name[1024];
        bool truth;
        const char *text = phases->values[i];
        const size_t length = without_port(text, split_phase(text, &truth));
        snprintf(name, sizeof name, "%.*s", (int)length, text);
        if (!cnnf_graph_find(graph, name)) {
            cli_say(0, "--phase: there is no node '%s'", name);
            return CNNF_E_NOT_FOUND;
        }
        used += (size_t)snprintf(out + used, used < size ? size - used : 0, "%s%s=\"%s\"", i ? ", " : "",
                                 truth ? "is_true" : "name", name);
        if (used + 32 >= size) return CNNF_E_LIMIT;
    }
    snprintf(out + used, size - used, ") remove_dropout");
    return CNNF_OK;
}

cnnf_status infer_only(cnnf_graph **out, const session *s, const cnnf_graph *graph, const inference_flags *flags,
                       bool flat, const flag_list *outputs)
{
    cnnf_graph *inlined = NULL;
    char *passes = malloc(PASSES_SIZE);
    cnnf_status status =
        passes ? run_passes(&inlined, s, graph, flat ? "inline_functions" : NULL, outputs) : CNNF_E_NOMEM;
    if (!status) status = phase_pass(passes, PASSES_SIZE, inlined, &flags->phases);
    if (!status) status = run_passes(out, s, inlined, passes, outputs);
    cnnf_graph_unref(inlined);
    free(passes);
    return status;
}

/* ---- shapes of inputs ---- */

/* One number, "?", "None" or "-1"; false at anything else. */
static bool take_dim(const char **at, int64_t *out)
{
    static const char *const unknown[] = {"?", "None", "none", "-1"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        const size_t n = strlen(unknown[i]);
        if (strncmp(*at, unknown[i], n) != 0) continue;
        *out = -1;
        *at += n;
        return true;
    }
    char *end = NULL;
    if (**at < '0' || **at > '9') return false;
    *out = strtoll(*at, &end, 10);
    *at = end;
    return *out >= 0 && *out < INT32_MAX;
}

/* "1,28,28,1", "[1,28,28,1]", "(28, 28, 1)", "1x28x28x1" */
static bool parse_dims(const char *at, input_shape *out)
{
    at += strspn(at, " [(");
    for (out->rank = 0; *at && !strchr("])", *at);) {
        if (out->rank == MAX_INPUT_RANK || !take_dim(&at, &out->dims[out->rank])) return false;
        out->rank++;
        at += strspn(at, " ");
        if (*at && !strchr("])", *at) && !strchr(",x;", *at++)) return false;
        at += strspn(at, " ");
    }
    at += strspn(at, " ])");
    return !*at;
}

/* "NAME:DIMS", "NAME:0:DIMS", "NAME[DIMS]", "DIMS" */
static bool parse_shape(const char *text, input_shape *out)
{
    const char *bracket = strpbrk(text, "[("), *colon = strrchr(text, ':'), *dims = text;
    size_t length = 0;
    if (colon && (!bracket || colon < bracket || bracket == text)) {
        length = (size_t)(colon - text);
        dims = colon + 1;
    } else if (bracket && bracket != text) {
        length = (size_t)(bracket - text);
        dims = bracket;
    }
    length = without_port(text, length);
    if (length >= sizeof out->name) return false;
    memcpy(out->name, text, length);
    out->name[length] = '\0';
    return parse_dims(dims, out);
}

bool parse_input_shape(const char *text, input_shape *out)
{
    if (parse_shape(text, out) && out->rank > 0) return true;
    cli_say(0, "--input_shape is [NAME:]1,28,28,1, not '%s'", text);
    return false;
}

/* Whether the shape, with a batch put before it where it has none, can be the input's. 0: no, else how well. */
static int fits(const cnnf_graph *graph, int64_t input, const input_shape *shape)
{
    const int32_t rank = cnnf_graph_input_shape_rank(graph, input), before = rank - shape->rank;
    if (rank < 0) return 1;
    if (before != 0 && before != 1) return 0;
    for (int32_t i = before; i < rank; i++) {
        const int64_t known = cnnf_graph_input_shape_dim(graph, input, i), wanted = shape->dims[i - before];
        if (i > 0 && known >= 0 && wanted >= 0 && known != wanted) return 1;
    }
    return 2;
}

static void print_pass(char *out, size_t size, const cnnf_graph *graph, int64_t input, const input_shape *shape)
{
    const int32_t rank = cnnf_graph_input_shape_rank(graph, input);
    const bool batch = rank == shape->rank + 1;
    size_t used =
        (size_t)snprintf(out, size, "set_input_shape(name=\"%s\", shape=\"", cnnf_graph_input_name(graph, input));
    if (batch)
        used += (size_t)snprintf(out + used, size - used, "%" PRId64, cnnf_graph_input_shape_dim(graph, input, 0));
    for (int32_t i = 0; i < shape->rank && used < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%" PRId64, i || batch ? "," : "", shape->dims[i]);
    }
    if (used < size) snprintf(out + used, size - used, "\")");
}

/* Takes *graph. */
static cnnf_status run_one(cnnf_graph **graph, const session *s, const char *pass)
{
    cnnf_graph *out = NULL;
    const cnnf_status status = run_passes(&out, s, *graph, pass, NULL);
    if (status) return status;
    cnnf_graph_unref(*graph);
    *graph = out;
    return CNNF_OK;
}

static bool is_named(const cnnf_graph *graph, int64_t input, const char *name)
{
    return strcmp(cnnf_graph_input_name(graph, input), name) == 0;
}

/* Inputs of that name, else those it fits best. */
static cnnf_status set_one(cnnf_graph **graph, const session *s, const input_shape *shape)
{
    char pass[2048];
    int best = 0;
    for (int64_t i = 0; i < cnnf_graph_input_count(*graph); i++) {
        const int fit = *shape->name ? is_named(*graph, i, shape->name) : fits(*graph, i, shape);
        best = fit > best ? fit : best;
    }
    if (!best) {
        cli_say(0, "--input_shape: no input is %s%s", *shape->name ? "called " : "of that rank", shape->name);
        return CNNF_E_NOT_FOUND;
    }
    for (int64_t i = 0; i < cnnf_graph_input_count(*graph); i++) {
        const int fit = *shape->name ? is_named(*graph, i, shape->name) : fits(*graph, i, shape);
        if (fit != best) continue;
        print_pass(pass, sizeof pass, *graph, i, shape);
        const cnnf_status status = run_one(graph, s, pass);
        if (status) return status;
    }
    return CNNF_OK;
}

/* Of every input that has an axis. */
static cnnf_status set_batch(cnnf_graph **graph, const session *s, int64_t batch)
{
    char pass[64];
    snprintf(pass, sizeof pass, "set_input_shape(batch=%" PRId64 ")", batch);
    return run_one(graph, s, pass);
}

cnnf_status set_input_shapes(cnnf_graph **graph, const session *s, const inference_flags *flags)
{
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; !status && i < flags->shapes.count; i++) {
        input_shape shape;
        if (!parse_input_shape(flags->shapes.values[i], &shape)) return CNNF_E_INVALID;
        status = set_one(graph, s, &shape);
    }
    if (!status && flags->batch > 0) status = set_batch(graph, s, flags->batch);
    return status;
}

/* ---- running ---- */

/* "x", "x:0", "x=FILE" */
static const cnnf_node *node_of(const cnnf_graph *graph, const char *tensor)
{
    char name[1024];
    const char *equals = strrchr(tensor, '=');
    const size_t length = equals ? (size_t)(equals - tensor) : strlen(tensor);
    snprintf(name, sizeof name, "%.*s", (int)without_port(tensor, length), tensor);
    return cnnf_graph_find(graph, name);
}

/* A phase that is fed: the caller decides. */
static bool decides(const cnnf_node *node)
{
    return node && cnnf_node_attr_type(node, "dtype", CNNF_DTYPE_INVALID) == CNNF_BOOL &&
           cnnf_node_attr_shape_rank(node, "shape") <= 0;
}

/* Something inside is fed that inference does not have. */
static bool lacks_feed(const cnnf_graph *graph, const cnnf_graph *inference, const flag_list *feeds)
{
    for (size_t i = 0; feeds && i < feeds->count; i++) {
        if (node_of(graph, feeds->values[i]) && !node_of(inference, feeds->values[i])) return true;
    }
    return false;
}

cnnf_status ready_to_run(cnnf_graph **graph, const session *s, const inference_flags *flags, const flag_list *outputs,
                         const flag_list *feeds)
{
    cnnf_graph *out = NULL;
    for (size_t i = 0; feeds && i < feeds->count; i++) {
        if (decides(node_of(*graph, feeds->values[i]))) return CNNF_OK;
    }
    const cnnf_status status = infer_only(&out, s, *graph, flags, true, outputs);
    if (status && (status == CNNF_E_NOMEM || flags->phases.count)) return status;
    if (status || lacks_feed(*graph, out, feeds)) {
        cnnf_error_clear(s->error); /* running it says what is wrong */
        cnnf_graph_unref(out);
        return CNNF_OK;
    }
    cnnf_graph_unref(*graph);
    *graph = out;
    return CNNF_OK;
}

cnnf_status freeze_variables(cnnf_graph **out, const session *s, const cnnf_graph *graph, const flag_list *outputs)
{
    cnnf_freeze_options *options = NULL;
    cnnf_status status = cnnf_freeze_options_new(&options, s->context, s->error);
    for (size_t i = 0; !status && i < outputs->count; i++) {
        status = cnnf_freeze_options_add_output(options, outputs->values[i], s->error);
    }
    if (!status) status = cnnf_freeze(out, NULL, graph, options, s->error);
    cnnf_freeze_options_free(options);
    return status;
}
