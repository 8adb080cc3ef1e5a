/* SPDX-License-Identifier: Apache-2.0 */
/* What was done to the values of a file, for those who want to show them. */
#include "evaluation/dataset/dataset.h"

cnnfi_pixels cnnfi_dataset_pixels(const cnnf_dataset *d)
{
    cnnfi_pixels p = {.known = true,
                      .bytes = d->default_scale == 255 && (d->options.scale != 1 || d->options.bgr),
                      .bgr = d->options.bgr,
                      .channels_first = d->options.channels_first,
                      .scale = d->options.scale != 0 ? d->options.scale : d->default_scale};
    for (int c = 0; c < 3; c++) {
        const int of = d->options.n_normal == 3 ? (d->options.bgr ? 2 - c : c) : 0;
        p.mean[c] = d->options.mean[of];
        p.std[c] = d->options.std[of];
    }
    return p;
}
