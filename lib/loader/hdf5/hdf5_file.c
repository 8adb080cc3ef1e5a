/* SPDX-License-Identifier: Apache-2.0 */
#define H5_USE_110_API /* object addresses in H5O_info_t, also with later headers */
#include "loader/hdf5/hdf5_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "base/num.h"
#include "base/os.h"
#include "loader/hdf5/hdf5_driver.h"
#include "loader/hdf5/hdf5_guard.h"

/* Decoded data beyond this much per file goes to a temporary file, in pieces of about PIECE_BYTES. */
#define DECODED_IN_MEMORY ((size_t)16 * 1024 * 1024)
#define PIECE_BYTES       ((size_t)4 * 1024 * 1024)
/* deflate cannot do better than 1032:1. */
#define MAX_EXPANSION 1100u
#define NO_ID         H5I_INVALID_HID

struct cnnfi_h5 {
    cnnf_context *context;
    const char *name;
    cnnfi_h5_bytes bytes;
    cnnf_error io_error;
    cnnfi_h5_guard *guard; /* libhdf5 touches nothing that it has not found good */
    hid_t driver, file;
    size_t decoded;             /* bytes of tensors decoded into memory */
    cnnfi_source *decoded_file; /* what did not fit; NULL before */
    bool host_is_v2;            /* which of the two error callbacks the host had set */
    H5E_auto2_t host_auto2;
    H5E_auto1_t host_auto1;
    void *host_data;
};

/* ---- errors ---- */

/* libhdf5's printing is a setting of the thread; the host gets its own back. */
static void silence(cnnfi_h5 *h5)
{
    unsigned is_v2 = 1;
    H5Eauto_is_v2(H5E_DEFAULT, &is_v2);
    h5->host_is_v2 = is_v2 != 0;
    if (h5->host_is_v2)
        H5Eget_auto2(H5E_DEFAULT, &h5->host_auto2, &h5->host_data);
    else
        H5Eget_auto1(&h5->host_auto1, &h5->host_data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static void unsilence(cnnfi_h5 *h5)
{
    H5Eclear2(H5E_DEFAULT);
    if (h5->host_is_v2)
        H5Eset_auto2(H5E_DEFAULT, h5->host_auto2, h5->host_data);
    else
        H5Eset_auto1(h5->host_auto1, h5->host_data);
}

static herr_t keep_deepest(unsigned n, const H5E_error2_t *entry, void *user)
{
    char *text = user;
    if (n == 0 && entry->desc) snprintf(text, 200, "%s", entry->desc);
    return 0;
}

/* A call into libhdf5 failed at `where`: the reader's own failure, or libhdf5's innermost words. */
static cnnf_status fail_hdf5(cnnfi_h5 *h5, cnnf_error *error, const char *where)
{
    char text[200] = "unreadable";
    if (h5->io_error.code != CNNF_OK) {
        cnnfi_error_copy(error, &h5->io_error);
        return h5->io_error.code;
    }
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_deepest, text);
    H5Eclear2(H5E_DEFAULT);
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: HDF5: %s: %s", h5->name, where, text);
}

/* ---- open and close ---- */

typedef struct superblock {
    uint64_t at, end_of_file;
    uint8_t version;
} superblock;

static cnnf_status find_signature(superblock *out, const cnnfi_h5_bytes *b, const char *name, cnnf_error *error)
{
    static const uint8_t signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    uint8_t found[8];
    if (b->size == 0) return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: not an HDF5 file (0 bytes)", name);
    for (uint64_t at = 0; at + sizeof found <= b->size; at = at ? 2 * at : 512) {
        CNNFI_TRY(cnnfi_source_read(b->source, b->base + at, found, sizeof found, error));
        if (memcmp(found, signature, sizeof found) == 0) {
            out->at = at;
            return CNNF_OK;
        }
    }
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: not an HDF5 file (no signature at offset 0, 512, 1024, 2048)", name);
}

/* Where each superblock version keeps its "end of file address", after the signature at 0. */
static const uint8_t eof_offset[] = {40, 44, 28, 28};

/* What makes libhdf5's own words unclear: a cut file, other sizes of offsets. */
static cnnf_status check_superblock(const cnnfi_h5_bytes *b, const char *name, cnnf_error *error)
{
    superblock s = {.at = 0};
    uint8_t head[64] = {0};
    CNNFI_TRY(find_signature(&s, b, name, error));
    size_t there = b->size - s.at < sizeof head ? (size_t)(b->size - s.at) : sizeof head;
    CNNFI_TRY(cnnfi_source_read(b->source, b->base + s.at, head, there, error));
    s.version = head[8];
    if (s.version >= sizeof eof_offset)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: HDF5: superblock version %d is not supported", name,
                          s.version);
    const uint8_t *sizes = head + (s.version < 2 ? 13 : 9);
    if (there == sizeof head && (sizes[0] != 8 || sizes[1] != 8))
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED,
                          "%s: HDF5: offsets of %d and lengths of %d bytes are not supported", name, sizes[0],
                          sizes[1]);
    memcpy(&s.end_of_file, head + eof_offset[s.version], sizeof s.end_of_file);
    if (there < sizeof head || s.end_of_file > b->size)
        return cnnfi_fail(error, CNNF_E_CORRUPT,
                          "%s: HDF5: file is %" PRIu64 " bytes but superblock says end of file is %" PRIu64, name,
                          b->size, s.end_of_file);
    return CNNF_OK;
}

static cnnf_status open_file(cnnfi_h5 *h5, cnnf_error *error)
{
    hid_t access = NO_ID;
    h5->driver = cnnfi_h5_driver_register();
    if (h5->driver >= 0) access = H5Pcreate(H5P_FILE_ACCESS);
    if (access >= 0 && cnnfi_h5_driver_set(access, h5->driver, &h5->bytes) >= 0 &&
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0)
        h5->file = H5Fopen("cnnfreeze", H5F_ACC_RDONLY, access);
    if (access >= 0) H5Pclose(access);
    return h5->file >= 0 ? CNNF_OK : fail_hdf5(h5, error, "open");
}

cnnf_status cnnfi_h5_open(cnnfi_h5 **out, cnnf_context *context, cnnfi_source *source, uint64_t base, uint64_t size,
                          const char *name, cnnf_error *error)
{
    *out = NULL;
    cnnfi_h5 *h5 = cnnfi_calloc(context, 1, sizeof *h5);
    if (!h5) return cnnfi_fail_nomem(error);
    h5->context = context;
    h5->name = name;
    h5->bytes = (cnnfi_h5_bytes){.source = source, .base = base, .size = size, .error = &h5->io_error};
    h5->driver = h5->file = NO_ID;
    cnnf_status status = check_superblock(&h5->bytes, name, error);
    if (status == CNNF_OK) status = cnnfi_h5_guard_new(&h5->guard, context, source, base, size, name, error);
    if (status == CNNF_OK) status = cnnfi_h5_guard_path(h5->guard, "/", error);
    if (status != CNNF_OK) {
        cnnfi_h5_guard_free(h5->guard);
        cnnfi_free(context, h5);
        return status;
    }
    cnnfi_os_hdf5_lock();
    silence(h5);
    status = open_file(h5, error);
    if (status == CNNF_OK)
        *out = h5;
    else
        cnnfi_h5_close(h5);
    return status;
}

void cnnfi_h5_close(cnnfi_h5 *h5)
{
    if (!h5) return;
    if (h5->file >= 0) H5Fclose(h5->file);
    if (h5->driver >= 0) H5FDunregister(h5->driver);
    unsilence(h5);
    cnnfi_os_hdf5_unlock();
    cnnfi_source_unref(h5->decoded_file);
    cnnfi_h5_guard_free(h5->guard);
    cnnfi_free(h5->context, h5);
}

const char *cnnfi_h5_name(const cnnfi_h5 *h5)
{
    return h5->name;
}

cnnf_context *cnnfi_h5_context(const cnnfi_h5 *h5)
{
    return h5->context;
}

/* ---- walking a path ---- */

/* External: "file:object", soft: the path. */
static void link_target(hid_t group, const char *component, const H5L_info_t *info, char *out, size_t size)
{
    char value[512] = "";
    const char *file = NULL, *object = NULL;
    unsigned flags = 0;
    out[0] = '\0';
    if (info->u.val_size >= sizeof value || H5Lget_val(group, component, value, sizeof value, H5P_DEFAULT) < 0) return;
    if (info->type == H5L_TYPE_SOFT)
        snprintf(out, size, "%s", value);
    else if (H5Lunpack_elink_val(value, info->u.val_size, &flags, &file, &object) >= 0)
        snprintf(out, size, "%s:%s", file, object);
}

static cnnf_status check_link(cnnfi_h5 *h5, hid_t group, const char *component, const char *path, int length,
                              cnnf_error *error)
{
    H5L_info_t info;
    char target[512];
    if (H5Lget_info(group, component, &info, H5P_DEFAULT) < 0) return fail_hdf5(h5, error, path);
    if (info.type == H5L_TYPE_HARD) return CNNF_OK;
    const char *kind = info.type == H5L_TYPE_SOFT       ? "a soft"
                       : info.type == H5L_TYPE_EXTERNAL ? "an external"
                                                        : "a user-defined";
    link_target(group, component, &info, target, sizeof target);
    return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: '%.*s' is %s link (to '%s'); refused", h5->name, length, path,
                      kind, target);
}

/* The objects from the root to here, to see a hard link that leads back up. */
typedef struct trail {
    haddr_t *address;
    size_t count, capacity;
} trail;

static cnnf_status note_address(cnnfi_h5 *h5, trail *t, hid_t object, const char *path, int length, cnnf_error *error)
{
    H5O_info_t info;
    if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0) return fail_hdf5(h5, error, path);
    for (size_t i = 0; i < t->count; i++)
        if (t->address[i] == info.addr)
            return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: group '%.*s' links back to itself", h5->name, length, path);
    if (t->count == t->capacity) return cnnfi_fail_limit(error, path, CNNF_LIMIT_DEPTH, t->capacity + 1, t->capacity);
    t->address[t->count++] = info.addr;
    return CNNF_OK;
}

/* Opens the child called [from, from + length) of *object in its place; *object is NO_ID when there is none. */
static cnnf_status step(cnnfi_h5 *h5, hid_t *object, trail *t, const char *path, const char *from, size_t length,
                        cnnf_error *error)
{
    char *component = cnnfi_strndup(h5->context, from, length);
    if (!component) return cnnfi_fail_nomem(error);
    hid_t group = *object;
    int extent = (int)(from + length - path);
    cnnf_status status = CNNF_OK;
    *object = NO_ID;
    htri_t exists = H5Iget_type(group) == H5I_GROUP ? H5Lexists(group, component, H5P_DEFAULT) : 0;
    if (exists < 0) status = fail_hdf5(h5, error, path);
    if (exists > 0) status = check_link(h5, group, component, path, extent, error);
    if (exists > 0 && status == CNNF_OK) {
        *object = H5Oopen(group, component, H5P_DEFAULT);
        status = *object < 0 ? fail_hdf5(h5, error, path) : note_address(h5, t, *object, path, extent, error);
    }
    H5Oclose(group);
    cnnfi_free(h5->context, component);
    return status;
}

static cnnf_status walk(cnnfi_h5 *h5, hid_t *object, trail *t, const char *path, cnnf_error *error)
{
    *object = H5Oopen(h5->file, "/", H5P_DEFAULT);
    cnnf_status status = *object < 0 ? fail_hdf5(h5, error, "/") : note_address(h5, t, *object, "/", 1, error);
    for (const char *at = path; status == CNNF_OK && *object >= 0 && *at;) {
        size_t length = strcspn(at, "/");
        /* libhdf5 takes "." for the group itself. */
        if (length > 0 && !(length == 1 && at[0] == '.'))
            status = length <= cnnfi_limit(h5->context, CNNF_LIMIT_NAME_BYTES)
                         ? step(h5, object, t, path, at, length, error)
                         : cnnfi_check_limit(h5->context, CNNF_LIMIT_NAME_BYTES, length, h5->name, error);
        at += length + (at[length] == '/');
    }
    if (status != CNNF_OK && *object >= 0) {
        H5Oclose(*object);
        *object = NO_ID;
    }
    return status;
}

/* *object is NO_ID when nothing is there. */
static cnnf_status open_object(cnnfi_h5 *h5, hid_t *object, const char *path, cnnf_error *error)
{
    *object = NO_ID;
    CNNFI_TRY(cnnfi_h5_guard_path(h5->guard, path, error));
    trail t = {.capacity = (size_t)cnnfi_limit(h5->context, CNNF_LIMIT_DEPTH) + 1};
    t.address = cnnfi_array(h5->context, t.capacity, sizeof *t.address);
    if (!t.address) return cnnfi_fail_nomem(error);
    cnnf_status status = walk(h5, object, &t, path, error);
    cnnfi_free(h5->context, t.address);
    return status;
}

cnnf_status cnnfi_h5_has(bool *out, cnnfi_h5 *h5, const char *path, cnnf_error *error)
{
    hid_t object = NO_ID;
    cnnf_status status = open_object(h5, &object, path, error);
    *out = object >= 0;
    if (object >= 0) H5Oclose(object);
    return status;
}

/* ---- names of types ---- */

static const char *class_name(H5T_class_t class)
{
    static const char *const names[] = {"integer",  "float",     "time", "string",        "bitfield", "opaque",
                                        "compound", "reference", "enum", "vlen sequence", "array"};
    return class >= 0 && (size_t) class < sizeof names / sizeof names[0] ? names[class] : "unknown";
}

/* ---- attributes ---- */

typedef struct attribute {
    cnnfi_h5 *h5;
    const char *name;
    hid_t id, type, space;
    size_t count;
    bool scalar;
} attribute;

static void attribute_close(attribute *a)
{
    if (a->space >= 0) H5Sclose(a->space);
    if (a->type >= 0) H5Tclose(a->type);
    if (a->id >= 0) H5Aclose(a->id);
}

static cnnf_status attribute_extent(attribute *a, cnnf_error *error)
{
    cnnfi_h5 *h5 = a->h5;
    H5S_class_t kind = H5Sget_simple_extent_type(a->space);
    hssize_t points = kind == H5S_NULL ? 0 : H5Sget_simple_extent_npoints(a->space);
    int rank = kind == H5S_SIMPLE ? H5Sget_simple_extent_ndims(a->space) : 0;
    if (points < 0 || rank < 0 || kind == H5S_NO_CLASS) return fail_hdf5(h5, error, a->name);
    if (rank > 1)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: Keras: attribute '%s' has %d dimensions, want at most 1",
                          h5->name, a->name, rank);
    a->count = (size_t)points;
    a->scalar = kind == H5S_SCALAR;
    return cnnfi_check_limit(h5->context, CNNF_LIMIT_ENTRIES, a->count, a->name, error);
}

/* a->id is NO_ID when the attribute is not there. */
static cnnf_status attribute_open(attribute *a, hid_t object, cnnf_error *error)
{
    cnnfi_h5 *h5 = a->h5;
    a->id = a->type = a->space = NO_ID;
    htri_t exists = H5Aexists(object, a->name);
    if (exists < 0) return fail_hdf5(h5, error, a->name);
    if (!exists) return CNNF_OK;
    a->id = H5Aopen(object, a->name, H5P_DEFAULT);
    if (a->id >= 0) a->type = H5Aget_type(a->id);
    if (a->type >= 0) a->space = H5Aget_space(a->id);
    if (a->space < 0) return fail_hdf5(h5, error, a->name);
    CNNFI_TRY(attribute_extent(a, error));
    /* numpy makes an empty list an array of floats. */
    if (a->count > 0 && H5Tget_class(a->type) != H5T_STRING)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: Keras: attribute '%s' has type %s, want string", h5->name,
                          a->name, class_name(H5Tget_class(a->type)));
    return cnnfi_check_limit(h5->context, CNNF_LIMIT_ATTR_BYTES, H5Aget_storage_size(a->id), a->name, error);
}

static size_t fixed_length(const char *text, size_t size, H5T_str_t padding)
{
    const char *zero = memchr(text, '\0', size);
    size_t length = zero ? (size_t)(zero - text) : size;
    while (padding == H5T_STR_SPACEPAD && length > 0 && text[length - 1] == ' ')
        length--;
    return length;
}

static cnnf_status read_fixed(attribute *a, cnnfi_arena *arena, const char **out, cnnf_error *error)
{
    cnnfi_h5 *h5 = a->h5;
    size_t size = H5Tget_size(a->type), total = 0;
    if (size == 0 || !cnnfi_mul_size(&total, size, a->count)) return fail_hdf5(h5, error, a->name);
    CNNFI_TRY(cnnfi_check_limit(h5->context, CNNF_LIMIT_ATTR_BYTES, total, a->name, error));
    char *bytes = cnnfi_malloc(h5->context, total);
    if (!bytes) return cnnfi_fail_nomem(error);
    cnnf_status status = H5Aread(a->id, a->type, bytes) >= 0 ? CNNF_OK : fail_hdf5(h5, error, a->name);
    for (size_t i = 0; status == CNNF_OK && i < a->count; i++) {
        const char *text = bytes + i * size;
        out[i] = cnnfi_arena_strndup(arena, text, fixed_length(text, size, H5Tget_strpad(a->type)));
        if (!out[i]) status = cnnfi_fail_nomem(error);
    }
    cnnfi_free(h5->context, bytes);
    return status;
}

static cnnf_status copy_strings(const attribute *a, cnnfi_arena *arena, char *const *strings, const char **out,
                                cnnf_error *error)
{
    uint64_t total = 0;
    for (size_t i = 0; i < a->count; i++) {
        const char *text = strings[i] ? strings[i] : "";
        total += strlen(text);
        CNNFI_TRY(cnnfi_check_limit(a->h5->context, CNNF_LIMIT_ATTR_BYTES, total, a->name, error));
        out[i] = cnnfi_arena_strdup(arena, text);
        if (!out[i]) return cnnfi_fail_nomem(error);
    }
    return CNNF_OK;
}

static cnnf_status read_variable(attribute *a, cnnfi_arena *arena, const char **out, cnnf_error *error)
{
    cnnfi_h5 *h5 = a->h5;
    char **strings = cnnfi_calloc(h5->context, a->count, sizeof *strings);
    hid_t memory_type = H5Tcopy(a->type);
    cnnf_status status = CNNF_OK;
    if (!strings)
        status = cnnfi_fail_nomem(error);
    else if (memory_type < 0 || H5Aread(a->id, memory_type, strings) < 0)
        status = fail_hdf5(h5, error, a->name);
    else
        status = copy_strings(a, arena, strings, out, error);
    if (strings && memory_type >= 0) H5Dvlen_reclaim(memory_type, a->space, H5P_DEFAULT, strings);
    if (memory_type >= 0) H5Tclose(memory_type);
    cnnfi_free(h5->context, strings);
    return status;
}

static cnnf_status read_strings(attribute *a, cnnfi_arena *arena, const char **out, cnnf_error *error)
{
    if (a->count == 0) return CNNF_OK;
    htri_t variable = H5Tis_variable_str(a->type);
    if (variable < 0) return fail_hdf5(a->h5, error, a->name);
    return variable ? read_variable(a, arena, out, error) : read_fixed(a, arena, out, error);
}

cnnf_status cnnfi_h5_attr_string(const char **out, cnnfi_h5 *h5, cnnfi_arena *arena, const char *path, const char *name,
                                 cnnf_error *error)
{
    hid_t object;
    attribute a = {.h5 = h5, .name = name, .id = NO_ID, .type = NO_ID, .space = NO_ID};
    *out = NULL;
    CNNFI_TRY(open_object(h5, &object, path, error));
    if (object < 0) return CNNF_OK;
    cnnf_status status = attribute_open(&a, object, error);
    if (status == CNNF_OK && a.id >= 0 && a.count == 1) status = read_strings(&a, arena, out, error);
    attribute_close(&a);
    H5Oclose(object);
    return status;
}

/* Appends one attribute's strings; *found tells whether it was there. */
static cnnf_status append_strings(const char ***list, size_t *count, bool *found, cnnfi_h5 *h5, cnnfi_arena *arena,
                                  hid_t object, const char *name, cnnf_error *error)
{
    attribute a = {.h5 = h5, .name = name, .id = NO_ID, .type = NO_ID, .space = NO_ID};
    cnnf_status status = attribute_open(&a, object, error);
    *found = status == CNNF_OK && a.id >= 0;
    if (*found) {
        const char **grown = cnnfi_arena_array(arena, *count + a.count, sizeof *grown);
        if (grown && *count > 0) memcpy(grown, *list, *count * sizeof *grown);
        status = grown ? read_strings(&a, arena, grown + *count, error) : cnnfi_fail_nomem(error);
        *list = grown;
        *count += a.count;
    }
    attribute_close(&a);
    return status;
}

/* Keras splits an attribute over HDF5's 64 KiB into name0, name1, ... */
static cnnf_status read_list(const char ***out, size_t *count, bool *found, cnnfi_h5 *h5, cnnfi_arena *arena,
                             hid_t object, const char *name, cnnf_error *error)
{
    CNNFI_TRY(append_strings(out, count, found, h5, arena, object, name, error));
    bool more = !*found;
    for (unsigned part = 0; more; part++) {
        char numbered[64];
        snprintf(numbered, sizeof numbered, "%s%u", name, part);
        CNNFI_TRY(append_strings(out, count, &more, h5, arena, object, numbered, error));
        CNNFI_TRY(cnnfi_check_limit(h5->context, CNNF_LIMIT_ENTRIES, *count, name, error));
        *found = *found || more;
    }
    return CNNF_OK;
}

cnnf_status cnnfi_h5_attr_strings(const char ***out, size_t *count, bool *found, cnnfi_h5 *h5, cnnfi_arena *arena,
                                  const char *path, const char *name, cnnf_error *error)
{
    hid_t object;
    *out = NULL;
    *count = 0;
    *found = false;
    CNNFI_TRY(open_object(h5, &object, path, error));
    if (object < 0) return CNNF_OK;
    cnnf_status status = read_list(out, count, found, h5, arena, object, name, error);
    H5Oclose(object);
    return status;
}

/* ---- datasets ---- */

typedef struct dataset {
    cnnfi_h5 *h5;
    char where[600]; /* "m.h5: dataset '/a/b'" */
    hid_t id, type, space, properties;
    H5D_layout_t layout;
    cnnf_dtype dtype;  /* of the tensor */
    hid_t memory_type; /* what H5Dread converts to; borrowed */
    bool as_stored;    /* the stored bytes are the tensor's */
    int32_t rank;
    hsize_t extent[CNNFI_MAX_RANK];
    int64_t dims[CNNFI_MAX_RANK];
    size_t size;          /* bytes of the tensor */
    uint64_t stored_size; /* bytes the elements take in the file before filters */
} dataset;

static cnnf_status dataset_open(dataset *d, hid_t object, cnnf_error *error)
{
    if (H5Iget_type(object) != H5I_DATASET) return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: is no dataset", d->where);
    d->type = H5Dget_type(d->id);
    if (d->type >= 0) d->space = H5Dget_space(d->id);
    if (d->space >= 0) d->properties = H5Dget_create_plist(d->id);
    if (d->properties < 0) return fail_hdf5(d->h5, error, d->where);
    d->layout = H5Pget_layout(d->properties);
    return CNNF_OK;
}

static void dataset_close(dataset *d)
{
    if (d->properties >= 0) H5Pclose(d->properties);
    if (d->space >= 0) H5Sclose(d->space);
    if (d->type >= 0) H5Tclose(d->type);
}

/* Data in other files: raw files ("external storage"), virtual datasets. */
static cnnf_status check_inside(const dataset *d, cnnf_error *error)
{
    char file[256] = "";
    off_t offset = 0;
    hsize_t size = 0;
    if (d->layout == H5D_VIRTUAL)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s is a virtual dataset over other files; refused", d->where);
    if (d->layout != H5D_COMPACT && d->layout != H5D_CONTIGUOUS && d->layout != H5D_CHUNKED)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: storage layout %d is not supported", d->where,
                          (int)d->layout);
    int external = H5Pget_external_count(d->properties);
    if (external < 0) return fail_hdf5(d->h5, error, d->where);
    if (external == 0) return CNNF_OK;
    H5Pget_external(d->properties, 0, sizeof file - 1, file, &offset, &size);
    return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s stores its data in another file ('%s'); refused", d->where, file);
}

/* Others are plugins: libhdf5 would load code that the environment names. */
static cnnf_status check_filters(const dataset *d, cnnf_error *error)
{
    int count = H5Pget_nfilters(d->properties);
    if (count < 0) return fail_hdf5(d->h5, error, d->where);
    for (unsigned i = 0; i < (unsigned)count; i++) {
        unsigned flags = 0, values[1] = {0}, config = 0;
        size_t n_values = 1;
        char name[1] = "";
        H5Z_filter_t filter = H5Pget_filter2(d->properties, i, &flags, &n_values, values, sizeof name, name, &config);
        if (filter < 0) return fail_hdf5(d->h5, error, d->where);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
            return cnnfi_fail(error, CNNF_E_UNSUPPORTED,
                              "%s: filter %d is not supported (deflate, shuffle, fletcher32 are)", d->where,
                              (int)filter);
    }
    return CNNF_OK;
}

static bool is_half(hid_t type)
{
    size_t sign, exponent, exponent_size, mantissa, mantissa_size;
    return H5Tget_size(type) == 2 &&
           H5Tget_fields(type, &sign, &exponent, &exponent_size, &mantissa, &mantissa_size) >= 0 && sign == 15 &&
           exponent == 10 && exponent_size == 5 && mantissa == 0 && mantissa_size == 10 && H5Tget_ebias(type) == 15;
}

static cnnf_status float_type(dataset *d, cnnf_dtype floats, cnnf_error *error)
{
    hid_t type = d->type;
    bool single = H5Tequal(type, H5T_IEEE_F32LE) > 0, twice = H5Tequal(type, H5T_IEEE_F64LE) > 0;
    bool known =
        single || twice || H5Tequal(type, H5T_IEEE_F32BE) > 0 || H5Tequal(type, H5T_IEEE_F64BE) > 0 || is_half(type);
    if (!known)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: float type that is not IEEE half, single or double",
                          d->where);
    /* Halves are widened here and rounded below: libhdf5 has no native type for them. */
    d->dtype = floats == CNNF_DOUBLE ? CNNF_DOUBLE : CNNF_FLOAT;
    d->memory_type = d->dtype == CNNF_DOUBLE ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;
    d->as_stored = (d->dtype == CNNF_DOUBLE && twice) || (d->dtype == CNNF_FLOAT && single);
    return CNNF_OK;
}

static cnnf_status integer_type(dataset *d, cnnf_error *error)
{
    const struct {
        hid_t little, big;
        cnnf_dtype dtype;
    } types[] = {
        {H5T_STD_I8LE, H5T_STD_I8BE, CNNF_INT8},    {H5T_STD_U8LE, H5T_STD_U8BE, CNNF_UINT8},
        {H5T_STD_I16LE, H5T_STD_I16BE, CNNF_INT16}, {H5T_STD_U16LE, H5T_STD_U16BE, CNNF_UINT16},
        {H5T_STD_I32LE, H5T_STD_I32BE, CNNF_INT32}, {H5T_STD_U32LE, H5T_STD_U32BE, CNNF_UINT32},
        {H5T_STD_I64LE, H5T_STD_I64BE, CNNF_INT64}, {H5T_STD_U64LE, H5T_STD_U64BE, CNNF_UINT64},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        bool little = H5Tequal(d->type, types[i].little) > 0;
        if (!little && H5Tequal(d->type, types[i].big) <= 0) continue;
        d->dtype = types[i].dtype;
        d->memory_type = types[i].little;
        d->as_stored = little;
        return CNNF_OK;
    }
    return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: integers of this layout are not supported", d->where);
}

static cnnf_status dataset_type(dataset *d, cnnf_dtype floats, cnnf_error *error)
{
    H5T_class_t class = H5Tget_class(d->type);
    if (class == H5T_FLOAT) return float_type(d, floats, error);
    if (class == H5T_INTEGER) return integer_type(d, error);
    return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: type %s, want float", d->where, class_name(class));
}

static cnnf_status dataset_shape(dataset *d, cnnf_error *error)
{
    H5S_class_t kind = H5Sget_simple_extent_type(d->space);
    int rank = kind == H5S_SIMPLE ? H5Sget_simple_extent_ndims(d->space) : 0;
    if ((kind != H5S_SIMPLE && kind != H5S_SCALAR) || rank < 0)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: has no shape", d->where);
    CNNFI_TRY(cnnfi_check_limit(d->h5->context, CNNF_LIMIT_RANK, (uint64_t)rank, d->where, error));
    d->rank = rank;
    if (rank > 0 && H5Sget_simple_extent_dims(d->space, d->extent, NULL) < 0) return fail_hdf5(d->h5, error, d->where);
    d->stored_size = H5Tget_size(d->type);
    for (int i = 0; i < rank; i++) {
        if (d->extent[i] > INT64_MAX || __builtin_mul_overflow(d->stored_size, d->extent[i], &d->stored_size))
            return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: its shape overflows", d->where);
        d->dims[i] = (int64_t)d->extent[i];
    }
    return CNNF_OK;
}

/* What is declared must be there, give or take what deflate can do; only then do limits have a say. */
static cnnf_status check_storage(dataset *d, cnnf_error *error)
{
    uint64_t stored = H5Dget_storage_size(d->id);
    bool chunked = d->layout == H5D_CHUNKED;
    if (chunked ? d->stored_size / MAX_EXPANSION > stored || (stored == 0 && d->stored_size > 0)
                : stored != d->stored_size)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: declares %" PRIu64 " bytes but stores %" PRIu64, d->where,
                          d->stored_size, stored);
    return cnnfi_shape_bytes(&d->size, d->h5->context, d->dtype, d->rank, d->dims, d->where, error);
}

/* libhdf5 decodes whole chunks; they may be larger than the dataset. */
static cnnf_status check_chunk(const dataset *d, hsize_t *first_dim, cnnf_error *error)
{
    hsize_t chunk[CNNFI_MAX_RANK] = {1};
    *first_dim = 1;
    if (d->layout != H5D_CHUNKED) return CNNF_OK;
    uint64_t bytes = H5Tget_size(d->type);
    if (H5Pget_chunk(d->properties, CNNFI_MAX_RANK, chunk) != d->rank) return fail_hdf5(d->h5, error, d->where);
    for (int i = 0; i < d->rank; i++)
        if (__builtin_mul_overflow(bytes, chunk[i], &bytes)) bytes = UINT64_MAX;
    *first_dim = chunk[0];
    return cnnfi_check_limit(d->h5->context, CNNF_LIMIT_TENSOR_BYTES, bytes, d->where, error);
}

static cnnf_status range_tensor(cnnf_tensor **out, const dataset *d, cnnf_error *error)
{
    const cnnfi_h5_bytes *bytes = &d->h5->bytes;
    haddr_t offset = H5Dget_offset(d->id);
    if (offset == HADDR_UNDEF || !cnnfi_range_fits(offset, d->size, bytes->size))
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: its data lie outside the file", d->where);
    return cnnfi_tensor_range(out, d->h5->context, d->dtype, d->rank, d->dims, bytes->source, bytes->base + offset,
                              d->size, false, 0, error);
}

static cnnf_status decode_in_memory(cnnf_tensor **out, const dataset *d, cnnf_error *error)
{
    CNNFI_TRY(cnnf_tensor_new(out, d->h5->context, d->dtype, d->rank, d->dims, error));
    if (d->size == 0 ||
        H5Dread(d->id, d->memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, cnnf_tensor_data_mut(*out)) >= 0) {
        d->h5->decoded += d->size;
        return CNNF_OK;
    }
    cnnf_tensor_unref(*out);
    *out = NULL;
    return fail_hdf5(d->h5, error, d->where);
}

/* Rows [from, from + rows) of the first dimension into `buffer`. */
static cnnf_status read_rows(dataset *d, hsize_t from, hsize_t rows, void *buffer, cnnf_error *error)
{
    hsize_t start[CNNFI_MAX_RANK] = {0}, count[CNNFI_MAX_RANK];
    memcpy(count, d->extent, sizeof count);
    start[0] = from;
    count[0] = rows;
    hid_t memory = H5Screate_simple(d->rank, count, NULL);
    bool done = memory >= 0 && H5Sselect_hyperslab(d->space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
                H5Dread(d->id, d->memory_type, memory, d->space, H5P_DEFAULT, buffer) >= 0;
    if (memory >= 0) H5Sclose(memory);
    return done ? CNNF_OK : fail_hdf5(d->h5, error, d->where);
}

static cnnf_status append_rows(dataset *d, hsize_t rows, cnnf_error *error)
{
    size_t row_bytes = d->size / (size_t)d->extent[0];
    void *buffer = cnnfi_array(d->h5->context, (size_t)rows, row_bytes);
    if (!buffer) return cnnfi_fail_nomem(error);
    cnnf_status status = CNNF_OK;
    for (hsize_t at = 0; status == CNNF_OK && at < d->extent[0]; at += rows) {
        hsize_t now = d->extent[0] - at < rows ? d->extent[0] - at : rows;
        status = read_rows(d, at, now, buffer, error);
        if (status == CNNF_OK)
            status = cnnfi_source_append(d->h5->decoded_file, buffer, (size_t)now * row_bytes, error);
    }
    cnnfi_free(d->h5->context, buffer);
    return status;
}

/* Pieces are whole rows of chunks, so that no chunk is decoded twice. */
static cnnf_status decode_to_file(cnnf_tensor **out, dataset *d, hsize_t chunk_rows, cnnf_error *error)
{
    cnnfi_h5 *h5 = d->h5;
    if (!h5->decoded_file) CNNFI_TRY(cnnfi_source_temp(&h5->decoded_file, h5->context, h5->name, error));
    size_t row_bytes = d->size / (size_t)d->extent[0];
    hsize_t rows = row_bytes < PIECE_BYTES ? PIECE_BYTES / row_bytes : 1;
    rows = (rows + chunk_rows - 1) / chunk_rows * chunk_rows;
    if (rows > d->extent[0]) rows = d->extent[0];
    uint64_t offset = cnnfi_source_size(h5->decoded_file);
    CNNFI_TRY(append_rows(d, rows, error));
    return cnnfi_tensor_range(out, h5->context, d->dtype, d->rank, d->dims, h5->decoded_file, offset, d->size, false, 0,
                              error);
}

/* Rounds a decoded float tensor to halves. */
static cnnf_status to_half(cnnf_tensor **tensor, cnnf_context *context, cnnf_error *error)
{
    cnnf_tensor *single = NULL, *half = NULL;
    cnnf_status status = cnnf_tensor_load(&single, *tensor, error);
    if (status == CNNF_OK)
        status = cnnf_tensor_new(&half, context, CNNF_HALF, cnnf_tensor_rank(single), cnnfi_tensor_dims(single), error);
    if (status == CNNF_OK) {
        const float *from = cnnf_tensor_data(single);
        uint16_t *to = cnnf_tensor_data_mut(half);
        for (int64_t i = 0; i < cnnf_tensor_element_count(single); i++)
            to[i] = cnnfi_float_to_half(from[i]);
    }
    cnnf_tensor_unref(single);
    cnnf_tensor_unref(*tensor);
    *tensor = half;
    return status;
}

static cnnf_status dataset_tensor(cnnf_tensor **out, dataset *d, hid_t object, cnnf_dtype floats, cnnf_error *error)
{
    hsize_t chunk_rows;
    CNNFI_TRY(dataset_open(d, object, error));
    CNNFI_TRY(check_inside(d, error));
    CNNFI_TRY(check_filters(d, error));
    CNNFI_TRY(dataset_type(d, floats, error));
    CNNFI_TRY(dataset_shape(d, error));
    CNNFI_TRY(check_storage(d, error));
    CNNFI_TRY(check_chunk(d, &chunk_rows, error));
    if (d->layout == H5D_CONTIGUOUS && d->as_stored && d->size > 0)
        CNNFI_TRY(range_tensor(out, d, error));
    else if (d->rank == 0 || (d->size <= DECODED_IN_MEMORY && d->h5->decoded <= DECODED_IN_MEMORY - d->size))
        CNNFI_TRY(decode_in_memory(out, d, error));
    else
        CNNFI_TRY(decode_to_file(out, d, chunk_rows, error));
    if (floats == CNNF_HALF && d->dtype == CNNF_FLOAT) return to_half(out, d->h5->context, error);
    return CNNF_OK;
}

cnnf_status cnnfi_h5_tensor(cnnf_tensor **out, cnnfi_h5 *h5, const char *path, cnnf_dtype floats, cnnf_error *error)
{
    hid_t object;
    *out = NULL;
    CNNFI_TRY(open_object(h5, &object, path, error));
    if (object < 0) return cnnfi_fail(error, CNNF_E_NOT_FOUND, "%s: dataset '%s' is not there", h5->name, path);
    dataset d = {.h5 = h5, .id = object, .type = NO_ID, .space = NO_ID, .properties = NO_ID};
    snprintf(d.where, sizeof d.where, "%s: dataset '%s'", h5->name, path);
    cnnf_status status = dataset_tensor(out, &d, object, floats, error);
    dataset_close(&d);
    H5Oclose(object);
    return status;
}
