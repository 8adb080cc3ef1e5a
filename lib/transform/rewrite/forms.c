/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/rewrite/forms.h"

#include <string.h>

bool cnnfi_forms_is(const cnnf_node *node, const char *op)
{
    return node && strcmp(node->op, op) == 0;
}

cnnf_node *cnnfi_forms_reader(const cnnfi_forms *f, const cnnf_node *node)
{
    const cnnfi_use *use = cnnfi_edit_uses(&f->edit, node);
    return use && !use->next && !cnnfi_edit_is_protected(&f->edit, node) ? use->user : NULL;
}

bool cnnfi_forms_takes_bias(const cnnf_node *node)
{
    static const char *const ops[] = {"Conv2D", "Conv2DBackpropInput", "Conv3D", "DepthwiseConv2dNative", "MatMul"};
    return node && cnnfi_text_in(node->op, ops, sizeof ops / sizeof *ops);
}

bool cnnfi_forms_operand(cnnfi_forms *f, const cnnf_node *node, cnnfi_form_operand *out)
{
    if (cnnfi_node_data_inputs(node) != 2 || cnnfi_node_type(node, "T") != CNNF_FLOAT) return false;
    for (size_t at = 2; at-- > 0;) {
        const cnnfi_constant *c = cnnfi_value_input(&f->values, node, at);
        if (!c || c->shape.dtype != CNNF_FLOAT || cnnfi_value_input(&f->values, node, 1 - at)) continue;
        *out = (cnnfi_form_operand){.v = c->v, .n = (size_t)c->shape.count, .at = at, .data = 1 - at};
        out->x = cnnfi_shape_of_input(&f->values.shapes, node, 1 - at);
        out->channels = cnnfi_shape_from_end(&out->x, 0);
        if (out->n == 1) return c->shape.rank <= out->x.rank;
        return c->shape.rank >= 1 && c->shape.rank <= out->x.rank && (int64_t)out->n == out->channels &&
               c->shape.dims[c->shape.rank - 1] == out->channels;
    }
    return false;
}

cnnf_node *cnnfi_forms_const(cnnfi_forms *f, const cnnf_node *node, const char *what, size_t n, const double *values)
{
    const int64_t dims[1] = {(int64_t)n};
    cnnf_tensor *value = cnnfi_tensor_of_doubles(&f->edit, CNNF_FLOAT, n ? 1 : 0, dims, values);
    cnnf_node *constant = cnnfi_edit_const(&f->edit, value, "%s/%s", node->name, what);
    cnnf_tensor_unref(value);
    return constant;
}

cnnf_node *cnnfi_forms_fill(cnnfi_forms *f, const cnnf_node *node, const char *what, size_t n, double value)
{
    double *values = cnnfi_edit_array(&f->edit, n ? n : 1, sizeof *values);
    for (size_t i = 0; values && i < (n ? n : 1); i++)
        values[i] = value;
    return values ? cnnfi_forms_const(f, node, what, n, values) : NULL;
}

static void fill(cnnfi_forms *f, cnnf_node *node, cnnfi_edge a, cnnfi_edge b)
{
    if (!node) return;
    cnnfi_edit_add_input(&f->edit, node, a);
    if (b.node >= 0) cnnfi_edit_add_input(&f->edit, node, b);
    cnnfi_node_set_type(f->edit.b, node, "T", CNNF_FLOAT);
}

cnnf_node *cnnfi_forms_add(cnnfi_forms *f, const cnnf_node *like, const char *what, const char *op, cnnfi_edge a,
                           cnnfi_edge b)
{
    const char *name = cnnfi_edit_unique(&f->edit, "%s/%s", like->name, what);
    cnnf_node *node = name ? cnnfi_edit_add(&f->edit, op, name) : NULL;
    fill(f, node, a, b);
    return node;
}

void cnnfi_forms_become(cnnfi_forms *f, cnnf_node *node, const char *op, cnnfi_edge a, cnnfi_edge b)
{
    cnnfi_edit_reset(&f->edit, node, op);
    fill(f, node, a, b);
    f->edit.changes++;
}

void cnnfi_forms_become_bias(cnnfi_forms *f, cnnf_node *node, cnnfi_edge data, const cnnf_node *bias)
{
    cnnfi_forms_become(f, node, "BiasAdd", data, cnnfi_end(bias, 0));
    cnnfi_node_set_string(f->edit.b, node, "data_format", "NHWC");
}

cnnf_node *cnnfi_forms_move(cnnfi_forms *f, cnnf_node *node, const char *what)
{
    cnnfi_edit *edit = &f->edit;
    const char *name = cnnfi_edit_unique(edit, "%s/%s", node->name, what);
    cnnf_node *inner = name ? cnnfi_edit_copy(edit, node, name) : NULL;
    for (size_t i = 0; inner && i < node->n_inputs; i++)
        cnnfi_edit_add_input(edit, inner, cnnfi_edit_input(node, i));
    if (inner) cnnfi_edit_redirect(edit, node, 0, cnnfi_end(inner, 0), NULL);
    return inner;
}

bool cnnfi_forms_leaky(cnnfi_forms *f, cnnf_node *node)
{
    cnnfi_form_operand o;
    if (!cnnfi_forms_is(node, "Maximum")) return false;
    for (size_t k = 0; k < 2; k++) {
        const cnnf_node *mul = cnnfi_forms_producer(f, node, k);
        const cnnfi_edge x = cnnfi_edit_input(node, 1 - k);
        if (!cnnfi_forms_is(mul, "Mul") || !cnnfi_forms_operand(f, mul, &o) || o.n != 1) continue;
        const cnnfi_edge of = cnnfi_edit_input(mul, o.data);
        if (of.node != x.node || of.port != x.port || !(o.v[0] > 0 && o.v[0] <= 1)) continue;
        const float alpha = (float)o.v[0];
        cnnfi_forms_become(f, node, "LeakyRelu", x, (cnnfi_edge){-1, 0});
        cnnfi_node_set_float(f->edit.b, node, "alpha", alpha);
        return true;
    }
    return false;
}
