/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/preprocessing: what is left of it at inference. */
#include "loader/keras_layers/layers.h"

static void identity(cnnfi_kc *kc)
{
    cnnfi_kc_return(kc, kc->inputs[0]);
}

#define RANDOM(class) {class, "", "", CNNFI_KERAS_VERIFIED, 3, 4, 1, 1, NULL, identity, NULL}

static const cnnfi_keras_row rows[] = {
    RANDOM("RandomBrightness"),
};

const cnnfi_keras_family cnnfi_keras_preprocessing = {"Preprocessing", rows, sizeof rows / sizeof rows[0]};
