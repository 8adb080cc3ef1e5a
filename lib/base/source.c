/* SPDX-License-Identifier: Apache-2.0 */
#include "base/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "base/os.h"

struct cnnfi_source {
    atomic_int_fast64_t refs;
    cnnf_context *context;
    char *name;
    uint64_t size;
    const uint8_t *memory; /* NULL: a file */
    void *owned;           /* memory copied by us */
    void (*release)(void *user);
    void *user;
    int fd;         /* -1: memory */
    bool temporary; /* ours alone: nobody else can change it */
    bool absent;    /* there is no such file */
    cnnfi_file_id id;
};

static cnnf_status source_new(cnnfi_source **out, cnnf_context *context, const char *name, cnnf_error *error)
{
    cnnfi_source *source = cnnfi_calloc(context, 1, sizeof *source);
    char *copy = cnnfi_strdup(context, name);
    if (!source || !copy) {
        cnnfi_free(context, source);
        cnnfi_free(context, copy);
        return cnnfi_fail_nomem(error);
    }
    atomic_init(&source->refs, 1);
    source->context = cnnf_context_ref(context);
    source->name = copy;
    source->fd = -1;
    *out = source;
    return CNNF_OK;
}

static cnnf_status fail_os(cnnf_error *error, const char *name, const char *what, int code)
{
    return cnnfi_fail_in_file(error, CNNF_E_IO, name, -1, "%s: %s: %s", name, what, cnnfi_os_error(code));
}

cnnf_status cnnfi_source_open(cnnfi_source **out, cnnf_context *context, const char *path, cnnf_error *error)
{
    *out = NULL;
    cnnfi_source *source = NULL;
    CNNFI_TRY(source_new(&source, context, path, error));
    const int code = cnnfi_os_open_read(path, &source->fd, &source->id);
    if (code) {
        source->fd = -1;
        cnnfi_source_unref(source);
        return fail_os(error, path, "cannot open", code);
    }
    source->size = source->id.size;
    if (source->size > cnnfi_limit(context, CNNF_LIMIT_FILE_BYTES)) {
        const cnnf_status status = cnnfi_check_limit(context, CNNF_LIMIT_FILE_BYTES, source->size, path, error);
        cnnfi_source_unref(source);
        return status;
    }
    *out = source;
    return CNNF_OK;
}

cnnf_status cnnfi_source_copy(cnnfi_source **out, cnnf_context *context, const void *data, size_t size,
                              const char *name, cnnf_error *error)
{
    *out = NULL;
    CNNFI_TRY(cnnfi_check_limit(context, CNNF_LIMIT_FILE_BYTES, size, name, error));
    cnnfi_source *source = NULL;
    CNNFI_TRY(source_new(&source, context, name, error));
    source->owned = cnnfi_malloc(context, size);
    if (!source->owned) {
        cnnfi_source_unref(source);
        return cnnfi_fail_nomem(error);
    }
    if (size) memcpy(source->owned, data, size);
    source->memory = source->owned;
    source->size = size;
    *out = source;
    return CNNF_OK;
}

cnnf_status cnnfi_source_wrap(cnnfi_source **out, cnnf_context *context, const void *data, size_t size,
                              const char *name, void (*release)(void *user), void *user, cnnf_error *error)
{
    *out = NULL;
    CNNFI_TRY(cnnfi_check_limit(context, CNNF_LIMIT_FILE_BYTES, size, name, error));
    cnnfi_source *source = NULL;
    CNNFI_TRY(source_new(&source, context, name, error));
    source->memory = size ? data : (const uint8_t *)"";
    source->size = size;
    source->release = release;
    source->user = user;
    *out = source;
    return CNNF_OK;
}

cnnf_status cnnfi_source_temp(cnnfi_source **out, cnnf_context *context, const char *name, cnnf_error *error)
{
    *out = NULL;
    cnnfi_source *source = NULL;
    CNNFI_TRY(source_new(&source, context, name, error));
    const int code = cnnfi_os_open_unlinked(cnnfi_temporary_folder(context), &source->fd);
    if (code) {
        source->fd = -1;
        cnnfi_source_unref(source);
        return fail_os(error, name, "cannot make a temporary file", code);
    }
    source->temporary = true;
    *out = source;
    return CNNF_OK;
}

cnnf_status cnnfi_source_absent(cnnfi_source **out, cnnf_context *context, const char *name, cnnf_error *error)
{
    *out = NULL;
    CNNFI_TRY(source_new(out, context, name, error));
    (*out)->absent = true;
    (*out)->size = INT64_MAX;
    return CNNF_OK;
}

cnnf_status cnnfi_source_append(cnnfi_source *source, const void *data, size_t size, cnnf_error *error)
{
    const uint64_t total = source->size + size;
    CNNFI_TRY(cnnfi_check_limit(source->context, CNNF_LIMIT_FILE_BYTES, total, source->name, error));
    const int code = cnnfi_os_pwrite(source->fd, data, size, source->size);
    if (code) return fail_os(error, source->name, "cannot write the temporary file", code);
    source->size = total;
    return CNNF_OK;
}

cnnfi_source *cnnfi_source_ref(cnnfi_source *source)
{
    atomic_fetch_add_explicit(&source->refs, 1, memory_order_relaxed);
    return source;
}

void cnnfi_source_unref(cnnfi_source *source)
{
    if (!source || atomic_fetch_sub_explicit(&source->refs, 1, memory_order_acq_rel) != 1) return;
    cnnf_context *context = source->context;
    if (source->fd >= 0) cnnfi_os_close(source->fd);
    if (source->release) source->release(source->user);
    cnnfi_free(context, source->owned);
    cnnfi_free(context, source->name);
    cnnfi_free(context, source);
    cnnf_context_unref(context);
}

uint64_t cnnfi_source_size(const cnnfi_source *source)
{
    return source->size;
}

const char *cnnfi_source_name(const cnnfi_source *source)
{
    return source->name;
}

cnnf_context *cnnfi_source_context(const cnnfi_source *source)
{
    return source->context;
}

const uint8_t *cnnfi_source_memory(const cnnfi_source *source)
{
    return source->memory;
}

int cnnfi_source_fd(const cnnfi_source *source)
{
    return source->fd;
}

/* An fstat per read is cheap next to the read, and sees a writer that keeps the size. */
static cnnf_status check_unchanged(const cnnfi_source *source, cnnf_error *error)
{
    cnnfi_file_id now;
    if (source->temporary) return CNNF_OK;
    const int code = cnnfi_os_stat_fd(source->fd, &now);
    if (code) return fail_os(error, source->name, "cannot read", code);
    if (now.size == source->id.size && now.mtime_sec == source->id.mtime_sec &&
        now.mtime_nsec == source->id.mtime_nsec) {
        return CNNF_OK;
    }
    return cnnfi_fail_in_file(error, CNNF_E_IO, source->name, -1, "%s: changed while in use", source->name);
}

cnnf_status cnnfi_source_read(const cnnfi_source *source, uint64_t offset, void *data, size_t size, cnnf_error *error)
{
    if (!cnnfi_range_fits(offset, size, source->size)) {
        return cnnfi_fail_in_file(error, CNNF_E_IO, source->name, (int64_t)offset,
                                  "%s: %zu bytes at %" PRIu64 " lie outside the file of %" PRIu64 " bytes",
                                  source->name, size, offset, source->size);
    }
    if (source->absent) return fail_os(error, source->name, "cannot open", ENOENT);
    if (!size) return CNNF_OK;
    if (source->memory) {
        memcpy(data, source->memory + offset, size);
        return CNNF_OK;
    }
    size_t got = 0;
    const int code = cnnfi_os_pread(source->fd, data, size, offset, &got);
    if (code) return fail_os(error, source->name, "cannot read", code);
    CNNFI_TRY(check_unchanged(source, error));
    if (got == size) return CNNF_OK;
    return cnnfi_fail_in_file(error, CNNF_E_IO, source->name, -1, "%s: changed while in use", source->name);
}

cnnf_status cnnfi_source_read_all(const cnnfi_source *source, uint8_t **out, size_t *size, cnnf_error *error)
{
    *out = NULL;
    *size = 0;
    CNNFI_TRY(cnnfi_check_limit(source->context, CNNF_LIMIT_MEMORY, source->size, source->name, error));
    uint8_t *data = cnnfi_malloc(source->context, (size_t)source->size);
    if (!data) return cnnfi_fail_nomem(error);
    const cnnf_status status = cnnfi_source_read(source, 0, data, (size_t)source->size, error);
    if (status) {
        cnnfi_free(source->context, data);
        return status;
    }
    *out = data;
    *size = (size_t)source->size;
    return CNNF_OK;
}
