/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several files as one data set: "shards/part-*.csv", '*' and '?' in the last part of the path, in the order of their
 * names. All are opened once, so that a misfit is known before the first batch; one is open at a time.
 */
#include <string.h>

#include "base/os.h"
#include "base/str.h"
#include "evaluation/dataset/dataset.h"

typedef struct files {
    cnnfi_arena names;
    const char **paths;
    size_t capacity;
    int64_t count, open; /* files; the one that is read */
    cnnf_dataset *part;  /* NULL: none */
} files;

/* What a file is opened with: its shape is settled by the first, what all share is done once, above. */
static struct cnnf_dataset_options part_options(const cnnf_dataset *d)
{
    struct cnnf_dataset_options options = d->options;
    options.shard = 0;
    options.shards = 1;
    return options;
}

static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

bool cnnfi_is_pattern(const char *path)
{
    return strpbrk(path + folder_length(path), "*?") && !cnnfi_os_exists(path);
}

static cnnf_status find_files(cnnf_dataset *d, const char *path, cnnf_error *error)
{
    files *f = d->state;
    const size_t n = folder_length(path);
    char **names = NULL;
    size_t count = 0;
    const char *folder = n ? cnnfi_arena_strndup(&f->names, path, n) : ".";
    if (!folder) return cnnfi_fail_nomem(error);
    const int code = cnnfi_os_list(d->context, folder, &names, &count);
    if (code) return cnnfi_fail(error, cnnfi_os_status(code), "%s: %s", folder, cnnfi_os_error(code));
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; i < count && status == CNNF_OK; i++) {
        if (!cnnfi_glob_match(path + n, names[i])) continue;
        status = cnnfi_check_limit(d->context, CNNF_LIMIT_ENTRIES, (uint64_t)f->count + 1, path, error);
        const char *full = cnnfi_arena_printf(&f->names, "%.*s%s", (int)n, path, names[i]);
        if (status == CNNF_OK &&
            (!full || !cnnfi_grow(d->context, (void **)&f->paths, &f->capacity, (size_t)f->count, sizeof(f->paths[0]))))
            status = cnnfi_fail_nomem(error);
        if (status == CNNF_OK) f->paths[f->count++] = full;
    }
    cnnfi_free(d->context, names);
    if (status == CNNF_OK && f->count == 0)
        return cnnfi_fail(error, CNNF_E_NOT_FOUND, "%s: no file is called so", path);
    return status;
}

static cnnf_status open_part(cnnf_dataset *d, int64_t index, cnnf_error *error)
{
    files *f = d->state;
    const struct cnnf_dataset_options options = part_options(d);
    cnnf_dataset *part = NULL;
    CNNFI_TRY(cnnfi_dataset_open_one(&part, d->context, f->paths[index], &options, error));
    cnnf_dataset_free(f->part);
    f->part = part;
    f->open = index;
    return CNNF_OK;
}

/* Examples as they lie in the file: those of the first file say what all must be. */
static cnnf_status check_part(cnnf_dataset *d, cnnf_error *error)
{
    const files *f = d->state;
    const cnnf_dataset *part = f->part;
    if (f->open == 0) {
        d->default_scale = part->default_scale;
        d->width = part->width;
        d->rank = part->rank;
        memcpy(d->dims, part->dims, sizeof(d->dims));
        d->count = 0;
    }
    if (part->width != d->width || part->rank != d->rank || part->default_scale < d->default_scale ||
        part->default_scale > d->default_scale)
        return cnnfi_fail(error, CNNF_E_MISMATCH, "%s: %s of %lld values per example, but %s has %lld",
                          f->paths[f->open], part->format->name, (long long)part->width, f->paths[0],
                          (long long)d->width);
    d->count = d->count < 0 || part->count < 0 ? -1 : d->count + part->count;
    return CNNF_OK;
}

static cnnf_status files_open(cnnf_dataset *d, cnnfi_source *source, const char *path, cnnf_error *error)
{
    files *f = cnnfi_calloc(d->context, 1, sizeof(*f));
    if (!f) return cnnfi_fail_nomem(error);
    d->state = f;
    cnnfi_arena_init(&f->names, d->context);
    CNNFI_TRY(find_files(d, path, error));
    for (int64_t i = 0; i < f->count; i++) {
        CNNFI_TRY(open_part(d, i, error));
        CNNFI_TRY(check_part(d, error));
    }
    return f->count > 1 ? open_part(d, 0, error) : CNNF_OK;
}

/* The next file, while there is one. */
static cnnf_status go_on(cnnf_dataset *d, bool *more, cnnf_error *error)
{
    files *f = d->state;
    *more = f->open + 1 < f->count;
    return *more ? open_part(d, f->open + 1, error) : CNNF_OK;
}

static cnnf_status files_read(cnnf_dataset *d, int64_t want, float *pixels, int64_t *labels, int64_t *got,
                              cnnf_error *error)
{
    files *f = d->state;
    bool more = true;
    for (*got = 0; *got < want && more;) {
        int64_t n = 0;
        f->part->classes = d->classes;
        CNNFI_TRY(f->part->format->read(f->part, want - *got, pixels + *got * d->width, labels + *got, &n, error));
        *got += n;
        if (n == 0) CNNFI_TRY(go_on(d, &more, error));
    }
    return CNNF_OK;
}

static cnnf_status count_part(cnnf_dataset *part, int64_t *out, cnnf_error *error)
{
    *out = part->count;
    return part->count < 0 ? part->format->count(part, out, error) : CNNF_OK;
}

static cnnf_status files_count(cnnf_dataset *d, int64_t *out, cnnf_error *error)
{
    files *f = d->state;
    *out = 0;
    for (int64_t i = 0; i < f->count; i++) {
        int64_t n = 0;
        CNNFI_TRY(open_part(d, i, error));
        CNNFI_TRY(count_part(f->part, &n, error));
        *out += n;
    }
    return CNNF_OK;
}

static cnnf_status files_rewind(cnnf_dataset *d, cnnf_error *error)
{
    const files *f = d->state;
    return f->open == 0 ? f->part->format->rewind(f->part, error) : open_part(d, 0, error);
}

static cnnf_status files_skip(cnnf_dataset *d, int64_t n, cnnf_error *error)
{
    files *f = d->state;
    bool more = true;
    while (more) {
        int64_t here = 0;
        CNNFI_TRY(count_part(f->part, &here, error));
        CNNFI_TRY(f->part->format->rewind(f->part, error));
        if (n < here) return f->part->format->skip(f->part, n, error);
        n -= here;
        CNNFI_TRY(go_on(d, &more, error));
    }
    return f->part->format->skip(f->part, f->part->count < 0 ? 0 : f->part->count, error);
}

static void files_free(cnnf_dataset *d)
{
    files *f = d->state;
    if (!f) return;
    cnnf_dataset_free(f->part);
    cnnfi_arena_free(&f->names);
    cnnfi_free(d->context, f->paths);
    cnnfi_free(d->context, f);
}

const cnnfi_format cnnfi_format_files = {.name = "files",
                                         .open = files_open,
                                         .read = files_read,
                                         .rewind = files_rewind,
                                         .free = files_free,
                                         .skip = files_skip,
                                         .count = files_count};
