/* SPDX-License-Identifier: Apache-2.0 */
/* cnnf_load_options from inside. */
#ifndef CNNFI_LOADER_LOAD_OPTIONS_H
#define CNNFI_LOADER_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <cnnfreeze/loader.h>

#include "base/budget.h"

/* Strings in the order they were given. */
typedef struct cnnfi_names {
    size_t count, capacity;
    char **names; /* owned */
} cnnfi_names;

#define CNNFI_MAX_RNN_STEPS 65536

typedef struct cnnfi_load_call cnnfi_load_call;

struct cnnf_load_options {
    cnnf_context *context;        /* a reference */
    char *name_suffix;            /* "" */
    int32_t variables;            /* CNNF_VARIABLES_* */
    bool training_state;          /* true */
    bool ask_libhdf5;             /* false */
    char *architecture_file;      /* NULL: none */
    int32_t input_rank;           /* 0: none */
    int64_t input_dims[8];        /* [input_rank] */
    cnnfi_names map_from, map_to; /* pairs */
    cnnfi_names drop_layers;
    cnnfi_names lambda_names, lambdas; /* pairs: a layer's or class' name, its expression */
    int64_t rnn_steps;                 /* 0: recurrent layers of unknown length loop */
    cnnfi_names tags;                  /* none: "serve" */
    int32_t format;                    /* the kind that is wanted; CNNF_FORMAT_UNKNOWN: any */
    char *signature;                   /* NULL: "serving_default", else the only one */
    char *saver_file;                  /* NULL: none */
    cnnf_progress_fn progress;
    void *progress_user;
    cnnfi_load_call *call; /* borrowed, of the call that these options are given to; NULL in the user's own */
};

/* One call of a loader: what it may do, and what its caller was told last. */
struct cnnfi_load_call {
    cnnf_load_options options; /* the caller's, and this call in them; borrowed */
    cnnfi_budget budget;
    uint64_t done, total;
};

/* The options for all that one public call does; a call inside a call shares its budget. options NULL: the defaults. */
const cnnf_load_options *cnnfi_load_begin(cnnfi_load_call *call, const cnnf_context *context,
                                          const cnnf_load_options *options);
/* What pays for the call's work. */
static inline cnnfi_budget *cnnfi_load_budget(const cnnf_load_options *options)
{
    return options && options->call ? &options->call->budget : NULL;
}

/* What NULL options mean; static. */
const cnnf_load_options *cnnfi_load_defaults(void);
/* The restore op that a SaverDef file names, a *new* string of the context's (loader.c). */
cnnf_status cnnfi_saver_restore_op(char **out, cnnf_context *context, const char *path, cnnf_error *error);
/* Reports progress when it is wanted. CNNF_E_CANCELLED. options NULL: nothing. */
cnnf_status cnnfi_load_progress(const cnnf_load_options *options, uint64_t done, uint64_t total, cnnf_error *error);

#endif
