/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/graphdef/graphdef_pb.h"
#include "serializer/graphdef/text_format.h"

static cnnf_status print_part(const cnnfi_skeleton *skeleton, void *user, cnnf_error *error)
{
    return cnnfi_text_print(skeleton, &cnnfi__graph_def__descriptor, (cnnfi_sink *)user, error);
}

cnnf_status cnnfi_graphdef_write_text(const cnnf_graph *graph, cnnfi_sink *sink, cnnf_error *error)
{
    return cnnfi_graphdef_parts(graph, true, print_part, sink, cnnfi_sink_budget(sink), error);
}
