/* SPDX-License-Identifier: Apache-2.0 */
/* Loaders of TensorFlow's graph files, binary or text: each reads one kind of message from a source. */
#ifndef CNNFI_LOADER_GRAPHDEF_GRAPH_FILE_H
#define CNNFI_LOADER_GRAPHDEF_GRAPH_FILE_H

#include <stdbool.h>

#include "base/source.h"
#include "loader/load_options.h"

typedef struct cnnfi_graph_file {
    cnnfi_source *source;
    bool text;
    const cnnf_load_options *options; /* never NULL */
} cnnfi_graph_file;

cnnf_status cnnfi_load_graphdef(cnnf_graph **out, const cnnfi_graph_file *file, cnnf_error *error);
cnnf_status cnnfi_load_meta_graph(cnnf_graph **out, const cnnfi_graph_file *file, cnnf_error *error);
/* The MetaGraph that has the wanted tags; its variables are not bound. */
cnnf_status cnnfi_load_saved_model(cnnf_graph **out, const cnnfi_graph_file *file, cnnf_error *error);
/* The name of a SaverDef's restore op, a *new* string of the context's. */
cnnf_status cnnfi_load_saver_def(char **restore_op, const cnnfi_graph_file *file, cnnf_error *error);

#endif
