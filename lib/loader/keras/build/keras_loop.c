/* SPDX-License-Identifier: Apache-2.0 */
/* tf.while_loop() as TensorFlow 1 builds it: control_flow_ops.WhileContext. */
#include <string.h>

#include "base/str.h"
#include "graph/builder.h"
#include "loader/keras/build/keras_build.h"

#define PARALLEL_ITERATIONS 32

/* Something of outside, and the node it enters by. */
struct cnnfi_keras_entered {
    const char *outer, *inner;
    struct cnnfi_keras_entered *next;
};

static cnnf_node *frame_node(cnnfi_keras_builder *b, const cnnfi_keras_loop *loop, cnnfi_keras_tensor *out,
                             const char *name, cnnfi_keras_tensor x, bool constant)
{
    cnnf_node *node = cnnfi_build_node_t(b, out, "Enter", name, 1, &x);
    cnnfi_node_set_string(b->graph, node, "frame_name", loop->frame);
    cnnfi_node_set_bool(b->graph, node, "is_constant", constant);
    cnnfi_node_set_int(b->graph, node, "parallel_iterations", PARALLEL_ITERATIONS);
    return node;
}

/* ---- what the body takes from outside ---- */

static bool is_inside(const cnnfi_keras_loop *loop, const char *name)
{
    return cnnfi_starts_with(name, loop->scope) && name[strlen(loop->scope)] == '/';
}

static bool is_constant(const cnnfi_keras_loop *loop, const char *name)
{
    for (const struct cnnfi_keras_entered *e = loop->entered; e; e = e->next)
        if (strcmp(e->inner, name) == 0) return true;
    return false;
}

/* WhileContext.AddValue(): each value enters once, under the name of the node that wants it first. */
static const char *enter(cnnfi_keras_builder *b, const char *node, cnnfi_keras_tensor x, const char *name)
{
    cnnfi_keras_loop *loop = b->loop;
    for (const struct cnnfi_keras_entered *e = loop->entered; e; e = e->next)
        if (strcmp(e->outer, name) == 0) return e->inner;
    struct cnnfi_keras_entered *fresh = cnnfi_builder_array(b->graph, 1, sizeof *fresh);
    if (!fresh) return name;
    const char *saved = b->scope;
    b->loop = NULL;
    b->scope = node;
    x.name = name;
    x.variable = false;
    (void)frame_node(b, loop, &x, "Enter", x, true);
    b->scope = saved;
    b->loop = loop;
    *fresh = (struct cnnfi_keras_entered){.outer = name, .inner = x.name, .next = loop->entered};
    loop->entered = fresh;
    return x.name;
}

void cnnfi_build_loop_inputs(cnnfi_keras_builder *b, const char *node, size_t n, const cnnfi_keras_tensor *inputs,
                             const char **names, bool *waits)
{
    *waits = true;
    for (size_t i = 0; i < n && cnnfi_build_ok(b); i++) {
        if (!is_inside(b->loop, names[i])) names[i] = enter(b, node, inputs[i], names[i]);
        if (!is_constant(b->loop, names[i])) *waits = false;
    }
}

/* ---- the frame ---- */

static cnnfi_keras_tensor merge(cnnfi_keras_builder *b, const cnnfi_keras_loop *loop, cnnfi_keras_tensor entered,
                                size_t i)
{
    cnnfi_keras_tensor out, inputs[2] = {entered, entered};
    inputs[1].name = i ? cnnfi_builder_printf(b->graph, "%s/NextIteration_%zu", loop->scope, i)
                       : cnnfi_builder_printf(b->graph, "%s/NextIteration", loop->scope);
    if (!inputs[1].name) return entered;
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Merge", "Merge", 2, inputs);
    cnnfi_node_set_int(b->graph, node, "N", 2);
    return out;
}

static cnnfi_keras_tensor less(cnnfi_keras_builder *b, cnnfi_keras_tensor time, cnnfi_keras_tensor limit)
{
    cnnfi_keras_tensor out, go_on = cnnfi_build_binary(b, "Less", "Less", time, limit);
    b->loop = NULL;
    (void)cnnfi_build_node(b, &out, "LoopCond", "LoopCond", 1, &go_on);
    return out;
}

bool cnnfi_build_loop_begin(cnnfi_keras_builder *b, cnnfi_keras_loop *loop, size_t n, cnnfi_keras_tensor *vars,
                            cnnfi_keras_tensor limit)
{
    *loop = (cnnfi_keras_loop){.saved = cnnfi_build_push(b, "while"), .n = n};
    loop->scope = b->scope;
    loop->frame = cnnfi_build_unique(b, "while_context");
    loop->switches = cnnfi_builder_array(b->graph, n, sizeof *loop->switches);
    if (!loop->switches) return false;
    for (size_t i = 0; i < n; i++)
        (void)frame_node(b, loop, &vars[i], "Enter", vars[i], false);
    for (size_t i = 0; i < n; i++)
        vars[i] = merge(b, loop, vars[i], i);
    loop->pivot = vars[0].name;
    b->loop = loop;
    cnnfi_keras_tensor go_on = less(b, vars[0], limit);
    for (size_t i = 0; i < n; i++) {
        const cnnfi_keras_tensor inputs[2] = {vars[i], go_on};
        b->colocate = vars[i].name;
        (void)cnnfi_build_node_t(b, &loop->switches[i], "Switch", "Switch", 2, inputs);
    }
    b->colocate = NULL;
    for (size_t i = 0; i < n; i++)
        vars[i] = cnnfi_build_unary(b, "Identity", "Identity", cnnfi_build_port(b, &loop->switches[i], 1));
    loop->pivot = vars[0].name;
    b->loop = loop;
    return cnnfi_build_ok(b);
}

void cnnfi_build_loop_end(cnnfi_keras_builder *b, cnnfi_keras_loop *loop, cnnfi_keras_tensor *vars)
{
    b->loop = NULL;
    for (size_t i = 0; i < loop->n; i++)
        vars[i] = cnnfi_build_unary(b, "NextIteration", "NextIteration", vars[i]);
    for (size_t i = 0; i < loop->n; i++)
        vars[i] = cnnfi_build_unary(b, "Exit", "Exit", loop->switches[i]);
    cnnfi_build_pop(b, loop->saved);
}
