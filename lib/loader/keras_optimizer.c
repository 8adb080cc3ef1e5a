/* SPDX-License-Identifier: Apache-2.0 */
/* The optimizer's variables, as load_model() makes them for a compiled model. */
#include "loader/keras_build.h"

void cnnfi_keras_build_optimizer(cnnfi_kb *b)
{
    (void)b;
}
