/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops, branches, calls, lists and arrays: TensorFlow's numbers (tests/golden/loops), the budget of steps, programs
 * that never end or make no sense, and graphs with broken bytes.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/budget.h"
#include "base/context.h"
#include "graph/graph.h"
#include "support.h"

#define MOST_FILES 64
#define MOST       16

static char *files[MOST_FILES];
static int n_files;

static void find_files(void)
{
    DIR *folder = opendir(GOLDEN("loops"));
    if (!folder) return; /* the tests say so */
    for (const struct dirent *entry; (entry = readdir(folder)) && n_files < MOST_FILES;) {
        const size_t length = strlen(entry->d_name);
        if (length > 3 && strcmp(entry->d_name + length - 3, ".pb") == 0) files[n_files++] = strdup(entry->d_name);
    }
    closedir(folder);
}

static const char *path_of(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", GOLDEN("loops"), name);
    return path;
}

static cnnf_graph *load(cnnf_context *context, const char *name)
{
    cnnf_graph *graph = NULL;
    cnnf_error *error = cnnf_error_new();
    ck_assert_msg(cnnf_load_file(&graph, context, path_of(name), NULL, error) == CNNF_OK, "%s",
                  cnnf_error_message(error));
    cnnf_error_free(error);
    return graph;
}

/* ---- a round: what the graph itself says it is given, and wants ---- */

typedef struct turn {
    size_t n_feeds, n_fetches;
    char names[4][MOST][32]; /* given_0_1, feed_0, wanted_0_1, out_0 */
    const char *feeds[MOST], *fetches[MOST];
    const cnnf_tensor *given[MOST], *wanted[MOST];
} turn;

static size_t find_consts(const cnnf_graph *graph, const char *kind, int round, const cnnf_tensor **out)
{
    size_t n = 0;
    char name[32];
    for (; n < MOST; n++) {
        snprintf(name, sizeof name, "%s_%zu_%d", kind, n, round);
        const cnnf_node *node = cnnf_graph_find(graph, name);
        if (!node) break;
        out[n] = cnnf_node_attr_tensor(node, "value");
    }
    return n;
}

static bool read_turn(turn *t, const cnnf_graph *graph, int round)
{
    t->n_feeds = find_consts(graph, "given", round, t->given);
    t->n_fetches = find_consts(graph, "wanted", round, t->wanted);
    for (size_t i = 0; i < t->n_feeds; i++) {
        snprintf(t->names[1][i], sizeof t->names[1][i], "feed_%zu", i);
        t->feeds[i] = t->names[1][i];
    }
    for (size_t i = 0; i < t->n_fetches; i++) {
        snprintf(t->names[3][i], sizeof t->names[3][i], "out_%zu", i);
        t->fetches[i] = t->names[3][i];
    }
    return t->n_fetches > 0;
}

static cnnf_status run(cnnf_tensor **outputs, cnnf_evaluator *evaluator, const turn *t, cnnf_error *error)
{
    return cnnf_evaluator_run(outputs, evaluator, t->feeds, t->given, t->n_feeds, t->fetches, t->n_fetches, error);
}

static void expect_equal(const cnnf_tensor *have, const cnnf_tensor *want, const char *file)
{
    cnnf_tensor *wanted = NULL;
    ck_assert_int_eq(cnnf_tensor_dtype(have), cnnf_tensor_dtype(want));
    ck_assert_int_eq(cnnf_tensor_rank(have), cnnf_tensor_rank(want));
    for (int32_t i = 0; i < cnnf_tensor_rank(have); i++)
        ck_assert_int_eq(cnnf_tensor_dim(have, i), cnnf_tensor_dim(want, i));
    const size_t size = cnnf_tensor_byte_size(have);
    if (!size) return;
    ck_assert_int_eq(cnnf_tensor_load(&wanted, want, NULL), CNNF_OK);
    const void *a = cnnf_tensor_data(have), *b = cnnf_tensor_data(wanted);
    if (cnnf_tensor_dtype(have) != CNNF_FLOAT) ck_assert_mem_eq(a, b, size);
    for (size_t i = 0; cnnf_tensor_dtype(have) == CNNF_FLOAT && i < size / sizeof(float); i++) {
        const float x = ((const float *)a)[i], y = ((const float *)b)[i];
        const float most = 2e-6f * (y < 0 ? -y : y) + 1e-6f;
        ck_assert_msg(x - y <= most && y - x <= most, "%s: element %zu is %a, not %a", file, i, (double)x, (double)y);
    }
    cnnf_tensor_unref(wanted);
}

START_TEST(numbers_are_those_of_tensorflow)
{
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    int rounds = 0;
    for (int i = 0; i < n_files; i++) {
        turn t;
        cnnf_evaluator *evaluator = NULL;
        cnnf_graph *graph = load(context, files[i]);
        ck_assert_int_eq(cnnf_evaluator_new(&evaluator, graph, NULL, error), CNNF_OK);
        for (int round = 0; read_turn(&t, graph, round); round++) {
            cnnf_tensor *outputs[MOST];
            for (int again = 0; again < 2; again++) {
                ck_assert_msg(run(outputs, evaluator, &t, error) == CNNF_OK, "%s: %s", files[i],
                              cnnf_error_message(error));
                for (size_t k = 0; k < t.n_fetches; k++) {
                    expect_equal(outputs[k], t.wanted[k], files[i]);
                    cnnf_tensor_unref(outputs[k]);
                }
            }
            rounds++;
        }
        cnnf_evaluator_free(evaluator);
        cnnf_graph_unref(graph);
    }
    ck_assert_int_gt(n_files, 15);
    ck_assert_int_gt(rounds, n_files);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

/* ---- passes leave the numbers as they are ---- */

static cnnf_graph *transform(const cnnf_graph *graph, const turn *t, const char *passes, const char *file)
{
    cnnf_graph *out = NULL;
    cnnf_pipeline *pipeline = NULL;
    cnnf_error *error = cnnf_error_new();
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, graph->context, error), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, passes, error), CNNF_OK);
    for (size_t i = 0; i < t->n_feeds; i++)
        ck_assert_int_eq(cnnf_pipeline_add_input(pipeline, t->feeds[i], error), CNNF_OK);
    for (size_t i = 0; i < t->n_fetches; i++)
        ck_assert_int_eq(cnnf_pipeline_add_output(pipeline, t->fetches[i], error), CNNF_OK);
    const cnnf_status status = cnnf_pipeline_run(&out, pipeline, graph, error);
    const bool is_newer = status == CNNF_E_UNSUPPORTED && strstr(cnnf_error_message(error), "newer than TensorFlow");
    ck_assert_msg(status == CNNF_OK || is_newer, "%s, %s: %s", file, passes, cnnf_error_message(error));
    cnnf_pipeline_free(pipeline);
    cnnf_error_free(error);
    return out;
}

START_TEST(passes_keep_the_numbers)
{
    static const char *const passes[] = {"prune",
                                         "fold_constants",
                                         "inline_functions",
                                         "merge_duplicate_nodes",
                                         "remove_nodes(op=Identity)",
                                         "remove_identity",
                                         "sort_by_execution_order",
                                         "remove_dropout",
                                         "fold_batch_norms",
                                         "target_tf(version=1.15)",
                                         "inline_functions remove_identity fold_constants merge_duplicate_nodes prune "
                                         "obfuscate_names"};
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    for (int i = 0; i < n_files; i++) {
        turn t;
        cnnf_graph *graph = load(context, files[i]);
        for (int round = 0; read_turn(&t, graph, round); round++) {
            cnnf_tensor *outputs[MOST];
            cnnf_evaluator *evaluator = NULL;
            cnnf_graph *other = transform(graph, &t, passes[_i], files[i]);
            if (!other) continue;
            ck_assert_int_eq(cnnf_evaluator_new(&evaluator, other, NULL, error), CNNF_OK);
            ck_assert_msg(run(outputs, evaluator, &t, error) == CNNF_OK, "%s, %s: %s", files[i], passes[_i],
                          cnnf_error_message(error));
            for (size_t k = 0; k < t.n_fetches; k++) {
                expect_equal(outputs[k], t.wanted[k], files[i]);
                cnnf_tensor_unref(outputs[k]);
            }
            cnnf_evaluator_free(evaluator);
            cnnf_graph_unref(other);
        }
        cnnf_graph_unref(graph);
    }
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

/* ---- the budget ---- */

static cnnf_context *limited(int32_t limit, uint64_t value)
{
    cnnf_context *context = NULL;
    cnnf_context_options *options = NULL;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_untrusted(options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_limit(options, limit, value, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_new(&context, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    return context;
}

static cnnf_status run_within(uint64_t steps, const char *file, cnnf_error *error)
{
    turn t;
    cnnf_tensor *outputs[MOST] = {NULL};
    cnnf_evaluator *evaluator = NULL;
    cnnf_context *context = limited(CNNF_LIMIT_STEPS, steps);
    cnnf_graph *graph = load(context, file);
    ck_assert_int_eq(cnnf_evaluator_new(&evaluator, graph, NULL, error), CNNF_OK);
    ck_assert(read_turn(&t, graph, 0));
    const cnnf_status status = run(outputs, evaluator, &t, error);
    for (size_t k = 0; k < t.n_fetches; k++) {
        ck_assert((outputs[k] != NULL) == (status == CNNF_OK));
        cnnf_tensor_unref(outputs[k]);
    }
    cnnf_evaluator_free(evaluator);
    cnnf_graph_unref(graph);
    test_context_done(context);
    return status;
}

/* The least budget that a run can do with, then one less and one more. */
START_TEST(steps_are_counted)
{
    static const char *const names[] = {"nested.frames.pb", "nested.functions.pb", "lists.functions.pb"};
    cnnf_error *error = cnnf_error_new();
    uint64_t low = 1, high = 100000;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        const cnnf_status status = run_within(middle, names[_i], error);
        *(status ? &low : &high) = status ? middle + 1 : middle;
    }
    ck_assert_uint_gt(low, 50);
    ck_assert_uint_lt(low, 5000);
    ck_assert_int_eq(run_within(low - 1, names[_i], error), CNNF_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "max_steps"));
    ck_assert_int_eq(run_within(low, names[_i], error), CNNF_OK);
    ck_assert_int_eq(run_within(low + 1, names[_i], error), CNNF_OK);
    cnnf_error_free(error);
}
END_TEST

START_TEST(a_budget_ends)
{
    cnnfi_budget budget;
    cnnf_context *context = limited(CNNF_LIMIT_STEPS, 100);
    cnnfi_budget_init(&budget, context);
    ck_assert_int_eq(cnnfi_budget_spend(&budget, 99, NULL), CNNF_OK);
    ck_assert_int_eq(cnnfi_budget_spend(&budget, 1, NULL), CNNF_OK);
    ck_assert_int_eq(cnnfi_budget_spend(&budget, 1, NULL), CNNF_E_LIMIT);
    ck_assert_int_eq(cnnfi_budget_spend(&budget, UINT64_MAX, NULL), CNNF_E_LIMIT);
    ck_assert_int_eq(cnnfi_budget_spend(&budget, 0, NULL), CNNF_E_LIMIT);
    ck_assert_int_eq(cnnfi_budget_spend(NULL, UINT64_MAX, NULL), CNNF_OK);
    test_context_done(context);
}
END_TEST

/* ---- programs that make no sense ---- */

#define INT_SCALAR(name, value)                                                                                        \
    "node { name: '" name "' op: 'Const' attr { key: 'dtype' value { type: DT_INT32 } } attr { key: 'value' value { "  \
    "tensor { dtype: DT_INT32 tensor_shape { } int_val: " value " } } } }\n"
#define INT_VECTOR(name, value)                                                                                        \
    "node { name: '" name "' op: 'Const' attr { key: 'dtype' value { type: DT_INT32 } } attr { key: 'value' value { "  \
    "tensor { dtype: DT_INT32 tensor_shape { dim { size: 1 } } int_val: " value " } } } }\n"
#define FUNCTION(name, body)                                                                                           \
    "function { signature { name: '" name "' input_arg { name: 'x' type: DT_INT32 } output_arg { name: 'y' type: "     \
    "DT_INT32 } } " body " }\n"
#define ATTR_TYPE(key, type)   "attr { key: '" key "' value { type: " type " } } "
#define ATTR_TYPES(key, type)  "attr { key: '" key "' value { list { type: " type " } } } "
#define ATTR_FUNC(key, called) "attr { key: '" key "' value { func { name: '" called "' } } } "
#define CALL(name, f, in)                                                                                              \
    "node_def { name: '" name "' op: 'PartitionedCall' input: '" in "' " ATTR_TYPES("Tin", "DT_INT32")                 \
        ATTR_TYPES("Tout", "DT_INT32") ATTR_FUNC("f", f) "} "
#define SAME(name) FUNCTION(name, "ret { key: 'y' value: 'x' }")
#define WHILE(c, b)                                                                                                    \
    "node { name: 'out' op: 'While' input: 'a' " ATTR_TYPES("T", "DT_INT32") ATTR_FUNC("cond", c)                      \
        ATTR_FUNC("body", b) "}\n"
#define LIST                                                                                                           \
    "node { name: 'list' op: 'TensorListReserve' input: 'shape' input: 'n' " ATTR_TYPE("element_dtype", "DT_FLOAT")    \
        ATTR_TYPE("shape_type", "DT_INT32") "}\n"
#define GET(list, index)                                                                                               \
    "node { name: 'out' op: 'TensorListGetItem' input: '" list "' input: '" index                                      \
    "' input: 'shape' " ATTR_TYPE("element_dtype", "DT_FLOAT") "}\n"
#define FRAME(condition, merge)                                                                                        \
    "node { name: 'enter' op: 'Enter' input: 'a' " ATTR_TYPE(                                                          \
        "T", "DT_INT32") "attr { key: 'frame_name' value { s: 'f' } } }\n"                                             \
                         "node { name: 'merge' op: 'Merge' input: 'enter' input: 'next' " merge ATTR_TYPE(             \
                             "T",                                                                                      \
                             "DT_INT32") "}\n" condition                                                               \
                                         "node { name: 'switch' op: 'Switch' input: 'merge' input: 'cond' " ATTR_TYPE( \
                                             "T", "DT_INT32") "}\n"                                                    \
                                                              "node { name: 'next' op: 'NextIteration' input: "        \
                                                              "'switch:1' " ATTR_TYPE(                                 \
                                                                  "T", "DT_INT32") "}\n"                               \
                                                                                   "node { name: 'out' op: 'Exit' "    \
                                                                                   "input: 'switch' " ATTR_TYPE(       \
                                                                                       "T", "DT_INT32") "}\n"
#define TRUE_CONST                                                                                                     \
    "node { name: 'true' op: 'Const' attr { key: 'dtype' value { type: DT_BOOL } } attr { key: 'value' value { "       \
    "tensor { dtype: DT_BOOL tensor_shape { } bool_val: true } } } }\n"

static const struct {
    const char *text;
    cnnf_status status;
    const char *says; /* part of the message */
} programs[] = {
    /* for ever */
    {INT_SCALAR("a", "1") WHILE("f", "f") "library { " SAME("f") "}", CNNF_E_LIMIT, "max_steps"},
    {INT_SCALAR("a", "1") FRAME("node { name: 'ge' op: 'GreaterEqual' input: 'merge' input: 'merge' " ATTR_TYPE(
                                    "T", "DT_INT32") "}\n"
                                                     "node { name: 'cond' op: 'LoopCond' input: 'ge' }\n",
                                ""),
     CNNF_E_LIMIT, "max_steps"},
    /* itself, directly and by another */
    {INT_SCALAR("a", "1") WHILE("f", "g") "library { " SAME("f")
         FUNCTION("g", CALL("c", "g", "x") "ret { key: 'y' "
                                           "value: 'c:output:0' }") "}",
     CNNF_E_LIMIT, "calls inside calls"},
    {INT_SCALAR("a", "1") WHILE("f", "g") "library { " SAME("f")
         FUNCTION("g", CALL("c", "h", "x") CALL("d", "h", "c:output:0") "ret { key: 'y' value: 'd:output:0' }")
             FUNCTION("h", CALL("c", "g", "x") CALL("d", "g", "c:output:0") "ret { key: 'y' value: 'd:output:0' }") "}",
     CNNF_E_LIMIT, ""},
    /* functions that are not there, or do not fit */
    {INT_SCALAR("a", "1") WHILE("f", "none") "library { " SAME("f") "}", CNNF_E_CORRUPT, "no function 'none'"},
    {INT_SCALAR("a", "1") "node { name: 'out' op: 'While' input: 'a' input: 'a' attr { key: 'T' value { list { type: "
                          "DT_INT32 type: DT_INT32 } } } " ATTR_FUNC("cond", "f")
                              ATTR_FUNC("body", "f") "}\n"
                                                     "library { " SAME("f") "}",
     CNNF_E_CORRUPT, "does not fit"},
    {INT_SCALAR("a", "1") WHILE("f", "g") "library { " SAME("f") FUNCTION("g", "") "}", CNNF_E_CORRUPT,
     "does not say what it returns"},
    {INT_SCALAR("a", "1") "node { name: 'out' op: 'Case' input: 'a' " ATTR_TYPES("Tout", "DT_INT32") "}\n",
     CNNF_E_CORRUPT, ""},
    /* frames */
    {INT_SCALAR("a", "1") "node { name: 'out' op: 'Exit' input: 'a' " ATTR_TYPE("T", "DT_INT32") "}\n",
     CNNF_E_UNSUPPORTED, "leaves no loop"},
    {INT_SCALAR("a", "1") TRUE_CONST FRAME("node { name: 'cond' op: 'Identity' input: 'true' attr { key: 'T' value { "
                                           "type: DT_BOOL } } }\n",
                                           ""),
     CNNF_E_UNSUPPORTED, "no condition"},
    {INT_SCALAR("a", "1") TRUE_CONST FRAME("node { name: 'cond' op: 'LoopCond' input: 'true' }\n",
                                           "input: 'a' attr { key: 'N' value { i: 3 } } "),
     CNNF_E_UNSUPPORTED, "two inputs"},
    /* lists */
    {INT_VECTOR("shape", "-1") INT_SCALAR("n", "2") INT_SCALAR("i", "0") LIST GET("list", "i"), CNNF_E_INVALID,
     "never set"},
    {INT_VECTOR("shape", "2") INT_SCALAR("n", "2") INT_SCALAR("i", "2") LIST GET("list", "i"), CNNF_E_INVALID,
     "element 2 of a list of 2"},
    {INT_VECTOR("shape", "2") INT_SCALAR("n", "2") INT_SCALAR("i", "-1") LIST GET("list", "i"), CNNF_E_INVALID,
     "element -1"},
    {INT_VECTOR("shape", "2000000000") INT_SCALAR("n", "2") INT_SCALAR("i", "1") LIST GET("list", "i"), CNNF_E_LIMIT,
     "max_tensor_bytes"},
    {INT_VECTOR("shape", "2") INT_SCALAR("n", "2147483647") INT_SCALAR("i", "1") LIST GET("list", "i"), CNNF_E_LIMIT,
     "max_steps"},
    {INT_VECTOR("shape", "2") INT_SCALAR("n", "-3") INT_SCALAR("i", "1") LIST GET("list", "i"), CNNF_E_MISMATCH,
     "a list of -3"},
    {INT_VECTOR("shape", "-7") INT_SCALAR("n", "2") INT_SCALAR("i", "1") LIST GET("list", "i"), CNNF_E_MISMATCH,
     "size -7"},
};

static cnnf_graph *parse(cnnf_context *context, const char *text, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    ck_assert_msg(cnnf_load_memory(&graph, context, text, strlen(text), "program.pbtxt", NULL, error) == CNNF_OK, "%s",
                  cnnf_error_message(error));
    return graph;
}

START_TEST(programs_are_refused)
{
    cnnf_tensor *output = NULL;
    cnnf_evaluator *evaluator = NULL;
    cnnf_error *error = cnnf_error_new();
    cnnf_context *context = limited(CNNF_LIMIT_STEPS, 20000);
    cnnf_graph *graph = parse(context, programs[_i].text, error);
    ck_assert_int_eq(cnnf_evaluator_new(&evaluator, graph, NULL, error), CNNF_OK);
    const cnnf_status status =
        cnnf_evaluator_run(&output, evaluator, NULL, NULL, 0, (const char *const[]){"out"}, 1, error);
    ck_assert_msg(status == programs[_i].status, "%d: %s", (int)status, cnnf_error_message(error));
    ck_assert_msg(strstr(cnnf_error_message(error), programs[_i].says) != NULL, "%s", cnnf_error_message(error));
    ck_assert_ptr_null(output);
    cnnf_evaluator_free(evaluator);
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

/* Cancelled from inside: every round allocates. */
static void *never_ends(size_t size, void *user)
{
    static int calls;
    if (++calls == 20000) cnnf_evaluator_cancel(*(cnnf_evaluator **)user);
    return malloc(size);
}

static void *grow(void *block, size_t size, void *user)
{
    return realloc(block, size);
}

static void release(void *block, void *user)
{
    free(block);
}

START_TEST(a_loop_is_cancelled)
{
    cnnf_tensor *output = NULL;
    cnnf_evaluator *evaluator = NULL;
    cnnf_error *error = cnnf_error_new();
    cnnf_context *context = NULL;
    cnnf_context_options *options = NULL;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_allocator(options, never_ends, grow, release, &evaluator, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_new(&context, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    static const char text[] = INT_SCALAR("a", "1") WHILE("f", "g") "library { " SAME("f")
        FUNCTION("g", "node_def { name: 's' op: 'Mul' input: 'x' input: 'x' " ATTR_TYPE(
                          "T", "DT_INT32") "} "
                                           "ret { key: 'y' value: 's:z:0' }") "}";
    cnnf_graph *graph = parse(context, text, error);
    ck_assert_int_eq(cnnf_evaluator_new(&evaluator, graph, NULL, error), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_run(&output, evaluator, NULL, NULL, 0, (const char *const[]){"out"}, 1, error),
                     CNNF_E_CANCELLED);
    ck_assert_ptr_null(output);
    cnnf_evaluator_free(evaluator);
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

/* ---- broken bytes ---- */

static uint32_t state = 7;

static uint32_t pick(uint32_t n)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    char *bytes = malloc(1 << 20);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static void try_bytes(cnnf_context *context, const char *bytes, size_t size, int *ran)
{
    turn t;
    cnnf_graph *graph = NULL;
    cnnf_evaluator *evaluator = NULL;
    cnnf_tensor *outputs[MOST] = {NULL};
    if (cnnf_load_memory(&graph, context, bytes, size, "broken.pb", NULL, NULL) != CNNF_OK) return;
    if (read_turn(&t, graph, 0) && cnnf_evaluator_new(&evaluator, graph, NULL, NULL) == CNNF_OK) {
        *ran += run(outputs, evaluator, &t, NULL) == CNNF_OK;
        for (size_t k = 0; k < t.n_fetches; k++)
            cnnf_tensor_unref(outputs[k]);
    }
    cnnf_evaluator_free(evaluator);
    cnnf_graph_unref(graph);
}

START_TEST(broken_bytes_do_no_harm)
{
    enum { TRIES = 150 };
    int ran = 0;
    cnnf_context *context = limited(CNNF_LIMIT_STEPS, 20000);
    for (int i = 0; i < n_files; i++) {
        size_t size;
        char *whole = read_file(path_of(files[i]), &size), *bytes = malloc(size);
        for (int k = 0; k < TRIES; k++) {
            memcpy(bytes, whole, size);
            for (uint32_t flips = 1 + pick(3); flips > 0; flips--)
                bytes[pick((uint32_t)size)] = (char)(pick(2) ? pick(256) : pick(9));
            try_bytes(context, bytes, size, &ran);
        }
        free(bytes);
        free(whole);
    }
    ck_assert_int_gt(ran, n_files);
    test_context_done(context);
}
END_TEST

static Suite *control_flow_suite(void)
{
    Suite *suite = suite_create("control_flow");
    TCase *tests = tcase_create("control_flow");
    find_files();
    tcase_add_test(tests, numbers_are_those_of_tensorflow);
    tcase_add_loop_test(tests, passes_keep_the_numbers, 0, 11);
    tcase_add_loop_test(tests, steps_are_counted, 0, 3);
    tcase_add_test(tests, a_budget_ends);
    tcase_add_loop_test(tests, programs_are_refused, 0, (int)(sizeof programs / sizeof *programs));
    tcase_add_test(tests, a_loop_is_cancelled);
    tcase_add_test(tests, broken_bytes_do_no_harm);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(control_flow_suite)
