/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/rewrite/forms.h"

#include <string.h>

#include "graph/tensor.h"

#define MOST_COPIES 64 /* of a Tile that becomes a concatenation */

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

/* x > c as a number: relu(sign(x - c)). The difference is 0 only where both are equal. */
void cnnfi_forms_step(cnnfi_forms *f, cnnf_node *node)
{
    cnnfi_form_operand o;
    const cnnf_node *greater = cnnfi_forms_producer(f, node, 0);
    if (!cnnfi_forms_is(greater, "Greater") || cnnfi_node_type(node, "DstT") != CNNF_FLOAT) return;
    if (!cnnfi_forms_operand(f, greater, &o) || o.at != 1 || o.n != 1) return;
    const cnnf_node *bound = cnnfi_forms_fill(f, node, "bound", 0, o.v[0]);
    const cnnf_node *sub = cnnfi_forms_add(f, node, "sub", "Sub", cnnfi_edit_input(greater, 0), cnnfi_end(bound, 0));
    const cnnf_node *sign =
        sub ? cnnfi_forms_add(f, node, "sign", "Sign", cnnfi_end(sub, 0), (cnnfi_edge){-1, 0}) : NULL;
    if (sign) cnnfi_forms_become(f, node, "Relu", cnnfi_end(sign, 0), (cnnfi_edge){-1, 0});
}

cnnf_node *cnnfi_forms_ints(cnnfi_forms *f, const cnnf_node *node, const char *what, int32_t rank, int64_t n,
                            const int32_t *values)
{
    cnnf_tensor *tensor = NULL;
    if (f->edit.b->status) return NULL;
    f->edit.b->status =
        cnnfi_tensor_copy(&tensor, f->edit.b->graph->context, CNNF_INT32, rank, &n, values, f->edit.b->error);
    cnnf_node *constant = cnnfi_edit_const(&f->edit, tensor, "%s/%s", node->name, what);
    cnnf_tensor_unref(tensor);
    return constant;
}

/* Copies along one axis are a concatenation. */
void cnnfi_forms_tile(cnnfi_forms *f, cnnf_node *node)
{
    int64_t times[CNNFI_OP_MAX_RANK];
    size_t rank;
    int32_t axis = -1;
    if (cnnfi_node_type(node, "T") != CNNF_FLOAT) return;
    if (!cnnfi_value_ints(&f->values, node, 1, times, CNNFI_OP_MAX_RANK, &rank)) return;
    for (size_t i = 0; i < rank; i++) {
        if (times[i] == 1) continue;
        if (axis >= 0 || times[i] < 1 || times[i] > MOST_COPIES) return;
        axis = (int32_t)i;
    }
    if (axis < 0) return;
    const cnnfi_edge x = cnnfi_edit_input(node, 0);
    const cnnf_node *along = cnnfi_forms_ints(f, node, "axis", 0, 1, &axis);
    if (!along) return;
    cnnfi_forms_become(f, node, "ConcatV2", x, x);
    for (int64_t i = 2; i < times[axis]; i++)
        cnnfi_edit_add_input(&f->edit, node, x);
    cnnfi_edit_add_input(&f->edit, node, cnnfi_end(along, 0));
    cnnfi_node_set_int(f->edit.b, node, "N", times[axis]);
    cnnfi_node_set_type(f->edit.b, node, "Tidx", CNNF_INT32);
}
