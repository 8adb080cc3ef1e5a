/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of subcommands and flags in words: --help, man pages, completions for bash, zsh and fish; what was meant.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

/* One form of the manual: what stands before and after all subcommands, and one subcommand. */
typedef struct form {
    const char *name;
    void (*begin)(void), (*end)(void); /* NULL: forms of a single subcommand */
    void (*one)(const command *self, const flag *flags, size_t n_flags);
} form;

static void text_one(const command *self, const flag *flags, size_t n_flags);

static const form text_form = {"text", NULL, NULL, text_one};
/* What cli_help() writes; cmd_help() sets it. */
static const form *current = &text_form;

/* ---- text ---- */

static void text_flags(const flag *flags, size_t n_flags)
{
    for (size_t i = 0; i < n_flags; i++) {
        char text[128];
        snprintf(text, sizeof text, "--%s%s%s", flags[i].name, flags[i].value_name ? "=" : "",
                 flags[i].value_name ? flags[i].value_name : "");
        printf("  %-34s %s\n", text, flags[i].help);
    }
}

static void text_one(const command *self, const flag *flags, size_t n_flags)
{
    printf("cnnfreeze %s - %s\n\nusage: cnnfreeze %s %s\n", self->name, self->summary, self->name, self->usage);
    puts("\nflags (--flag=value or --flag value):");
    text_flags(flags, n_flags);
    text_flags(cli_common_flags, cli_common_flag_count);
}

/* ---- man pages ---- */

/* A line of roff: '-' and '\' are escaped, a dot at the beginning is no request. */
static void roff(const char *text)
{
    if (*text == '.' || *text == '\'') fputs("\\&", stdout);
    for (; *text; text++) {
        if (*text == '-' || *text == '\\') putchar('\\');
        putchar(*text == '\\' ? 'e' : *text);
    }
}

static void man_flags(const flag *flags, size_t n_flags)
{
    for (size_t i = 0; i < n_flags; i++) {
        fputs(".TP\n\\fB", stdout);
        roff("--");
        roff(flags[i].name);
        if (flags[i].value_name) {
            fputs("=\\fI", stdout);
            roff(flags[i].value_name);
        }
        fputs("\\fR\n", stdout);
        roff(flags[i].help);
        putchar('\n');
    }
}

static void man_one(const command *self, const flag *flags, size_t n_flags)
{
    fputs(".\\\" SPDX-License-Identifier: Apache-2.0\n.TH \"CNNFREEZE\\-", stdout);
    roff(self->name);
    printf("\" 1 \"\" \"libcnnfreeze %s\" \"User Commands\"\n.SH NAME\ncnnfreeze\\-", cnnf_version_string());
    roff(self->name);
    fputs(" \\- ", stdout);
    roff(self->summary);
    fputs("\n.SH SYNOPSIS\n\\fBcnnfreeze ", stdout);
    roff(self->name);
    fputs("\\fR ", stdout);
    roff(self->usage);
    fputs("\n.SH FLAGS\nA flag is written \\fB\\-\\-flag=value\\fR or \\fB\\-\\-flag value\\fR.\n", stdout);
    man_flags(flags, n_flags);
    fputs(".SH FLAGS OF EVERY SUBCOMMAND\n", stdout);
    man_flags(cli_common_flags, cli_common_flag_count);
    fputs(".SH EXIT STATUS\n0 done, 1 a check failed, 2 wrong usage, 3 bad input, 4 input or output, 5 a limit, 6 "
          "unsupported.\n"
          ".SH SEE ALSO\n.BR cnnfreeze (1)\n",
          stdout);
}

/* ---- completions ---- */

/* Inside single quotes; characters of `special` get a backslash. */
static void quoted(const char *text, const char *special, const char *quote)
{
    for (; *text; text++) {
        if (*text == '\'') {
            fputs(quote, stdout);
            continue;
        }
        if (strchr(special, *text)) putchar('\\');
        putchar(*text);
    }
}

static bool takes_value(const flag *f)
{
    return f->kind != FLAG_BOOL && f->kind != FLAG_OPTIONAL;
}

static void bash_begin(void)
{
    puts("# bash completion for cnnfreeze; written by: cnnfreeze help --format=bash\n"
         "_cnnfreeze()\n{\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} flags=\n"
         "    [[ ${COMP_WORDS[0]##*/} == freeze_graph ]] && command=freeze_graph");
    printf("    if [[ $COMP_CWORD == 1 && ${COMP_WORDS[0]##*/} != freeze_graph ]]; then\n        COMPREPLY=($(compgen "
           "-W '");
    for (size_t i = 0; i < cli_command_count; i++)
        printf("%s%s", i ? " " : "", cli_commands[i].name);
    puts("' -- \"$word\"))\n        return\n    fi\n    case $command in");
}

static void bash_flags(const flag *flags, size_t n_flags)
{
    for (size_t i = 0; i < n_flags; i++)
        printf(" --%s%s", flags[i].name, takes_value(&flags[i]) ? "=" : "");
}

static void bash_one(const command *self, const flag *flags, size_t n_flags)
{
    printf("    %s) flags='--help", self->name);
    bash_flags(flags, n_flags);
    bash_flags(cli_common_flags, cli_common_flag_count);
    puts("' ;;");
}

static void bash_end(void)
{
    puts("    esac\n"
         "    if [[ $word == -* ]]; then\n"
         "        COMPREPLY=($(compgen -W \"$flags\" -- \"$word\"))\n"
         "        if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi\n"
         "    else\n"
         "        [[ $word == = ]] && word=\n"
         "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
         "        compopt -o filenames\n"
         "    fi\n"
         "}\n"
         "complete -F _cnnfreeze cnnfreeze freeze_graph");
}

static void zsh_begin(void)
{
    puts("#compdef cnnfreeze\n"
         "# zsh completion for cnnfreeze; written by: cnnfreeze help --format=zsh\n"
         "local -a flags subcommands\n"
         "subcommands=(");
    for (size_t i = 0; i < cli_command_count; i++) {
        printf("  '%s:", cli_commands[i].name);
        quoted(cli_commands[i].summary, ":\\", "'\\''");
        puts("'");
    }
    puts(")\nif (( CURRENT == 2 )); then\n  _describe subcommand subcommands\n  return\nfi\ncase $words[2] in");
}

static void zsh_flags(const flag *flags, size_t n_flags)
{
    for (size_t i = 0; i < n_flags; i++) {
        printf("    '%s--%s%s[", flags[i].kind == FLAG_LIST ? "*" : "", flags[i].name,
               takes_value(&flags[i]) ? "=" : "");
        quoted(flags[i].help, "[]:\\", "'\\''");
        putchar(']');
        if (takes_value(&flags[i])) {
            putchar(':');
            quoted(flags[i].value_name ? flags[i].value_name : "value", "[]:\\", "'\\''");
            fputs(":_files", stdout);
        }
        puts("'");
    }
}

static void zsh_one(const command *self, const flag *flags, size_t n_flags)
{
    printf("%s)\n  flags=(\n", self->name);
    zsh_flags(flags, n_flags);
    zsh_flags(cli_common_flags, cli_common_flag_count);
    puts("  ) ;;");
}

static void zsh_end(void)
{
    puts("esac\nshift words\n(( CURRENT-- ))\n_arguments $flags '*:file:_files'");
}

static void fish_begin(void)
{
    puts("# fish completion for cnnfreeze; written by: cnnfreeze help --format=fish");
    for (size_t i = 0; i < cli_command_count; i++) {
        printf("complete -c cnnfreeze -n __fish_use_subcommand -f -a %s -d '", cli_commands[i].name);
        quoted(cli_commands[i].summary, "\\", "\\'");
        puts("'");
    }
}

static void fish_flags(const command *self, const flag *flags, size_t n_flags)
{
    for (size_t i = 0; i < n_flags; i++) {
        printf("complete -c cnnfreeze -n '__fish_seen_subcommand_from %s' -l %s%s -d '", self->name, flags[i].name,
               takes_value(&flags[i]) ? " -r" : "");
        quoted(flags[i].help, "\\", "\\'");
        puts("'");
    }
}

static void fish_one(const command *self, const flag *flags, size_t n_flags)
{
    fish_flags(self, flags, n_flags);
    fish_flags(self, cli_common_flags, cli_common_flag_count);
}

static void nothing(void)
{
}

/* ---- the subcommand ---- */

static const form forms[] = {
    {"text", NULL, NULL, text_one},           {"man", NULL, NULL, man_one},
    {"bash", bash_begin, bash_end, bash_one}, {"zsh", zsh_begin, zsh_end, zsh_one},
    {"fish", fish_begin, nothing, fish_one},
};

void cli_help(const command *self, const flag *flags, size_t n_flags)
{
    current->one(self, flags, n_flags);
}

const command *cli_find_command(const char *name)
{
    for (size_t i = 0; i < cli_command_count; i++) {
        if (strcmp(cli_commands[i].name, name) == 0) return &cli_commands[i];
    }
    return NULL;
}

static const char *command_name(size_t index, const void *table)
{
    (void)table;
    return cli_commands[index].name;
}

int cli_unknown_command(const char *name)
{
    const char *meant = cli_nearest(name, command_name, NULL, cli_command_count);
    return meant ? cli_say(EXIT_USAGE, "unknown subcommand '%s'; did you mean '%s'?", name, meant)
                 : cli_say(EXIT_USAGE, "unknown subcommand '%s'", name);
}

static int help_for(const command *asked)
{
    char name[64], flag_text[] = "--help";
    snprintf(name, sizeof name, "%s", asked->name);
    char *arguments[] = {name, flag_text, NULL};
    return asked->run(2, arguments);
}

int cmd_help(int argc, char **argv)
{
    static const command self = {"help", "[SUBCOMMAND] [flags]", "the manual of a subcommand", cmd_help};
    const char *format = "text", *name = NULL;
    const flag flags[] = {
        {"format", FLAG_STRING, &format, "NAME",
         "text or man, of one subcommand; bash, zsh or fish: completions, of all of them"},
    };
    int code = 0;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, &name, 0, 1, &code)) return code;
    const form *found = NULL;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (strcmp(forms[i].name, format) == 0) found = &forms[i];
    }
    if (!found) return cli_say(EXIT_USAGE, "help: --format is text, man, bash, zsh or fish, not '%s'", format);
    current = found;
    if (found->begin) {
        found->begin();
        for (size_t i = 0; i < cli_command_count; i++)
            help_for(&cli_commands[i]);
        found->end();
        return EXIT_DONE;
    }
    if (!name) return cli_usage(stdout, EXIT_DONE);
    const command *asked = cli_find_command(name);
    return asked ? help_for(asked) : cli_unknown_command(name);
}

/* ---- what was meant ---- */

#define MOST_LETTERS 48

/* Letters to change, add or drop until a is b; MOST_LETTERS when one is too long to tell. */
static size_t distance(const char *a, size_t n_a, const char *b)
{
    const size_t n_b = strlen(b);
    size_t row[MOST_LETTERS + 1];
    if (n_a > MOST_LETTERS || n_b > MOST_LETTERS) return MOST_LETTERS;
    for (size_t j = 0; j <= n_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            const size_t change = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            const size_t one = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < one ? change : one;
        }
    }
    return row[n_b];
}

const char *cli_nearest(const char *word, cli_name_fn name, const void *table, size_t count)
{
    const size_t length = strcspn(word, "=");
    size_t least = length / 3 + 1;
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *candidate = name(i, table);
        const size_t far = distance(word, length, candidate);
        if (far >= least + !found) continue;
        least = far;
        found = candidate;
    }
    return found;
}
