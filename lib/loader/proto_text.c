/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "loader/proto_stream.h"

cnnf_status cnnfi_proto_stream_text(cnnfi_source *source, const cnnfi_message_type *type, const cnnfi_proto_sink *sink,
                                    const cnnf_load_options *options, cnnf_error *error)
{
    return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: text format", cnnfi_source_name(source));
}
