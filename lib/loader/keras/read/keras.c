/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/keras/read/keras.h"

#include <string.h>

#include "loader/keras/build/keras_build.h"
#include "loader/keras/read/keras_read.h"
#include "loader/load_options.h"

static bool is_zip(cnnfi_source *source)
{
    char magic[4] = "";
    return cnnfi_source_size(source) >= sizeof magic &&
           cnnfi_source_read(source, 0, magic, sizeof magic, NULL) == CNNF_OK && memcmp(magic, "PK\3\4", 4) == 0;
}

static cnnf_status read_model(cnnfi_keras_model **out, cnnf_context *context, cnnfi_source *source,
                              const cnnf_load_options *options, cnnf_error *error)
{
    if (!is_zip(source)) return cnnfi_keras_read_h5(out, context, source, options, error);
#if CNNFI_HAVE_KERAS_V3
    return cnnfi_keras_read_v3(out, context, source, options, error);
#else
    return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: .keras: this library was built without zlib",
                      cnnfi_source_name(source));
#endif
}

cnnf_status cnnfi_load_keras(cnnf_graph **out, cnnf_context *context, cnnfi_source *source,
                             const cnnf_load_options *options, cnnf_error *error)
{
    cnnfi_keras_model *model = NULL;
    if (!options) options = cnnfi_load_defaults();
    cnnf_status status = read_model(&model, context, source, options, error);
    const uint64_t size = cnnfi_source_size(source);
    if (status == CNNF_OK) status = cnnfi_load_progress(options, size, size, error);
    if (status == CNNF_OK) {
        status =
            cnnfi_keras_build(out, model, options->variables, options->name_suffix, options->training_state, error);
    }
    cnnfi_keras_model_free(model);
    return status;
}
