/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/container/json.h"

#include <jansson.h>
#include <string.h>

#include "base/utf8.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "base/str.h"

/*
 * jansson has process-wide allocation functions only; they belong to the host, so its memory does not count
 * against the context and is bounded by a projection instead. A value costs jansson at most about 100 bytes
 * (json_t, hash table pair, key), whatever its text.
 */
#define JSON_BYTES_PER_VALUE 100u

/* As CNNF_LIMIT_DEPTH may be at most. */
#define MAX_JSON_DEPTH 256

/* Stand-ins for the numbers that Python's json writes and JSON does not have. */
static const struct {
    const char *word, *text;
    double value;
} specials[] = {
    {"-Infinity", "\"\\u0001-inf\"", -__builtin_inf()},
    {"Infinity", "\"\\u0001+inf\"", __builtin_inf()},
    {"NaN", "\"\\u0001nan\"", __builtin_nan("")},
};
#define N_SPECIALS (sizeof specials / sizeof specials[0])

struct cnnfi_json_doc {
    cnnf_context *context;
    json_t *root;
    json_t *literals; /* array owning what cnnfi_json_from_text() made */
};

static const json_t *in(const cnnfi_json *v)
{
    return (const json_t *)(const void *)v;
}

/* jansson's readers take json_t * where they do not write. */
static json_t *in_mut(const cnnfi_json *v)
{
    union {
        const cnnfi_json *from;
        json_t *to;
    } cast = {.from = v};
    return cast.to;
}

static const cnnfi_json *out_of(const json_t *v)
{
    return (const cnnfi_json *)(const void *)v;
}

/* ---- before parsing ---- */

typedef struct scan {
    const char *text;
    size_t size, at, line, line_start;
    size_t depth, values, n_specials;
    size_t longest; /* string or number, or more */
} scan;

static void scan_string(scan *s)
{
    const size_t from = s->at;
    for (s->at++; s->at < s->size && s->text[s->at] != '"'; s->at++)
        if (s->text[s->at] == '\\') s->at++;
    if (s->at - from > s->longest) s->longest = s->at - from;
}

static size_t special_at(const char *text, size_t left)
{
    for (size_t i = 0; i < N_SPECIALS; i++) {
        size_t n = strlen(specials[i].word);
        if (left >= n && memcmp(text, specials[i].word, n) == 0) return i;
    }
    return N_SPECIALS;
}

/* Whether the byte at s->at opened a level deeper than the limit. Moves over strings and special numbers. */
static bool scan_byte(scan *s, size_t max_depth)
{
    char c = s->text[s->at];
    if (c == '"') {
        scan_string(s);
    } else if (c == '[' || c == '{') {
        s->values++;
        return ++s->depth > max_depth;
    } else if (c == ']' || c == '}') {
        s->depth -= s->depth > 0;
    } else if (c == ',' || c == ':') {
        s->values++;
    } else if (c == '\n') {
        s->line++;
        s->line_start = s->at + 1;
    } else if (c == 'N' || c == 'I' || c == '-') {
        size_t special = special_at(s->text + s->at, s->size - s->at);
        if (special < N_SPECIALS) {
            s->n_specials++;
            s->at += strlen(specials[special].word) - 1;
        }
    }
    return false;
}

static cnnf_status guard(scan *s, const cnnf_context *context, const char *what, cnnf_error *error)
{
    size_t max_depth = (size_t)cnnfi_limit(context, CNNF_LIMIT_DEPTH);
    for (s->at = 0; s->at < s->size; s->at++)
        if (scan_byte(s, max_depth))
            return cnnfi_fail(error, CNNF_E_LIMIT, "%s: %s%.0zu%scol %zu: nesting deeper than %zu (limit %s)", what,
                              s->line ? "line " : "", s->line ? s->line + 1 : 0, s->line ? " " : "",
                              s->at - s->line_start + 1, max_depth, cnnf_limit_name(CNNF_LIMIT_DEPTH));
    uint64_t projected = (uint64_t)s->values * JSON_BYTES_PER_VALUE + s->size;
    return cnnfi_check_limit(context, CNNF_LIMIT_MEMORY, projected, what, error);
}

static bool put_special(cnnfi_strbuf *buf, const scan *s, size_t *at)
{
    size_t special = special_at(s->text + *at, s->size - *at);
    if (special == N_SPECIALS) return false;
    cnnfi_strbuf_puts(buf, specials[special].text);
    *at += strlen(specials[special].word);
    return true;
}

/* The text with NaN and Infinity outside strings replaced by their stand-ins. */
static void rewrite_specials(cnnfi_strbuf *buf, const scan *s)
{
    size_t from = 0, at = 0;
    while (at < s->size) {
        if (s->text[at] == '"') {
            scan skip = *s;
            skip.at = at;
            scan_string(&skip);
            at = skip.at + 1 < s->size ? skip.at + 1 : s->size;
            continue;
        }
        cnnfi_strbuf_add(buf, s->text + from, at - from);
        from = at;
        if (put_special(buf, s, &at))
            from = at;
        else
            at++;
    }
    cnnfi_strbuf_add(buf, s->text + from, s->size - from);
}

/* ---- parsing ---- */

/*
 * jansson says "invalid token" or nothing at all when memory runs out in the middle of a text. So a text that it
 * refused is walked once more, without memory: when nothing is wrong with it, memory was. Numbers and escapes that
 * jansson may refuse for other reasons (overflow, \u0000, lone surrogates) do not count as right.
 */
#define SAFE_DIGITS 18

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_blanks(scan *s)
{
    while (s->at < s->size && memchr(" \t\r\n", s->text[s->at], 4))
        s->at++;
}

static size_t skip_digits(scan *s)
{
    const size_t from = s->at;
    while (s->at < s->size && is_digit(s->text[s->at]))
        s->at++;
    return s->at - from;
}

static bool skip_char(scan *s, const char *any)
{
    if (s->at == s->size || !strchr(any, s->text[s->at]) || !s->text[s->at]) return false;
    s->at++;
    return true;
}

static bool right_number(scan *s)
{
    skip_char(s, "-");
    const bool zero = s->at < s->size && s->text[s->at] == '0';
    const size_t whole = skip_digits(s);
    if (whole == 0 || whole > SAFE_DIGITS || (zero && whole > 1)) return false;
    if (skip_char(s, ".") && skip_digits(s) == 0) return false;
    if (!skip_char(s, "eE")) return true;
    skip_char(s, "+-");
    const size_t exponent = skip_digits(s);
    return exponent > 0 && exponent <= 2;
}

static bool right_string(scan *s)
{
    for (s->at++; s->at < s->size && s->text[s->at] != '"'; s->at++) {
        if ((uint8_t)s->text[s->at] < 0x20) return false;
        if (s->text[s->at] != '\\') continue;
        if (++s->at == s->size || !strchr("\"\\/bfnrt", s->text[s->at]) || !s->text[s->at]) return false;
    }
    return skip_char(s, "\"");
}

static bool right_scalar(scan *s)
{
    static const char *const words[] = {"true", "false", "null"};
    if (s->at < s->size && s->text[s->at] == '"') return right_string(s);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const size_t length = strlen(words[i]);
        if (s->size - s->at < length || memcmp(s->text + s->at, words[i], length) != 0) continue;
        s->at += length;
        return true;
    }
    return right_number(s);
}

/* `"key" :` inside an object. */
static bool right_key(scan *s)
{
    skip_blanks(s);
    if (s->at == s->size || s->text[s->at] != '"' || !right_string(s)) return false;
    skip_blanks(s);
    return skip_char(s, ":");
}

/* What may follow a value at this depth: closing brackets, then a comma or the end. *more: another value comes. */
static bool after_value(scan *s, const char *brackets, bool *more)
{
    for (skip_blanks(s); s->depth > 0 && s->at < s->size; skip_blanks(s)) {
        if (skip_char(s, ",")) {
            *more = true;
            return brackets[s->depth - 1] == ']' || right_key(s);
        }
        if (s->text[s->at++] != brackets[--s->depth]) return false;
    }
    *more = false;
    return s->depth == 0 && s->at == s->size;
}

/* Goes into brackets that are not empty. */
static bool enter(scan *s, char *brackets, bool *entered)
{
    const char open = s->at < s->size ? s->text[s->at] : '\0';
    *entered = open == '[' || open == '{';
    if (!*entered) return true;
    if (s->depth == MAX_JSON_DEPTH) return false;
    s->at++;
    skip_blanks(s);
    brackets[s->depth] = open == '[' ? ']' : '}';
    const bool empty = s->at < s->size && s->text[s->at] == brackets[s->depth];
    if (empty) {
        s->at++;
        *entered = false;
        return true;
    }
    s->depth++;
    return open == '[' || right_key(s);
}

static bool is_right(const char *text, size_t size)
{
    char brackets[MAX_JSON_DEPTH]; /* that close what is open */
    scan s = {.text = text, .size = size};
    if (!cnnfi_utf8_valid(text, size)) return false;
    for (bool more = true, entered; more;) {
        skip_blanks(&s);
        const size_t before = s.at;
        if (!enter(&s, brackets, &entered)) return false;
        if (entered) continue;
        if (s.at == before && !right_scalar(&s)) return false;
        if (!after_value(&s, brackets, &more)) return false;
    }
    return true;
}

static cnnf_status fail_syntax(const json_error_t *e, const char *what, cnnf_error *error)
{
    const char *text = json_error_code(e) == json_error_premature_end_of_input ? "unexpected end of JSON" : e->text;
    const char *near = strstr(text, " near ");
    int length = near ? (int)(near - text) : (int)strlen(text);
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: line %d col %d: %.*s", what, e->line, e->column, length, text);
}

/* Why jansson refused a text, from a second look at it. */
static cnnf_status explain(const char *text, size_t size, const char *what, cnnf_error *error)
{
    json_error_t e = {.text = ""};
    json_t *again = json_loadb(text, size, JSON_DECODE_ANY, &e);
    const bool right = again || e.text[0] == '\0' || is_right(text, size);
    json_decref(again);
    return right ? cnnfi_fail_nomem(error) : fail_syntax(&e, what, error);
}

/* Keras 1 writes marshalled code as a string with \\u0000 in it, which jansson takes for the end of a C string. Nobody
   reads that code; its zeros become U+FFFD. */
static void replace_nuls(char *text, size_t size)
{
    static const char nul[] = "\\u0000", stand_in[] = "\\ufffd";
    const size_t n = sizeof nul - 1;
    bool inside = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"') inside = !inside;
        if (!inside || text[i] != '\\') continue;
        if (size - i >= n && memcmp(text + i, nul, n) == 0) memcpy(text + i, stand_in, n);
        i++;
    }
}

/* Longer than any number that a program writes. */
#define LEAST_PAD ((size_t)1024)

/*
 * jansson's lexer drops a character, and says nothing, when its buffer cannot grow (load.c, lex_save). So the text is
 * parsed as [PAD, text]: PAD is as long as the longest string, the buffer grows there, and PAD tells whether it did.
 */
static cnnf_status parse_into(cnnfi_json_doc *doc, const char *text, size_t size, size_t longest, const char *what,
                              cnnf_error *error)
{
    cnnfi_strbuf buf;
    const size_t pad = longest < LEAST_PAD ? LEAST_PAD : longest;
    cnnfi_strbuf_init(&buf, doc->context);
    cnnfi_strbuf_puts(&buf, "[\"");
    for (size_t i = 0; i < pad; i++)
        cnnfi_strbuf_putc(&buf, 'x');
    cnnfi_strbuf_puts(&buf, "\",");
    cnnfi_strbuf_add(&buf, text, size);
    cnnfi_strbuf_putc(&buf, ']');
    if (!buf.failed) replace_nuls(buf.data, buf.size);
    doc->literals = json_array();
    json_t *both = buf.failed || !doc->literals ? NULL : json_loadb(buf.data, buf.size, 0, NULL);
    const bool parsed = json_array_size(both) == 2;
    const bool whole = parsed && json_string_length(json_array_get(both, 0)) == pad;
    if (whole) doc->root = json_incref(json_array_get(both, 1));
    json_decref(both);
    const bool memory = !buf.failed && doc->literals && (!parsed || whole);
    cnnfi_strbuf_free(&buf);
    if (doc->root) return CNNF_OK;
    return memory ? explain(text, size, what, error) : cnnfi_fail_nomem(error);
}

static cnnf_status parse_rewritten(cnnfi_json_doc *doc, const scan *s, const char *what, cnnf_error *error)
{
    cnnfi_strbuf buf;
    cnnfi_strbuf_init(&buf, doc->context);
    rewrite_specials(&buf, s);
    cnnf_status status =
        buf.failed ? cnnfi_fail_nomem(error) : parse_into(doc, buf.data, buf.size, s->longest, what, error);
    cnnfi_strbuf_free(&buf);
    return status;
}

cnnf_status cnnfi_json_parse(cnnfi_json_doc **out, cnnf_context *context, const char *text, size_t size,
                             const char *what, cnnfi_budget *budget, cnnf_error *error)
{
    *out = NULL;
    CNNFI_TRY(cnnfi_check_limit(context, CNNF_LIMIT_ATTR_BYTES, size, what, error));
    scan s = {.text = text, .size = size};
    CNNFI_TRY(guard(&s, context, what, error));
    CNNFI_TRY(cnnfi_budget_spend(budget, s.values + cnnfi_steps_of_bytes(size), error));
    cnnfi_json_doc *doc = cnnfi_calloc(context, 1, sizeof *doc);
    if (!doc) return cnnfi_fail_nomem(error);
    doc->context = cnnf_context_ref(context);
    cnnf_status status =
        s.n_specials ? parse_rewritten(doc, &s, what, error) : parse_into(doc, text, size, s.longest, what, error);
    if (status == CNNF_OK)
        *out = doc;
    else
        cnnfi_json_doc_free(doc);
    return status;
}

void cnnfi_json_doc_free(cnnfi_json_doc *doc)
{
    if (!doc) return;
    cnnf_context *context = doc->context;
    json_decref(doc->literals);
    json_decref(doc->root);
    cnnfi_free(context, doc);
    cnnf_context_unref(context);
}

const cnnfi_json *cnnfi_json_root(const cnnfi_json_doc *doc)
{
    return doc ? out_of(doc->root) : NULL;
}

/* ---- reading ---- */

static bool special_value(const cnnfi_json *v, double *out)
{
    const char *text = json_string_value(in(v));
    if (!text || text[0] != '\1') return false;
    *out = text[1] == 'n' ? specials[2].value : text[1] == '+' ? specials[1].value : specials[0].value;
    return true;
}

bool cnnfi_json_is_object(const cnnfi_json *v)
{
    return json_is_object(in(v));
}

bool cnnfi_json_is_array(const cnnfi_json *v)
{
    return json_is_array(in(v));
}

bool cnnfi_json_is_string(const cnnfi_json *v)
{
    double ignored;
    return json_is_string(in(v)) && !special_value(v, &ignored);
}

bool cnnfi_json_is_number(const cnnfi_json *v)
{
    double ignored;
    return json_is_number(in(v)) || special_value(v, &ignored);
}

bool cnnfi_json_is_int(const cnnfi_json *v)
{
    return json_is_integer(in(v));
}

bool cnnfi_json_is_bool(const cnnfi_json *v)
{
    return json_is_boolean(in(v));
}

bool cnnfi_json_is_null(const cnnfi_json *v)
{
    return json_is_null(in(v));
}

const cnnfi_json *cnnfi_json_get(const cnnfi_json *object, const char *key)
{
    return out_of(json_object_get(in(object), key));
}

size_t cnnfi_json_size(const cnnfi_json *v)
{
    return json_is_object(in(v)) ? json_object_size(in(v)) : json_array_size(in(v));
}

const cnnfi_json *cnnfi_json_at(const cnnfi_json *array, size_t index)
{
    return out_of(json_array_get(in(array), index));
}

static void *iter_at(const cnnfi_json *object, size_t index)
{
    void *iter = json_object_iter(in_mut(object));
    while (iter && index-- > 0)
        iter = json_object_iter_next(in_mut(object), iter);
    return iter;
}

const char *cnnfi_json_key_at(const cnnfi_json *object, size_t index)
{
    void *iter = iter_at(object, index);
    return iter ? json_object_iter_key(iter) : NULL;
}

const cnnfi_json *cnnfi_json_value_at(const cnnfi_json *object, size_t index)
{
    void *iter = iter_at(object, index);
    return iter ? out_of(json_object_iter_value(iter)) : NULL;
}

const char *cnnfi_json_string(const cnnfi_json *v, const char *fallback)
{
    return cnnfi_json_is_string(v) ? json_string_value(in(v)) : fallback;
}

double cnnfi_json_number(const cnnfi_json *v, double fallback)
{
    double special;
    if (special_value(v, &special)) return special;
    return json_is_number(in(v)) ? json_number_value(in(v)) : fallback;
}

int64_t cnnfi_json_int(const cnnfi_json *v, int64_t fallback)
{
    if (json_is_integer(in(v))) return json_integer_value(in(v));
    if (!json_is_real(in(v))) return fallback;
    double real = json_real_value(in(v));
    bool fits = real >= -9007199254740992.0 && real <= 9007199254740992.0;
    return fits && (double)(int64_t)real == real ? (int64_t)real : fallback;
}

bool cnnfi_json_bool(const cnnfi_json *v, bool fallback)
{
    if (json_is_boolean(in(v))) return json_is_true(in(v));
    return cnnfi_json_is_number(v) ? cnnfi_json_number(v, 0) != 0 : fallback;
}

/* ---- changing ---- */

cnnfi_json *cnnfi_json_mut(cnnfi_json_doc *doc, const cnnfi_json *v)
{
    (void)doc; /* says that the value must be one of this document's */
    return (cnnfi_json *)(void *)in_mut(v);
}

bool cnnfi_json_set(cnnfi_json_doc *doc, cnnfi_json *object, const char *key, const cnnfi_json *value)
{
    (void)doc;
    return json_object_set(in_mut(object), key, in_mut(value)) == 0;
}

bool cnnfi_json_rename(cnnfi_json_doc *doc, cnnfi_json *object, const char *from, const char *to)
{
    const cnnfi_json *value = cnnfi_json_get(object, from);
    if (!value) return true;
    if (!cnnfi_json_get(object, to) && !cnnfi_json_set(doc, object, to, value)) return false;
    return json_object_del(in_mut(object), from) == 0;
}

const cnnfi_json *cnnfi_json_from_text(cnnfi_json_doc *doc, const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    if (!value) return NULL;
    return json_array_append_new(doc->literals, value) == 0 ? out_of(value) : NULL;
}
