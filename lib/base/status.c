/* SPDX-License-Identifier: Apache-2.0 */
#include <cnnfreeze/status.h>
#include <cnnfreeze/version.h>

#include <string.h>

static const char *const status_names[] = {
    "OK",          "NOMEM", "INVALID",   "IO",       "FORMAT",    "CORRUPT",
    "UNSUPPORTED", "LIMIT", "NOT_FOUND", "MISMATCH", "CANCELLED", "INTERNAL",
};

const char *cnnf_status_name(cnnf_status status)
{
    const int64_t index = -(int64_t)status;
    if (index < 0 || index >= (int64_t)(sizeof status_names / sizeof *status_names)) return "UNKNOWN";
    return status_names[index];
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const char *cnnf_version_string(void)
{
    return TEXT(CNNF_VERSION_MAJOR) "." TEXT(CNNF_VERSION_MINOR) "." TEXT(CNNF_VERSION_PATCH);
}

uint32_t cnnf_version_number(void)
{
    return CNNF_VERSION_MAJOR * 1000000u + CNNF_VERSION_MINOR * 1000u + CNNF_VERSION_PATCH;
}

uint32_t cnnf_abi_version(void)
{
    return CNNF_ABI_VERSION;
}

static const struct {
    const char *name;
    int32_t present;
} features[] = {
    {"keras_h5", CNNFI_HAVE_KERAS_H5}, {"keras_v3", CNNFI_HAVE_KERAS_V3}, {"snappy", CNNFI_HAVE_SNAPPY},
    {"onednn", CNNFI_HAVE_ONEDNN},     {"gzip", CNNFI_HAVE_GZIP},         {"images", CNNFI_HAVE_IMAGES},
};

int32_t cnnf_has_feature(const char *feature)
{
    for (size_t i = 0; feature && i < sizeof features / sizeof *features; i++) {
        if (strcmp(features[i].name, feature) == 0) return features[i].present;
    }
    return 0;
}
