/* SPDX-License-Identifier: Apache-2.0 */
/* TensorFlow's names: Graph.name_scope() and Graph.unique_name() of python/framework/ops.py. */
#include <string.h>

#include "loader/keras/build/keras_build.h"
#include "graph/builder.h"

/* Names are compared without case: a file system below TensorBoard may not tell them apart. */
static char *lower_case(cnnfi_keras_builder *b, const char *name)
{
    size_t length = strlen(name);
    char *key = cnnfi_builder_array(b->graph, length + 1, 1);
    for (size_t i = 0; key && i < length; i++) {
        key[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + ('a' - 'A')) : name[i];
    }
    return key;
}

static void take(cnnfi_keras_builder *b, const char *key, int64_t count)
{
    if (key && !cnnfi_strmap_set(&b->names, key, count)) cnnfi_builder_fail(b->graph, CNNF_E_NOMEM, "out of memory");
}

/* The suffix goes behind the first component: a model loaded a second time finds its top-level scopes taken. */
static const char *full_name(cnnfi_keras_builder *b, const char *name)
{
    if (*b->scope) return cnnfi_builder_printf(b->graph, "%s/%s", b->scope, name);
    const char *slash = strchr(name, '/');
    int head = slash ? (int)(slash - name) : (int)strlen(name);
    return cnnfi_builder_printf(b->graph, "%.*s%s%s", head, name, b->suffix, slash ? slash : "");
}

const char *cnnfi_build_unique(cnnfi_keras_builder *b, const char *name)
{
    if (!*name) return b->scope;
    const char *full = full_name(b, name);
    const char *key = full ? lower_case(b, full) : NULL;
    if (!key) return "";
    int64_t count = cnnfi_strmap_get(&b->names, key);
    if (count < 0) {
        take(b, key, 1);
        return full;
    }
    take(b, key, count + 1);
    for (int64_t i = count;; i++) {
        const char *candidate = cnnfi_builder_printf(b->graph, "%s_%lld", key, (long long)i);
        if (!candidate) return "";
        if (cnnfi_strmap_get(&b->names, candidate) >= 0) continue;
        take(b, candidate, 1);
        full = cnnfi_builder_printf(b->graph, "%s_%lld", full, (long long)i);
        return full ? full : "";
    }
}

void cnnfi_build_reserve(cnnfi_keras_builder *b, const char *name)
{
    (void)cnnfi_build_unique(b, name);
}

const char *cnnfi_build_push(cnnfi_keras_builder *b, const char *name)
{
    const char *saved = b->scope;
    b->scope = cnnfi_build_unique(b, name);
    return saved;
}

void cnnfi_build_pop(cnnfi_keras_builder *b, const char *saved)
{
    b->scope = saved;
}
