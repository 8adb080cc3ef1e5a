/* SPDX-License-Identifier: Apache-2.0 */
/* A TFLite model's file: the tables, then the weights, each at a multiple of 16. */
#ifndef CNNFI_SERIALIZER_TFLITE_TFLITE_WRITE_H
#define CNNFI_SERIALIZER_TFLITE_TFLITE_WRITE_H

#include "serializer/graphdef/skeleton.h"
#include "serializer/tflite/tflite_model.h"

/* The model into `s`; failures of the model are the export's, of the file those of `s`. */
void cnnfi_tfl_write(cnnfi_skeleton *s, cnnfi_tfl_model *model);

#endif
