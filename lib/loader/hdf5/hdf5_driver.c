/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_driver.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"

typedef struct driver_file {
    H5FD_t public; /* must be first: libhdf5 fills it */
    const cnnfi_h5_bytes *bytes;
    haddr_t end_of_addresses;
} driver_file;

/* What H5Pset_driver() copies: one pointer. */
typedef struct driver_info {
    const cnnfi_h5_bytes *bytes;
} driver_info;

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t fapl, haddr_t maxaddr)
{
    (void)name;
    (void)maxaddr;
    const driver_info *info = H5Pget_driver_info(fapl);
    if (!info || (flags & (H5F_ACC_RDWR | H5F_ACC_CREAT | H5F_ACC_TRUNC))) return NULL;
    driver_file *file = cnnfi_calloc(cnnfi_source_context(info->bytes->source), 1, sizeof *file);
    if (!file) {
        cnnfi_fail_nomem(info->bytes->error);
        return NULL;
    }
    file->bytes = info->bytes;
    return &file->public;
}

static herr_t driver_close(H5FD_t *f)
{
    driver_file *file = (driver_file *)f;
    cnnfi_free(cnnfi_source_context(file->bytes->source), file);
    return 0;
}

static herr_t driver_query(const H5FD_t *f, unsigned long *flags)
{
    (void)f;
    *flags = H5FD_FEAT_DATA_SIEVE;
    return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *f, H5FD_mem_t type)
{
    (void)type;
    return ((const driver_file *)f)->end_of_addresses;
}

static herr_t driver_set_eoa(H5FD_t *f, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((driver_file *)f)->end_of_addresses = address;
    return 0;
}

static haddr_t driver_get_eof(const H5FD_t *f, H5FD_mem_t type)
{
    (void)type;
    return ((const driver_file *)f)->bytes->size;
}

/* The part of [at, at + size) of the source that is in `span`, to its place in `buffer`. */
static bool read_span(const cnnfi_h5_bytes *bytes, const cnnfi_h5_span *span, uint64_t at, size_t size, char *buffer)
{
    const uint64_t from = span->at > at ? span->at : at;
    const uint64_t end = span->at + span->size < at + size ? span->at + span->size : at + size;
    return from >= end ||
           cnnfi_source_read(bytes->source, from, buffer + (from - at), (size_t)(end - from), bytes->error) == CNNF_OK;
}

static herr_t driver_read(H5FD_t *f, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t size, void *buffer)
{
    (void)type;
    (void)dxpl;
    const cnnfi_h5_bytes *bytes = ((const driver_file *)f)->bytes;
    if (address == HADDR_UNDEF || size > INT64_MAX || address > (haddr_t)INT64_MAX - bytes->base - size) return -1;
    memset(buffer, 0, size);
    for (size_t i = 0; i < bytes->n_shown; i++)
        if (!read_span(bytes, &bytes->shown[i], bytes->base + address, size, buffer)) return -1;
    return 0;
}

static herr_t driver_write(H5FD_t *f, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t size, const void *buffer)
{
    (void)f;
    (void)type;
    (void)dxpl;
    (void)address;
    (void)size;
    (void)buffer;
    return -1; /* libhdf5 wants one to be there; files are opened read-only */
}

static const H5FD_class_t driver_class = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)0x1c11, /* of no other driver in the registry of The HDF Group */
#endif
    .name = "cnnfreeze source",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(driver_info),
    .open = driver_open,
    .close = driver_close,
    .query = driver_query,
    .get_eoa = driver_get_eoa,
    .set_eoa = driver_set_eoa,
    .get_eof = driver_get_eof,
    .read = driver_read,
    .write = driver_write,
    .fl_map = H5FD_FLMAP_SINGLE,
};

hid_t cnnfi_h5_driver_register(void)
{
    return H5FDregister(&driver_class);
}

herr_t cnnfi_h5_driver_set(hid_t fapl, hid_t driver, const cnnfi_h5_bytes *bytes)
{
    const driver_info info = {.bytes = bytes};
    return H5Pset_driver(fapl, driver, &info);
}
