/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an analysis knows of each node, worked out from what it knows of the node's inputs and kept until an edit
 * reaches it. No question recurses: inputs come first, on a stack of the table's; in a cycle nothing is known of the
 * node asked first.
 *
 * An edit is followed along the users as long as it changes what is known of them. Where that goes on for long, the
 * rest is forgotten instead and worked out when it is asked for.
 */
#ifndef CNNFI_EDIT_MEMO_H
#define CNNFI_EDIT_MEMO_H

#include "edit/edit.h"

/* An analysis: its answers live in the edit's arena. */
typedef struct cnnfi_analysis {
    /* Whether the answer for the node looks at that of this input. */
    bool (*needs)(void *self, const cnnf_node *node, size_t input);
    /* NULL: nothing is known (or the builder has failed). */
    const void *(*compute)(void *self, const cnnf_node *node);
    bool (*same)(const void *a, const void *b);
} cnnfi_analysis;

typedef struct cnnfi_memo {
    cnnfi_edit *edit;
    const cnnfi_analysis *analysis;
    void *self;         /* handed to the analysis */
    const void **known; /* [size] by node; NULL: not asked */
    bool *queued;       /* [size] */
    int32_t *queue;     /* [size] */
    struct cnnfi_memo_visit {
        int32_t node;
        size_t input;
    } * stack;                   /* [size] */
    size_t size, read;           /* read: how much of the edit's log */
    struct cnnfi_memo *listener; /* its answers look at these, too: it forgets what changes here; NULL */
} cnnfi_memo;

void cnnfi_memo_init(cnnfi_memo *memo, cnnfi_edit *edit, const cnnfi_analysis *analysis, void *self);
/* Reads the edit's log. A memo that listens is asked after the one it listens to has done so. */
void cnnfi_memo_sync(cnnfi_memo *memo);
/* The answer for the node; NULL: nothing is known. */
const void *cnnfi_memo_get(cnnfi_memo *memo, const cnnf_node *node);
/* The answer there is, for compute(): an input that needs() wants, or one from before. NULL: none. */
const void *cnnfi_memo_peek(const cnnfi_memo *memo, const cnnf_node *node);

#endif
