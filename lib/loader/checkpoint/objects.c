/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TF2's object-based checkpoints: keys are paths through the program's objects; the object graph
 * (tensorflow/core/protobuf/trackable_object_graph.proto) says which variable each belongs to.
 */
#include "base/context.h"
#include "base/error.h"
#include "base/wire.h"
#include "loader/checkpoint/checkpoint_impl.h"

/* SerializedTensor {name = 1, full_name = 2, checkpoint_key = 3}. */
static cnnf_status read_attribute(cnnf_checkpoint *c, cnnfi_bytes message, cnnf_error *error)
{
    cnnfi_cursor cursor = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    cnnfi_bytes full_name = {0}, key = {0};
    while (cnnfi_wire_next(&cursor, &field) > 0) {
        if (cnnfi_wire_is(&field, 2, CNNFI_WIRE_BYTES)) full_name = field.bytes;
        if (cnnfi_wire_is(&field, 3, CNNFI_WIRE_BYTES)) key = field.bytes;
    }
    if (full_name.size == 0 || key.size == 0) return CNNF_OK;
    int64_t index = cnnfi_strmap_get_n(&c->names, (const char *)key.data, key.size);
    const int64_t known = cnnfi_strmap_get_n(&c->aliases, (const char *)full_name.data, full_name.size);
    if (index < 0 || known == index || known == CNNFI_ALIAS_AMBIGUOUS) return CNNF_OK;
    /* Keras 3 gives many variables one name ("net/kernel"): then it says nothing, and only keys do. */
    if (known >= 0) index = CNNFI_ALIAS_AMBIGUOUS;
    CNNFI_TRY(cnnfi_check_limit(c->context, CNNF_LIMIT_NAME_BYTES, full_name.size, "variable name", error));
    const char *alias = cnnfi_arena_strndup(&c->arena, full_name.data, full_name.size);
    return alias && cnnfi_strmap_set(&c->aliases, alias, index) ? CNNF_OK : cnnfi_fail_nomem(error);
}

/* TrackableObject {attributes = 2}. */
static cnnf_status read_object(cnnf_checkpoint *c, cnnfi_bytes message, cnnf_error *error)
{
    cnnfi_cursor cursor = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    while (cnnfi_wire_next(&cursor, &field) > 0) {
        if (cnnfi_wire_is(&field, 2, CNNFI_WIRE_BYTES)) CNNFI_TRY(read_attribute(c, field.bytes, error));
    }
    return CNNF_OK;
}

cnnf_status cnnfi_checkpoint_read_objects(cnnf_checkpoint *checkpoint, cnnf_error *error)
{
    const int64_t index = cnnf_checkpoint_find(checkpoint, CNNFI_OBJECT_GRAPH_KEY);
    const cnnf_tensor *tensor = cnnf_checkpoint_tensor(checkpoint, index);
    const char *bytes;
    size_t size;
    if (!tensor) return CNNF_OK;
    if (cnnf_tensor_string(&bytes, &size, tensor, 0, NULL) != CNNF_OK)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s' is no string", checkpoint->path, CNNFI_OBJECT_GRAPH_KEY);
    checkpoint->version = CNNFI_CHECKPOINT_OBJECTS;
    cnnfi_cursor cursor = cnnfi_cursor_of(bytes, size);
    cnnfi_wire_field field;
    int more;
    while ((more = cnnfi_wire_next(&cursor, &field)) > 0) {
        if (cnnfi_wire_is(&field, 1, CNNFI_WIRE_BYTES)) CNNFI_TRY(read_object(checkpoint, field.bytes, error));
    }
    if (more == 0) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': bad message", checkpoint->path, CNNFI_OBJECT_GRAPH_KEY);
}
