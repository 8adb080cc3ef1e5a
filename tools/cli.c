/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host.h"

/* ---- signals ---- */

#define MAX_TEMPORARY 128

static volatile sig_atomic_t interrupted;
static _Atomic(cnnf_evaluator *) interrupted_evaluator;
/* Names of temporary files that exist, or are about to; those of a handler must not be freed under it. */
static _Atomic(char *) temporary_files[MAX_TEMPORARY];

static void remember_temporary(const char *path)
{
    char *copy = strdup(path);
    for (size_t i = 0; copy && i < MAX_TEMPORARY; i++) {
        char *expected = NULL;
        if (atomic_compare_exchange_strong(&temporary_files[i], &expected, copy)) return;
    }
    free(copy);
}

static void forget_temporary(const char *path)
{
    for (size_t i = 0; i < MAX_TEMPORARY; i++) {
        char *name = atomic_load(&temporary_files[i]);
        if (!name || strcmp(name, path) != 0) continue;
        atomic_store(&temporary_files[i], NULL);
        free(name);
        return;
    }
}

static void on_temporary(const char *path, int32_t exists, void *user)
{
    (void)user;
    if (exists)
        remember_temporary(path);
    else
        forget_temporary(path);
}

static void on_signal(int number)
{
    cnnf_evaluator *evaluator = atomic_load(&interrupted_evaluator);
    if (number == SIGINT && evaluator && !interrupted) {
        interrupted = 1;
        cnnf_evaluator_cancel(evaluator);
        return;
    }
    for (size_t i = 0; i < MAX_TEMPORARY; i++) {
        const char *name = atomic_load(&temporary_files[i]);
        if (name) host_remove(name);
    }
    host_exit(128 + number);
}

void cli_catch_signals(void)
{
    host_catch_signals(on_signal);
}

void cli_catch_interrupt(cnnf_evaluator *evaluator)
{
    atomic_store(&interrupted_evaluator, evaluator);
}

bool cli_interrupted(void)
{
    return interrupted != 0;
}

/* ---- messages and exit codes ---- */

/* A failure has its line. */
static bool said;

int cli_say(int code, const char *format, ...)
{
    va_list args;
    said = true;
    va_start(args, format);
    fputs("cnnfreeze: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return code;
}

static const struct {
    cnnf_status status;
    int code;
} exit_codes[] = {
    {CNNF_OK, EXIT_DONE},
    {CNNF_E_NOMEM, EXIT_LIMIT},
    {CNNF_E_INVALID, EXIT_USAGE},
    {CNNF_E_IO, EXIT_IO},
    {CNNF_E_LIMIT, EXIT_LIMIT},
    {CNNF_E_UNSUPPORTED, EXIT_UNSUPPORTED},
    {CNNF_E_CANCELLED, EXIT_INTERRUPTED},
    {CLI_CHECK_FAILED, EXIT_CHECK_FAILED},
};

int cli_exit_code(cnnf_status status)
{
    for (size_t i = 0; i < sizeof exit_codes / sizeof *exit_codes; i++) {
        if (exit_codes[i].status == status) return exit_codes[i].code;
    }
    return EXIT_BAD_INPUT;
}

int cli_finish(const session *s, cnnf_status status)
{
    if (status) {
        const char *message = cnnf_error_message(s->error);
        if (*message || !said) cli_say(0, "%s", *message ? message : cnnf_status_name(status));
    }
    /* Results that never reached the disk are no results. */
    if (!status && (fflush(stdout) || ferror(stdout))) return cli_say(EXIT_IO, "stdout: cannot write");
    return cli_exit_code(status);
}

static void print_log(int32_t level, const char *message, void *user)
{
    (void)user;
    fprintf(stderr, "cnnfreeze: %s%s\n", level >= CNNF_LOG_WARNING ? "warning: " : "", message);
}

/* ---- sessions: the flags of every subcommand ---- */

static struct {
    bool untrusted, quiet, verbose;
    flag_list limits;
} common;

const flag cli_common_flags[] = {
    {"untrusted", FLAG_BOOL, &common.untrusted, NULL, "limits for files from strangers"},
    {"quiet", FLAG_BOOL, &common.quiet, NULL, "only warnings and errors on stderr"},
    {"verbose", FLAG_BOOL, &common.verbose, NULL, "every step on stderr"},
    {"limit", FLAG_LIST, &common.limits, "NAME=VALUE", "a limit of its own (K, M, G: times 1024); repeatable"},
};
const size_t cli_common_flag_count = sizeof cli_common_flags / sizeof *cli_common_flags;

static const char *const multiples = "KMG";

/* "67108864", "64M"; 0 when it is no number above 0. */
static uint64_t size_of(const char *text)
{
    char *end = NULL;
    errno = 0;
    const unsigned long long number = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    if (!end || errno) return 0;
    const char *multiple = *end ? strchr(multiples, *end) : NULL;
    const unsigned shift = multiple ? 10 * (unsigned)(multiple - multiples + 1) : 0;
    if ((*end && !multiple) || (multiple && end[1])) return 0;
    return number <= UINT64_MAX >> shift ? (uint64_t)number << shift : 0;
}

static int32_t limit_named(const char *name)
{
    for (int32_t i = 0; i < CNNF_LIMIT_COUNT; i++) {
        if (strcmp(cnnf_limit_name(i), name) == 0) return i;
    }
    return -1;
}

static int unknown_limit(const char *name)
{
    fprintf(stderr, "cnnfreeze: --limit: '%s' is no limit; there are", name);
    for (int32_t i = 0; i < CNNF_LIMIT_COUNT; i++)
        fprintf(stderr, "%s %s", i ? "," : "", cnnf_limit_name(i));
    fputc('\n', stderr);
    return EXIT_USAGE;
}

/* 0 when all --limit flags were set, else the exit code of what was said. */
static int set_limits(cnnf_context_options *options)
{
    char name[64];
    for (size_t i = 0; i < common.limits.count; i++) {
        const char *text = cli_split_pair(common.limits.values[i], name, sizeof name);
        if (!text) return cli_say(EXIT_USAGE, "--limit is NAME=VALUE, not '%s'", common.limits.values[i]);
        const int32_t limit = limit_named(name);
        if (limit < 0) return unknown_limit(name);
        const uint64_t value = size_of(text);
        if (!value || cnnf_context_options_set_limit(options, limit, value, NULL))
            return cli_say(EXIT_USAGE, "--limit: %s cannot be '%s'", name, text);
    }
    return 0;
}

/* Before a command starts: usage errors come first. */
static int check_limits(void)
{
    cnnf_context_options *options = NULL;
    if (cnnf_context_options_new(&options, NULL)) return cli_say(EXIT_LIMIT, "out of memory");
    const int code = set_limits(options);
    cnnf_context_options_free(options);
    return code;
}

static bool open_session(session *s, int32_t level)
{
    cnnf_context_options *options = NULL;
    const char *folder = host_temporary_folder();
    if (common.verbose) level = CNNF_LOG_DEBUG;
    if (common.quiet) level = CNNF_LOG_WARNING;
    *s = (session){.error = cnnf_error_new()};
    cnnf_status status = s->error ? cnnf_context_options_new(&options, s->error) : CNNF_E_NOMEM;
    if (!status) status = cnnf_context_options_set_log(options, print_log, level, NULL, s->error);
    if (!status) status = cnnf_context_options_set_temporary_files(options, on_temporary, NULL, s->error);
    if (!status && folder) status = cnnf_context_options_set_temporary_folder(options, folder, s->error);
    if (!status && common.untrusted) status = cnnf_context_options_set_untrusted(options, s->error);
    if (!status && set_limits(options)) status = CNNF_E_INVALID; /* checked before */
    if (!status) status = cnnf_context_new(&s->context, options, s->error);
    cnnf_context_options_free(options);
    if (status) cli_say(0, "out of memory");
    return status == CNNF_OK;
}

bool cli_session(session *s)
{
    return open_session(s, CNNF_LOG_INFO);
}

bool cli_session_verbose(session *s)
{
    return open_session(s, CNNF_LOG_DEBUG);
}

void cli_session_end(session *s)
{
    cnnf_context_unref(s->context);
    cnnf_error_free(s->error);
    *s = (session){0};
}

/* ---- flags ---- */

static const flag *find_flag(const flag *flags, size_t n, const char *name, size_t length)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(flags[i].name) == length && strncmp(flags[i].name, name, length) == 0) return &flags[i];
    }
    return NULL;
}

static bool is_bool_word(const char *text)
{
    return text && (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0);
}

/* Stores a value; false when it does not fit the flag. */
static bool store(const flag *f, const char *value)
{
    char *end = NULL;
    flag_list *list = f->target;
    errno = 0;
    switch (f->kind) {
    case FLAG_STRING:
    case FLAG_OPTIONAL:
        *(const char **)f->target = value;
        return true;
    case FLAG_BOOL: /* as TensorFlow's tools: anything but "true" is false; 1 is accepted too */
        *(bool *)f->target = strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0;
        return true;
    case FLAG_INT:
        *(int64_t *)f->target = strtoll(value, &end, 10);
        return *value && !*end && !errno;
    case FLAG_DOUBLE:
        *(double *)f->target = strtod(value, &end);
        return *value && !*end && !errno;
    case FLAG_LIST:
        if (list->count == sizeof list->values / sizeof *list->values) return false;
        list->values[list->count++] = value;
        return true;
    }
    return false;
}

static const char *flag_name(size_t index, const void *table)
{
    return ((const flag *)table)[index].name;
}

static int unknown_flag(const command *self, const flag *flags, size_t n_flags, const char *written, const char *text)
{
    const char *meant = cli_nearest(text, flag_name, flags, n_flags);
    if (!meant) meant = cli_nearest(text, flag_name, cli_common_flags, cli_common_flag_count);
    if (meant) return cli_say(EXIT_USAGE, "%s: unknown flag '%s'; did you mean --%s?", self->name, written, meant);
    return cli_say(EXIT_USAGE, "%s: unknown flag '%s' (see cnnfreeze help %s)", self->name, written, self->name);
}

/* One flag at argv[*i]; takes the next argument where the flag needs it. 0 = stored. */
static int parse_flag(const command *self, const flag *flags, size_t n_flags, int argc, char **argv, int *i)
{
    const char *text = argv[*i] + (argv[*i][1] == '-' ? 2 : 1);
    const char *equals = strchr(text, '=');
    const size_t length = equals ? (size_t)(equals - text) : strlen(text);
    const flag *f = find_flag(flags, n_flags, text, length);
    if (!f) f = find_flag(cli_common_flags, cli_common_flag_count, text, length);
    if (!f) return unknown_flag(self, flags, n_flags, argv[*i], text);
    const char *next = *i + 1 < argc ? argv[*i + 1] : NULL;
    const char *value = equals ? equals + 1 : NULL;
    if (!value && f->kind == FLAG_OPTIONAL) {
        value = "";
    } else if (!value && f->kind == FLAG_BOOL) {
        value = is_bool_word(next) ? argv[++*i] : "true";
    } else if (!value) {
        if (!next) return cli_say(EXIT_USAGE, "%s: --%s needs a value", self->name, f->name);
        value = argv[++*i];
    }
    if (!store(f, value)) return cli_say(EXIT_USAGE, "%s: --%s: '%s' is not understood", self->name, f->name, value);
    return 0;
}

bool cli_parse(const command *self, const flag *flags, size_t n_flags, int argc, char **argv, const char **positional,
               size_t min_positional, size_t max_positional, int *exit_code)
{
    size_t found = 0;
    bool only_positional = false;
    *exit_code = 0;
    for (int i = 1; i < argc && !*exit_code; i++) {
        const char *arg = argv[i];
        if (!only_positional && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            cli_help(self, flags, n_flags);
            return false;
        }
        if (!only_positional && strcmp(arg, "--") == 0)
            only_positional = true;
        else if (!only_positional && arg[0] == '-' && arg[1])
            *exit_code = parse_flag(self, flags, n_flags, argc, argv, &i);
        else if (found < max_positional)
            positional[found++] = arg;
        else
            *exit_code = cli_say(EXIT_USAGE, "%s: one argument too many: '%s'", self->name, arg);
    }
    if (!*exit_code) *exit_code = check_limits();
    if (!*exit_code && found < min_positional) {
        *exit_code = cli_say(EXIT_USAGE, "usage: cnnfreeze %s %s", self->name, self->usage);
    }
    return !*exit_code;
}

bool cli_report_format(const char *text, int32_t *out)
{
    static const char *const names[] = {
        [CNNF_REPORT_TEXT] = "text", [CNNF_REPORT_JSON] = "json", [CNNF_REPORT_DOT] = "dot",
        [CNNF_REPORT_HTML] = "html", [CNNF_REPORT_SVG] = "svg",   [CNNF_REPORT_GTT] = "gtt"};
    *out = CNNF_REPORT_TEXT;
    for (size_t i = 0; text && i < sizeof names / sizeof *names; i++) {
        *out = (int32_t)i;
        if (strcmp(names[i], text) == 0) return true;
    }
    if (text) cli_say(0, "--format is text, json, dot, html, svg or gtt, not '%s'", text);
    return !text;
}

cnnf_status cli_each(const char *list, cli_add_fn add, void *user, cnnf_error *error)
{
    char item[4096];
    for (const char *at = list; at && *at;) {
        const size_t length = strcspn(at, ",");
        size_t n = 0;
        for (size_t i = 0; i < length && n + 1 < sizeof item; i++) {
            if (at[i] != ' ') item[n++] = at[i];
        }
        item[n] = '\0';
        const cnnf_status status = n ? add(user, item, error) : CNNF_OK;
        if (status) return status;
        at += length;
        if (*at == ',') at++;
    }
    return CNNF_OK;
}

const char *cli_split_pair(const char *text, char *key, size_t key_size)
{
    const char *equals = strrchr(text, '=');
    if (!equals || equals == text || (size_t)(equals - text) >= key_size) return NULL;
    memcpy(key, text, (size_t)(equals - text));
    key[equals - text] = '\0';
    return equals + 1;
}

bool cli_numbers(const char *text, int64_t *out, size_t max, size_t *count)
{
    for (*count = 0; *text;) {
        char *end = NULL;
        errno = 0;
        const long long value = strtoll(text, &end, 10);
        if (end == text || errno || *count == max || (*end && *end != ',')) return false;
        out[(*count)++] = value;
        text = *end ? end + 1 : end;
    }
    return *count > 0;
}

static void print_names(const char *title, int64_t count, const char *(*name)(const cnnf_graph *, int64_t),
                        const cnnf_graph *graph)
{
    printf("%s", title);
    for (int64_t i = 0; i < count; i++)
        printf("%s%s", i ? ", " : " ", name(graph, i));
    putchar('\n');
}

void cli_print_io(const cnnf_graph *graph)
{
    print_names(" Input names :", cnnf_graph_input_count(graph), cnnf_graph_input_name, graph);
    print_names(" Output names:", cnnf_graph_output_count(graph), cnnf_graph_output_name, graph);
}

/* ---- progress ---- */

uint64_t cli_now_ns(void)
{
    return host_now_ns();
}

double cli_seconds_since(uint64_t start_ns)
{
    return (double)(cli_now_ns() - start_ns) / 1e9;
}

void cli_progress_start(progress *p, const char *unit)
{
    *p = (progress){.unit = unit, .started_ns = cli_now_ns(), .terminal = !common.quiet && host_stderr_is_terminal()};
}

#define BAR_WIDTH     30
#define SHOW_EVERY_NS 50000000u

static void show_progress(progress *p, uint64_t now)
{
    const double seconds = (double)(now - p->started_ns) / 1e9;
    const double rate = seconds > 0 ? (double)p->done / seconds : 0;
    if (p->total) {
        char bar[BAR_WIDTH + 1];
        const size_t full = (size_t)((double)BAR_WIDTH * (double)p->done / (double)p->total);
        for (size_t i = 0; i < BAR_WIDTH; i++)
            bar[i] = i < full ? '#' : '.';
        bar[BAR_WIDTH] = '\0';
        fprintf(stderr, "\r[%s] %llu/%llu %s, %.0f/s, %.0f s left   ", bar, (unsigned long long)p->done,
                (unsigned long long)p->total, p->unit, rate, rate > 0 ? (double)(p->total - p->done) / rate : 0);
    } else {
        fprintf(stderr, "\r%llu %s, %.0f/s   ", (unsigned long long)p->done, p->unit, rate);
    }
    p->shown = true;
    p->shown_ns = now;
}

int32_t cli_progress(uint64_t done, uint64_t total, void *user)
{
    progress *p = user;
    const uint64_t now = cli_now_ns();
    if (cli_interrupted()) return 1;
    p->done = done;
    p->total = total >= done ? total : 0;
    if (p->terminal && (!p->shown || now - p->shown_ns >= SHOW_EVERY_NS)) show_progress(p, now);
    return 0;
}

void cli_progress_end(progress *p)
{
    if (p->terminal && p->done) {
        show_progress(p, cli_now_ns());
        fputc('\n', stderr);
    }
    p->shown = false;
}
