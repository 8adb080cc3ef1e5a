/* SPDX-License-Identifier: Apache-2.0 */
/* lib/edit/: a graph being changed, the tables over it, and the inliner. */
#include <stdio.h>
#include <string.h>

#include "edit/constants.h"
#include "edit/inline.h"
#include "edit/liveness.h"
#include "edit/values.h"
#include "edit/walk.h"
#include "passes_support.h"

#define GRAPH(rows) make_graph(context, rows, sizeof(rows) / sizeof *(rows))

static cnnf_node *find(const cnnfi_edit *edit, const char *name)
{
    cnnf_node *node = cnnfi_edit_find(edit, name, strlen(name));
    ck_assert_msg(node != NULL, "no node '%s'", name);
    return node;
}

static cnnf_graph *finish(cnnfi_edit *edit)
{
    return publish(cnnfi_edit_finish(edit));
}

static void ck_assert_names(const cnnf_graph *graph, const char *wanted)
{
    char text[512] = "";
    for (int64_t i = 0; i < cnnf_graph_node_count(graph); i++) {
        strcat(text, i ? " " : "");
        strcat(text, cnnf_node_name(cnnf_graph_node(graph, i)));
    }
    ck_assert_str_eq(text, wanted);
}

static void ck_assert_reads(const cnnf_graph *graph, const char *name, const char *wanted)
{
    char text[512] = "";
    const cnnf_node *node = cnnf_graph_find(graph, name);
    ck_assert_msg(node != NULL, "no node '%s'", name);
    for (int64_t k = 0; k < cnnf_node_input_count(node); k++) {
        strcat(text, k ? " " : "");
        strcat(text, cnnf_node_input(node, k));
    }
    ck_assert_str_eq(text, wanted);
}

static const graph_row diamond[] = {
    {"Placeholder", "x", {NULL}},
    {"Unpack", "two", {"x", NULL}},
    {"Relu", "a", {"two", NULL}},
    {"Relu", "b", {"two:1", "^x", NULL}},
    {"Add", "sum", {"a:0", "b", NULL}},
    {"Shape", "shape", {"sum", NULL}},
    {"Identity", "out", {"sum", "^shape", NULL}},
};

/* ---- users ---- */

START_TEST(users_are_counted)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = GRAPH(diamond);
    cnnfi_edit edit;
    ck_assert_int_eq(cnnfi_edit_begin(&edit, graph, NULL, NULL), CNNF_OK);
    const cnnf_node *two = find(&edit, "two"), *x = find(&edit, "x"), *sum = find(&edit, "sum");
    ck_assert_uint_eq(cnnfi_edit_user_count(&edit, two, CNNFI_PORT_ANY), 2);
    ck_assert_uint_eq(cnnfi_edit_user_count(&edit, two, 0), 1);
    ck_assert_uint_eq(cnnfi_edit_user_count(&edit, two, 1), 1);
    ck_assert_uint_eq(cnnfi_edit_user_count(&edit, two, 2), 0);
    ck_assert_uint_eq(cnnfi_edit_user_count(&edit, x, CNNFI_PORT_CONTROL), 1);
    ck_assert_uint_eq(cnnfi_edit_user_count(&edit, x, CNNFI_PORT_DATA), 1);
    /* The shape alone is looked at by the other reader. */
    const cnnfi_use *reader = cnnfi_edit_only_reader(&edit, sum);
    ck_assert_ptr_nonnull(reader);
    ck_assert_str_eq(reader->user->name, "out");
    cnnfi_edit_set_op(&edit, find(&edit, "shape"), "Abs");
    ck_assert_ptr_null(cnnfi_edit_only_reader(&edit, sum));
    int32_t port;
    ck_assert_ptr_eq(cnnfi_edit_producer(&edit, find(&edit, "b"), 0, &port), two);
    ck_assert_int_eq(port, 1);
    ck_assert_ptr_null(cnnfi_edit_producer(&edit, two, 7, NULL));
    cnnfi_edit_free(&edit);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* Inputs that nobody changed are written as they were ("a:0"). */
START_TEST(what_changes_is_written_anew)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = GRAPH(diamond);
    cnnfi_edit edit;
    ck_assert_int_eq(cnnfi_edit_begin(&edit, graph, NULL, NULL), CNNF_OK);
    cnnf_node *sum = find(&edit, "sum"), *out = find(&edit, "out"), *a = find(&edit, "a");
    cnnfi_edit_set_input(&edit, sum, 1, cnnfi_end(find(&edit, "two"), 1));
    cnnfi_edit_add_control(&edit, out, a);
    cnnfi_edit_add_control(&edit, out, a);
    cnnfi_edit_add_input(&edit, out, cnnfi_end(find(&edit, "b"), 0));
    cnnfi_edit_rename(&edit, find(&edit, "shape"), "form");
    cnnf_graph *after = finish(&edit);
    ck_assert_reads(after, "sum", "a:0 two:1");
    ck_assert_reads(after, "out", "sum b ^form ^a");
    ck_assert_reads(after, "b", "two:1 ^x");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(bypassed_nodes_go_or_become_identity)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = GRAPH(diamond);
    const bool protection[sizeof diamond / sizeof *diamond] = {[4] = true};
    cnnfi_edit edit;
    ck_assert_int_eq(cnnfi_edit_begin(&edit, graph, protection, NULL), CNNF_OK);
    cnnfi_edit_bypass(&edit, find(&edit, "a"), cnnfi_edit_input(find(&edit, "a"), 0));
    cnnfi_edit_bypass(&edit, find(&edit, "sum"), cnnfi_edit_input(find(&edit, "sum"), 0));
    cnnfi_edit_sweep(&edit);
    cnnf_graph *after = finish(&edit);
    ck_assert_names(after, "x two sum shape out");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "sum")), "Identity");
    ck_assert_reads(after, "out", "two ^shape");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* Users of a node redirected to itself: the list is walked once. */
START_TEST(a_node_may_be_redirected_to_itself)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = GRAPH(diamond);
    cnnfi_edit edit;
    ck_assert_int_eq(cnnfi_edit_begin(&edit, graph, NULL, NULL), CNNF_OK);
    const cnnf_node *sum = find(&edit, "sum");
    cnnfi_edit_redirect(&edit, sum, 0, cnnfi_end(sum, 0), NULL);
    ck_assert_uint_eq(cnnfi_edit_user_count(&edit, sum, CNNFI_PORT_ANY), 2);
    cnnf_graph *after = finish(&edit);
    ck_assert_reads(after, "out", "sum ^shape");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(a_removed_node_that_is_read_is_a_failure)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = GRAPH(diamond), *after = NULL;
    cnnfi_edit edit;
    cnnf_error error = {.offset = -1};
    ck_assert_int_eq(cnnfi_edit_begin(&edit, graph, NULL, NULL), CNNF_OK);
    cnnfi_edit_remove(&edit, find(&edit, "a"));
    ck_assert_ptr_null(cnnfi_edit_producer(&edit, find(&edit, "sum"), 0, NULL));
    ck_assert_int_eq(cnnfi_builder_publish(&after, cnnfi_edit_finish(&edit), &error), CNNF_E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error.message, "node 'sum': input 0"));
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* ---- the order of new nodes ---- */

START_TEST(new_nodes_stand_before_their_first_reader)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = GRAPH(chain);
    cnnfi_edit edit;
    ck_assert_int_eq(cnnfi_edit_begin(&edit, graph, NULL, NULL), CNNF_OK);
    cnnf_node *y = find(&edit, "y"), *middle = find(&edit, "middle");
    cnnf_node *late = cnnfi_edit_add(&edit, "NoOp", "late"), *last = cnnfi_edit_add(&edit, "NoOp", "last");
    cnnf_node *outer = cnnfi_edit_add(&edit, "Relu", "outer"), *inner = cnnfi_edit_add(&edit, "Relu", "inner");
    cnnf_node *here = cnnfi_edit_add(&edit, "NoOp", "here"), *too = cnnfi_edit_add(&edit, "NoOp", "too");
    cnnfi_edit_add_input(&edit, inner, cnnfi_end(middle, 0));
    cnnfi_edit_add_input(&edit, outer, cnnfi_end(inner, 0));
    cnnfi_edit_set_input(&edit, y, 0, cnnfi_end(outer, 0));
    cnnfi_edit_add_control(&edit, y, last);
    cnnfi_edit_place_before(&edit, last, NULL);
    cnnfi_edit_place_before(&edit, here, middle);
    cnnfi_edit_place_before(&edit, too, middle);
    ck_assert_ptr_nonnull(late);
    cnnf_graph *after = finish(&edit);
    ck_assert_names(after, "x here too middle inner outer y unused late last");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* A chain of new nodes as long as a graph: no recursion. */
START_TEST(long_chains_find_their_order)
{
    enum { LENGTH = 200000 };
    cnnf_context *context = test_context();
    cnnf_graph *graph = GRAPH(chain);
    cnnfi_edit edit;
    ck_assert_int_eq(cnnfi_edit_begin(&edit, graph, NULL, NULL), CNNF_OK);
    cnnf_node *next = find(&edit, "y");
    for (int i = 0; i < LENGTH; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%d", i);
        cnnf_node *node = cnnfi_edit_add(&edit, "Relu", name);
        cnnfi_edit_add_input(&edit, node, cnnfi_end(find(&edit, "middle"), 0));
        cnnfi_edit_set_input(&edit, next, 0, cnnfi_end(node, 0));
        next = node;
    }
    cnnf_graph *after = finish(&edit);
    ck_assert_int_eq(cnnf_graph_node_count(after), LENGTH + N_CHAIN);
    ck_assert_str_eq(cnnf_node_name(cnnf_graph_node(after, 2)), "n199999");
    ck_assert_str_eq(cnnf_node_name(cnnf_graph_node(after, 2 + LENGTH)), "y");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* ---- the walk ---- */

/* Nodes that are added come in their turn, those on a cycle never. */
START_TEST(walks_go_from_the_inputs_on)
{
    static const graph_row rows[] = {
        {"Relu", "z", {"y", NULL}},
        {"Relu", "y", {"x", NULL}},
        {"Placeholder", "x", {NULL}},
        {"Relu", "round", {"trip", NULL}},
        {"Identity", "trip", {"round", NULL}},
        {"Merge", "m", {"x", "n", NULL}},
        {"NextIteration", "n", {"m", NULL}},
    };
    cnnf_context *context = test_context();
    cnnf_graph *graph = GRAPH(rows);
    cnnfi_edit edit;
    cnnfi_walk walk;
    char text[128] = "";
    ck_assert_int_eq(cnnfi_edit_begin(&edit, graph, NULL, NULL), CNNF_OK);
    cnnfi_walk_init(&walk, &edit);
    for (cnnf_node *node; (node = cnnfi_walk_next(&walk));) {
        strcat(strcat(text, node->name), " ");
        if (strcmp(node->name, "y") != 0) continue;
        cnnf_node *added = cnnfi_edit_add(&edit, "Relu", "added");
        cnnfi_edit_redirect(&edit, node, 0, cnnfi_end(added, 0), NULL);
        cnnfi_edit_add_input(&edit, added, cnnfi_end(node, 0));
    }
    ck_assert_str_eq(text, "x y m n added z ");
    cnnfi_edit_free(&edit);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* ---- tables ---- */

static cnnf_graph *arithmetic(cnnf_context *context)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},        {"Const", "c", {NULL}},
        {"Identity", "c/read", {"c", NULL}}, {"Mul", "twice", {"c/read", "c", NULL}},
        {"Sqrt", "root", {"twice", NULL}},   {"Add", "y", {"x", "root", NULL}},
        {"Relu", "relu", {"y", NULL}},
    };
    cnnfi_builder *b = make_builder(context, rows, sizeof rows / sizeof *rows);
    const int64_t dims[] = {-1, 5, 2};
    cnnfi_node_set_shape(b, cnnfi_builder_find(b, "x"), "shape", 3, dims);
    return publish(b);
}

static cnnf_tensor *tensor_of(cnnf_context *context, float first, float second)
{
    const int64_t dims[] = {2};
    const float values[] = {first, second};
    cnnf_tensor *tensor = NULL;
    ck_assert_int_eq(cnnf_tensor_new(&tensor, context, CNNF_FLOAT, 1, dims, NULL), CNNF_OK);
    memcpy(cnnf_tensor_data_mut(tensor), values, sizeof values);
    return tensor;
}

START_TEST(values_and_shapes_follow_edits)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = arithmetic(context);
    cnnfi_edit edit;
    cnnfi_values values;
    ck_assert_int_eq(cnnfi_edit_begin(&edit, graph, NULL, NULL), CNNF_OK);
    cnnfi_values_init(&values, &edit, false);
    cnnf_node *y = find(&edit, "y"), *relu = find(&edit, "relu");
    const cnnfi_constant *root = cnnfi_value_input(&values, y, 1);
    ck_assert_ptr_nonnull(root);
    ck_assert(root->root && root->v[0] == 1 && root->v[1] == 2);
    ck_assert_ptr_null(cnnfi_value_input(&values, y, 0));
    cnnfi_value shape = cnnfi_shape_of_input(&values.shapes, relu, 0);
    ck_assert_int_eq(shape.rank, 3);
    ck_assert_int_eq(shape.dims[1], 5);
    /* In place, then through an input that is another one, then an op that is no constant's. */
    cnnf_tensor *value = tensor_of(context, 3, 4);
    cnnfi_edit_own_const(&edit, find(&edit, "c/read"), 0, value);
    cnnf_tensor_unref(value);
    root = cnnfi_value_input(&values, y, 1);
    ck_assert(root && root->v[0] * root->v[0] > 2.9 && root->v[0] * root->v[0] < 3.1);
    cnnfi_edit_set_input(&edit, find(&edit, "root"), 0, cnnfi_end(find(&edit, "c"), 0));
    root = cnnfi_value_input(&values, y, 1);
    ck_assert(root && root->v[0] == 1);
    cnnfi_edit_set_input(&edit, y, 1, cnnfi_end(find(&edit, "x"), 0));
    ck_assert_ptr_null(cnnfi_value_input(&values, y, 1));
    cnnfi_edit_set_input(&edit, y, 0, cnnfi_end(find(&edit, "c"), 0));
    cnnfi_edit_set_input(&edit, y, 1, cnnfi_end(find(&edit, "c"), 0));
    shape = cnnfi_shape_of_input(&values.shapes, relu, 0);
    ck_assert_int_eq(shape.rank, 1);
    cnnfi_edit_free(&edit);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* What a Switch hands on is a predicate's value and nobody else's. */
START_TEST(switches_hand_on_predicates_only)
{
    static const graph_row rows[] = {
        {"Const", "c", {NULL}},
        {"Placeholder", "p", {NULL}},
        {"Switch", "s", {"c", "p", NULL}},
        {"Identity", "out", {"s:1", NULL}},
    };
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, rows, sizeof rows / sizeof *rows);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "p"), "dtype", CNNF_BOOL);
    cnnf_graph *graph = publish(b);
    for (int through = 0; through < 2; through++) {
        cnnfi_edit edit;
        cnnfi_values values;
        ck_assert_int_eq(cnnfi_edit_begin(&edit, graph, NULL, NULL), CNNF_OK);
        cnnfi_values_init(&values, &edit, through);
        ck_assert((cnnfi_value_input(&values, find(&edit, "out"), 0) != NULL) == through);
        cnnfi_edit_free(&edit);
    }
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* ---- random edits: lists and tables are what they would be if made anew ---- */

static uint64_t state;

static uint32_t random_below(size_t limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % limit);
}

static void check_users(const cnnfi_edit *edit)
{
    for (size_t i = 0; i < edit->count; i++) {
        const cnnf_node *node = edit->b->graph->nodes[i];
        size_t all = 0, controls = 0, listed = 0;
        for (size_t u = 0; u < edit->count; u++) {
            const cnnf_node *user = edit->b->graph->nodes[u];
            for (size_t k = 0; k < user->n_inputs; k++) {
                const bool uses = user->edges[k].node == (int32_t)i;
                all += uses;
                controls += uses && user->edges[k].port == CNNFI_PORT_CONTROL;
            }
        }
        const cnnfi_use *previous = NULL;
        for (const cnnfi_use *use = cnnfi_edit_uses(edit, node); use; use = use->next) {
            const cnnfi_edge edge = use->user->edges[use->input];
            ck_assert(edge.node == (int32_t)i && edge.port == use->port && use->previous == previous);
            previous = use;
            listed++;
        }
        ck_assert_uint_eq(listed, all);
        ck_assert_uint_eq(cnnfi_edit_user_count(edit, node, CNNFI_PORT_ANY), all);
        ck_assert_uint_eq(cnnfi_edit_user_count(edit, node, CNNFI_PORT_CONTROL), controls);
    }
}

static void check_tables(cnnfi_edit *edit, cnnfi_values *kept)
{
    cnnfi_values fresh;
    cnnfi_values_init(&fresh, edit, false);
    for (size_t i = 0; i < edit->count; i++) {
        const cnnf_node *node = edit->b->graph->nodes[i];
        for (size_t k = 0; k < node->n_inputs && node->edges[k].port >= 0; k++) {
            const cnnfi_constant *a = cnnfi_value_known(kept, node, k), *b = cnnfi_value_known(&fresh, node, k);
            ck_assert_msg(!(a && a->v) == !(b && b->v), "%s %zu", node->name, k);
            if (a && a->v) ck_assert(memcmp(a->v, b->v, sizeof *a->v) == 0);
            const cnnfi_value x = cnnfi_shape_of_input(&kept->shapes, node, k);
            const cnnfi_value y = cnnfi_shape_of_input(&fresh.shapes, node, k);
            ck_assert_msg(x.rank == y.rank && x.count == y.count && x.dtype == y.dtype, "%s %zu", node->name, k);
        }
    }
}

/* Nodes read nodes of lower index only. */
static void change_something(cnnfi_edit *edit)
{
    static const char *const ops[] = {"Relu", "Neg", "Identity", "Shape", "Const"};
    cnnf_node *node = edit->b->graph->nodes[random_below(edit->count)];
    cnnf_node *other = edit->b->graph->nodes[random_below((size_t)node->index + 1)];
    if (node->removed || other->removed || node == other) return;
    cnnf_tensor *value = NULL;
    switch (random_below(7)) {
    case 0:
        if (node->n_inputs) cnnfi_edit_set_input(edit, node, 0, cnnfi_end(other, 0));
        break;
    case 1:
        cnnfi_edit_add_control(edit, node, other);
        break;
    case 2:
        if (node->n_inputs > 1) cnnfi_edit_remove_input(edit, node, node->n_inputs - 1);
        break;
    case 3:
        cnnfi_edit_redirect(edit, node, 0, cnnfi_end(other, 0), NULL);
        break;
    case 4:
        if (node->n_inputs == 1 && node->edges[0].port == 0) cnnfi_edit_set_op(edit, node, ops[random_below(4)]);
        break;
    case 5:
        value = tensor_of(edit->b->graph->context, (float)random_below(9), 1);
        if (strcmp(node->op, "Const") == 0) {
            cnnfi_node_set_tensor(edit->b, node, "value", value);
            cnnfi_edit_touch(edit, node);
        }
        cnnf_tensor_unref(value);
        break;
    default:
        if (node->n_inputs == 1 && node->edges[0].port == 0 && node->edges[0].node < node->index)
            cnnfi_edit_bypass(edit, node, cnnfi_edit_input(node, 0));
    }
}

START_TEST(random_edits_keep_lists_and_tables)
{
    cnnf_context *context = test_context();
    state = (uint64_t)_i + 1;
    cnnf_graph *graph = arithmetic(context);
    cnnfi_edit edit;
    cnnfi_values kept;
    ck_assert_int_eq(cnnfi_edit_begin(&edit, graph, NULL, NULL), CNNF_OK);
    cnnfi_values_init(&kept, &edit, false);
    for (int i = 0; i < 40; i++) { /* a longer graph: a chain with shortcuts */
        cnnf_node *node = cnnfi_edit_add(&edit, i % 3 ? "Neg" : "Add", cnnfi_edit_unique(&edit, "n"));
        cnnfi_node_set_type(edit.b, node, "T", CNNF_FLOAT);
        for (int k = 0; k < (i % 3 ? 1 : 2); k++)
            cnnfi_edit_add_input(&edit, node, cnnfi_end(edit.b->graph->nodes[random_below(edit.count - 1)], 0));
    }
    for (int i = 0; i < 60; i++) {
        change_something(&edit);
        check_users(&edit);
        check_tables(&edit, &kept);
    }
    ck_assert_int_eq(edit.b->status, CNNF_OK);
    cnnfi_edit_free(&edit);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* ---- inlining ---- */

static cnnfi_function *add_function(cnnfi_builder *b, const char *name, const char *returns)
{
    cnnfi_function *f = cnnfi_builder_add_function(b, name);
    f->inputs = cnnfi_builder_array(b, 1, sizeof *f->inputs);
    f->outputs = cnnfi_builder_array(b, 1, sizeof *f->outputs);
    f->inputs[0] = (cnnfi_arg){.name = "a", .type = CNNF_FLOAT};
    f->outputs[0] = (cnnfi_arg){.name = "r", .type = CNNF_FLOAT};
    f->n_inputs = f->n_outputs = f->n_ret = 1;
    f->ret = cnnfi_builder_array(b, 1, sizeof *f->ret);
    f->ret[0] = (cnnfi_pair){"r", returns};
    return f;
}

static cnnf_node *add_to(cnnfi_builder *b, cnnfi_function *f, const char *op, const char *name, const char *input)
{
    cnnf_node *node = f ? cnnfi_function_add(b, f, op, name) : cnnfi_builder_add(b, op, name);
    cnnfi_node_set_type(b, node, "T", CNNF_FLOAT);
    cnnfi_node_add_input(b, node, input);
    return node;
}

/* x -> call of f -> out; f: Relu `inner` of its argument, and an Identity that an older freezer made. */
static cnnfi_builder *calling(cnnf_context *context)
{
    static const graph_row rows[] = {{"Placeholder", "x", {NULL}}};
    cnnfi_builder *b = make_builder(context, rows, 1);
    cnnfi_function *f = add_function(b, "f", "read:value:0");
    add_to(b, f, "Relu", "inner", "a");
    add_to(b, f, "Identity", "read", "inner:activations:0");
    cnnfi_node_set_func(b, add_to(b, NULL, "PartitionedCall", "call", "x"), "f", "f");
    add_to(b, NULL, "Identity", "out", "call");
    return b;
}

static cnnf_graph *inline_once(const cnnf_graph *graph, bool keeps_calls, cnnf_status expected, cnnf_error *error)
{
    cnnfi_edit edit;
    cnnfi_inliner inliner;
    cnnfi_call_site site;
    cnnf_graph *after = NULL;
    ck_assert_int_eq(cnnfi_edit_begin(&edit, graph, NULL, NULL), CNNF_OK);
    cnnfi_inliner_init(&inliner, &edit, keeps_calls);
    for (size_t i = 0; i < edit.count && !edit.b->status; i++) {
        if (cnnfi_find_call(&site, &edit, edit.b->graph->nodes[i])) cnnfi_inline(&inliner, &site);
    }
    cnnfi_inliner_finish(&inliner);
    cnnfi_inliner_free(&inliner);
    ck_assert_int_eq(cnnfi_builder_publish(&after, cnnfi_edit_finish(&edit), error), expected);
    return after;
}

/* Both ways of inlining take the same bodies: an output of an op with one output has one name. */
START_TEST(bodies_take_the_place_of_calls)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = publish(calling(context));
    for (int keeps = 0; keeps < 2; keeps++) {
        cnnf_graph *after = inline_once(graph, keeps, CNNF_OK, NULL);
        ck_assert_names(after, "x call/inner call/read out");
        ck_assert_reads(after, "call/inner", "x");
        ck_assert_reads(after, "out", "call/read");
        cnnf_graph_unref(after);
    }
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(who_waits_for_a_call_goes_on_waiting)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = calling(context);
    cnnfi_node_add_control(b, add_to(b, NULL, "Identity", "later", "x"), "call");
    cnnf_graph *graph = publish(b);
    cnnf_graph *kept = inline_once(graph, true, CNNF_OK, NULL), *taken = inline_once(graph, false, CNNF_OK, NULL);
    ck_assert_reads(kept, "later", "x ^call");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(kept, "call")), "Identity");
    ck_assert_reads(taken, "later", "x ^call/read");
    cnnf_graph_unref(kept);
    cnnf_graph_unref(taken);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(bodies_that_are_not_understood_are_refused)
{
    static const struct {
        const char *returns, *input, *message;
    } cases[] = {
        {"read:value:0", "nobody:out:0", "function 'f': input 'nobody:out:0': names no node"},
        {"nobody:out:0", "a", "function 'f': input 'nobody:out:0': names no node"},
        {"read:value:x", "a", "function 'f': input 'read:value:x': no output number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cnnf_context *context = test_context();
        cnnfi_builder *b = calling(context);
        cnnf_error error = {.offset = -1};
        cnnfi_function *f = b->graph->functions[0];
        f->ret[0].value = cases[i].returns;
        cnnfi_node_set_input(b, f->nodes[0], 0, cases[i].input);
        cnnf_graph *graph = publish(b);
        ck_assert_ptr_null(inline_once(graph, true, CNNF_E_UNSUPPORTED, &error));
        ck_assert_msg(strstr(error.message, cases[i].message) != NULL, "%s", error.message);
        cnnf_graph_unref(graph);
        test_context_done(context);
    }
}
END_TEST

/* f calls g, which calls f; and functions that each call the next one twice. */
START_TEST(recursion_and_size_are_bounded)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = calling(context);
    cnnf_error error = {.offset = -1};
    cnnfi_node_set_func(b, add_to(b, b->graph->functions[0], "PartitionedCall", "to_g", "a"), "f", "g");
    cnnfi_function *g = add_function(b, "g", "to_f:output:0");
    cnnfi_node_set_func(b, add_to(b, g, "PartitionedCall", "to_f", "a"), "f", "f");
    cnnf_graph *graph = publish(b);
    ck_assert_ptr_null(inline_once(graph, false, CNNF_E_CORRUPT, &error));
    ck_assert_msg(strstr(error.message, "cycle: f -> g -> f") != NULL, "%s", error.message);
    cnnf_graph_unref(graph);
    test_context_done(context);

    cnnf_context_options *options = NULL;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_limit(options, CNNF_LIMIT_NODES, 1000, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_new(&context, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    b = calling(context);
    for (int i = 0; i < 30; i++) {
        char name[8], next[8];
        snprintf(name, sizeof name, "f%d", i);
        snprintf(next, sizeof next, "f%d", i + 1);
        cnnfi_function *f = add_function(b, name, "v:output:0");
        cnnfi_node_set_func(b, add_to(b, f, "PartitionedCall", "u", "a"), "f", next);
        cnnfi_node_set_func(b, add_to(b, f, "PartitionedCall", "v", "u:output:0"), "f", next);
    }
    add_to(b, add_function(b, "f30", "id:output:0"), "Identity", "id", "a");
    cnnfi_node_set_func(b, cnnfi_builder_find(b, "call"), "f", "f0");
    graph = publish(b);
    ck_assert_ptr_null(inline_once(graph, true, CNNF_E_LIMIT, &error));
    ck_assert_msg(strstr(error.message, "max_nodes") != NULL, "%s", error.message);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* ---- out of memory ---- */

static long countdown;

static void *failing_malloc(size_t size, void *user)
{
    (void)user;
    return countdown > 0 && --countdown == 0 ? NULL : malloc(size);
}

static void *failing_realloc(void *block, size_t size, void *user)
{
    (void)user;
    return countdown > 0 && --countdown == 0 ? NULL : realloc(block, size);
}

static void failing_free(void *block, void *user)
{
    (void)user;
    free(block);
}

/* Everything once; CNNF_OK or what failed. */
static cnnf_status edit_all(const cnnf_graph *graph)
{
    cnnfi_edit edit;
    cnnfi_values values;
    cnnfi_inliner inliner;
    cnnfi_call_site site;
    cnnf_graph *after = NULL;
    CNNFI_TRY(cnnfi_edit_begin(&edit, graph, NULL, NULL));
    cnnfi_values_init(&values, &edit, false);
    cnnfi_inliner_init(&inliner, &edit, true);
    cnnf_node *call = find(&edit, "call"), *out = find(&edit, "out");
    if (cnnfi_find_call(&site, &edit, call)) cnnfi_inline(&inliner, &site);
    cnnfi_value_input(&values, out, 0);
    cnnf_node *more = cnnfi_edit_add(&edit, "Relu", cnnfi_edit_unique(&edit, "%s_more", "out"));
    cnnfi_edit_add_input(&edit, more, cnnfi_edit_input(out, 0));
    cnnfi_edit_set_input(&edit, out, 0, cnnfi_end(more, 0));
    cnnfi_value_input(&values, out, 0);
    cnnfi_inliner_finish(&inliner);
    cnnfi_inliner_free(&inliner);
    const cnnf_status status = cnnfi_builder_publish(&after, cnnfi_edit_finish(&edit), NULL);
    ck_assert((after != NULL) == (status == CNNF_OK));
    cnnf_graph_unref(after);
    return status;
}

START_TEST(out_of_memory_is_reported)
{
    cnnf_context_options *options = NULL;
    cnnf_context *context = NULL;
    cnnf_status status = CNNF_E_NOMEM;
    countdown = 0;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    cnnf_context_options_set_allocator(options, failing_malloc, failing_realloc, failing_free, NULL, NULL);
    ck_assert_int_eq(cnnf_context_new(&context, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    cnnf_graph *graph = publish(calling(context));
    const uint64_t before = cnnf_context_memory(context, 0);
    long n = 0;
    while (status != CNNF_OK) {
        countdown = ++n;
        status = edit_all(graph);
        ck_assert_msg(status == CNNF_OK || status == CNNF_E_NOMEM, "allocation %ld: %d", n, (int)status);
        ck_assert_uint_eq(cnnf_context_memory(context, 0), before);
    }
    ck_assert_int_gt(n, 20);
    countdown = 0;
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

static Suite *edit_suite(void)
{
    Suite *suite = suite_create("edit");
    TCase *tests = tcase_create("edit");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, users_are_counted);
    tcase_add_test(tests, what_changes_is_written_anew);
    tcase_add_test(tests, bypassed_nodes_go_or_become_identity);
    tcase_add_test(tests, a_node_may_be_redirected_to_itself);
    tcase_add_test(tests, a_removed_node_that_is_read_is_a_failure);
    tcase_add_test(tests, new_nodes_stand_before_their_first_reader);
    tcase_add_test(tests, long_chains_find_their_order);
    tcase_add_test(tests, walks_go_from_the_inputs_on);
    tcase_add_test(tests, values_and_shapes_follow_edits);
    tcase_add_test(tests, switches_hand_on_predicates_only);
    tcase_add_loop_test(tests, random_edits_keep_lists_and_tables, 0, 40);
    tcase_add_test(tests, bodies_take_the_place_of_calls);
    tcase_add_test(tests, who_waits_for_a_call_goes_on_waiting);
    tcase_add_test(tests, bodies_that_are_not_understood_are_refused);
    tcase_add_test(tests, recursion_and_size_are_bounded);
    tcase_add_test(tests, out_of_memory_is_reported);
    return suite;
}

TEST_MAIN(edit_suite)
