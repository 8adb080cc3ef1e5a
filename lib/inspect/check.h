/* SPDX-License-Identifier: Apache-2.0 */
/* What the next tool demands of a frozen graph, one row per demand. */
#ifndef CNNFI_INSPECT_CHECK_H
#define CNNFI_INSPECT_CHECK_H

#include <cnnfreeze/inspect.h>

#include "base/error.h"
#include "base/str.h"
#include "graph/graph.h"

#define CNNFI_FOR_VITIS    1u
#define CNNFI_FOR_OPENCV   2u
#define CNNFI_FOR_TFLITE   4u
#define CNNFI_FOR_OPENVINO 8u
#define CNNFI_FOR_ALL      15u

typedef struct cnnfi_target {
    const char *name;
    uint32_t bit;
    int32_t release;                                             /* the newest ops and attributes it reads */
    const char *passes;                                          /* what makes a frozen graph fit */
    void (*command)(cnnfi_strbuf *out, const cnnf_graph *graph); /* the ready command line */
} cnnfi_target;

#define CNNFI_SHOWN 8 /* nodes named per demand */

/* What a demand found: every node that does not meet it is counted, the first ones are named. */
typedef struct cnnfi_finding {
    const cnnfi_target *target;
    const cnnf_graph *graph;
    cnnfi_strbuf text;
    int64_t count;
} cnnfi_finding;

typedef struct cnnfi_demand {
    const char *name; /* "inputs" */
    const char *text; /* "every input is a Placeholder of rank 4 ..." */
    uint32_t targets;
    bool must; /* else advice */
    void (*check)(cnnfi_finding *finding);
} cnnfi_demand;

extern const cnnfi_demand cnnfi_demands[];
extern const size_t cnnfi_n_demands;

#endif
