/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/graphdef/meta_graph_read.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/builder.h"
#include "loader/graphdef/proto_guard.h"

#define DEFAULT_SIGNATURE "serving_default"

/* ---- variables ---- */

static void add_variable(cnnfi_builder *b, const Cnnfi__VariableDef *in)
{
    const cnnfi_variable_def variable = {.variable_name = in->variable_name,
                                         .initial_value_name = in->initial_value_name,
                                         .initializer_name = in->initializer_name,
                                         .snapshot_name = in->snapshot_name,
                                         .is_resource = in->is_resource != 0,
                                         .trainable = in->trainable != 0};
    cnnfi_builder_add_variable(b, &variable);
}

/* The bytes of a collection are a message of their own: through the guard like any other. */
static cnnf_status take_variable(cnnfi_builder *b, const ProtobufCBinaryData *bytes, cnnf_error *error)
{
    cnnf_context *context = b->graph->context;
    cnnfi_source *source = NULL;
    cnnfi_guard guard = {.context = context};
    cnnfi_strbuf copy;
    ProtobufCMessage *message = NULL;
    cnnfi_strbuf_init(&copy, context);
    cnnf_status status =
        cnnfi_source_wrap(&source, context, bytes->data, bytes->len, "collection 'variables'", NULL, NULL, error);
    if (status == CNNF_OK) status = cnnfi_guard_init(&guard, source, error);
    if (status == CNNF_OK)
        status = cnnfi_guard_copy(&guard, &cnnfi__variable_def__descriptor, 0, bytes->len, 0, &copy, error);
    if (status == CNNF_OK)
        status = cnnfi_message_unpack(&message, context, &cnnfi__variable_def__descriptor, copy.data, copy.size, error);
    if (status == CNNF_OK) add_variable(b, (const Cnnfi__VariableDef *)message);
    cnnfi_message_free(context, message);
    cnnfi_guard_free(&guard);
    cnnfi_strbuf_free(&copy);
    cnnfi_source_unref(source);
    return status;
}

static const Cnnfi__CollectionDef *find_collection(const Cnnfi__MetaGraphDef *meta, const char *key)
{
    const Cnnfi__CollectionDef *found = NULL;
    for (size_t i = 0; i < meta->n_collection_def; i++)
        if (strcmp(meta->collection_def[i]->key, key) == 0) found = meta->collection_def[i]->value;
    return found;
}

static cnnf_status take_variables(cnnfi_builder *b, const Cnnfi__MetaGraphDef *meta, cnnf_error *error)
{
    const Cnnfi__CollectionDef *variables = find_collection(meta, "variables");
    if (variables == NULL || variables->kind_case != CNNFI__COLLECTION_DEF__KIND_BYTES_LIST) return CNNF_OK;
    const Cnnfi__CollectionDef__BytesList *list = variables->bytes_list;
    for (size_t i = 0; i < list->n_value; i++)
        CNNFI_TRY(take_variable(b, &list->value[i], error));
    return CNNF_OK;
}

/* ---- saver ---- */

static void take_saver(cnnfi_builder *b, const Cnnfi__SaverDef *saver)
{
    cnnfi_meta *meta = &b->graph->meta;
    if (saver == NULL) return;
    const char *const names[] = {saver->filename_tensor_name, saver->save_tensor_name, saver->restore_op_name};
    for (size_t i = 0; i < 3; i++) {
        if (strlen(names[i]) > cnnfi_limit(b->graph->context, CNNF_LIMIT_NAME_BYTES))
            cnnfi_builder_fail(b, CNNF_E_LIMIT, "saver: a name of %zu bytes exceeds %s", strlen(names[i]),
                               cnnf_limit_name(CNNF_LIMIT_NAME_BYTES));
    }
    meta->saver_filename_tensor = cnnfi_builder_strdup(b, saver->filename_tensor_name);
    meta->saver_save_tensor = cnnfi_builder_strdup(b, saver->save_tensor_name);
    meta->saver_restore_op = cnnfi_builder_strdup(b, saver->restore_op_name);
}

/* ---- signatures ---- */

static const Cnnfi__SignatureDef *signature_named(const Cnnfi__MetaGraphDef *meta, const char *name)
{
    for (size_t i = meta->n_signature_def; i > 0; i--)
        if (strcmp(meta->signature_def[i - 1]->key, name) == 0) return meta->signature_def[i - 1]->value;
    return NULL;
}

/* TensorFlow's own initialisation signature is none to run a model by. */
static const Cnnfi__SignatureDef *only_signature(const Cnnfi__MetaGraphDef *meta)
{
    const Cnnfi__SignatureDef *found = NULL;
    for (size_t i = 0; i < meta->n_signature_def; i++) {
        if (strncmp(meta->signature_def[i]->key, "__saved_model_", 14) == 0) continue;
        if (found != NULL) return NULL;
        found = meta->signature_def[i]->value;
    }
    return found;
}

static cnnf_status fail_signature(const Cnnfi__MetaGraphDef *meta, const char *wanted, cnnf_context *context,
                                  cnnf_error *error)
{
    cnnfi_strbuf names;
    cnnfi_strbuf_init(&names, context);
    for (size_t i = 0; i < meta->n_signature_def; i++)
        cnnfi_strbuf_printf(&names, "%s%s", i > 0 ? ", " : "", meta->signature_def[i]->key);
    cnnf_status status = cnnfi_fail(error, CNNF_E_NOT_FOUND, "no signature '%s'; found {%s}", wanted,
                                    names.data != NULL ? names.data : "");
    cnnfi_strbuf_free(&names);
    return status;
}

static cnnf_status choose_signature(const Cnnfi__SignatureDef **out, const Cnnfi__MetaGraphDef *meta,
                                    const cnnf_load_options *options, cnnf_context *context, cnnf_error *error)
{
    if (options->signature != NULL) {
        *out = signature_named(meta, options->signature);
        return *out != NULL ? CNNF_OK : fail_signature(meta, options->signature, context, error);
    }
    *out = signature_named(meta, DEFAULT_SIGNATURE);
    if (*out == NULL) *out = only_signature(meta);
    return CNNF_OK;
}

static const char *port_name(cnnfi_builder *b, const char *tensor)
{
    size_t length = strlen(tensor);
    bool first = length > 2 && strcmp(tensor + length - 2, ":0") == 0;
    return cnnfi_builder_printf(b, "%.*s", (int)(first ? length - 2 : length), tensor);
}

/* Tensor names in the order of their keys; the same tensor once. */
static const char **tensor_names(cnnfi_builder *b, Cnnfi__TensorInfoEntry *const *entries, size_t n_in, size_t *n_out)
{
    const char **keys = (const char **)cnnfi_builder_array(b, n_in, sizeof *keys);
    const char **names = (const char **)cnnfi_builder_array(b, n_in, sizeof *names);
    *n_out = 0;
    if (keys == NULL || names == NULL) return NULL;
    for (size_t i = 0; i < n_in; i++) {
        const Cnnfi__TensorInfo *info = entries[i]->value;
        if (info == NULL || info->encoding_case != CNNFI__TENSOR_INFO__ENCODING_NAME) continue;
        size_t at = *n_out;
        for (; at > 0 && strcmp(keys[at - 1], entries[i]->key) > 0; at--) {
            keys[at] = keys[at - 1];
            names[at] = names[at - 1];
        }
        keys[at] = entries[i]->key;
        names[at] = port_name(b, info->name);
        if (names[at] == NULL) return NULL;
        ++*n_out;
    }
    return names;
}

static cnnf_status take_signature(cnnfi_builder *b, const Cnnfi__MetaGraphDef *meta, const cnnf_load_options *options,
                                  cnnf_error *error)
{
    const Cnnfi__SignatureDef *signature = NULL;
    CNNFI_TRY(choose_signature(&signature, meta, options, b->graph->context, error));
    if (signature == NULL) return CNNF_OK;
    size_t n_inputs, n_outputs;
    const char **inputs = tensor_names(b, signature->inputs, signature->n_inputs, &n_inputs);
    const char **outputs = tensor_names(b, signature->outputs, signature->n_outputs, &n_outputs);
    if (inputs != NULL && outputs != NULL) cnnfi_builder_set_io(b, inputs, n_inputs, outputs, n_outputs);
    return CNNF_OK;
}

cnnf_status cnnfi_meta_graph_take(cnnfi_builder *b, const Cnnfi__MetaGraphDef *meta, const cnnf_load_options *options,
                                  cnnf_error *error)
{
    take_saver(b, meta->saver_def);
    CNNFI_TRY(take_variables(b, meta, error));
    CNNFI_TRY(take_signature(b, meta, options, error));
    cnnf_status status = cnnfi_builder_status(b);
    if (status != CNNF_OK) cnnfi_error_copy(error, b->error);
    return status;
}
