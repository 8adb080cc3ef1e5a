/* SPDX-License-Identifier: Apache-2.0 */
/* Loading as the subcommands share it: Keras flags, a model with its checkpoint, lowering, output names. */
#ifndef LOAD_H
#define LOAD_H

#include "cli.h"

typedef struct keras_flags {
    const char *name_suffix, *variables, *architecture;
    flag_list map_layer, drop_layer, lambda, tags;
    const char *signature;
    const flag_list *shapes; /* --input_shape, for a Sequential that says none; NULL */
    int64_t rnn_steps;
    bool ask_libhdf5;
} keras_flags;

#define KERAS_FLAGS(k)                                                                                                 \
    {"name_suffix", FLAG_STRING, &(k).name_suffix, "SUFFIX", "Keras: suffix of every node (_1)"},                      \
        {"variables", FLAG_STRING, &(k).variables, "KIND", "Keras: reference or resource (as the file's Keras)"},      \
        {"architecture", FLAG_STRING, &(k).architecture, "FILE.json", "Keras: architecture of a weights-only file"},   \
        {"rnn_steps", FLAG_INT, &(k).rnn_steps, "N", "Keras: steps of recurrent layers of open length (a loop)"},      \
        {"ask_libhdf5", FLAG_BOOL, &(k).ask_libhdf5, NULL, "Keras: libhdf5 must open the file too"},                   \
        {"map_layer", FLAG_LIST, &(k).map_layer, "Old=New", "Keras: a class as another: MyReLU=ReLU(max_value:cap)"},  \
        {"lambda", FLAG_LIST, &(k).lambda, "NAME=EXPR", "Keras: what a Lambda or custom layer computes: 'x / 255'"},   \
    {                                                                                                                  \
        "drop_layer", FLAG_LIST, &(k).drop_layer, "NAME", "Keras: treat a layer as an identity; repeatable"            \
    }

cnnf_status load_options_from_flags(cnnf_load_options **out, const session *s, const keras_flags *flags);

/* Runs one pass list, protecting `outputs` (nullable: the declared ones). `passes` NULL or "": another reference. */
cnnf_status run_passes(cnnf_graph **out, const session *s, const cnnf_graph *graph, const char *passes,
                       const flag_list *outputs);
/* The same, with the JSON report written to `path` (nullable). */
cnnf_status run_passes_report(cnnf_graph **out, const session *s, const cnnf_graph *graph, const char *passes,
                              const flag_list *outputs, const char *path);
/* The same between `inputs` (a comma list; NULL: the declared ones) and outputs. */
cnnf_status run_between(cnnf_graph **out, const session *s, const cnnf_graph *graph, const char *passes,
                        const char *inputs, const flag_list *outputs);
/* The graph for TensorFlow `version` (NULL = 1.15). */
cnnf_status lower_to_target(cnnf_graph **out, const session *s, const cnnf_graph *graph, const char *version);

bool is_stdin(const char *path); /* "-" or /dev/stdin */
/* A model or graph in any format; "-" is standard input. */
cnnf_status load_path(cnnf_graph **out, const session *s, const char *path, const cnnf_load_options *options);
/* A graph to evaluate: `path` in any format, bound to `checkpoint` (nullable). */
cnnf_status load_model(cnnf_graph **out, const session *s, const char *path, const char *checkpoint,
                       const keras_flags *flags);
/* Names of outputs; they live in `room`. */
typedef struct output_names {
    flag_list list;
    char room[8192];
    size_t used;
} output_names;

/* Those given in a comma list, else the declared ones, else those that can be told from the graph; perhaps none. */
cnnf_status find_output_names(output_names *names, const session *s, const cnnf_graph *graph, const char *given);
/* The same where there must be one: none is CNNF_E_NOT_FOUND, said with the model's `path` and the flag to give. */
cnnf_status want_output_names(output_names *names, const session *s, const cnnf_graph *graph, const char *given,
                              const char *path, const char *flag_name);
/* The first declared input or output, or what can be guessed; NULL when there is none. The string lives in `room`. */
const char *default_input(const cnnf_graph *graph);
cnnf_status default_output(const char **out, const session *s, const cnnf_graph *graph, char *room, size_t size);
/* Each output that the graph does not declare and that can be told from it. */
cnnf_status each_guessed_output(const session *s, const cnnf_graph *graph, cli_add_fn take, void *user);

#endif
