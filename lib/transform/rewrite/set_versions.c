/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph's `versions`: some readers take a producer for a promise. OpenCV 5 reads a Softmax of a graph whose
 * producer is 2 or more wrongly, and rightly where nothing is written; TensorFlow runs both alike.
 */
#include "transform/framework/pass_edit.h"

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_edit edit;
    const int64_t producer = cnnfi_run_int(run, "producer", 0), consumer = cnnfi_run_int(run, "min_consumer", 0);
    if (producer < 0 || producer > INT32_MAX || consumer < 0 || consumer > producer)
        return cnnfi_fail(run->error, CNNF_E_INVALID, "set_versions: there is no producer %lld with min_consumer %lld",
                          (long long)producer, (long long)consumer);
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    const cnnfi_versions *now = &in->versions;
    if (now->present != (producer > 0) || now->producer != producer || now->min_consumer != consumer) edit.changes++;
    cnnfi_builder_set_versions(edit.b, (int32_t)producer, (int32_t)consumer);
    if (producer == 0 && edit.b->graph) edit.b->graph->versions = (cnnfi_versions){.present = false};
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

static const cnnfi_pass_param params[] = {
    {"producer", CNNFI_ARG_INT, false, false, "GraphDef version of the writer; default 0, which writes none"},
    {"min_consumer", CNNFI_ARG_INT, false, false, "oldest reader; default 0"},
};

const cnnfi_pass cnnfi_pass_set_versions = {
    .name = "set_versions",
    .description = "Sets the GraphDef's versions, or takes them out.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .run = run_pass,
};
