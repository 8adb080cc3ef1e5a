/* SPDX-License-Identifier: Apache-2.0 */
/* summarize_graph: what is in a graph or model. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "load.h"

typedef struct arguments {
    const char *graph, *in_graph, *format;
    int32_t report; /* CNNF_REPORT_* */
    bool structure;
    keras_flags keras;
} arguments;

/* ---- --print_structure: node by node in the order of execution ---- */

static void print_number(cnnf_dtype dtype, const char *at)
{
    float f;
    double d;
    int32_t i;
    int64_t l;
    switch (dtype) {
    case CNNF_FLOAT:
        memcpy(&f, at, sizeof f);
        printf("%g", (double)f);
        break;
    case CNNF_DOUBLE:
        memcpy(&d, at, sizeof d);
        printf("%g", d);
        break;
    case CNNF_INT32:
        memcpy(&i, at, sizeof i);
        printf("%" PRId32, i);
        break;
    case CNNF_INT64:
        memcpy(&l, at, sizeof l);
        printf("%" PRId64, l);
        break;
    default:
        printf("%d", (int)*at);
    }
}

static bool is_printed(cnnf_dtype dtype)
{
    static const cnnf_dtype dtypes[] = {CNNF_FLOAT, CNNF_DOUBLE, CNNF_INT32, CNNF_INT64,
                                        CNNF_INT8,  CNNF_UINT8,  CNNF_BOOL};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (dtypes[i] == dtype) return true;
    }
    return false;
}

/* dtype, shape, the first three elements. */
static void print_value(const cnnf_tensor *value)
{
    char bytes[3 * sizeof(double)];
    const cnnf_dtype dtype = cnnf_tensor_dtype(value);
    const int64_t count = cnnf_tensor_element_count(value), shown = count < 3 ? count : 3;
    const size_t size = cnnf_dtype_size(dtype);
    printf(", value=Tensor<type: %s shape: [", cnnf_dtype_name(dtype));
    for (int32_t i = 0; i < cnnf_tensor_rank(value); i++)
        printf("%s%" PRId64, i ? "," : "", cnnf_tensor_dim(value, i));
    printf("]");
    if (is_printed(dtype) && cnnf_tensor_read(bytes, value, 0, (size_t)shown * size, NULL) == CNNF_OK) {
        printf(" values: ");
        for (int64_t i = 0; i < shown; i++) {
            if (i) putchar(' ');
            print_number(dtype, bytes + (size_t)i * size);
        }
        if (shown < count) printf("...");
    }
    printf(">");
}

static cnnf_status print_structure(const session *s, const cnnf_graph *graph)
{
    cnnf_graph *sorted = NULL;
    const cnnf_status status = run_passes(&sorted, s, graph, "sort_by_execution_order", NULL);
    for (int64_t i = 0; !status && i < cnnf_graph_node_count(sorted); i++) {
        const cnnf_node *node = cnnf_graph_node(sorted, i);
        printf("%s (%s): [", cnnf_node_name(node), cnnf_node_op(node));
        for (int64_t k = 0; k < cnnf_node_input_count(node); k++)
            printf("%s%s", k ? ", " : "", cnnf_node_input(node, k));
        printf("]");
        const cnnf_tensor *value = cnnf_node_attr_tensor(node, "value");
        if (value && strcmp(cnnf_node_op(node), "Const") == 0) print_value(value);
        putchar('\n');
    }
    cnnf_graph_unref(sorted);
    return status;
}

static cnnf_status summarize(const session *s, const arguments *a)
{
    cnnf_graph *graph = NULL;
    cnnf_buffer *text = NULL;
    cnnf_status status = load_model(&graph, s, a->graph, NULL, &a->keras);
    if (!status) status = cnnf_graph_summary(&text, graph, a->report, s->error);
    if (!status) fwrite(cnnf_buffer_data(text), 1, cnnf_buffer_size(text), stdout);
    if (!status && a->structure) status = print_structure(s, graph);
    cnnf_buffer_free(text);
    cnnf_graph_unref(graph);
    return status;
}

int cmd_summarize_graph(int argc, char **argv)
{
    arguments a = {0};
    const flag flags[] = {
        {"in_graph", FLAG_STRING, &a.in_graph, "FILE", "the graph, as the Graph Transform Tool names it"},
        {"print_structure", FLAG_BOOL, &a.structure, NULL, "then each node with its inputs, in order of execution"},
        {"format", FLAG_STRING, &a.format, "text|gtt|json|svg|dot",
         "a table of layers (text), the lines of TensorFlow's tool, or a picture"},
        KERAS_FLAGS(a.keras),
    };
    const command self = {"summarize_graph", "GRAPH [flags]", "inputs, outputs, ops, parameters of a graph or model",
                          NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, &a.graph, 0, 1, &code)) return code;
    if (!a.graph) a.graph = a.in_graph;
    if (!a.graph) return cli_say(EXIT_USAGE, "usage: cnnfreeze %s %s", self.name, self.usage);
    if (!cli_report_format(a.format, &a.report)) return EXIT_USAGE;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, summarize(&s, &a));
    cli_session_end(&s);
    return code;
}
