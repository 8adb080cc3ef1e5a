/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/layers.md from the table of Keras layers. */
#include <stdio.h>
#include <string.h>

#include "loader/keras/layers/layers.h"

/* How a row was verified in one world; `world` as the row's `verified` names it ("3" stands last). */
static const char *how(const char *verified, const char *world, const char *what)
{
    const size_t n = strlen(verified);
    const bool there = strcmp(world, "3") == 0 ? n > 0 && verified[n - 1] == '3' && (n == 1 || verified[n - 2] == ' ')
                                               : strstr(verified, world) != NULL;
    if (!there) return "-";
    const char *only = strstr(verified, world);
    return only && strncmp(only + strcspn(only, " ,"), " numbers", 8) == 0 ? "numbers"
           : only && strstr(only, "2.15 numbers")                          ? "numbers"
                                                                           : what;
}

static void print_row(const cnnfi_keras_row *row)
{
    printf("| %s | %s | %s | ", row->class_name, *row->fields ? row->fields : "-", *row->weights ? row->weights : "-");
    if (row->min_rank == row->max_rank)
        printf("%d", row->min_rank);
    else
        printf("%d to %d", row->min_rank, row->max_rank);
    printf(" | %s | %s | %s |\n", how(row->verified, "2.2.5", "nodes"), how(row->verified, "tf.keras", "nodes"),
           how(row->verified, "3", "numbers"));
}

/* Layers of Keras 3.15's list that have no row, and why. */
static void print_refused(void)
{
    static const char *const refused[][2] = {
        {"AugMix, AutoContrast, CutMix, Equalization, MixUp, RandAugment, Solarization, RandomElasticTransform, "
         "ContrastLimitedAdaptiveHistogramEqualization, MaxNumBoundingBoxes, Pipeline",
         "augment or prepare training data; leave them out, or `--drop_layer` where they change nothing at inference"},
        {"FlaxLayer, JaxLayer, TorchModuleWrapper, TFSMLayer", "hold another framework's program"},
        {"HashedCrossing, Hashing, StringLookup, TextVectorization, FeatureSpace",
         "work on strings or hash them; feed encoded data"},
        {"LocallyConnected1D, LocallyConnected2D of implementation 2 and 3, or channels_first",
         "kernels over all pairs of places, windows in an order that the Keras differ in: not built"},
        {"MelSpectrogram, STFTSpectrogram", "need Fourier transforms, which the evaluator has not"},
        {"ReversibleEmbedding", "not built yet"},
        {"Layer, Wrapper, InputSpec and cells by themselves", "are no layers of a saved model"},
    };
    puts("\n## Refused\n\n| Class | Why |\n|---|---|");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        printf("| %s | %s |\n", refused[i][0], refused[i][1]);
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
    puts("the batch dimension. The last columns say how a layer was verified in each Keras: *nodes*, its graph and its "
         "numbers were");
    puts("compared with what that Keras builds and computes; *numbers*, its numbers were (`tests/conformance`).");
    for (size_t f = 0; (family = cnnfi_keras_family_at(f)); f++) {
        printf("\n## %s\n\n| Class | Configuration read | Weights | Rank | Keras 2.2.5 | tf.keras 2.15 | Keras 3 "
               "|\n|---|---|---|---|---|---|---|\n",
               family->name);
        for (size_t i = 0; i < family->count; i++)
            print_row(&family->rows[i]);
    }
    print_activations();
    print_refused();
    return 0;
}
