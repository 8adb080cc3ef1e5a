/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set_learning_phase: a graph that can train becomes one that only infers. The learning phase is false, conditionals
 * on it keep the side that is then taken, nothing waits for updates of variables any more, and batch norms
 * use their moving statistics.
 */
#include <string.h>

#include "base/context.h"
#include "base/str.h"
#include "edit/memo.h"
#include "graph/tensor.h"
#include "graph/builder.h"
#include "transform/inference/conditionals.h"
#include "transform/inference/moving_statistics.h"
#include "transform/framework/pass_edit.h"

/* ---- which placeholders say whether it is training ---- */

/* The last part of a name without a `_1` that made it unique. */
static size_t last_part(const char *name, const char **start)
{
    const char *slash = strrchr(name, '/');
    *start = slash ? slash + 1 : name;
    size_t length = strlen(*start), digits = length;
    while (digits && (*start)[digits - 1] >= '0' && (*start)[digits - 1] <= '9')
        digits--;
    return digits > 1 && digits < length && (*start)[digits - 1] == '_' ? digits - 1 : length;
}

static bool has_phase_name(const char *name)
{
    static const char *const names[] = {
        "keras_learning_phase",
        "learning_phase",
        "is_training",
        "is_train",
        "istraining",
        "isTraining",
        "is_training_ph",
        "train_phase",
        "phase_train",
        "training_phase",
        "train_mode",
        "train_flag",
        "training",
        "is_training_placeholder",
        "phase",
        "trainable_phase",
        "bn_is_training",
        "bn_train",
        "use_dropout",
        "train",
    };
    const char *start;
    const size_t length = last_part(name, &start);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == length && memcmp(names[i], start, length) == 0) return true;
    }
    return false;
}

/* What may hold a phase. */
static bool is_source(const cnnf_node *node)
{
    static const char *const ops[] = {"Placeholder", "PlaceholderWithDefault", "VarHandleOp", "Variable", "VariableV2"};
    return cnnfi_text_in(node->op, ops, sizeof ops / sizeof *ops);
}

static bool is_named(const cnnfi_pass_run *run, const cnnf_node *node)
{
    return is_source(node) &&
           (cnnfi_run_matches(run, "name", node->name) || cnnfi_run_matches(run, "is_true", node->name));
}

/* Generic names count for bool alone; Keras 1 had its learning phase as a number too. */
static bool is_phase(const cnnfi_pass_run *run, const cnnf_node *node)
{
    const bool fed = strcmp(node->op, "Placeholder") == 0, defaulted = strcmp(node->op, "PlaceholderWithDefault") == 0;
    if (cnnfi_run_is_output(run, node->name)) return false;
    if (is_named(run, node)) return true;
    if (!fed && !defaulted) return false;
    const cnnf_dtype dtype = cnnfi_node_type(node, "dtype");
    return dtype == CNNF_BOOL ? has_phase_name(node->name) : strstr(node->name, "keras_learning_phase") != NULL;
}

/* ---- or a truth that does nothing but decide branches, whatever it is called (tflearn keeps it in a variable) ---- */

typedef enum reading {
    READS_ELSE,   /* computes with it */
    READS_ON,     /* hands it on, or its contrary */
    READS_BRANCH, /* takes a branch by it */
    READS_NOTHING /* initialises, saves or asks for the variable */
} reading;

static reading reading_of(const cnnf_node *reader, size_t input)
{
    static const char *const on[] = {"Identity", "LogicalNot", "ReadVariableOp"};
    static const char *const nothing[] = {"Assign",    "AssignVariableOp", "IsVariableInitialized",
                                          "RestoreV2", "SaveV2",           "VarIsInitializedOp"};
    static const char *const by_first[] = {"If", "StatelessIf"};
    if (cnnfi_op_is_switch(reader->op)) return input == 1 ? READS_BRANCH : READS_NOTHING; /* cond's own pivot */
    if (cnnfi_text_in(reader->op, by_first, sizeof by_first / sizeof *by_first) && input == 0) return READS_BRANCH;
    if (cnnfi_text_in(reader->op, nothing, sizeof nothing / sizeof *nothing)) return READS_NOTHING;
    return cnnfi_text_in(reader->op, on, sizeof on / sizeof *on) ? READS_ON : READS_ELSE;
}

/* Walks on from the node through what hands it on: at least one branch, and nothing else. */
static bool decides_branches_alone(cnnfi_edit *edit, const cnnf_node *node)
{
    int32_t *stack = cnnfi_edit_array(edit, edit->count, sizeof *stack);
    bool *seen = cnnfi_edit_array(edit, edit->count, sizeof *seen), branches = false;
    size_t n = 0;
    if (!stack || !seen) return false;
    stack[n++] = node->index;
    seen[node->index] = true;
    while (n > 0) {
        for (const cnnfi_use *use = cnnfi_edit_uses(edit, cnnfi_edit_node(edit, stack[--n])); use; use = use->next) {
            const cnnf_node *reader = use->user;
            if (use->port == CNNFI_PORT_CONTROL) continue;
            const reading how = reading_of(reader, use->input);
            if (how == READS_ELSE) return false;
            branches |= how == READS_BRANCH;
            if (how != READS_ON || seen[reader->index]) continue;
            seen[reader->index] = true;
            stack[n++] = reader->index;
        }
    }
    return branches;
}

static bool is_phase_by_use(cnnfi_edit *edit, const cnnfi_pass_run *run, const cnnf_node *node)
{
    if (cnnfi_node_type(node, "dtype") != CNNF_BOOL || cnnfi_run_is_output(run, node->name)) return false;
    if (!is_source(node)) return false;
    if (cnnf_node_attr_shape_rank(node, "shape") > 0) return false; /* a truth per example is data */
    return decides_branches_alone(edit, node);
}

static void set_phase(cnnfi_edit *edit, cnnf_node *node, bool truth)
{
    cnnfi_builder *b = edit->b;
    cnnf_tensor *value = NULL;
    const cnnf_dtype dtype = cnnfi_node_type(node, "dtype");
    if (truth && dtype != CNNF_BOOL) {
        cnnfi_builder_fail(b, CNNF_E_UNSUPPORTED, "'%s' is %s: only a bool can be set to true", node->name,
                           cnnf_dtype_name(dtype));
        return;
    }
    if (!b->status) b->status = cnnf_tensor_new(&value, b->graph->context, dtype, 0, NULL, b->error);
    if (value && truth) *(uint8_t *)cnnf_tensor_data_mut(value) = 1;
    cnnfi_edit_set_protected(edit, node, false);
    cnnfi_edit_reset(edit, node, "Const");
    cnnfi_node_set_type(b, node, "dtype", dtype);
    if (value) cnnfi_node_set_tensor(b, node, "value", value);
    cnnf_tensor_unref(value);
    edit->changes++;
}

/* A variable's handle cannot be a constant: who reads it reads the phase. */
static void read_phase(cnnfi_edit *edit, cnnf_node *handle, bool truth)
{
    for (cnnfi_use *use = cnnfi_edit_uses(edit, handle), *next; use; use = next) {
        cnnf_node *reader = use->user;
        next = use->next;
        if (strcmp(reader->op, "ReadVariableOp") != 0) continue;
        const bool protection = cnnfi_edit_is_protected(edit, reader);
        cnnfi_node_set_type(edit->b, reader, "dtype", CNNF_BOOL);
        set_phase(edit, reader, truth);
        cnnfi_edit_set_protected(edit, reader, protection);
    }
}

/* What assigns to a variable that is none any more, and saves it, goes with it where nothing needs it (sweep, prune).
 */
static void set_variable(cnnfi_edit *edit, cnnf_node *variable, bool truth)
{
    if (strcmp(variable->op, "VarHandleOp") == 0) {
        read_phase(edit, variable, truth);
        return;
    }
    cnnf_node *constant =
        cnnfi_edit_add(edit, "Const", cnnfi_edit_unique(edit, "%s/%s", variable->name, truth ? "true" : "false"));
    if (!constant) return;
    cnnfi_node_set_type(edit->b, constant, "dtype", CNNF_BOOL);
    set_phase(edit, constant, truth);
    for (cnnfi_use *use = cnnfi_edit_uses(edit, variable), *next; use; use = next) {
        cnnf_node *reader = use->user;
        next = use->next;
        if (reading_of(reader, use->input) != READS_NOTHING || cnnfi_op_is_switch(reader->op))
            cnnfi_edit_set_input(edit, reader, use->input, cnnfi_end(constant, 0));
    }
}

static int64_t set_phases(cnnfi_edit *edit, cnnfi_pass_run *run)
{
    int64_t found = 0;
    for (size_t i = 0; i < edit->originals && !edit->b->status; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        const bool known = is_phase(run, node);
        if (!known && !is_phase_by_use(edit, run, node)) continue;
        const bool truth = cnnfi_run_matches(run, "is_true", node->name);
        if (!known) {
            cnnfi_run_note(run, node->name, "taken for the learning phase: it does nothing but decide branches");
            cnnfi_log(run->context, CNNF_LOG_INFO, "'%s' is taken for the learning phase: false", node->name);
        } else {
            cnnfi_run_note(run, node->name, "the learning phase: %s", truth ? "true" : "false");
        }
        if (cnnfi_op_is_variable(node->op))
            set_variable(edit, node, truth);
        else
            set_phase(edit, node, truth);
        found++;
    }
    return found;
}

/* ---- nothing waits for an update ---- */

static bool is_assignment(const char *op)
{
    static const char *const ops[] = {"Assign",           "AssignAdd",           "AssignSub",
                                      "AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp",
                                      "ScatterUpdate",    "ScatterAdd"};
    return cnnfi_text_in(op, ops, sizeof ops / sizeof *ops);
}

/* An assignment, or a NoOp or Identity that waits for one (group_deps): as an analysis, whose answer is NULL where it
   is none. */
static bool gathers(void *self, const cnnf_node *node, size_t input)
{
    (void)self, (void)input;
    return strcmp(node->op, "NoOp") == 0 || cnnfi_op_is_identity(node->op);
}

static const void *find_update(void *self, const cnnf_node *node)
{
    const cnnfi_memo *updates = self;
    if (is_assignment(node->op)) return node;
    for (size_t k = 0; k < node->n_inputs && gathers(self, node, k); k++) {
        const cnnf_node *from = cnnfi_edit_producer(updates->edit, node, k, NULL);
        if (from && cnnfi_memo_peek(updates, from)) return node;
    }
    return NULL;
}

static bool same_update(const void *a, const void *b)
{
    return a == b;
}

/* A NoOp that groups assignments (init, restore_all) stays what it is. */
static int64_t cut_updates(cnnfi_edit *edit, const cnnfi_pass_run *run)
{
    static const cnnfi_analysis analysis = {gathers, find_update, same_update};
    const bool *needed = cnnfi_pass_needed(edit, run);
    cnnfi_memo updates;
    int64_t cut = 0;
    cnnfi_memo_init(&updates, edit, &analysis, &updates);
    for (size_t i = 0; needed && i < edit->count; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        if (!needed[i] || node->removed || strcmp(node->op, "NoOp") == 0 || is_assignment(node->op)) continue;
        for (size_t k = node->n_inputs; k-- > 0 && node->edges[k].port == CNNFI_PORT_CONTROL;) {
            const cnnf_node *from = cnnfi_edit_producer(edit, node, k, NULL);
            if (!from || !cnnfi_memo_get(&updates, from)) continue;
            cnnfi_edit_remove_input(edit, node, k);
            cut++;
        }
    }
    if (cut) edit->changes++;
    return cut;
}

static cnnf_status run_phase(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    cnnfi_run_count(run, "learning_phases", set_phases(&edit, run));
    cnnfi_run_count(run, "conditionals", (int64_t)cnnfi_fold_conditionals(&edit, run));
    cnnfi_run_count(run, "updates_cut", cut_updates(&edit, run));
    cnnfi_use_moving_statistics(&edit, run);
    cnnfi_edit_sweep(&edit);
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

static const cnnfi_pass_param params[] = {
    {"name", CNNFI_ARG_STRING, false, true, "another placeholder or variable that is true in training (globs allowed)"},
    {"is_true", CNNFI_ARG_STRING, false, true, "one that is to be true instead (globs allowed)"},
};

const cnnfi_pass cnnfi_pass_set_learning_phase = {
    .name = "set_learning_phase",
    .description =
        "Sets the learning phase to false: conditionals fold, updates go, batch norms use their moving statistics.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .run = run_phase,
};
