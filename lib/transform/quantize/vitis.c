/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/quantize/vitis.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "edit/constants.h"
#include "graph/tensor.h"

/* ---- notes ---- */

void cnnfi_quantize_say(cnnfi_quantize_notes *notes, const char *node, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cnnfi_quantize_note *note = cnnfi_arena_array(notes->arena, 1, sizeof *note);
    if (!note) return;
    *note = (cnnfi_quantize_note){.node = cnnfi_arena_strdup(notes->arena, node),
                                  .text = cnnfi_arena_strdup(notes->arena, text)};
    if (!note->node || !note->text) return;
    *(notes->first ? notes->end : &notes->first) = note;
    notes->end = &note->next;
}

/* ---- an edit ---- */

static void protect(const cnnf_graph *graph, bool *protection, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const cnnf_node *node = cnnf_graph_find(graph, names[i]);
        if (node) protection[node->index] = true;
    }
}

cnnf_status cnnfi_vitis_begin(cnnfi_vitis *v, cnnfi_edit *edit, const cnnf_graph *graph,
                              const cnnfi_quantize_options *options, cnnfi_quantize_notes *notes, cnnf_error *error)
{
    *v = (cnnfi_vitis){.options = options, .notes = notes, .edit = edit};
    *edit = (cnnfi_edit){0};
    bool *protection = cnnfi_calloc(graph->context, graph->n_nodes + 1, sizeof *protection);
    if (!protection) return cnnfi_fail_nomem(error);
    protect(graph, protection, options->inputs, options->n_inputs);
    protect(graph, protection, options->outputs, options->n_outputs);
    const cnnf_status status = cnnfi_edit_begin(edit, graph, protection, error);
    cnnfi_free(graph->context, protection);
    return status;
}

cnnf_status cnnfi_vitis_end(cnnfi_vitis *v, cnnf_graph **out, cnnf_error *error)
{
    return cnnfi_builder_publish(out, cnnfi_edit_finish(v->edit), error);
}

/* ---- looking ---- */

bool cnnfi_vitis_is(const cnnf_node *node, const char *ops)
{
    const size_t length = node ? strlen(node->op) : 0;
    for (const char *at = ops; length && (at = strstr(at, node->op)); at++) {
        const bool begins = at == ops || at[-1] == '|', ends = at[length] == '|' || !at[length];
        if (begins && ends) return true;
    }
    return false;
}

cnnf_node *cnnfi_vitis_input(const cnnfi_vitis *v, const cnnf_node *node, size_t input)
{
    if (!node || input >= cnnfi_node_data_inputs(node)) return NULL;
    return cnnfi_edit_producer(v->edit, node, input, NULL);
}

cnnf_node *cnnfi_vitis_const(const cnnfi_vitis *v, const cnnf_node *node, size_t input)
{
    cnnf_node *from = cnnfi_vitis_input(v, node, input);
    if (!from || strcmp(from->op, "Const")) return NULL;
    const cnnf_tensor *value = cnnf_node_attr_tensor(from, "value");
    return value && cnnf_tensor_dtype(value) == CNNF_FLOAT ? from : NULL;
}

bool cnnfi_vitis_is_private(const cnnfi_vitis *v, const cnnf_node *node)
{
    return node && cnnfi_edit_user_count(v->edit, node, CNNFI_PORT_ANY) == 1 && !cnnfi_edit_is_protected(v->edit, node);
}

bool cnnfi_vitis_is_float(const cnnf_node *node)
{
    const cnnf_dtype type = cnnfi_node_type(node, "T");
    return (type ? type : cnnfi_node_type(node, "dtype")) == CNNF_FLOAT;
}

size_t cnnfi_vitis_data_input(const cnnf_node *product)
{
    return strcmp(product->op, "Conv2DBackpropInput") == 0 ? 2 : 0;
}

/* ---- numbers ---- */

cnnfi_vitis_floats cnnfi_vitis_load(cnnfi_vitis *v, const cnnf_node *node, size_t input)
{
    cnnfi_vitis_floats out = {0};
    cnnfi_builder *b = v->edit->b;
    const cnnf_node *from = cnnfi_vitis_const(v, node, input);
    const cnnf_tensor *value = from ? cnnf_node_attr_tensor(from, "value") : NULL;
    cnnf_tensor *loaded = NULL;
    if (!value || b->status) return out;
    b->status = cnnf_tensor_load(&loaded, value, b->error);
    if (!b->status)
        b->status = cnnf_tensor_new(&out.tensor, b->graph->context, CNNF_FLOAT, cnnf_tensor_rank(value),
                                    cnnfi_tensor_dims(value), b->error);
    if (!b->status) {
        out.count = cnnf_tensor_element_count(value);
        out.rank = cnnf_tensor_rank(value);
        out.dims = cnnfi_tensor_dims(value);
        out.data = cnnf_tensor_data_mut(out.tensor);
        if (out.count) memcpy(out.data, cnnf_tensor_data(loaded), (size_t)out.count * sizeof *out.data);
    }
    cnnf_tensor_unref(loaded);
    return out;
}

void cnnfi_vitis_store(cnnfi_vitis *v, cnnf_node *node, size_t input, cnnfi_vitis_floats *floats)
{
    cnnfi_edit_own_const(v->edit, node, input, floats->tensor);
    cnnfi_vitis_drop(floats);
}

void cnnfi_vitis_drop(cnnfi_vitis_floats *floats)
{
    cnnf_tensor_unref(floats->tensor);
    *floats = (cnnfi_vitis_floats){0};
}

cnnf_node *cnnfi_vitis_vector(cnnfi_vitis *v, const float *numbers, int64_t count, const char *format, ...)
{
    cnnfi_builder *b = v->edit->b;
    char name[1024];
    cnnf_tensor *tensor = NULL;
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(name, sizeof name, format, args);
    va_end(args);
    if (b->status) return NULL;
    if (length < 0 || (size_t)length >= sizeof name) {
        cnnfi_builder_fail(b, CNNF_E_LIMIT, "a node's name is longer than %d", (int)sizeof name);
        return NULL;
    }
    b->status = cnnfi_tensor_copy(&tensor, b->graph->context, CNNF_FLOAT, 1, &count, numbers, b->error);
    if (b->status) return NULL;
    /* The tool writes tensor_content, also of one number. */
    cnnfi_tensor_set_encoding(tensor, CNNFI_ENCODING_CONTENT);
    cnnf_node *node = cnnfi_edit_const(v->edit, tensor, "%s", name);
    cnnf_tensor_unref(tensor);
    return node;
}

/* ---- channels ---- */

cnnfi_vitis_channels cnnfi_vitis_output_channels(const cnnf_node *product, int32_t rank, const int64_t *dims)
{
    if (strcmp(product->op, "MatMul") == 0 && rank == 2) {
        const bool turned = cnnf_node_attr_bool(product, "transpose_b", 0) != 0;
        return (cnnfi_vitis_channels){dims[!turned], turned ? dims[1] : 1};
    }
    if (strcmp(product->op, "Conv2DBackpropInput") == 0 && rank == 4) return (cnnfi_vitis_channels){dims[2], dims[3]};
    if (cnnfi_vitis_is(product, "DepthwiseConv2d|DepthwiseConv2dNative") && rank == 4)
        return (cnnfi_vitis_channels){dims[2] * dims[3], 1};
    if (cnnfi_vitis_is(product, "Conv2D|Conv3D") && rank >= 4) return (cnnfi_vitis_channels){dims[rank - 1], 1};
    return (cnnfi_vitis_channels){0, 1};
}

cnnfi_vitis_channels cnnfi_vitis_input_channels(const cnnf_node *product, int32_t rank, const int64_t *dims)
{
    if (cnnfi_vitis_is(product, "Conv2D|DepthwiseConv2d|DepthwiseConv2dNative") && rank == 4)
        return (cnnfi_vitis_channels){dims[2], dims[3]};
    return (cnnfi_vitis_channels){0, 1};
}
