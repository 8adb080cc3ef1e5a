/* SPDX-License-Identifier: Apache-2.0 */
/* The public evaluator: options, the plans it keeps, the workspaces it lends to runs. */
#include "evaluator/evaluator.h"

#include <stdatomic.h>
#include <string.h>

#include "base/os.h"
#include "evaluator/plan/compile.h"
#include "evaluator/plan/describe.h"
#include "evaluator/plan/fuse.h"
#include "evaluator/plan/inline_calls.h"
#include "evaluator/run/run.h"
#include "evaluator/run/thread_pool.h"
#include "graph/tensor.h"

/* Plans kept, the least recently used goes first: a data set has two (full and last batch), a search some more. */
#define MAX_PLANS 8
/* Idle workspaces kept per plan. */
#define MAX_IDLE    16
#define MAX_THREADS 1024

struct cnnf_evaluator_options {
    cnnf_context *context;
    int32_t threads;
    const char *backend; /* a literal */
    const char *isa;     /* a literal; NULL: the best */
    bool strict;
};

typedef struct entry {
    cnnfi_plan *plan; /* NULL: free */
    char *key;        /* what the plan was made for, key_size bytes */
    size_t key_size;
    uint64_t used;
    int32_t n_idle;
    cnnfi_workspace *idle[MAX_IDLE];
} entry;

struct cnnf_evaluator {
    cnnf_context *context; /* a reference */
    cnnf_graph *graph;     /* a reference */
    const char *backend, *isa;
    int64_t pid;
    bool strict;
    cnnfi_pool *pool;
    cnnfi_loaded_constants *constants;
    cnnfi_callees *callees;
    cnnfi_mutex *mutex; /* guards the table of plans */
    entry entries[MAX_PLANS];
    uint64_t clock;
    atomic_uint cancels;
};

/* ---- options ---- */

cnnf_status cnnf_evaluator_options_new(cnnf_evaluator_options **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "out is NULL");
    *out = NULL;
    if (!context) return cnnfi_fail(error, CNNF_E_INVALID, "context is NULL");
    cnnf_evaluator_options *options = cnnfi_calloc(context, 1, sizeof(*options));
    if (!options) return cnnfi_fail_nomem(error);
    options->context = cnnf_context_ref(context);
    options->backend = "auto";
    *out = options;
    return CNNF_OK;
}

void cnnf_evaluator_options_free(cnnf_evaluator_options *options)
{
    if (!options) return;
    cnnf_context *context = options->context;
    cnnfi_free(context, options);
    cnnf_context_unref(context);
}

cnnf_status cnnf_evaluator_options_set_threads(cnnf_evaluator_options *options, int32_t threads, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    if (threads < 0 || threads > MAX_THREADS)
        return cnnfi_fail(error, CNNF_E_INVALID, "%d threads: 0 to %d are possible", (int)threads, MAX_THREADS);
    options->threads = threads;
    return CNNF_OK;
}

cnnf_status cnnf_evaluator_options_set_backend(cnnf_evaluator_options *options, const char *backend, cnnf_error *error)
{
    cnnf_error_clear(error);
    static const char *const known[] = {
        "auto",
        "portable",
#if CNNFI_ONEDNN
        "onednn",
#endif
    };
    if (!options || !backend) return cnnfi_fail_null(error, __func__);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i], backend) != 0) continue;
        options->backend = known[i];
        return CNNF_OK;
    }
    return cnnfi_fail(error, CNNF_E_NOT_FOUND, "there is no backend '%s'; this build has auto, portable%s", backend,
                      sizeof known / sizeof *known > 2 ? ", onednn" : "");
}

cnnf_status cnnf_evaluator_options_set_isa(cnnf_evaluator_options *options, const char *isa, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options || !isa) return cnnfi_fail_null(error, __func__);
    if (strcmp(isa, "auto") != 0) return cnnfi_isa_find(&options->isa, isa, error);
    options->isa = NULL;
    return CNNF_OK;
}

cnnf_status cnnf_evaluator_options_set_deterministic(cnnf_evaluator_options *options, int32_t strict, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    options->strict = strict != 0;
    return CNNF_OK;
}

/* ---- life ---- */

static cnnf_status set_up(cnnf_evaluator *e, const cnnf_evaluator_options *options, cnnf_error *error)
{
    int32_t threads = options && options->threads > 0 ? options->threads : cnnfi_os_processors();
    e->backend = options ? options->backend : "auto";
    e->isa = options ? options->isa : NULL;
    e->strict = options && options->strict;
    e->pid = cnnfi_os_pid();
    e->mutex = cnnfi_mutex_new(e->context);
    if (!e->mutex) return cnnfi_fail_nomem(error);
    CNNFI_TRY(cnnfi_loaded_constants_new(&e->constants, e->graph, error));
    CNNFI_TRY(cnnfi_callees_new(&e->callees, e->graph, error));
    return cnnfi_pool_new(&e->pool, e->context, threads > MAX_THREADS ? MAX_THREADS : threads, error);
}

cnnf_status cnnf_evaluator_new(cnnf_evaluator **out, const cnnf_graph *graph, const cnnf_evaluator_options *options,
                               cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "out is NULL");
    *out = NULL;
    if (!graph) return cnnfi_fail(error, CNNF_E_INVALID, "graph is NULL");
    cnnf_evaluator *e = cnnfi_calloc(graph->context, 1, sizeof(*e));
    if (!e) return cnnfi_fail_nomem(error);
    e->context = cnnf_context_ref(graph->context);
    cnnf_status status = cnnfi_inline_calls(&e->graph, graph, error);
    if (status == CNNF_OK) status = set_up(e, options, error);
    if (status != CNNF_OK) {
        cnnf_evaluator_free(e);
        return status;
    }
    *out = e;
    return CNNF_OK;
}

static void clear_entry(cnnf_evaluator *e, entry *slot)
{
    for (int32_t i = 0; i < slot->n_idle; i++)
        cnnfi_workspace_free(slot->idle[i]);
    cnnfi_plan_unref(slot->plan);
    cnnfi_free(e->context, slot->key);
    memset(slot, 0, sizeof(*slot));
}

void cnnf_evaluator_free(cnnf_evaluator *e)
{
    if (!e) return;
    cnnf_context *context = e->context;
    if (e->pid == cnnfi_os_pid())
        cnnfi_pool_free(e->pool);
    else
        cnnfi_pool_abandon(e->pool);
    for (int i = 0; i < MAX_PLANS; i++)
        clear_entry(e, &e->entries[i]);
    cnnfi_callees_free(e->callees);
    cnnfi_loaded_constants_free(e->constants);
    if (e->mutex) cnnfi_mutex_free(context, e->mutex);
    cnnf_graph_unref(e->graph);
    cnnfi_free(context, e);
    cnnf_context_unref(context);
}

void cnnf_evaluator_cancel(cnnf_evaluator *e)
{
    if (e) atomic_fetch_add(&e->cancels, 1);
}

const char *cnnf_evaluator_backend(const cnnf_evaluator *e)
{
    return !e ? NULL : strcmp(e->backend, "onednn") == 0 ? e->backend : "portable";
}

/* ---- plans ---- */

typedef struct request {
    const char *const *feed_names;
    const cnnf_tensor *const *feeds;
    size_t n_feeds;
    const char *const *fetch_names;
    size_t n_fetches;
} request;

/*
 * Counts, names, dtypes and shapes as bytes: two requests with the same key can share a plan. The counts say where the
 * feeds end: a feed's name may hold what separates it from the fetches, a fetch's what a dtype looks like.
 */
static cnnf_status make_key(cnnf_evaluator *e, const request *r, cnnfi_strbuf *key, cnnf_error *error)
{
    const uint64_t counts[2] = {r->n_feeds, r->n_fetches};
    cnnfi_strbuf_init(key, e->context);
    cnnfi_strbuf_add(key, counts, sizeof counts);
    for (size_t i = 0; i < r->n_feeds; i++) {
        const int32_t head[2] = {cnnf_tensor_dtype(r->feeds[i]), cnnf_tensor_rank(r->feeds[i])};
        cnnfi_strbuf_add(key, r->feed_names[i], strlen(r->feed_names[i]) + 1);
        cnnfi_strbuf_add(key, head, sizeof(head));
        cnnfi_strbuf_add(key, cnnfi_tensor_dims(r->feeds[i]), (size_t)head[1] * sizeof(int64_t));
    }
    for (size_t i = 0; i < r->n_fetches; i++)
        cnnfi_strbuf_add(key, r->fetch_names[i], strlen(r->fetch_names[i]) + 1);
    return key->failed ? cnnfi_fail_nomem(error) : CNNF_OK;
}

static entry *find_entry(cnnf_evaluator *e, const cnnfi_strbuf *key)
{
    for (int i = 0; i < MAX_PLANS; i++) {
        entry *slot = &e->entries[i];
        if (slot->plan && slot->key_size == key->size && memcmp(slot->key, key->data, key->size) == 0) return slot;
    }
    return NULL;
}

/* Takes the plan and the key's bytes into the least recently used place. */
static void keep_plan(cnnf_evaluator *e, cnnfi_plan *plan, cnnfi_strbuf *key)
{
    entry *place = &e->entries[0];
    for (int i = 0; i < MAX_PLANS; i++) {
        if (!e->entries[i].plan) {
            place = &e->entries[i];
            break;
        }
        if (e->entries[i].used < place->used) place = &e->entries[i];
    }
    clear_entry(e, place);
    place->plan = cnnfi_plan_ref(plan);
    place->key = key->data;
    place->key_size = key->size;
    place->used = ++e->clock;
    key->data = NULL;
    cnnfi_strbuf_init(key, e->context);
}

static cnnf_status find_or_compile(cnnf_evaluator *e, const request *r, cnnfi_strbuf *key, cnnfi_budget *budget,
                                   cnnfi_plan **out, cnnfi_workspace **workspace, cnnf_error *error)
{
    cnnfi_mutex_lock(e->mutex);
    entry *found = find_entry(e, key);
    if (found) {
        found->used = ++e->clock;
        *out = cnnfi_plan_ref(found->plan);
        if (found->n_idle > 0) *workspace = found->idle[--found->n_idle];
    }
    cnnfi_mutex_unlock(e->mutex);
    if (found) return CNNF_OK;
    cnnfi_plan_request make = {.graph = e->graph,
                               .feed_names = r->feed_names,
                               .feeds = r->feeds,
                               .n_feeds = r->n_feeds,
                               .fetch_names = r->fetch_names,
                               .n_fetches = r->n_fetches,
                               .constants = e->constants,
                               .backend = e->backend,
                               .threads = cnnfi_pool_threads(e->pool),
                               .strict = e->strict,
                               .isa = e->isa,
                               .callees = e->callees,
                               .budget = budget};
    CNNFI_TRY(cnnfi_plan_compile(out, e->context, &make, error));
    cnnfi_mutex_lock(e->mutex);
    if (!find_entry(e, key)) keep_plan(e, *out, key);
    cnnfi_mutex_unlock(e->mutex);
    return CNNF_OK;
}

static void give_back(cnnf_evaluator *e, cnnfi_workspace *workspace)
{
    cnnfi_mutex_lock(e->mutex);
    for (int i = 0; i < MAX_PLANS; i++) {
        entry *slot = &e->entries[i];
        if (slot->plan != cnnfi_workspace_plan(workspace) || slot->n_idle == MAX_IDLE) continue;
        slot->idle[slot->n_idle++] = workspace;
        workspace = NULL;
        break;
    }
    cnnfi_mutex_unlock(e->mutex);
    cnnfi_workspace_free(workspace);
}

/* ---- a run ---- */

typedef struct cancel_watch {
    cnnf_evaluator *evaluator;
    unsigned seen;
} cancel_watch;

static bool cancelled(const void *user)
{
    const cancel_watch *watch = user;
    return atomic_load_explicit(&watch->evaluator->cancels, memory_order_relaxed) != watch->seen;
}

static cnnf_status run_plan(cnnf_evaluator *e, const request *r, cnnf_tensor **outputs, cnnf_error *error)
{
    cancel_watch watch = {e, atomic_load(&e->cancels)};
    cnnfi_strbuf key;
    cnnfi_budget budget;
    cnnfi_plan *plan = NULL;
    cnnfi_workspace *workspace = NULL;
    cnnfi_budget_init(&budget, e->context);
    cnnf_status status = make_key(e, r, &key, error);
    if (status == CNNF_OK) status = find_or_compile(e, r, &key, &budget, &plan, &workspace, error);
    if (status == CNNF_OK && !workspace) status = cnnfi_workspace_new(&workspace, plan, error);
    if (status == CNNF_OK) {
        cnnfi_run_request run = {.feeds = r->feeds,
                                 .outputs = outputs,
                                 .pool = e->pool,
                                 .budget = &budget,
                                 .cancelled = cancelled,
                                 .user = &watch};
        status = cnnfi_plan_run(workspace, &run, error);
    }
    if (workspace) give_back(e, workspace);
    cnnfi_plan_unref(plan);
    cnnfi_strbuf_free(&key);
    return status;
}

/* The same request with every feed's bytes in memory. */
static cnnf_status run_loaded(cnnf_evaluator *e, const request *r, cnnf_tensor **outputs, cnnf_error *error)
{
    cnnf_tensor **loaded = cnnfi_calloc(e->context, r->n_feeds + 1, sizeof(cnnf_tensor *));
    if (!loaded) return cnnfi_fail_nomem(error);
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; i < r->n_feeds && status == CNNF_OK; i++) {
        if (cnnf_tensor_byte_size(r->feeds[i]) > 0)
            status = cnnf_tensor_load(&loaded[i], r->feeds[i], error);
        else
            loaded[i] = cnnf_tensor_ref(r->feeds[i]);
    }
    request with = *r;
    with.feeds = (const cnnf_tensor *const *)loaded;
    if (status == CNNF_OK) status = run_plan(e, &with, outputs, error);
    for (size_t i = 0; i < r->n_feeds; i++)
        cnnf_tensor_unref(loaded[i]);
    cnnfi_free(e->context, loaded);
    return status;
}

static cnnf_status check_request(const cnnf_evaluator *e, const request *r, cnnf_error *error)
{
    if (!e || (r->n_feeds && (!r->feed_names || !r->feeds)) || (r->n_fetches && !r->fetch_names)) {
        return cnnfi_fail(error, CNNF_E_INVALID, "an argument is NULL");
    }
    for (size_t i = 0; i < r->n_feeds; i++) {
        if (!r->feed_names[i] || !r->feeds[i]) return cnnfi_fail(error, CNNF_E_INVALID, "feed %zu is NULL", i);
    }
    for (size_t i = 0; i < r->n_fetches; i++) {
        if (!r->fetch_names[i]) return cnnfi_fail(error, CNNF_E_INVALID, "fetch %zu has no name", i);
    }
    if (r->n_feeds > 65536 || r->n_fetches > 65536)
        return cnnfi_fail(error, CNNF_E_INVALID, "too many feeds or fetches");
    if (e->pid != cnnfi_os_pid()) {
        return cnnfi_fail(error, CNNF_E_INVALID,
                          "the evaluator belongs to the parent process: make a new one after fork()");
    }
    return CNNF_OK;
}

cnnf_status cnnf_evaluator_run(cnnf_tensor **outputs, cnnf_evaluator *evaluator, const char *const *feed_names,
                               const cnnf_tensor *const *feeds, size_t feed_count, const char *const *fetch_names,
                               size_t fetch_count, cnnf_error *error)
{
    cnnf_error_clear(error);
    request r = {feed_names, feeds, feed_count, fetch_names, fetch_count};
    if (fetch_count && !outputs) return cnnfi_fail(error, CNNF_E_INVALID, "outputs is NULL");
    for (size_t i = 0; i < fetch_count; i++)
        outputs[i] = NULL;
    CNNFI_TRY(check_request(evaluator, &r, error));
    return run_loaded(evaluator, &r, outputs, error);
}

static cnnf_status describe(cnnf_evaluator *e, const request *r, cnnfi_strbuf *text, cnnf_error *error)
{
    cnnfi_strbuf key;
    cnnfi_budget budget;
    cnnfi_plan *plan = NULL;
    cnnfi_workspace *workspace = NULL;
    cnnfi_budget_init(&budget, e->context);
    cnnf_status status = make_key(e, r, &key, error);
    if (status == CNNF_OK) status = find_or_compile(e, r, &key, &budget, &plan, &workspace, error);
    if (status == CNNF_OK) cnnfi_plan_describe(plan, text);
    if (workspace) give_back(e, workspace);
    cnnfi_plan_unref(plan);
    cnnfi_strbuf_free(&key);
    return status;
}

cnnf_status cnnf_evaluator_describe(cnnf_buffer **out, cnnf_evaluator *evaluator, const char *const *feed_names,
                                    const cnnf_tensor *const *feeds, size_t feed_count, const char *const *fetch_names,
                                    size_t fetch_count, cnnf_error *error)
{
    cnnf_error_clear(error);
    request r = {feed_names, feeds, feed_count, fetch_names, fetch_count};
    cnnfi_strbuf text;
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "out is NULL");
    *out = NULL;
    CNNFI_TRY(check_request(evaluator, &r, error));
    cnnfi_strbuf_init(&text, evaluator->context);
    cnnf_status status = describe(evaluator, &r, &text, error);
    if (status == CNNF_OK) status = cnnfi_strbuf_finish(&text, out, error);
    cnnfi_strbuf_free(&text);
    return status;
}

cnnfi_pool *cnnfi_evaluator_pool(cnnf_evaluator *evaluator)
{
    return evaluator->pool;
}

const cnnf_graph *cnnfi_evaluator_graph(const cnnf_evaluator *evaluator)
{
    return evaluator->graph;
}
