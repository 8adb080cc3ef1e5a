/* SPDX-License-Identifier: Apache-2.0 */
/* The table of passes. */
#include "transform/framework/passes.h"

#include <string.h>

#define ROW(name) &cnnfi_pass_##name,
static const cnnfi_pass *const passes[] = {CNNFI_PASSES(ROW)};
#undef ROW

size_t cnnfi_pass_table_size(void)
{
    return sizeof passes / sizeof *passes;
}

const cnnfi_pass *cnnfi_pass_at(size_t index)
{
    return index < cnnfi_pass_table_size() ? passes[index] : NULL;
}

const cnnfi_pass *cnnfi_pass_find(const char *name)
{
    for (size_t i = 0; i < cnnfi_pass_table_size(); i++) {
        if (strcmp(passes[i]->name, name) == 0) return passes[i];
    }
    return NULL;
}

int32_t cnnf_pass_count(void)
{
    return (int32_t)cnnfi_pass_table_size();
}

const char *cnnf_pass_name(int32_t index)
{
    const cnnfi_pass *pass = index < 0 ? NULL : cnnfi_pass_at((size_t)index);
    return pass ? pass->name : NULL;
}

const char *cnnf_pass_description(int32_t index)
{
    const cnnfi_pass *pass = index < 0 ? NULL : cnnfi_pass_at((size_t)index);
    return pass ? pass->description : NULL;
}

static const cnnfi_pass_param *argument_at(int32_t pass, int32_t index)
{
    const cnnfi_pass *row = pass < 0 ? NULL : cnnfi_pass_at((size_t)pass);
    return row && index >= 0 && (size_t)index < row->n_params ? &row->params[index] : NULL;
}

int32_t cnnf_pass_argument_count(int32_t pass)
{
    const cnnfi_pass *row = pass < 0 ? NULL : cnnfi_pass_at((size_t)pass);
    return row ? (int32_t)row->n_params : 0;
}

const char *cnnf_pass_argument_name(int32_t pass, int32_t index)
{
    const cnnfi_pass_param *argument = argument_at(pass, index);
    return argument ? argument->name : NULL;
}

const char *cnnf_pass_argument_description(int32_t pass, int32_t index)
{
    const cnnfi_pass_param *argument = argument_at(pass, index);
    return argument ? argument->description : NULL;
}

int32_t cnnf_pass_argument_kind(int32_t pass, int32_t index)
{
    const cnnfi_pass_param *argument = argument_at(pass, index);
    return argument ? (int32_t)argument->kind : -1;
}

int32_t cnnf_pass_argument_is_required(int32_t pass, int32_t index)
{
    const cnnfi_pass_param *argument = argument_at(pass, index);
    return argument && argument->required;
}

int32_t cnnf_pass_argument_is_repeatable(int32_t pass, int32_t index)
{
    const cnnfi_pass_param *argument = argument_at(pass, index);
    return argument && argument->repeated;
}
