/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/expression.h"

#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/num.h"

typedef struct parser {
    cnnfi_arena *arena;
    const char *text, *at;
    int depth;
    const char *wanted; /* what stands not at `at`; NULL while all is well */
    bool no_memory;
} parser;

static cnnfi_expression *parse_any(parser *p);

/* ---- letters ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n')
        p->at++;
}

static bool next_is(parser *p, const char *word)
{
    skip_space(p);
    return strncmp(p->at, word, strlen(word)) == 0;
}

static bool take(parser *p, const char *word)
{
    if (!next_is(p, word)) return false;
    p->at += strlen(word);
    return true;
}

static bool failed(const parser *p)
{
    return p->wanted || p->no_memory;
}

static cnnfi_expression *want(parser *p, const char *what)
{
    if (!failed(p)) p->wanted = what;
    return NULL;
}

/* ---- nodes ---- */

static cnnfi_expression *node(parser *p, cnnfi_expression_kind kind)
{
    cnnfi_expression *e = failed(p) ? NULL : cnnfi_arena_alloc(p->arena, sizeof *e);
    if (!e)
        p->no_memory = p->no_memory || !p->wanted;
    else
        e->kind = kind;
    return e;
}

static const char *copy(parser *p, const char *from, size_t size)
{
    const char *text = cnnfi_arena_strndup(p->arena, from, size);
    p->no_memory = p->no_memory || !text;
    return text;
}

/* Items are appended in order; `last` is the one before. Whoever walks the tree recurses: its height has an end. */
static bool append(parser *p, cnnfi_expression *list, cnnfi_expression **last, cnnfi_expression *item)
{
    if (!list || !item) return false;
    if (list->height <= item->height) list->height = item->height + 1;
    if (list->height > CNNFI_EXPRESSION_DEPTH) return want(p, "an end: it is nested too deeply") != NULL;
    if (*last)
        (*last)->next = item;
    else
        list->items = item;
    *last = item;
    list->n_items++;
    return true;
}

static cnnfi_expression *pair(parser *p, cnnfi_expression_kind kind, const char *text, cnnfi_expression *left,
                              cnnfi_expression *right)
{
    cnnfi_expression *e = node(p, kind), *last = NULL;
    if (!append(p, e, &last, left) || !append(p, e, &last, right)) return NULL;
    e->text = text;
    return e;
}

/* ---- the smallest parts ---- */

static cnnfi_expression *parse_number(parser *p)
{
    size_t used = 0;
    const double value = cnnfi_parse_double(p->at, strlen(p->at), &used);
    if (used == 0 || !isfinite(value)) return want(p, "a number");
    cnnfi_expression *e = node(p, CNNFI_EXPRESSION_NUMBER);
    if (!e) return NULL;
    e->number = value;
    e->is_integer = true;
    for (size_t i = 0; i < used; i++)
        e->is_integer = e->is_integer && is_digit(p->at[i]);
    p->at += used;
    return e;
}

static cnnfi_expression *parse_text(parser *p)
{
    const char quote = *p->at++, *end = strchr(p->at, quote);
    if (!end || memchr(p->at, '\\', (size_t)(end - p->at))) return want(p, "a plain string");
    cnnfi_expression *e = node(p, CNNFI_EXPRESSION_TEXT);
    if (!e) return NULL;
    e->text = copy(p, p->at, (size_t)(end - p->at));
    p->at = end + 1;
    return e;
}

/* tf.nn.relu */
static const char *parse_word(parser *p)
{
    const char *start = p->at;
    while (is_letter(*p->at) || is_digit(*p->at) || (*p->at == '.' && is_letter(p->at[1])))
        p->at++;
    return copy(p, start, (size_t)(p->at - start));
}

/* name= or name: before an argument; NULL when there is none. */
static const char *parse_keyword(parser *p)
{
    skip_space(p);
    const char *end = p->at;
    if (!is_letter(*end)) return NULL;
    while (is_letter(*end) || is_digit(*end))
        end++;
    const char *sign = end;
    while (*sign == ' ')
        sign++;
    if (!((*sign == '=' && sign[1] != '=') || *sign == ':')) return NULL;
    const char *word = copy(p, p->at, (size_t)(end - p->at));
    p->at = sign + 1;
    return word;
}

/* Items up to `close`; a comma may stand behind the last. */
static bool parse_items(parser *p, cnnfi_expression *list, cnnfi_expression *last, const char *close, bool keywords)
{
    while (!failed(p) && !take(p, close)) {
        if (list->n_items > 0 && last && !take(p, ",")) return want(p, "',' or the end of the list") != NULL;
        if (take(p, close)) break;
        const char *keyword = keywords ? parse_keyword(p) : NULL;
        cnnfi_expression *item = parse_any(p);
        if (!append(p, list, &last, item)) return false;
        item->keyword = keyword;
    }
    return !failed(p);
}

static cnnfi_expression *parse_word_or_call(parser *p)
{
    static const struct {
        const char *word;
        cnnfi_expression_kind kind;
        double number;
    } words[] = {{"True", CNNFI_EXPRESSION_BOOL, 1},      {"true", CNNFI_EXPRESSION_BOOL, 1},
                 {"False", CNNFI_EXPRESSION_BOOL, 0},     {"false", CNNFI_EXPRESSION_BOOL, 0},
                 {"None", CNNFI_EXPRESSION_NONE, 0},      {"null", CNNFI_EXPRESSION_NONE, 0},
                 {"newaxis", CNNFI_EXPRESSION_NONE, 0},   {"tf.newaxis", CNNFI_EXPRESSION_NONE, 0},
                 {"np.newaxis", CNNFI_EXPRESSION_NONE, 0}};
    const char *word = parse_word(p);
    cnnfi_expression *e = word ? node(p, CNNFI_EXPRESSION_NAME) : NULL;
    if (!e) return NULL;
    e->text = word;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].word, word) != 0) continue;
        e->kind = words[i].kind;
        e->number = words[i].number;
    }
    if (e->kind != CNNFI_EXPRESSION_NAME || !take(p, "(")) return e;
    e->kind = CNNFI_EXPRESSION_CALL;
    return parse_items(p, e, NULL, ")", true) ? e : NULL;
}

/* (a) is a; (a, b) a list. */
static cnnfi_expression *parse_parentheses(parser *p)
{
    cnnfi_expression *first = next_is(p, ")") ? NULL : parse_any(p), *last = NULL;
    if (failed(p)) return NULL;
    if (first && take(p, ")")) return first;
    cnnfi_expression *list = node(p, CNNFI_EXPRESSION_LIST);
    if (!list || (first && !append(p, list, &last, first))) return NULL;
    return parse_items(p, list, last, ")", false) ? list : NULL;
}

static cnnfi_expression *parse_list(parser *p)
{
    cnnfi_expression *list = node(p, CNNFI_EXPRESSION_LIST);
    return list && parse_items(p, list, NULL, "]", false) ? list : NULL;
}

static cnnfi_expression *parse_primary(parser *p)
{
    skip_space(p);
    if (is_digit(*p->at) || (*p->at == '.' && is_digit(p->at[1]))) return parse_number(p);
    if (*p->at == '\'' || *p->at == '"') return parse_text(p);
    if (is_letter(*p->at)) return parse_word_or_call(p);
    if (take(p, "(")) return parse_parentheses(p);
    if (take(p, "[")) return parse_list(p);
    return want(p, "a number, a name or '('");
}

/* ---- indices ---- */

static cnnfi_expression *parse_bound(parser *p)
{
    return next_is(p, ":") || next_is(p, ",") || next_is(p, "]") ? node(p, CNNFI_EXPRESSION_NONE) : parse_any(p);
}

static cnnfi_expression *parse_index(parser *p)
{
    if (take(p, "...")) return node(p, CNNFI_EXPRESSION_ELLIPSIS);
    cnnfi_expression *begin = parse_bound(p), *last = NULL;
    if (!begin || !take(p, ":")) return begin;
    cnnfi_expression *range = node(p, CNNFI_EXPRESSION_RANGE), *end = parse_bound(p);
    cnnfi_expression *step = take(p, ":") ? parse_bound(p) : node(p, CNNFI_EXPRESSION_NONE);
    return append(p, range, &last, begin) && append(p, range, &last, end) && append(p, range, &last, step) ? range
                                                                                                           : NULL;
}

static cnnfi_expression *parse_indexed(parser *p, cnnfi_expression *of)
{
    cnnfi_expression *e = node(p, CNNFI_EXPRESSION_INDEX), *last = NULL;
    if (!append(p, e, &last, of)) return NULL;
    do {
        if (next_is(p, "]") && e->n_items > 1) break;
        if (!append(p, e, &last, parse_index(p))) return want(p, "an index");
    } while (take(p, ","));
    return take(p, "]") ? e : want(p, "']'");
}

/* ---- operators, the strongest first ---- */

static cnnfi_expression *parse_unary(parser *p);

static cnnfi_expression *parse_power(parser *p)
{
    cnnfi_expression *e = parse_primary(p);
    while (e && take(p, "["))
        e = parse_indexed(p, e);
    return e && take(p, "**") ? pair(p, CNNFI_EXPRESSION_BINARY, "**", e, parse_unary(p)) : e;
}

static cnnfi_expression *parse_unary(parser *p)
{
    if (p->depth >= CNNFI_EXPRESSION_DEPTH) return want(p, "an end: it is nested too deeply");
    p->depth++;
    cnnfi_expression *e = NULL, *last = NULL;
    if (take(p, "-")) {
        cnnfi_expression *item = parse_unary(p);
        e = node(p, CNNFI_EXPRESSION_NEGATE);
        if (!append(p, e, &last, item)) e = NULL;
    } else {
        e = take(p, "+") ? parse_unary(p) : parse_power(p);
    }
    p->depth--;
    return e;
}

/* The operator of this strength at `at`, taken; NULL when there is none. "*" is not the beginning of "**". */
static const char *take_operator(parser *p, int strength)
{
    static const struct {
        int strength;
        const char *word;
    } operators[] = {{0, "<="}, {0, ">="}, {0, "=="}, {0, "!="}, {0, "<"}, {0, ">"},
                     {1, "+"},  {1, "-"},  {2, "//"}, {2, "/"},  {2, "%"}, {2, "*"}};
    if (next_is(p, "**")) return NULL;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (operators[i].strength == strength && take(p, operators[i].word)) return operators[i].word;
    return NULL;
}

static cnnfi_expression *parse_strength(parser *p, int strength)
{
    if (strength > 2) return parse_unary(p);
    cnnfi_expression *e = parse_strength(p, strength + 1);
    for (const char *word; e && (word = take_operator(p, strength));)
        e = pair(p, CNNFI_EXPRESSION_BINARY, word, e, parse_strength(p, strength + 1));
    return e;
}

static cnnfi_expression *parse_any(parser *p)
{
    if (p->depth >= CNNFI_EXPRESSION_DEPTH) return want(p, "an end: it is nested too deeply");
    p->depth++;
    cnnfi_expression *e = parse_strength(p, 0);
    p->depth--;
    return e;
}

cnnf_status cnnfi_expression_parse(const cnnfi_expression **out, cnnfi_arena *arena, const char *text,
                                   cnnf_error *error)
{
    parser p = {.arena = arena, .text = text, .at = text};
    *out = NULL;
    if (strlen(text) > CNNFI_EXPRESSION_BYTES)
        return cnnfi_fail(error, CNNF_E_LIMIT, "an expression of %zu bytes, the most is %d", strlen(text),
                          CNNFI_EXPRESSION_BYTES);
    const cnnfi_expression *e = parse_any(&p);
    skip_space(&p);
    if (e && *p.at) (void)want(&p, "the end");
    if (p.no_memory) return cnnfi_fail_nomem(error);
    if (p.wanted || !e)
        return cnnfi_fail(error, CNNF_E_INVALID, "expression '%.200s': at character %zu ('%.12s') %s is wanted", text,
                          (size_t)(p.at - text) + 1, p.at, p.wanted ? p.wanted : "something else");
    *out = e;
    return CNNF_OK;
}

const cnnfi_expression *cnnfi_expression_item(const cnnfi_expression *e, size_t index)
{
    const cnnfi_expression *item = e->items;
    while (item && index-- > 0)
        item = item->next;
    return item;
}

/* ---- constants ---- */

static bool folded(const char *word, double a, double b, double *out)
{
    if (strcmp(word, "+") == 0)
        *out = a + b;
    else if (strcmp(word, "-") == 0)
        *out = a - b;
    else if (strcmp(word, "*") == 0)
        *out = a * b;
    else if (strcmp(word, "/") == 0)
        *out = a / b;
    else if (strcmp(word, "//") == 0)
        *out = floor(a / b);
    else if (strcmp(word, "%") == 0)
        *out = a - b * floor(a / b);
    else if (strcmp(word, "**") == 0)
        *out = pow(a, b);
    else
        return false;
    return isfinite(*out);
}

bool cnnfi_expression_number(const cnnfi_expression *e, double *out, bool *is_integer)
{
    double a, b;
    bool a_integer, b_integer;
    switch (e->kind) {
    case CNNFI_EXPRESSION_NUMBER:
        *out = e->number;
        *is_integer = e->is_integer;
        return true;
    case CNNFI_EXPRESSION_NEGATE:
        if (!cnnfi_expression_number(e->items, out, is_integer)) return false;
        *out = -*out;
        return true;
    case CNNFI_EXPRESSION_BINARY:
        if (!cnnfi_expression_number(e->items, &a, &a_integer) ||
            !cnnfi_expression_number(e->items->next, &b, &b_integer) || !folded(e->text, a, b, out))
            return false;
        *is_integer = a_integer && b_integer && strcmp(e->text, "/") != 0 && *out == floor(*out);
        return true;
    default:
        return false;
    }
}

static bool number_json(const cnnfi_expression *e, cnnfi_strbuf *out)
{
    double value;
    bool is_integer;
    char text[32];
    if (!cnnfi_expression_number(e, &value, &is_integer)) return false;
    if (is_integer && fabs(value) < 9e15) {
        cnnfi_strbuf_printf(out, "%lld", (long long)value);
        return true;
    }
    (void)cnnfi_format_double(text, value);
    cnnfi_strbuf_puts(out, text);
    return true;
}

bool cnnfi_expression_json(const cnnfi_expression *e, cnnfi_strbuf *out)
{
    bool known = true;
    switch (e->kind) {
    case CNNFI_EXPRESSION_TEXT:
        cnnfi_strbuf_json_string(out, e->text);
        return true;
    case CNNFI_EXPRESSION_BOOL:
        cnnfi_strbuf_puts(out, e->number != 0 ? "true" : "false");
        return true;
    case CNNFI_EXPRESSION_NONE:
        cnnfi_strbuf_puts(out, "null");
        return true;
    case CNNFI_EXPRESSION_LIST:
        cnnfi_strbuf_putc(out, '[');
        for (const cnnfi_expression *item = e->items; known && item; item = item->next) {
            known = cnnfi_expression_json(item, out);
            if (item->next) cnnfi_strbuf_putc(out, ',');
        }
        cnnfi_strbuf_putc(out, ']');
        return known;
    default:
        return number_json(e, out);
    }
}
