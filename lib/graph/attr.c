/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/attr.h"

#include <string.h>

size_t cnnfi_attr_position(const cnnfi_attr *attrs, size_t count, const char *key, bool *found)
{
    size_t low = 0, high = count;
    *found = false;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(attrs[middle].key, key);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
