/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/sniff.h"

#include <string.h>

#include <cnnfreeze/loader.h>

#include "base/context.h"
#include "base/error.h"
#include "base/str.h"
#include "base/wire.h"
#include "loader/graphdef/proto_guard.h"

#define HEAD_BYTES     ((size_t)8192)
#define TEXT_LOOKED_AT ((size_t)64)

/* ---- words ---- */

static const struct format_words {
    const char *name, *hint;
} format_words[] = {
    [CNNF_FORMAT_UNKNOWN] = {"a file of unknown format", ""},
    [CNNF_FORMAT_KERAS_H5] = {"a Keras H5 model", ""},
    [CNNF_FORMAT_KERAS_V3] = {"a .keras model", ""},
    [CNNF_FORMAT_GRAPHDEF] = {"a GraphDef", ""},
    [CNNF_FORMAT_GRAPHDEF_TEXT] = {"a GraphDef in text format", ""},
    [CNNF_FORMAT_META_GRAPH] = {"a MetaGraphDef (.meta)", "give it as the meta graph (--input_meta_graph)"},
    [CNNF_FORMAT_META_GRAPH_TEXT] = {"a MetaGraphDef in text format", "give it as the meta graph (--input_meta_graph)"},
    [CNNF_FORMAT_SAVED_MODEL] = {"a SavedModel", "give its folder (--input_saved_model_dir)"},
    [CNNF_FORMAT_SAVED_MODEL_TEXT] = {"a SavedModel in text format", "give its folder (--input_saved_model_dir)"},
    [CNNF_FORMAT_CHECKPOINT_INDEX] = {"a checkpoint's index", "give it as the checkpoint, beside a graph"},
    [CNNF_FORMAT_CHECKPOINT_DATA] = {"a checkpoint's data shard", "give it as the checkpoint, beside a graph"},
    [CNNF_FORMAT_CHECKPOINT_STATE] = {"a checkpoint state file", "give it as the checkpoint, beside a graph"},
    [CNNF_FORMAT_CHECKPOINT_V1] = {"a V1 checkpoint", "give it as the checkpoint, beside a graph"},
    [CNNF_FORMAT_SAVER_DEF] = {"a SaverDef", "give it as the saver (--input_saver)"},
    [CNNF_FORMAT_SAVER_DEF_TEXT] = {"a SaverDef in text format", "give it as the saver (--input_saver)"},
    [CNNF_FORMAT_HDF5] = {"an HDF5 file that is no Keras model", ""},
    [CNNF_FORMAT_ZIP] = {"a zip archive that is no .keras model", ""},
    [CNNF_FORMAT_GIT_LFS] = {"a Git LFS pointer", "run 'git lfs pull' to get the file itself"},
    [CNNF_FORMAT_HTML] = {"a web page", "download the file itself"},
    [CNNF_FORMAT_EMPTY] = {"an empty file", ""},
    [CNNF_FORMAT_JSON] = {"a JSON file", "give it as the architecture of a weights-only file"},
};

static const struct format_words *words_of(int32_t format)
{
    bool known = format >= 0 && (size_t)format < sizeof format_words / sizeof format_words[0];
    return &format_words[known ? format : CNNF_FORMAT_UNKNOWN];
}

const char *cnnf_format_name(int32_t format)
{
    return words_of(format)->name;
}

const char *cnnfi_format_hint(int32_t format)
{
    return words_of(format)->hint;
}

/* ---- signatures ---- */

typedef struct sniffer {
    cnnfi_source *source;
    uint64_t size;
    uint8_t head[HEAD_BYTES];
    size_t n_head;
} sniffer;

static bool bytes_at(const sniffer *s, uint64_t offset, const void *wanted, size_t size)
{
    uint8_t found[16];
    return offset <= s->size && s->size - offset >= size && size <= sizeof found &&
           cnnfi_source_read(s->source, offset, found, size, NULL) == CNNF_OK && memcmp(found, wanted, size) == 0;
}

/* The signature lies at 0 or behind a user block of 512, 1024, 2048 ... bytes. */
static bool is_hdf5(const sniffer *s)
{
    static const uint8_t signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    for (uint64_t at = 0; at <= 8192; at = at == 0 ? 512 : at * 2)
        if (bytes_at(s, at, signature, sizeof signature)) return true;
    return false;
}

/* Whether a word occurs in bytes [from, to). */
static bool mentions(const sniffer *s, uint64_t from, uint64_t to, const char *word)
{
    uint8_t piece[HEAD_BYTES];
    size_t length = strlen(word);
    for (uint64_t at = from; at < to;) {
        size_t size = to - at < sizeof piece ? (size_t)(to - at) : sizeof piece;
        if (size < length || cnnfi_source_read(s->source, at, piece, size, NULL) != CNNF_OK) return false;
        for (size_t i = 0; i + length <= size; i++)
            if (piece[i] == (uint8_t)word[0] && memcmp(piece + i, word, length) == 0) return true;
        if (at + size == to) return false;
        at += size - length + 1;
    }
    return false;
}

/* Keras' attributes stand at the beginning of a file or, when it was written to again, near its end. */
static int32_t hdf5_kind(const sniffer *s)
{
    static const char *const marks[] = {"model_config", "layer_names", "model_weights", "weight_names"};
    uint64_t near = 1 << 20;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (mentions(s, 0, s->size < near ? s->size : near, marks[i])) return CNNF_FORMAT_KERAS_H5;
        if (s->size > near && mentions(s, s->size - near, s->size, marks[i])) return CNNF_FORMAT_KERAS_H5;
    }
    return CNNF_FORMAT_HDF5;
}

/* A zip's directory stands at its end. */
static int32_t zip_kind(const sniffer *s)
{
    uint64_t from = s->size > (1 << 16) ? s->size - (1 << 16) : 0;
    bool keras = mentions(s, from, s->size, "config.json") && mentions(s, from, s->size, "metadata.json");
    return keras || mentions(s, from, s->size, "model.weights.h5") ? CNNF_FORMAT_KERAS_V3 : CNNF_FORMAT_ZIP;
}

/* Table files end with a magic number. The first entry of an index is a BundleHeaderProto: uncompressed, key "", and
   its first field, num_shards, is never absent; V1's is SavedTensorSlices, whose first field is a message. */
static bool is_table(const sniffer *s)
{
    static const uint8_t magic[8] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};
    return s->size >= 48 && bytes_at(s, s->size - sizeof magic, magic, sizeof magic);
}

static int32_t table_kind(const sniffer *s)
{
    bool index = s->n_head > 4 && s->head[0] == 0 && s->head[1] == 0 && s->head[2] < 0x80 && s->head[3] == 0x08;
    return index ? CNNF_FORMAT_CHECKPOINT_INDEX : CNNF_FORMAT_CHECKPOINT_V1;
}

/* ---- text ---- */

/* The beginning decides: what comes later may be damaged, and the parser says where. */
static bool is_text(const sniffer *s)
{
    size_t size = s->n_head < TEXT_LOOKED_AT ? s->n_head : TEXT_LOOKED_AT;
    for (size_t i = 0; i < size; i++)
        if (s->head[i] == 0 || (s->head[i] < 0x20 && strchr("\t\n\r\f\v", s->head[i]) == NULL)) return false;
    return true;
}

static char lower(uint8_t c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool head_is(const sniffer *s, size_t at, const char *wanted)
{
    size_t i = 0;
    while (wanted[i] != '\0' && at + i < s->n_head && lower(s->head[at + i]) == wanted[i])
        i++;
    return wanted[i] == '\0';
}

/* Over white space, a byte order mark and, for text format, comments. */
static size_t skip_blank(const sniffer *s, bool comments)
{
    size_t at = head_is(s, 0, "\xef\xbb\xbf") ? 3 : 0;
    while (at < s->n_head) {
        if (comments && s->head[at] == '#')
            while (at < s->n_head && s->head[at] != '\n')
                at++;
        else if (s->head[at] <= ' ')
            at++;
        else
            break;
    }
    return at;
}

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* A text message begins with one of its fields. `version` stands in two of them; the Saver's never comes first. */
static const struct message_kind {
    const cnnfi_message_type *type;
    int32_t format;
} text_kinds[] = {
    {&cnnfi__graph_def__descriptor, CNNF_FORMAT_GRAPHDEF_TEXT},
    {&cnnfi__meta_graph_def__descriptor, CNNF_FORMAT_META_GRAPH_TEXT},
    {&cnnfi__saved_model__descriptor, CNNF_FORMAT_SAVED_MODEL_TEXT},
    {&cnnfi__saver_def__descriptor, CNNF_FORMAT_SAVER_DEF_TEXT},
};

static int32_t text_message(const sniffer *s)
{
    size_t at = skip_blank(s, true), end = at;
    while (end < s->n_head && is_word(s->head[end]))
        end++;
    size_t after = end;
    while (after < s->n_head && s->head[after] <= ' ')
        after++;
    if (end == at || after == s->n_head || strchr(":{<", s->head[after]) == NULL) return CNNF_FORMAT_UNKNOWN;
    const char *name = (const char *)s->head + at;
    if (head_is(s, at, "model_checkpoint_path") || head_is(s, at, "all_model_checkpoint_paths"))
        return CNNF_FORMAT_CHECKPOINT_STATE;
    for (size_t i = 0; i < sizeof text_kinds / sizeof text_kinds[0]; i++)
        if (cnnfi_message_field_named(text_kinds[i].type, name, end - at) != NULL) return text_kinds[i].format;
    return CNNF_FORMAT_UNKNOWN;
}

static int32_t sniff_text(const sniffer *s)
{
    static const char *const pages[] = {"<!doctype", "<html", "<head", "<?xml", "<body"};
    size_t at = skip_blank(s, false);
    if (head_is(s, at, "version https://git-lfs")) return CNNF_FORMAT_GIT_LFS;
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        if (head_is(s, at, pages[i])) return CNNF_FORMAT_HTML;
    if (at < s->n_head && (s->head[at] == '{' || s->head[at] == '[')) return CNNF_FORMAT_JSON;
    return text_message(s);
}

/* ---- binary messages ---- */

#define FIELDS_LOOKED_AT      24
#define LEVELS_LOOKED_AT      3
#define MISFITS_OF_A_STRANGER 4

/* How the first fields fit a type; misfits are fields it does not have, or of other wire types. */
typedef struct fit {
    uint32_t fits, misfits;
} fit;

/* A field that runs out of the file is where a truncated one ends; only a SaverDef is too small to be cut. */
static void try_type(fit *f, cnnfi_guard *guard, const cnnfi_message_type *type, uint64_t at, uint64_t end,
                     uint32_t level)
{
    for (uint32_t i = 0; i < FIELDS_LOOKED_AT && at < end; i++) {
        cnnfi_guard_field field;
        if (cnnfi_guard_next(guard, at, end, &field, NULL) != CNNF_OK) {
            bool whole = type == &cnnfi__saver_def__descriptor;
            bool cut = field.wire == CNNFI_WIRE_BYTES && field.payload > 0 && !whole;
            if (whole || (!cut && i == 0)) f->misfits += MISFITS_OF_A_STRANGER;
            if (!cut || i > 0) return; /* enough was seen before */
            field.end = end;
        }
        const cnnfi_message_field *known = cnnfi_message_field_at(type, field.number);
        bool packed = known != NULL && field.wire == CNNFI_WIRE_BYTES && cnnfi_message_packable(known);
        bool right = known != NULL && (packed || field.wire == cnnfi_message_wire_type(known));
        f->fits += right;
        f->misfits += !right;
        if (right && known->type == PROTOBUF_C_TYPE_MESSAGE && level + 1 < LEVELS_LOOKED_AT)
            try_type(f, guard, (const cnnfi_message_type *)known->descriptor, field.payload, field.end, level + 1);
        at = field.end;
    }
}

static const struct message_kind binary_kinds[] = {
    {&cnnfi__graph_def__descriptor, CNNF_FORMAT_GRAPHDEF},
    {&cnnfi__meta_graph_def__descriptor, CNNF_FORMAT_META_GRAPH},
    {&cnnfi__saved_model__descriptor, CNNF_FORMAT_SAVED_MODEL},
    {&cnnfi__saver_def__descriptor, CNNF_FORMAT_SAVER_DEF},
};

/* A shard has no mark of its own: only its name tells, and that it is nothing else. */
static bool is_shard_name(const char *name)
{
    return cnnfi_glob_match("*.data-????" /* no trigraphs */ "?-of-?????", name);
}

static cnnf_status sniff_binary(int32_t *out, const sniffer *s, cnnf_error *error)
{
    cnnfi_guard guard;
    bool shard = is_shard_name(cnnfi_source_name(s->source));
    int64_t best = INT64_MIN;
    *out = shard ? CNNF_FORMAT_CHECKPOINT_DATA : CNNF_FORMAT_UNKNOWN;
    CNNFI_TRY(cnnfi_guard_init(&guard, s->source, error));
    for (size_t i = 0; i < sizeof binary_kinds / sizeof binary_kinds[0]; i++) {
        fit f = {0, 0};
        try_type(&f, &guard, binary_kinds[i].type, 0, s->size, 0);
        bool possible = shard ? f.misfits == 0 : f.misfits < MISFITS_OF_A_STRANGER || f.misfits < f.fits;
        int64_t score = (int64_t)f.fits - (int64_t)f.misfits;
        if (!possible || score <= best) continue;
        best = score;
        *out = binary_kinds[i].format;
    }
    cnnfi_guard_free(&guard);
    return CNNF_OK;
}

cnnf_status cnnfi_sniff(int32_t *out, cnnfi_source *source, cnnf_error *error)
{
    sniffer s = {.source = source, .size = cnnfi_source_size(source)};
    s.n_head = s.size < HEAD_BYTES ? (size_t)s.size : HEAD_BYTES;
    *out = CNNF_FORMAT_EMPTY;
    if (s.size == 0) return CNNF_OK;
    CNNFI_TRY(cnnfi_source_read(source, 0, s.head, s.n_head, error));
    if (is_hdf5(&s))
        *out = hdf5_kind(&s);
    else if (memcmp(s.head, "PK\3\4", s.n_head < 4 ? s.n_head : 4) == 0 && s.n_head >= 4)
        *out = zip_kind(&s);
    else if (is_table(&s))
        *out = table_kind(&s);
    else if (is_text(&s) && (*out = sniff_text(&s)) != CNNF_FORMAT_UNKNOWN)
        return CNNF_OK;
    else
        return sniff_binary(out, &s, error);
    return CNNF_OK;
}
