/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fails the n-th allocation of the context's allocator, for every n until a scenario succeeds: once (the next ones
 * succeed) and for good (all later ones fail too). Each time the scenario must end with CNNF_OK or CNNF_E_NOMEM, leave
 * nothing behind and leave no output on failure. One scenario per public entry point. test_oom NAME        one
 * scenario;  test_oom --list
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cnnfreeze/cnnfreeze.h>

typedef struct faults {
    long countdown; /* the allocation that fails; 0 = none */
    bool sticky, failing;
    long live;
} faults;

static bool must_fail(faults *f)
{
    if (f->failing && f->sticky) return true;
    if (f->countdown > 0 && --f->countdown == 0) {
        f->failing = true;
        return true;
    }
    return false;
}

static void *faulty_malloc(size_t size, void *user)
{
    faults *f = user;
    void *block = must_fail(f) ? NULL : malloc(size);
    if (block) f->live++;
    return block;
}

static void *faulty_realloc(void *pointer, size_t size, void *user)
{
    return must_fail(user) ? NULL : realloc(pointer, size);
}

static void faulty_free(void *pointer, void *user)
{
    if (pointer) ((faults *)user)->live--;
    free(pointer);
}

/* What scenarios work on; made once, without faults. */
typedef struct fixture {
    cnnf_graph *model, *frozen;
    cnnf_buffer *binary, *text;
    cnnf_tensor *image;
    const char *folder;
} fixture;

typedef cnnf_status (*scenario_fn)(cnnf_context *context, const fixture *x, cnnf_error *error);

#define MODEL  SOURCE_ROOT "/tests/golden/oom/model"
#define INPUT  "input_1"
#define OUTPUT "dense_1/BiasAdd"

/* The model with its weights; without HDF5 what keras2tf made of it. */
static cnnf_status load_model(cnnf_graph **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    if (cnnf_has_feature("keras_h5")) return cnnf_load_file(out, context, MODEL ".h5", NULL, error);
    cnnf_status status = cnnf_load_file(&graph, context, MODEL ".ckpt.meta", NULL, error);
    if (!status) status = cnnf_bind_checkpoint(out, graph, MODEL ".ckpt", NULL, error);
    cnnf_graph_unref(graph);
    return status;
}

/* Freed and NULL: what every out-parameter must be after a failure. */
static cnnf_status drop_graph(cnnf_status status, cnnf_graph *graph)
{
    if (status && graph) return CNNF_E_INTERNAL;
    cnnf_graph_unref(graph);
    return status;
}

static cnnf_status drop_buffer(cnnf_status status, cnnf_buffer *buffer)
{
    if (status && buffer) return CNNF_E_INTERNAL;
    cnnf_buffer_free(buffer);
    return status;
}

static cnnf_status load_keras(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    const cnnf_status status = load_model(&graph, context, error);
    return drop_graph(status, graph);
}

static cnnf_status load_binary(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    const cnnf_status status = cnnf_load_memory(&graph, context, cnnf_buffer_data(x->binary),
                                                cnnf_buffer_size(x->binary), "graph.pb", NULL, error);
    return drop_graph(status, graph);
}

static cnnf_status load_text(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    const cnnf_status status = cnnf_load_memory(&graph, context, cnnf_buffer_data(x->text), cnnf_buffer_size(x->text),
                                                "graph.pbtxt", NULL, error);
    return drop_graph(status, graph);
}

/* Layers by what the user says of them. */
static cnnf_status load_lambda(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    cnnf_load_options *options = NULL;
    cnnf_status status = cnnf_load_options_new(&options, context, error);
    if (!status)
        status = cnnf_load_options_add_lambda(options, "p_re_lu_1", "relu(x) - w0 * relu(-x[..., ::1])", error);
    if (!status)
        status =
            cnnf_load_options_add_lambda(options, "softmax_2", "exp(x) / sum(exp(x), axis=-1, keepdims=True)", error);
    if (!status) status = cnnf_load_options_map_layer(options, "ELU", "Activation(activation='elu')", error);
    if (!status) status = cnnf_load_options_map_layer(options, "LeakyReLU", "ReLU(negative_slope: alpha)", error);
    if (!status && cnnf_has_feature("keras_h5"))
        status = cnnf_load_file(&graph, context, SOURCE_ROOT "/tests/golden/keras/k225_adv2.h5", options, error);
    cnnf_load_options_free(options);
    return drop_graph(status, graph);
}

/* Every kind of attribute, tensor and function field. */
static cnnf_status load_all_fields(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    const cnnf_status status =
        cnnf_load_file(&graph, context, SOURCE_ROOT "/tests/golden/graphdef/all.pb", NULL, error);
    return drop_graph(status, graph);
}

static cnnf_status load_meta_graph(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    const cnnf_status status =
        cnnf_load_file(&graph, context, SOURCE_ROOT "/tests/golden/graphdef/graph.meta", NULL, error);
    return drop_graph(status, graph);
}

static cnnf_status load_saved_model(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    cnnf_load_options *options = NULL;
    cnnf_status status = cnnf_load_options_new(&options, context, error);
    if (!status) status = cnnf_load_options_add_tag(options, "train", error);
    if (!status) {
        status = cnnf_load_file(&graph, context, SOURCE_ROOT "/tests/golden/graphdef/saved_model", options, error);
    }
    cnnf_load_options_free(options);
    return drop_graph(status, graph);
}

/* A prefix without values, and a wildcard. */
static cnnf_status load_run(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    cnnf_checkpoint *checkpoint = NULL;
    cnnf_status status = cnnf_load_file(&graph, context, SOURCE_ROOT "/tests/golden/graphdef/graph", NULL, error);
    if (!status)
        status = cnnf_checkpoint_open(&checkpoint, context, SOURCE_ROOT "/tests/golden/checkpoint/v1_shards/model.c*",
                                      error);
    cnnf_checkpoint_unref(checkpoint);
    cnnf_graph_unref(graph);
    return status;
}

/* A graph against itself: the inputs that its output needs, an open size, a function put in its call's place. */
static cnnf_status compare_open(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    static const char text[] =
        "node { name: 'x' op: 'Placeholder' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' "
        "value { shape { dim { size: -1 } dim { size: -1 } } } } }\n"
        "node { name: 'f' op: 'PartitionedCall' input: 'x' attr { key: 'Tin' value { list { type: DT_FLOAT } } } "
        "attr { key: 'Tout' value { list { type: DT_FLOAT } } } attr { key: 'f' value { func { name: 'relu' } } } }\n"
        "library { function { signature { name: 'relu' input_arg { name: 'a' type: DT_FLOAT } output_arg { name: 'b' "
        "type: DT_FLOAT } } node_def { name: 'r' op: 'Relu' input: 'a' attr { key: 'T' value { type: DT_FLOAT } } } "
        "ret { key: 'b' value: 'r:activations:0' } } }\nversions { producer: 134 }\n";
    cnnf_graph *graph = NULL;
    cnnf_comparison *comparison = NULL;
    cnnf_status status = cnnf_load_memory(&graph, context, text, sizeof text - 1, "text", NULL, error);
    if (!status) status = cnnf_compare_numbers(&comparison, graph, graph, NULL, error);
    cnnf_comparison_free(comparison);
    cnnf_graph_unref(graph);
    return status;
}

/* Passes and writers work in the graph's own context: reload it in the faulty one first. */
static cnnf_status with_model(cnnf_context *context, cnnf_error *error,
                              cnnf_status (*then)(const cnnf_graph *, const fixture *, cnnf_error *), const fixture *x)
{
    cnnf_graph *graph = NULL;
    cnnf_status status = cnnf_load_memory(&graph, context, cnnf_buffer_data(x->binary), cnnf_buffer_size(x->binary),
                                          "graph.pb", NULL, error);
    if (!status) status = then(graph, x, error);
    cnnf_graph_unref(graph);
    return status;
}

static cnnf_status freeze_then(const cnnf_graph *graph, const fixture *x, cnnf_error *error)
{
    cnnf_graph *frozen = NULL;
    const cnnf_status status = cnnf_freeze(&frozen, NULL, graph, NULL, error);
    return drop_graph(status, frozen);
}

static cnnf_status write_binary_then(const cnnf_graph *graph, const fixture *x, cnnf_error *error)
{
    cnnf_buffer *buffer = NULL;
    const cnnf_status status = cnnf_write_graphdef_buffer(&buffer, graph, NULL, error);
    return drop_buffer(status, buffer);
}

static cnnf_status guess_then(const cnnf_graph *graph, const fixture *x, cnnf_error *error)
{
    cnnf_buffer *buffer = NULL;
    const cnnf_status status = cnnf_graph_guess_outputs(&buffer, graph, error);
    return drop_buffer(status, buffer);
}

static cnnf_status freeze(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    return with_model(context, error, freeze_then, x);
}

static cnnf_status write_binary(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    return with_model(context, error, write_binary_then, x);
}

static cnnf_status guess_outputs(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    return with_model(context, error, guess_then, x);
}

static cnnf_status write_text(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    cnnf_write_options *options = NULL;
    cnnf_buffer *buffer = NULL;
    cnnf_status status =
        cnnf_load_memory(&graph, context, cnnf_buffer_data(x->binary), cnnf_buffer_size(x->binary), "g", NULL, error);
    if (!status) status = cnnf_write_options_new(&options, context, error);
    if (!status) status = cnnf_write_options_set_text(options, 1, error);
    if (!status) status = cnnf_write_graphdef_buffer(&buffer, graph, options, error);
    status = drop_buffer(status, buffer);
    cnnf_write_options_free(options);
    cnnf_graph_unref(graph);
    return status;
}

static cnnf_status write_onnx(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    cnnf_onnx_options *options = NULL;
    cnnf_buffer *buffer = NULL;
    cnnf_graph *graph = NULL;
    cnnf_status status =
        cnnf_load_memory(&graph, context, cnnf_buffer_data(x->binary), cnnf_buffer_size(x->binary), "x", NULL, error);
    if (!status) status = cnnf_onnx_options_new(&options, context, error);
    if (!status) status = cnnf_onnx_options_add_output(options, cnnf_graph_output_name(x->frozen, 0), error);
    if (!status) status = cnnf_write_onnx_buffer(&buffer, graph, options, error);
    cnnf_onnx_options_free(options);
    cnnf_graph_unref(graph);
    return drop_buffer(status, buffer);
}

static cnnf_status write_tflite(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    cnnf_tflite_options *options = NULL;
    cnnf_buffer *buffer = NULL;
    cnnf_graph *graph = NULL;
    cnnf_status status =
        cnnf_load_memory(&graph, context, cnnf_buffer_data(x->binary), cnnf_buffer_size(x->binary), "x", NULL, error);
    if (!status) status = cnnf_tflite_options_new(&options, context, error);
    if (!status) status = cnnf_tflite_options_add_output(options, cnnf_graph_output_name(x->frozen, 0), error);
    if (!status) status = cnnf_write_tflite_buffer(&buffer, graph, options, error);
    cnnf_tflite_options_free(options);
    cnnf_graph_unref(graph);
    return drop_buffer(status, buffer);
}

static cnnf_status write_checkpoint(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    char prefix[600];
    cnnf_graph *graph = NULL;
    snprintf(prefix, sizeof prefix, "%s/oom.ckpt", x->folder);
    cnnf_status status = load_model(&graph, context, error);
    if (!status) status = cnnf_write_checkpoint(graph, prefix, NULL, error);
    cnnf_graph_unref(graph);
    return status;
}

static cnnf_status open_checkpoint(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    char prefix[600];
    cnnf_checkpoint *checkpoint = NULL;
    cnnf_tensor *tensor = NULL;
    snprintf(prefix, sizeof prefix, "%s/good.ckpt", x->folder);
    cnnf_status status = cnnf_checkpoint_open(&checkpoint, context, prefix, error);
    if (!status) status = cnnf_tensor_load(&tensor, cnnf_checkpoint_tensor(checkpoint, 0), error);
    cnnf_tensor_unref(tensor);
    cnnf_checkpoint_unref(checkpoint);
    return status;
}

static cnnf_status bind_checkpoint(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    char path[600];
    cnnf_graph *graph = NULL, *bound = NULL;
    snprintf(path, sizeof path, "%s/good.ckpt.meta", x->folder);
    cnnf_status status = cnnf_load_file(&graph, context, path, NULL, error);
    snprintf(path, sizeof path, "%s/good.ckpt", x->folder);
    if (!status) status = cnnf_bind_checkpoint(&bound, graph, path, NULL, error);
    status = drop_graph(status, bound);
    cnnf_graph_unref(graph);
    return status;
}

static cnnf_status run_pipeline(cnnf_context *context, const fixture *x, const char *passes, cnnf_error *error)
{
    cnnf_pipeline *pipeline = NULL;
    cnnf_graph *graph = NULL, *out = NULL;
    cnnf_buffer *report = NULL;
    cnnf_status status =
        cnnf_load_memory(&graph, context, cnnf_buffer_data(x->binary), cnnf_buffer_size(x->binary), "g", NULL, error);
    if (!status) status = cnnf_pipeline_new(&pipeline, context, error);
    if (!status) status = cnnf_pipeline_add(pipeline, passes, error);
    if (!status) status = cnnf_pipeline_run_report(&out, &report, pipeline, graph, error);
    status = drop_buffer(status, report);
    status = drop_graph(status, out);
    cnnf_pipeline_free(pipeline);
    cnnf_graph_unref(graph);
    return status;
}

static cnnf_status fold_batch_norms(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    return run_pipeline(context, x, "fold_batch_norms", error);
}

static cnnf_status inference_passes(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    static const char *const paths[] = {SOURCE_ROOT "/tests/golden/passes/training_cond_v1.pb",
                                        SOURCE_ROOT "/tests/golden/passes/training_cond_v2.pb"};
    cnnf_pipeline *pipeline = NULL;
    cnnf_status status = cnnf_pipeline_new(&pipeline, context, error);
    (void)x;
    if (!status) status = cnnf_pipeline_add(pipeline, "set_learning_phase remove_dropout", error);
    for (size_t i = 0; !status && i < 2; i++) {
        cnnf_graph *graph = NULL, *out = NULL;
        status = cnnf_load_file(&graph, context, paths[i], NULL, error);
        if (!status) status = cnnf_pipeline_run(&out, pipeline, graph, error);
        status = drop_graph(status, out);
        cnnf_graph_unref(graph);
    }
    cnnf_pipeline_free(pipeline);
    return status;
}

static cnnf_status plain_passes(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    return run_pipeline(context, x, "remove_identity merge_duplicate_nodes sort_by_execution_order obfuscate_names",
                        error);
}

static cnnf_status fold_constants(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    return run_pipeline(context, x, "fold_constants", error);
}

static cnnf_status quantize(cnnf_context *context, const char *folder, const char *feed, const char *output, int scheme,
                            cnnf_error *error)
{
    char path[1024];
    cnnf_graph *graph = NULL, *out = NULL, *deployed = NULL;
    cnnf_quantizer_options *options = NULL;
    cnnf_quantizer *quantizer = NULL;
    cnnf_onnx_options *onnx = NULL;
    cnnf_buffer *report = NULL, *model = NULL;
    cnnf_tensor *x = NULL;
    snprintf(path, sizeof path, SOURCE_ROOT "/tests/golden/vitis/%s/input.pb", folder);
    cnnf_status status = cnnf_load_file(&graph, context, path, NULL, error);
    snprintf(path, sizeof path, SOURCE_ROOT "/tests/golden/vitis/%s/x0.npy", folder);
    if (!status) status = cnnf_npy_load(&x, context, path, error);
    if (!status) status = cnnf_quantizer_options_new(&options, context, error);
    if (!status) status = cnnf_quantizer_options_add_input(options, feed, error);
    if (!status) status = cnnf_quantizer_options_add_output(options, output, error);
    if (!status) status = cnnf_quantizer_options_set(options, "threads", 1, error);
    if (!status) status = cnnf_quantizer_options_set(options, "scheme", scheme, error);
    if (!status) status = cnnf_quantizer_new(&quantizer, graph, options, error);
    const cnnf_tensor *batch = x;
    if (!status) status = cnnf_quantizer_feed(quantizer, &feed, &batch, 1, error);
    if (!status) status = cnnf_quantizer_finish(&out, quantizer, error);
    if (!status && scheme) status = cnnf_onnx_options_new(&onnx, context, error);
    if (!status && scheme) status = cnnf_onnx_options_add_output(onnx, output, error);
    if (!status && scheme) status = cnnf_write_onnx_buffer(&model, out, onnx, error);
    if (!status && !scheme) status = cnnf_quantizer_deploy(&deployed, quantizer, error);
    if (!status) status = cnnf_quantizer_report(&report, quantizer, 1, error);
    cnnf_buffer_free(report);
    cnnf_buffer_free(model);
    cnnf_onnx_options_free(onnx);
    cnnf_graph_unref(out);
    cnnf_graph_unref(deployed);
    cnnf_quantizer_free(quantizer);
    cnnf_quantizer_options_free(options);
    cnnf_tensor_unref(x);
    cnnf_graph_unref(graph);
    return status;
}

static cnnf_status quantize_pools(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    return quantize(context, "k225_pools", "input_1", "global_average_pooling2d_1/Mean", 0, error);
}

static cnnf_status quantize_dense(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    return quantize(context, "x_dense_bn", "x", "out", 0, error);
}

static cnnf_status quantize_int8(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    return quantize(context, "x_dense_bn", "x", "out", 1, error);
}

static cnnf_status evaluate(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    cnnf_graph *graph = NULL;
    cnnf_evaluator *evaluator = NULL;
    cnnf_evaluator_options *options = NULL;
    cnnf_tensor *y = NULL;
    const char *feed = INPUT, *fetch = OUTPUT;
    const cnnf_tensor *image = x->image;
    cnnf_status status =
        cnnf_load_memory(&graph, context, cnnf_buffer_data(x->binary), cnnf_buffer_size(x->binary), "g", NULL, error);
    if (!status) status = cnnf_evaluator_options_new(&options, context, error);
    /* One thread: with more, which allocation is the n-th would change from run to run. */
    if (!status) status = cnnf_evaluator_options_set_threads(options, 1, error);
    if (!status) status = cnnf_evaluator_options_set_backend(options, "portable", error);
    if (!status) status = cnnf_evaluator_new(&evaluator, graph, options, error);
    if (!status) status = cnnf_evaluator_run(&y, evaluator, &feed, &image, 1, &fetch, 1, error);
    cnnf_tensor_unref(y);
    cnnf_evaluator_free(evaluator);
    cnnf_evaluator_options_free(options);
    cnnf_graph_unref(graph);
    return status;
}

/* Runs a graph of tests/golden/loops: `given_I_0` is what `feed_I` is fed. */
static cnnf_status run_loops(cnnf_context *context, const char *path, size_t n_feeds, cnnf_error *error)
{
    static const char *const feeds[] = {"feed_0", "feed_1"}, *const given[] = {"given_0_0", "given_1_0"};
    const char *fetch = "out_0";
    const cnnf_tensor *values[2] = {NULL};
    cnnf_graph *graph = NULL;
    cnnf_evaluator *evaluator = NULL;
    cnnf_evaluator_options *options = NULL;
    cnnf_tensor *y = NULL;
    cnnf_status status = cnnf_load_file(&graph, context, path, NULL, error);
    for (size_t i = 0; !status && i < n_feeds; i++)
        values[i] = cnnf_node_attr_tensor(cnnf_graph_find(graph, given[i]), "value");
    if (!status) status = cnnf_evaluator_options_new(&options, context, error);
    if (!status) status = cnnf_evaluator_options_set_threads(options, 1, error);
    if (!status) status = cnnf_evaluator_options_set_backend(options, "portable", error);
    if (!status) status = cnnf_evaluator_new(&evaluator, graph, options, error);
    if (!status) status = cnnf_evaluator_run(&y, evaluator, feeds, values, n_feeds, &fetch, 1, error);
    if (status && y) status = CNNF_E_INTERNAL;
    cnnf_tensor_unref(y);
    cnnf_evaluator_free(evaluator);
    cnnf_evaluator_options_free(options);
    cnnf_graph_unref(graph);
    return status;
}

static cnnf_status run_frames(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    return run_loops(context, SOURCE_ROOT "/tests/golden/loops/branch_in_loop.frames.pb", 2, error);
}

static cnnf_status run_functions(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    return run_loops(context, SOURCE_ROOT "/tests/golden/loops/array_grows.functions.pb", 2, error);
}

static cnnf_status run_lists(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    return run_loops(context, SOURCE_ROOT "/tests/golden/loops/lists.functions.pb", 1, error);
}

static cnnf_status run_arrays(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    return run_loops(context, SOURCE_ROOT "/tests/golden/loops/array_split.frames.pb", 1, error);
}

/* The first two examples of a data set; no shape: the file's own. */
static cnnf_status read_dataset(cnnf_context *context, const char *path, int32_t rank, const int64_t *dims,
                                cnnf_error *error)
{
    cnnf_dataset_options *options = NULL;
    cnnf_dataset *data = NULL;
    cnnf_tensor *images = NULL, *labels = NULL;
    cnnf_status status = cnnf_dataset_options_new(&options, context, error);
    if (!status && rank) status = cnnf_dataset_options_set_shape(options, rank, dims, error);
    if (!status) status = cnnf_dataset_open(&data, context, path, options, error);
    if (!status) status = cnnf_dataset_next(&images, &labels, data, 2, error);
    if (status && (images || labels)) status = CNNF_E_INTERNAL;
    cnnf_tensor_unref(images);
    cnnf_tensor_unref(labels);
    cnnf_dataset_free(data);
    cnnf_dataset_options_free(options);
    return status;
}

#define DATASET(path) SOURCE_ROOT "/tests/golden/dataset/" path

static cnnf_status read_csv(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    const int64_t dims[] = {2, 2, 1};
    (void)x;
    return read_dataset(context, SOURCE_ROOT "/tests/golden/oom/data.csv", 3, dims, error);
}

static cnnf_status read_gz(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    (void)x;
    return read_dataset(context, DATASET("pairs.csv.gz"), 0, NULL, error);
}

static cnnf_status read_npz(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    (void)x;
    return read_dataset(context, DATASET("pairs.npz"), 0, NULL, error);
}

static cnnf_status read_images(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    const int64_t dims[] = {4, 4, 3};
    (void)x;
    return read_dataset(context, DATASET("images"), 3, dims, error);
}

/* The options of a set that reads `path`, all at once. */
static cnnf_status read_with(cnnf_context *context, const char *path, const char *resize, const char *crop,
                             int32_t channels, cnnf_error *error)
{
    const int64_t dims[] = {5, 3, channels};
    const double mean[] = {1, 2, 3}, std[] = {1, 2, 3};
    cnnf_dataset_options *options = NULL;
    cnnf_dataset *data = NULL;
    cnnf_tensor *images = NULL, *labels = NULL;
    cnnf_status status = cnnf_dataset_options_new(&options, context, error);
    if (!status) status = cnnf_dataset_options_set_shape(options, 3, dims, error);
    if (!status) status = cnnf_dataset_options_set_resize(options, resize, error);
    if (!status) status = cnnf_dataset_options_set_crop(options, crop, error);
    if (!status) status = cnnf_dataset_options_set_transpose(options, 1, error);
    if (!status) status = cnnf_dataset_options_set_channel_normalization(options, channels, mean, std, error);
    if (!status) status = cnnf_dataset_options_set_label_map(options, DATASET("classes.txt"), error);
    if (!status) status = cnnf_dataset_options_set_shard(options, 2, 3, error);
    if (!status) status = cnnf_dataset_open(&data, context, path, options, error);
    if (!status) status = cnnf_dataset_next(&images, &labels, data, 2, error);
    if (status && (images || labels)) status = CNNF_E_INTERNAL;
    cnnf_tensor_unref(images);
    cnnf_tensor_unref(labels);
    cnnf_dataset_free(data);
    cnnf_dataset_options_free(options);
    return status;
}

static cnnf_status read_filtered(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    (void)x;
    const cnnf_status status = read_with(context, DATASET("images"), "lanczos", "center", 1, error);
    return status ? status : read_with(context, DATASET("images"), "area", "aspect", 3, error);
}

/* The last column of several files. */
static cnnf_status read_pattern(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    cnnf_dataset_options *options = NULL;
    cnnf_dataset *data = NULL;
    cnnf_tensor *images = NULL, *labels = NULL;
    (void)x;
    cnnf_status status = cnnf_dataset_options_new(&options, context, error);
    if (!status) status = cnnf_dataset_options_set_label_column(options, "label", error);
    if (!status) status = cnnf_dataset_options_set_shard(options, 2, 2, error);
    if (!status) status = cnnf_dataset_open(&data, context, DATASET("parts/*.csv"), options, error);
    if (!status) status = cnnf_dataset_next(&images, &labels, data, 9, error);
    if (status && (images || labels)) status = CNNF_E_INTERNAL;
    cnnf_tensor_unref(images);
    cnnf_tensor_unref(labels);
    cnnf_dataset_free(data);
    cnnf_dataset_options_free(options);
    return status;
}

static cnnf_status count_metrics(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    static const float scores[] = {0.1f, 0.9f, 0.8f, 0.2f};
    static const int64_t answers[] = {1, 1};
    const int64_t two[] = {2, 2};
    cnnf_metrics *metrics = NULL, *other = NULL;
    cnnf_tensor *p = NULL, *l = NULL;
    cnnf_buffer *saved = NULL;
    cnnf_status status = cnnf_metrics_new(&metrics, context, 2, 3, error);
    if (!status) status = cnnf_tensor_wrap(&p, context, CNNF_FLOAT, 2, two, scores, sizeof scores, NULL, NULL, error);
    if (!status) status = cnnf_tensor_wrap(&l, context, CNNF_INT64, 1, two, answers, sizeof answers, NULL, NULL, error);
    if (!status) status = cnnf_metrics_add(metrics, p, l, 0, error);
    if (!status) status = cnnf_metrics_save(&saved, metrics, error);
    if (!status) {
        status = cnnf_metrics_restore(&other, context, cnnf_buffer_data(saved), cnnf_buffer_size(saved), error);
    }
    if (!status) status = cnnf_metrics_merge(metrics, other, error);
    cnnf_buffer_free(saved);
    cnnf_tensor_unref(p);
    cnnf_tensor_unref(l);
    cnnf_metrics_free(other);
    cnnf_metrics_free(metrics);
    return status;
}

/* Of a convolutional network, in every form. */
static cnnf_status summarize(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    static const int32_t formats[] = {CNNF_REPORT_SVG, CNNF_REPORT_TEXT, CNNF_REPORT_JSON, CNNF_REPORT_DOT,
                                      CNNF_REPORT_GTT};
    cnnf_graph *graph = NULL;
    cnnf_buffer *text = NULL;
    (void)x;
    cnnf_status status = cnnf_load_file(&graph, context, SOURCE_ROOT "/tests/golden/oom/model.ckpt.meta", NULL, error);
    for (size_t i = 0; !status && i < sizeof formats / sizeof *formats; i++) {
        status = cnnf_graph_summary(&text, graph, formats[i], error);
        cnnf_buffer_free(text);
        text = NULL;
    }
    cnnf_graph_unref(graph);
    return status;
}

/* Two graphs that differ, with pictures, as HTML and as JSON. */
static cnnf_status write_report(cnnf_context *context, const fixture *x, cnnf_error *error)
{
    static const float scores[2][6] = {{0.1f, 0.9f, 0.8f, 0.2f, 0.7f, 0.3f}, {0.6f, 0.4f, 0.8f, 0.2f, 0.7f, 0.3f}};
    static const float pixels[3][4] = {{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}};
    static const int64_t answers[] = {1, 1, 0}, shape[] = {3, 2}, picture[] = {3, 2, 2, 1};
    cnnf_report *report = NULL;
    cnnf_tensor *p = NULL, *l = NULL, *images = NULL;
    cnnf_buffer *text = NULL;
    (void)x;
    cnnf_status status = cnnf_report_new(&report, context, 2, 1, error);
    if (!status) status = cnnf_report_set_title(report, "title", error);
    if (!status) status = cnnf_report_set_class_name(report, 1, "one", error);
    if (!status) status = cnnf_report_add_fact(report, "name", "value", error);
    if (!status)
        status = cnnf_tensor_wrap(&l, context, CNNF_INT64, 1, shape, answers, sizeof answers, NULL, NULL, error);
    if (!status)
        status = cnnf_tensor_wrap(&images, context, CNNF_FLOAT, 4, picture, pixels, sizeof pixels, NULL, NULL, error);
    for (int i = 0; !status && i < 2; i++) {
        status = cnnf_tensor_wrap(&p, context, CNNF_FLOAT, 2, shape, scores[i], sizeof scores[i], NULL, NULL, error);
        if (!status) status = cnnf_report_begin(report, "graph", error);
        if (!status) status = cnnf_report_add(report, images, p, l, 0, error);
        if (!status) status = cnnf_report_end(report, 1, error);
        cnnf_tensor_unref(p);
        p = NULL;
    }
    if (!status) status = cnnf_report_write(&text, report, CNNF_REPORT_JSON, error);
    cnnf_buffer_free(text);
    text = NULL;
    if (!status) status = cnnf_report_write(&text, report, CNNF_REPORT_HTML, error);
    cnnf_buffer_free(text);
    cnnf_tensor_unref(images);
    cnnf_tensor_unref(l);
    cnnf_report_free(report);
    return status;
}

static const struct {
    const char *name;
    scenario_fn run;
} scenarios[] = {
    {"load_keras", load_keras},
    {"load_lambda", load_lambda},
    {"load_binary", load_binary},
    {"load_text", load_text},
    {"load_all_fields", load_all_fields},
    {"load_meta_graph", load_meta_graph},
    {"load_saved_model", load_saved_model},
    {"load_run", load_run},
    {"compare_open", compare_open},
    {"freeze", freeze},
    {"guess_outputs", guess_outputs},
    {"write_binary", write_binary},
    {"write_text", write_text},
    {"write_onnx", write_onnx},
    {"write_tflite", write_tflite},
    {"write_checkpoint", write_checkpoint},
    {"open_checkpoint", open_checkpoint},
    {"bind_checkpoint", bind_checkpoint},
    {"fold_batch_norms", fold_batch_norms},
    {"inference_passes", inference_passes},
    {"plain_passes", plain_passes},
    {"fold_constants", fold_constants},
    {"evaluate", evaluate},
    {"quantize_pools", quantize_pools},
    {"quantize_dense", quantize_dense},
    {"quantize_int8", quantize_int8},
    {"run_frames", run_frames},
    {"run_functions", run_functions},
    {"run_lists", run_lists},
    {"run_arrays", run_arrays},
    {"read_csv", read_csv},
    {"read_gz", read_gz},
    {"read_npz", read_npz},
    {"read_images", read_images},
    {"read_filtered", read_filtered},
    {"read_pattern", read_pattern},
    {"count_metrics", count_metrics},
    {"write_report", write_report},
    {"summarize", summarize},
};

#define SCENARIOS (sizeof scenarios / sizeof *scenarios)

/* A context over the faulty allocator; armed by the caller afterwards. */
static cnnf_context *faulty_context(faults *f)
{
    cnnf_context_options *options = NULL;
    cnnf_context *context = NULL;
    if (cnnf_context_options_new(&options, NULL)) return NULL;
    cnnf_context_options_set_allocator(options, faulty_malloc, faulty_realloc, faulty_free, f, NULL);
    cnnf_context_new(&context, options, NULL);
    cnnf_context_options_free(options);
    return context;
}

/* One run with the n-th allocation failing. -1: wrong; 0: an allocation failed; 1: there were fewer than n. */
static int run_once(size_t which, const fixture *x, long n, bool sticky)
{
    faults f = {0};
    cnnf_context *context = faulty_context(&f);
    cnnf_error *error = cnnf_error_new();
    f.countdown = n;
    f.sticky = sticky;
    const cnnf_status status = scenarios[which].run(context, x, error);
    const bool reached = f.failing;
    f = (faults){.live = f.live};
    cnnf_context_unref(context);
    int verdict = reached ? 0 : 1;
    /* A failure may be swallowed where the work can go on without (a log line, a smaller buffer). */
    if (status != CNNF_E_NOMEM && status != CNNF_OK) verdict = -1;
    if (f.live) verdict = -1;
    /* The error holds the failure that was returned; after a success it is empty, whatever was swallowed on the way. */
    if (cnnf_error_code(error) != status) verdict = -1;
    if (verdict < 0) {
        fprintf(stderr, "%s: allocation %ld%s: %s (%s), %ld blocks left\n", scenarios[which].name, n,
                sticky ? " and later" : "", cnnf_status_name(status), cnnf_error_message(error), f.live);
    }
    cnnf_error_free(error);
    return verdict;
}

static bool sweep(size_t which, const fixture *x)
{
    long points = 0;
    for (int sticky = 0; sticky < 2; sticky++) {
        for (long n = 1;; n++) {
            const int verdict = run_once(which, x, n, sticky);
            if (verdict < 0) return false;
            if (verdict > 0) break;
            points++;
        }
    }
    printf("%s: %ld allocation failures survived\n", scenarios[which].name, points);
    return points > 0;
}

static cnnf_status make_image(cnnf_tensor **out, cnnf_context *context, const cnnf_graph *graph, cnnf_error *error)
{
    const cnnf_node *input = cnnf_graph_find(graph, cnnf_graph_input_name(graph, 0));
    int64_t dims[8] = {1};
    const int32_t rank = cnnf_node_attr_shape_rank(input, "shape");
    for (int32_t axis = 1; axis < rank && axis < 8; axis++)
        dims[axis] = cnnf_node_attr_shape_dim(input, "shape", axis);
    return cnnf_tensor_new(out, context, CNNF_FLOAT, rank, dims, error);
}

static cnnf_status prepare(fixture *x, cnnf_context *context, const char *folder, cnnf_error *error)
{
    char prefix[600];
    cnnf_write_options *text = NULL;
    x->folder = folder;
    snprintf(prefix, sizeof prefix, "%s/good.ckpt", folder);
    cnnf_status status = load_model(&x->model, context, error);
    if (!status) status = cnnf_write_checkpoint(x->model, prefix, NULL, error);
    if (!status) status = cnnf_freeze(&x->frozen, NULL, x->model, NULL, error);
    if (!status) status = cnnf_write_graphdef_buffer(&x->binary, x->frozen, NULL, error);
    if (!status) status = cnnf_write_options_new(&text, context, error);
    if (!status) status = cnnf_write_options_set_text(text, 1, error);
    if (!status) status = cnnf_write_graphdef_buffer(&x->text, x->frozen, text, error);
    if (!status) status = make_image(&x->image, context, x->model, error);
    cnnf_write_options_free(text);
    return status;
}

static void drop(fixture *x)
{
    cnnf_buffer_free(x->binary);
    cnnf_buffer_free(x->text);
    cnnf_tensor_unref(x->image);
    cnnf_graph_unref(x->frozen);
    cnnf_graph_unref(x->model);
}

int main(int argc, char **argv)
{
    if (argc != 3) return fprintf(stderr, "usage: test_oom SCENARIO FOLDER\n"), 2;
    cnnf_context *context = NULL;
    cnnf_error *error = cnnf_error_new();
    fixture x = {0};
    bool ok = false, found = false;
    if (cnnf_context_new(&context, NULL, error) == CNNF_OK && prepare(&x, context, argv[2], error) == CNNF_OK) {
        for (size_t i = 0; i < SCENARIOS; i++) {
            if (strcmp(scenarios[i].name, argv[1])) continue;
            found = true;
            ok = sweep(i, &x);
        }
    }
    if (!found)
        fprintf(stderr, "%s: %s\n", argv[1],
                *cnnf_error_message(error) ? cnnf_error_message(error) : "no such scenario");
    drop(&x);
    cnnf_context_unref(context);
    cnnf_error_free(error);
    return ok ? 0 : 1;
}
