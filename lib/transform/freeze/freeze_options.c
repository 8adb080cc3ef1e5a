/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/freeze/freeze_options.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"

const cnnf_freeze_options *cnnfi_freeze_defaults(void)
{
    static const cnnf_freeze_options defaults = {.keep_devices = false};
    return &defaults;
}

cnnf_status cnnf_freeze_options_new(cnnf_freeze_options **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out) *out = NULL;
    if (!out || !context) return cnnfi_fail_null(error, __func__);
    cnnf_freeze_options *options = *out = cnnfi_calloc(context, 1, sizeof *options);
    if (!options) return cnnfi_fail_nomem(error);
    options->context = cnnf_context_ref(context);
    return CNNF_OK;
}

static void list_free(cnnf_context *context, cnnfi_text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        cnnfi_free(context, list->items[i]);
    cnnfi_free(context, list->items);
}

void cnnf_freeze_options_free(cnnf_freeze_options *options)
{
    if (!options) return;
    cnnf_context *context = options->context;
    list_free(context, &options->outputs);
    list_free(context, &options->allow);
    list_free(context, &options->deny);
    list_free(context, &options->initializers);
    cnnfi_free(context, options);
    cnnf_context_unref(context);
}

static cnnf_status list_add(cnnf_context *context, cnnfi_text_list *list, const char *text, cnnf_error *error)
{
    if (!*text) return cnnfi_fail(error, CNNF_E_INVALID, "freeze: a name is empty");
    if (!cnnfi_grow(context, (void **)&list->items, &list->capacity, list->count, sizeof *list->items))
        return cnnfi_fail_nomem(error);
    char *copy = cnnfi_strdup(context, text);
    if (!copy) return cnnfi_fail_nomem(error);
    list->items[list->count++] = copy;
    return CNNF_OK;
}

cnnf_status cnnf_freeze_options_add_output(cnnf_freeze_options *options, const char *name, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !name) return cnnfi_fail_null(error, __func__);
    return list_add(options->context, &options->outputs, name, error);
}

cnnf_status cnnf_freeze_options_allow(cnnf_freeze_options *options, const char *pattern, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !pattern) return cnnfi_fail_null(error, __func__);
    return list_add(options->context, &options->allow, pattern, error);
}

cnnf_status cnnf_freeze_options_deny(cnnf_freeze_options *options, const char *pattern, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !pattern) return cnnfi_fail_null(error, __func__);
    return list_add(options->context, &options->deny, pattern, error);
}

cnnf_status cnnf_freeze_options_add_initializer(cnnf_freeze_options *options, const char *node, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !node) return cnnfi_fail_null(error, __func__);
    return list_add(options->context, &options->initializers, node, error);
}

cnnf_status cnnf_freeze_options_set_clear_devices(cnnf_freeze_options *options, int32_t clear, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    options->keep_devices = clear == 0;
    return CNNF_OK;
}

cnnf_status cnnf_freeze_options_set_default_attrs(cnnf_freeze_options *options, int32_t add, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    options->default_attrs = add != 0;
    return CNNF_OK;
}

/* by cnnfi_freeze_tool */
static const char *const tools[] = {"2.15", "1.15", "auto"};

cnnf_status cnnf_freeze_options_set_as_tf(cnnf_freeze_options *options, const char *version, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !version) return cnnfi_fail_null(error, __func__);
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        if (strcmp(tools[i], version) != 0) continue;
        options->tool = (cnnfi_freeze_tool)i;
        return CNNF_OK;
    }
    return cnnfi_fail(error, CNNF_E_INVALID, "freeze: as_tf is '%.20s'; it is 1.15, 2.15 or auto", version);
}
