/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a graph against a target's demands and says how to go on. */
#include "inspect/check.h"

#include <inttypes.h>
#include <string.h>

#include "base/context.h"

/* ---- ready command lines ---- */

/* "a,b" of the declared inputs or outputs, without ports. */
static void put_names(cnnfi_strbuf *out, const cnnf_graph *graph, int64_t count,
                      const char *(*name)(const cnnf_graph *, int64_t))
{
    char node[4096];
    for (int64_t i = 0; i < count; i++) {
        cnnfi_strbuf_printf(out, "%s%s", i ? "," : "", cnnfi_input_node(name(graph, i), node, sizeof node));
    }
}

static void put_inputs(cnnfi_strbuf *out, const cnnf_graph *graph)
{
    put_names(out, graph, cnnf_graph_input_count(graph), cnnf_graph_input_name);
}

static void put_outputs(cnnfi_strbuf *out, const cnnf_graph *graph)
{
    put_names(out, graph, cnnf_graph_output_count(graph), cnnf_graph_output_name);
}

/* "?,28,28,1:?,10", the unknown written as the tool wants it. */
static void put_shapes(cnnfi_strbuf *out, const cnnf_graph *graph, const char *unknown, const char *separator)
{
    for (int64_t i = 0; i < cnnf_graph_input_count(graph); i++) {
        const cnnf_node *node = cnnf_graph_find(graph, cnnf_graph_input_name(graph, i));
        const int32_t rank = node ? cnnf_node_attr_shape_rank(node, "shape") : -1;
        if (i) cnnfi_strbuf_puts(out, separator);
        for (int32_t d = 0; d < rank; d++) {
            const int64_t dim = cnnf_node_attr_shape_dim(node, "shape", d);
            if (d) cnnfi_strbuf_putc(out, ',');
            if (dim < 0)
                cnnfi_strbuf_puts(out, unknown);
            else
                cnnfi_strbuf_printf(out, "%" PRId64, dim);
        }
    }
}

static void vitis_command(cnnfi_strbuf *out, const cnnf_graph *graph)
{
    cnnfi_strbuf_puts(out, "vai_q_tensorflow quantize --input_frozen_graph frozen_graph.pb --input_nodes ");
    put_inputs(out, graph);
    cnnfi_strbuf_puts(out, " --input_shapes ");
    put_shapes(out, graph, "?", ":");
    cnnfi_strbuf_puts(out, " --output_nodes ");
    put_outputs(out, graph);
    cnnfi_strbuf_puts(out, " --input_fn input_fn.calib_input --calib_iter 100");
}

static void opencv_command(cnnfi_strbuf *out, const cnnf_graph *graph)
{
    cnnfi_strbuf_puts(out, "cv::dnn::readNetFromTensorflow(\"frozen_graph.pb\")");
}

static void tflite_command(cnnfi_strbuf *out, const cnnf_graph *graph)
{
    cnnfi_strbuf_puts(out,
                      "tflite_convert --graph_def_file=frozen_graph.pb --output_file=model.tflite --input_arrays=");
    put_inputs(out, graph);
    cnnfi_strbuf_puts(out, " --input_shapes=");
    put_shapes(out, graph, "1", ":");
    cnnfi_strbuf_puts(out, " --output_arrays=");
    put_outputs(out, graph);
}

static void openvino_command(cnnfi_strbuf *out, const cnnf_graph *graph)
{
    cnnfi_strbuf_puts(out, "mo --input_model frozen_graph.pb --input ");
    put_inputs(out, graph);
    cnnfi_strbuf_puts(out, " --input_shape [");
    put_shapes(out, graph, "1", "],[");
    cnnfi_strbuf_puts(out, "] --output ");
    put_outputs(out, graph);
}

/* ---- targets ---- */

#define INFERENCE "inline_functions set_learning_phase remove_dropout "

static const cnnfi_target targets[] = {
    /* Built on TensorFlow 1.15; it knows Relu, not a Maximum per channel. */
    {"vitis-ai", CNNFI_FOR_VITIS, 115,
     INFERENCE "fold_constants remove_identity static_shapes fold_constants fold_batch_norms(plain_relu=true) "
               "fold_constants remove_control_dependencies "
               "prune target_tf(version=1.15, clear_internal=true) sort_by_execution_order",
     vitis_command},
    {"opencv", CNNFI_FOR_OPENCV, 115,
     INFERENCE "fold_constants remove_identity static_shapes fold_constants fold_batch_norms(plain_relu=true) "
               "fold_constants remove_control_dependencies "
               "prune target_tf(version=1.15, clear_internal=true) sort_by_execution_order",
     opencv_command},
    {"tflite", CNNFI_FOR_TFLITE, 215,
     INFERENCE "fold_constants static_shapes fold_constants fold_batch_norms fold_constants remove_identity prune "
               "sort_by_execution_order",
     tflite_command},
    {"openvino", CNNFI_FOR_OPENVINO, 215,
     INFERENCE "fold_constants static_shapes fold_constants fold_batch_norms fold_constants remove_identity prune "
               "sort_by_execution_order",
     openvino_command},
};

#define N_TARGETS (sizeof targets / sizeof *targets)

static const cnnfi_target *find_target(const char *name)
{
    for (size_t i = 0; name && i < N_TARGETS; i++) {
        if (strcmp(targets[i].name, name) == 0) return &targets[i];
    }
    return NULL;
}

int32_t cnnf_check_target_count(void)
{
    return (int32_t)N_TARGETS;
}

const char *cnnf_check_target_name(int32_t index)
{
    return index >= 0 && (size_t)index < N_TARGETS ? targets[index].name : NULL;
}

const char *cnnf_check_target_passes(const char *target)
{
    const cnnfi_target *found = find_target(target);
    return found ? found->passes : NULL;
}

/* ---- reports ---- */

static void put_finding_text(cnnfi_strbuf *out, const cnnfi_demand *demand, const cnnfi_finding *finding)
{
    const char *verdict = !finding->count ? "ok  " : demand->must ? "FAIL" : "note";
    cnnfi_strbuf_printf(out, "%s  %s: %s\n", verdict, demand->name, demand->text);
    if (!finding->count) return;
    cnnfi_strbuf_printf(out, "      %s", finding->text.data ? finding->text.data : "");
    if (finding->count > CNNFI_SHOWN) cnnfi_strbuf_printf(out, "; and %" PRId64 " more", finding->count - CNNFI_SHOWN);
    cnnfi_strbuf_putc(out, '\n');
}

static void put_finding_json(cnnfi_strbuf *out, const cnnfi_demand *demand, const cnnfi_finding *finding, bool first)
{
    cnnfi_strbuf_puts(out, first ? "    {\"demand\": " : ",\n    {\"demand\": ");
    cnnfi_strbuf_json_string(out, demand->name);
    cnnfi_strbuf_puts(out, ", \"text\": ");
    cnnfi_strbuf_json_string(out, demand->text);
    cnnfi_strbuf_printf(out, ", \"required\": %s, \"met\": %s, \"count\": %" PRId64 ", \"found\": ",
                        demand->must ? "true" : "false", finding->count ? "false" : "true", finding->count);
    cnnfi_strbuf_json_string(out, finding->text.data ? finding->text.data : "");
    cnnfi_strbuf_putc(out, '}');
}

static int64_t put_findings(cnnfi_strbuf *out, const cnnf_graph *graph, const cnnfi_target *target, bool json)
{
    int64_t unmet = 0;
    bool first = true;
    for (size_t i = 0; i < cnnfi_n_demands; i++) {
        const cnnfi_demand *demand = &cnnfi_demands[i];
        if (!(demand->targets & target->bit)) continue;
        cnnfi_finding finding = {.target = target, .graph = graph};
        cnnfi_strbuf_init(&finding.text, graph->context);
        demand->check(&finding);
        unmet += demand->must && finding.count;
        if (json)
            put_finding_json(out, demand, &finding, first);
        else
            put_finding_text(out, demand, &finding);
        first = false;
        out->failed |= finding.text.failed;
        cnnfi_strbuf_free(&finding.text);
    }
    return unmet;
}

static void put_next_step(cnnfi_strbuf *out, const cnnf_graph *graph, const cnnfi_target *target, int64_t unmet)
{
    if (unmet) {
        cnnfi_strbuf_printf(out, "\n%" PRId64 " demands are not met; these passes may help:\n  %s\n", unmet,
                            target->passes);
        return;
    }
    cnnfi_strbuf_puts(out, "\nReady:\n  ");
    target->command(out, graph);
    cnnfi_strbuf_putc(out, '\n');
}

static int64_t write_json(cnnfi_strbuf *out, const cnnf_graph *graph, const cnnfi_target *target)
{
    cnnfi_strbuf command;
    cnnfi_strbuf_init(&command, graph->context);
    cnnfi_strbuf_printf(out, "{\n  \"target\": \"%s\",\n  \"demands\": [\n", target->name);
    const int64_t unmet = put_findings(out, graph, target, true);
    target->command(&command, graph);
    cnnfi_strbuf_printf(out, "\n  ],\n  \"unmet\": %" PRId64 ",\n  \"passes\": \"", unmet);
    cnnfi_strbuf_printf(out, "%s\",\n  \"command\": ", target->passes);
    cnnfi_strbuf_json_string(out, command.data ? command.data : "");
    cnnfi_strbuf_puts(out, "\n}\n");
    out->failed |= command.failed;
    cnnfi_strbuf_free(&command);
    return unmet;
}

static cnnf_status check_arguments(cnnf_buffer **out, const cnnf_graph *graph, const char *target, int32_t format,
                                   cnnf_error *error)
{
    if (!out || !graph || !target) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_check_graph: an argument is NULL");
    CNNFI_TRY(cnnfi_check_report_format(format, CNNF_REPORT_JSON, error));
    if (find_target(target)) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_NOT_FOUND, "target '%s': vitis-ai, opencv, tflite and openvino are known", target);
}

cnnf_status cnnf_check_graph(cnnf_buffer **out, int64_t *unmet, const cnnf_graph *graph, const char *target,
                             int32_t format, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out) *out = NULL;
    if (unmet) *unmet = 0;
    CNNFI_TRY(check_arguments(out, graph, target, format, error));
    const cnnfi_target *row = find_target(target);
    cnnfi_strbuf text;
    cnnfi_strbuf_init(&text, graph->context);
    const bool json = format == CNNF_REPORT_JSON;
    const int64_t count = json ? write_json(&text, graph, row) : put_findings(&text, graph, row, false);
    if (!json) put_next_step(&text, graph, row, count);
    const cnnf_status status = cnnfi_strbuf_finish(&text, out, error);
    if (!status && unmet) *unmet = count;
    cnnfi_strbuf_free(&text);
    return status;
}
