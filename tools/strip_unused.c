/* SPDX-License-Identifier: Apache-2.0 */
/* strip_unused: what lies between inputs and outputs, with the flags of TensorFlow's tool. */
#include "strip_unused.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "load.h"
#include "output.h"

typedef struct arguments {
    const char *input, *output, *inputs, *outputs, *types;
    bool input_binary, output_binary;
    output_flags out;
} arguments;

/* The next item of a comma list, spaces dropped; false at its end. */
static bool next_item(const char **at, char *out, size_t size)
{
    size_t n = 0;
    *at += strspn(*at, ", ");
    if (!**at) return false;
    for (; **at && **at != ','; ++*at) {
        if (**at != ' ' && n + 1 < size) out[n++] = **at;
    }
    out[n] = '\0';
    return true;
}

static size_t count_items(const char *list)
{
    char item[1024];
    size_t count = 0;
    while (list && next_item(&list, item, sizeof item))
        count++;
    return count;
}

bool strip_pass(char *out, size_t size, const char *inputs, const char *types)
{
    char name[1024], type[64];
    const size_t n_types = count_items(types);
    size_t used = (size_t)snprintf(out, size, "strip_unused_nodes");
    if (n_types == 0) return true;
    if (n_types == 1) {
        next_item(&types, type, sizeof type);
        snprintf(out + used, size - used, "(type=\"%s\")", type);
        return true;
    }
    if (n_types != count_items(inputs)) {
        cli_say(0, "--placeholder_type_enum has %zu types for %zu inputs", n_types, count_items(inputs));
        return false;
    }
    for (size_t i = 0; i < n_types && used < size; i++) {
        next_item(&inputs, name, sizeof name);
        next_item(&types, type, sizeof type);
        used += (size_t)snprintf(out + used, size - used, "%sname=\"%s\", type_for_name=\"%s\"", i ? ", " : "(", name,
                                 type);
    }
    if (used + 2 <= size) snprintf(out + used, size - used, ")");
    return used + 2 <= size;
}

static cnnf_status strip(const session *s, const arguments *a, const char *pass)
{
    cnnf_graph *graph = NULL, *out = NULL;
    output_names outputs;
    const keras_flags keras = {0};
    cnnf_status status = load_model(&graph, s, a->input, NULL, &keras);
    if (!status) status = find_output_names(&outputs, s, graph, a->outputs);
    if (!status) status = run_between(&out, s, graph, pass, a->inputs, &outputs.list);
    if (!status) status = output_graph(s, out, a->output, &a->out);
    if (!status) printf("%" PRId64 " ops in the final graph.\n", cnnf_graph_node_count(out));
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    return status;
}

int cmd_strip_unused(int argc, char **argv)
{
    arguments a = {.output_binary = true, .out = OUTPUT_DEFAULTS};
    output_claim claim = {.n_outputs = 0};
    char pass[8192];
    const flag flags[] = {
        {"input_graph", FLAG_STRING, &a.input, "FILE", "graph or model, any format"},
        {"input_binary", FLAG_BOOL, &a.input_binary, NULL, "accepted; the content says what it is"},
        {"output_graph", FLAG_STRING, &a.output, "FILE", "where the result goes"},
        {"output_binary", FLAG_BOOL, &a.output_binary, NULL, "write binary format (true)"},
        {"input_node_names", FLAG_STRING, &a.inputs, "a,b", "inputs: become placeholders (the declared ones)"},
        {"output_node_names", FLAG_STRING, &a.outputs, "a,b", "outputs (found by itself when absent)"},
        {"placeholder_type_enum", FLAG_STRING, &a.types, "1,4", "dtypes of new placeholders (what the nodes give)"},
        OUTPUT_FLAGS(a.out),
    };
    const command self = {"strip_unused", "--input_graph=A --output_graph=B [flags]",
                          "what lies between inputs and outputs: TensorFlow's strip_unused", NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, NULL, 0, 0, &code)) return code;
    if (!a.input || !a.output) return cli_say(EXIT_USAGE, "strip_unused: --input_graph and --output_graph are needed");
    if (!strip_pass(pass, sizeof pass, a.inputs, a.types)) return EXIT_USAGE;
    a.out.text = !a.output_binary;
    claim_input(&claim, a.input);
    claim_output(&claim, &a.output);
    if ((code = claim_check(&claim, a.out.in_place))) return code;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    code = cli_finish(&s, strip(&s, &a, pass));
    cli_session_end(&s);
    return code;
}
