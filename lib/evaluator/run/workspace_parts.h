/* SPDX-License-Identifier: Apache-2.0 */
/* A workspace from inside, and plans run with values instead of tensors: what run.c and run_control.c share. */
#ifndef CNNFI_EVALUATOR_RUN_WORKSPACE_PARTS_H
#define CNNFI_EVALUATOR_RUN_WORKSPACE_PARTS_H

#include "evaluator/object.h"
#include "evaluator/run/workspace.h"

/* Outputs of an op that deals in objects. */
#define CNNFI_OBJECT_OUTPUTS 4

struct cnnfi_workspace {
    cnnfi_plan *plan; /* a reference */
    cnnf_context *context;
    uint8_t *block, *arena; /* arena: block, aligned to 64 */
    cnnfi_value *values;    /* by slot */
    cnnfi_object *
        *keepers;          /* by slot: a reference to what keeps its bytes; NULL: arena, constant, or the caller does */
    uint8_t *dead;         /* by slot */
    uint8_t *node_dead;    /* by liveness flag */
    cnnfi_value *inputs;   /* of the step under way */
    cnnfi_object **owners; /* of its inputs */
    bool *last;            /* of its inputs: nobody else reads them */
    cnnfi_workspace ***inner; /* by step: its plans' workspaces, made when first needed; NULL: no step has any */
};

/* A value on its way from plan to plan. */
typedef struct cnnfi_held {
    cnnfi_value value;
    cnnfi_object *keeper; /* a reference; NULL: the bytes outlive whoever gets the value */
} cnnfi_held;

/* Runs the plan. feeds: one for each of the plan's, their keepers are taken in any case. outputs: one for each fetch,
   with references of the caller's, nothing on failure. */
cnnf_status cnnfi_workspace_run(cnnfi_workspace *w, cnnfi_held *feeds, cnnfi_held *outputs,
                                const cnnfi_run_request *request, cnnf_error *error);
void cnnfi_held_release(cnnfi_held *held, int32_t count);
/* A slot's value for another plan: with the slot's own reference, where this step is the only one to read it. */
cnnfi_held cnnfi_workspace_hand_out(cnnfi_workspace *w, int32_t slot);

#endif
