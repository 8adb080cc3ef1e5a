/* SPDX-License-Identifier: Apache-2.0 */
/* The text file `checkpoint` (CheckpointState): which checkpoint of a folder is the latest. */
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/path.h"
#include "loader/checkpoint/checkpoint_impl.h"

#define FIELD "model_checkpoint_path"

typedef struct scanner {
    const char *at, *end;
} scanner;

static void skip_space(scanner *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r' || *s->at == ','))
        s->at++;
}

static bool take(scanner *s, char c)
{
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}

/* One escape after its backslash, as the text format has them: octal or a letter. */
static char take_escape(scanner *s)
{
    static const char letters[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
    int value = 0, digits = 0;
    for (; digits < 3 && s->at < s->end && *s->at >= '0' && *s->at <= '7'; digits++)
        value = value * 8 + (*s->at++ - '0');
    if (digits) return (char)value;
    if (s->at == s->end) return '\\';
    const char c = *s->at++;
    const char *letter = c ? strchr(letters, c) : NULL;
    return letter ? values[letter - letters] : c;
}

/* A quoted string into `out`; false when there is none or it does not end. */
static bool take_string(scanner *s, cnnfi_strbuf *out)
{
    const char quote = s->at < s->end ? *s->at : '\0';
    if (quote != '"' && quote != '\'') return false;
    s->at++;
    while (s->at < s->end && *s->at != quote && *s->at != '\n') {
        const char c = *s->at++;
        cnnfi_strbuf_putc(out, c == '\\' ? take_escape(s) : c);
    }
    return take(s, quote);
}

/* Steps over anything that is not our field: names, numbers, strings. */
static void skip_token(scanner *s, cnnfi_strbuf *scratch)
{
    scratch->size = 0;
    if (take_string(s, scratch)) return;
    if (s->at < s->end) s->at++;
    while (s->at < s->end && (*s->at == '_' || (*s->at >= 'a' && *s->at <= 'z')))
        s->at++;
}

static bool at_field(const scanner *s)
{
    const size_t n = sizeof FIELD - 1;
    return (size_t)(s->end - s->at) > n && memcmp(s->at, FIELD, n) == 0 && strchr(": \t", s->at[n]);
}

static bool find_path(scanner s, cnnfi_strbuf *out)
{
    for (skip_space(&s); s.at < s.end; skip_space(&s)) {
        if (!at_field(&s)) {
            skip_token(&s, out);
            continue;
        }
        s.at += sizeof FIELD - 1;
        skip_space(&s);
        take(&s, ':');
        skip_space(&s);
        out->size = 0;
        return take_string(&s, out) && out->size > 0 && !memchr(out->data, 0, out->size);
    }
    return false;
}

/* Whether a relative path has a component "..". */
static bool leaves_folder(const char *path)
{
    for (const char *p = path; *p; p++) {
        const bool starts = p == path || cnnfi_path_is_slash(p[-1]);
        if (starts && p[0] == '.' && p[1] == '.' && (cnnfi_path_is_slash(p[2]) || !p[2])) return true;
    }
    return false;
}

/* An absolute path is what a Saver writes for an absolute prefix; the folder may have moved, so that only its
   last component counts. */
static cnnf_status resolve(char **out, cnnf_context *context, const char *state, const char *named, cnnf_error *error)
{
    const char *base = cnnfi_path_is_absolute(named) ? cnnfi_path_name(named) : named;
    if (leaves_folder(named))
        return cnnfi_fail(error, CNNF_E_INVALID, "%s: " FIELD " '%s' leaves the directory; refused", state, named);
    cnnfi_strbuf path;
    cnnfi_strbuf_init(&path, context);
    cnnfi_strbuf_add(&path, state, cnnfi_path_folder(state));
    cnnfi_strbuf_puts(&path, base);
    if (path.failed) {
        cnnfi_strbuf_free(&path);
        return cnnfi_fail_nomem(error);
    }
    *out = path.data;
    return CNNF_OK;
}

static cnnf_status parse(char **out, cnnf_context *context, const char *path, cnnfi_bytes text, cnnf_error *error)
{
    cnnfi_strbuf named;
    cnnfi_strbuf_init(&named, context);
    const scanner s = {(const char *)text.data, (const char *)text.data + text.size};
    cnnf_status status;
    if (!find_path(s, &named))
        status =
            named.failed ? cnnfi_fail_nomem(error) : cnnfi_fail(error, CNNF_E_FORMAT, "%s: no " FIELD " in it", path);
    else
        status = named.failed ? cnnfi_fail_nomem(error) : resolve(out, context, path, named.data, error);
    cnnfi_strbuf_free(&named);
    return status;
}

cnnf_status cnnfi_checkpoint_read_state(char **out, cnnf_context *context, const char *path, cnnf_error *error)
{
    cnnfi_source *source = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    *out = NULL;
    cnnf_status status = cnnfi_source_open(&source, context, path, error);
    if (status == CNNF_OK)
        status = cnnfi_check_limit(context, CNNF_LIMIT_ATTR_BYTES, cnnfi_source_size(source), path, error);
    if (status == CNNF_OK) status = cnnfi_source_read_all(source, &bytes, &size, error);
    if (status == CNNF_OK) status = parse(out, context, path, (cnnfi_bytes){bytes, size}, error);
    cnnfi_free(context, bytes);
    cnnfi_source_unref(source);
    return status;
}
