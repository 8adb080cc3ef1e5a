/* SPDX-License-Identifier: Apache-2.0 */
/* tf.while_loop() as TensorFlow 1 builds it: control_flow_ops.WhileContext. */
#include <string.h>

#include "base/str.h"
#include "graph/builder.h"
#include "loader/keras/build/keras_build.h"

#define PARALLEL_ITERATIONS 32

/* Something of outside, and the node it enters by. */
struct cnnfi_kentered {
    const char *outer, *inner;
    struct cnnfi_kentered *next;
};

static cnnf_node *frame_node(cnnfi_kb *b, const cnnfi_kloop *loop, cnnfi_kt *out, const char *name, cnnfi_kt x,
                             bool constant)
{
    cnnf_node *node = cnnfi_kb_node_t(b, out, "Enter", name, 1, &x);
    cnnfi_node_set_string(b->graph, node, "frame_name", loop->frame);
    cnnfi_node_set_bool(b->graph, node, "is_constant", constant);
    cnnfi_node_set_int(b->graph, node, "parallel_iterations", PARALLEL_ITERATIONS);
    return node;
}

/* ---- what the body takes from outside ---- */

static bool is_inside(const cnnfi_kloop *loop, const char *name)
{
    return cnnfi_starts_with(name, loop->scope) && name[strlen(loop->scope)] == '/';
}

static bool is_constant(const cnnfi_kloop *loop, const char *name)
{
    for (const struct cnnfi_kentered *e = loop->entered; e; e = e->next)
        if (strcmp(e->inner, name) == 0) return true;
    return false;
}

/* WhileContext.AddValue(): each value enters once, under the name of the node that wants it first. */
static const char *enter(cnnfi_kb *b, const char *node, cnnfi_kt x, const char *name)
{
    cnnfi_kloop *loop = b->loop;
    for (const struct cnnfi_kentered *e = loop->entered; e; e = e->next)
        if (strcmp(e->outer, name) == 0) return e->inner;
    struct cnnfi_kentered *fresh = cnnfi_builder_array(b->graph, 1, sizeof *fresh);
    if (!fresh) return name;
    const char *saved = b->scope;
    b->loop = NULL;
    b->scope = node;
    x.name = name;
    x.variable = false;
    (void)frame_node(b, loop, &x, "Enter", x, true);
    b->scope = saved;
    b->loop = loop;
    *fresh = (struct cnnfi_kentered){.outer = name, .inner = x.name, .next = loop->entered};
    loop->entered = fresh;
    return x.name;
}

void cnnfi_kb_loop_inputs(cnnfi_kb *b, const char *node, size_t n, const cnnfi_kt *inputs, const char **names,
                          bool *waits)
{
    *waits = true;
    for (size_t i = 0; i < n && cnnfi_kb_ok(b); i++) {
        if (!is_inside(b->loop, names[i])) names[i] = enter(b, node, inputs[i], names[i]);
        if (!is_constant(b->loop, names[i])) *waits = false;
    }
}

/* ---- the frame ---- */

static cnnfi_kt merge(cnnfi_kb *b, const cnnfi_kloop *loop, cnnfi_kt entered, size_t i)
{
    cnnfi_kt out, inputs[2] = {entered, entered};
    inputs[1].name = i ? cnnfi_builder_printf(b->graph, "%s/NextIteration_%zu", loop->scope, i)
                       : cnnfi_builder_printf(b->graph, "%s/NextIteration", loop->scope);
    if (!inputs[1].name) return entered;
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "Merge", "Merge", 2, inputs);
    cnnfi_node_set_int(b->graph, node, "N", 2);
    return out;
}

static cnnfi_kt less(cnnfi_kb *b, cnnfi_kt time, cnnfi_kt limit)
{
    cnnfi_kt out, go_on = cnnfi_kb_binary(b, "Less", "Less", time, limit);
    b->loop = NULL;
    (void)cnnfi_kb_node(b, &out, "LoopCond", "LoopCond", 1, &go_on);
    return out;
}

bool cnnfi_kb_loop_begin(cnnfi_kb *b, cnnfi_kloop *loop, size_t n, cnnfi_kt *vars, cnnfi_kt limit)
{
    *loop = (cnnfi_kloop){.saved = cnnfi_kb_push(b, "while"), .n = n};
    loop->scope = b->scope;
    loop->frame = cnnfi_kb_unique(b, "while_context");
    loop->switches = cnnfi_builder_array(b->graph, n, sizeof *loop->switches);
    if (!loop->switches) return false;
    for (size_t i = 0; i < n; i++)
        (void)frame_node(b, loop, &vars[i], "Enter", vars[i], false);
    for (size_t i = 0; i < n; i++)
        vars[i] = merge(b, loop, vars[i], i);
    loop->pivot = vars[0].name;
    b->loop = loop;
    cnnfi_kt go_on = less(b, vars[0], limit);
    for (size_t i = 0; i < n; i++) {
        const cnnfi_kt inputs[2] = {vars[i], go_on};
        b->colocate = vars[i].name;
        (void)cnnfi_kb_node_t(b, &loop->switches[i], "Switch", "Switch", 2, inputs);
    }
    b->colocate = NULL;
    for (size_t i = 0; i < n; i++)
        vars[i] = cnnfi_kb_unary(b, "Identity", "Identity", cnnfi_kb_port(b, &loop->switches[i], 1));
    loop->pivot = vars[0].name;
    b->loop = loop;
    return cnnfi_kb_ok(b);
}

void cnnfi_kb_loop_end(cnnfi_kb *b, cnnfi_kloop *loop, cnnfi_kt *vars)
{
    b->loop = NULL;
    for (size_t i = 0; i < loop->n; i++)
        vars[i] = cnnfi_kb_unary(b, "NextIteration", "NextIteration", vars[i]);
    for (size_t i = 0; i < loop->n; i++)
        vars[i] = cnnfi_kb_unary(b, "Exit", "Exit", loop->switches[i]);
    cnnfi_kb_pop(b, loop->saved);
}
