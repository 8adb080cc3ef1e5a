/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/layer_map.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"

/* A name of the class' own field, or something that is known now. */
static cnnf_status check_field(const cnnfi_expression *field, cnnf_context *context, cnnf_error *error)
{
    cnnfi_strbuf json;
    if (!field->keyword)
        return cnnfi_fail(error, CNNF_E_INVALID, "a class is mapped with FIELD:VALUE, a value stands alone");
    if (field->kind == CNNFI_EXPRESSION_NAME) return CNNF_OK;
    cnnfi_strbuf_init(&json, context);
    const bool known = cnnfi_expression_json(field, &json), full = json.failed;
    cnnfi_strbuf_free(&json);
    if (full) return cnnfi_fail_nomem(error);
    if (known) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_INVALID, "field '%s' is given neither a field's name nor a constant",
                      field->keyword);
}

cnnf_status cnnfi_layer_map_read(cnnfi_layer_map *out, cnnfi_arena *arena, const char *text, cnnf_error *error)
{
    const cnnfi_expression *e = NULL;
    *out = (cnnfi_layer_map){.class_name = text};
    if (!strchr(text, '(')) return CNNF_OK;
    CNNFI_TRY(cnnfi_expression_parse(&e, arena, text, error));
    if (e->kind != CNNFI_EXPRESSION_CALL)
        return cnnfi_fail(error, CNNF_E_INVALID, "'%s' is not CLASS(FIELD:VALUE, ...)", text);
    for (const cnnfi_expression *field = e->items; field; field = field->next)
        CNNFI_TRY(check_field(field, arena->context, error));
    *out = (cnnfi_layer_map){.class_name = e->text, .fields = e->items};
    return CNNF_OK;
}
