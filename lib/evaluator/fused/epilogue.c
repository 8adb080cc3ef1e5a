/* SPDX-License-Identifier: Apache-2.0 */
/* _FusedConv2D, _FusedMatMul: a product and what TensorFlow's own optimiser has put behind it, in frozen graphs of
 * others. */
#include <math.h>

#include "evaluator/kernels/nn.h"
#include "evaluator/kernels/portable.h"

typedef struct fused {
    cnnf_node node; /* of the product alone */
    const cnnfi_kernel *product;
    const cnnfi_attr_list *steps;
    bool channels_first;
} fused;

typedef struct step_row {
    const char *name;
    int32_t n_args;
    double (*apply)(double x, double alpha); /* NULL: by its arguments */
} step_row;

static double relu(double x, double alpha)
{
    (void)alpha;
    return x < 0 ? 0 : x;
}

static double relu6(double x, double alpha)
{
    (void)alpha;
    return x < 0 ? 0 : x > 6 ? 6 : x;
}

static double elu(double x, double alpha)
{
    (void)alpha;
    return x < 0 ? expm1(x) : x;
}

static double leaky(double x, double alpha)
{
    return x < 0 ? x * alpha : x;
}

static const step_row rows[] = {
    {"BiasAdd", 1, NULL}, {"FusedBatchNorm", 4, NULL}, {"Relu", 0, relu}, {"Relu6", 0, relu6},
    {"Elu", 0, elu},      {"LeakyRelu", 0, leaky},
};

static const step_row *find_step(const cnnfi_bytes *name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (name->size == strlen(rows[i].name) && memcmp(name->data, rows[i].name, name->size) == 0) return &rows[i];
    return NULL;
}

/* The channels of the product, along its last axis or its second. */
static int64_t channels_of(const fused *f, const cnnfi_value *out)
{
    return out->dims[f->channels_first ? 1 : out->rank - 1];
}

static cnnf_status check_steps(cnnfi_call *call, const fused *f)
{
    int32_t at = 2;
    int64_t n = channels_of(f, &call->outputs[0]);
    for (size_t i = 0; f->steps && i < f->steps->count; i++) {
        const step_row *row = find_step(&f->steps->u.strings[i]);
        if (!row) return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "fused_ops[%d] is not known", (int)i);
        for (int32_t k = 0; k < row->n_args; k++, at++) {
            if (at >= call->n_inputs)
                return cnnfi_call_fail(call, CNNF_E_CORRUPT, "has too few inputs for its fused_ops");
            CNNFI_TRY(cnnfi_want_same_dtype(call, 0, at));
            if (call->inputs[at].rank != 1 || call->inputs[at].dims[0] != n)
                return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d must have %lld elements", (int)at,
                                       (long long)n);
        }
    }
    return at == call->n_inputs ? CNNF_OK
                                : cnnfi_call_fail(call, CNNF_E_CORRUPT, "has more inputs than its fused_ops take");
}

static cnnf_status read_fused(cnnfi_call *call, fused *f)
{
    const char *op = strcmp(call->node->op, "_FusedMatMul") == 0 ? "MatMul" : "Conv2D";
    const cnnfi_attr *steps = cnnfi_node_attr(call->node, "fused_ops");
    const char *filter = cnnf_node_attr_string(NULL, call->node, "filter_format");
    *f = (fused){.node = *call->node, .product = cnnfi_kernel_find(op)};
    f->node.op = op;
    if (steps && steps->kind == CNNF_ATTR_LIST && steps->u.list.item_kind == CNNF_ATTR_STRING)
        f->steps = &steps->u.list;
    if (call->n_inputs < 2) return cnnfi_call_fail(call, CNNF_E_CORRUPT, "has %d inputs", (int)call->n_inputs);
    if (filter && strcmp(filter, "HWIO") != 0)
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "filter_format %s", filter);
    cnnf_dtype dtype = call->inputs[0].dtype;
    if (dtype != CNNF_FLOAT && dtype != CNNF_DOUBLE) return cnnfi_fail_dtype(call, 0);
    return op[0] == 'M' ? CNNF_OK : cnnfi_data_format(call, 2, &f->channels_first);
}

static cnnf_status fused_infer(cnnfi_call *call)
{
    fused f;
    CNNFI_TRY(read_fused(call, &f));
    cnnfi_call product = *call;
    product.node = &f.node;
    product.n_inputs = 2;
    cnnf_status status = f.product->infer(&product);
    if (status != CNNF_OK) return status;
    call->n_outputs = product.n_outputs;
    call->scratch_size = product.scratch_size;
    return check_steps(call, &f);
}

static double element(const cnnfi_value *value, int64_t i)
{
    return value->dtype == CNNF_FLOAT ? (double)((const float *)value->data)[i] : ((const double *)value->data)[i];
}

static double apply(const cnnfi_call *call, const step_row *row, int32_t at, int64_t channel, double x)
{
    const cnnfi_value *args = call->inputs + at;
    if (row->apply) return row->apply(x, cnnf_node_attr_float(call->node, "leakyrelu_alpha", (double)0.2f));
    if (row->n_args == 1) return x + element(args, channel);
    double epsilon = cnnf_node_attr_float(call->node, "epsilon", (double)1e-4f);
    double scale = element(args, channel) / sqrt(element(args + 3, channel) + epsilon);
    return (x - element(args + 2, channel)) * scale + element(args + 1, channel);
}

static void run_step(cnnfi_call *call, const fused *f, const step_row *row, int32_t at)
{
    cnnfi_value *out = &call->outputs[0];
    int64_t n = channels_of(f, out), inner = f->channels_first ? cnnfi_span(out->dims, 2, out->rank) : 1;
    for (int64_t i = 0; i < out->count; i++) {
        double y = apply(call, row, at, i / inner % n, element(out, i));
        if (out->dtype == CNNF_FLOAT)
            ((float *)out->data)[i] = (float)y;
        else
            ((double *)out->data)[i] = y;
    }
}

static cnnf_status fused_run(cnnfi_call *call)
{
    fused f;
    int32_t at = 2;
    CNNFI_TRY(read_fused(call, &f));
    cnnfi_call product = *call;
    product.node = &f.node;
    product.n_inputs = 2;
    CNNFI_TRY(f.product->run(&product));
    for (size_t i = 0; f.steps && i < f.steps->count; i++) {
        const step_row *row = find_step(&f.steps->u.strings[i]); /* infer has found it */
        run_step(call, &f, row, at);
        at += row->n_args;
    }
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"_FusedConv2D", fused_infer, fused_run, 0},
    {"_FusedMatMul", fused_infer, fused_run, 0},
};

const cnnfi_kernel_family cnnfi_kernels_epilogue = {"fused", kernels, sizeof(kernels) / sizeof(kernels[0])};
