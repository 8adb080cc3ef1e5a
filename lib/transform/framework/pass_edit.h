/* SPDX-License-Identifier: Apache-2.0 */
/* How a pass takes up lib/edit/ and hands over what it made. */
#ifndef CNNFI_TRANSFORM_FRAMEWORK_PASS_EDIT_H
#define CNNFI_TRANSFORM_FRAMEWORK_PASS_EDIT_H

#include "edit/edit.h"
#include "transform/framework/passes.h"

/* Starts from a copy of `in`; what the run protects is protected. */
cnnf_status cnnfi_pass_begin_edit(cnnfi_edit *edit, const cnnfi_pass_run *run, const cnnf_graph *in);
/* Ends the edit, also on failure: publishes it, or, when edit->changes is 0, gives `in` again. */
cnnf_status cnnfi_pass_end_edit(cnnfi_edit *edit, cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out);
/* Marks what the run's outputs need (all nodes when none of them is there): one flag per node, in the edit's arena. */
bool *cnnfi_pass_needed(cnnfi_edit *edit, const cnnfi_pass_run *run);

/* Marks the nodes of a list of names that are there: one flag per node, in the edit's arena. */
bool *cnnfi_pass_marked(cnnfi_edit *edit, const cnnfi_name_list *list);
/* A whole pass: `change` sees every node, then every node of a function (those have no edges), and says how many
   changes it made; they are counted as `counted`. */
typedef int64_t (*cnnfi_node_change)(cnnfi_pass_run *run, cnnfi_edit *edit, cnnf_node *node);
cnnf_status cnnfi_pass_change_nodes(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out, const char *counted,
                                    cnnfi_node_change change);

#endif
