/* SPDX-License-Identifier: Apache-2.0 */
/* A model made ready to infer, as the subcommands share it: learning phase, shapes of inputs, what is run. */
#ifndef INFERENCE_H
#define INFERENCE_H

#include "cli.h"
#include "load.h"

typedef struct inference_flags {
    flag_list phases, shapes;
    int64_t batch; /* 0: as it is */
} inference_flags;

#define PHASE_FLAG(f)                                                                                                  \
    {                                                                                                                  \
        "phase", FLAG_LIST, &(f).phases, "NAME[=true]",                                                                \
            "what says whether the graph trains, where its name does not: false, or true; repeatable"                  \
    }
#define INPUT_SHAPE_FLAG(f)                                                                                            \
    {                                                                                                                  \
        "input_shape", FLAG_LIST, &(f).shapes, "[NAME:]1,28,28,1",                                                     \
            "shape of an input, with or without the batch; repeatable"                                                 \
    }
#define BATCH_FLAG(f)                                                                                                  \
    {                                                                                                                  \
        "batch", FLAG_INT, &(f).batch, "N", "batch size of the inputs"                                                 \
    }

#define MAX_INPUT_RANK 8

/* "[NAME:]1,28,28,1" */
typedef struct input_shape {
    char name[512]; /* "": any input it fits */
    int64_t dims[MAX_INPUT_RANK];
    int32_t rank;
} input_shape;

/* false: it is none, said. */
bool parse_input_shape(const char *text, input_shape *out);
/* Takes `*graph`, gives it with --input_shape and --batch. An input that is not there is CNNF_E_NOT_FOUND, said. */
cnnf_status set_input_shapes(cnnf_graph **graph, const session *s, const inference_flags *flags);
/* Functions in place where `flat`, the learning phase as the flags say, no dropout: what the graph means when it
   infers. */
cnnf_status infer_only(cnnf_graph **out, const session *s, const cnnf_graph *graph, const inference_flags *flags,
                       bool flat, const flag_list *outputs);
/* Variables as constants, for these outputs. */
cnnf_status freeze_variables(cnnf_graph **out, const session *s, const cnnf_graph *graph, const flag_list *outputs);
/*
 * Takes `*graph`, gives what evaluates `outputs`: its inference meaning, unless a scalar bool among `feeds` (nullable;
 * "NAME" or "NAME=FILE") says that the caller decides. A graph that cannot be made so stays as it is.
 */
cnnf_status ready_to_run(cnnf_graph **graph, const session *s, const inference_flags *flags, const flag_list *outputs,
                         const flag_list *feeds);

#endif
