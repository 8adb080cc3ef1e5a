/* SPDX-License-Identifier: Apache-2.0 */
#include "base/context.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/machine.h"
#include "base/os_pages.h"

struct cnnf_context_options {
    cnnf_malloc_fn malloc_fn;
    cnnf_realloc_fn realloc_fn;
    cnnf_free_fn free_fn;
    void *allocator_user;
    cnnf_log_fn log_fn;
    void *log_user;
    int32_t min_level;
    cnnf_temporary_fn temporary_fn;
    void *temporary_user;
    char *temporary_folder; /* owned; in a context it lies behind the context itself */
    uint64_t limits[CNNF_LIMIT_COUNT];
};

struct cnnf_context {
    atomic_int_fast64_t refs;
    struct cnnf_context_options options;
    atomic_uint_fast64_t memory, peak;
    uint64_t hash_key[2];
};

struct cnnf_buffer {
    cnnf_context *context;
    size_t size;
    unsigned char *data;
};

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static const struct {
    const char *name;
    uint64_t normal, untrusted;
} limit_table[CNNF_LIMIT_COUNT] = {
    [CNNF_LIMIT_FILE_BYTES] = {"max_file_bytes", 16 * GIB, 256 * MIB},
    [CNNF_LIMIT_TENSOR_BYTES] = {"max_tensor_bytes", 2 * GIB, 256 * MIB},
    [CNNF_LIMIT_MEMORY] = {"max_memory", 8 * GIB, GIB},
    [CNNF_LIMIT_TENSOR_ELEMENTS] = {"max_tensor_elements", INT32_MAX, INT32_MAX},
    [CNNF_LIMIT_RANK] = {"max_rank", 32, 8},
    [CNNF_LIMIT_NODES] = {"max_nodes", 1000000, 100000},
    [CNNF_LIMIT_NODE_INPUTS] = {"max_node_inputs", 65536, 4096},
    [CNNF_LIMIT_DEPTH] = {"max_depth", 64, 32},
    [CNNF_LIMIT_ATTRS] = {"max_attrs", 1024, 256},
    [CNNF_LIMIT_ATTR_BYTES] = {"max_attr_bytes", 64 * MIB, 16 * MIB},
    [CNNF_LIMIT_NAME_BYTES] = {"max_name_bytes", 4096, 1024},
    [CNNF_LIMIT_SHARDS] = {"max_shards", 4096, 256},
    [CNNF_LIMIT_ENTRIES] = {"max_entries", 1000000, 100000},
    [CNNF_LIMIT_LINE_BYTES] = {"max_line_bytes", 64 * MIB, 16 * MIB},
    [CNNF_LIMIT_PIXELS] = {"max_image_pixels", 67108864, 16777216},
    [CNNF_LIMIT_STEPS] = {"max_steps", 10000000000, 30000000},
};

/* From here on a block spans several of the processor's large pages. */
#define LARGE_BLOCK_BYTES ((size_t)8 * 1024 * 1024)

static void *advised(void *block, size_t size)
{
    if (block && size >= LARGE_BLOCK_BYTES) cnnfi_os_prefer_large_pages(block, size);
    return block;
}

static void *system_malloc(size_t size, void *user)
{
    (void)user;
    return advised(malloc(size), size);
}

static void *system_realloc(void *pointer, size_t size, void *user)
{
    (void)user;
    return advised(realloc(pointer, size), size);
}

static void system_free(void *pointer, void *user)
{
    (void)user;
    free(pointer);
}

static void set_defaults(struct cnnf_context_options *options)
{
    *options = (struct cnnf_context_options){
        .malloc_fn = system_malloc, .realloc_fn = system_realloc, .free_fn = system_free, .min_level = CNNF_LOG_INFO};
    for (int32_t i = 0; i < CNNF_LIMIT_COUNT; i++)
        options->limits[i] = limit_table[i].normal;
}

cnnf_status cnnf_context_options_new(cnnf_context_options **out, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail_null(error, __func__);
    *out = malloc(sizeof **out);
    if (!*out) return cnnfi_fail_nomem(error);
    set_defaults(*out);
    return CNNF_OK;
}

void cnnf_context_options_free(cnnf_context_options *options)
{
    if (options) free(options->temporary_folder);
    free(options);
}

cnnf_status cnnf_context_options_set_allocator(cnnf_context_options *options, cnnf_malloc_fn malloc_fn,
                                               cnnf_realloc_fn realloc_fn, cnnf_free_fn free_fn, void *user,
                                               cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    const int given = (malloc_fn != NULL) + (realloc_fn != NULL) + (free_fn != NULL);
    if (given != 0 && given != 3)
        return cnnfi_fail(error, CNNF_E_INVALID, "allocator: malloc, realloc and free are given together, or none");
    options->malloc_fn = given ? malloc_fn : system_malloc;
    options->realloc_fn = given ? realloc_fn : system_realloc;
    options->free_fn = given ? free_fn : system_free;
    options->allocator_user = user;
    return CNNF_OK;
}

cnnf_status cnnf_context_options_set_log(cnnf_context_options *options, cnnf_log_fn log_fn, int32_t min_level,
                                         void *user, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    if (min_level < CNNF_LOG_DEBUG || min_level > CNNF_LOG_WARNING)
        return cnnfi_fail(error, CNNF_E_INVALID, "log: there is no level %d", (int)min_level);
    options->log_fn = log_fn;
    options->min_level = min_level;
    options->log_user = user;
    return CNNF_OK;
}

cnnf_status cnnf_context_options_set_limit(cnnf_context_options *options, int32_t limit, uint64_t value,
                                           cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    if (limit < 0 || limit >= CNNF_LIMIT_COUNT)
        return cnnfi_fail(error, CNNF_E_INVALID, "there is no limit %d", (int)limit);
    /* Products of two limited numbers must stay below 2^63; ranks and depths size fixed arrays. */
    const bool small = limit == CNNF_LIMIT_RANK || limit == CNNF_LIMIT_DEPTH;
    const uint64_t most = small ? 254 : (uint64_t)1 << 46;
    if (value > most)
        return cnnfi_fail(error, CNNF_E_INVALID, "%s: %" PRIu64 " is above %" PRIu64 ", the most it can be",
                          limit_table[limit].name, value, most);
    options->limits[limit] = value ? value : limit_table[limit].normal;
    return CNNF_OK;
}

cnnf_status cnnf_context_options_set_untrusted(cnnf_context_options *options, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    for (int32_t i = 0; i < CNNF_LIMIT_COUNT; i++)
        options->limits[i] = limit_table[i].untrusted;
    return CNNF_OK;
}

cnnf_status cnnf_context_options_set_temporary_files(cnnf_context_options *options, cnnf_temporary_fn told, void *user,
                                                     cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    options->temporary_fn = told;
    options->temporary_user = user;
    return CNNF_OK;
}

cnnf_status cnnf_context_options_set_temporary_folder(cnnf_context_options *options, const char *path,
                                                      cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!options) return cnnfi_fail_null(error, __func__);
    if (path && !*path) return cnnfi_fail(error, CNNF_E_INVALID, "the folder of temporary files has no name");
    char *copy = NULL;
    if (path) {
        copy = malloc(strlen(path) + 1);
        if (!copy) return cnnfi_fail_nomem(error);
        memcpy(copy, path, strlen(path) + 1);
    }
    free(options->temporary_folder);
    options->temporary_folder = copy;
    return CNNF_OK;
}

/* splitmix64's last step: every bit of the input moves half of the output's. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/*
 * The library reads no source of randomness (it may run where there is none, in a sandbox or an early boot), and needs
 * none: it is enough that the file was written before the context was made, by somebody who knows neither the addresses
 * that this process was given nor the nanosecond.
 */
static void make_hash_key(cnnf_context *context)
{
    const uint64_t now = cnnfi_os_wall_ns(), heap = (uint64_t)(uintptr_t)context, stack = (uint64_t)(uintptr_t)&now;
    context->hash_key[0] = mix(heap + mix(now));
    context->hash_key[1] = mix(stack ^ mix(context->hash_key[0]));
}

cnnf_status cnnf_context_new(cnnf_context **out, const cnnf_context_options *options, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_context_new: out is NULL");
    *out = NULL;
    struct cnnf_context_options defaults;
    set_defaults(&defaults);
    if (!options) options = &defaults;
    char usual[1024];
    const char *folder = options->temporary_folder;
    if (!folder) folder = cnnfi_os_temporary_folder(usual, sizeof usual) ? "." : usual;
    const size_t folder_size = strlen(folder) + 1;
    cnnf_context *context = options->malloc_fn(sizeof *context + folder_size, options->allocator_user);
    if (!context) return cnnfi_fail_nomem(error);
    memset(context, 0, sizeof *context);
    atomic_init(&context->refs, 1);
    context->options = *options;
    context->options.temporary_folder = (char *)(context + 1);
    memcpy(context->options.temporary_folder, folder, folder_size);
    make_hash_key(context);
    *out = context;
    return CNNF_OK;
}

cnnf_context *cnnf_context_ref(const cnnf_context *context)
{
    cnnf_context *counted = (cnnf_context *)(uintptr_t)context; /* nothing but the count changes */
    if (counted) atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
    return counted;
}

void cnnf_context_unref(cnnf_context *context)
{
    if (!context || atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) != 1) return;
    const struct cnnf_context_options options = context->options;
    options.free_fn(context, options.allocator_user);
}

uint64_t cnnf_context_limit(const cnnf_context *context, int32_t limit)
{
    return context && limit >= 0 && limit < CNNF_LIMIT_COUNT ? context->options.limits[limit] : 0;
}

const char *cnnf_limit_name(int32_t limit)
{
    return limit >= 0 && limit < CNNF_LIMIT_COUNT ? limit_table[limit].name : "unknown";
}

uint64_t cnnf_context_memory(const cnnf_context *context, int32_t peak)
{
    if (!context) return 0;
    return peak ? atomic_load_explicit(&context->peak, memory_order_relaxed)
                : atomic_load_explicit(&context->memory, memory_order_relaxed);
}

/* ---- allocation: a header in front of each block holds its size, for the account ---- */

#define HEADER_BYTES 16 /* keeps malloc's alignment */

/* Books `size` bytes; false when CNNF_LIMIT_MEMORY would be passed. */
static bool account_add(cnnf_context *context, size_t size)
{
    const uint64_t now = atomic_fetch_add_explicit(&context->memory, size, memory_order_relaxed) + size;
    if (now > context->options.limits[CNNF_LIMIT_MEMORY]) {
        atomic_fetch_sub_explicit(&context->memory, size, memory_order_relaxed);
        return false;
    }
    uint_fast64_t peak = atomic_load_explicit(&context->peak, memory_order_relaxed);
    while (now > peak && !atomic_compare_exchange_weak_explicit(&context->peak, &peak, now, memory_order_relaxed,
                                                                memory_order_relaxed)) {
    }
    return true;
}

static void account_sub(cnnf_context *context, size_t size)
{
    atomic_fetch_sub_explicit(&context->memory, size, memory_order_relaxed);
}

static size_t block_size(const void *pointer)
{
    size_t size;
    memcpy(&size, (const char *)pointer - HEADER_BYTES, sizeof size);
    return size;
}

bool cnnfi_reserve(cnnf_context *context, size_t size)
{
    return account_add(context, size);
}

void cnnfi_unreserve(cnnf_context *context, size_t size)
{
    account_sub(context, size);
}

void *cnnfi_malloc(cnnf_context *context, size_t size)
{
    size_t total;
    if (!size) size = 1;
    if (!cnnfi_add_size(&total, size, HEADER_BYTES) || !account_add(context, total)) return NULL;
    char *block = context->options.malloc_fn(total, context->options.allocator_user);
    if (!block) {
        account_sub(context, total);
        return NULL;
    }
    memcpy(block, &size, sizeof size);
    return block + HEADER_BYTES;
}

void *cnnfi_array(cnnf_context *context, size_t count, size_t size)
{
    size_t total;
    return cnnfi_mul_size(&total, count, size) ? cnnfi_malloc(context, total) : NULL;
}

void *cnnfi_calloc(cnnf_context *context, size_t count, size_t size)
{
    void *pointer = cnnfi_array(context, count, size);
    if (pointer) memset(pointer, 0, block_size(pointer));
    return pointer;
}

void *cnnfi_realloc(cnnf_context *context, void *pointer, size_t size)
{
    if (!pointer) return cnnfi_malloc(context, size);
    if (!size) size = 1;
    const size_t old = block_size(pointer);
    size_t total;
    if (!cnnfi_add_size(&total, size, HEADER_BYTES)) return NULL;
    if (size > old && !account_add(context, size - old)) return NULL;
    char *block = context->options.realloc_fn((char *)pointer - HEADER_BYTES, total, context->options.allocator_user);
    if (!block) {
        if (size > old) account_sub(context, size - old);
        return NULL;
    }
    if (size < old) account_sub(context, old - size);
    memcpy(block, &size, sizeof size);
    return block + HEADER_BYTES;
}

void cnnfi_free(cnnf_context *context, void *pointer)
{
    if (!pointer) return;
    account_sub(context, block_size(pointer) + HEADER_BYTES);
    context->options.free_fn((char *)pointer - HEADER_BYTES, context->options.allocator_user);
}

char *cnnfi_strndup(cnnf_context *context, const char *text, size_t length)
{
    size_t size;
    char *copy = cnnfi_add_size(&size, length, 1) ? cnnfi_malloc(context, size) : NULL;
    if (!copy) return NULL;
    if (length) memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *cnnfi_strdup(cnnf_context *context, const char *text)
{
    return cnnfi_strndup(context, text, strlen(text));
}

bool cnnfi_grow(cnnf_context *context, void **array, size_t *capacity, size_t count, size_t item_size)
{
    if (count < *capacity) return true;
    size_t wanted, bytes;
    if (!cnnfi_mul_size(&wanted, *capacity ? *capacity : 4, 2) || !cnnfi_mul_size(&bytes, wanted, item_size))
        return false;
    void *grown = cnnfi_realloc(context, *array, bytes);
    if (!grown) return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

const uint64_t *cnnfi_hash_key(const cnnf_context *context)
{
    return context->hash_key;
}

uint64_t cnnfi_limit(const cnnf_context *context, int32_t limit)
{
    return context->options.limits[limit];
}

cnnf_status cnnfi_check_limit(const cnnf_context *context, int32_t limit, uint64_t value, const char *what,
                              cnnf_error *error)
{
    const uint64_t allowed = context->options.limits[limit];
    return value <= allowed ? CNNF_OK : cnnfi_fail_limit(error, what, limit, value, allowed);
}

void cnnfi_log(const cnnf_context *context, int32_t level, const char *format, ...)
{
    if (!context->options.log_fn || level < context->options.min_level) return;
    char text[CNNFI_LINE_BYTES + 1];
    va_list args;
    va_start(args, format);
    cnnfi_print_line(text, sizeof text, format, args);
    va_end(args);
    context->options.log_fn(level, text, context->options.log_user);
}

void cnnfi_tell_temporary(const cnnf_context *context, const char *path, bool exists)
{
    if (context->options.temporary_fn) context->options.temporary_fn(path, exists, context->options.temporary_user);
}

const char *cnnfi_temporary_folder(const cnnf_context *context)
{
    return context->options.temporary_folder;
}

/* ---- buffers ---- */

cnnf_status cnnfi_check_report_format(int32_t format, int32_t last, cnnf_error *error)
{
    if (format >= CNNF_REPORT_TEXT && format <= last) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_INVALID, "report format %d: CNNF_REPORT_TEXT, _JSON%s are possible", (int)format,
                      last == CNNF_REPORT_DOT ? ", _DOT" : "");
}

cnnf_buffer *cnnfi_buffer_new(cnnf_context *context, size_t size)
{
    size_t total;
    if (!cnnfi_add_size(&total, size, sizeof(cnnf_buffer) + 1)) return NULL;
    cnnf_buffer *buffer = cnnfi_malloc(context, total);
    if (!buffer) return NULL;
    *buffer = (cnnf_buffer){.context = cnnf_context_ref(context), .size = size, .data = (unsigned char *)(buffer + 1)};
    buffer->data[size] = '\0';
    return buffer;
}

void *cnnfi_buffer_mut(cnnf_buffer *buffer)
{
    return buffer->data;
}

const void *cnnf_buffer_data(const cnnf_buffer *buffer)
{
    return buffer ? buffer->data : NULL;
}

size_t cnnf_buffer_size(const cnnf_buffer *buffer)
{
    return buffer ? buffer->size : 0;
}

void cnnf_buffer_free(cnnf_buffer *buffer)
{
    if (!buffer) return;
    cnnf_context *context = buffer->context;
    cnnfi_free(context, buffer);
    cnnf_context_unref(context);
}
