/* SPDX-License-Identifier: Apache-2.0 */
/* quantize: a frozen graph to numbers on the DPU's grid, or to int8 for everybody, calibrated on examples. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "dataset_flags.h"
#include "host.h"
#include "inference.h"
#include "load.h"
#include "output.h"
#include "rows.h"

#define MAX_INPUTS 16
#define NAME_ROOM  512

enum { N_OPTIONS = 16 };

typedef struct arguments {
    const char *model, *target, *folder, *checkpoint, *inputs, *outputs, *shapes, *ranges;
    double percentile;
    flag_list calibration;
    int64_t iterations, batch;
    dataset_flags examples;
    output_flags out;
    keras_flags keras;
    int64_t options[N_OPTIONS]; /* by cnnf_quantizer_option_name() */
    bool as_vai_q;
    const struct destination *to; /* --for */
} arguments;

/* ---- the graph ---- */

static bool has_variables(const cnnf_graph *graph)
{
    for (int64_t i = 0; i < cnnf_graph_node_count(graph); i++) {
        const char *op = cnnf_node_op(cnnf_graph_node(graph, i));
        if (strcmp(op, "VariableV2") == 0 || strcmp(op, "VarHandleOp") == 0 || strcmp(op, "Variable") == 0) return true;
    }
    return false;
}

/* A model that is not frozen becomes what `freeze --for=vitis-ai` makes of it; a frozen graph is taken as it is. */
static cnnf_status frozen_graph(cnnf_graph **out, const session *s, const cnnf_graph *model,
                                const output_names *outputs)
{
    cnnf_graph *inference = NULL, *frozen = NULL;
    if (!has_variables(model)) {
        *out = cnnf_graph_ref(model);
        return CNNF_OK;
    }
    const inference_flags as_it_is = {.batch = 0};
    cnnf_status status = infer_only(&inference, s, model, &as_it_is, true, &outputs->list);
    if (!status) status = freeze_variables(&frozen, s, inference, &outputs->list);
    if (!status) status = run_passes(out, s, frozen, cnnf_check_target_passes("vitis-ai"), &outputs->list);
    cnnf_graph_unref(inference);
    cnnf_graph_unref(frozen);
    return status;
}

static cnnf_status set_shapes(cnnf_graph **out, const session *s, const arguments *a, const cnnf_graph *graph,
                              const output_names *outputs)
{
    char passes[1024];
    const char *first = a->inputs ? a->inputs : default_input(graph);
    if (!a->shapes || !first || strchr(first, ',')) {
        *out = cnnf_graph_ref(graph);
        return CNNF_OK;
    }
    snprintf(passes, sizeof passes, "set_input_shape(name=\"%s\", shape=\"%s\")", first, a->shapes);
    return run_passes(out, s, graph, passes, &outputs->list);
}

static cnnf_status load_graph(cnnf_graph **out, output_names *outputs, const session *s, const arguments *a)
{
    cnnf_graph *model = NULL, *frozen = NULL;
    cnnf_status status = load_model(&model, s, a->model, a->checkpoint, &a->keras);
    if (!status) status = want_output_names(outputs, s, model, a->outputs, a->model, "output_nodes");
    if (!status) status = frozen_graph(&frozen, s, model, outputs);
    if (!status) status = set_shapes(out, s, a, frozen, outputs);
    cnnf_graph_unref(model);
    cnnf_graph_unref(frozen);
    return status;
}

/* ---- the quantizer ---- */

static cnnf_status add_input(void *user, const char *name, cnnf_error *error)
{
    return cnnf_quantizer_options_add_input(user, name, error);
}

static cnnf_status make_quantizer(cnnf_quantizer **out, const session *s, const arguments *a, const cnnf_graph *graph,
                                  const output_names *outputs)
{
    cnnf_quantizer_options *options = NULL;
    cnnf_status status = cnnf_quantizer_options_new(&options, s->context, s->error);
    for (int32_t i = 0; !status && i < cnnf_quantizer_option_count(); i++)
        status = cnnf_quantizer_options_set(options, cnnf_quantizer_option_name(i), a->options[i], s->error);
    if (!status) status = cli_each(a->inputs, add_input, options, s->error);
    for (size_t i = 0; !status && i < outputs->list.count; i++)
        status = cnnf_quantizer_options_add_output(options, outputs->list.values[i], s->error);
    if (!status) status = cnnf_quantizer_new(out, graph, options, s->error);
    cnnf_quantizer_options_free(options);
    return status;
}

/* ---- calibration: NAME=x.npy for each input, or one data set ---- */

typedef struct arrays {
    char names[MAX_INPUTS][NAME_ROOM];
    const char *name_list[MAX_INPUTS];
    cnnf_tensor *tensors[MAX_INPUTS];
    size_t count;
} arrays;

static bool is_npy(const char *path)
{
    const size_t length = strlen(path);
    return length > 4 && strcmp(path + length - 4, ".npy") == 0;
}

static bool are_arrays(const arguments *a)
{
    for (size_t i = 0; i < a->calibration.count; i++) {
        if (!is_npy(a->calibration.values[i])) return false;
    }
    return true;
}

static cnnf_status load_arrays(arrays *in, const session *s, const arguments *a, const cnnf_quantizer *q)
{
    cnnf_status status = CNNF_OK;
    if (a->calibration.count > MAX_INPUTS) return CNNF_E_LIMIT;
    for (size_t i = 0; !status && i < a->calibration.count; i++) {
        const char *path = cli_split_pair(a->calibration.values[i], in->names[i], NAME_ROOM);
        in->name_list[i] = path ? in->names[i] : cnnf_quantizer_input_name(q, (int32_t)i);
        if (!path) path = a->calibration.values[i];
        if (!in->name_list[i]) {
            cli_say(0, "%s: the graph has no input number %zu", path, i + 1);
            return CNNF_E_INVALID;
        }
        status = cnnf_npy_load(&in->tensors[i], s->context, path, s->error);
        in->count++;
    }
    return status;
}

static cnnf_status feed_rows(cnnf_quantizer *q, const session *s, const arrays *in, int64_t first, int64_t rows)
{
    cnnf_tensor *parts[MAX_INPUTS] = {NULL};
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; !status && i < in->count; i++)
        status = take_rows(&parts[i], s, in->tensors[i], first, rows, rows);
    if (!status) status = cnnf_quantizer_feed(q, in->name_list, (const cnnf_tensor *const *)parts, in->count, s->error);
    for (size_t i = 0; i < in->count; i++)
        cnnf_tensor_unref(parts[i]);
    return status;
}

static cnnf_status feed_arrays(cnnf_quantizer *q, const session *s, const arguments *a)
{
    static arrays in;
    progress bar;
    cnnf_status status = load_arrays(&in, s, a, q);
    const int64_t total = !status ? cnnf_tensor_dim(in.tensors[0], 0) : 0;
    for (size_t i = 0; !status && i < in.count; i++) {
        if (total > 0 && cnnf_tensor_dim(in.tensors[i], 0) == total) continue;
        cli_say(0, "%s: arrays of no rows, or of different numbers of rows", a->calibration.values[i]);
        status = CNNF_E_INVALID;
    }
    cli_progress_start(&bar, "examples");
    for (int64_t first = 0, n = 0; !status && first < total && (!a->iterations || n < a->iterations); n++) {
        const int64_t rows = total - first < a->batch ? total - first : a->batch;
        status = feed_rows(q, s, &in, first, rows);
        first += rows;
        if (!status && cli_progress((uint64_t)first, (uint64_t)total, &bar)) status = CNNF_E_CANCELLED;
    }
    cli_progress_end(&bar);
    for (size_t i = 0; i < in.count; i++)
        cnnf_tensor_unref(in.tensors[i]);
    return status;
}

static cnnf_status feed_dataset(cnnf_quantizer *q, const session *s, const arguments *a, const cnnf_graph *graph)
{
    cnnf_dataset *dataset = NULL;
    progress bar;
    int64_t shape[8];
    const size_t rank = declared_example_shape(graph, cnnf_quantizer_input_name(q, 0), shape);
    cnnf_status status = open_dataset(&dataset, s, a->calibration.values[0], &a->examples, rank, shape);
    cli_progress_start(&bar, "examples");
    if (!status)
        status = cnnf_quantizer_feed_dataset(q, dataset, a->batch, a->iterations, cli_progress, &bar, s->error);
    cli_progress_end(&bar);
    cnnf_dataset_free(dataset);
    return status;
}

/* ---- results ---- */

enum { EVAL_MODEL, DEPLOY_MODEL, INFO_TEXT, INFO_JSON, N_FILES };

typedef struct destination {
    const char *target;
    int64_t scheme; /* of the quantizer */
    const char *deployed;
    cnnf_status (*deploy)(const session *s, const arguments *a, cnnf_quantizer *q); /* writes paths[DEPLOY_MODEL] */
} destination;

static char file_room[N_FILES][4096];
static const char *paths[N_FILES];

static bool make_paths(const arguments *a)
{
    const char *const names[N_FILES] = {"quantize_eval_model.pb", a->to->deployed, "quantize_info.txt",
                                        "quantize_info.json"};
    for (int i = 0; i < N_FILES; i++) {
        const int length = snprintf(file_room[i], sizeof file_room[i], "%s/%s", a->folder, names[i]);
        if (length < 0 || (size_t)length >= sizeof file_room[i]) return false;
        paths[i] = file_room[i];
    }
    return true;
}

static cnnf_status make_folder(const arguments *a)
{
    if (host_make_folder(a->folder)) return CNNF_OK;
    cli_say(0, "%s: cannot make the folder: %s", a->folder, strerror(errno));
    return CNNF_E_IO;
}

static cnnf_status write_graph(const session *s, const arguments *a, const cnnf_graph *graph, int file)
{
    const cnnf_status status = output_graph(s, graph, paths[file], &a->out);
    if (!status) printf("Wrote %s\n", paths[file]);
    return status;
}

static cnnf_status write_report(const session *s, cnnf_quantizer *q, int32_t json)
{
    cnnf_buffer *buffer = NULL;
    const char *path = paths[json ? INFO_JSON : INFO_TEXT];
    cnnf_status status = cnnf_quantizer_report(&buffer, q, json, s->error);
    if (!status) status = output_buffer(s, buffer, path);
    if (!status) printf("Wrote %s\n", path);
    cnnf_buffer_free(buffer);
    return status;
}

/* A graph that the older step does not take has none: the other files are there. */
static cnnf_status write_deployed(const session *s, const arguments *a, cnnf_quantizer *q)
{
    cnnf_graph *graph = NULL;
    cnnf_status status = cnnf_quantizer_deploy(&graph, q, s->error);
    if (status == CNNF_E_UNSUPPORTED) {
        printf("No deploy_model.pb: %s\n", cnnf_error_message(s->error));
        cnnf_error_clear(s->error);
        return CNNF_OK;
    }
    if (!status) status = write_graph(s, a, graph, DEPLOY_MODEL);
    cnnf_graph_unref(graph);
    return status;
}

/* The graph with FakeQuant nodes as an ONNX model of integers. */
static cnnf_status write_onnx(const session *s, const arguments *a, cnnf_quantizer *q)
{
    cnnf_graph *graph = NULL;
    cnnf_onnx_options *options = NULL;
    cnnf_write_options *write = NULL;
    cnnf_status status = cnnf_quantizer_finish(&graph, q, s->error);
    if (!status) status = cnnf_onnx_options_new(&options, s->context, s->error);
    for (int32_t i = 0; !status && i < cnnf_quantizer_output_count(q); i++)
        status = cnnf_onnx_options_add_output(options, cnnf_quantizer_output_name(q, i), s->error);
    if (!status) status = cnnf_write_options_new(&write, s->context, s->error);
    if (!status) status = cnnf_write_options_set_fsync(write, a->out.fsync, s->error);
    if (!status) status = cnnf_write_onnx_file(graph, paths[DEPLOY_MODEL], options, write, s->error);
    if (!status) printf("Wrote %s\n", paths[DEPLOY_MODEL]);
    cnnf_write_options_free(write);
    cnnf_onnx_options_free(options);
    cnnf_graph_unref(graph);
    return status;
}

static const destination destinations[] = {
    {"vitis-ai", 0, "deploy_model.pb", write_deployed},
    {"onnx", 1, "model.onnx", write_onnx},
};

static const destination *find_destination(const char *target)
{
    for (size_t i = 0; i < sizeof destinations / sizeof *destinations; i++) {
        if (!target || strcmp(destinations[i].target, target) == 0) return &destinations[i];
    }
    return NULL;
}

static cnnf_status write_results(const session *s, const arguments *a, cnnf_quantizer *q)
{
    cnnf_graph *graph = NULL;
    cnnf_status status = cnnf_quantizer_finish(&graph, q, s->error);
    if (!status) status = make_folder(a);
    if (!status) status = write_graph(s, a, graph, EVAL_MODEL);
    if (!status) status = a->to->deploy(s, a, q);
    if (!status) status = write_report(s, q, 0);
    if (!status) status = write_report(s, q, 1);
    for (int32_t i = 0; !status && i < cnnf_quantizer_output_count(q); i++)
        printf("%s%s", i ? ", " : " Quantized output names: ", cnnf_quantizer_output_name(q, i));
    if (!status) printf("\n");
    cnnf_graph_unref(graph);
    return status;
}

/* What fits into half a GiB with room for a large network: 32 examples, 8 images of 224 x 224 in colour. */
static int64_t default_batch(const cnnf_graph *graph, const cnnf_quantizer *q)
{
    enum { MOST = 32, ELEMENTS = 8 * 224 * 224 * 3 };
    const cnnf_node *node = cnnf_graph_find(graph, cnnf_quantizer_input_name(q, 0));
    int64_t elements = 1;
    for (int32_t i = 1; i < cnnf_node_attr_shape_rank(node, "shape") && elements < ELEMENTS; i++) {
        const int64_t dim = cnnf_node_attr_shape_dim(node, "shape", i);
        if (dim > ELEMENTS) return 1;
        if (dim > 0) elements *= dim;
    }
    return elements > ELEMENTS ? 1 : ELEMENTS / elements < MOST ? ELEMENTS / elements : MOST;
}

static cnnf_status run(const session *s, arguments *a)
{
    static output_names outputs;
    cnnf_graph *graph = NULL;
    cnnf_quantizer *q = NULL;
    cnnf_status status = load_graph(&graph, &outputs, s, a);
    if (!status) status = make_quantizer(&q, s, a, graph, &outputs);
    if (!status && !a->batch) a->batch = default_batch(graph, q);
    if (!status) status = are_arrays(a) ? feed_arrays(q, s, a) : feed_dataset(q, s, a, graph);
    if (!status) status = write_results(s, a, q);
    cnnf_quantizer_free(q);
    cnnf_graph_unref(graph);
    return status;
}

/* ---- flags ---- */

static int64_t *option(arguments *a, const char *name)
{
    for (int32_t i = 0; i < cnnf_quantizer_option_count(); i++) {
        if (strcmp(cnnf_quantizer_option_name(i), name) == 0) return &a->options[i];
    }
    return NULL;
}

static void claim_calibration(output_claim *claim, const arguments *a)
{
    static char given[MAX_INPUTS][NAME_ROOM];
    for (size_t i = 0; i < a->calibration.count && i < MAX_INPUTS; i++) {
        const char *path = cli_split_pair(a->calibration.values[i], given[i], NAME_ROOM);
        claim_input(claim, path ? path : a->calibration.values[i]);
    }
}

/* The words of --ranges, in the order of the option's numbers. */
static bool take_ranges(arguments *a)
{
    static const char *const words[] = {"minmax", "percentile", "mse", "entropy"};
    *option(a, "kept") = (int64_t)(a->percentile * 1e4 + 0.5);
    for (size_t i = 0; a->ranges && i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], a->ranges)) continue;
        *option(a, "ranges") = (int64_t)i;
        return true;
    }
    return !a->ranges;
}

/* The exit code of a usage error that was said; 0. */
static int check_arguments(arguments *a)
{
    a->to = find_destination(a->target);
    if (!a->calibration.count || !a->folder) return cli_say(EXIT_USAGE, "quantize: --calibration and -o are needed");
    if (!a->to) return cli_say(EXIT_USAGE, "quantize: --for=%s is not known; vitis-ai and onnx are", a->target);
    if (!take_ranges(a)) return cli_say(EXIT_USAGE, "quantize: --ranges is minmax, percentile, mse or entropy");
    *option(a, "scheme") = a->to->scheme;
    if (a->batch < 0 || a->iterations < 0 || a->examples.one_hot < 0)
        return cli_say(EXIT_USAGE, "quantize: a number is out of range");
    return 0;
}

/* What is read and written, as claim_check() wants it. */
static int claim_files(arguments *a)
{
    output_claim claim = {.n_outputs = 0};
    claim_input(&claim, a->model);
    claim_input(&claim, a->checkpoint);
    claim_input(&claim, a->examples.labels);
    claim_input(&claim, a->examples.label_map);
    claim_calibration(&claim, a);
    if (!make_paths(a)) return cli_say(EXIT_LIMIT, "%s: the path is too long", a->folder);
    for (int i = 0; i < N_FILES; i++)
        claim_output(&claim, &paths[i]);
    return claim_check(&claim, a->out.in_place);
}

int cmd_quantize(int argc, char **argv)
{
    static arguments a = {.percentile = 99.99, .out = OUTPUT_DEFAULTS};
    for (int32_t i = 0; i < cnnf_quantizer_option_count() && i < N_OPTIONS; i++)
        a.options[i] = cnnf_quantizer_option_default(i);
    const flag flags[] = {
        {"for", FLAG_STRING, &a.target, "vitis-ai|onnx", "the next tool (vitis-ai); onnx: int8"},
        {"o", FLAG_STRING, &a.folder, "DIR", "folder of the results, made where it is not there"},
        {"output_dir", FLAG_STRING, &a.folder, "DIR", "the same"},
        {"calibration", FLAG_LIST, &a.calibration, "DATA", "a data set, or NAME=x.npy for each input; repeatable"},
        {"calib_iter", FLAG_INT, &a.iterations, "N", "batches (all that there are)"},
        {"batchsize", FLAG_INT, &a.batch, "N", "examples per batch (32, fewer of large images)"},
        {"input_nodes", FLAG_STRING, &a.inputs, "A,B", "nodes to feed (the declared ones)"},
        {"output_nodes", FLAG_STRING, &a.outputs, "A,B", "nodes to fetch (the declared ones)"},
        {"input_shapes", FLAG_STRING, &a.shapes, "?,28,28,1", "shape of the input, where the graph does not say"},
        {"method", FLAG_INT, option(&a, "method"), "0|1|2", "0 no overflow, 1 least squared error, 2 relative (1)"},
        {"weight_bit", FLAG_INT, option(&a, "weight_bit"), "N", "bits of weights and biases (8)"},
        {"activation_bit", FLAG_INT, option(&a, "activation_bit"), "N", "bits of activations (8)"},
        {"align_concat", FLAG_INT, option(&a, "align_concat"), "0|1|2", "0 all, 1 outputs, 2 none (0)"},
        {"align_pool", FLAG_INT, option(&a, "align_pool"), "0|1|2", "0 all, 1 outputs, 2 none (0)"},
        {"simulate_dpu", FLAG_INT, option(&a, "simulate_dpu"), "0|1", "pools with the DPU's constants (1)"},
        {"adjust_shift_bias", FLAG_INT, option(&a, "adjust_shift_bias"), "0|1", "bias shifts in the DPU's range (1)"},
        {"adjust_shift_cut", FLAG_INT, option(&a, "adjust_shift_cut"), "0|1", "sum shifts in the DPU's range (1)"},
        {"do_cle", FLAG_INT, option(&a, "do_cle"), "0|1", "equalize weights across layers (0)"},
        {"replace_softmax", FLAG_INT, option(&a, "replace_softmax"), "0|1",
         "Softmax as the DPU's hard softmax (0; 1 is refused)"},
        {"ranges", FLAG_STRING, &a.ranges, "minmax|percentile|mse|entropy", "int8: how a range is chosen (mse)"},
        {"percentile", FLAG_DOUBLE, &a.percentile, "P",
         "int8: share of numbers within, of --ranges=percentile (99.99)"},
        {"per_channel", FLAG_INT, option(&a, "per_channel"), "0|1", "int8: a scale for each channel of weights (1)"},
        {"as_vai_q", FLAG_BOOL, &a.as_vai_q, NULL, "the tool's own result, where it is wrong too"},
        {"threads", FLAG_INT, option(&a, "threads"), "N", "threads (all processors)"},
        {"input_checkpoint", FLAG_STRING, &a.checkpoint, "PREFIX", "values of a graph that is not frozen"},
        DATASET_FLAGS(a.examples),
        OUTPUT_FLAGS(a.out),
        KERAS_FLAGS(a.keras),
    };
    const command self = {"quantize", "MODEL --for=TOOL --calibration=DATA -o DIR [flags]",
                          "integers: for the DPU, or int8 for ONNX Runtime", NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, &a.model, 1, 1, &code)) return code;
    if ((code = check_arguments(&a)) || (code = check_dataset_flags(&a.examples)) || (code = claim_files(&a)))
        return code;
    if (a.as_vai_q) *option(&a, "as_vai_q") = 1;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, run(&s, &a));
    cli_session_end(&s);
    return code;
}
