/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which tensor of a checkpoint a variable is restored from, read off the graph's own restore nodes:
 * RestoreV2 -> Identity -> Assign, in the main graph (a TF1 Saver) or in a restore function (TF2).
 */
#ifndef CNNFI_LOADER_CHECKPOINT_RESTORE_MAP_H
#define CNNFI_LOADER_CHECKPOINT_RESTORE_MAP_H

#include "graph/graph.h"

typedef struct cnnfi_restore_item {
    const char *key;   /* name in the checkpoint; NULL: no restore node */
    const char *slice; /* shape_and_slices: "" for the whole, "10 4 0,5:0,4" for a part */
} cnnfi_restore_item;

typedef struct cnnfi_restore_map {
    cnnfi_arena arena;
    cnnfi_restore_item *items; /* one per node of the graph */
} cnnfi_restore_map;

/* `restore_op`: a Saver's, whose assignments alone count (CNNF_E_NOT_FOUND when it is not in the graph); NULL: the
   MetaGraph's where there is one, else all. */
cnnf_status cnnfi_restore_map_init(cnnfi_restore_map *out, const cnnf_graph *graph, const char *restore_op,
                                   cnnf_error *error);
void cnnfi_restore_map_free(cnnfi_restore_map *map);

#endif
