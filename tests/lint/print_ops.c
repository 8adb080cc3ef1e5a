/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/ops.md from the tables of kernels: families, ops, and the dtypes that each op's own check lets pass. */
#include <stdio.h>
#include <string.h>

#include <cnnfreeze/cnnfreeze.h>

#include "evaluator/kernels/kernel.h"
#include "graph/builder.h"
#include "ops/op_table.h"

static const cnnf_dtype dtypes[] = {CNNF_FLOAT,  CNNF_DOUBLE, CNNF_HALF,  CNNF_BFLOAT16,  CNNF_INT8,
                                    CNNF_INT16,  CNNF_INT32,  CNNF_INT64, CNNF_UINT8,     CNNF_UINT16,
                                    CNNF_UINT32, CNNF_UINT64, CNNF_BOOL,  CNNF_COMPLEX64, CNNF_COMPLEX128};
#define N_DTYPES (sizeof(dtypes) / sizeof(dtypes[0]))

static char zeros[4096];
static int32_t ones[64] = {1, 1, 1, 1, 1, 1, 1, 1};

static cnnfi_value make(cnnf_dtype dtype, int32_t rank, int64_t dim)
{
    cnnfi_value v = {.dtype = dtype, .rank = rank, .count = 1, .data = zeros};
    for (int32_t i = 0; i < rank; i++) {
        v.dims[i] = dim;
        v.count *= dim;
    }
    return v;
}

/* Shapes of inputs that the ops between them accept: data of one dtype, then numbers, ones or zeros. */
static bool accepts(cnnf_context *context, const cnnf_node *node, const cnnfi_kernel *kernel, cnnf_dtype dtype)
{
    static cnnfi_value outputs[CNNFI_CALL_OUTPUTS];
    struct cnnf_error *error = cnnf_error_new();
    bool good = false;
    for (int shape = 0; shape < 4 * 17 && !good; shape++) {
        int32_t rank = shape % 4 + 1;
        cnnfi_value x = make(dtype, rank, 2), scalar = make(CNNF_INT32, 0, 0), vector = make(CNNF_INT32, 1, rank);
        cnnfi_value small = make(dtype, 1, 2), point = make(dtype, 0, 0), flag = make(CNNF_BOOL, rank, 2),
                    ids = make(CNNF_INT32, 1, 2);
        cnnfi_value one = scalar, many = vector, pairs = make(CNNF_INT32, 2, 2);
        one.data = many.data = ones;
        const cnnfi_value combinations[17][4] = {
            {x},           {x, x},        {x, scalar},         {x, vector},     {x, x, x},        {x, vector, many},
            {flag, x, x},  {x, ids},      {x, pairs},          {x, one, point}, {scalar, x},      {x, small},
            {x, one, one}, {x, ids, one}, {point, point, one}, {x, ids, x},     {x, point, point}};
        static const int32_t lengths[17] = {1, 2, 2, 2, 3, 3, 3, 2, 2, 3, 2, 2, 3, 3, 3, 3, 3};
        cnnfi_call call = {.context = context,
                           .node = node,
                           .n_inputs = lengths[shape / 4],
                           .inputs = combinations[shape / 4],
                           .outputs = outputs,
                           .max_outputs = CNNFI_CALL_OUTPUTS,
                           .error = error};
        good = cnnfi_kernel_infer(kernel, &call) == CNNF_OK;
    }
    cnnf_error_free(error);
    return good;
}

/* How the type attributes of a node may go together. */
enum { INDICES, ALIKE, REAL_PARTS, N_FITS };

/* A graph of one node whose first type attribute is `dtype`. The others are those of indices, or the same; outputs'
   own ones are left at their default, or the same, or what complex128 is made of. */
static cnnf_graph *one_node(cnnf_context *context, const char *op_name, cnnf_dtype dtype, int fit)
{
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    const cnnfi_op *op = cnnfi_op_find(op_name);
    if (cnnfi_builder_new(&b, context, NULL)) return NULL;
    cnnf_node *node = cnnfi_builder_add(b, op_name, "node");
    const char *first = NULL;
    for (size_t i = 0; op && i < op->n_outputs && fit != INDICES; i++) {
        const char *attr = cnnfi_op_output(op, i)->type_attr;
        if (attr && op->n_inputs && cnnfi_op_input(op, 0)->type_attr)
            cnnfi_node_set_type(b, node, attr, fit == ALIKE ? dtype : CNNF_DOUBLE);
    }
    for (size_t i = 0; op && i < op->n_inputs; i++) {
        const char *attr = cnnfi_op_input(op, i)->type_attr;
        if (!attr || (first && strcmp(attr, first) == 0)) continue;
        cnnfi_node_set_type(b, node, attr, first && fit != ALIKE ? CNNF_INT32 : dtype);
        if (!first) first = attr;
    }
    return cnnfi_builder_publish(&graph, b, NULL) ? NULL : graph;
}

static void print_dtypes(cnnf_context *context, const cnnfi_kernel *kernel)
{
    int printed = 0;
    for (size_t i = 0; kernel->run && i < N_DTYPES; i++) {
        bool good = false;
        for (int fit = 0; fit < N_FITS && !good; fit++) {
            cnnf_graph *graph = one_node(context, kernel->op, dtypes[i], fit);
            good = graph && accepts(context, graph->nodes[0], kernel, dtypes[i]);
            cnnf_graph_unref(graph);
        }
        if (good) printf("%s%s", printed++ ? ", " : "", cnnf_dtype_name(dtypes[i]));
    }
    if (!printed) printf("%s", kernel->run ? "as TensorFlow's" : "any");
}

/* From which ONNX opset an op is exported, and whether as TFLite. */
static void print_exports(const char *op)
{
    const int32_t opset = cnnf_onnx_opset_of(op);
    if (opset)
        printf(" | %d", (int)opset);
    else
        printf(" | -");
    printf(" | %s", cnnf_tflite_has_op(op) ? "yes" : "-");
}

static void print_row(cnnf_context *context, const cnnfi_kernel *kernel)
{
    printf("| %s | ", kernel->op);
    print_dtypes(context, kernel);
    print_exports(kernel->op);
    printf(" | %s |\n", !kernel->run                                     ? "done by the plan itself"
                        : cnnfi_kernel_flags(kernel) & CNNFI_OP_VIEW     ? "costs nothing: shares its input's bytes"
                        : cnnfi_kernel_flags(kernel) & CNNFI_OP_SHAPE    ? "needs shapes only, folded"
                        : cnnfi_kernel_flags(kernel) & CNNFI_OP_STATEFUL ? "always executed"
                        : cnnfi_kernel_flags(kernel) & CNNFI_OP_INPLACE  ? "in place where it can"
                                                                         : "");
}

int main(void)
{
    cnnf_context *context = NULL;
    if (cnnf_context_new(&context, NULL, NULL)) return 1;
    printf("# Ops of the evaluator\n\nGenerated from the tables in `lib/evaluator/kernels` by "
           "`tests/lint/print_ops.c`; a lint test\n"
           "keeps it current. %d ops. The dtypes are those that an op's own check let pass on plain inputs with its\n"
           "attributes at their defaults; \"as TensorFlow's\" where that needs attributes. Everything else about an op "
           "is\n"
           "as in TensorFlow, held against it by `tests/conformance/check_ops.py`; an op outside the table is refused "
           "by name. ONNX: the lowest opset in which `export` says the op (docs/formats/onnx.md says what it needs), "
           "\"-\" "
           "none. TFLite: whether `export` says it there, for what docs/formats/tflite.md says.\n",
           cnnf_op_count());
    const cnnfi_kernel_family *family;
    for (size_t f = 0; (family = cnnfi_kernel_family_at(f)) != NULL; f++) {
        printf("\n## %s\n\n| op | dtypes | ONNX | TFLite | notes |\n|---|---|---|---|---|\n", family->name);
        for (size_t i = 0; i < family->count; i++)
            print_row(context, &family->kernels[i]);
    }
    cnnf_context_unref(context);
    return 0;
}
