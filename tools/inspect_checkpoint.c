/* SPDX-License-Identifier: Apache-2.0 */
/* inspect_checkpoint: what is in a checkpoint, and whether its bytes are what their checksums say. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

typedef struct arguments {
    const char *path, *tensor;
    bool verify;
} arguments;

static void print_shape(const cnnf_tensor *tensor)
{
    putchar('[');
    for (int32_t i = 0; i < cnnf_tensor_rank(tensor); i++)
        printf("%s%" PRId64, i ? "," : "", cnnf_tensor_dim(tensor, i));
    putchar(']');
}

typedef struct statistics {
    double min, max, mean;
    int64_t count, bad; /* bad: NaN or infinite */
} statistics;

/* Elements of the types weights come in; others have no statistics. */
static bool element(const cnnf_tensor *tensor, int64_t index, double *out)
{
    const void *data = cnnf_tensor_data(tensor);
    switch (cnnf_tensor_dtype(tensor)) {
    case CNNF_FLOAT:
        *out = (double)((const float *)data)[index];
        return true;
    case CNNF_DOUBLE:
        *out = ((const double *)data)[index];
        return true;
    case CNNF_INT32:
        *out = (double)((const int32_t *)data)[index];
        return true;
    case CNNF_INT64:
        *out = (double)((const int64_t *)data)[index];
        return true;
    case CNNF_UINT8:
    case CNNF_BOOL:
        *out = (double)((const uint8_t *)data)[index];
        return true;
    default:
        return false;
    }
}

static statistics measure(const cnnf_tensor *tensor)
{
    statistics s = {.min = DBL_MAX, .max = -DBL_MAX};
    double value, sum = 0;
    for (int64_t i = 0; i < cnnf_tensor_element_count(tensor) && element(tensor, i, &value); i++) {
        if (!isfinite(value)) {
            s.bad++;
            continue;
        }
        if (value < s.min) s.min = value;
        if (value > s.max) s.max = value;
        sum += value;
        s.count++;
    }
    if (s.count) s.mean = sum / (double)s.count;
    return s;
}

static void print_strings(const cnnf_tensor *tensor)
{
    for (int64_t i = 0; i < cnnf_tensor_element_count(tensor) && i < 8; i++) {
        const char *text;
        size_t size;
        if (cnnf_tensor_string(&text, &size, tensor, i, NULL)) return;
        printf("  \"%.*s\"\n", (int)(size < 200 ? size : 200), text);
    }
}

static cnnf_status show_tensor(const session *s, const cnnf_checkpoint *checkpoint, const char *name)
{
    const int64_t index = cnnf_checkpoint_find(checkpoint, name);
    if (index < 0) {
        cli_say(0, "tensor '%s' is not in the checkpoint", name);
        return CNNF_E_NOT_FOUND;
    }
    const cnnf_tensor *tensor = cnnf_checkpoint_tensor(checkpoint, index);
    cnnf_status status = cnnf_checkpoint_verify(checkpoint, index, s->error);
    cnnf_tensor *loaded = NULL;
    if (!status) status = cnnf_tensor_load(&loaded, tensor, s->error);
    if (status) return status;
    printf("%s (%s) ", name, cnnf_dtype_name(cnnf_tensor_dtype(tensor)));
    print_shape(tensor);
    printf(" crc32c ok\n");
    if (cnnf_tensor_dtype(tensor) == CNNF_STRING) print_strings(tensor);
    const statistics m = measure(loaded);
    if (m.count) printf("  min %.9g  max %.9g  mean %.9g\n", m.min, m.max, m.mean);
    if (m.bad) printf("  %" PRId64 " values are NaN or infinite\n", m.bad);
    cnnf_tensor_unref(loaded);
    return CNNF_OK;
}

static cnnf_status list_tensors(const session *s, const cnnf_checkpoint *checkpoint, bool verify)
{
    const int64_t count = cnnf_checkpoint_count(checkpoint);
    uint64_t bytes = 0;
    for (int64_t i = 0; i < count; i++) {
        const cnnf_tensor *tensor = cnnf_checkpoint_tensor(checkpoint, i);
        const cnnf_status status = verify ? cnnf_checkpoint_verify(checkpoint, i, s->error) : CNNF_OK;
        if (status) return status;
        printf("%s (%s) ", cnnf_checkpoint_name(checkpoint, i), cnnf_dtype_name(cnnf_tensor_dtype(tensor)));
        print_shape(tensor);
        puts(verify ? " crc32c ok" : "");
        bytes += cnnf_tensor_byte_size(tensor);
    }
    printf("%" PRId64 " tensors, %" PRIu64 " bytes, checkpoint format V%d%s\n", count, bytes,
           cnnf_checkpoint_version(checkpoint) == 1 ? 1 : 2,
           cnnf_checkpoint_version(checkpoint) == 3 ? " (object-based)" : "");
    return CNNF_OK;
}

int cmd_inspect_checkpoint(int argc, char **argv)
{
    arguments a = {0};
    const flag flags[] = {
        {"tensor", FLAG_STRING, &a.tensor, "NAME", "one tensor: min, max, mean, checksum"},
        {"tensor_name", FLAG_STRING, &a.tensor, "NAME", "the same"},
        {"verify", FLAG_BOOL, &a.verify, NULL, "read every tensor and compare its crc32c"},
    };
    const command self = {"inspect_checkpoint", "PREFIX [flags]", "names, shapes and values of a checkpoint", NULL};
    int code;
    if (!cli_parse(&self, flags, sizeof flags / sizeof *flags, argc, argv, &a.path, 1, 1, &code)) return code;
    session s;
    if (!cli_session(&s)) return EXIT_LIMIT;
    cnnf_checkpoint *checkpoint = NULL;
    cnnf_status status = cnnf_checkpoint_open(&checkpoint, s.context, a.path, s.error);
    if (!status) status = a.tensor ? show_tensor(&s, checkpoint, a.tensor) : list_tensors(&s, checkpoint, a.verify);
    cnnf_checkpoint_unref(checkpoint);
    code = cli_finish(&s, status);
    cli_session_end(&s);
    return code;
}
