/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in order out of a file: as they are, or through zlib. Memory stays bounded whatever the file promises. */
#include <string.h>

#if CNNFI_HAVE_GZIP
#include <zlib.h>
#endif

#include "base/checked.h"
#include "evaluation/dataset/dataset.h"

#define INPUT_BYTES ((size_t)64 * 1024)
/* What comes out is held against the limit after each piece, so that no more than one is inflated in vain. */
#define PIECE_BYTES ((size_t)1024 * 1024)
/* deflate cannot do better than 1032:1. */
#define MAX_EXPANSION 1032u

struct cnnfi_stream {
    cnnf_context *context;
    cnnfi_source *source;
    uint64_t begin, size; /* of the part in the source */
    uint64_t at;          /* encoded bytes taken */
    uint64_t given;       /* decoded bytes given */
    cnnfi_coding coding;
#if CNNFI_HAVE_GZIP
    z_stream zlib;
    bool open, ended;
    uint8_t *input; /* INPUT_BYTES */
#endif
};

#if CNNFI_HAVE_GZIP
static void *zlib_alloc(void *user, unsigned count, unsigned size)
{
    return cnnfi_calloc(user, count, size);
}

static void zlib_free(void *user, void *pointer)
{
    cnnfi_free(user, pointer);
}

static cnnf_status start_zlib(cnnfi_stream *s, cnnf_error *error)
{
    if (!s->input) s->input = cnnfi_malloc(s->context, INPUT_BYTES);
    if (!s->input) return cnnfi_fail_nomem(error);
    memset(&s->zlib, 0, sizeof(s->zlib));
    s->zlib.zalloc = zlib_alloc;
    s->zlib.zfree = zlib_free;
    s->zlib.opaque = s->context;
    /* 15 window bits; + 16: a gzip header; negative: no header */
    if (inflateInit2(&s->zlib, s->coding == CNNFI_CODING_GZIP ? 31 : -15) != Z_OK) return cnnfi_fail_nomem(error);
    s->open = true;
    s->ended = false;
    return CNNF_OK;
}

static cnnf_status fill_input(cnnfi_stream *s, cnnf_error *error)
{
    uint64_t left = s->size - s->at;
    size_t n = left < INPUT_BYTES ? (size_t)left : INPUT_BYTES;
    if (n == 0)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: gzip: offset %llu: the compressed data end early",
                          cnnfi_source_name(s->source), (unsigned long long)(s->begin + s->at));
    CNNFI_TRY(cnnfi_source_read(s->source, s->begin + s->at, s->input, n, error));
    s->at += n;
    s->zlib.next_in = s->input;
    s->zlib.avail_in = (unsigned)n;
    return CNNF_OK;
}

/* gzip files may be several members in a row. */
static bool next_member(cnnfi_stream *s)
{
    if (s->coding != CNNFI_CODING_GZIP || (s->zlib.avail_in == 0 && s->at == s->size)) return false;
    return inflateReset(&s->zlib) == Z_OK;
}

static cnnf_status inflate_some(cnnfi_stream *s, void *data, size_t size, size_t *got, cnnf_error *error)
{
    if (!s->open) CNNFI_TRY(start_zlib(s, error));
    s->zlib.next_out = data;
    s->zlib.avail_out = (unsigned)size;
    while (s->zlib.avail_out > 0 && !s->ended) {
        if (s->zlib.avail_in == 0) CNNFI_TRY(fill_input(s, error));
        int result = inflate(&s->zlib, Z_NO_FLUSH);
        if (result == Z_STREAM_END)
            s->ended = !next_member(s);
        else if (result == Z_MEM_ERROR)
            return cnnfi_fail_nomem(error);
        else if (result != Z_OK && result != Z_BUF_ERROR)
            return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: gzip: offset %llu: %s", cnnfi_source_name(s->source),
                              (unsigned long long)(s->begin + s->at - s->zlib.avail_in),
                              s->zlib.msg ? s->zlib.msg : "damaged data");
    }
    *got = size - s->zlib.avail_out;
    return CNNF_OK;
}

static void stop_zlib(cnnfi_stream *s)
{
    if (s->open) inflateEnd(&s->zlib);
    s->open = false;
}

static void free_zlib(cnnfi_stream *s)
{
    stop_zlib(s);
    cnnfi_free(s->context, s->input);
}
#else
static cnnf_status inflate_some(cnnfi_stream *s, void *data, size_t size, size_t *got, cnnf_error *error)
{
    return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: gzip: this build has no zlib", cnnfi_source_name(s->source));
}

static void stop_zlib(cnnfi_stream *s)
{
}

static void free_zlib(cnnfi_stream *s)
{
}
#endif

cnnf_status cnnfi_stream_new(cnnfi_stream **out, cnnfi_source *source, uint64_t offset, uint64_t size,
                             cnnfi_coding coding, cnnf_error *error)
{
    uint8_t magic[2] = {0, 0};
    *out = NULL;
    if (!cnnfi_range_fits(offset, size, cnnfi_source_size(source)))
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: a part lies outside the file", cnnfi_source_name(source));
    if (coding == CNNFI_CODING_DETECT && size >= 2) CNNFI_TRY(cnnfi_source_read(source, offset, magic, 2, error));
    cnnfi_stream *s = cnnfi_calloc(cnnfi_source_context(source), 1, sizeof(*s));
    if (!s) return cnnfi_fail_nomem(error);
    if (coding == CNNFI_CODING_DETECT)
        coding = magic[0] == 0x1f && magic[1] == 0x8b ? CNNFI_CODING_GZIP : CNNFI_CODING_PLAIN;
    s->context = cnnfi_source_context(source);
    s->source = cnnfi_source_ref(source);
    s->begin = offset;
    s->size = size;
    s->coding = coding;
    *out = s;
    return CNNF_OK;
}

void cnnfi_stream_free(cnnfi_stream *stream)
{
    if (!stream) return;
    free_zlib(stream);
    cnnfi_source_unref(stream->source);
    cnnfi_free(stream->context, stream);
}

cnnf_status cnnfi_stream_read(cnnfi_stream *stream, void *data, size_t size, size_t *got, cnnf_error *error)
{
    char *to = data;
    *got = 0;
    while (*got < size) {
        const size_t piece = size - *got < PIECE_BYTES ? size - *got : PIECE_BYTES;
        size_t n = 0;
        if (stream->coding != CNNFI_CODING_PLAIN) {
            CNNFI_TRY(inflate_some(stream, to + *got, piece, &n, error));
        } else {
            uint64_t left = stream->size - stream->at;
            n = left < piece ? (size_t)left : piece;
            if (n > 0) CNNFI_TRY(cnnfi_source_read(stream->source, stream->begin + stream->at, to + *got, n, error));
            stream->at += n;
        }
        if (n == 0) break;
        *got += n;
        stream->given += n;
        CNNFI_TRY(cnnfi_check_limit(stream->context, CNNF_LIMIT_FILE_BYTES, stream->given, "the unpacked data", error));
    }
    return CNNF_OK;
}

bool cnnfi_stream_can_hold(const cnnfi_stream *stream, uint64_t size)
{
    if (stream->coding == CNNFI_CODING_PLAIN) return size <= stream->size;
    return size / MAX_EXPANSION <= stream->size;
}

cnnf_status cnnfi_stream_read_all(cnnfi_stream *stream, void *data, size_t size, cnnf_error *error)
{
    size_t got = 0;
    CNNFI_TRY(cnnfi_stream_read(stream, data, size, &got, error));
    if (got == size) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: offset %llu: the file ends early, %llu bytes are missing",
                      cnnfi_source_name(stream->source), (unsigned long long)stream->given,
                      (unsigned long long)(size - got));
}

cnnf_status cnnfi_stream_skip(cnnfi_stream *stream, uint64_t size, cnnf_error *error)
{
    uint8_t piece[4096];
    if (stream->coding == CNNFI_CODING_PLAIN && size <= stream->size - stream->at) {
        stream->at += size;
        stream->given += size;
        return CNNF_OK;
    }
    for (uint64_t left = size; left > 0;) {
        const size_t n = left < sizeof(piece) ? (size_t)left : sizeof(piece);
        CNNFI_TRY(cnnfi_stream_read_all(stream, piece, n, error));
        left -= n;
    }
    return CNNF_OK;
}

cnnf_status cnnfi_stream_rewind(cnnfi_stream *stream, cnnf_error *error)
{
    stop_zlib(stream);
    stream->at = 0;
    stream->given = 0;
    return CNNF_OK;
}

uint64_t cnnfi_stream_offset(const cnnfi_stream *stream)
{
    return stream->given;
}

const char *cnnfi_stream_name(const cnnfi_stream *stream)
{
    return cnnfi_source_name(stream->source);
}
