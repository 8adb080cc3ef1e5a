/* SPDX-License-Identifier: Apache-2.0 */
/* `name`, `name(arg=value, arg="va,lue")`, one after the other. */
#include "transform/framework/pipeline.h"

#include <string.h>

#include "base/context.h"
#include "base/num.h"
#include "graph/shape.h"

typedef struct parser {
    cnnfi_step_list *list;
    const char *at;
    cnnf_status status; /* of the last take that gave NULL */
    cnnf_error *error;
} parser;

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_value_char(char c)
{
    return is_name_char(c) || c == '-' || c == '.' || c == '/';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static void skip_spaces_and(parser *p, char separator)
{
    while (is_space(*p->at) || (separator && *p->at == separator))
        p->at++;
}

static cnnf_status fail_looking(parser *p, const char *what)
{
    return cnnfi_fail(p->error, CNNF_E_INVALID, "Looking for %s, but found %.200s", what, *p->at ? p->at : "the end");
}

/* The longest run of characters `accept` takes, copied; NULL with a message when there is none. */
static const char *take(parser *p, bool (*accept)(char), const char *what)
{
    const char *start = p->at;
    while (accept(*p->at))
        p->at++;
    if (p->at == start) {
        p->status = fail_looking(p, what);
        return NULL;
    }
    const char *text = cnnfi_arena_strndup(p->list->arena, start, (size_t)(p->at - start));
    if (!text) p->status = cnnfi_fail_nomem(p->error);
    return text;
}

/* After the opening quote; a backslash takes the next character as it is. */
static const char *take_quoted(parser *p)
{
    char *text = cnnfi_arena_alloc(p->list->arena, strlen(p->at) + 1);
    if (!text) {
        p->status = cnnfi_fail_nomem(p->error);
        return NULL;
    }
    size_t length = 0;
    while (*p->at && *p->at != '"') {
        if (*p->at == '\\' && p->at[1]) p->at++;
        text[length++] = *p->at++;
    }
    if (*p->at != '"') {
        p->status = fail_looking(p, "\"");
        return NULL;
    }
    p->at++;
    return text;
}

static const char *take_value(parser *p)
{
    if (*p->at == '"') {
        p->at++;
        return take_quoted(p);
    }
    /* The tool says "parameter name" here, too. */
    return take(p, is_value_char, "parameter name");
}

/* ---- checks ---- */

static bool fits_kind(cnnfi_arg_kind kind, const char *value)
{
    int64_t integer, dims[CNNFI_MAX_RANK];
    int32_t rank;
    size_t used;
    bool flag;
    cnnf_dtype dtype;
    switch (kind) {
    case CNNFI_ARG_INT:
        return cnnfi_parse_i64(value, strlen(value), &integer);
    case CNNFI_ARG_FLOAT:
        cnnfi_parse_double(value, strlen(value), &used);
        return used && used == strlen(value);
    case CNNFI_ARG_BOOL:
        return cnnfi_parse_bool(value, &flag);
    case CNNFI_ARG_DTYPE:
        return cnnfi_parse_dtype(value, &dtype);
    case CNNFI_ARG_SHAPE:
        return cnnfi_parse_shape(value, &rank, dims);
    case CNNFI_ARG_STRING:
        break;
    }
    return true;
}

static const char *kind_name(cnnfi_arg_kind kind)
{
    static const char *const names[] = {
        [CNNFI_ARG_STRING] = "a string",    [CNNFI_ARG_INT] = "an integer",    [CNNFI_ARG_FLOAT] = "a number",
        [CNNFI_ARG_BOOL] = "true or false", [CNNFI_ARG_DTYPE] = "a data type", [CNNFI_ARG_SHAPE] = "a shape",
    };
    return names[kind];
}

static const cnnfi_pass_param *find_param(const cnnfi_pass *pass, const char *name)
{
    for (size_t i = 0; i < pass->n_params; i++) {
        if (strcmp(pass->params[i].name, name) == 0) return &pass->params[i];
    }
    return NULL;
}

/* Of the candidates seen so far the one that `name` was probably meant to be. */
typedef struct suggestion {
    const char *name, *nearest; /* nearest: NULL when none is near enough */
    size_t distance;
} suggestion;

static suggestion suggest_for(const char *name)
{
    return (suggestion){.name = name, .distance = strlen(name) / 2 + 1};
}

static void consider(suggestion *s, const char *candidate)
{
    const size_t distance = cnnfi_edit_distance(s->name, candidate, s->distance);
    if (distance >= s->distance) return;
    s->distance = distance;
    s->nearest = candidate;
}

static cnnf_status fail_argument(const cnnfi_pass *pass, const char *name, cnnf_error *error)
{
    suggestion s = suggest_for(name);
    for (size_t i = 0; i < pass->n_params; i++)
        consider(&s, pass->params[i].name);
    consider(&s, "ignore_errors");
    return cnnfi_fail(error, CNNF_E_NOT_FOUND, "%s: no argument '%s'%s%s%s", pass->name, name,
                      s.nearest ? "; did you mean '" : "", s.nearest ? s.nearest : "", s.nearest ? "'?" : "");
}

static cnnf_status check_arg(const cnnfi_step *step, const cnnfi_pass_arg *arg, cnnf_error *error)
{
    const cnnfi_pass_param *param = find_param(step->pass, arg->name);
    if (!param) return fail_argument(step->pass, arg->name, error);
    if (!fits_kind(param->kind, arg->value)) {
        return cnnfi_fail(error, CNNF_E_INVALID, "%s: %s=%s is not %s", step->pass->name, arg->name, arg->value,
                          kind_name(param->kind));
    }
    for (const cnnfi_pass_arg *other = step->args; other < arg; other++) {
        if (param->repeated || strcmp(other->name, arg->name)) continue;
        return cnnfi_fail(error, CNNF_E_INVALID, "%s: %s is given twice", step->pass->name, arg->name);
    }
    return CNNF_OK;
}

static cnnf_status check_required(const cnnfi_step *step, cnnf_error *error)
{
    for (size_t i = 0; i < step->pass->n_params; i++) {
        const cnnfi_pass_param *param = &step->pass->params[i];
        size_t given = 0;
        for (size_t k = 0; k < step->n_args; k++)
            given += strcmp(step->args[k].name, param->name) == 0;
        if (!param->required || given) continue;
        return cnnfi_fail(error, CNNF_E_INVALID, "%s expects %s=...: %s", step->pass->name, param->name,
                          param->description);
    }
    return CNNF_OK;
}

static cnnf_status check_step(const cnnfi_step *step, cnnf_error *error)
{
    for (size_t i = 0; i < step->n_args; i++)
        CNNFI_TRY(check_arg(step, &step->args[i], error));
    return check_required(step, error);
}

/* ---- steps ---- */

static cnnf_status find_pass(parser *p, const char *name, cnnfi_step *step)
{
    step->pass = cnnfi_pass_find(name);
    if (step->pass) return CNNF_OK;
    suggestion s = suggest_for(name);
    for (size_t i = 0; i < cnnfi_pass_table_size(); i++)
        consider(&s, cnnfi_pass_at(i)->name);
    return cnnfi_fail(p->error, CNNF_E_NOT_FOUND, "Transform '%s' not recognized%s%s%s", name,
                      s.nearest ? "; did you mean '" : "", s.nearest ? s.nearest : "", s.nearest ? "'?" : "");
}

/* Arguments in a growing arena block; the old block is left behind, there are few of them. */
static cnnf_status add_arg(parser *p, cnnfi_step *step, const char *name, const char *value)
{
    cnnfi_pass_arg *args = cnnfi_arena_array(p->list->arena, step->n_args + 1, sizeof *args);
    if (!args) return cnnfi_fail_nomem(p->error);
    if (step->n_args) memcpy(args, step->args, step->n_args * sizeof *args);
    args[step->n_args++] = (cnnfi_pass_arg){.name = name, .value = value};
    step->args = args;
    return CNNF_OK;
}

static cnnf_status parse_arg(parser *p, cnnfi_step *step)
{
    const char *name = take(p, is_name_char, "parameter name");
    if (!name) return p->status;
    skip_spaces_and(p, 0);
    if (*p->at != '=') return fail_looking(p, "=");
    p->at++;
    skip_spaces_and(p, 0);
    const char *value = take_value(p);
    if (!value) return p->status;
    /* The tool eats a stray quote behind a value. */
    if (*p->at == '\'') p->at++;
    if (strcmp(name, "ignore_errors")) return add_arg(p, step, name, value);
    if (cnnfi_parse_bool(value, &step->ignore_errors)) return CNNF_OK;
    return cnnfi_fail(p->error, CNNF_E_INVALID, "ignore_errors should be true or false, found %s", value);
}

static cnnf_status parse_args(parser *p, cnnfi_step *step)
{
    p->at++;
    for (;;) {
        skip_spaces_and(p, ',');
        if (*p->at == ')') break;
        CNNFI_TRY(parse_arg(p, step));
    }
    p->at++;
    return CNNF_OK;
}

static cnnf_status parse_step(parser *p)
{
    cnnfi_step step = {0};
    const char *name = take(p, is_name_char, "transform name");
    if (!name) return p->status;
    CNNFI_TRY(find_pass(p, name, &step));
    if (*p->at == '(') CNNFI_TRY(parse_args(p, &step));
    CNNFI_TRY(check_step(&step, p->error));
    cnnfi_step_list *list = p->list;
    if (!cnnfi_grow(list->context, (void **)&list->steps, &list->capacity, list->count, sizeof step)) {
        return cnnfi_fail_nomem(p->error);
    }
    list->steps[list->count++] = step;
    return CNNF_OK;
}

cnnf_status cnnfi_parse_steps(cnnfi_step_list *list, const char *text, cnnf_error *error)
{
    const size_t before = list->count;
    parser p = {.list = list, .at = text, .error = error};
    cnnf_status status = CNNF_OK;
    for (skip_spaces_and(&p, ','); !status && *p.at; skip_spaces_and(&p, ','))
        status = parse_step(&p);
    if (status) list->count = before;
    return status;
}
