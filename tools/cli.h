/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands share: flags, exit codes, messages, progress. The command is a plain client of the public API.
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cnnfreeze/cnnfreeze.h>

/* Exit codes, documented in docs/cnnfreeze.1. */
enum {
    EXIT_DONE = 0,
    EXIT_CHECK_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_BAD_INPUT = 3,
    EXIT_IO = 4,
    EXIT_LIMIT = 5,
    EXIT_UNSUPPORTED = 6,
    EXIT_INTERRUPTED = 130
};

/* Beside cnnf_status, which is never positive: a check said no, and its lines are written. */
#define CLI_CHECK_FAILED 1

typedef enum flag_kind { FLAG_STRING, FLAG_BOOL, FLAG_INT, FLAG_DOUBLE, FLAG_LIST, FLAG_OPTIONAL } flag_kind;

/* A repeatable flag's values, in order. */
typedef struct flag_list {
    const char *values[64];
    size_t count;
} flag_list;

/* `target`: const char ** (STRING; OPTIONAL: "" when given without a value), bool *, int64_t *, double *, flag_list *.
 */
typedef struct flag {
    const char *name;
    flag_kind kind;
    void *target;
    const char *value_name; /* in the help: "FILE" */
    const char *help;
} flag;

typedef struct command {
    const char *name;
    const char *usage;                 /* after the name */
    const char *summary;               /* one line */
    int (*run)(int argc, char **argv); /* argv[0] is the name */
} command;

/* What a command makes first and drops last. */
typedef struct session {
    cnnf_context *context;
    cnnf_error *error;
} session;

/*
 * Parses argv[1..]: flags in either form (--flag=value, --flag value), the rest into positional[].
 * Every command has the flags of `common_flags` too. true = go on; else *exit_code is to be returned (--help printed,
 * or a usage error said).
 */
bool cli_parse(const command *self, const flag *flags, size_t n_flags, int argc, char **argv, const char **positional,
               size_t min_positional, size_t max_positional, int *exit_code);

/* The manual of one subcommand, in the form asked for. */
void cli_help(const command *self, const flag *flags, size_t n_flags);
extern const flag cli_common_flags[];
extern const size_t cli_common_flag_count;
/* The name nearest to a mistyped one (up to a '='), NULL when none is near. */
typedef const char *(*cli_name_fn)(size_t index, const void *table);
const char *cli_nearest(const char *word, cli_name_fn name, const void *table, size_t count);
const command *cli_find_command(const char *name);
int cli_unknown_command(const char *name);
/* The list of subcommands; returns `code`. */
int cli_usage(FILE *to, int code);

/* A context that logs to stderr, with the limits of --untrusted and --limit. false: out of memory, already said. */
bool cli_session(session *s);
/* The same with CNNF_LOG_DEBUG messages: transform_graph names each pass as it applies it. */
bool cli_session_verbose(session *s);
void cli_session_end(session *s);
/* Says a failure (nothing for CNNF_OK) and gives its exit code. */
int cli_finish(const session *s, cnnf_status status);
int cli_exit_code(cnnf_status status);
/* "cnnfreeze: <message>" on stderr, returns `code`. */
int cli_say(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Calls add(user, item, error) for each item of a comma list, spaces dropped, empty items skipped. */
typedef cnnf_status (*cli_add_fn)(void *user, const char *item, cnnf_error *error);
cnnf_status cli_each(const char *list, cli_add_fn add, void *user, cnnf_error *error);
/* A report's --format: CNNF_REPORT_*, text when NULL. false: no such format, already said. */
bool cli_report_format(const char *text, int32_t *out);
/* "a=b": the part before the last '=' copied into key, the rest returned; NULL when there is none. */
const char *cli_split_pair(const char *text, char *key, size_t key_size);
/* Numbers of a comma list; false when one is no number. */
bool cli_numbers(const char *text, int64_t *out, size_t max, size_t *count);

/* " Input names : a, b" and " Output names: c". */
void cli_print_io(const cnnf_graph *graph);

/* Progress bar on a terminal's stderr, with rate and time left; silent elsewhere. For cnnf_progress_fn. */
typedef struct progress {
    const char *unit;
    uint64_t started_ns, shown_ns, done, total;
    bool terminal, shown;
} progress;
void cli_progress_start(progress *p, const char *unit);
int32_t cli_progress(uint64_t done, uint64_t total, void *user);
void cli_progress_end(progress *p);
double cli_seconds_since(uint64_t start_ns);
uint64_t cli_now_ns(void);

/*
 * Ctrl-C, SIGTERM and SIGHUP end the command with 130, 143 and 129, its temporary files removed; a full disk is an
 * error to be said instead of a signal. Called once.
 */
void cli_catch_signals(void);
/* From now on the first Ctrl-C cancels this evaluator (NULL: none) instead, and cli_interrupted() turns true. */
void cli_catch_interrupt(cnnf_evaluator *evaluator);
bool cli_interrupted(void);

int cmd_keras2tf(int argc, char **argv);
int cmd_freeze_graph(int argc, char **argv);
int cmd_freeze(int argc, char **argv);
int cmd_transform_graph(int argc, char **argv);
int cmd_summarize_graph(int argc, char **argv);
int cmd_inspect_checkpoint(int argc, char **argv);
int cmd_compare_graphs(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_predict(int argc, char **argv);
int cmd_quantize(int argc, char **argv);
int cmd_benchmark_model(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_evaluate(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_strip_unused(int argc, char **argv);
int cmd_optimize_for_inference(int argc, char **argv);

extern const command cli_commands[];
extern const size_t cli_command_count;

#endif
