/* SPDX-License-Identifier: Apache-2.0 */
/* _FusedConv2D, _FusedMatMul: a product and what TensorFlow's own optimiser has put behind it, in frozen graphs of
   others. */
#include <math.h>

#include "evaluator/kernels/nn.h"
#include "evaluator/kernels/portable.h"
#include "ops/fused_steps.h"

typedef struct fused {
    cnnf_node node; /* of the product alone */
    const cnnfi_kernel *product;
    const cnnfi_attr_list *steps; /* NULL: none */
    bool channels_first;
} fused;

typedef struct step_row {
    const char *op;
    double (*apply)(double x, double alpha); /* NULL: by its inputs */
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

static const step_row rows[] = {{"BiasAdd", NULL}, {"FusedBatchNorm", NULL}, {"Relu", relu}, {"Relu6", relu6},
                                {"Elu", elu},      {"LeakyRelu", leaky}};

static const step_row *find_step(const cnnfi_bytes *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (cnnfi_fused_step_is(name, rows[i].op)) return &rows[i];
    }
    return NULL;
}

/* The channels of the product, along its last axis or its second. */
static int64_t channels_of(const fused *f, const cnnfi_value *out)
{
    return out->dims[f->channels_first ? 1 : out->rank - 1];
}

static cnnf_status read_fused(cnnfi_call *call, fused *f)
{
    const char *op = strcmp(call->node->op, "_FusedMatMul") == 0 ? "MatMul" : "Conv2D";
    *f = (fused){.node = *call->node, .product = cnnfi_kernel_find(op), .steps = cnnfi_fused_steps(call->node)};
    f->node.op = op;
    return op[0] == 'M' ? CNNF_OK : cnnfi_data_format(call, 2, &f->channels_first);
}

/* The product's, which for float and double is none. */
static cnnf_status fused_scratch(cnnfi_call *call)
{
    fused f;
    const cnnf_dtype dtype = call->outputs[0].dtype;
    CNNFI_TRY(read_fused(call, &f));
    if (dtype != CNNF_FLOAT && dtype != CNNF_DOUBLE) return cnnfi_fail_dtype(call, 0);
    for (size_t i = 0; f.steps && i < f.steps->count; i++) {
        if (find_step(&f.steps->u.strings[i])) continue;
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "fused_ops[%d] is not known", (int)i);
    }
    return CNNF_OK;
}

static double element(const cnnfi_value *value, int64_t i)
{
    return value->dtype == CNNF_FLOAT ? (double)((const float *)value->data)[i] : ((const double *)value->data)[i];
}

static double apply(const cnnfi_call *call, const step_row *row, int32_t at, int64_t channel, double x)
{
    const cnnfi_value *args = call->inputs + at;
    if (row->apply) return row->apply(x, cnnf_node_attr_float(call->node, "leakyrelu_alpha", (double)0.2f));
    if (strcmp(row->op, "BiasAdd") == 0) return x + element(args, channel);
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
        const cnnfi_bytes *name = &f.steps->u.strings[i];
        run_step(call, &f, find_step(name), at); /* fused_scratch() has found it */
        at += cnnfi_fused_step_inputs(name);
    }
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"_FusedConv2D", fused_run, 0, fused_scratch},
    {"_FusedMatMul", fused_run, 0, fused_scratch},
};

const cnnfi_kernel_family cnnfi_kernels_epilogue = {"fused", kernels, sizeof(kernels) / sizeof(kernels[0])};
