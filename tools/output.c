/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

/* ---- what is written, what is read ---- */

void claim_output(output_claim *claim, const char **path)
{
    if (*path && **path && claim->n_outputs < sizeof claim->outputs / sizeof *claim->outputs)
        claim->outputs[claim->n_outputs++] = path;
}

void claim_input(output_claim *claim, const char *path)
{
    if (path && *path && claim->n_inputs < sizeof claim->inputs / sizeof *claim->inputs)
        claim->inputs[claim->n_inputs++] = path;
}

static bool same_file(const host_file *a, const host_file *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* The files that an input's name can stand for. */
static const char *const input_endings[] = {"",
                                            ".index",
                                            ".meta",
                                            ".data-00000-of-00001",
                                            "/saved_model.pb",
                                            "/saved_model.pbtxt",
                                            "/variables/variables.index",
                                            "/variables/variables.data-00000-of-00001"};

static bool is_input(const host_file *output, const char *input)
{
    for (size_t i = 0; i < sizeof input_endings / sizeof *input_endings; i++) {
        host_file found;
        char *path = NULL;
        if (asprintf(&path, "%s%s", input, input_endings[i]) < 0) return false;
        const bool same = host_is_file(path, &found) && same_file(&found, output);
        free(path);
        if (same) return true;
    }
    return false;
}

static int check_one(const output_claim *claim, size_t index, bool in_place)
{
    const char *path = *claim->outputs[index];
    host_file found, other;
    const bool exists = host_is_file(path, &found);
    for (size_t i = 0; exists && !in_place && i < claim->n_inputs; i++) {
        if (is_input(&found, claim->inputs[i]))
            return cli_say(EXIT_USAGE, "%s: the output is the input '%s'; --in_place allows it", path,
                           claim->inputs[i]);
    }
    for (size_t i = 0; i < index; i++) {
        const char *before = *claim->outputs[i];
        const bool same = exists && host_is_file(before, &other) && same_file(&found, &other);
        const bool same_name = strcmp(path, before) == 0 && (exists || !host_exists(path));
        if (same || same_name) return cli_say(EXIT_USAGE, "%s: two outputs have this name", path);
    }
    return 0;
}

/* ---- standard output as a file ---- */

static bool is_stdout(const char *path)
{
    static const char *const names[] = {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(path, names[i]) == 0) return true;
    }
    return false;
}

/* Results go to a copy of descriptor 1; what is printed goes to stderr from now on. */
static int take_stdout(const char **path)
{
    static char name[32];
    if (*name) return cli_say(EXIT_USAGE, "only one output can be standard output");
    const int copy = host_take_stdout();
    if (copy < 0) return cli_say(EXIT_IO, "stdout: cannot write");
    snprintf(name, sizeof name, "/dev/fd/%d", copy);
    *path = name;
    return 0;
}

int claim_check(const output_claim *claim, bool in_place)
{
    int code = 0;
    for (size_t i = 0; !code && i < claim->n_outputs; i++) {
        if (!is_stdout(*claim->outputs[i])) code = check_one(claim, i, in_place);
    }
    for (size_t i = 0; !code && i < claim->n_outputs; i++) {
        if (is_stdout(*claim->outputs[i])) code = take_stdout(claim->outputs[i]);
    }
    return code;
}

/* ---- writing and reading back ---- */

static cnnf_status unreadable(const char *path)
{
    cli_say(0, "%s: what was written does not read back as the same: a fault of cnnfreeze, please report it", path);
    return CNNF_E_INTERNAL;
}

/* Compares what is written again with the file, piece by piece. */
static int32_t same_piece(const void *data, size_t size, void *user)
{
    char piece[4096];
    for (size_t at = 0; at < size;) {
        const size_t wanted = size - at < sizeof piece ? size - at : sizeof piece;
        if (fread(piece, 1, wanted, user) != wanted || memcmp(piece, (const char *)data + at, wanted) != 0) return 1;
        at += wanted;
    }
    return 0;
}

/* The file is read and written again: the same bytes, and as many as the graph was to have. */
static cnnf_status read_back(const session *s, const cnnf_graph *graph, const char *path,
                             const cnnf_write_options *options, bool text)
{
    host_file found;
    uint64_t size = 0;
    cnnf_graph *again = NULL;
    if (strncmp(path, "/dev/", 5) == 0 || !host_is_file(path, &found))
        return CNNF_OK; /* /dev/fd/3 is in the middle of a file */
    FILE *file = host_open(path);
    cnnf_status status = file ? CNNF_OK : errno == ENOMEM ? CNNF_E_NOMEM : CNNF_E_IO;
    if (!status) status = cnnf_load_file(&again, s->context, path, NULL, s->error);
    if (!status) status = cnnf_write_graphdef_stream(again, same_piece, file, options, s->error);
    if (!status && !text) status = cnnf_graphdef_size(&size, graph, s->error);
    const bool same = !status && fgetc(file) == EOF && (text || size == found.size);
    if (file) fclose(file);
    cnnf_graph_unref(again);
    return status == CNNF_E_NOMEM || status == CNNF_E_LIMIT ? status : same ? CNNF_OK : unreadable(path);
}

static cnnf_status write_options(cnnf_write_options **out, const session *s, const output_flags *flags)
{
    cnnf_status status = cnnf_write_options_new(out, s->context, s->error);
    if (!status) status = cnnf_write_options_set_text(*out, flags->text, s->error);
    if (!status) status = cnnf_write_options_set_fsync(*out, flags->fsync, s->error);
    return status;
}

cnnf_status output_graph(const session *s, const cnnf_graph *graph, const char *path, const output_flags *flags)
{
    cnnf_write_options *options = NULL;
    cnnf_status status = write_options(&options, s, flags);
    if (!status) status = cnnf_write_graphdef_file(graph, path, options, s->error);
    if (!status && flags->check) status = read_back(s, graph, path, options, flags->text);
    cnnf_write_options_free(options);
    return status;
}

/* Every tensor with its checksum, and the meta graph. */
static cnnf_status read_back_checkpoint(const session *s, const char *prefix)
{
    cnnf_checkpoint *checkpoint = NULL;
    cnnf_graph *meta = NULL;
    char *path = NULL;
    if (asprintf(&path, "%s.meta", prefix) < 0) return CNNF_E_NOMEM;
    cnnf_status status = cnnf_checkpoint_open(&checkpoint, s->context, prefix, s->error);
    for (int64_t i = 0; !status && i < cnnf_checkpoint_count(checkpoint); i++)
        status = cnnf_checkpoint_verify(checkpoint, i, s->error);
    if (!status) status = cnnf_load_file(&meta, s->context, path, NULL, s->error);
    if (status && status != CNNF_E_NOMEM && status != CNNF_E_LIMIT) status = unreadable(prefix);
    cnnf_graph_unref(meta);
    cnnf_checkpoint_unref(checkpoint);
    free(path);
    return status;
}

cnnf_status output_checkpoint(const session *s, const cnnf_graph *graph, const char *prefix, const output_flags *flags)
{
    cnnf_write_options *options = NULL;
    cnnf_status status = write_options(&options, s, flags);
    if (!status) status = cnnf_write_checkpoint(graph, prefix, options, s->error);
    if (!status && flags->check) status = read_back_checkpoint(s, prefix);
    cnnf_write_options_free(options);
    return status;
}

cnnf_status output_buffer(const session *s, const cnnf_buffer *buffer, const char *path)
{
    if (!path) return CNNF_OK;
    return cnnf_write_file(s->context, path, cnnf_buffer_data(buffer), cnnf_buffer_size(buffer), NULL, s->error);
}
