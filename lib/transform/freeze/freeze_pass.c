/* SPDX-License-Identifier: Apache-2.0 */
/* Freezing as a step of a pipeline. */
#include "transform/framework/passes.h"

static cnnf_status fill_options(cnnf_freeze_options *options, cnnfi_pass_run *run)
{
    const char *value;
    for (size_t i = 0; i < run->outputs.count; i++)
        CNNFI_TRY(cnnf_freeze_options_add_output(options, run->outputs.names[i], run->error));
    for (size_t i = 0; (value = cnnfi_run_arg(run, "allow", i)); i++)
        CNNFI_TRY(cnnf_freeze_options_allow(options, value, run->error));
    for (size_t i = 0; (value = cnnfi_run_arg(run, "deny", i)); i++)
        CNNFI_TRY(cnnf_freeze_options_deny(options, value, run->error));
    return cnnf_freeze_options_set_clear_devices(options, cnnfi_run_bool(run, "clear_devices", true), run->error);
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnf_freeze_options *options = NULL;
    int64_t converted = 0;
    CNNFI_TRY(cnnf_freeze_options_new(&options, run->context, run->error));
    cnnf_status status = fill_options(options, run);
    if (status == CNNF_OK) status = cnnf_freeze(out, &converted, in, options, run->error);
    if (status == CNNF_OK) cnnfi_run_count(run, "frozen", converted);
    cnnf_freeze_options_free(options);
    return status;
}

static const cnnfi_pass_param params[] = {
    {"allow", CNNFI_ARG_STRING, false, true, "a variable to freeze, a glob; repeatable; default all"},
    {"deny", CNNFI_ARG_STRING, false, true, "a variable not to freeze, a glob; repeatable"},
    {"clear_devices", CNNFI_ARG_BOOL, false, false, "clear the device of every node; default true"},
};

const cnnfi_pass cnnfi_pass_freeze_variables = {
    .name = "freeze_variables",
    .description = "Keeps what the outputs need and turns variables with a value into constants.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .run = run_pass,
};
