/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An affine travelling along edges until something absorbs it.
 *
 * Backward: "what input k of `user` receives shall become a(it)". The producer absorbs it (a
 * convolution in its weights, a bias in its values, a ReLU as its bounds) or hands it on to its own
 * inputs. Forward: "input k of `user` will receive x where it received a(x)": the user makes up for
 * it in its weights or hands it on to its own users. Each op is one line in a table in
 * absorb_backward.c and absorb_forward.c.
 *
 * Everything is asked twice: first without `commit`, which changes nothing and says whether the whole
 * way is clear, then with it.
 */
#ifndef CNNFI_TRANSFORM_BATCH_NORM_ABSORB_H
#define CNNFI_TRANSFORM_BATCH_NORM_ABSORB_H

#include "transform/batch_norm/affine.h"
#include "edit/constants.h"
#include "edit/values.h"
#include "transform/batch_norm/linear_ops.h"

typedef struct cnnfi_travel {
    cnnfi_edit *edit;
    cnnfi_values *values;
    bool commit;
    bool keep_activations;        /* a ReLU stays a ReLU */
    const char *reason;           /* of the last refusal: a constant, or in the builder's arena */
    const char *reason_node;      /* where */
    cnnfi_weight_change *changes; /* newest first */
    cnnf_node *inserted;          /* the last addition put in */
    int depth;
} cnnfi_travel;

bool cnnfi_absorb_backward(cnnfi_travel *t, cnnf_node *user, size_t input, const cnnfi_affine *a);
/* All users of output 0 of `node`. */
bool cnnfi_absorb_forward(cnnfi_travel *t, cnnf_node *node, const cnnfi_affine *a);

/* ---- shared by both directions (absorb.c) ---- */

/* Records why and returns false. */
bool cnnfi_travel_refuse(cnnfi_travel *t, const cnnf_node *node, const char *reason);
/* A constant operand seen as one value per channel: all axes but one are 1. axis from the end. */
bool cnnfi_channel_values(const cnnfi_constant *c, size_t *n, int32_t *axis);
/* Changes the axis of `a` as the node's op does, from its input to its output (or the other way: `back`). */
typedef bool (*cnnfi_axis_map)(cnnfi_travel *t, const cnnf_node *node, cnnfi_affine *a, bool back);
/* The map of Reshape, Transpose, Squeeze, ExpandDims, Mean; NULL for other ops. */
cnnfi_axis_map cnnfi_axis_map_of(const char *op);
/* Whether a Pad, MirrorPad or pool leaves the channel axis alone. */
bool cnnfi_pads_spare_channels(cnnfi_travel *t, const cnnf_node *node, const cnnfi_affine *a);
bool cnnfi_pool_spares_channels(const cnnf_node *node, const cnnfi_affine *a);
/* The node's dtype when an affine can be stored in it exactly enough: float or double; else 0. */
cnnf_dtype cnnfi_affine_dtype(const cnnf_node *node);
/* `shift` per channel as a tensor to be added to data with `channels` on axis `axis`: [channels, 1, ...]. */
cnnf_tensor *cnnfi_channel_tensor(cnnfi_edit *edit, cnnf_dtype dtype, const cnnfi_affine *like, const double *values,
                                  size_t channels);
/* Puts an addition of a->shift between output 0 of `node` and one of its users (`user` NULL: all of them);
   returns the new node. `channels`: length of the channel axis, 0 for a scalar. */
cnnf_node *cnnfi_insert_shift(cnnfi_travel *t, cnnf_node *node, cnnf_node *user, size_t input, const cnnfi_affine *a,
                              size_t channels);
/* Adds the record of a weight change. */
cnnfi_weight_change *cnnfi_travel_change(cnnfi_travel *t);

#endif
