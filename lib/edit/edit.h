/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A graph being changed: a builder whose nodes know what they read and who uses them, by index. Producers, users and
 * their counts are looked up, and inputs rewired, without reading a name; names of inputs are written once, at the end,
 * for the inputs that changed.
 *
 * While editing, nodes are only appended, so that a node's index never changes, and node->edges are its inputs;
 * node->inputs is not to be read (changed ones are NULL there). At the end new nodes move before their first reader.
 * Failures are the builder's: sticky. Attributes, op names and devices are set with builder.h's functions on edit->b;
 * inputs, names and nodes only through this header.
 */
#ifndef CNNFI_EDIT_EDIT_H
#define CNNFI_EDIT_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/budget.h"
#include "base/str.h"
#include "graph/builder.h"

#define CNNFI_PORT_ANY  (-2) /* every output and control */
#define CNNFI_PORT_DATA (-3) /* every output */

/* One input of one node, in the list of those that use a node: oldest first. */
typedef struct cnnfi_use {
    cnnf_node *user;
    size_t input; /* user->edges[input] is this use */
    int32_t port; /* of the node that is used, or CNNFI_PORT_CONTROL */
    struct cnnfi_use *next, *previous;
} cnnfi_use;

typedef struct cnnfi_edit {
    cnnfi_builder *b;
    cnnfi_budget *budget;             /* pays for every node and edge, set after the beginning; NULL: nobody counts */
    cnnfi_arena arena;                /* scratch of the pass, dies with the edit */
    struct cnnfi_edit_entry *entries; /* parallel to the builder's nodes */
    size_t capacity, count;
    size_t originals;     /* nodes there were at the beginning */
    const int32_t *order; /* [originals] the order they get; NULL: the one they have */
    size_t changes;       /* edits that mattered, counted by the pass */
    cnnfi_use *spare;     /* records of inputs that are gone */
    int32_t *suspects;    /* nodes that lost a user */
    size_t n_suspects, suspect_capacity;
    int32_t *log; /* nodes that changed, in order: analysis tables read on from where they were */
    size_t n_log, log_capacity, log_read; /* log_read: by the table that is farthest on */
} cnnfi_edit;

/* ---- life ---- */

/* Starts from a copy of `in`. protection: one flag per node, kept names and meanings; NULL: none is. */
cnnf_status cnnfi_edit_begin(cnnfi_edit *edit, const cnnf_graph *in, const bool *protection, cnnf_error *error);
/* Ends the edit: nodes in their order, inputs written. The builder is the caller's. */
cnnfi_builder *cnnfi_edit_finish(cnnfi_edit *edit);
/* Ends the edit without a result. */
void cnnfi_edit_free(cnnfi_edit *edit);

/* Room in the scratch arena, zeroed; NULL records the failure in the builder. */
void *cnnfi_edit_array(cnnfi_edit *edit, size_t count, size_t size);

void cnnfi_edit_set_protected(cnnfi_edit *edit, const cnnf_node *node, bool protection);
bool cnnfi_edit_is_protected(const cnnfi_edit *edit, const cnnf_node *node);

/* ---- looking ---- */

/* Output `port` of a node as an input of another; {-1, 0} of no node: changes with it do nothing. */
static inline cnnfi_edge cnnfi_end(const cnnf_node *node, int32_t port)
{
    return (cnnfi_edge){.node = node ? node->index : -1, .port = node ? port : 0};
}

cnnf_node *cnnfi_edit_node(const cnnfi_edit *edit, int32_t index);
cnnf_node *cnnfi_edit_find(const cnnfi_edit *edit, const char *name, size_t length); /* NULL */
/* What an input reads; {-1, 0} when there is no such input. */
cnnfi_edge cnnfi_edit_input(const cnnf_node *node, size_t input);
/* The node behind an input, NULL when there is none or it was removed; *port (nullable) which output. */
cnnf_node *cnnfi_edit_producer(const cnnfi_edit *edit, const cnnf_node *node, size_t input, int32_t *port);
/* The oldest use, `->next` is the next one; NULL. A use that is rewired leaves the list: take its next one before. */
cnnfi_use *cnnfi_edit_uses(const cnnfi_edit *edit, const cnnf_node *node);
cnnfi_use *cnnfi_edit_last_use(const cnnfi_edit *edit, const cnnf_node *node);
/* How many use output `port` (or CNNFI_PORT_CONTROL, _DATA, _ANY); at once but for ports above 0. */
size_t cnnfi_edit_user_count(const cnnfi_edit *edit, const cnnf_node *node, int32_t port);
/* The one use that sees the node's values: neither by control edges nor looking at shape only; NULL. */
const cnnfi_use *cnnfi_edit_only_reader(const cnnfi_edit *edit, const cnnf_node *node);

/* ---- changing ---- */

/* A name no node has, from printf's arguments; NULL after a failure. */
const char *cnnfi_edit_unique(cnnfi_edit *edit, const char *format, ...) __attribute__((format(printf, 2, 3)));
cnnf_node *cnnfi_edit_add(cnnfi_edit *edit, const char *op, const char *name);
/* A deep copy (also of a function's node) under a new name, without its inputs. */
cnnf_node *cnnfi_edit_copy(cnnfi_edit *edit, const cnnf_node *node, const char *name);
/* A Const with a name no node has, from printf's arguments; NULL when `value` is. */
cnnf_node *cnnfi_edit_const(cnnfi_edit *edit, const cnnf_tensor *value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A new node goes right before `other`, after those placed so earlier; other NULL: it stays at the end. Without this
   it goes before its first reader. */
void cnnfi_edit_place_before(cnnfi_edit *edit, cnnf_node *node, const cnnf_node *other);
/* The original nodes in another order: order[i] is the i-th one's index. [originals], read at the end. */
void cnnfi_edit_set_order(cnnfi_edit *edit, const int32_t *order);

void cnnfi_edit_set_input(cnnfi_edit *edit, cnnf_node *node, size_t input, cnnfi_edge end);
void cnnfi_edit_add_input(cnnfi_edit *edit, cnnf_node *node, cnnfi_edge end); /* data: before the control inputs */
void cnnfi_edit_add_control(cnnfi_edit *edit, cnnf_node *node, const cnnf_node *from); /* unless it is there */
void cnnfi_edit_remove_input(cnnfi_edit *edit, cnnf_node *node, size_t input);
void cnnfi_edit_truncate_inputs(cnnfi_edit *edit, cnnf_node *node, size_t count); /* only the first `count` stay */
/* Uses of output `port` of `from` (or CNNFI_PORT_CONTROL) become uses of `to`; those of `but` (nullable) stay. */
void cnnfi_edit_redirect(cnnfi_edit *edit, const cnnf_node *from, int32_t port, cnnfi_edge to, const cnnf_node *but);
/* Nobody waits for the node any more: control edges from it go. */
void cnnfi_edit_stop_waiting(cnnfi_edit *edit, const cnnf_node *node);
/* The node's users, also those that wait for it, go to `to`; then it is removed, or, where it is protected, becomes
   Identity(to). For nodes with one output. */
void cnnfi_edit_bypass(cnnfi_edit *edit, cnnf_node *node, cnnfi_edge to);
void cnnfi_edit_set_op(cnnfi_edit *edit, cnnf_node *node, const char *op);
/* Makes the node another op: inputs and attributes dropped, name and device stay. */
void cnnfi_edit_reset(cnnfi_edit *edit, cnnf_node *node, const char *op);
void cnnfi_edit_rename(cnnfi_edit *edit, cnnf_node *node, const char *name);
void cnnfi_edit_remove(cnnfi_edit *edit, cnnf_node *node);
/* Says that an attribute of the node changed: analysis tables look again. */
void cnnfi_edit_touch(cnnfi_edit *edit, const cnnf_node *node);
/* Removes nodes that lost their last user since the beginning (not Placeholders), and theirs. */
void cnnfi_edit_sweep(cnnfi_edit *edit);

/* Marks what the given nodes need: one flag per node there is now, in the arena. */
bool *cnnfi_edit_reach(cnnfi_edit *edit, const int32_t *roots, size_t n_roots);

/* ---- what ops mean, as far as passes need it ---- */

/* Hands its input 0 on unchanged: Identity, StopGradient, PreventGradient, CheckNumerics, Snapshot. */
bool cnnfi_op_is_identity(const char *op);
/* Looks at shape only: Shape, ShapeN, Rank, Size, ZerosLike, OnesLike. */
bool cnnfi_op_is_shape_only(const char *op);
/* Switch, RefSwitch. */
bool cnnfi_op_is_switch(const char *op);

#endif
