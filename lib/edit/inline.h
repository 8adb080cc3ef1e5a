/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Function bodies put in place of their calls, the one way for all passes: body nodes are called `<call>/<node>`, data
 * input `first_input + i` of the call is argument i, users of output i use what the function returns there. Recursion
 * is refused by name, calls inside calls and nodes stay within the context's limits.
 */
#ifndef CNNFI_EDIT_INLINE_H
#define CNNFI_EDIT_INLINE_H

#include "edit/edit.h"

/* A node that calls a function. */
typedef struct cnnfi_call_site {
    cnnf_node *node;
    const cnnfi_function *function;
    const cnnfi_func_ref *reference; /* with the function's attributes; NULL: the node has them */
    size_t first_input;
} cnnfi_call_site;

typedef struct cnnfi_inliner {
    cnnfi_edit *edit;
    /* What stays of a call. true: its name, as Identity, IdentityN or NoOp, for who waits for it, and the body stands
       where it stood, as TensorFlow's inlining has it. false: only what is read; who waited for the call waits for its
       first result. A protected call keeps its name in any case. */
    bool keeps_calls;
    struct cnnfi_body *bodies; /* one per function, made when it is first needed; NULL before the first */
    struct cnnfi_inline_frame *frames;
    size_t n_frames, frame_capacity;
    int32_t *frame_of; /* [n_framed] by node: the frame it was put in by, -1 none */
    size_t n_framed, framed_capacity;
    int32_t *kept; /* calls that stayed for who waits for them */
    size_t n_kept, kept_capacity;
} cnnfi_inliner;

void cnnfi_inliner_init(cnnfi_inliner *inliner, cnnfi_edit *edit, bool keeps_calls);
void cnnfi_inliner_free(cnnfi_inliner *inliner);

/* A PartitionedCall, a StatefulPartitionedCall or a node whose op is a function, when a body can stand for it; else
   false. */
bool cnnfi_find_call(cnnfi_call_site *site, const cnnfi_edit *edit, cnnf_node *node);
/* The function a reference names, to be called with the node's inputs from `first_input` on; false: it is not there. */
bool cnnfi_find_branch(cnnfi_call_site *site, const cnnfi_edit *edit, cnnf_node *node, const cnnfi_func_ref *reference,
                       size_t first_input);
/* Whether the node came from a body. */
bool cnnfi_inliner_made(const cnnfi_inliner *inliner, const cnnf_node *node);
/* Failures are the builder's: CNNF_E_UNSUPPORTED, _CORRUPT, _LIMIT with the node or function. */
void cnnfi_inline(cnnfi_inliner *inliner, const cnnfi_call_site *site);
/* Takes out the calls that stayed and that nobody waits for. */
void cnnfi_inliner_finish(cnnfi_inliner *inliner);

#endif
