/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_library.h"

#include <stdio.h>

#include "base/error.h"
#include "base/os.h"
#include "loader/hdf5/hdf5_driver.h"

/* libhdf5's printing is a setting of the thread. */
typedef struct printing {
    bool is_v2; /* which of the two callbacks the host had set */
    H5E_auto2_t auto2;
    H5E_auto1_t auto1;
    void *data;
} printing;

static void silence(printing *host)
{
    unsigned is_v2 = 1;
    H5Eauto_is_v2(H5E_DEFAULT, &is_v2);
    host->is_v2 = is_v2 != 0;
    if (host->is_v2)
        H5Eget_auto2(H5E_DEFAULT, &host->auto2, &host->data);
    else
        H5Eget_auto1(&host->auto1, &host->data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static void unsilence(const printing *host)
{
    H5Eclear2(H5E_DEFAULT);
    if (host->is_v2)
        H5Eset_auto2(H5E_DEFAULT, host->auto2, host->data);
    else
        H5Eset_auto1(host->auto1, host->data);
}

typedef struct words {
    char text[200]; /* of the innermost failure */
    bool no_memory;
} words;

static herr_t keep_deepest(unsigned n, const H5E_error2_t *entry, void *user)
{
    words *w = user;
    if (n == 0 && entry->desc) snprintf(w->text, sizeof w->text, "%s", entry->desc);
    w->no_memory = w->no_memory || entry->min_num == H5E_NOSPACE || entry->min_num == H5E_CANTALLOC;
    return 0;
}

/* The reader's own failure, or libhdf5's innermost words. */
static cnnf_status fail_open(cnnfi_h5_store *store, const cnnf_error *io_error)
{
    words w = {.text = "unreadable"};
    if (io_error->code != CNNF_OK) {
        cnnfi_error_copy(store->error, io_error);
        return io_error->code;
    }
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_deepest, &w);
    if (w.no_memory) return cnnfi_fail_nomem(store->error);
    return cnnfi_fail(store->error, CNNF_E_CORRUPT, "%s: HDF5: open: %s", store->name, w.text);
}

static bool open_and_close(const cnnfi_h5_bytes *bytes)
{
    hid_t driver = cnnfi_h5_driver_register(), access = H5I_INVALID_HID, file = H5I_INVALID_HID;
    if (driver >= 0) access = H5Pcreate(H5P_FILE_ACCESS);
    if (access >= 0 && cnnfi_h5_driver_set(access, driver, bytes) >= 0 &&
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0)
        file = H5Fopen("cnnfreeze", H5F_ACC_RDONLY, access);
    const bool opened = file >= 0;
    if (file >= 0) H5Fclose(file);
    if (access >= 0) H5Pclose(access);
    if (driver >= 0) H5FDunregister(driver);
    return opened;
}

cnnf_status cnnfi_h5_library_opens(cnnfi_h5_store *store)
{
    cnnf_error io_error = {0};
    printing host = {.is_v2 = true};
    const cnnfi_h5_bytes bytes = {.source = store->source,
                                  .base = store->base - store->user_block,
                                  .size = store->size + store->user_block,
                                  .shown = store->shown,
                                  .n_shown = store->n_shown,
                                  .error = &io_error};
    cnnf_status status = CNNF_OK;
    cnnfi_os_hdf5_lock();
    silence(&host);
    if (!open_and_close(&bytes)) status = fail_open(store, &io_error);
    unsilence(&host);
    cnnfi_os_hdf5_unlock();
    return status;
}
