/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference.h"
#include "output.h"

static cnnf_status set_variables(cnnf_load_options *options, const session *s, const char *kind)
{
    if (!kind) return CNNF_OK;
    if (strcmp(kind, "reference") == 0)
        return cnnf_load_options_set_variables(options, CNNF_VARIABLES_REFERENCE, s->error);
    if (strcmp(kind, "resource") == 0)
        return cnnf_load_options_set_variables(options, CNNF_VARIABLES_RESOURCE, s->error);
    cli_say(0, "--variables is reference or resource, not '%s'", kind);
    return CNNF_E_INVALID;
}

typedef cnnf_status (*add_pair_fn)(cnnf_load_options *, const char *, const char *, cnnf_error *);

/* NAME=VALUE, whose value may hold "=" itself. */
static cnnf_status add_pairs(cnnf_load_options *options, const session *s, const flag_list *pairs, const char *what,
                             add_pair_fn add)
{
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; !status && i < pairs->count; i++) {
        char name[256];
        const char *equals = strchr(pairs->values[i], '=');
        const size_t size = equals ? (size_t)(equals - pairs->values[i]) : 0;
        if (size == 0 || size >= sizeof name) {
            cli_say(0, "%s, not '%s'", what, pairs->values[i]);
            return CNNF_E_INVALID;
        }
        memcpy(name, pairs->values[i], size);
        name[size] = '\0';
        status = add(options, name, equals + 1, s->error);
    }
    return status;
}

static cnnf_status add_list(cnnf_load_options *options, const session *s, const flag_list *list,
                            cnnf_status (*add)(cnnf_load_options *, const char *, cnnf_error *))
{
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; !status && i < list->count; i++)
        status = add(options, list->values[i], s->error);
    return status;
}

static cnnf_status set_shape(cnnf_load_options *options, const session *s, const flag_list *shapes)
{
    input_shape shape;
    if (!shapes || !shapes->count) return CNNF_OK;
    if (!parse_input_shape(shapes->values[0], &shape)) return CNNF_E_INVALID;
    return cnnf_load_options_set_input_shape(options, shape.rank, shape.dims, s->error);
}

cnnf_status load_options_from_flags(cnnf_load_options **out, const session *s, const keras_flags *flags)
{
    cnnf_status status = cnnf_load_options_new(out, s->context, s->error);
    if (!status && flags->name_suffix) status = cnnf_load_options_set_name_suffix(*out, flags->name_suffix, s->error);
    if (!status) status = set_variables(*out, s, flags->variables);
    if (!status && flags->architecture)
        status = cnnf_load_options_set_architecture_file(*out, flags->architecture, s->error);
    if (!status) status = set_shape(*out, s, flags->shapes);
    if (!status && flags->ask_libhdf5) status = cnnf_load_options_set_ask_libhdf5(*out, 1, s->error);
    if (!status) status = add_pairs(*out, s, &flags->map_layer, "--map_layer is Old=New", cnnf_load_options_map_layer);
    if (!status)
        status = add_pairs(*out, s, &flags->lambda, "--lambda is NAME=EXPRESSION", cnnf_load_options_add_lambda);
    if (!status) status = cnnf_load_options_set_rnn_steps(*out, flags->rnn_steps, s->error);
    if (!status) status = add_list(*out, s, &flags->drop_layer, cnnf_load_options_drop_layer);
    if (!status) status = add_list(*out, s, &flags->tags, cnnf_load_options_add_tag);
    if (!status && flags->signature) status = cnnf_load_options_set_signature(*out, flags->signature, s->error);
    return status;
}

bool is_stdin(const char *path)
{
    return strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0;
}

/* Standard input to its end; NULL when it cannot be read or is longer than a file may be. */
static char *read_stdin(const session *s, size_t *size)
{
    const uint64_t limit = cnnf_context_limit(s->context, CNNF_LIMIT_FILE_BYTES);
    size_t capacity = (size_t)1 << 20;
    char *bytes = malloc(capacity);
    for (*size = 0; bytes;) {
        const size_t got = fread(bytes + *size, 1, capacity - *size, stdin);
        *size += got;
        if (!got) break;
        if (*size < capacity) continue;
        char *grown = capacity > limit ? NULL : realloc(bytes, capacity *= 2);
        if (!grown) free(bytes);
        bytes = grown;
    }
    if (!ferror(stdin)) return bytes;
    free(bytes);
    return NULL;
}

cnnf_status load_path(cnnf_graph **out, const session *s, const char *path, const cnnf_load_options *options)
{
    size_t size;
    if (!is_stdin(path)) return cnnf_load_file(out, s->context, path, options, s->error);
    char *bytes = read_stdin(s, &size);
    if (!bytes) {
        cli_say(0, "standard input cannot be read, or is longer than max_file_bytes");
        return CNNF_E_LIMIT;
    }
    const cnnf_status status = cnnf_load_memory(out, s->context, bytes, size, "standard input", options, s->error);
    free(bytes);
    return status;
}

cnnf_status run_passes_report(cnnf_graph **out, const session *s, const cnnf_graph *graph, const char *passes,
                              const flag_list *outputs, const char *path)
{
    cnnf_pipeline *pipeline = NULL;
    cnnf_buffer *report = NULL;
    cnnf_status status = cnnf_pipeline_new(&pipeline, s->context, s->error);
    if (!status) status = cnnf_pipeline_add(pipeline, passes, s->error);
    for (size_t i = 0; !status && outputs && i < outputs->count; i++) {
        status = cnnf_pipeline_add_output(pipeline, outputs->values[i], s->error);
    }
    if (!status) status = cnnf_pipeline_run_report(out, path ? &report : NULL, pipeline, graph, s->error);
    if (!status && path) status = output_buffer(s, report, path);
    cnnf_buffer_free(report);
    cnnf_pipeline_free(pipeline);
    return status;
}

cnnf_status run_passes(cnnf_graph **out, const session *s, const cnnf_graph *graph, const char *passes,
                       const flag_list *outputs)
{
    if (passes && *passes) return run_passes_report(out, s, graph, passes, outputs, NULL);
    *out = cnnf_graph_ref((cnnf_graph *)(uintptr_t)graph);
    return CNNF_OK;
}

static cnnf_status add_pipeline_input(void *pipeline, const char *name, cnnf_error *error)
{
    return cnnf_pipeline_add_input(pipeline, name, error);
}

cnnf_status run_between(cnnf_graph **out, const session *s, const cnnf_graph *graph, const char *passes,
                        const char *inputs, const flag_list *outputs)
{
    cnnf_pipeline *pipeline = NULL;
    cnnf_status status = cnnf_pipeline_new(&pipeline, s->context, s->error);
    if (!status) status = cnnf_pipeline_add(pipeline, passes, s->error);
    if (!status) status = cli_each(inputs, add_pipeline_input, pipeline, s->error);
    for (size_t i = 0; !status && i < outputs->count; i++)
        status = cnnf_pipeline_add_output(pipeline, outputs->values[i], s->error);
    if (!status) status = cnnf_pipeline_run(out, pipeline, graph, s->error);
    cnnf_pipeline_free(pipeline);
    return status;
}

cnnf_status lower_to_target(cnnf_graph **out, const session *s, const cnnf_graph *graph, const char *version)
{
    char pass[96]; /* a release that was asked for is a demand; the default is the oldest one that will do */
    snprintf(pass, sizeof pass, "target_tf(version=%.16s%s)", version ? version : "1.15",
             version ? "" : ", ignore_errors=true, kernels=false"); /* node for node what Keras builds */
    return run_passes(out, s, graph, pass, NULL);
}

/* Whether it is a MetaGraphDef, and its checkpoint is beside it: the values of PREFIX.meta are in PREFIX. */
static bool has_values_beside(const session *s, const char *path)
{
    int32_t format = CNNF_FORMAT_UNKNOWN;
    cnnf_checkpoint *checkpoint = NULL;
    if (is_stdin(path) || cnnf_format_detect(&format, s->context, path, NULL)) return false;
    if (format != CNNF_FORMAT_META_GRAPH && format != CNNF_FORMAT_META_GRAPH_TEXT) return false;
    const bool found = cnnf_checkpoint_open(&checkpoint, s->context, path, NULL) == CNNF_OK;
    cnnf_checkpoint_unref(checkpoint);
    return found;
}

cnnf_status load_model(cnnf_graph **out, const session *s, const char *path, const char *checkpoint,
                       const keras_flags *flags)
{
    cnnf_load_options *options = NULL;
    cnnf_graph *graph = NULL;
    *out = NULL;
    cnnf_status status = load_options_from_flags(&options, s, flags);
    if (!status) status = cnnf_load_options_set_training_state(options, 0, s->error);
    if (!status) status = load_path(&graph, s, path, options);
    const bool given = checkpoint && *checkpoint;
    const bool found = !status && !given && cnnf_graph_variable_count(graph) && has_values_beside(s, path);
    *out = graph;
    if (!status && (given || found)) {
        status = cnnf_bind_checkpoint(out, graph, given ? checkpoint : path, options, s->error);
        if (status == CNNF_E_IO && found) {
            /* Nobody asked for the values, and not all of them lie here: the graph is worth something without. */
            cli_say(0, "%s: without values: %s", path, cnnf_error_message(s->error));
            *out = graph;
            status = CNNF_OK;
        } else {
            cnnf_graph_unref(graph);
        }
    }
    cnnf_load_options_free(options);
    return status;
}

const char *default_input(const cnnf_graph *graph)
{
    return cnnf_graph_input_name(graph, 0);
}

/* Lines of `text` as strings of their own, one after the other. */
static cnnf_status each_line(char *text, cli_add_fn take, void *user, cnnf_error *error)
{
    cnnf_status status = CNNF_OK;
    for (char *line = text, *end; !status && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        status = take(user, line, error);
    }
    return status;
}

cnnf_status each_guessed_output(const session *s, const cnnf_graph *graph, cli_add_fn take, void *user)
{
    cnnf_buffer *names = NULL;
    cnnf_status status = cnnf_graph_guess_outputs(&names, graph, s->error);
    char *text = status ? NULL : strdup(cnnf_buffer_data(names));
    if (!status) status = text ? each_line(text, take, user, s->error) : CNNF_E_NOMEM;
    free(text);
    cnnf_buffer_free(names);
    return status;
}

static cnnf_status remember(void *user, const char *name, cnnf_error *error)
{
    output_names *names = user;
    const size_t length = strlen(name) + 1;
    (void)error;
    if (names->used + length > sizeof names->room || names->list.count == 64) return CNNF_E_LIMIT;
    memcpy(names->room + names->used, name, length);
    names->list.values[names->list.count++] = names->room + names->used;
    names->used += length;
    return CNNF_OK;
}

cnnf_status find_output_names(output_names *names, const session *s, const cnnf_graph *graph, const char *given)
{
    names->list.count = names->used = 0;
    cnnf_status status = cli_each(given, remember, names, s->error);
    for (int64_t i = 0; !status && !given && i < cnnf_graph_output_count(graph); i++) {
        status = remember(names, cnnf_graph_output_name(graph, i), s->error);
    }
    return status || names->list.count ? status : each_guessed_output(s, graph, remember, names);
}

cnnf_status want_output_names(output_names *names, const session *s, const cnnf_graph *graph, const char *given,
                              const char *path, const char *flag_name)
{
    const cnnf_status status = find_output_names(names, s, graph, given);
    if (status || names->list.count) return status;
    cli_say(0, "%s: no output found; give --%s", path, flag_name);
    return CNNF_E_NOT_FOUND;
}

cnnf_status default_output(const char **out, const session *s, const cnnf_graph *graph, char *room, size_t size)
{
    *out = cnnf_graph_output_count(graph) ? cnnf_graph_output_name(graph, 0) : NULL;
    if (*out) return CNNF_OK;
    cnnf_buffer *names = NULL;
    const cnnf_status status = cnnf_graph_guess_outputs(&names, graph, s->error);
    if (status) return status;
    snprintf(room, size, "%.*s", (int)strcspn(cnnf_buffer_data(names), "\n"), (const char *)cnnf_buffer_data(names));
    cnnf_buffer_free(names);
    if (*room) *out = room;
    return CNNF_OK;
}
