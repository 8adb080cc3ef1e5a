# SPDX-License-Identifier: Apache-2.0
"""The library's functions and callbacks as its headers declare them: the one table of the binding.

Each line is a prototype of include/cnnfreeze/*.h with the names of its parameters and without `const`.
tests/python/check_prototypes.py compares the table with the headers, the symbol map and the calls of this package;
with --write it puts the headers' prototypes here.
"""
import ctypes
import re

CALLBACKS = """
void cnnf_free_fn(void *pointer, void *user)
void cnnf_log_fn(int32_t level, char *message, void *user)
void *cnnf_malloc_fn(size_t size, void *user)
int32_t cnnf_progress_fn(uint64_t done, uint64_t total, void *user)
void *cnnf_realloc_fn(void *pointer, size_t size, void *user)
void cnnf_release_fn(void *user)
void cnnf_temporary_fn(char *path, int32_t exists, void *user)
int32_t cnnf_write_fn(void *data, size_t size, void *user)
"""

FUNCTIONS = """
uint32_t cnnf_abi_version(void)
cnnf_status cnnf_bind_checkpoint(cnnf_graph **out, cnnf_graph *graph, char *path, cnnf_load_options *options, cnnf_error *error)
void *cnnf_buffer_data(cnnf_buffer *buffer)
void cnnf_buffer_free(cnnf_buffer *buffer)
size_t cnnf_buffer_size(cnnf_buffer *buffer)
cnnf_status cnnf_check_graph(cnnf_buffer **out, int64_t *unmet, cnnf_graph *graph, char *target, int32_t format, cnnf_error *error)
cnnf_status cnnf_check_graph_file(cnnf_buffer **out, int64_t *unmet, cnnf_graph *graph, char *file, char *target, int32_t format, cnnf_error *error)
cnnf_status cnnf_check_saver_file(cnnf_context *context, char *path, cnnf_error *error)
int32_t cnnf_check_target_count(void)
char *cnnf_check_target_name(int32_t index)
char *cnnf_check_target_passes(char *target)
int64_t cnnf_checkpoint_count(cnnf_checkpoint *checkpoint)
int64_t cnnf_checkpoint_find(cnnf_checkpoint *checkpoint, char *name)
char *cnnf_checkpoint_name(cnnf_checkpoint *checkpoint, int64_t index)
cnnf_status cnnf_checkpoint_open(cnnf_checkpoint **out, cnnf_context *context, char *path, cnnf_error *error)
cnnf_checkpoint *cnnf_checkpoint_ref(cnnf_checkpoint *checkpoint)
cnnf_tensor *cnnf_checkpoint_tensor(cnnf_checkpoint *checkpoint, int64_t index)
void cnnf_checkpoint_unref(cnnf_checkpoint *checkpoint)
cnnf_status cnnf_checkpoint_verify(cnnf_checkpoint *checkpoint, int64_t index, cnnf_error *error)
int32_t cnnf_checkpoint_version(cnnf_checkpoint *checkpoint)
cnnf_status cnnf_compare_graphs(cnnf_buffer **out, int64_t *differences, cnnf_graph *a, cnnf_graph *b, int32_t format, cnnf_error *error)
cnnf_status cnnf_compare_numbers(cnnf_comparison **out, cnnf_graph *a, cnnf_graph *b, cnnf_comparison_options *options, cnnf_error *error)
int64_t cnnf_comparison_count(cnnf_comparison *comparison)
char *cnnf_comparison_first(cnnf_comparison *comparison)
void cnnf_comparison_free(cnnf_comparison *comparison)
double cnnf_comparison_max_abs(cnnf_comparison *comparison)
double cnnf_comparison_max_rel(cnnf_comparison *comparison)
cnnf_status cnnf_comparison_options_add_feed(cnnf_comparison_options *options, char *name, cnnf_tensor *value, cnnf_error *error)
cnnf_status cnnf_comparison_options_add_output(cnnf_comparison_options *options, char *a, char *b, cnnf_error *error)
void cnnf_comparison_options_free(cnnf_comparison_options *options)
cnnf_status cnnf_comparison_options_new(cnnf_comparison_options **out, cnnf_context *context, cnnf_error *error)
cnnf_status cnnf_comparison_options_set_batch(cnnf_comparison_options *options, int64_t batch, cnnf_error *error)
cnnf_status cnnf_comparison_options_set_inside(cnnf_comparison_options *options, int32_t inside, cnnf_error *error)
cnnf_status cnnf_comparison_options_set_random(cnnf_comparison_options *options, int32_t runs, uint64_t seed, cnnf_error *error)
cnnf_status cnnf_comparison_options_set_tolerance(cnnf_comparison_options *options, double tolerance, cnnf_error *error)
cnnf_status cnnf_comparison_report(cnnf_buffer **out, cnnf_comparison *comparison, int32_t format, cnnf_error *error)
int32_t cnnf_comparison_within(cnnf_comparison *comparison)
uint64_t cnnf_context_limit(cnnf_context *context, int32_t limit)
uint64_t cnnf_context_memory(cnnf_context *context, int32_t peak)
cnnf_status cnnf_context_new(cnnf_context **out, cnnf_context_options *options, cnnf_error *error)
void cnnf_context_options_free(cnnf_context_options *options)
cnnf_status cnnf_context_options_new(cnnf_context_options **out, cnnf_error *error)
cnnf_status cnnf_context_options_set_allocator(cnnf_context_options *options, cnnf_malloc_fn malloc_fn, cnnf_realloc_fn realloc_fn, cnnf_free_fn free_fn, void *user, cnnf_error *error)
cnnf_status cnnf_context_options_set_limit(cnnf_context_options *options, int32_t limit, uint64_t value, cnnf_error *error)
cnnf_status cnnf_context_options_set_log(cnnf_context_options *options, cnnf_log_fn log_fn, int32_t min_level, void *user, cnnf_error *error)
cnnf_status cnnf_context_options_set_temporary_files(cnnf_context_options *options, cnnf_temporary_fn told, void *user, cnnf_error *error)
cnnf_status cnnf_context_options_set_temporary_folder(cnnf_context_options *options, char *path, cnnf_error *error)
cnnf_status cnnf_context_options_set_untrusted(cnnf_context_options *options, cnnf_error *error)
cnnf_context *cnnf_context_ref(cnnf_context *context)
void cnnf_context_unref(cnnf_context *context)
char *cnnf_dataset_class_name(cnnf_dataset *dataset, int64_t label)
int64_t cnnf_dataset_count(cnnf_dataset *dataset)
char *cnnf_dataset_example_file(cnnf_dataset *dataset, int64_t row)
void cnnf_dataset_free(cnnf_dataset *dataset)
cnnf_status cnnf_dataset_next(cnnf_tensor **images, cnnf_tensor **labels, cnnf_dataset *dataset, int64_t batch, cnnf_error *error)
cnnf_status cnnf_dataset_open(cnnf_dataset **out, cnnf_context *context, char *path, cnnf_dataset_options *options, cnnf_error *error)
void cnnf_dataset_options_free(cnnf_dataset_options *options)
cnnf_status cnnf_dataset_options_new(cnnf_dataset_options **out, cnnf_context *context, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_channel_normalization(cnnf_dataset_options *options, int32_t channels, double *mean, double *std, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_channel_order(cnnf_dataset_options *options, char *order, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_channels_first(cnnf_dataset_options *options, int32_t channels_first, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_crop(cnnf_dataset_options *options, char *mode, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_label_column(cnnf_dataset_options *options, char *column, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_label_map(cnnf_dataset_options *options, char *path, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_labels_file(cnnf_dataset_options *options, char *path, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_normalization(cnnf_dataset_options *options, double mean, double std, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_one_hot(cnnf_dataset_options *options, int64_t classes, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_preprocess(cnnf_dataset_options *options, char *mode, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_resize(cnnf_dataset_options *options, char *mode, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_scale(cnnf_dataset_options *options, double scale, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_shape(cnnf_dataset_options *options, int32_t rank, int64_t *dims, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_shard(cnnf_dataset_options *options, int64_t shard, int64_t shards, cnnf_error *error)
cnnf_status cnnf_dataset_options_set_transpose(cnnf_dataset_options *options, int32_t transpose, cnnf_error *error)
int64_t cnnf_dataset_position(cnnf_dataset *dataset)
cnnf_status cnnf_dataset_rewind(cnnf_dataset *dataset, cnnf_error *error)
char *cnnf_dtype_name(cnnf_dtype dtype)
size_t cnnf_dtype_size(cnnf_dtype dtype)
void cnnf_error_clear(cnnf_error *error)
cnnf_status cnnf_error_code(cnnf_error *error)
void cnnf_error_free(cnnf_error *error)
char *cnnf_error_message(cnnf_error *error)
cnnf_error *cnnf_error_new(void)
char *cnnf_error_node(cnnf_error *error)
int64_t cnnf_error_offset(cnnf_error *error)
char *cnnf_error_where(cnnf_error *error)
cnnf_status cnnf_evaluate_dataset(cnnf_metrics *metrics, cnnf_evaluator *evaluator, cnnf_dataset *dataset, cnnf_evaluate_options *options, cnnf_error *error)
void cnnf_evaluate_options_free(cnnf_evaluate_options *options)
cnnf_status cnnf_evaluate_options_new(cnnf_evaluate_options **out, cnnf_context *context, cnnf_error *error)
cnnf_status cnnf_evaluate_options_set_batch(cnnf_evaluate_options *options, int64_t batch, cnnf_error *error)
cnnf_status cnnf_evaluate_options_set_full_batches_only(cnnf_evaluate_options *options, int32_t full_only, cnnf_error *error)
cnnf_status cnnf_evaluate_options_set_input(cnnf_evaluate_options *options, char *name, cnnf_error *error)
cnnf_status cnnf_evaluate_options_set_output(cnnf_evaluate_options *options, char *name, cnnf_error *error)
cnnf_status cnnf_evaluate_options_set_progress(cnnf_evaluate_options *options, cnnf_progress_fn progress, void *user, cnnf_error *error)
cnnf_status cnnf_evaluate_options_set_report(cnnf_evaluate_options *options, cnnf_report *report, cnnf_error *error)
char *cnnf_evaluator_backend(cnnf_evaluator *evaluator)
void cnnf_evaluator_cancel(cnnf_evaluator *evaluator)
cnnf_status cnnf_evaluator_describe(cnnf_buffer **out, cnnf_evaluator *evaluator, char **feed_names, cnnf_tensor **feeds, size_t feed_count, char **fetch_names, size_t fetch_count, cnnf_error *error)
void cnnf_evaluator_free(cnnf_evaluator *evaluator)
cnnf_status cnnf_evaluator_new(cnnf_evaluator **out, cnnf_graph *graph, cnnf_evaluator_options *options, cnnf_error *error)
void cnnf_evaluator_options_free(cnnf_evaluator_options *options)
cnnf_status cnnf_evaluator_options_new(cnnf_evaluator_options **out, cnnf_context *context, cnnf_error *error)
cnnf_status cnnf_evaluator_options_set_backend(cnnf_evaluator_options *options, char *backend, cnnf_error *error)
cnnf_status cnnf_evaluator_options_set_deterministic(cnnf_evaluator_options *options, int32_t strict, cnnf_error *error)
cnnf_status cnnf_evaluator_options_set_isa(cnnf_evaluator_options *options, char *isa, cnnf_error *error)
cnnf_status cnnf_evaluator_options_set_threads(cnnf_evaluator_options *options, int32_t threads, cnnf_error *error)
cnnf_status cnnf_evaluator_run(cnnf_tensor **outputs, cnnf_evaluator *evaluator, char **feed_names, cnnf_tensor **feeds, size_t feed_count, char **fetch_names, size_t fetch_count, cnnf_error *error)
cnnf_status cnnf_format_detect(int32_t *out, cnnf_context *context, char *path, cnnf_error *error)
char *cnnf_format_name(int32_t format)
cnnf_status cnnf_freeze(cnnf_graph **out, int64_t *converted, cnnf_graph *graph, cnnf_freeze_options *options, cnnf_error *error)
cnnf_status cnnf_freeze_options_add_initializer(cnnf_freeze_options *options, char *node, cnnf_error *error)
cnnf_status cnnf_freeze_options_add_output(cnnf_freeze_options *options, char *name, cnnf_error *error)
cnnf_status cnnf_freeze_options_allow(cnnf_freeze_options *options, char *pattern, cnnf_error *error)
cnnf_status cnnf_freeze_options_deny(cnnf_freeze_options *options, char *pattern, cnnf_error *error)
void cnnf_freeze_options_free(cnnf_freeze_options *options)
cnnf_status cnnf_freeze_options_new(cnnf_freeze_options **out, cnnf_context *context, cnnf_error *error)
cnnf_status cnnf_freeze_options_set_as_tf(cnnf_freeze_options *options, char *version, cnnf_error *error)
cnnf_status cnnf_freeze_options_set_clear_devices(cnnf_freeze_options *options, int32_t clear, cnnf_error *error)
cnnf_status cnnf_freeze_options_set_default_attrs(cnnf_freeze_options *options, int32_t add, cnnf_error *error)
cnnf_node *cnnf_graph_find(cnnf_graph *graph, char *name)
int64_t cnnf_graph_function_count(cnnf_graph *graph)
char *cnnf_graph_function_name(cnnf_graph *graph, int64_t index)
cnnf_status cnnf_graph_guess_outputs(cnnf_buffer **out, cnnf_graph *graph, cnnf_error *error)
int64_t cnnf_graph_input_count(cnnf_graph *graph)
cnnf_dtype cnnf_graph_input_dtype(cnnf_graph *graph, int64_t index)
char *cnnf_graph_input_name(cnnf_graph *graph, int64_t index)
int64_t cnnf_graph_input_shape_dim(cnnf_graph *graph, int64_t index, int32_t axis)
int32_t cnnf_graph_input_shape_rank(cnnf_graph *graph, int64_t index)
cnnf_node *cnnf_graph_node(cnnf_graph *graph, int64_t index)
int64_t cnnf_graph_node_count(cnnf_graph *graph)
int64_t cnnf_graph_output_count(cnnf_graph *graph)
char *cnnf_graph_output_name(cnnf_graph *graph, int64_t index)
cnnf_graph *cnnf_graph_ref(cnnf_graph *graph)
cnnf_status cnnf_graph_summary(cnnf_buffer **out, cnnf_graph *graph, int32_t format, cnnf_error *error)
void cnnf_graph_unref(cnnf_graph *graph)
int64_t cnnf_graph_variable_count(cnnf_graph *graph)
cnnf_status cnnf_graph_with_saver(cnnf_graph **out, cnnf_graph *graph, cnnf_error *error)
cnnf_status cnnf_graphdef_size(uint64_t *out, cnnf_graph *graph, cnnf_error *error)
int32_t cnnf_has_feature(char *feature)
char *cnnf_limit_name(int32_t limit)
cnnf_status cnnf_load_file(cnnf_graph **out, cnnf_context *context, char *path, cnnf_load_options *options, cnnf_error *error)
cnnf_status cnnf_load_memory(cnnf_graph **out, cnnf_context *context, void *data, size_t size, char *name, cnnf_load_options *options, cnnf_error *error)
cnnf_status cnnf_load_options_add_lambda(cnnf_load_options *options, char *name, char *expression, cnnf_error *error)
cnnf_status cnnf_load_options_add_tag(cnnf_load_options *options, char *tag, cnnf_error *error)
cnnf_status cnnf_load_options_drop_layer(cnnf_load_options *options, char *name, cnnf_error *error)
void cnnf_load_options_free(cnnf_load_options *options)
cnnf_status cnnf_load_options_map_layer(cnnf_load_options *options, char *from, char *to, cnnf_error *error)
cnnf_status cnnf_load_options_new(cnnf_load_options **out, cnnf_context *context, cnnf_error *error)
cnnf_status cnnf_load_options_set_architecture_file(cnnf_load_options *options, char *path, cnnf_error *error)
cnnf_status cnnf_load_options_set_ask_libhdf5(cnnf_load_options *options, int32_t ask, cnnf_error *error)
cnnf_status cnnf_load_options_set_format(cnnf_load_options *options, int32_t format, cnnf_error *error)
cnnf_status cnnf_load_options_set_input_shape(cnnf_load_options *options, int32_t rank, int64_t *dims, cnnf_error *error)
cnnf_status cnnf_load_options_set_name_suffix(cnnf_load_options *options, char *suffix, cnnf_error *error)
cnnf_status cnnf_load_options_set_progress(cnnf_load_options *options, cnnf_progress_fn progress, void *user, cnnf_error *error)
cnnf_status cnnf_load_options_set_rnn_steps(cnnf_load_options *options, int64_t steps, cnnf_error *error)
cnnf_status cnnf_load_options_set_saver_file(cnnf_load_options *options, char *path, cnnf_error *error)
cnnf_status cnnf_load_options_set_signature(cnnf_load_options *options, char *signature, cnnf_error *error)
cnnf_status cnnf_load_options_set_training_state(cnnf_load_options *options, int32_t keep, cnnf_error *error)
cnnf_status cnnf_load_options_set_variables(cnnf_load_options *options, int32_t variables, cnnf_error *error)
double cnnf_metrics_accuracy(cnnf_metrics *metrics)
cnnf_status cnnf_metrics_add(cnnf_metrics *metrics, cnnf_tensor *predictions, cnnf_tensor *labels, int64_t first_row, cnnf_error *error)
int64_t cnnf_metrics_classes(cnnf_metrics *metrics)
int64_t cnnf_metrics_confusion(cnnf_metrics *metrics, int64_t label, int64_t guess)
int64_t cnnf_metrics_correct(cnnf_metrics *metrics)
int64_t cnnf_metrics_count(cnnf_metrics *metrics)
double cnnf_metrics_f1(cnnf_metrics *metrics, int64_t label)
void cnnf_metrics_free(cnnf_metrics *metrics)
double cnnf_metrics_loss(cnnf_metrics *metrics)
cnnf_status cnnf_metrics_merge(cnnf_metrics *metrics, cnnf_metrics *other, cnnf_error *error)
cnnf_status cnnf_metrics_new(cnnf_metrics **out, cnnf_context *context, int64_t classes, int64_t worst, cnnf_error *error)
double cnnf_metrics_precision(cnnf_metrics *metrics, int64_t label)
double cnnf_metrics_recall(cnnf_metrics *metrics, int64_t label)
cnnf_status cnnf_metrics_restore(cnnf_metrics **out, cnnf_context *context, void *data, size_t size, cnnf_error *error)
cnnf_status cnnf_metrics_save(cnnf_buffer **out, cnnf_metrics *metrics, cnnf_error *error)
double cnnf_metrics_topk(cnnf_metrics *metrics, int64_t k)
cnnf_status cnnf_metrics_worst(int64_t *row, int64_t *label, int64_t *guess, double *confidence, cnnf_metrics *metrics, int64_t index, cnnf_error *error)
int64_t cnnf_metrics_worst_count(cnnf_metrics *metrics)
int32_t cnnf_node_attr_bool(cnnf_node *node, char *name, int32_t fallback)
int64_t cnnf_node_attr_count(cnnf_node *node)
double cnnf_node_attr_float(cnnf_node *node, char *name, double fallback)
char *cnnf_node_attr_func(cnnf_node *node, char *name)
int64_t cnnf_node_attr_int(cnnf_node *node, char *name, int64_t fallback)
int32_t cnnf_node_attr_kind(cnnf_node *node, char *name)
int32_t cnnf_node_attr_list_bool(cnnf_node *node, char *name, int64_t index, int32_t fallback)
int64_t cnnf_node_attr_list_count(cnnf_node *node, char *name)
double cnnf_node_attr_list_float(cnnf_node *node, char *name, int64_t index, double fallback)
char *cnnf_node_attr_list_func(cnnf_node *node, char *name, int64_t index)
int64_t cnnf_node_attr_list_int(cnnf_node *node, char *name, int64_t index, int64_t fallback)
int32_t cnnf_node_attr_list_kind(cnnf_node *node, char *name)
int64_t cnnf_node_attr_list_shape_dim(cnnf_node *node, char *name, int64_t index, int32_t axis)
int32_t cnnf_node_attr_list_shape_rank(cnnf_node *node, char *name, int64_t index)
char *cnnf_node_attr_list_string(size_t *size, cnnf_node *node, char *name, int64_t index)
cnnf_tensor *cnnf_node_attr_list_tensor(cnnf_node *node, char *name, int64_t index)
cnnf_dtype cnnf_node_attr_list_type(cnnf_node *node, char *name, int64_t index, cnnf_dtype fallback)
char *cnnf_node_attr_name(cnnf_node *node, int64_t index)
int64_t cnnf_node_attr_shape_dim(cnnf_node *node, char *name, int32_t axis)
int32_t cnnf_node_attr_shape_rank(cnnf_node *node, char *name)
char *cnnf_node_attr_string(size_t *size, cnnf_node *node, char *name)
cnnf_tensor *cnnf_node_attr_tensor(cnnf_node *node, char *name)
cnnf_dtype cnnf_node_attr_type(cnnf_node *node, char *name, cnnf_dtype fallback)
char *cnnf_node_device(cnnf_node *node)
char *cnnf_node_input(cnnf_node *node, int64_t index)
int64_t cnnf_node_input_count(cnnf_node *node)
int32_t cnnf_node_is_variable(cnnf_node *node)
char *cnnf_node_name(cnnf_node *node)
char *cnnf_node_op(cnnf_node *node)
cnnf_tensor *cnnf_node_value(cnnf_node *node)
cnnf_status cnnf_npy_load(cnnf_tensor **out, cnnf_context *context, char *path, cnnf_error *error)
cnnf_status cnnf_npy_save(cnnf_tensor *tensor, char *path, cnnf_error *error)
int32_t cnnf_onnx_opset_of(char *op)
cnnf_status cnnf_onnx_options_add_output(cnnf_onnx_options *options, char *name, cnnf_error *error)
void cnnf_onnx_options_free(cnnf_onnx_options *options)
cnnf_status cnnf_onnx_options_new(cnnf_onnx_options **out, cnnf_context *context, cnnf_error *error)
cnnf_status cnnf_onnx_options_set_external_data(cnnf_onnx_options *options, int32_t on, cnnf_error *error)
cnnf_status cnnf_onnx_options_set_inputs_as_nchw(cnnf_onnx_options *options, int32_t on, cnnf_error *error)
cnnf_status cnnf_onnx_options_set_opset(cnnf_onnx_options *options, int32_t opset, cnnf_error *error)
int32_t cnnf_op_count(void)
char *cnnf_op_name(int32_t index)
int32_t cnnf_pass_argument_count(int32_t pass)
char *cnnf_pass_argument_description(int32_t pass, int32_t index)
int32_t cnnf_pass_argument_is_repeatable(int32_t pass, int32_t index)
int32_t cnnf_pass_argument_is_required(int32_t pass, int32_t index)
int32_t cnnf_pass_argument_kind(int32_t pass, int32_t index)
char *cnnf_pass_argument_name(int32_t pass, int32_t index)
int32_t cnnf_pass_count(void)
char *cnnf_pass_description(int32_t index)
char *cnnf_pass_name(int32_t index)
cnnf_status cnnf_pipeline_add(cnnf_pipeline *pipeline, char *passes, cnnf_error *error)
cnnf_status cnnf_pipeline_add_input(cnnf_pipeline *pipeline, char *name, cnnf_error *error)
cnnf_status cnnf_pipeline_add_output(cnnf_pipeline *pipeline, char *name, cnnf_error *error)
void cnnf_pipeline_free(cnnf_pipeline *pipeline)
cnnf_status cnnf_pipeline_new(cnnf_pipeline **out, cnnf_context *context, cnnf_error *error)
cnnf_status cnnf_pipeline_run(cnnf_graph **out, cnnf_pipeline *pipeline, cnnf_graph *graph, cnnf_error *error)
cnnf_status cnnf_pipeline_run_report(cnnf_graph **out, cnnf_buffer **report, cnnf_pipeline *pipeline, cnnf_graph *graph, cnnf_error *error)
cnnf_status cnnf_pipeline_set_progress(cnnf_pipeline *pipeline, cnnf_progress_fn progress, void *user, cnnf_error *error)
cnnf_status cnnf_quantizer_deploy(cnnf_graph **out, cnnf_quantizer *quantizer, cnnf_error *error)
cnnf_status cnnf_quantizer_feed(cnnf_quantizer *quantizer, char **names, cnnf_tensor **tensors, size_t count, cnnf_error *error)
cnnf_status cnnf_quantizer_feed_dataset(cnnf_quantizer *quantizer, cnnf_dataset *dataset, int64_t batch, int64_t batches, cnnf_progress_fn progress, void *user, cnnf_error *error)
cnnf_status cnnf_quantizer_finish(cnnf_graph **out, cnnf_quantizer *quantizer, cnnf_error *error)
void cnnf_quantizer_free(cnnf_quantizer *quantizer)
int32_t cnnf_quantizer_input_count(cnnf_quantizer *quantizer)
char *cnnf_quantizer_input_name(cnnf_quantizer *quantizer, int32_t index)
cnnf_status cnnf_quantizer_new(cnnf_quantizer **out, cnnf_graph *graph, cnnf_quantizer_options *options, cnnf_error *error)
int32_t cnnf_quantizer_option_count(void)
int64_t cnnf_quantizer_option_default(int32_t index)
char *cnnf_quantizer_option_description(int32_t index)
char *cnnf_quantizer_option_name(int32_t index)
cnnf_status cnnf_quantizer_options_add_input(cnnf_quantizer_options *options, char *name, cnnf_error *error)
cnnf_status cnnf_quantizer_options_add_output(cnnf_quantizer_options *options, char *name, cnnf_error *error)
void cnnf_quantizer_options_free(cnnf_quantizer_options *options)
cnnf_status cnnf_quantizer_options_new(cnnf_quantizer_options **out, cnnf_context *context, cnnf_error *error)
cnnf_status cnnf_quantizer_options_set(cnnf_quantizer_options *options, char *name, int64_t value, cnnf_error *error)
int32_t cnnf_quantizer_output_count(cnnf_quantizer *quantizer)
char *cnnf_quantizer_output_name(cnnf_quantizer *quantizer, int32_t index)
cnnf_status cnnf_quantizer_report(cnnf_buffer **out, cnnf_quantizer *quantizer, int32_t json, cnnf_error *error)
cnnf_status cnnf_report_add(cnnf_report *report, cnnf_tensor *images, cnnf_tensor *predictions, cnnf_tensor *labels, int64_t first_row, cnnf_error *error)
cnnf_status cnnf_report_add_fact(cnnf_report *report, char *name, char *value, cnnf_error *error)
cnnf_status cnnf_report_begin(cnnf_report *report, char *name, cnnf_error *error)
int64_t cnnf_report_differing(cnnf_report *report)
cnnf_status cnnf_report_end(cnnf_report *report, double seconds, cnnf_error *error)
void cnnf_report_free(cnnf_report *report)
cnnf_status cnnf_report_new(cnnf_report **out, cnnf_context *context, int64_t classes, int64_t pictures, cnnf_error *error)
cnnf_status cnnf_report_set_class_name(cnnf_report *report, int64_t label, char *name, cnnf_error *error)
cnnf_status cnnf_report_set_title(cnnf_report *report, char *title, cnnf_error *error)
cnnf_status cnnf_report_write(cnnf_buffer **out, cnnf_report *report, int32_t format, cnnf_error *error)
char *cnnf_status_name(cnnf_status status)
size_t cnnf_tensor_byte_size(cnnf_tensor *tensor)
void *cnnf_tensor_data(cnnf_tensor *tensor)
void *cnnf_tensor_data_mut(cnnf_tensor *tensor)
int64_t cnnf_tensor_dim(cnnf_tensor *tensor, int32_t axis)
cnnf_dtype cnnf_tensor_dtype(cnnf_tensor *tensor)
int64_t cnnf_tensor_element_count(cnnf_tensor *tensor)
cnnf_status cnnf_tensor_load(cnnf_tensor **out, cnnf_tensor *tensor, cnnf_error *error)
cnnf_status cnnf_tensor_new(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank, int64_t *dims, cnnf_error *error)
int32_t cnnf_tensor_rank(cnnf_tensor *tensor)
cnnf_status cnnf_tensor_read(void *data, cnnf_tensor *tensor, size_t offset, size_t size, cnnf_error *error)
cnnf_tensor *cnnf_tensor_ref(cnnf_tensor *tensor)
cnnf_status cnnf_tensor_string(char **data, size_t *size, cnnf_tensor *tensor, int64_t index, cnnf_error *error)
void cnnf_tensor_unref(cnnf_tensor *tensor)
cnnf_status cnnf_tensor_wrap(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank, int64_t *dims, void *data, size_t size, cnnf_release_fn release, void *user, cnnf_error *error)
int32_t cnnf_tflite_has_op(char *op)
cnnf_status cnnf_tflite_options_add_output(cnnf_tflite_options *options, char *name, cnnf_error *error)
void cnnf_tflite_options_free(cnnf_tflite_options *options)
cnnf_status cnnf_tflite_options_new(cnnf_tflite_options **out, cnnf_context *context, cnnf_error *error)
uint32_t cnnf_version_number(void)
char *cnnf_version_string(void)
cnnf_status cnnf_write_checkpoint(cnnf_graph *graph, char *prefix, cnnf_write_options *options, cnnf_error *error)
cnnf_status cnnf_write_file(cnnf_context *context, char *path, void *data, size_t size, cnnf_write_options *options, cnnf_error *error)
cnnf_status cnnf_write_graphdef_buffer(cnnf_buffer **out, cnnf_graph *graph, cnnf_write_options *options, cnnf_error *error)
cnnf_status cnnf_write_graphdef_file(cnnf_graph *graph, char *path, cnnf_write_options *options, cnnf_error *error)
cnnf_status cnnf_write_graphdef_stream(cnnf_graph *graph, cnnf_write_fn write, void *user, cnnf_write_options *options, cnnf_error *error)
cnnf_status cnnf_write_onnx_buffer(cnnf_buffer **out, cnnf_graph *graph, cnnf_onnx_options *options, cnnf_error *error)
cnnf_status cnnf_write_onnx_file(cnnf_graph *graph, char *path, cnnf_onnx_options *options, cnnf_write_options *write_options, cnnf_error *error)
void cnnf_write_options_free(cnnf_write_options *options)
cnnf_status cnnf_write_options_new(cnnf_write_options **out, cnnf_context *context, cnnf_error *error)
cnnf_status cnnf_write_options_set_fsync(cnnf_write_options *options, int32_t fsync, cnnf_error *error)
cnnf_status cnnf_write_options_set_progress(cnnf_write_options *options, cnnf_progress_fn progress, void *user, cnnf_error *error)
cnnf_status cnnf_write_options_set_text(cnnf_write_options *options, int32_t text, cnnf_error *error)
cnnf_status cnnf_write_tflite_buffer(cnnf_buffer **out, cnnf_graph *graph, cnnf_tflite_options *options, cnnf_error *error)
cnnf_status cnnf_write_tflite_file(cnnf_graph *graph, char *path, cnnf_tflite_options *options, cnnf_write_options *write_options, cnnf_error *error)
"""

# Functions that nothing in the package calls, and why.
UNUSED = {
    "check_graph": "Graph.check() names the file",
    "dataset_options_set_normalization": "set_channel_normalization() takes one channel, too",
    "graph_input_dtype": "Graph.input_dtype() takes any placeholder by name",
    "graph_input_shape_dim": "Graph.input_shape() takes any placeholder by name",
    "graph_input_shape_rank": "Graph.input_shape() takes any placeholder by name",
    "context_options_set_temporary_files": "for programs that remove files in a signal handler; Python raises",
    "write_file": "Python writes files itself",
    "checkpoint_ref": "a Python object holds one reference",
    "context_ref": "a Python object holds one reference",
    "graph_ref": "a Python object holds one reference",
    "tensor_ref": "a Python object holds one reference",
    "context_options_set_allocator": "an allocator in Python would take its lock at every allocation",
    "dtype_size": "numpy knows it",
    "error_clear": "every call has an error of its own",
    "error_code": "the status says it",
    "tensor_byte_size": "numpy knows it",
    "tensor_new": "tensor_wrap copies once, tensor_new clears first",
    "tensor_data_mut": "tensor_wrap copies once, tensor_new clears first",
    "tensor_read": "tensor_load compares the checksum",
    "version_number": "version_string says it",
}

_PLAIN = {
    "void": None, "int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64, "size_t": ctypes.c_size_t, "double": ctypes.c_double, "cnnf_status": ctypes.c_int32,
    "cnnf_dtype": ctypes.c_int32,
}
_callbacks: dict = {}


def _pointer(name, stars):
    """char * is bytes that end at a zero; what a handle or a void points at is the library's own business."""
    if name == "char":
        return ctypes.c_char_p if stars == 1 else ctypes.POINTER(ctypes.c_char_p)
    if name in _PLAIN and name != "void":
        return ctypes.POINTER(_PLAIN[name])
    return ctypes.c_void_p if stars == 1 else ctypes.POINTER(ctypes.c_void_p)


def _type(text):
    name, stars = text.replace("*", " ").split()[0], text.count("*")
    if name.endswith("_fn"):
        return callback(name)
    return _pointer(name, stars) if stars else _PLAIN[name]


def _read(table):
    """name: (result, [argument]) as C words, of each line."""
    found = {}
    for line in filter(None, table.splitlines()):
        result, name, arguments = re.fullmatch(r"(.*?)\b(\w+)\((.*)\)", line).groups()
        found[name] = (result, [] if arguments == "void" else arguments.split(", "))
    return found


_functions = {name[len("cnnf_"):]: words for name, words in _read(FUNCTIONS).items()}
_callback_words = _read(CALLBACKS)


def callback(name):
    """The ctypes class of a callback: "cnnf_progress_fn"."""
    if name not in _callbacks:
        result, arguments = _callback_words[name]
        _callbacks[name] = ctypes.CFUNCTYPE(_type(result), *map(_type, arguments))
    return _callbacks[name]


def signature(name):
    """(result, [argument type], [argument name]) of a function, its name without cnnf_; KeyError when there is none."""
    result, arguments = _functions[name]
    return _type(result), [_type(a) for a in arguments], [re.search(r"\w+$", a).group() for a in arguments]
