/* SPDX-License-Identifier: Apache-2.0 */
/* From what a user names - a prefix, a folder, any file of the family - to the checkpoint. */
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/os.h"
#include "base/path.h"
#include "loader/checkpoint/checkpoint_impl.h"
#include "loader/checkpoint/table_read.h"

#define STATE_NAME   "checkpoint"
#define SHARD_SUFFIX "-00000-of-00000" /* its shape: digits may differ */

static char *join(cnnf_context *context, const char *a, size_t a_size, const char *b)
{
    cnnfi_strbuf buf;
    cnnfi_strbuf_init(&buf, context);
    cnnfi_strbuf_add(&buf, a, a_size);
    cnnfi_strbuf_puts(&buf, b);
    if (!buf.failed) return buf.data;
    cnnfi_strbuf_free(&buf);
    return NULL;
}

static bool is_file(const char *path)
{
    return cnnfi_os_exists(path) && !cnnfi_os_is_folder(path);
}

/* Length of `path` without "-00001-of-00004"; 0 when it does not end so. */
static size_t before_shard(const char *path)
{
    static const char shape[] = SHARD_SUFFIX;
    const size_t n = strlen(path), m = sizeof shape - 1;
    if (n <= m) return 0;
    for (size_t i = 0; i < m; i++) {
        const char c = path[n - m + i];
        if (shape[i] == '0' ? c < '0' || c > '9' : c != shape[i]) return 0;
    }
    return n - m;
}

/* Length of a bundle's prefix when path is one of its members; 0 when not. */
static size_t member_prefix(const char *path)
{
    static const char *const suffixes[] = {".index", ".meta"};
    const size_t n = strlen(path), shard = before_shard(path);
    for (size_t i = 0; i < 2; i++) {
        const size_t m = strlen(suffixes[i]);
        if (n > m && cnnfi_ends_with(path, suffixes[i])) return n - m;
    }
    return shard > 5 && memcmp(path + shard - 5, ".data", 5) == 0 ? shard - 5 : 0;
}

/* Takes `prefix`. */
static cnnf_status found(cnnfi_checkpoint_place *out, char *prefix, int32_t version, cnnf_error *error)
{
    *out = (cnnfi_checkpoint_place){.prefix = prefix, .version = version};
    return prefix ? CNNF_OK : cnnfi_fail_nomem(error);
}

static cnnf_status has_index(bool *yes, cnnf_context *context, const char *prefix, size_t size, cnnf_error *error)
{
    char *index = join(context, prefix, size, ".index");
    if (!index) return cnnfi_fail_nomem(error);
    *yes = cnnfi_os_exists(index);
    cnnfi_free(context, index);
    return CNNF_OK;
}

static cnnf_status is_table(bool *yes, cnnf_context *context, const char *path, cnnf_error *error)
{
    cnnfi_source *source = NULL;
    CNNFI_TRY(cnnfi_source_open(&source, context, path, error));
    *yes = cnnfi_table_detect(source);
    cnnfi_source_unref(source);
    return CNNF_OK;
}

/* A V1 checkpoint's shards have no file of the prefix's own name: looks for PREFIX-00000-of-NNNNN. */
static cnnf_status find_v1_shard(char **out, cnnf_context *context, const char *prefix, cnnf_error *error)
{
    const char *base = cnnfi_path_name(prefix);
    const size_t length = cnnfi_path_folder(prefix);
    char **names = NULL;
    size_t count = 0;
    *out = NULL;
    char *folder = length ? join(context, prefix, length, "") : join(context, ".", 1, "");
    if (!folder) return cnnfi_fail_nomem(error);
    const int code = cnnfi_os_list(context, folder, &names, &count);
    cnnf_status status = code == cnnfi_os_no_memory() ? cnnfi_fail_nomem(error) : CNNF_OK;
    if (code == 0) {
        for (size_t i = 0; i < count && !*out && status == CNNF_OK; i++) {
            const size_t n = before_shard(names[i]);
            if (n != strlen(base) || memcmp(names[i], base, n) != 0) continue;
            *out = join(context, prefix, (size_t)(base - prefix), names[i]);
            if (!*out) status = cnnfi_fail_nomem(error);
        }
    }
    cnnfi_free(context, names);
    cnnfi_free(context, folder);
    return status;
}

/* A sharded V1 Saver names its files by a pattern, "export-?????-of-00004": the first shard stands for it. */
static char *first_of_pattern(cnnf_context *context, const char *path)
{
    static const char pattern[] = "-\?\?\?\?\?-of-" /* no trigraphs */;
    const size_t n = strlen(path), tail = sizeof SHARD_SUFFIX - 1;
    char *shard = join(context, path, n, "");
    if (shard && n > tail && memcmp(path + n - tail, pattern, sizeof pattern - 1) == 0)
        memcpy(shard + n - tail, "-00000", 6);
    return shard;
}

/* ---- prefixes with wildcards ---- */

static bool has_wildcard(const char *path)
{
    return strpbrk(cnnfi_path_name(path), "*?") != NULL;
}

/* Whether `name` is of a checkpoint that fits the pattern; an index loses its ending. */
static cnnf_status fits_pattern(bool *yes, cnnf_context *context, const char *pattern, const char *base, char *name,
                                cnnf_error *error)
{
    const size_t n = strlen(name), ending = strlen(".index");
    const bool index = n > ending && cnnfi_ends_with(name, ".index");
    if (index) name[n - ending] = '\0';
    *yes = cnnfi_glob_match(base, name);
    if (!*yes || index) return CNNF_OK;
    if (before_shard(name)) {
        *yes = member_prefix(name) == 0; /* a V1 shard, not a bundle's data */
        return CNNF_OK;
    }
    char *path = join(context, pattern, (size_t)(base - pattern), name);
    if (!path) return cnnfi_fail_nomem(error);
    *yes = false;
    const cnnf_status status = is_file(path) ? is_table(yes, context, path, error) : CNNF_OK;
    cnnfi_free(context, path);
    return status == CNNF_E_NOMEM ? status : CNNF_OK;
}

/* The one name of a checkpoint that a pattern stands for: a prefix, a V1 file, the first of V1 shards. NULL: none. */
static cnnf_status choose(const char **out, cnnf_context *context, const char *pattern, const char *base, char **names,
                          size_t count, cnnf_error *error)
{
    size_t matches = 0;
    *out = NULL;
    for (size_t i = 0; i < count; i++) {
        bool yes = false;
        CNNFI_TRY(fits_pattern(&yes, context, pattern, base, names[i], error));
        const size_t shard = before_shard(names[i]);
        if (!yes || (*out && shard && strncmp(*out, names[i], shard) == 0)) continue; /* another of its shards */
        *out = names[i];
        matches++;
    }
    if (matches < 2) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_INVALID, "%s: fits %zu checkpoints, '%s' the last of them", pattern, matches, *out);
}

static cnnf_status expand(char **out, cnnf_context *context, const char *pattern, cnnf_error *error)
{
    const char *base = cnnfi_path_name(pattern), *name = NULL;
    const size_t length = cnnfi_path_folder(pattern);
    char **names = NULL, *folder = join(context, length ? pattern : ".", length ? length : 1, "");
    size_t count = 0;
    *out = NULL;
    if (!folder) return cnnfi_fail_nomem(error);
    const int code = cnnfi_os_list(context, folder, &names, &count);
    cnnf_status status = code == cnnfi_os_no_memory() ? cnnfi_fail_nomem(error)
                         : code                       ? CNNF_OK
                                                      : choose(&name, context, pattern, base, names, count, error);
    if (status == CNNF_OK && name) {
        *out = join(context, pattern, (size_t)(base - pattern), name);
        if (!*out) status = cnnfi_fail_nomem(error);
    }
    cnnfi_free(context, names);
    cnnfi_free(context, folder);
    return status;
}

static cnnf_status locate_table(cnnfi_checkpoint_place *out, cnnf_context *context, const char *path, cnnf_error *error)
{
    bool table = false;
    CNNFI_TRY(is_table(&table, context, path, error));
    if (table) return found(out, join(context, path, strlen(path), ""), CNNFI_CHECKPOINT_V1, error);
    return cnnfi_fail(error, CNNF_E_FORMAT, "%s: not a checkpoint (no table magic at its end, and no '%s.index')", path,
                      path);
}

/* `path` as a prefix, with nothing looked up in state files: what a state file leads to. */
static cnnf_status locate_prefix(cnnfi_checkpoint_place *out, cnnf_context *context, const char *path,
                                 cnnf_error *error)
{
    bool index = false;
    const size_t n = strlen(path), member = member_prefix(path);
    CNNFI_TRY(has_index(&index, context, path, n, error));
    if (index) return found(out, join(context, path, n, ""), CNNFI_CHECKPOINT_V2, error);
    if (member) CNNFI_TRY(has_index(&index, context, path, member, error));
    if (index) return found(out, join(context, path, member, ""), CNNFI_CHECKPOINT_V2, error);
    if (member && cnnfi_ends_with(path, ".meta")) {
        char *prefix = join(context, path, member, "");
        if (!prefix) return cnnfi_fail_nomem(error);
        const cnnf_status status = locate_prefix(out, context, prefix, error);
        cnnfi_free(context, prefix);
        return status;
    }
    if (member)
        return cnnfi_fail(error, CNNF_E_NOT_FOUND, "%s: its index '%.*s.index' does not exist", path, (int)member,
                          path);
    if (is_file(path)) return locate_table(out, context, path, error);
    char *shard;
    CNNFI_TRY(find_v1_shard(&shard, context, path, error));
    if (!shard) return cnnfi_fail(error, CNNF_E_NOT_FOUND, "%s: no checkpoint: '%s.index' does not exist", path, path);
    return found(out, shard, CNNFI_CHECKPOINT_V1, error);
}

static cnnf_status locate_state(cnnfi_checkpoint_place *out, cnnf_context *context, const char *path, cnnf_error *error)
{
    char *prefix = NULL;
    CNNFI_TRY(cnnfi_checkpoint_read_state(&prefix, context, path, error));
    char *place = first_of_pattern(context, prefix);
    cnnfi_free(context, prefix);
    if (!place) return cnnfi_fail_nomem(error);
    const cnnf_status status = locate_prefix(out, context, place, error);
    cnnfi_free(context, place);
    return status == CNNF_OK ? status : cnnfi_error_prefix(error, status, "%s", path);
}

/* A folder without a state file: its only .index (a SavedModel's `variables`). */
static cnnf_status locate_only_index(cnnfi_checkpoint_place *out, cnnf_context *context, const char *folder,
                                     cnnf_error *error)
{
    char **names = NULL;
    size_t count = 0, n_index = 0, which = 0;
    const int code = cnnfi_os_list(context, folder, &names, &count);
    if (code) return cnnfi_fail(error, CNNF_E_IO, "%s: cannot list: %s", folder, cnnfi_os_error(code));
    for (size_t i = 0; i < count; i++) {
        if (!cnnfi_ends_with(names[i], ".index")) continue;
        which = i;
        n_index++;
    }
    cnnf_status status;
    if (n_index == 1) {
        names[which][strlen(names[which]) - strlen(".index")] = '\0';
        cnnfi_strbuf path;
        cnnfi_strbuf_init(&path, context);
        cnnfi_strbuf_printf(&path, "%s%s%s", folder, cnnfi_ends_with(folder, "/") ? "" : "/", names[which]);
        status = found(out, path.failed ? NULL : path.data, CNNFI_CHECKPOINT_V2, error);
        if (path.failed) cnnfi_strbuf_free(&path);
    } else {
        status = cnnfi_fail(error, CNNF_E_NOT_FOUND, "%s: no '" STATE_NAME "' file in it, and %zu .index files", folder,
                            n_index);
    }
    cnnfi_free(context, names);
    return status;
}

static cnnf_status locate_in_folder(cnnfi_checkpoint_place *out, cnnf_context *context, const char *folder,
                                    cnnf_error *error)
{
    char *state = join(context, folder, strlen(folder), cnnfi_ends_with(folder, "/") ? STATE_NAME : "/" STATE_NAME);
    if (!state) return cnnfi_fail_nomem(error);
    const cnnf_status status =
        is_file(state) ? locate_state(out, context, state, error) : locate_only_index(out, context, folder, error);
    cnnfi_free(context, state);
    return status;
}

/* Called `checkpoint`, or any other name with such content. */
static bool is_state_file(cnnf_context *context, const char *path)
{
    static const char field[] = "model_checkpoint_path";
    char head[sizeof field - 1];
    cnnfi_source *source = NULL;
    if (!is_file(path)) return false;
    if (strcmp(cnnfi_path_name(path), STATE_NAME) == 0) return true;
    if (cnnfi_source_open(&source, context, path, NULL) != CNNF_OK) return false;
    const bool yes = cnnfi_source_size(source) >= sizeof head &&
                     cnnfi_source_read(source, 0, head, sizeof head, NULL) == CNNF_OK &&
                     memcmp(head, field, sizeof head) == 0;
    cnnfi_source_unref(source);
    return yes;
}

cnnf_status cnnfi_checkpoint_locate(cnnfi_checkpoint_place *out, cnnf_context *context, const char *path,
                                    cnnf_error *error)
{
    bool index = false;
    *out = (cnnfi_checkpoint_place){.prefix = NULL};
    CNNFI_TRY(has_index(&index, context, path, strlen(path), error));
    if (index) return found(out, join(context, path, strlen(path), ""), CNNFI_CHECKPOINT_V2, error);
    if (cnnfi_os_is_folder(path)) return locate_in_folder(out, context, path, error);
    if (is_state_file(context, path)) return locate_state(out, context, path, error);
    char *expanded = NULL;
    if (!cnnfi_os_exists(path) && has_wildcard(path)) CNNFI_TRY(expand(&expanded, context, path, error));
    const cnnf_status status = locate_prefix(out, context, expanded ? expanded : path, error);
    cnnfi_free(context, expanded);
    return status;
}
