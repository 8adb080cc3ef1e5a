/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold of every graph that loads, whatever it is; abort() says that it does not:
 *   - read back from its binary and from its text form it is the same bytes;
 *   - every pass ends, and run on its own result changes nothing;
 *   - a pass that keeps what is computed keeps the outputs' dtypes, shapes and numbers;
 *   - freezing a frozen graph changes nothing;
 *   - an export to ONNX or TFLite ends, and gives the same bytes again;
 *   - evaluation, summaries, checks, the quantizer's stages and output guessing end, and nothing is left behind.
 */
#ifndef GRAPH_ORACLES_H
#define GRAPH_ORACLES_H

#include <stdbool.h>

#include "fuzz.h"

/* `pick` says which passes are run: two of all, so that an execution stays short. Numbers are compared when `exact`:
   the graph has no numbers that text cannot say (payloads of NaNs). */
void check_graph(const cnnf_graph *graph, uint32_t pick, bool exact);

#endif
