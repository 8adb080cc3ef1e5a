/* SPDX-License-Identifier: Apache-2.0 */
/* A pass's view of its arguments, of the nodes it may not touch, and how it hands over its result. */
#include "transform/framework/passes.h"

#include <string.h>

#include "base/context.h"
#include "base/num.h"
#include "graph/builder.h"

/* ---- values ---- */

bool cnnfi_parse_bool(const char *text, bool *out)
{
    *out = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    return *out || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

/* Names as TensorFlow prints them and as its enum spells them; "half" and "bfloat16" included. */
bool cnnfi_parse_dtype(const char *text, cnnf_dtype *out)
{
    static const struct {
        const char *name;
        cnnf_dtype dtype;
    } aliases[] = {{"float32", CNNF_FLOAT}, {"float64", CNNF_DOUBLE}, {"float16", CNNF_HALF}};
    int64_t number;
    if (cnnfi_parse_i64(text, strlen(text), &number)) {
        *out = (cnnf_dtype)number;
        return number > 0 && number < 64 && strcmp(cnnf_dtype_name(*out), "unknown") != 0;
    }
    char name[32];
    if (cnnfi_starts_with(text, "DT_")) text += 3;
    if (strlen(text) >= sizeof name) return false;
    for (size_t i = 0; i <= strlen(text); i++) {
        const char c = text[i];
        name[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        *out = aliases[i].dtype;
        if (strcmp(name, aliases[i].name) == 0) return true;
    }
    for (*out = CNNF_FLOAT; *out < 64; ++*out) {
        if (strcmp(cnnf_dtype_name(*out), name) == 0 && strcmp(name, "unknown")) return true;
    }
    return false;
}

bool cnnfi_parse_shape(const char *text, int32_t *rank, int64_t *dims)
{
    *rank = 0;
    while (*text) {
        const char *comma = strchr(text, ',');
        const size_t length = comma ? (size_t)(comma - text) : strlen(text);
        const char *start = text + strspn(text, " ");
        const size_t inside = length - (size_t)(start - text);
        int64_t dim = -1;
        const bool unknown = inside == 1 && *start == '?';
        if (!unknown && (!cnnfi_parse_i64(start, inside, &dim) || dim < -1)) return false;
        if (*rank == CNNFI_MAX_RANK) return false;
        dims[(*rank)++] = dim;
        if (!comma) return true;
        text = comma + 1;
    }
    return *rank == 0;
}

/* ---- arguments ---- */

const char *cnnfi_run_arg(const cnnfi_pass_run *run, const char *name, size_t index)
{
    for (size_t i = 0; i < run->n_args; i++) {
        if (strcmp(run->args[i].name, name) == 0 && index-- == 0) return run->args[i].value;
    }
    return NULL;
}

size_t cnnfi_run_arg_count(const cnnfi_pass_run *run, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < run->n_args; i++)
        count += strcmp(run->args[i].name, name) == 0;
    return count;
}

const char *cnnfi_run_string(const cnnfi_pass_run *run, const char *name, const char *fallback)
{
    const char *text = cnnfi_run_arg(run, name, 0);
    return text ? text : fallback;
}

int64_t cnnfi_run_int(const cnnfi_pass_run *run, const char *name, int64_t fallback)
{
    const char *text = cnnfi_run_arg(run, name, 0);
    int64_t value;
    return text && cnnfi_parse_i64(text, strlen(text), &value) ? value : fallback;
}

double cnnfi_run_float(const cnnfi_pass_run *run, const char *name, double fallback)
{
    const char *text = cnnfi_run_arg(run, name, 0);
    if (!text) return fallback;
    size_t used;
    const double value = cnnfi_parse_double(text, strlen(text), &used);
    return used && used == strlen(text) ? value : fallback;
}

bool cnnfi_run_bool(const cnnfi_pass_run *run, const char *name, bool fallback)
{
    const char *text = cnnfi_run_arg(run, name, 0);
    bool value;
    return text && cnnfi_parse_bool(text, &value) ? value : fallback;
}

bool cnnfi_run_matches(const cnnfi_pass_run *run, const char *name, const char *value)
{
    for (size_t i = 0; i < run->n_args; i++) {
        if (strcmp(run->args[i].name, name) == 0 && cnnfi_glob_match(run->args[i].value, value)) return true;
    }
    return false;
}

/* ---- protected nodes ---- */

static bool in_list(const cnnfi_name_list *list, const char *node)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->names[i], node) == 0) return true;
    }
    return false;
}

bool cnnfi_run_is_input(const cnnfi_pass_run *run, const char *node)
{
    return in_list(&run->inputs, node);
}

bool cnnfi_run_is_output(const cnnfi_pass_run *run, const char *node)
{
    return in_list(&run->outputs, node);
}

static void protect_named(bool *flags, const cnnf_graph *in, const cnnfi_name_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const int64_t at = cnnfi_strmap_get(&in->names, list->names[i]);
        if (at >= 0) flags[at] = true;
    }
}

static cnnf_status protect_sinks(bool *flags, const cnnf_graph *in)
{
    bool *read = cnnfi_calloc(in->context, in->n_nodes, sizeof *read);
    if (!read) return CNNF_E_NOMEM;
    for (size_t i = 0; i < in->n_nodes; i++) {
        for (size_t k = 0; k < in->nodes[i]->n_inputs; k++)
            read[in->nodes[i]->edges[k].node] = true;
    }
    for (size_t i = 0; i < in->n_nodes; i++)
        flags[i] |= !read[i];
    cnnfi_free(in->context, read);
    return CNNF_OK;
}

bool *cnnfi_run_protection(const cnnfi_pass_run *run, const cnnf_graph *in)
{
    bool *flags = cnnfi_calloc(in->context, in->n_nodes, sizeof *flags);
    if (!flags) return NULL;
    protect_named(flags, in, &run->inputs);
    protect_named(flags, in, &run->outputs);
    if (run->outputs.count || !protect_sinks(flags, in)) return flags;
    cnnfi_free(in->context, flags);
    return NULL;
}

static bool rename_in(cnnfi_pass_run *run, cnnfi_name_list *list, const char *from, const char *to)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->names[i], from)) continue;
        const char *copy = cnnfi_arena_strdup(run->arena, to);
        if (!copy) return false;
        list->names[i] = copy;
    }
    return true;
}

bool cnnfi_run_renamed(cnnfi_pass_run *run, const char *from, const char *to)
{
    return rename_in(run, &run->inputs, from, to) && rename_in(run, &run->outputs, from, to);
}

/* ---- results ---- */

cnnf_status cnnfi_pass_unchanged(const cnnf_graph *in, cnnf_graph **out)
{
    *out = cnnf_graph_ref(in);
    return CNNF_OK;
}

static bool is_there(const cnnfi_builder *b, const char *name)
{
    const char *start;
    size_t length;
    cnnfi_input_parse(name, &start, &length);
    return cnnfi_strmap_get_n(&b->graph->names, start, length) >= 0;
}

static size_t keep_present(const cnnfi_builder *b, const char **names, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_there(b, names[i])) names[kept++] = names[i];
    }
    return kept;
}

static void drop_absent(cnnfi_builder *b)
{
    cnnfi_meta *meta = &b->graph->meta;
    meta->n_inputs = keep_present(b, meta->inputs, meta->n_inputs);
    meta->n_outputs = keep_present(b, meta->outputs, meta->n_outputs);
    size_t kept = 0;
    for (size_t i = 0; i < meta->n_variables; i++) {
        if (is_there(b, meta->variables[i].variable_name)) meta->variables[kept++] = meta->variables[i];
    }
    meta->n_variables = kept;
    const char **const saver[] = {&meta->saver_filename_tensor, &meta->saver_save_tensor, &meta->saver_restore_op};
    bool whole = true;
    for (size_t i = 0; i < 3; i++)
        whole &= *saver[i] && is_there(b, *saver[i]);
    for (size_t i = 0; i < 3 && !whole; i++)
        *saver[i] = NULL;
}

/* "loc:@x" without x is refused by every importer. */
static bool is_stale(const cnnfi_builder *b, cnnfi_bytes text)
{
    return text.size > 5 && memcmp(text.data, "loc:@", 5) == 0 &&
           cnnfi_strmap_get_n(&b->graph->names, (const char *)text.data + 5, text.size - 5) < 0;
}

static void drop_stale_class(const cnnfi_builder *b, cnnf_node *node)
{
    const cnnfi_attr *found = cnnfi_node_attr(node, "_class");
    if (!found || found->kind != CNNF_ATTR_LIST || found->u.list.item_kind != CNNF_ATTR_STRING) return;
    cnnfi_attr_list *list = &node->attrs[found - node->attrs].u.list;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!is_stale(b, list->u.strings[i])) list->u.strings[kept++] = list->u.strings[i];
    }
    list->count = kept;
    if (!kept) cnnfi_node_attr_remove(node, "_class");
}

cnnf_status cnnfi_pass_publish(cnnfi_pass_run *run, cnnf_graph **out, cnnfi_builder *b)
{
    if (!cnnfi_builder_status(b)) {
        drop_absent(b);
        for (size_t i = 0; i < cnnfi_builder_count(b); i++)
            drop_stale_class(b, cnnfi_builder_node(b, i));
    }
    return cnnfi_builder_publish(out, b, run->error);
}
