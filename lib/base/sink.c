/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sink.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/os.h"
#include "base/replace.h"

/* Small writes are gathered; what is larger goes straight through. */
#define SINK_BUFFER_BYTES ((size_t)64 * 1024)

typedef struct sink_kind sink_kind;

struct cnnfi_sink {
    const sink_kind *kind;
    cnnf_context *context; /* a reference */
    uint64_t written;
    bool committed;
    cnnf_progress_fn progress;
    void *progress_user;
    uint64_t progress_total;
    cnnfi_budget budget, *payer; /* its own, or that of its set */

    uint8_t *gathered; /* SINK_BUFFER_BYTES; file and callback */
    size_t n_gathered;

    char *path;         /* file and device: as the caller named it */
    cnnfi_output place; /* file: what is replaced; device: what is written through */
    char *temp_name;    /* file: NULL once it is gone */
    int fd;             /* of the temporary file */
    bool fsync;

    uint8_t *bytes; /* buffer */
    size_t capacity;

    int32_t (*write)(const void *, size_t, void *); /* callback */
    void *user;
};

struct sink_kind {
    cnnf_status (*put)(cnnfi_sink *sink, const void *data, size_t size, cnnf_error *error);
    cnnf_status (*commit)(cnnfi_sink *sink, cnnf_error *error);
};

static cnnf_status io_failure(cnnfi_sink *sink, int code, const char *doing, cnnf_error *error)
{
    const cnnf_status failed = cnnfi_os_status(code);
    if (failed == CNNF_E_NOMEM) return cnnfi_fail_nomem(error);
    return cnnfi_fail_in_file(error, failed, sink->path, -1, "%s: cannot %s: %s", sink->path, doing,
                              cnnfi_os_error(code));
}

/* ---- file ---- */

static cnnf_status file_put(cnnfi_sink *sink, const void *data, size_t size, cnnf_error *error)
{
    int code = cnnfi_os_write(sink->fd, data, size);
    return code == 0 ? CNNF_OK : io_failure(sink, code, "write", error);
}

/* All but the name: permissions, and what the disk has to say. */
static cnnf_status file_finish(cnnfi_sink *sink, cnnf_error *error)
{
    int code = cnnfi_os_chmod(sink->fd, sink->place.mode);
    if (code != 0) return io_failure(sink, code, "set the mode of", error);
    code = sink->fsync ? cnnfi_os_fsync(sink->fd) : cnnfi_os_settle(sink->fd);
    return code == 0 ? CNNF_OK : io_failure(sink, code, "flush", error);
}

static cnnf_status file_commit(cnnfi_sink *sink, cnnf_error *error)
{
    CNNFI_TRY(file_finish(sink, error));
    cnnfi_replacement file = {.temporary = sink->temp_name, .final = sink->place.name};
    const int code = cnnfi_replace(sink->context, &file, sink->fsync);
    sink->temp_name = file.temporary;
    return code == 0 ? CNNF_OK : io_failure(sink, code, "replace", error);
}

/* ---- device, pipe, descriptor ---- */

static cnnf_status device_put(cnnfi_sink *sink, const void *data, size_t size, cnnf_error *error)
{
    int code = cnnfi_os_write(sink->place.fd, data, size);
    return code == 0 ? CNNF_OK : io_failure(sink, code, "write", error);
}

/* ---- growing buffer ---- */

static cnnf_status buffer_put(cnnfi_sink *sink, const void *data, size_t size, cnnf_error *error)
{
    size_t used = (size_t)sink->written;
    if (size > SIZE_MAX / 2 - used) return cnnfi_fail_nomem(error);
    if (used + size > sink->capacity) {
        size_t capacity = used + size > 2 * sink->capacity ? used + size : 2 * sink->capacity;
        uint8_t *bytes = (uint8_t *)cnnfi_realloc(sink->context, sink->bytes, capacity);
        if (bytes == NULL) return cnnfi_fail_nomem(error);
        sink->bytes = bytes;
        sink->capacity = capacity;
    }
    memcpy(sink->bytes + used, data, size);
    return CNNF_OK;
}

/* ---- callback ---- */

static cnnf_status callback_put(cnnfi_sink *sink, const void *data, size_t size, cnnf_error *error)
{
    if (sink->write(data, size, sink->user) == 0) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_IO, "the output callback stopped after %llu bytes",
                      (unsigned long long)sink->written);
}

static cnnf_status nothing_to_commit(cnnfi_sink *sink, cnnf_error *error)
{
    return CNNF_OK;
}

static const sink_kind device_kind = {device_put, nothing_to_commit};
static const sink_kind file_kind = {file_put, file_commit};
static const sink_kind buffer_kind = {buffer_put, nothing_to_commit};
static const sink_kind callback_kind = {callback_put, nothing_to_commit};

/* ---- common ---- */

static bool wants_to_stop(void *user)
{
    const cnnfi_sink *sink = user;
    return sink->progress && sink->progress(sink->written, sink->progress_total, sink->progress_user) != 0;
}

static cnnfi_sink *sink_new(cnnf_context *context, const sink_kind *kind)
{
    cnnfi_sink *sink = (cnnfi_sink *)cnnfi_calloc(context, 1, sizeof *sink);
    if (sink == NULL) return NULL;
    sink->kind = kind;
    sink->fd = sink->place.fd = -1;
    sink->context = cnnf_context_ref(context);
    cnnfi_budget_init_file(&sink->budget, context);
    sink->budget.stop = wants_to_stop;
    sink->budget.user = sink;
    sink->payer = &sink->budget;
    if (kind == &buffer_kind) return sink;
    sink->gathered = (uint8_t *)cnnfi_malloc(context, SINK_BUFFER_BYTES);
    if (sink->gathered != NULL) return sink;
    cnnfi_sink_free(sink);
    return NULL;
}

static cnnf_status open_file(cnnfi_sink *sink, cnnf_error *error)
{
    cnnf_context *context = sink->context;
    /* First what others left: a name of theirs may be a link that is about to end. */
    cnnfi_replace_sweep(context, sink->path);
    int code = cnnfi_os_output_open(context, sink->path, &sink->place);
    if (code == 0 && sink->place.fd >= 0) {
        sink->kind = &device_kind;
        return CNNF_OK;
    }
    if (code == 0 && strcmp(sink->path, sink->place.name) != 0) cnnfi_replace_sweep(context, sink->place.name);
    if (code == 0 && !sink->place.exists) code = cnnfi_temporary_mode(context, sink->place.name, &sink->place.mode);
    if (code == 0) code = cnnfi_temporary_open(context, sink->place.name, &sink->temp_name, &sink->fd);
    return code == 0 ? CNNF_OK : io_failure(sink, code, "create", error);
}

cnnf_status cnnfi_sink_file(cnnfi_sink **out, cnnf_context *context, const char *path, bool fsync, cnnf_error *error)
{
    *out = NULL;
    if (cnnfi_os_is_folder(path)) return cnnfi_fail(error, CNNF_E_IO, "%s: cannot create: it is a folder", path);
    cnnfi_sink *sink = sink_new(context, &file_kind);
    if (sink == NULL) return cnnfi_fail_nomem(error);
    sink->fsync = fsync;
    sink->path = cnnfi_strdup(context, path);
    const cnnf_status status = sink->path == NULL ? cnnfi_fail_nomem(error) : open_file(sink, error);
    if (status == CNNF_OK)
        *out = sink;
    else
        cnnfi_sink_free(sink);
    return status;
}

cnnf_status cnnfi_sink_buffer(cnnfi_sink **out, cnnf_context *context, cnnf_error *error)
{
    *out = sink_new(context, &buffer_kind);
    return *out != NULL ? CNNF_OK : cnnfi_fail_nomem(error);
}

cnnf_status cnnfi_sink_callback(cnnfi_sink **out, cnnf_context *context, int32_t (*write)(const void *, size_t, void *),
                                void *user, cnnf_error *error)
{
    *out = sink_new(context, &callback_kind);
    if (*out == NULL) return cnnfi_fail_nomem(error);
    (*out)->write = write;
    (*out)->user = user;
    return CNNF_OK;
}

void cnnfi_sink_set_progress(cnnfi_sink *sink, cnnf_progress_fn progress, void *user, uint64_t total)
{
    sink->progress = progress;
    sink->progress_user = user;
    sink->progress_total = total;
}

cnnfi_budget *cnnfi_sink_budget(cnnfi_sink *sink)
{
    return sink->payer;
}

void cnnfi_sink_join(cnnfi_sink *sink, cnnfi_sink *first)
{
    sink->payer = first->payer;
}

cnnf_status cnnfi_sink_flush(cnnfi_sink *sink, cnnf_error *error)
{
    if (sink->n_gathered == 0) return CNNF_OK;
    CNNFI_TRY(cnnfi_budget_spend(sink->payer, cnnfi_steps_of_bytes(sink->n_gathered), error));
    CNNFI_TRY(sink->kind->put(sink, sink->gathered, sink->n_gathered, error));
    sink->n_gathered = 0;
    if (sink->progress != NULL && sink->progress(sink->written, sink->progress_total, sink->progress_user) != 0)
        return cnnfi_fail(error, CNNF_E_CANCELLED, "cancelled while writing");
    return CNNF_OK;
}

/* Past the gathering buffer, in pieces so that progress is heard of often enough. */
static cnnf_status put_through(cnnfi_sink *sink, const uint8_t *data, size_t size, cnnf_error *error)
{
    while (size > 0) {
        size_t piece = sink->gathered != NULL && size > 4 * SINK_BUFFER_BYTES ? 4 * SINK_BUFFER_BYTES : size;
        CNNFI_TRY(cnnfi_budget_spend(sink->payer, piece / CNNFI_STEP_ELEMENTS, error));
        CNNFI_TRY(sink->kind->put(sink, data, piece, error));
        sink->written += piece;
        data += piece;
        size -= piece;
        if (sink->progress != NULL && sink->progress(sink->written, sink->progress_total, sink->progress_user) != 0)
            return cnnfi_fail(error, CNNF_E_CANCELLED, "cancelled while writing");
    }
    return CNNF_OK;
}

cnnf_status cnnfi_sink_write(cnnfi_sink *sink, const void *data, size_t size, cnnf_error *error)
{
    if (size == 0) return CNNF_OK;
    if (sink->gathered == NULL) return put_through(sink, (const uint8_t *)data, size, error);
    if (size > SINK_BUFFER_BYTES - sink->n_gathered) CNNFI_TRY(cnnfi_sink_flush(sink, error));
    if (size >= SINK_BUFFER_BYTES) return put_through(sink, (const uint8_t *)data, size, error);
    memcpy(sink->gathered + sink->n_gathered, data, size);
    sink->n_gathered += size;
    sink->written += size;
    return CNNF_OK;
}

uint64_t cnnfi_sink_written(const cnnfi_sink *sink)
{
    return sink->written;
}

cnnf_status cnnfi_sink_commit(cnnfi_sink *sink, cnnf_error *error)
{
    CNNFI_TRY(cnnfi_sink_flush(sink, error));
    CNNFI_TRY(sink->kind->commit(sink, error));
    sink->committed = true;
    return CNNF_OK;
}

/* The sinks that make a set: those of files. */
static cnnf_status finish_set(cnnfi_sink *const *sinks, size_t count, cnnfi_replacement *files, cnnf_error *error)
{
    for (size_t i = 0; i < count; i++) {
        CNNFI_TRY(file_finish(sinks[i], error));
        files[i] = (cnnfi_replacement){.temporary = sinks[i]->temp_name, .final = sinks[i]->place.name};
    }
    const int code = cnnfi_replace_set(sinks[0]->context, files, count, sinks[0]->fsync);
    for (size_t i = 0; i < count; i++)
        sinks[i]->temp_name = files[i].temporary;
    return code == 0 ? CNNF_OK : io_failure(sinks[0], code, "replace", error);
}

cnnf_status cnnfi_sink_commit_set(cnnfi_sink *const *sinks, size_t count, cnnf_error *error)
{
    bool files_only = true;
    for (size_t i = 0; i < count; i++) {
        CNNFI_TRY(cnnfi_sink_flush(sinks[i], error));
        files_only = files_only && sinks[i]->kind == &file_kind;
    }
    if (!files_only) {
        for (size_t i = 0; i < count; i++)
            CNNFI_TRY(cnnfi_sink_commit(sinks[i], error));
        return CNNF_OK;
    }
    cnnfi_replacement *files = (cnnfi_replacement *)cnnfi_array(sinks[0]->context, count, sizeof *files);
    if (files == NULL) return cnnfi_fail_nomem(error);
    const cnnf_status status = finish_set(sinks, count, files, error);
    cnnfi_free(sinks[0]->context, files);
    return status;
}

cnnf_status cnnfi_sink_take_buffer(cnnfi_sink *sink, cnnf_buffer **out, cnnf_error *error)
{
    *out = NULL;
    if (sink->kind != &buffer_kind || !sink->committed)
        return cnnfi_fail(error, CNNF_E_INTERNAL, "sink: no committed buffer to take");
    *out = cnnfi_buffer_new(sink->context, (size_t)sink->written);
    if (*out == NULL) return cnnfi_fail_nomem(error);
    if (sink->written > 0) memcpy(cnnfi_buffer_mut(*out), sink->bytes, (size_t)sink->written);
    return CNNF_OK;
}

void cnnfi_sink_free(cnnfi_sink *sink)
{
    if (sink == NULL) return;
    cnnf_context *context = sink->context;
    cnnfi_temporary_discard(context, sink->temp_name);
    if (sink->fd >= 0) cnnfi_os_close(sink->fd);
    if (sink->place.fd >= 0) cnnfi_os_close(sink->place.fd);
    cnnfi_free(context, sink->place.name);
    cnnfi_free(context, sink->path);
    cnnfi_free(context, sink->bytes);
    cnnfi_free(context, sink->gathered);
    cnnfi_free(context, sink);
    cnnf_context_unref(context);
}
