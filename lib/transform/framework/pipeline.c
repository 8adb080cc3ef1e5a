/* SPDX-License-Identifier: Apache-2.0 */
/* Runs passes in order, with the nodes they may not touch, and writes the report. */
#include "transform/framework/pipeline.h"

#include <string.h>

#include "base/context.h"
#include "graph/equal.h"
#include "graph/resolve.h"
#include "ops/validate.h"
#include "transform/framework/output_shapes.h"
#include "transform/framework/report.h"

struct cnnf_pipeline {
    cnnf_context *context;
    cnnfi_arena arena;
    cnnfi_step_list list;
    cnnfi_name_list inputs, outputs; /* names in the arena, arrays the context's */
    size_t input_capacity, output_capacity;
    cnnf_progress_fn progress; /* nullable */
    void *progress_user;
};

/* ---- building ---- */

cnnf_status cnnf_pipeline_new(cnnf_pipeline **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_pipeline_new: out is NULL");
    *out = NULL;
    if (!context) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_pipeline_new: context is NULL");
    cnnf_pipeline *pipeline = cnnfi_calloc(context, 1, sizeof *pipeline);
    if (!pipeline) return cnnfi_fail_nomem(error);
    pipeline->context = cnnf_context_ref(context);
    cnnfi_arena_init(&pipeline->arena, context);
    pipeline->list = (cnnfi_step_list){.context = context, .arena = &pipeline->arena};
    *out = pipeline;
    return CNNF_OK;
}

void cnnf_pipeline_free(cnnf_pipeline *pipeline)
{
    if (!pipeline) return;
    cnnf_context *context = pipeline->context;
    cnnfi_free(context, pipeline->list.steps);
    cnnfi_free(context, pipeline->inputs.names);
    cnnfi_free(context, pipeline->outputs.names);
    cnnfi_arena_free(&pipeline->arena);
    cnnfi_free(context, pipeline);
    cnnf_context_unref(context);
}

cnnf_status cnnf_pipeline_add(cnnf_pipeline *pipeline, const char *passes, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!pipeline || !passes) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_pipeline_add: an argument is NULL");
    return cnnfi_parse_steps(&pipeline->list, passes, error);
}

/* The node part of "x", "x:0", "^x". */
static cnnf_status add_name(cnnf_pipeline *pipeline, cnnfi_name_list *list, size_t *capacity, const char *text,
                            cnnf_error *error)
{
    const char *start;
    size_t length;
    cnnfi_input_parse(text, &start, &length);
    if (!length) return cnnfi_fail(error, CNNF_E_INVALID, "'%s' is no node name", text);
    const char *name = cnnfi_arena_strndup(&pipeline->arena, start, length);
    if (!name || !cnnfi_grow(pipeline->context, (void **)&list->names, capacity, list->count, sizeof *list->names)) {
        return cnnfi_fail_nomem(error);
    }
    list->names[list->count++] = name;
    return CNNF_OK;
}

cnnf_status cnnf_pipeline_add_input(cnnf_pipeline *pipeline, const char *name, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!pipeline || !name) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_pipeline_add_input: an argument is NULL");
    return add_name(pipeline, &pipeline->inputs, &pipeline->input_capacity, name, error);
}

cnnf_status cnnf_pipeline_add_output(cnnf_pipeline *pipeline, const char *name, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!pipeline || !name) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_pipeline_add_output: an argument is NULL");
    return add_name(pipeline, &pipeline->outputs, &pipeline->output_capacity, name, error);
}

/* ---- running ---- */

/* What changes while a pipeline runs. */
cnnf_status cnnf_pipeline_set_progress(cnnf_pipeline *pipeline, cnnf_progress_fn progress, void *user,
                                       cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!pipeline) return cnnfi_fail_null(error, __func__);
    pipeline->progress = progress;
    pipeline->progress_user = user;
    return CNNF_OK;
}

typedef struct state {
    const cnnf_pipeline *pipeline;
    cnnfi_budget budget;
    uint64_t most_steps;
    size_t done;       /* passes */
    cnnf_graph *graph; /* the latest; a reference */
    cnnfi_arena arena;
    cnnfi_name_list inputs, outputs;
    cnnfi_report *report;
    bool valid;          /* the graph came in valid, so every pass must leave it so */
    cnnfi_value *shapes; /* [outputs.count] of the latest graph, where they are checked */
    cnnf_error *error;
} state;

/* Names given by the caller must exist; a Keras layer's name finds its node. */
static cnnf_status resolve_given(state *s, cnnfi_name_list *to, const cnnfi_name_list *given)
{
    to->names = cnnfi_arena_array(&s->arena, given->count, sizeof *to->names);
    if (!to->names) return cnnfi_fail_nomem(s->error);
    for (size_t i = 0; i < given->count; i++) {
        const cnnf_node *node;
        CNNFI_TRY(cnnfi_resolve_node(&node, s->graph, given->names[i], s->error));
        to->names[i] = cnnfi_arena_strdup(&s->arena, node->name);
        if (!to->names[i]) return cnnfi_fail_nomem(s->error);
    }
    to->count = given->count;
    return CNNF_OK;
}

/* What the graph declares, as far as it is there. */
static cnnf_status resolve_declared(state *s, cnnfi_name_list *to, int64_t count,
                                    const char *(*name)(const cnnf_graph *, int64_t))
{
    to->names = cnnfi_arena_array(&s->arena, (size_t)count, sizeof *to->names);
    if (!to->names) return cnnfi_fail_nomem(s->error);
    for (int64_t i = 0; i < count; i++) {
        const char *start;
        size_t length;
        cnnfi_input_parse(name(s->graph, i), &start, &length);
        if (cnnfi_strmap_get_n(&s->graph->names, start, length) < 0) continue;
        const char *copy = cnnfi_arena_strndup(&s->arena, start, length);
        if (!copy) return cnnfi_fail_nomem(s->error);
        to->names[to->count++] = copy;
    }
    return CNNF_OK;
}

static cnnf_status resolve_protected(state *s)
{
    const cnnf_pipeline *p = s->pipeline;
    if (p->inputs.count)
        CNNFI_TRY(resolve_given(s, &s->inputs, &p->inputs));
    else
        CNNFI_TRY(resolve_declared(s, &s->inputs, cnnf_graph_input_count(s->graph), cnnf_graph_input_name));
    if (p->outputs.count) return resolve_given(s, &s->outputs, &p->outputs);
    return resolve_declared(s, &s->outputs, cnnf_graph_output_count(s->graph), cnnf_graph_output_name);
}

static cnnf_status note_entry(state *s, const cnnfi_step *step, const cnnf_graph *after, const char *ignored)
{
    if (!s->report) return CNNF_OK;
    bool same;
    CNNFI_TRY(cnnfi_graph_equal(&same, s->graph, after, s->error));
    const cnnfi_report_entry entry = {
        .pass = step->pass->name,
        .changed = !same,
        .ignored = ignored,
        .nodes_before = cnnf_graph_node_count(s->graph),
        .nodes_after = cnnf_graph_node_count(after),
    };
    cnnfi_report_close(s->report, &entry);
    return CNNF_OK;
}

/* A pass that makes an invalid graph of a valid one is wrong. Costs a walk over the nodes; -DNDEBUG leaves it out. */
#ifdef NDEBUG
static cnnf_status check_result(state *s, const cnnfi_step *step, const cnnf_graph *after)
{
    return CNNF_OK;
}
#else
static cnnf_status check_result(state *s, const cnnfi_step *step, const cnnf_graph *after)
{
    if (!s->valid || after == s->graph) return CNNF_OK;
    cnnf_error failure = {.offset = -1};
    const cnnf_status status = cnnfi_graph_validate(after, &failure);
    s->valid = status == CNNF_OK;
    if (status == CNNF_OK || (status == CNNF_E_CORRUPT && step->pass->may_break)) return CNNF_OK;
    cnnfi_error_copy(s->error, &failure);
    if (status != CNNF_E_CORRUPT) return status;
    return cnnfi_error_prefix(s->error, CNNF_E_INTERNAL, "%s left an invalid graph", step->pass->name);
}
#endif

/* Its outputs keep dtype and rank. Costs a copy of the graph and a shape for each node: builds with -Ddebug=true. */
#if CNNFI_CHECK_SHAPES
static cnnf_status check_shapes(state *s, const cnnfi_step *step, const cnnf_graph *after)
{
    cnnfi_value *shapes = cnnfi_arena_array(&s->arena, s->outputs.count, sizeof *shapes);
    if (!shapes) return cnnfi_fail_nomem(s->error);
    CNNFI_TRY(cnnfi_find_output_shapes(shapes, after, &s->outputs, s->error));
    const bool same = step && s->valid && s->shapes && !step->pass->may_break && !step->pass->may_reshape;
    if (same) CNNFI_TRY(cnnfi_check_output_shapes(s->shapes, shapes, &s->outputs, step->pass->name, s->error));
    s->shapes = shapes;
    return CNNF_OK;
}
#else
static cnnf_status check_shapes(state *s, const cnnfi_step *step, const cnnf_graph *after)
{
    return CNNF_OK;
}
#endif

static cnnf_status ignore_failure(state *s, const cnnfi_step *step, const cnnf_error *failure)
{
    cnnfi_log(s->pipeline->context, CNNF_LOG_WARNING, "%s: Ignoring error %s", step->pass->name, failure->message);
    return note_entry(s, step, s->graph, failure->message);
}

static cnnf_status run_step(state *s, const cnnfi_step *step)
{
    cnnf_error failure = {.offset = -1};
    cnnfi_pass_run run = {
        .context = s->pipeline->context,
        .pass = step->pass,
        .inputs = s->inputs,
        .outputs = s->outputs,
        .args = step->args,
        .n_args = step->n_args,
        .arena = &s->arena,
        .report = s->report,
        .budget = &s->budget,
        .error = &failure,
    };
    cnnf_graph *after = NULL;
    cnnfi_log(s->pipeline->context, CNNF_LOG_DEBUG, "Applying %s", step->pass->name);
    cnnf_status status = step->pass->run(&run, s->graph, &after);
    const bool may_go_on = status != CNNF_E_NOMEM && status != CNNF_E_CANCELLED && s->budget.used <= s->most_steps;
    if (status && step->ignore_errors && may_go_on) return ignore_failure(s, step, &failure);
    if (status) {
        cnnfi_error_copy(s->error, &failure);
        return cnnfi_error_prefix(s->error, status, "%s", step->pass->name);
    }
    status = check_result(s, step, after);
    if (!status && after != s->graph) status = check_shapes(s, step, after);
    if (!status) status = note_entry(s, step, after, NULL);
    cnnf_graph_unref(s->graph);
    s->graph = after;
    return status;
}

/* A pass that takes long asks in between. */
static bool is_cancelled(void *user)
{
    const state *s = user;
    const cnnf_pipeline *p = s->pipeline;
    return p->progress && p->progress(s->done, p->list.count, p->progress_user) != 0;
}

static cnnf_status report_progress(state *s, size_t done)
{
    const cnnf_pipeline *p = s->pipeline;
    s->done = done;
    if (!p->progress || p->progress(done, p->list.count, p->progress_user) == 0) return CNNF_OK;
    return cnnfi_fail(s->error, CNNF_E_CANCELLED, "cancelled after %zu of %zu passes", done, p->list.count);
}

static cnnf_status run_steps(state *s)
{
    CNNFI_TRY(resolve_protected(s));
    s->valid = cnnfi_graph_validate(s->graph, NULL) == CNNF_OK;
    CNNFI_TRY(check_shapes(s, NULL, s->graph));
    const cnnfi_step_list *list = &s->pipeline->list;
    CNNFI_TRY(report_progress(s, 0));
    for (size_t i = 0; i < list->count; i++) {
        CNNFI_TRY(run_step(s, &list->steps[i]));
        CNNFI_TRY(report_progress(s, i + 1));
    }
    return CNNF_OK;
}

cnnf_status cnnf_pipeline_run_report(cnnf_graph **out, cnnf_buffer **report, const cnnf_pipeline *pipeline,
                                     const cnnf_graph *graph, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out) *out = NULL;
    if (report) *report = NULL;
    if (!out || !pipeline || !graph) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_pipeline_run: an argument is NULL");
    cnnfi_report text;
    cnnfi_report_init(&text, pipeline->context);
    state s = {
        .pipeline = pipeline,
        .graph = cnnf_graph_ref(graph),
        .report = report ? &text : NULL,
        .error = error,
    };
    cnnfi_arena_init(&s.arena, pipeline->context);
    cnnfi_budget_init(&s.budget, pipeline->context);
    s.budget.stop = is_cancelled;
    s.budget.user = &s;
    s.most_steps = cnnfi_limit(pipeline->context, CNNF_LIMIT_STEPS);
    cnnf_status status = run_steps(&s);
    if (!status && report) status = cnnfi_report_finish(&text, report, error);
    if (!status) {
        *out = s.graph;
        s.graph = NULL;
    }
    cnnf_graph_unref(s.graph);
    cnnfi_arena_free(&s.arena);
    cnnfi_report_free(&text);
    return status;
}

cnnf_status cnnf_pipeline_run(cnnf_graph **out, const cnnf_pipeline *pipeline, const cnnf_graph *graph,
                              cnnf_error *error)
{
    cnnf_error_clear(error);
    return cnnf_pipeline_run_report(out, NULL, pipeline, graph, error);
}
