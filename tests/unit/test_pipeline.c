/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/context.h"
#include "graph/equal.h"
#include "graph/graph.h"
#include "passes_support.h"
#include "support.h"

/* ---- grammar ---- */

static void expect_refusal(const char *text, cnnf_status code, const char *message)
{
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_pipeline *pipeline = NULL;
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, text, error), code);
    ck_assert_str_eq(cnnf_error_message(error), message);
    cnnf_pipeline_free(pipeline);
    cnnf_error_free(error);
    test_context_done(context);
}

START_TEST(bad_grammar_is_named)
{
    expect_refusal("(", CNNF_E_INVALID, "Looking for transform name, but found (");
    expect_refusal("remove_nodes(=x)", CNNF_E_INVALID, "Looking for parameter name, but found =x)");
    expect_refusal("remove_nodes(op)", CNNF_E_INVALID, "Looking for =, but found )");
    expect_refusal("remove_nodes(op=:)", CNNF_E_INVALID, "Looking for parameter name, but found :)");
    expect_refusal("remove_nodes(op=Identity", CNNF_E_INVALID, "Looking for parameter name, but found the end");
    expect_refusal("remove_nodes(op=\"Identity)", CNNF_E_INVALID, "Looking for \", but found the end");
    expect_refusal("remove_nodez(op=Identity)", CNNF_E_NOT_FOUND,
                   "Transform 'remove_nodez' not recognized; did you mean 'remove_nodes'?");
    expect_refusal("remove_nodes(max_input=1)", CNNF_E_NOT_FOUND,
                   "remove_nodes: no argument 'max_input'; did you mean 'max_inputs'?");
    expect_refusal("prune(ignore_error=true)", CNNF_E_NOT_FOUND,
                   "prune: no argument 'ignore_error'; did you mean 'ignore_errors'?");
    expect_refusal("prune(op=Identity)", CNNF_E_NOT_FOUND, "prune: no argument 'op'");
    expect_refusal("remove_nodes(op=Identity, max_inputs=x)", CNNF_E_INVALID,
                   "remove_nodes: max_inputs=x is not an integer");
    expect_refusal("prune(ignore_errors=maybe)", CNNF_E_INVALID, "ignore_errors should be true or false, found maybe");
    expect_refusal("set_device", CNNF_E_INVALID, "set_device expects device=...: the device, as in \"/cpu:0\"");
}
END_TEST

START_TEST(a_refused_text_appends_nothing)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = make_graph(context, chain, N_CHAIN), *after = NULL;
    cnnf_pipeline *pipeline = NULL;
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, NULL), CNNF_OK);
    ck_assert_int_ne(cnnf_pipeline_add(pipeline, "remove_nodes(op=Identity) nonsense", NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_run(&after, pipeline, graph, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_graph_node_count(after), cnnf_graph_node_count(graph));
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    cnnf_pipeline_free(pipeline);
    test_context_done(context);
}
END_TEST

START_TEST(grammar_takes_what_the_tool_takes)
{
    cnnf_context *context = test_context();
    cnnf_pipeline *pipeline = NULL;
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline,
                                       " strip_unused_nodes(type=float, shape=\"1,28,28,1\")\n"
                                       "remove_nodes(op=Identity, op=CheckNumerics)\t"
                                       "sort_by_execution_order, prune(ignore_errors=true) ",
                                       NULL),
                     CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, "", NULL), CNNF_OK);
    cnnf_pipeline_free(pipeline);
    test_context_done(context);
}
END_TEST

/* ---- running ---- */

START_TEST(failures_name_the_pass_and_can_be_ignored)
{
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = make_graph(context, chain, N_CHAIN), *after = NULL;
    cnnf_pipeline *pipeline = NULL;
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, "prune", NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_run(&after, pipeline, graph, error), CNNF_E_INVALID);
    ck_assert_str_eq(cnnf_error_message(error), "prune: the graph declares no outputs: name them");
    ck_assert_ptr_null(after);
    cnnf_pipeline_free(pipeline);

    cnnf_buffer *report = NULL;
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, "prune(ignore_errors=true) remove_nodes(op=Identity)", NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_run_report(&after, &report, pipeline, graph, error), CNNF_OK);
    ck_assert_int_eq(cnnf_error_code(error), CNNF_OK); /* neither the older failure nor the ignored one */
    const char *text = cnnf_buffer_data(report);
    ck_assert_ptr_nonnull(strstr(text, "\"ignored_error\": \"the graph declares no outputs: name them\""));
    ck_assert_ptr_nonnull(strstr(text, "{\"pass\": \"remove_nodes\", \"changed\": true, \"nodes_before\": 4, "
                                       "\"nodes_after\": 3, \"counts\": {\"removed\": 1}"));
    cnnf_buffer_free(report);
    cnnf_graph_unref(after);
    cnnf_pipeline_free(pipeline);
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

typedef struct watch {
    uint64_t done[8], stop_at;
    int calls;
} watch;

static int32_t watch_passes(uint64_t done, uint64_t total, void *user)
{
    watch *w = user;
    ck_assert_uint_eq(total, 2);
    w->done[w->calls++] = done;
    return done == w->stop_at;
}

START_TEST(progress_counts_passes_and_cancels)
{
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = make_graph(context, chain, N_CHAIN), *after = NULL;
    cnnf_pipeline *pipeline = NULL;
    watch w = {.stop_at = 9};
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, error), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, "remove_nodes(op=Identity) sort_by_execution_order", error), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_set_progress(NULL, watch_passes, &w, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_pipeline_set_progress(pipeline, watch_passes, &w, error), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_run(&after, pipeline, graph, error), CNNF_OK);
    ck_assert_int_eq(w.calls, 3);
    ck_assert(w.done[0] == 0 && w.done[1] == 1 && w.done[2] == 2);
    cnnf_graph_unref(after);
    for (uint64_t stop = 0; stop <= 2; stop++) {
        cnnf_buffer *report = NULL;
        w = (watch){.stop_at = stop};
        ck_assert_int_eq(cnnf_pipeline_run_report(&after, &report, pipeline, graph, error), CNNF_E_CANCELLED);
        ck_assert_ptr_null(after);
        ck_assert_ptr_null(report);
        ck_assert_int_eq(w.calls, (int)stop + 1);
    }
    ck_assert_str_eq(cnnf_error_message(error), "cancelled after 2 of 2 passes");
    cnnf_pipeline_free(pipeline);
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

static int32_t pass_index(const char *name)
{
    for (int32_t i = 0; i < cnnf_pass_count(); i++)
        if (strcmp(cnnf_pass_name(i), name) == 0) return i;
    return -1;
}

START_TEST(arguments_can_be_listed)
{
    int32_t total = 0;
    for (int32_t i = 0; i < cnnf_pass_count(); i++) {
        for (int32_t k = 0; k < cnnf_pass_argument_count(i); k++, total++) {
            ck_assert_uint_gt(strlen(cnnf_pass_argument_name(i, k)), 0);
            ck_assert_uint_gt(strlen(cnnf_pass_argument_description(i, k)), 3);
            const int32_t kind = cnnf_pass_argument_kind(i, k);
            ck_assert(kind >= CNNF_ARGUMENT_STRING && kind <= CNNF_ARGUMENT_SHAPE);
        }
        ck_assert_ptr_null(cnnf_pass_argument_name(i, cnnf_pass_argument_count(i)));
    }
    ck_assert_int_gt(total, 20);
    const int32_t pass = pass_index("target_tf");
    ck_assert_str_eq(cnnf_pass_argument_name(pass, 0), "version");
    ck_assert_int_eq(cnnf_pass_argument_is_required(pass, 0), 1);
    ck_assert_int_eq(cnnf_pass_argument_is_repeatable(pass, 0), 0);
    ck_assert_int_eq(cnnf_pass_argument_kind(pass, 1), CNNF_ARGUMENT_BOOL);
    ck_assert_int_eq(cnnf_pass_argument_is_repeatable(pass_index("remove_nodes"), 0), 1);
    ck_assert_int_eq(cnnf_pass_argument_count(-1), 0);
    ck_assert_int_eq(cnnf_pass_argument_count(cnnf_pass_count()), 0);
    ck_assert_ptr_null(cnnf_pass_argument_name(pass, -1));
    ck_assert_ptr_null(cnnf_pass_argument_description(-1, 0));
    ck_assert_int_eq(cnnf_pass_argument_kind(pass, 99), -1);
    ck_assert_int_eq(cnnf_pass_argument_is_required(pass, 99), 0);
}
END_TEST

START_TEST(unknown_outputs_are_refused)
{
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = make_graph(context, chain, N_CHAIN), *after = NULL;
    ck_assert_int_eq(run_passes(&after, graph, "prune", NULL, "yy", error), CNNF_E_NOT_FOUND);
    ck_assert_str_eq(cnnf_error_message(error), "'yy' is not in graph; did you mean 'y', 'x'?");
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

START_TEST(every_pass_has_a_name_and_a_sentence)
{
    ck_assert_int_gt(cnnf_pass_count(), 0);
    for (int32_t i = 0; i < cnnf_pass_count(); i++) {
        ck_assert_ptr_nonnull(cnnf_pass_name(i));
        const char *text = cnnf_pass_description(i);
        ck_assert_int_eq(text[strlen(text) - 1], '.');
        if (i) ck_assert_int_lt(strcmp(cnnf_pass_name(i - 1), cnnf_pass_name(i)), 0);
    }
    ck_assert_ptr_null(cnnf_pass_name(-1));
    ck_assert_ptr_null(cnnf_pass_description(cnnf_pass_count()));
}
END_TEST

/* ---- memory ---- */

/* Allocations that still succeed; -1: all. */
static long allocations_left = -1;

static void *failing_malloc(size_t size, void *user)
{
    if (allocations_left == 0) return NULL;
    if (allocations_left > 0) allocations_left--;
    return malloc(size);
}

static void *failing_realloc(void *pointer, size_t size, void *user)
{
    if (allocations_left == 0) return NULL;
    if (allocations_left > 0) allocations_left--;
    return realloc(pointer, size);
}

static void plain_free(void *pointer, void *user)
{
    free(pointer);
}

static cnnf_context *failing_context(void)
{
    cnnf_context_options *options = NULL;
    cnnf_context *context = NULL;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    ck_assert_int_eq(
        cnnf_context_options_set_allocator(options, failing_malloc, failing_realloc, plain_free, NULL, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_new(&context, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    return context;
}

/* Everything this file's graph can go through; what fails gives back all it took. */
static cnnf_status run_all(const cnnf_graph *graph)
{
    static const char passes[] =
        "remove_identity(ignore_errors=true) remove_nodes(op=Identity) fold_constants static_shapes "
        "merge_duplicate_nodes "
        "strip_unused_nodes prune obfuscate_names target_tf(version=1.4) sort_by_execution_order "
        "flatten_atrous_conv fuse_pad_and_conv insert_logging(op=Relu) quantize_weights add_default_attributes "
        "rename_op(old_op_name=Relu, new_op_name=Relu6) rename_attribute(old_attribute_name=T, new_attribute_name=Z) "
        "remove_attribute(attribute_name=Z) set_device(device=there) remove_device set_input_shape(batch=2) "
        "remove_control_dependencies round_weights backport_concatv2";
    cnnf_pipeline *pipeline = NULL;
    cnnf_graph *after = NULL;
    cnnf_buffer *report = NULL, *text = NULL, *picture = NULL, *difference = NULL;
    cnnf_status status = cnnf_pipeline_new(&pipeline, graph->context, NULL);
    if (!status) status = cnnf_pipeline_add(pipeline, passes, NULL);
    if (!status) status = cnnf_pipeline_add_output(pipeline, "y", NULL);
    if (!status) status = cnnf_pipeline_run_report(&after, &report, pipeline, graph, NULL);
    if (!status) status = cnnf_check_graph(&text, NULL, after, "vitis-ai", CNNF_REPORT_JSON, NULL);
    if (!status) status = cnnf_graph_summary(&picture, after, CNNF_REPORT_DOT, NULL);
    if (!status) status = cnnf_compare_graphs(&difference, NULL, graph, after, CNNF_REPORT_TEXT, NULL);
    cnnf_buffer_free(report);
    cnnf_buffer_free(text);
    cnnf_buffer_free(picture);
    cnnf_buffer_free(difference);
    cnnf_graph_unref(after);
    cnnf_pipeline_free(pipeline);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    cnnf_context *context = failing_context();
    cnnf_graph *graph = make_graph(context, chain, N_CHAIN);
    const uint64_t before = cnnf_context_memory(context, 0);
    cnnf_status status = CNNF_E_NOMEM;
    for (long n = 0; status == CNNF_E_NOMEM && n < 5000; n++) {
        allocations_left = n;
        status = run_all(graph);
        allocations_left = -1;
        ck_assert_msg(cnnf_context_memory(context, 0) == before, "allocation %ld leaks", n);
    }
    ck_assert_int_eq(status, CNNF_OK);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pipeline");
    TCase *t = tcase_create("pipeline");
    tcase_add_test(t, bad_grammar_is_named);
    tcase_add_test(t, a_refused_text_appends_nothing);
    tcase_add_test(t, grammar_takes_what_the_tool_takes);
    tcase_add_test(t, failures_name_the_pass_and_can_be_ignored);
    tcase_add_test(t, progress_counts_passes_and_cancels);
    tcase_add_test(t, arguments_can_be_listed);
    tcase_add_test(t, unknown_outputs_are_refused);
    tcase_add_test(t, every_pass_has_a_name_and_a_sentence);
    tcase_add_test(t, any_allocation_may_fail);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
