/* SPDX-License-Identifier: Apache-2.0 */
/* Putting function bodies in place of calls: see inline_call.h. */
#include "edit/inline_call.h"

#include <string.h>

#include "base/error.h"
#include "base/num.h"
#include "graph/builder.h"
#include "ops/op_table.h"

typedef struct inlining {
    cnnfi_edit *edit;
    cnnf_node *call;
    const cnnfi_function *function;
    size_t first_input;
    cnnfi_edge *arguments; /* [function->n_inputs] what the call was given */
    cnnf_node **copies;    /* [function->n_nodes] */
    cnnfi_strmap places;   /* body node name -> position */
} inlining;

static void refuse(const inlining *in, const char *what, const char *where)
{
    cnnfi_builder_fail(in->edit->b, CNNF_E_UNSUPPORTED, "node '%s': function '%s': %s '%s'", in->call->name,
                       in->function->name, what, where);
}

/* ---- inputs inside a function: "argument", "node:output:2", "^node" ---- */

static int64_t argument_index(const cnnfi_function *f, const char *name, size_t length)
{
    for (size_t i = 0; i < f->n_inputs; i++) {
        if (strlen(f->inputs[i].name) == length && memcmp(f->inputs[i].name, name, length) == 0) return (int64_t)i;
    }
    return -1;
}

static int64_t list_length(const cnnf_node *node, const cnnfi_op_arg *arg)
{
    if (arg->number_attr) return cnnf_node_attr_int(node, arg->number_attr, 1);
    return arg->type_list_attr ? cnnf_node_attr_list_count(node, arg->type_list_attr) : 1;
}

/* "output:2" of a node as a port: outputs before that argument count too. */
static int64_t port_of(const cnnf_node *node, const char *output, size_t length, int64_t index)
{
    const cnnfi_op *op = cnnfi_op_find(node->op);
    int64_t port = index;
    /* One output has one name; freezers that turn ReadVariableOp into Identity leave the old one (`value`) behind. */
    if (!op || op->n_outputs == 1) return index;
    for (size_t i = 0; i < op->n_outputs; i++) {
        const cnnfi_op_arg *arg = cnnfi_op_output(op, i);
        if (strlen(arg->name) == length && memcmp(arg->name, output, length) == 0) return port;
        port += list_length(node, arg);
    }
    return -1;
}

static const cnnfi_edge not_understood = {.node = -1};

static cnnfi_edge translate_output(const inlining *in, const char *input, const char *colon)
{
    const int64_t at = cnnfi_strmap_get_n(&in->places, input, (size_t)(colon - input));
    const char *output = colon + 1, *second = strchr(output, ':');
    const size_t length = second ? (size_t)(second - output) : strlen(output);
    int64_t index = 0;
    if (at < 0 || (second && !cnnfi_parse_i64(second + 1, strlen(second + 1), &index)) || index < 0)
        return not_understood;
    const int64_t port = port_of(in->function->nodes[at], output, length, index);
    return port < 0 || port > INT32_MAX ? not_understood : cnnfi_end(in->copies[at], (int32_t)port);
}

/* What an input of the body is outside. */
static cnnfi_edge translate(const inlining *in, const char *input)
{
    if (input[0] == '^') {
        const int64_t at = cnnfi_strmap_get(&in->places, input + 1);
        return at < 0 ? not_understood : cnnfi_end(in->copies[at], CNNFI_PORT_CONTROL);
    }
    const char *colon = strchr(input, ':');
    const size_t length = colon ? (size_t)(colon - input) : strlen(input);
    const int64_t argument = argument_index(in->function, input, length);
    if (argument >= 0) return in->arguments[argument];
    return colon ? translate_output(in, input, colon) : not_understood;
}

/* ---- the body ---- */

static bool has_placeholder(const cnnf_node *node)
{
    for (size_t i = 0; i < node->n_attrs; i++) {
        if (node->attrs[i].kind == CNNF_ATTR_PLACEHOLDER) return true;
    }
    return false;
}

static bool copy_nodes(inlining *in)
{
    cnnfi_builder *b = in->edit->b;
    for (size_t i = 0; i < in->function->n_nodes; i++) {
        const cnnf_node *node = in->function->nodes[i];
        if (has_placeholder(node)) refuse(in, "types are arguments at", node->name);
        in->copies[i] =
            cnnfi_edit_copy(in->edit, node, cnnfi_edit_unique(in->edit, "%s/%s", in->call->name, node->name));
        if (!in->copies[i]) return false;
        if (!cnnfi_strmap_set(&in->places, node->name, (int64_t)i)) b->status = cnnfi_fail_nomem(b->error);
    }
    return !b->status;
}

static void connect_nodes(inlining *in)
{
    for (size_t i = 0; i < in->function->n_nodes; i++) {
        const cnnf_node *node = in->function->nodes[i];
        for (size_t k = 0; k < node->n_inputs && !in->edit->b->status; k++) {
            const cnnfi_edge input = translate(in, node->inputs[k]);
            if (input.node < 0) refuse(in, "unknown input", node->inputs[k]);
            cnnfi_edit_add_input(in->edit, in->copies[i], input);
        }
    }
}

static cnnfi_edge returned(const inlining *in, size_t output)
{
    const char *name = in->function->outputs[output].name;
    for (size_t i = 0; i < in->function->n_ret; i++) {
        if (strcmp(in->function->ret[i].key, name) == 0) return translate(in, in->function->ret[i].value);
    }
    return not_understood;
}

/* ---- the call ---- */

static bool take_arguments(inlining *in)
{
    const size_t given = cnnfi_node_data_inputs(in->call);
    in->arguments = cnnfi_edit_array(in->edit, in->function->n_inputs, sizeof *in->arguments);
    in->copies = cnnfi_edit_array(in->edit, in->function->n_nodes, sizeof(cnnf_node *));
    if (!in->arguments || !in->copies) return false;
    if (given < in->first_input || given - in->first_input != in->function->n_inputs) {
        refuse(in, "is called with another number of arguments by", in->call->name);
        return false;
    }
    for (size_t i = 0; i < in->function->n_inputs; i++) {
        in->arguments[i] = in->call->edges[in->first_input + i];
    }
    return !in->edit->b->status;
}

/* A protected call keeps its name and its outputs. */
static void keep_call(inlining *in, const cnnfi_edge *results, size_t count)
{
    cnnfi_edit *edit = in->edit;
    int32_t *types = cnnfi_edit_array(edit, count, sizeof *types);
    if (!types) return;
    for (size_t i = 0; i < count; i++)
        types[i] = in->function->outputs[i].type;
    cnnfi_edit_reset(edit, in->call, count == 1 ? "Identity" : "IdentityN");
    for (size_t i = 0; i < count; i++)
        cnnfi_edit_add_input(edit, in->call, results[i]);
    if (count == 1)
        cnnfi_node_set_type(edit->b, in->call, "T", types[0]);
    else
        cnnfi_node_set_types(edit->b, in->call, "T", types, count);
}

static void replace_call(inlining *in)
{
    cnnfi_edit *edit = in->edit;
    const size_t count = in->function->n_outputs;
    cnnfi_edge *results = cnnfi_edit_array(edit, count, sizeof *results);
    for (size_t i = 0; results && i < count; i++) {
        results[i] = returned(in, i);
        if (results[i].node < 0) refuse(in, "does not say what it returns as", in->function->outputs[i].name);
    }
    if (!results || edit->b->status) return;
    for (size_t i = 0; i < count; i++)
        cnnfi_edit_redirect(edit, in->call, (int32_t)i, results[i], NULL);
    if (cnnfi_edit_is_protected(edit, in->call) && count) {
        keep_call(in, results, count);
        return;
    }
    /* Who waits for the call waits for its first result, or for nothing. */
    if (count)
        cnnfi_edit_redirect(edit, in->call, CNNFI_PORT_CONTROL, (cnnfi_edge){results[0].node, CNNFI_PORT_CONTROL},
                            NULL);
    else
        cnnfi_edit_stop_waiting(edit, in->call);
    cnnfi_edit_remove(edit, in->call);
}

void cnnfi_inline_call(cnnfi_edit *edit, cnnf_node *call, const cnnfi_function *function, size_t first_input)
{
    inlining in = {.edit = edit, .call = call, .function = function, .first_input = first_input};
    cnnfi_strmap_init(&in.places, edit->b->graph->context);
    if (take_arguments(&in) && copy_nodes(&in)) {
        connect_nodes(&in);
        if (!edit->b->status) replace_call(&in);
    }
    cnnfi_strmap_free(&in.places);
    edit->changes++;
}

/* ---- which function ---- */

const cnnfi_function *cnnfi_function_attr(const cnnfi_edit *edit, const cnnf_node *node, const char *attr)
{
    const cnnfi_attr *a = cnnfi_node_attr(node, attr);
    return a && a->kind == CNNF_ATTR_FUNC ? cnnfi_graph_function(edit->b->graph, a->u.func->name) : NULL;
}

const cnnfi_function *cnnfi_called_function(const cnnfi_edit *edit, const cnnf_node *node)
{
    static const char *const calls[] = {"PartitionedCall", "StatefulPartitionedCall"};
    if (cnnfi_text_in(node->op, calls, 2)) return cnnfi_function_attr(edit, node, "f");
    return cnnfi_op_find(node->op) ? NULL : cnnfi_graph_function(edit->b->graph, node->op);
}
