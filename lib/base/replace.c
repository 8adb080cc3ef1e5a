/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A single file is renamed over its old one. Several files (a checkpoint's data, index, meta, state) have no such call:
 * between two renames a reader would find a new index with old data. So their names are made to hang on one link:
 *
 *     S = .cnnfreeze-PID-SALT.set, a folder beside them; S/old, S/new; S/now, a link to `old` or `new`
 *
 *  1. S is made and locked; the old files get second names in S/old (hard links).
 *  2. S/now -> old.
 *  3. The finished temporary files move to S/new.
 *  4. Each final name becomes a link S/now/NAME, one by one: it still reads as the old file, or as none.
 *  5. S/now -> new, by one rename: all names read as the new files.
 *  6. Each S/new/NAME moves over its final name, one by one: nothing changes for readers.
 *  7. S is removed.
 *
 * A process may die before, after and within each step: up to 5 every reader finds the old set, from then on the new
 * one, whole. The next writer in the folder finds S unlocked and ends what was begun (recover): links to S/now are
 * replaced by what they read as, and S goes. It can be killed too; what it does may be done again.
 *
 * Where there are no links (FAT, some network folders) or the names lie in different folders, the files are renamed in
 * their order, as TensorFlow does; then a death between two renames leaves a mixture.
 */
#include "base/replace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/context.h"
#include "base/os.h"
#include "base/path.h"

#define PREFIX     ".cnnfreeze-"
#define TEMP_TRIES 100

static const char *folder_of(cnnfi_arena *arena, const char *path)
{
    const size_t length = cnnfi_path_folder(path);
    return length ? cnnfi_arena_strndup(arena, path, length) : ".";
}

/* ---- temporary files ---- */

/* ".cnnfreeze-PID-SALT.tmp"; a folder ends in "set". */
static char *make_name(cnnfi_arena *arena, const char *final, const char *ending, unsigned turn)
{
    const uint64_t salt = cnnfi_os_now_ns() ^ (uint64_t)(uintptr_t)arena << 20 ^ turn;
    return cnnfi_arena_printf(arena, "%.*s" PREFIX "%" PRId64 "-%" PRIx64 ".%s", (int)cnnfi_path_folder(final), final,
                              cnnfi_os_pid(), salt, ending);
}

/* Tries names until `create` finds a free one. *name: in the arena. */
static int create_unique(cnnf_context *context, cnnfi_arena *arena, const char *final, const char *ending,
                         int (*create)(const char *, int *), const char **name, int *fd)
{
    int code = 0;
    for (unsigned i = 0; i < TEMP_TRIES; i++) {
        *name = make_name(arena, final, ending, i);
        if (!*name) return cnnfi_os_no_memory();
        cnnfi_tell_temporary(context, *name, true);
        code = create(*name, fd);
        if (!code) return 0;
        cnnfi_tell_temporary(context, *name, false);
        if (!cnnfi_os_is_taken(code)) return code;
    }
    return code;
}

int cnnfi_temporary_open(cnnf_context *context, const char *final, char **name, int *fd)
{
    const char *made = NULL;
    cnnfi_arena arena;
    cnnfi_arena_init(&arena, context);
    *name = NULL;
    int code = create_unique(context, &arena, final, "tmp", cnnfi_os_temp_create, &made, fd);
    if (!code) {
        *name = cnnfi_strdup(context, made);
        if (!*name) {
            cnnfi_os_close(*fd);
            cnnfi_os_unlink(made);
            cnnfi_tell_temporary(context, made, false);
            code = cnnfi_os_no_memory();
        }
    }
    cnnfi_arena_free(&arena);
    return code;
}

int cnnfi_temporary_mode(cnnf_context *context, const char *final, uint32_t *mode)
{
    cnnfi_arena arena;
    cnnfi_arena_init(&arena, context);
    const char *folder = folder_of(&arena, final), *probe = make_name(&arena, final, "tmp", 0);
    const int code = folder && probe ? cnnfi_os_new_mode(folder, probe, mode) : cnnfi_os_no_memory();
    cnnfi_arena_free(&arena);
    return code;
}

static void forget(cnnf_context *context, char *name)
{
    cnnfi_tell_temporary(context, name, false);
    cnnfi_free(context, name);
}

void cnnfi_temporary_discard(cnnf_context *context, char *name)
{
    if (!name) return;
    cnnfi_os_unlink(name);
    forget(context, name);
}

static int sync_folder_of(cnnf_context *context, const char *path)
{
    cnnfi_arena arena;
    cnnfi_arena_init(&arena, context);
    const char *folder = folder_of(&arena, path);
    const int code = folder ? cnnfi_os_fsync_folder(folder) : cnnfi_os_no_memory();
    cnnfi_arena_free(&arena);
    return code;
}

int cnnfi_replace(cnnf_context *context, cnnfi_replacement *file, bool fsync)
{
    const int code = cnnfi_os_rename(file->temporary, file->final);
    if (code) return code;
    forget(context, file->temporary);
    file->temporary = NULL;
    return fsync ? sync_folder_of(context, file->final) : 0;
}

/* ---- sets ---- */

/* All names are made before the first step: none of them may fail for want of memory half way. */
typedef struct set_member {
    const char *final, *in_old, *in_new, *link; /* `link`: what the final name says in between */
} set_member;

typedef struct set {
    cnnfi_arena arena;
    const char *path; /* S */
    const char *folder, *old, *new, *now, *next, *name;
    set_member *members;
    size_t count;
    int lock;
} set;

static bool name_set(set *s, const cnnfi_replacement *files)
{
    cnnfi_arena *a = &s->arena;
    const char *base = s->path + cnnfi_path_folder(s->path);
    s->folder = folder_of(a, s->path);
    s->old = cnnfi_arena_printf(a, "%s/old", s->path);
    s->new = cnnfi_arena_printf(a, "%s/new", s->path);
    s->now = cnnfi_arena_printf(a, "%s/now", s->path);
    s->next = cnnfi_arena_printf(a, "%s/next", s->path);
    s->name = cnnfi_arena_printf(a, "%s/name", s->path);
    s->members = cnnfi_arena_array(a, s->count, sizeof *s->members);
    bool named = s->folder && s->old && s->new && s->now && s->next && s->name && s->members;
    for (size_t i = 0; named && i < s->count; i++) {
        set_member *m = &s->members[i];
        const char *name = files[i].final + cnnfi_path_folder(files[i].final);
        *m = (set_member){.final = files[i].final,
                          .in_old = cnnfi_arena_printf(a, "%s/%s", s->old, name),
                          .in_new = cnnfi_arena_printf(a, "%s/%s", s->new, name),
                          .link = cnnfi_arena_printf(a, "%s/now/%s", base, name)};
        named = m->in_old && m->in_new && m->link;
    }
    return named;
}

static int make_link(const char *text, const char *by_way_of, const char *name)
{
    const int code = cnnfi_os_symlink(text, by_way_of);
    return code ? code : cnnfi_os_rename(by_way_of, name);
}

/* Steps 1 and 2. Nothing is seen of them from outside. */
static int set_keep_old(const set *s)
{
    int code = cnnfi_os_make_folder(s->old);
    if (!code) code = cnnfi_os_make_folder(s->new);
    for (size_t i = 0; !code && i < s->count; i++) {
        code = cnnfi_os_link(s->members[i].final, s->members[i].in_old);
        if (cnnfi_os_is_absent(code)) code = 0;
    }
    return code ? code : make_link("old", s->next, s->now);
}

/* Steps 3 and 4. */
static int set_hang_names(const set *s, cnnf_context *context, cnnfi_replacement *files)
{
    int code = 0;
    for (size_t i = 0; !code && i < s->count; i++) {
        code = cnnfi_os_rename(files[i].temporary, s->members[i].in_new);
        if (code) break;
        forget(context, files[i].temporary);
        files[i].temporary = NULL;
    }
    for (size_t i = 0; !code && i < s->count; i++)
        code = make_link(s->members[i].link, s->name, s->members[i].final);
    return code;
}

static int set_sync(const set *s)
{
    int code = cnnfi_os_fsync_folder(s->new);
    if (!code) code = cnnfi_os_fsync_folder(s->path);
    return code ? code : cnnfi_os_fsync_folder(s->folder);
}

/* Steps 5 and 6. */
static int set_turn(const set *s, bool fsync)
{
    int code = make_link("new", s->next, s->now);
    if (!code && fsync) code = set_sync(s);
    for (size_t i = 0; !code && i < s->count; i++)
        code = cnnfi_os_rename(s->members[i].in_new, s->members[i].final);
    return code;
}

/* ---- recovery: of our own failures and of dead processes ---- */

typedef struct recovery {
    cnnf_context *context;
    const char *path, *folder; /* S; the folder it is in, "" or with its slash */
    const char *now;           /* "old", "new"; NULL: no name hangs on it */
} recovery;

/* A final name that still is a link into S becomes what it reads as. */
static int recover_name(const recovery *r, cnnfi_arena *arena, const char *name)
{
    char *text = NULL;
    const char *base = r->path + cnnfi_path_folder(r->path);
    const char *final = cnnfi_arena_printf(arena, "%s%s", r->folder, name);
    const char *wanted = cnnfi_arena_printf(arena, "%s/now/%s", base, name);
    const char *source = cnnfi_arena_printf(arena, "%s/%s/%s", r->path, r->now, name);
    if (!final || !wanted || !source) return cnnfi_os_no_memory();
    int code = cnnfi_os_read_link(r->context, final, &text);
    const bool ours = !code && strcmp(text, wanted) == 0;
    cnnfi_free(r->context, text);
    if (!ours) return 0;
    code = cnnfi_os_rename(source, final);
    return cnnfi_os_is_absent(code) ? cnnfi_os_unlink(final) : code;
}

/* `use` on every name in the folder S/`part`. */
static int each_name(const recovery *r, const char *part, int (*use)(const recovery *, cnnfi_arena *, const char *))
{
    char **names = NULL;
    size_t count = 0;
    cnnfi_arena arena;
    cnnfi_arena_init(&arena, r->context);
    const char *folder = cnnfi_arena_printf(&arena, "%s/%s", r->path, part);
    int code = folder ? cnnfi_os_list(r->context, folder, &names, &count) : cnnfi_os_no_memory();
    if (cnnfi_os_is_absent(code)) code = 0;
    for (size_t i = 0; !code && i < count; i++)
        code = use(r, &arena, names[i]);
    cnnfi_free(r->context, names);
    cnnfi_arena_free(&arena);
    return code;
}

static int remove_name(const recovery *r, cnnfi_arena *arena, const char *name)
{
    static const char *const parts[] = {"old", "new"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *path = cnnfi_arena_printf(arena, "%s/%s/%s", r->path, parts[i], name);
        if (!path) return cnnfi_os_no_memory();
        cnnfi_os_unlink(path);
    }
    return 0;
}

static int remove_set(const recovery *r, cnnfi_arena *arena)
{
    static const char *const files[] = {"now", "next", "name"}, *const folders[] = {"old", "new"};
    int code = each_name(r, "old", remove_name);
    if (!code) code = each_name(r, "new", remove_name);
    for (size_t i = 0; !code && i < sizeof files / sizeof *files; i++) {
        const char *path = cnnfi_arena_printf(arena, "%s/%s", r->path, files[i]);
        if (!path) return cnnfi_os_no_memory();
        cnnfi_os_unlink(path);
    }
    for (size_t i = 0; !code && i < sizeof folders / sizeof *folders; i++) {
        const char *path = cnnfi_arena_printf(arena, "%s/%s", r->path, folders[i]);
        if (!path) return cnnfi_os_no_memory();
        cnnfi_os_remove_folder(path);
    }
    return code ? code : cnnfi_os_remove_folder(r->path);
}

static int recover(cnnf_context *context, const char *path)
{
    char *now = NULL;
    cnnfi_arena arena;
    cnnfi_arena_init(&arena, context);
    recovery r = {.context = context, .path = path};
    const char *link = cnnfi_arena_printf(&arena, "%s/now", path);
    r.folder = cnnfi_arena_strndup(&arena, path, cnnfi_path_folder(path));
    int code = link && r.folder ? cnnfi_os_read_link(context, link, &now) : cnnfi_os_no_memory();
    r.now = now;
    if (!code) code = each_name(&r, "old", recover_name);
    if (!code) code = each_name(&r, "new", recover_name);
    if (cnnfi_os_is_absent(code)) code = 0;
    if (!code) code = remove_set(&r, &arena);
    cnnfi_free(context, now);
    cnnfi_arena_free(&arena);
    return code;
}

/* ---- the set as a whole ---- */

static int replace_in_order(cnnf_context *context, cnnfi_replacement *files, size_t count, bool fsync)
{
    int code = 0;
    for (size_t i = 0; !code && i < count; i++)
        code = cnnfi_replace(context, &files[i], fsync);
    return code;
}

static bool same_folder(const cnnfi_replacement *files, size_t count)
{
    const size_t length = cnnfi_path_folder(files[0].final);
    for (size_t i = 1; i < count; i++) {
        if (cnnfi_path_folder(files[i].final) != length || strncmp(files[i].final, files[0].final, length) != 0)
            return false;
    }
    return true;
}

/* *done stays false when nothing was changed and the plain way is open. */
static int run_set(set *s, cnnf_context *context, cnnfi_replacement *files, bool fsync, bool *done)
{
    int code = name_set(s, files) ? set_keep_old(s) : cnnfi_os_no_memory();
    *done = !cnnfi_os_is_unsupported(code);
    if (!code) code = set_hang_names(s, context, files);
    if (!code && fsync) code = set_sync(s);
    if (!code) code = set_turn(s, fsync);
    const int settled = recover(context, s->path); /* 7; after a failure: back, or forward from 5 on */
    return code ? code : settled;
}

int cnnfi_replace_set(cnnf_context *context, cnnfi_replacement *files, size_t count, bool fsync)
{
    cnnfi_signals before;
    bool done = false;
    set s = {.count = count, .lock = -1};
    if (count == 1 || !same_folder(files, count)) return replace_in_order(context, files, count, fsync);
    cnnfi_arena_init(&s.arena, context);
    cnnfi_os_hold_signals(&before);
    int code = create_unique(context, &s.arena, files[0].final, "set", cnnfi_os_folder_create, &s.path, &s.lock);
    if (!code) {
        code = run_set(&s, context, files, fsync, &done);
        cnnfi_tell_temporary(context, s.path, false);
        cnnfi_os_close(s.lock);
        if (!done) code = replace_in_order(context, files, count, fsync);
        if (!code && fsync) code = cnnfi_os_fsync_folder(s.folder);
    }
    cnnfi_os_release_signals(&before);
    cnnfi_arena_free(&s.arena);
    return code;
}

/* ---- what dead processes left ---- */

/* Of ".cnnfreeze-PID-SALT.ENDING"; -1 when it is none. */
static int64_t maker_of(const char *name, const char *ending)
{
    char *end = NULL;
    const char *number = name + sizeof PREFIX - 1;
    if (*number < '0' || *number > '9') return -1;
    const long long pid = strtoll(number, &end, 10);
    if (*end != '-' || !(end = strchr(end, '.')) || strcmp(end + 1, ending) != 0) return -1;
    return pid;
}

static void sweep_one(cnnf_context *context, const char *path, const char *name)
{
    int fd;
    const int64_t file_pid = maker_of(name, "tmp"), set_pid = maker_of(name, "set");
    if (file_pid < 0 && set_pid < 0) return;
    if (cnnfi_os_stale_open(path, file_pid >= 0 ? file_pid : set_pid, &fd)) return;
    if (file_pid >= 0)
        cnnfi_os_unlink(path);
    else
        (void)recover(context, path);
    cnnfi_os_close(fd);
}

void cnnfi_replace_sweep(cnnf_context *context, const char *beside)
{
    char **names = NULL;
    size_t count = 0;
    cnnfi_arena arena;
    cnnfi_arena_init(&arena, context);
    const char *folder = folder_of(&arena, beside);
    if (folder && cnnfi_os_list_starting(context, folder, PREFIX, &names, &count) == 0) {
        for (size_t i = 0; i < count; i++) {
            const char *path = cnnfi_arena_printf(&arena, "%.*s%s", (int)cnnfi_path_folder(beside), beside, names[i]);
            if (path) sweep_one(context, path, names[i]);
        }
    }
    cnnfi_free(context, names);
    cnnfi_arena_free(&arena);
}
