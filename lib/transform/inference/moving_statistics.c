/* SPDX-License-Identifier: Apache-2.0 */
/* Moving statistics are found by name: they are variables beside gamma and beta. See moving_statistics.h. */
#include "transform/inference/moving_statistics.h"

#include <string.h>

#include "base/context.h"
#include "base/str.h"
#include "graph/builder.h"
#include "transform/batch_norm/find_batch_norms.h"

#define MAX_DEPTH 16

/* As the frameworks call the pair. */
static const char *const pairs[][2] = {
    {"moving_mean", "moving_variance"},
    {"moving_mean", "moving_var"},
    {"running_mean", "running_var"},
    {"running_mean", "running_variance"},
    {"running_mean", "running_std"},
    {"pop_mean", "pop_var"},
    {"pop_mean", "pop_variance"},
    {"mean_ema", "variance_ema"},
    {"mean/EMA", "variance/EMA"},
    {"moments/Squeeze/ExponentialMovingAverage", "moments/Squeeze_1/ExponentialMovingAverage"},
};

typedef struct statistics {
    cnnf_node *mean, *variance;
} statistics;

/* The variable or Const behind an input, through reads; NULL. */
static cnnf_node *stored(const cnnfi_edit *edit, const cnnf_node *node, size_t input)
{
    cnnf_node *from = cnnfi_edit_producer(edit, node, input, NULL);
    for (int depth = 0; from && depth < MAX_DEPTH; depth++) {
        if (cnnfi_op_is_variable(from->op) || strcmp(from->op, "Const") == 0) return from;
        if (!cnnfi_op_is_identity(from->op) && strcmp(from->op, "ReadVariableOp") != 0) return NULL;
        from = cnnfi_edit_producer(edit, from, 0, NULL);
    }
    return NULL;
}

static bool is_storage(const cnnf_node *node)
{
    return node && (cnnfi_op_is_variable(node->op) || strcmp(node->op, "Const") == 0);
}

/* `<scope>/<name>`, or `<name>` at the root; `buffer` has room for it. */
static cnnf_node *find_in(const cnnfi_edit *edit, char *buffer, size_t scope_length, const char *name)
{
    const size_t at = scope_length ? scope_length + 1 : 0, length = strlen(name);
    memcpy(buffer + at, name, length);
    cnnf_node *node = cnnfi_edit_find(edit, buffer, at + length);
    return is_storage(node) ? node : NULL;
}

static bool pair_in(cnnfi_edit *edit, const char *scope, size_t length, statistics *out)
{
    enum { LONGEST = 64 }; /* of a name in `pairs` */
    cnnf_context *context = edit->b->graph->context;
    char *buffer = cnnfi_malloc(context, length + 1 + LONGEST);
    if (!buffer) {
        cnnfi_builder_fail(edit->b, CNNF_E_NOMEM, "out of memory");
        return false;
    }
    memcpy(buffer, scope, length);
    buffer[length] = '/';
    *out = (statistics){0};
    for (size_t i = 0; !out->variance && i < sizeof pairs / sizeof *pairs; i++) {
        out->mean = find_in(edit, buffer, length, pairs[i][0]);
        out->variance = out->mean ? find_in(edit, buffer, length, pairs[i][1]) : NULL;
    }
    cnnfi_free(context, buffer);
    return out->variance != NULL;
}

static size_t parent(const char *name, size_t length)
{
    while (length && name[length - 1] != '/')
        length--;
    return length ? length - 1 : 0;
}

/* In the scopes around a name, the nearest first; not at the root, where a pair could be anybody's. */
#define MAX_SCOPES 32
static bool pair_around(cnnfi_edit *edit, const char *name, statistics *out)
{
    size_t length = parent(name, strlen(name));
    for (int i = 0; i < MAX_SCOPES && length; i++, length = parent(name, length)) {
        if (pair_in(edit, name, length, out)) return true;
    }
    return false;
}

static bool is_moving(const cnnf_node *node)
{
    for (size_t i = 0; node && i < sizeof pairs / sizeof *pairs; i++) {
        if (cnnfi_ends_with(node->name, pairs[i][0]) || cnnfi_ends_with(node->name, pairs[i][1])) return true;
    }
    return false;
}

static bool find_statistics(cnnfi_edit *edit, const cnnf_node *node, statistics *out)
{
    *out = (statistics){stored(edit, node, 3), stored(edit, node, 4)};
    if (is_moving(out->mean) && is_moving(out->variance)) return true;
    const cnnf_node *gamma = stored(edit, node, 1), *beta = stored(edit, node, 2);
    for (size_t i = 0; i < 2; i++) {
        const cnnf_node *sibling = i ? gamma : beta;
        if (sibling && pair_in(edit, sibling->name, parent(sibling->name, strlen(sibling->name)), out)) return true;
    }
    return pair_around(edit, node->name, out);
}

/* What reads the value: the Const, a variable's `/read`, or a new ReadVariableOp of a resource. */
static const cnnf_node *reader_of(cnnfi_edit *edit, const cnnf_node *node, const cnnf_node *storage)
{
    cnnfi_builder *b = edit->b;
    const bool resource = strcmp(storage->op, "VarHandleOp") == 0;
    const char *read = cnnfi_builder_printf(b, resource ? "%s/Read/ReadVariableOp" : "%s/read", storage->name);
    cnnf_node *reader = read ? cnnfi_edit_find(edit, read, strlen(read)) : NULL;
    if (!resource) return reader ? reader : storage;
    reader = cnnfi_edit_add(edit, "ReadVariableOp", cnnfi_edit_unique(edit, "%s/ReadVariableOp", node->name));
    cnnfi_edit_add_input(edit, reader, cnnfi_end(storage, 0));
    cnnfi_node_set_type(b, reader, "dtype", cnnfi_node_type(storage, "dtype"));
    return reader;
}

static void rewire_fused(cnnfi_edit *edit, cnnfi_pass_run *run, cnnf_node *node)
{
    statistics s;
    if (!find_statistics(edit, node, &s)) {
        cnnfi_run_note(run, node->name, "stays in training mode: no moving mean and variance beside its gamma or beta");
        return;
    }
    if (stored(edit, node, 3) != s.mean)
        cnnfi_edit_set_input(edit, node, 3, cnnfi_end(reader_of(edit, node, s.mean), 0));
    if (stored(edit, node, 4) != s.variance)
        cnnfi_edit_set_input(edit, node, 4, cnnfi_end(reader_of(edit, node, s.variance), 0));
    cnnfi_node_set_bool(edit->b, node, "is_training", false);
    if (cnnfi_node_attr(node, "exponential_avg_factor"))
        cnnfi_node_set_float(edit->b, node, "exponential_avg_factor", 1.0f);
    cnnfi_run_count(run, "batch_norms_to_moving_statistics", 1);
    edit->changes++;
}

/* tf.nn.moments beside the variables, read by tf.nn.batch_normalization: `<scope>/moments/...`,
 * `<scope>/batchnorm/...`. */
static const struct {
    const char *suffix;
    bool variance;
} moments[] = {
    {"/moments/Squeeze", false}, {"/moments/Squeeze_1", true},       {"/moments/mean", false},
    {"/moments/variance", true}, {"/moments/normalize/mean", false}, {"/moments/normalize/variance", true},
};

static void rewire_moments(cnnfi_edit *edit, cnnfi_pass_run *run, cnnf_node *node, size_t kind)
{
    const size_t scope = strlen(node->name) - strlen(moments[kind].suffix);
    statistics s;
    const char *normalizer = cnnfi_builder_printf(edit->b, "%.*s/batchnorm/", (int)scope, node->name);
    if (!normalizer || !pair_in(edit, node->name, scope, &s)) return;
    const cnnf_node *reader = NULL;
    for (const cnnfi_use *use = cnnfi_edit_uses(edit, node), *next; use; use = next) {
        next = use->next;
        if (use->port != 0 || !cnnfi_starts_with(use->user->name, normalizer)) continue;
        if (!reader) reader = reader_of(edit, node, moments[kind].variance ? s.variance : s.mean);
        cnnfi_edit_set_input(edit, use->user, use->input, cnnfi_end(reader, 0));
        edit->changes++;
    }
    if (reader && moments[kind].variance) cnnfi_run_count(run, "batch_norms_to_moving_statistics", 1);
}

void cnnfi_use_moving_statistics(cnnfi_edit *edit, cnnfi_pass_run *run)
{
    const bool *needed = cnnfi_pass_needed(edit, run);
    const size_t count = edit->count;
    for (size_t i = 0; needed && i < count && !edit->b->status; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        if (!needed[i]) continue;
        const bool fused = cnnfi_op_is_fused_batch_norm(node->op) && node->n_inputs >= 5;
        if (fused && cnnf_node_attr_bool(node, "is_training", 1)) rewire_fused(edit, run, node);
        for (size_t k = 0; k < sizeof moments / sizeof *moments; k++) {
            if (cnnfi_ends_with(node->name, moments[k].suffix)) rewire_moments(edit, run, node, k);
        }
    }
}
