/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A graph being edited by a pass that walks both ways: a builder whose nodes know who uses them.
 * While editing, nodes are only appended, so that a node's index never changes; at the end new nodes move before
 * their first reader. Failures are the builder's: sticky.
 */
#ifndef CNNFI_EDIT_EDIT_H
#define CNNFI_EDIT_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "graph/builder.h"
#include "transform/framework/passes.h"

#define CNNFI_PORT_ANY (-2)

/* Input `input` of `node`. */
typedef struct cnnfi_use {
    cnnf_node *node;
    size_t input;
} cnnfi_use;

typedef struct cnnfi_uses {
    cnnfi_use *items; /* in the edit's arena */
    size_t count;
} cnnfi_uses;

typedef struct cnnfi_edit {
    cnnfi_builder *b;
    cnnfi_arena arena;                /* scratch of the pass, dies with the edit */
    struct cnnfi_edit_entry *entries; /* parallel to the builder's nodes */
    size_t capacity, count;
    int32_t *suspects; /* nodes that lost a user */
    size_t n_suspects, suspect_capacity;
    uint32_t stamp;
    size_t originals; /* nodes there were at the beginning */
    size_t changes;   /* edits that mattered, counted by the pass */
} cnnfi_edit;

/* Starts from a copy of `in`; what the run protects is protected. */
cnnf_status cnnfi_edit_begin(cnnfi_edit *edit, cnnfi_pass_run *run, const cnnf_graph *in);
/* Ends the edit, also on failure: publishes it without what lost its last user, or, when nothing changed, gives `in`
 * again. */
cnnf_status cnnfi_edit_end(cnnfi_edit *edit, cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out);

/* Room in the scratch arena; NULL records the failure in the builder. */
void *cnnfi_edit_array(cnnfi_edit *edit, size_t count, size_t size);

void cnnfi_edit_set_protected(cnnfi_edit *edit, const cnnf_node *node, bool protected);
bool cnnfi_edit_is_protected(const cnnfi_edit *edit, const cnnf_node *node);

cnnf_node *cnnfi_edit_find(const cnnfi_edit *edit, const char *name, size_t length); /* NULL */
/* The node behind an input, NULL when there is none; *port (nullable) which output, -1 for a control edge. */
cnnf_node *cnnfi_edit_producer(const cnnfi_edit *edit, const cnnf_node *node, size_t input, int32_t *port);
/* Who uses output `port` of `node` (CNNFI_PORT_CONTROL: by control edges, CNNFI_PORT_ANY: all of them). */
cnnfi_uses cnnfi_edit_uses(cnnfi_edit *edit, const cnnf_node *node, int32_t port);

cnnf_node *cnnfi_edit_add(cnnfi_edit *edit, const char *op, const char *name);
/* A deep copy (also of a function's node) under a new name, without its inputs. */
cnnf_node *cnnfi_edit_copy(cnnfi_edit *edit, const cnnf_node *node, const char *name);
void cnnfi_edit_add_input(cnnfi_edit *edit, cnnf_node *node, const char *input);
void cnnfi_edit_set_input(cnnfi_edit *edit, cnnf_node *node, size_t index, const char *input);
void cnnfi_edit_remove_input(cnnfi_edit *edit, cnnf_node *node, size_t index);
/* Users of output `port` of `from` use `input` ("a", "a:1") instead; `but` (nullable) keeps its own. */
void cnnfi_edit_redirect(cnnfi_edit *edit, const cnnf_node *from, int32_t port, const char *input,
                         const cnnf_node *but);
/* The node's own users by data and control edges go to `input`; then it is removed, or, where it is protected,
   becomes Identity(input). For nodes with one output. */
void cnnfi_edit_bypass(cnnfi_edit *edit, cnnf_node *node, const char *input);
/* Makes the node another op: inputs and attributes dropped, name and device stay. */
void cnnfi_edit_reset(cnnfi_edit *edit, cnnf_node *node, const char *op);
void cnnfi_edit_remove(cnnfi_edit *edit, cnnf_node *node);
/* Removes nodes that lost their last user (not Placeholders), and theirs; ending the edit does it too. */
void cnnfi_edit_sweep(cnnfi_edit *edit);
/* A Const (new, unique name from `base`); returns its name. */
const char *cnnfi_edit_const(cnnfi_edit *edit, const char *base, const cnnf_tensor *value);
/* `name` of the node, or `name:port`. */
const char *cnnfi_edit_ref(cnnfi_edit *edit, const cnnf_node *node, int32_t port);

/* Marks what the outputs need (all nodes when no output is known): one flag per node there is now, in the arena. */
bool *cnnfi_edit_needed(cnnfi_edit *edit, const cnnfi_pass_run *run);

/* ---- what ops mean, as far as passes need it ---- */

/* Hands its input 0 on unchanged: Identity, StopGradient, PreventGradient, CheckNumerics, Snapshot. */
bool cnnfi_op_is_identity(const char *op);
/* Looks at shape only: Shape, ShapeN, Rank, Size, ZerosLike, OnesLike. */
bool cnnfi_op_is_shape_only(const char *op);

#endif
