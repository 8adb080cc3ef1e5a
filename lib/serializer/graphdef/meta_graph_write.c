/* SPDX-License-Identifier: Apache-2.0 */
/* PREFIX.meta: a MetaGraphDef as Saver.export_meta_graph() writes it (tensorflow/core/protobuf/meta_graph.proto). */
#include "serializer/graphdef/meta_graph_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/wire.h"
#include "ops/op_table.h"
#include "serializer/graphdef/graphdef_pb.h"

#define MAX_TO_KEEP        5
#define KEEP_EVERY_N_HOURS 10000.0f
#define SAVER_VERSION_V2   2
#define OP_RELEASE         CNNFI_RELEASE_NEWEST

enum { META_INFO_DEF = 1, META_GRAPH_DEF = 2, META_SAVER_DEF = 3, META_COLLECTION_DEF = 4 };

static int compare_ops(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* OpList {op = 1}: the OpDefs of the ops in use, by name; ops that are not known have none. */
static void put_op_list(cnnfi_strbuf *list, const char **ops, size_t count)
{
    cnnfi_strbuf op;
    cnnfi_strbuf_init(&op, list->context);
    qsort(ops, count, sizeof *ops, compare_ops);
    for (size_t i = 0; i < count; i++) {
        if (i && strcmp(ops[i - 1], ops[i]) == 0) continue;
        op.size = 0;
        if (cnnfi_op_def_bytes(&op, ops[i], OP_RELEASE)) cnnfi_put_bytes(list, 1, op.data, op.size);
    }
    list->failed |= op.failed;
    cnnfi_strbuf_free(&op);
}

static size_t collect_ops(const char **ops, const cnnf_graph *graph)
{
    size_t count = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        ops[count++] = graph->nodes[i]->op;
    for (size_t f = 0; f < graph->n_functions; f++) {
        for (size_t i = 0; i < graph->functions[f]->n_nodes; i++)
            ops[count++] = graph->functions[f]->nodes[i]->op;
    }
    return count;
}

/* MetaInfoDef {stripped_op_list = 2}: with it an importer knows which attributes the writer's defaults are. */
static void put_meta_info(cnnfi_strbuf *out, const cnnf_graph *graph)
{
    size_t total = graph->n_nodes;
    cnnfi_strbuf list, info;
    for (size_t f = 0; f < graph->n_functions; f++)
        total += graph->functions[f]->n_nodes;
    const char **ops = cnnfi_array(out->context, total, sizeof *ops);
    cnnfi_strbuf_init(&list, out->context);
    cnnfi_strbuf_init(&info, out->context);
    if (ops) put_op_list(&list, ops, collect_ops(ops, graph));
    cnnfi_put_bytes(&info, 2, list.data, list.size);
    cnnfi_put_bytes(out, META_INFO_DEF, info.data, info.size);
    out->failed |= !ops || list.failed || info.failed;
    cnnfi_free(out->context, ops);
    cnnfi_strbuf_free(&list);
    cnnfi_strbuf_free(&info);
}

/* SaverDef {filename_tensor_name, save_tensor_name, restore_op_name, max_to_keep, keep_..._hours = 6, version = 7}. */
static void put_saver_def(cnnfi_strbuf *out, const cnnfi_meta *meta)
{
    const float hours = KEEP_EVERY_N_HOURS;
    uint32_t bits;
    cnnfi_strbuf message;
    cnnfi_strbuf_init(&message, out->context);
    memcpy(&bits, &hours, sizeof bits);
    cnnfi_put_string(&message, 1, meta->saver_filename_tensor);
    cnnfi_put_string(&message, 2, meta->saver_save_tensor);
    cnnfi_put_string(&message, 3, meta->saver_restore_op);
    cnnfi_put_int(&message, 4, MAX_TO_KEEP);
    cnnfi_put_fixed32(&message, 6, bits);
    cnnfi_put_int(&message, 7, SAVER_VERSION_V2);
    cnnfi_put_bytes(out, META_SAVER_DEF, message.data, message.size);
    out->failed |= message.failed;
    cnnfi_strbuf_free(&message);
}

static void put_nonempty(cnnfi_strbuf *out, uint32_t number, const char *text)
{
    if (text && *text) cnnfi_put_string(out, number, text);
}

/* VariableDef, as one value of a bytes_list. */
static void put_variable(cnnfi_strbuf *list, const cnnfi_variable_def *v)
{
    cnnfi_strbuf message;
    cnnfi_strbuf_init(&message, list->context);
    put_nonempty(&message, 1, v->variable_name);
    put_nonempty(&message, 2, v->initializer_name);
    put_nonempty(&message, 3, v->snapshot_name);
    if (v->is_resource) cnnfi_put_int(&message, 5, 1);
    put_nonempty(&message, 6, v->initial_value_name);
    if (v->trainable) cnnfi_put_int(&message, 7, 1);
    cnnfi_put_bytes(list, 1, message.data, message.size);
    list->failed |= message.failed;
    cnnfi_strbuf_free(&message);
}

/* ---- variables of a graph that came without collections ---- */

typedef struct variable_names {
    char variable[512], initializer[512], initial_value[512], snapshot[512];
} variable_names;

static bool print_name(char out[512], const char *node, const char *suffix)
{
    const int n = snprintf(out, 512, "%s%s", node, suffix);
    return n > 0 && n < 512;
}

/* `node` + `suffix` when the graph has it, with the output's number when `port` says so. */
static bool print_existing(char out[512], const cnnf_graph *graph, const char *node, const char *suffix,
                           const char *port)
{
    const int n = snprintf(out, 512, "%s%s", node, suffix);
    return n > 0 && n + 3 < 512 && cnnf_graph_find(graph, out) && memcpy(out + n, port, strlen(port) + 1);
}

/* Only a variable with its assignment and its reading can be rebuilt by TensorFlow. */
static bool describe(cnnfi_variable_def *out, variable_names *names, const cnnf_graph *graph, const cnnf_node *node)
{
    const bool resource = strcmp(node->op, "VarHandleOp") == 0;
    if (!print_name(names->variable, node->name, ":0")) return false;
    if (!print_existing(names->initializer, graph, node->name, "/Assign", "")) return false;
    const char *read = resource ? "/Read/ReadVariableOp" : "/read";
    if (!print_existing(names->snapshot, graph, node->name, read, ":0")) return false;
    const cnnf_node *assign = cnnf_graph_find(graph, names->initializer);
    if (cnnfi_node_data_inputs(assign) < 2) return false;
    if (!print_name(names->initial_value, assign->inputs[1], strchr(assign->inputs[1], ':') ? "" : ":0")) return false;
    *out = (cnnfi_variable_def){.variable_name = names->variable,
                                .initial_value_name = names->initial_value,
                                .initializer_name = names->initializer,
                                .snapshot_name = names->snapshot,
                                .is_resource = resource,
                                .trainable = true};
    return true;
}

static void put_variables(cnnfi_strbuf *list, const cnnf_graph *graph, bool trainable_only)
{
    cnnfi_variable_def v;
    variable_names names;
    for (size_t i = 0; i < graph->meta.n_variables; i++) {
        if (graph->meta.variables[i].trainable || !trainable_only) put_variable(list, &graph->meta.variables[i]);
    }
    for (size_t i = 0; graph->meta.n_variables == 0 && i < graph->n_nodes; i++) {
        if (cnnfi_op_is_variable(graph->nodes[i]->op) && describe(&v, &names, graph, graph->nodes[i]))
            put_variable(list, &v);
    }
}

/* One entry of collection_def: {key, CollectionDef {bytes_list = 2 {value = 1 ...}}}. */
static void put_collection(cnnfi_strbuf *out, const cnnf_graph *graph, const char *key, bool trainable_only)
{
    cnnfi_strbuf list, collection, entry;
    cnnfi_strbuf_init(&list, out->context);
    cnnfi_strbuf_init(&collection, out->context);
    cnnfi_strbuf_init(&entry, out->context);
    put_variables(&list, graph, trainable_only);
    if (list.size) {
        cnnfi_put_bytes(&collection, 2, list.data, list.size);
        cnnfi_put_string(&entry, 1, key);
        cnnfi_put_bytes(&entry, 2, collection.data, collection.size);
        cnnfi_put_bytes(out, META_COLLECTION_DEF, entry.data, entry.size);
    }
    out->failed |= list.failed || collection.failed || entry.failed;
    cnnfi_strbuf_free(&list);
    cnnfi_strbuf_free(&collection);
    cnnfi_strbuf_free(&entry);
}

static cnnf_status write_buf(cnnfi_sink *sink, cnnfi_strbuf *buf, cnnf_error *error)
{
    const cnnf_status status =
        buf->failed ? cnnfi_fail_nomem(error) : cnnfi_sink_write(sink, buf->data, buf->size, error);
    buf->size = 0;
    return status;
}

cnnf_status cnnfi_meta_graph_write(const cnnf_graph *graph, cnnfi_sink *sink, cnnf_error *error)
{
    uint64_t size;
    cnnfi_strbuf buf;
    CNNFI_TRY(cnnfi_graphdef_measure(&size, graph, error));
    cnnfi_strbuf_init(&buf, graph->context);
    put_meta_info(&buf, graph);
    cnnfi_put_tag(&buf, META_GRAPH_DEF, CNNFI_WIRE_BYTES);
    cnnfi_put_varint(&buf, size);
    cnnf_status status = write_buf(sink, &buf, error);
    if (status == CNNF_OK) status = cnnfi_graphdef_write(graph, sink, error);
    put_saver_def(&buf, &graph->meta);
    put_collection(&buf, graph, "trainable_variables", true);
    put_collection(&buf, graph, "variables", false);
    if (status == CNNF_OK) status = write_buf(sink, &buf, error);
    cnnfi_strbuf_free(&buf);
    return status;
}
