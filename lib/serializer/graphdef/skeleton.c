/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/graphdef/skeleton.h"

#include <string.h>

#include "base/context.h"

/* Payloads below this are copied: cheaper than a cut. */
#define SMALL_PAYLOAD ((size_t)1024)

void cnnfi_skeleton_init(cnnfi_skeleton *s, cnnf_context *context)
{
    *s = (cnnfi_skeleton){.context = context, .node = ""};
    cnnfi_strbuf_init(&s->bytes, context);
}

void cnnfi_skeleton_free(cnnfi_skeleton *s)
{
    cnnfi_strbuf_free(&s->bytes);
    cnnfi_free(s->context, s->cuts);
    s->cuts = NULL;
}

void cnnfi_skeleton_reset(cnnfi_skeleton *s)
{
    s->bytes.size = 0;
    s->n_cuts = 0;
}

void cnnfi_skeleton_fail(cnnfi_skeleton *s, cnnf_status status, const cnnf_error *error)
{
    if (s->status != CNNF_OK) return;
    s->status = status;
    cnnfi_error_copy(&s->error, error);
}

cnnf_status cnnfi_skeleton_status(const cnnfi_skeleton *s, cnnf_error *error)
{
    if (s->status == CNNF_OK) return s->bytes.failed ? cnnfi_fail_nomem(error) : CNNF_OK;
    cnnfi_error_copy(error, &s->error);
    return s->status;
}

uint64_t cnnfi_skeleton_size(const cnnfi_skeleton *s)
{
    uint64_t size = s->bytes.size;
    for (size_t i = 0; i < s->n_cuts; i++)
        size += s->cuts[i].size;
    return size;
}

static cnnf_status stream_piece(const void *data, size_t size, void *user, cnnf_error *error)
{
    return cnnfi_sink_write((cnnfi_sink *)user, data, size, error);
}

static cnnf_status write_cut(const cnnfi_cut *cut, cnnfi_sink *sink, cnnf_error *error)
{
    if (cut->write != NULL) return cut->write(cut->user, sink, error);
    if (cut->tensor == NULL) return cnnfi_sink_write(sink, cut->data, cut->size, error);
    return cnnfi_tensor_stream(cut->tensor, stream_piece, sink, error);
}

cnnf_status cnnfi_skeleton_write(const cnnfi_skeleton *s, cnnfi_sink *sink, cnnf_error *error)
{
    size_t at = 0;
    for (size_t i = 0; i < s->n_cuts; i++) {
        const cnnfi_cut *cut = &s->cuts[i];
        CNNFI_TRY(cnnfi_sink_write(sink, s->bytes.data + at, cut->at - at, error));
        CNNFI_TRY(write_cut(cut, sink, error));
        at = cut->at;
    }
    return cnnfi_sink_write(sink, s->bytes.data + at, s->bytes.size - at, error);
}

cnnfi_mark cnnfi_skeleton_begin(const cnnfi_skeleton *s)
{
    return (cnnfi_mark){.at = s->bytes.size, .n_cuts = s->n_cuts};
}

static size_t put_varint(uint8_t *out, uint64_t value)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        out[n++] = (uint8_t)(value | 0x80);
    out[n++] = (uint8_t)value;
    return n;
}

/* Tag and length go in front of what is there already: skeletons are small, moving them costs less than sizing twice.
 */
void cnnfi_skeleton_end(cnnfi_skeleton *s, uint32_t field, cnnfi_mark begin)
{
    uint8_t head[20];
    const size_t body = s->bytes.size - begin.at;
    uint64_t size = body;
    for (size_t i = begin.n_cuts; i < s->n_cuts; i++)
        size += s->cuts[i].size;
    size_t head_size = put_varint(head, (uint64_t)field << 3 | CNNFI_WIRE_BYTES);
    head_size += put_varint(head + head_size, size);
    cnnfi_strbuf_add(&s->bytes, head, head_size); /* room */
    if (s->bytes.failed) return;
    memmove(s->bytes.data + begin.at + head_size, s->bytes.data + begin.at, body);
    memcpy(s->bytes.data + begin.at, head, head_size);
    for (size_t i = begin.n_cuts; i < s->n_cuts; i++)
        s->cuts[i].at += head_size;
}

void cnnfi_skeleton_text(cnnfi_skeleton *s, uint32_t field, const char *text)
{
    if (text != NULL && text[0] != '\0') cnnfi_put_string(&s->bytes, field, text);
}

void cnnfi_skeleton_raw(cnnfi_skeleton *s, cnnfi_bytes bytes)
{
    cnnfi_strbuf_add(&s->bytes, bytes.data, bytes.size);
}

static void add_cut(cnnfi_skeleton *s, cnnfi_cut cut)
{
    if (!cnnfi_grow(s->context, (void **)&s->cuts, &s->cut_capacity, s->n_cuts, sizeof *s->cuts)) {
        s->bytes.failed = true;
        return;
    }
    cut.at = s->bytes.size;
    cut.node = s->node;
    s->cuts[s->n_cuts++] = cut;
}

void cnnfi_skeleton_cut_tensor(cnnfi_skeleton *s, const cnnf_tensor *tensor)
{
    size_t size = cnnf_tensor_byte_size(tensor);
    const void *data = cnnf_tensor_data(tensor);
    if (data != NULL && size < SMALL_PAYLOAD)
        cnnfi_strbuf_add(&s->bytes, data, size);
    else if (size > 0)
        add_cut(s, (cnnfi_cut){.size = size, .tensor = tensor});
}

void cnnfi_skeleton_cut_written(cnnfi_skeleton *s, size_t size, cnnfi_payload_fn write, const void *user)
{
    if (size > 0) add_cut(s, (cnnfi_cut){.size = size, .write = write, .user = user});
}

void cnnfi_skeleton_cut_raw(cnnfi_skeleton *s, cnnfi_bytes bytes)
{
    if (bytes.size < SMALL_PAYLOAD || s->text_order)
        cnnfi_strbuf_add(&s->bytes, bytes.data, bytes.size);
    else
        add_cut(s, (cnnfi_cut){.size = bytes.size, .data = bytes.data});
}

cnnfi_map_order cnnfi_map_order_of(const cnnfi_skeleton *s, const void *items, size_t count, size_t stride)
{
    return (cnnfi_map_order){.items = items, .count = count, .stride = stride, .text = s->text_order};
}

static const char *map_key(const cnnfi_map_order *order, size_t index)
{
    return *(const char *const *)(const void *)((const char *)order->items + index * order->stride);
}

/* The nearest earlier item that `index` continues, plus 1. Keys are sorted, so all between continue it too. */
static size_t continued_by(const cnnfi_map_order *order, size_t index)
{
    for (size_t i = index; i > 0; i--)
        if (cnnfi_starts_with(map_key(order, index), map_key(order, i - 1))) return i;
    return 0;
}

bool cnnfi_map_next(cnnfi_map_order *order, size_t *index)
{
    if (order->text) {
        *index = order->next;
        return order->next++ < order->count;
    }
    while (order->next < order->count &&
           (order->top == 0 || cnnfi_starts_with(map_key(order, order->next), map_key(order, order->top - 1))))
        order->top = ++order->next;
    if (order->top == 0) return false;
    *index = order->top - 1;
    order->top = continued_by(order, *index);
    return true;
}
