/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/run_folder.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/os.h"
#include "base/str.h"
#include "loader/checkpoint/checkpoint_impl.h"

#define META ".meta"

/* PREFIX.meta where it exists; else NULL. */
static cnnf_status meta_of(char **out, cnnf_context *context, const char *prefix, size_t size, cnnf_error *error)
{
    cnnfi_strbuf path;
    cnnfi_strbuf_init(&path, context);
    cnnfi_strbuf_add(&path, prefix, size);
    cnnfi_strbuf_puts(&path, META);
    *out = NULL;
    if (path.failed) {
        cnnfi_strbuf_free(&path);
        return cnnfi_fail_nomem(error);
    }
    if (cnnfi_os_exists(path.data))
        *out = path.data;
    else
        cnnfi_strbuf_free(&path);
    return CNNF_OK;
}

/* "model.ckpt-00000-of-00002" is a shard of model.ckpt: the length without it, else the whole. */
static size_t without_shard(const char *prefix)
{
    const size_t n = strlen(prefix), tail = strlen("-00000-of-00000");
    return n > tail && memcmp(prefix + n - strlen("-of-00000"), "-of-", 4) == 0 ? n - tail : n;
}

/* "model.ckpt-1000.meta": 1000; -1 when there is no number. */
static int64_t step_of(const char *name)
{
    size_t end = strlen(name) - strlen(META), start = end;
    int64_t step = 0;
    while (start > 0 && name[start - 1] >= '0' && name[start - 1] <= '9')
        start--;
    if (start == end || start == 0 || name[start - 1] != '-') return -1;
    for (size_t i = start; i < end && step < INT64_MAX / 10 - 9; i++)
        step = step * 10 + (name[i] - '0');
    return step;
}

/* The .meta of the highest step, of one step the last by name. */
static cnnf_status newest_meta(char **out, cnnf_context *context, const char *folder, cnnf_error *error)
{
    char **names = NULL, *best = NULL;
    size_t count = 0;
    const int code = cnnfi_os_list(context, folder, &names, &count);
    if (code == cnnfi_os_no_memory()) return cnnfi_fail_nomem(error);
    if (code) return CNNF_OK;
    for (size_t i = 0; i < count; i++) {
        if (cnnfi_ends_with(names[i], META) && (!best || step_of(names[i]) >= step_of(best))) best = names[i];
    }
    cnnf_status status = CNNF_OK;
    if (best) {
        cnnfi_strbuf path;
        cnnfi_strbuf_init(&path, context);
        cnnfi_strbuf_printf(&path, "%s%s%s", folder, cnnfi_ends_with(folder, "/") ? "" : "/", best);
        if (path.failed) {
            cnnfi_strbuf_free(&path);
            status = cnnfi_fail_nomem(error);
        } else {
            *out = path.data;
        }
    }
    cnnfi_free(context, names);
    return status;
}

/* The folder's newest .meta, and the checkpoint of its name where there is one. */
static cnnf_status find_newest(char **meta, char **prefix, cnnf_context *context, const char *folder, cnnf_error *error)
{
    cnnfi_checkpoint_place place = {.prefix = NULL};
    struct cnnf_error ignored = {0};
    CNNFI_TRY(newest_meta(meta, context, folder, error));
    if (!*meta) return CNNF_OK;
    cnnfi_free(context, *prefix);
    *prefix = NULL;
    const cnnf_status status = cnnfi_checkpoint_locate(&place, context, *meta, &ignored);
    *prefix = place.prefix;
    return status == CNNF_E_NOMEM ? cnnfi_fail_nomem(error) : CNNF_OK;
}

cnnf_status cnnfi_find_run(char **meta, char **prefix, cnnf_context *context, const char *path, cnnf_error *error)
{
    cnnfi_checkpoint_place place = {.prefix = NULL};
    struct cnnf_error ignored = {0};
    *meta = *prefix = NULL;
    cnnf_status status = cnnfi_checkpoint_locate(&place, context, path, &ignored);
    if (status == CNNF_E_NOMEM) return cnnfi_fail_nomem(error);
    *prefix = place.prefix;
    status = *prefix ? meta_of(meta, context, *prefix, without_shard(*prefix), error)
                     : meta_of(meta, context, path, strlen(path), error);
    if (status == CNNF_OK && !*meta && cnnfi_os_is_folder(path))
        status = find_newest(meta, prefix, context, path, error);
    if (status == CNNF_OK) return CNNF_OK;
    cnnfi_free(context, *meta);
    cnnfi_free(context, *prefix);
    *meta = *prefix = NULL;
    return status;
}
