/* SPDX-License-Identifier: Apache-2.0 */
/* What a getter lends can be kept without a cast, in C and in C++: this file is compiled as both. */
#include <cnnfreeze/cnnfreeze.h>

static int keep(const cnnf_checkpoint *checkpoint, const cnnf_graph *graph, const cnnf_context *context)
{
    cnnf_tensor *tensor = cnnf_tensor_ref(cnnf_checkpoint_tensor(checkpoint, 0));
    cnnf_checkpoint *same = cnnf_checkpoint_ref(checkpoint);
    cnnf_graph *model = cnnf_graph_ref(graph);
    cnnf_context *kept = cnnf_context_ref(context);
    const int none = !tensor && !same && !model && !kept;
    cnnf_tensor_unref(tensor);
    cnnf_checkpoint_unref(same);
    cnnf_graph_unref(model);
    cnnf_context_unref(kept);
    return none;
}

int main(void)
{
    return keep(NULL, NULL, NULL) ? 0 : 1;
}
