/* SPDX-License-Identifier: Apache-2.0 */
/* What the next tool demands of a frozen graph, one row per demand. */
#ifndef CNNFI_INSPECT_CHECK_H
#define CNNFI_INSPECT_CHECK_H

#include <cnnfreeze/inspect.h>

#include "base/error.h"
#include "base/str.h"
#include "graph/graph.h"
#include "graph/order.h"
#include "ops/graph_shapes.h"

#define CNNFI_FOR_VITIS    1u
#define CNNFI_FOR_OPENCV   2u
#define CNNFI_FOR_TFLITE   4u
#define CNNFI_FOR_OPENVINO 8u
#define CNNFI_FOR_ALL      15u

/* What becomes of a node. */
typedef enum cnnfi_verdict {
    CNNFI_TAKEN,
    CNNFI_SLOW,   /* taken, but left on the CPU, or computed in a way that costs */
    CNNFI_REFUSED /* not taken, or computed wrong */
} cnnfi_verdict;

typedef struct cnnfi_finding cnnfi_finding;

/* One op of a tool's table. The rule gives the reason when the verdict stands, NULL when the node is taken; without a
   rule every node of the op has the verdict, for that reason. */
typedef struct cnnfi_op_row {
    const char *op;
    cnnfi_verdict verdict;
    const char *why;
    const char *(*rule)(const cnnfi_finding *f, const cnnf_node *node);
} cnnfi_op_row;

typedef struct cnnfi_target {
    const char *name;
    const char *version; /* what the table was proven with */
    uint32_t bit;
    uint32_t releases; /* bits of the tool's releases that all have to take it, where its rules tell them apart */
    int32_t release;   /* the newest ops and attributes it reads; 0: it does not look */
    bool folds;        /* what does not depend on an input is computed before */
    const cnnfi_op_row *rows; /* sorted by op; twice for two questions */
    size_t n_rows;
    bool (*skips)(const cnnfi_finding *f, const cnnf_node *node); /* nullable: nodes that are not asked */
    const char *otherwise; /* why an op that is not in the table is refused; NULL: it is taken */
    const char *passes;    /* what makes a frozen graph fit */
    void (*command)(cnnfi_strbuf *out, const cnnf_graph *graph, const char *file); /* the ready command line */
} cnnfi_target;

extern const cnnfi_target cnnfi_target_vitis_ai, cnnfi_target_opencv, cnnfi_target_opencv4, cnnfi_target_opencv5,
    cnnfi_target_tflite, cnnfi_target_openvino;

#define CNNFI_SHOWN 8 /* nodes named per demand */

/* What a demand found: every node that does not meet it is counted, the first ones are named. */
struct cnnfi_finding {
    const cnnfi_target *target;
    const cnnf_graph *graph;
    const cnnfi_graph_shapes *shapes; /* of the graph */
    const cnnfi_consumers *consumers;
    const bool *constant; /* [n_nodes] does not depend on an input */
    const bool *output;   /* [n_nodes] is a declared output */
    const bool *layout;   /* [n_nodes] an op with a data_format reads what it gives, at whatever distance */
    cnnfi_strbuf text;
    int64_t count;
};

typedef struct cnnfi_demand {
    const char *name; /* "inputs" */
    const char *text; /* "every input is a Placeholder of rank 4 ..." */
    uint32_t targets;
    bool must; /* else advice */
    void (*check)(cnnfi_finding *finding);
} cnnfi_demand;

/* ---- for command lines: "a,b", "?,28,28,1:?,10" with the unknown as the tool writes it ---- */

/* One word of a shell's: names come from the graph, which may be a stranger's, and the line is there to be pasted. */
void cnnfi_put_word(cnnfi_strbuf *out, const char *text);
void cnnfi_put_inputs(cnnfi_strbuf *out, const cnnf_graph *graph);
void cnnfi_put_outputs(cnnfi_strbuf *out, const cnnf_graph *graph);
void cnnfi_put_shapes(cnnfi_strbuf *out, const cnnf_graph *graph, const char *unknown, const char *separator);

/* ---- what tables ask (check_nodes.c) ---- */

/* The node behind a data input; NULL: there is none. */
const cnnf_node *cnnfi_check_producer(const cnnfi_finding *f, const cnnf_node *node, size_t input);
/* The same, through Identity. */
const cnnf_node *cnnfi_check_source(const cnnfi_finding *f, const cnnf_node *node, size_t input);
cnnfi_value cnnfi_check_shape(const cnnfi_finding *f, const cnnf_node *node, size_t input); /* of an input */
cnnfi_value cnnfi_check_output(const cnnfi_finding *f, const cnnf_node *node);
/* Whether an input is a Const (through Identity), or, where the tool folds, constant at all. */
bool cnnfi_check_is_const(const cnnfi_finding *f, const cnnf_node *node, size_t input);
/* The value of a Const, NULL. */
const cnnf_tensor *cnnfi_check_tensor(const cnnfi_finding *f, const cnnf_node *node, size_t input);
/* Its integers when there are at most `capacity`; the count, -1 when it is not constant. */
int64_t cnnfi_check_ints(const cnnfi_finding *f, const cnnf_node *node, size_t input, int64_t *out, int64_t capacity);
/* How many inputs of other nodes read the node; those whose op is `op` (NULL: any). */
size_t cnnfi_check_readers(const cnnfi_finding *f, const cnnf_node *node, const char *op);
/* The first of them, NULL. */
const cnnf_node *cnnfi_check_reader(const cnnfi_finding *f, const cnnf_node *node, const char *op);

extern const cnnfi_demand cnnfi_demands[];
extern const size_t cnnfi_n_demands;

#endif
