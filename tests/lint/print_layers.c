/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/layers.md from the table of Keras layers. */
#include <stdio.h>

#include "loader/keras/layers/layers.h"

static void print_row(const cnnfi_keras_row *row)
{
    printf("| %s | %s | %s | ", row->class_name, *row->fields ? row->fields : "-", *row->weights ? row->weights : "-");
    if (row->min_rank == row->max_rank)
        printf("%d", row->min_rank);
    else
        printf("%d to %d", row->min_rank, row->max_rank);
    printf(" | %s |\n", row->verified);
}

static void print_activations(void)
{
    const char *name;
    puts("\n## Activations\n");
    puts("Every layer with an `activation` and `Activation` itself take these names:\n");
    for (size_t i = 0; (name = cnnfi_keras_activation_name(i)); i++)
        printf("%s`%s`", i ? ", " : "", name);
    puts(".");
}

int main(void)
{
    const cnnfi_keras_family *family;
    puts("# Keras layers\n");
    puts("Generated from the table in `lib/loader/keras/layers/`; `meson test layers_doc` fails when this file is "
         "behind it.\n");
    puts("Classes of Keras 1 (`Convolution2D`, `Merge`), of tf.keras (`BatchNormalizationV1`) and of Keras 3 are read "
         "as the");
    puts("class of today. Compile settings, losses, initializers, regularizers and constraints are not looked at. "
         "*Rank* counts");
    puts("the batch dimension. *Verified* names the Keras versions whose graphs (Keras 3: whose numbers) were "
         "compared.");
    for (size_t f = 0; (family = cnnfi_keras_family_at(f)); f++) {
        printf("\n## %s\n\n| Class | Configuration read | Weights | Rank | Verified |\n|---|---|---|---|---|\n",
               family->name);
        for (size_t i = 0; i < family->count; i++)
            print_row(&family->rows[i]);
    }
    print_activations();
    return 0;
}
