/* SPDX-License-Identifier: Apache-2.0 */
/* Where results go, as the subcommands share it: "-", no input overwritten by accident, what was written read back. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "cli.h"

/* Debug builds and the project's CI read back what they wrote (meson -Dcheck_output). */
#ifndef CLI_CHECK_OUTPUT
#define CLI_CHECK_OUTPUT false
#endif

typedef struct output_flags {
    bool in_place, check, text, fsync;
} output_flags;

#define OUTPUT_DEFAULTS                                                                                                \
    {                                                                                                                  \
        .check = CLI_CHECK_OUTPUT                                                                                      \
    }
#define IN_PLACE_FLAG(o)                                                                                               \
    {                                                                                                                  \
        "in_place", FLAG_BOOL, &(o).in_place, NULL, "an output may be the input itself"                                \
    }
#define OUTPUT_FLAGS(o)                                                                                                \
    IN_PLACE_FLAG(o), {"check_output", FLAG_BOOL, &(o).check, NULL, "read back what was written, and compare"},        \
    {                                                                                                                  \
        "fsync", FLAG_BOOL, &(o).fsync, NULL, "survive a power loss"                                                   \
    }

/* What a run will write and what it reads; NULL paths are skipped. */
typedef struct output_claim {
    const char **outputs[80];
    const char *inputs[160];
    size_t n_outputs, n_inputs;
} output_claim;

void claim_output(output_claim *claim, const char **path);
void claim_input(output_claim *claim, const char *path); /* a file, SavedModel folder or checkpoint prefix */
/*
 * Before anything is opened. An output "-" or /dev/stdout becomes a descriptor of its own, and from then on stdout
 * prints to stderr. 0, or the exit code of a usage error that was said: an output is an input (unless `in_place`),
 * two outputs are one file, or more than one is standard output.
 */
int claim_check(const output_claim *claim, bool in_place);

/* Writes a graph; reads it back when asked to. */
cnnf_status output_graph(const session *s, const cnnf_graph *graph, const char *path, const output_flags *flags);
cnnf_status output_checkpoint(const session *s, const cnnf_graph *graph, const char *prefix, const output_flags *flags);
/* A report. `path` NULL: nothing. */
cnnf_status output_buffer(const session *s, const cnnf_buffer *buffer, const char *path);

#endif
