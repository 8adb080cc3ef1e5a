/* SPDX-License-Identifier: Apache-2.0 */
/* The text file `checkpoint`: CheckpointState, which tf.train.latest_checkpoint() reads. */
#include "serializer/checkpoint/checkpoint_state.h"

#include <string.h>

#include "base/error.h"
#include "base/path.h"

void cnnfi_checkpoint_state_path(cnnfi_strbuf *path, const char *prefix)
{
    cnnfi_strbuf_add(path, prefix, cnnfi_path_folder(prefix));
    cnnfi_strbuf_puts(path, "checkpoint");
}

/* Quoted as the protobuf text format does: C escapes, three-digit octal outside ASCII. */
static void put_quoted(cnnfi_strbuf *out, const char *text)
{
    static const char special[] = "\n\r\t\"'\\", letters[] = "nrt\"'\\";
    cnnfi_strbuf_putc(out, '"');
    for (; *text; text++) {
        const char *escaped = strchr(special, *text);
        if (escaped)
            cnnfi_strbuf_printf(out, "\\%c", letters[escaped - special]);
        else if ((uint8_t)*text < 0x20 || (uint8_t)*text >= 0x7f)
            cnnfi_strbuf_printf(out, "\\%03o", (uint8_t)*text);
        else
            cnnfi_strbuf_putc(out, *text);
    }
    cnnfi_strbuf_puts(out, "\"\n");
}

cnnf_status cnnfi_checkpoint_state_write(cnnfi_sink *sink, cnnf_context *context, const char *prefix, cnnf_error *error)
{
    cnnfi_strbuf text;
    cnnfi_strbuf_init(&text, context);
    cnnfi_strbuf_puts(&text, "model_checkpoint_path: ");
    put_quoted(&text, cnnfi_path_name(prefix));
    cnnfi_strbuf_puts(&text, "all_model_checkpoint_paths: ");
    put_quoted(&text, cnnfi_path_name(prefix));
    const cnnf_status status =
        text.failed ? cnnfi_fail_nomem(error) : cnnfi_sink_write(sink, text.data, text.size, error);
    cnnfi_strbuf_free(&text);
    return status;
}
