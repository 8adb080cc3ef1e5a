/* SPDX-License-Identifier: Apache-2.0 */
/* NPZ: a zip of NPY files, stored or deflated. The central directory is read here, so that members stay streams. */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "evaluation/dataset/dataset.h"

#define END_SIZE      22
#define MAX_DIRECTORY ((uint64_t)16 * 1024 * 1024)

typedef struct member {
    char name[64]; /* cut; without ".npy" */
    uint16_t method;
    uint64_t packed, offset; /* of the local header */
} member;

static cnnf_status damaged(const cnnfi_source *source, const char *what, cnnf_error *error)
{
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: NPZ: %s", cnnfi_source_name(source), what);
}

/* Where the central directory lies: from the end record, or its zip64 form. */
static cnnf_status find_directory(const cnnfi_source *source, uint64_t *offset, uint64_t *size, cnnf_error *error)
{
    uint8_t tail[1024], record[56];
    uint64_t total = cnnfi_source_size(source);
    size_t n = total < sizeof(tail) ? (size_t)total : sizeof(tail);
    CNNFI_TRY(cnnfi_source_read(source, total - n, tail, n, error));
    for (size_t at = n < END_SIZE ? 0 : n - END_SIZE + 1; at-- > 0;) {
        if (memcmp(tail + at, "PK\5\6", 4) != 0) continue;
        *size = cnnfi_le32(tail + at + 12);
        *offset = cnnfi_le32(tail + at + 16);
        if (*offset == UINT32_MAX || *size == UINT32_MAX) {
            if (at < 20 || memcmp(tail + at - 20, "PK\6\7", 4) != 0) return damaged(source, "no zip64 locator", error);
            uint64_t where = cnnfi_le64(tail + at - 12);
            if (!cnnfi_range_fits(where, sizeof(record), total)) return damaged(source, "a bad zip64 locator", error);
            CNNFI_TRY(cnnfi_source_read(source, where, record, sizeof(record), error));
            *size = cnnfi_le64(record + 40);
            *offset = cnnfi_le64(record + 48);
        }
        if (!cnnfi_range_fits(*offset, *size, total) || *size > MAX_DIRECTORY)
            return damaged(source, "the directory lies outside the file", error);
        return CNNF_OK;
    }
    return damaged(source, "no end record; the file is cut off", error);
}

/* Sizes that do not fit 32 bits stand in extra field 1, in a fixed order. */
static void read_zip64(member *m, uint64_t plain, const uint8_t *extra, size_t size)
{
    while (size >= 4) {
        size_t n = cnnfi_le16(extra + 2);
        if (n > size - 4) return;
        const uint8_t *p = extra + 4, *end = p + n;
        if (cnnfi_le16(extra) == 1) {
            if (plain == UINT32_MAX && end - p >= 8) p += 8;
            if (m->packed == UINT32_MAX && end - p >= 8) m->packed = cnnfi_le64(p), p += 8;
            if (m->offset == UINT32_MAX && end - p >= 8) m->offset = cnnfi_le64(p);
            return;
        }
        extra += 4 + n;
        size -= 4 + n;
    }
}

/* The next entry of the directory; false at its end or when it is damaged. */
static bool next_member(cnnfi_cursor *c, member *m)
{
    cnnfi_bytes head, name, rest;
    if (!cnnfi_read_bytes(c, 46, &head) || memcmp(head.data, "PK\1\2", 4) != 0) return false;
    size_t name_size = cnnfi_le16(head.data + 28), extra = cnnfi_le16(head.data + 30),
           comment = cnnfi_le16(head.data + 32);
    if (!cnnfi_read_bytes(c, name_size, &name) || !cnnfi_read_bytes(c, extra + comment, &rest)) return false;
    memset(m, 0, sizeof(*m));
    m->method = cnnfi_le16(head.data + 10);
    m->packed = cnnfi_le32(head.data + 20);
    m->offset = cnnfi_le32(head.data + 42);
    read_zip64(m, cnnfi_le32(head.data + 24), rest.data, extra);
    if (name_size > 4 && memcmp(name.data + name_size - 4, ".npy", 4) == 0) name_size -= 4;
    memcpy(m->name, name.data, name_size < sizeof(m->name) - 1 ? name_size : sizeof(m->name) - 1);
    return true;
}

static cnnf_status open_member(cnnfi_array_file *file, cnnf_context *context, cnnfi_source *source, const member *m,
                               cnnf_error *error)
{
    uint8_t head[30];
    cnnfi_stream *stream = NULL;
    if (!cnnfi_range_fits(m->offset, sizeof(head), cnnfi_source_size(source)))
        return damaged(source, "a member lies outside the file", error);
    CNNFI_TRY(cnnfi_source_read(source, m->offset, head, sizeof(head), error));
    if (memcmp(head, "PK\3\4", 4) != 0) return damaged(source, "a member has no local header", error);
    if (m->method != 0 && m->method != 8)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: NPZ: '%s' is packed with method %d",
                          cnnfi_source_name(source), m->name, m->method);
    uint64_t begin = m->offset + sizeof(head) + cnnfi_le16(head + 26) + cnnfi_le16(head + 28);
    CNNFI_TRY(cnnfi_stream_new(&stream, source, begin, m->packed,
                               m->method == 8 ? CNNFI_CODING_DEFLATE : CNNFI_CODING_PLAIN, error));
    return cnnfi_npy_open(file, context, stream, error);
}

/* Which of the usual names comes first in the list is the better one. */
static int preference(const char *name, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

static const char *const image_names[] = {"x_test", "test_images", "x", "images", "data", "X", "x_val", "arr_0", NULL};
static const char *const label_names[] = {"y_test", "test_labels", "y",     "labels", "target",
                                          "Y",      "y_val",       "arr_1", NULL};

static cnnf_status pick(cnnf_dataset *d, cnnfi_source *source, const uint8_t *directory, size_t size, cnnf_error *error)
{
    cnnfi_array_pair *pair = d->state;
    cnnfi_cursor c = cnnfi_cursor_of(directory, size);
    member m, x, y;
    int best_x = -1, best_y = -1;
    while (next_member(&c, &m)) {
        int as_x = preference(m.name, image_names), as_y = preference(m.name, label_names);
        if (as_x >= 0 && (best_x < 0 || as_x < best_x)) best_x = as_x, x = m;
        if (as_y >= 0 && (best_y < 0 || as_y < best_y)) best_y = as_y, y = m;
    }
    if (best_x < 0 || (best_y < 0 && !d->options.labels_file))
        return cnnfi_fail(error, CNNF_E_NOT_FOUND, "%s: NPZ: no arrays x and y, x_test and y_test or images and labels",
                          cnnfi_source_name(source));
    CNNFI_TRY(open_member(&pair->images, d->context, source, &x, error));
    if (d->options.labels_file) return cnnfi_labels_open(&pair->labels, d->context, d->options.labels_file, error);
    return open_member(&pair->labels, d->context, source, &y, error);
}

static cnnf_status npz_open(cnnf_dataset *d, cnnfi_source *source, const char *path, cnnf_error *error)
{
    uint64_t offset = 0, size = 0;
    d->state = cnnfi_calloc(d->context, 1, sizeof(cnnfi_array_pair));
    if (!d->state) return cnnfi_fail_nomem(error);
    d->default_scale = 1;
    CNNFI_TRY(find_directory(source, &offset, &size, error));
    uint8_t *directory = cnnfi_malloc(d->context, (size_t)size);
    if (!directory) return cnnfi_fail_nomem(error);
    cnnf_status status = size ? cnnfi_source_read(source, offset, directory, (size_t)size, error) : CNNF_OK;
    if (status == CNNF_OK) status = pick(d, source, directory, (size_t)size, error);
    cnnfi_free(d->context, directory);
    return status == CNNF_OK ? cnnfi_array_pair_check(d, path, error) : status;
}

const cnnfi_format cnnfi_format_npz = {
    "NPZ", npz_open, cnnfi_array_pair_read, cnnfi_array_pair_rewind, cnnfi_array_pair_free, cnnfi_array_pair_skip};
