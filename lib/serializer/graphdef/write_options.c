/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/graphdef/write_options.h"

#include "base/context.h"
#include "base/error.h"

static const cnnf_write_options defaults = {.text = false};

const cnnf_write_options *cnnfi_write_options_or_default(const cnnf_write_options *options)
{
    return options != NULL ? options : &defaults;
}

cnnf_status cnnf_write_options_new(cnnf_write_options **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_write_options_new: out is NULL");
    *out = NULL;
    if (context == NULL) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_write_options_new: context is NULL");
    cnnf_write_options *options = (cnnf_write_options *)cnnfi_malloc(context, sizeof *options);
    if (options == NULL) return cnnfi_fail_nomem(error);
    *options = defaults;
    options->context = cnnf_context_ref(context);
    *out = options;
    return CNNF_OK;
}

void cnnf_write_options_free(cnnf_write_options *options)
{
    if (options == NULL) return;
    cnnf_context *context = options->context;
    cnnfi_free(context, options);
    cnnf_context_unref(context);
}

cnnf_status cnnf_write_options_set_text(cnnf_write_options *options, int32_t text, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL) return cnnfi_fail_null(error, __func__);
    options->text = text != 0;
    return CNNF_OK;
}

cnnf_status cnnf_write_options_set_fsync(cnnf_write_options *options, int32_t fsync, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL) return cnnfi_fail_null(error, __func__);
    options->fsync = fsync != 0;
    return CNNF_OK;
}

cnnf_status cnnf_write_options_set_progress(cnnf_write_options *options, cnnf_progress_fn progress, void *user,
                                            cnnf_error *error)
{
    cnnf_error_clear(error);
    if (options == NULL) return cnnfi_fail_null(error, __func__);
    options->progress = progress;
    options->progress_user = user;
    return CNNF_OK;
}
