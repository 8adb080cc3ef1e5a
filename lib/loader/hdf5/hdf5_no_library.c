/* SPDX-License-Identifier: Apache-2.0 */
/* Of a build without libhdf5 (-Dlibhdf5=disabled). */
#include "base/error.h"
#include "loader/hdf5/hdf5_library.h"

cnnf_status cnnfi_h5_library_opens(cnnfi_h5_store *store)
{
    return cnnfi_fail(store->error, CNNF_E_UNSUPPORTED,
                      "%s: libhdf5 cannot be asked: this library was built without it", store->name);
}
