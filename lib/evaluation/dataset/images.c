/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder of pictures: one folder per class (in the order of their names, as Keras' flow_from_directory numbers them),
 * or pictures beside a file of lines "name,label"; or one picture alone, without a label. Decoded while they are read,
 * by as many threads as ask for rows.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/num.h"
#include "base/os.h"
#include "base/str.h"
#include "evaluation/dataset/dataset.h"
#include "evaluation/dataset/image.h"

typedef struct item {
    const char *path;
    int64_t label;
} item;

typedef struct folder {
    cnnfi_arena names;
    item *items;
    size_t capacity;
    int64_t count, next;
} folder;

static bool is_picture(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG"};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if (cnnfi_ends_with(name, endings[i])) return true;
    return false;
}

static cnnf_status add_item(cnnf_dataset *d, const char *where, const char *name, int64_t label, cnnf_error *error)
{
    folder *f = d->state;
    CNNFI_TRY(cnnfi_check_limit(d->context, CNNF_LIMIT_ENTRIES, (uint64_t)f->count + 1, where ? where : name, error));
    if (!cnnfi_grow(d->context, (void **)&f->items, &f->capacity, (size_t)f->count, sizeof(*f->items)))
        return cnnfi_fail_nomem(error);
    char *path = where ? cnnfi_arena_printf(&f->names, "%s/%s", where, name) : cnnfi_arena_strdup(&f->names, name);
    if (!path) return cnnfi_fail_nomem(error);
    f->items[f->count++] = (item){.path = path, .label = label};
    return CNNF_OK;
}

static cnnf_status list_folder(cnnf_dataset *d, const char *path, char ***names, size_t *count, cnnf_error *error)
{
    int code = cnnfi_os_list(d->context, path, names, count);
    if (code == 0) return CNNF_OK;
    return cnnfi_fail(error, cnnfi_os_status(code), "%s: %s", path, cnnfi_os_error(code));
}

/* The pictures of one class. */
static cnnf_status add_class(cnnf_dataset *d, const char *path, int64_t label, cnnf_error *error)
{
    char **names = NULL;
    size_t count = 0;
    CNNFI_TRY(list_folder(d, path, &names, &count, error));
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; i < count && status == CNNF_OK; i++)
        if (is_picture(names[i])) status = add_item(d, path, names[i], label, error);
    cnnfi_free(d->context, names);
    return status;
}

static cnnf_status add_classes(cnnf_dataset *d, const char *path, cnnf_error *error)
{
    folder *f = d->state;
    char **names = NULL;
    size_t count = 0;
    int64_t class = 0;
    CNNFI_TRY(list_folder(d, path, &names, &count, error));
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; i < count && status == CNNF_OK; i++) {
        char *inner = cnnfi_arena_printf(&f->names, "%s/%s", path, names[i]);
        if (!inner) status = cnnfi_fail_nomem(error);
        if (!inner || !cnnfi_os_is_folder(inner)) continue;
        int64_t mapped = cnnfi_label_find(&d->labels, names[i], strlen(names[i]));
        if (mapped < 0) mapped = class;
        if (!cnnfi_class_names_set(&d->names, mapped, names[i])) status = cnnfi_fail_nomem(error);
        if (status == CNNF_OK) status = add_class(d, inner, mapped, error);
        class ++;
    }
    cnnfi_free(d->context, names);
    return status;
}

/* ---- a file of labels ---- */

static cnnf_status add_line(cnnf_dataset *d, const char *path, const char *file, char *line, int64_t number,
                            cnnf_error *error)
{
    char *comma = strrchr(line, ',');
    if (!comma) comma = strrchr(line, '\t');
    if (!comma) comma = strrchr(line, ' ');
    if (!comma) return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld: 'name,label' is expected", file, (long long)number);
    *comma++ = 0;
    while (*comma == ' ')
        comma++;
    int64_t label = cnnfi_label_find(&d->labels, comma, strlen(comma));
    bool good = label >= 0 || (cnnfi_parse_i64(comma, strlen(comma), &label) && label >= 0);
    if (!good && number == 1) return CNNF_OK; /* a header */
    if (!good) return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld: '%.40s' is no label", file, (long long)number, comma);
    if (strstr(line, "..")) /* pictures are looked for in the folder only */
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s:%lld: the name leaves the folder", file, (long long)number);
    return add_item(d, path, line, label, error);
}

static cnnf_status add_listed(cnnf_dataset *d, const char *path, const char *file, cnnf_error *error)
{
    cnnfi_source *source = NULL;
    uint8_t *bytes = NULL;
    char *text = NULL;
    size_t size = 0;
    int64_t number = 0;
    CNNFI_TRY(cnnfi_source_open(&source, d->context, file, error));
    cnnf_status status = cnnfi_check_limit(d->context, CNNF_LIMIT_ATTR_BYTES, cnnfi_source_size(source), file, error);
    if (status == CNNF_OK) status = cnnfi_source_read_all(source, &bytes, &size, error);
    cnnfi_source_unref(source);
    if (status == CNNF_OK && !(text = cnnfi_strndup(d->context, (const char *)bytes, size)))
        status = cnnfi_fail_nomem(error);
    for (char *line = text; line && *line && status == CNNF_OK;) {
        char *next = strchr(line, '\n');
        if (next) *next++ = 0;
        size_t n = strlen(line);
        if (n > 0 && line[n - 1] == '\r') line[n - 1] = 0;
        number++;
        if (*line) status = add_line(d, path, file, line, number, error);
        line = next;
    }
    cnnfi_free(d->context, text);
    cnnfi_free(d->context, bytes);
    return status;
}

/* ---- the format ---- */

/* The user's shape, else that of the first picture. */
static cnnf_status set_shape(cnnf_dataset *d, const char *path, cnnf_error *error)
{
    const folder *f = d->state;
    const struct cnnf_dataset_options *o = &d->options;
    cnnfi_image first;
    int64_t dims[3];
    bool turned = o->channels_first && o->rank == 3;
    if (o->rank == 2 || o->rank == 3) {
        dims[0] = o->dims[turned ? 1 : 0];
        dims[1] = o->dims[turned ? 2 : 1];
        dims[2] = o->rank == 2 ? 1 : o->dims[turned ? 0 : 2];
    } else {
        CNNFI_TRY(cnnfi_image_load(&first, d->context, f->items[0].path, CNNFI_RESIZE_AREA, error));
        dims[0] = first.height;
        dims[1] = first.width;
        dims[2] = first.gray ? 1 : 3;
        cnnfi_image_free(&first);
    }
    if ((dims[2] != 1 && dims[2] != 3) || dims[0] > 32768 || dims[1] > 32768)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: images: %lld x %lld pixels of %lld channels", path,
                          (long long)dims[0], (long long)dims[1], (long long)dims[2]);
    return cnnfi_dataset_set_shape(d, path, 3, dims, error);
}

static cnnf_status find_images(cnnf_dataset *d, const char *path, cnnf_error *error)
{
    folder *f = d->state;
    char *beside = cnnfi_arena_printf(&f->names, "%s/labels.csv", path);
    if (!beside) return cnnfi_fail_nomem(error);
    if (d->options.labels_file) return add_listed(d, path, d->options.labels_file, error);
    if (cnnfi_os_exists(beside)) return add_listed(d, path, beside, error);
    return add_classes(d, path, error);
}

static cnnf_status images_open(cnnf_dataset *d, cnnfi_source *source, const char *path, cnnf_error *error)
{
    folder *f = cnnfi_calloc(d->context, 1, sizeof(*f));
    if (!f) return cnnfi_fail_nomem(error);
    d->state = f;
    d->default_scale = 255;
    cnnfi_arena_init(&f->names, d->context);
    CNNFI_TRY(source ? add_item(d, NULL, path, -1, error) : find_images(d, path, error));
    if (f->count == 0)
        return cnnfi_fail(error, CNNF_E_NOT_FOUND,
                          "%s: no images: one folder per class, or a file of lines 'name,label', is expected", path);
    d->count = f->count;
    return set_shape(d, path, error);
}

/* Height, width and channels as pictures have them, whatever shape the user asked for. */
static void picture_size(const cnnf_dataset *d, int32_t *height, int32_t *width, int32_t *channels)
{
    const bool turned = d->options.transpose;
    *height = (int32_t)d->dims[turned ? 1 : 0];
    *width = (int32_t)d->dims[turned ? 0 : 1];
    *channels = d->rank == 3 ? (int32_t)d->dims[2] : 1;
}

static cnnf_status read_one(const cnnf_dataset *d, const item *from, float *pixels, cnnf_error *error)
{
    cnnfi_image image;
    int32_t height, width, channels;
    picture_size(d, &height, &width, &channels);
    CNNFI_TRY(cnnfi_image_load(&image, d->context, from->path, (cnnfi_resize)d->options.resize, error));
    const cnnf_status status = cnnfi_image_fit(&image, (cnnfi_resize)d->options.resize, (cnnfi_crop)d->options.crop,
                                               width, height, channels, pixels, error);
    cnnfi_image_free(&image);
    return status;
}

static cnnf_status images_read_at(const cnnf_dataset *d, int64_t first, int64_t n, float *pixels, int64_t *labels,
                                  cnnf_error *error)
{
    const folder *f = d->state;
    for (int64_t i = 0; i < n; i++) {
        const item *from = &f->items[first + i];
        if (!cnnfi_dataset_has_class(d, from->label))
            return cnnfi_dataset_fail_class(d, from->label, from->path, error);
        CNNFI_TRY(read_one(d, from, pixels + i * d->width, error));
        labels[i] = from->label;
    }
    return CNNF_OK;
}

static cnnf_status images_read(cnnf_dataset *d, int64_t want, float *pixels, int64_t *labels, int64_t *got,
                               cnnf_error *error)
{
    folder *f = d->state;
    const int64_t first = f->next, left = f->count - first;
    *got = want < left ? want : left;
    f->next += *got;
    return images_read_at(d, first, *got, pixels, labels, error);
}

static cnnf_status images_skip(cnnf_dataset *d, int64_t n, cnnf_error *error)
{
    folder *f = d->state;
    f->next += n;
    return CNNF_OK;
}

static const char *images_row_name(const cnnf_dataset *d, int64_t row)
{
    const folder *f = d->state;
    return row >= 0 && row < f->count ? f->items[row].path : NULL;
}

static cnnf_status images_rewind(cnnf_dataset *d, cnnf_error *error)
{
    folder *f = d->state;
    f->next = 0;
    return CNNF_OK;
}

static void images_free(cnnf_dataset *d)
{
    folder *f = d->state;
    if (!f) return;
    cnnfi_arena_free(&f->names);
    cnnfi_free(d->context, f->items);
    cnnfi_free(d->context, f);
}

const cnnfi_format cnnfi_format_images = {"images",    images_open, images_read,    images_rewind,
                                          images_free, images_skip, images_read_at, images_row_name};
