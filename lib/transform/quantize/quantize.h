/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Vitis AI's quantizer (vai_q_tensorflow 3.5) makes of a frozen graph, stage by stage, each from graph to graph:
 *
 *   prepare    the float graph as the quantizer sees it: batch norms folded, pools as the DPU computes them
 *   insert     FixNeuron nodes where the patterns of the DPU want them, positions not known yet
 *   calibrate  the same graph with nodes that find positions (the evaluator runs it, lib/evaluation/quantizer.c)
 *   adjust     positions moved so that the DPU's shifts can do it
 *   position   positions written into the graph: quantize_eval_model.pb
 *   deploy     what the older converter makes of that: deploy_model.pb
 *
 * The facts are those of the tool, seen by running it. Where it would be wrong without a word, we do the right thing
 * unless `as_vai_q` asks for the same, and a note says so.
 */
#ifndef CNNFI_TRANSFORM_QUANTIZE_QUANTIZE_H
#define CNNFI_TRANSFORM_QUANTIZE_QUANTIZE_H

#include "base/arena.h"
#include "graph/graph.h"

/* Which concats and pools are aligned with what they read. */
enum { CNNFI_ALIGN_ALL, CNNFI_ALIGN_OUTPUTS, CNNFI_ALIGN_NONE };

typedef struct cnnfi_quantize_options {
    int64_t weight_bit, activation_bit, method, align_concat, align_pool;
    bool simulate_dpu, adjust_shift_bias, adjust_shift_cut, do_cle, replace_softmax, as_vai_q;
    int64_t ranges; /* cnnfi_affine_method (int8.h) */
    double kept;    /* the share of numbers within the range, of PERCENTILE */
    bool by_channel;
    const char *const *inputs, *const *outputs; /* node names */
    size_t n_inputs, n_outputs;
} cnnfi_quantize_options;

/* What was done differently from the tool, or could not be done. */
typedef struct cnnfi_quantize_note {
    const char *node, *text;
    struct cnnfi_quantize_note *next;
} cnnfi_quantize_note;

typedef struct cnnfi_quantize_notes {
    cnnfi_arena *arena;
    cnnfi_quantize_note *first, **end; /* end: where the next one goes; NULL at first */
} cnnfi_quantize_notes;

/* Without memory the note is lost. */
void cnnfi_quantize_say(cnnfi_quantize_notes *notes, const char *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A product on the DPU, by numbers of FixNeurons; -1: not there. */
typedef struct cnnfi_quantize_group {
    int32_t input, output, weight, bias;
    int64_t taps; /* kh * kw * ci of a depthwise kernel on its own grid (mode 2); else 0 */
} cnnfi_quantize_group;

/* What was inserted, in the graph's order. */
typedef struct cnnfi_quantize_plan {
    const char **fixes; /* [n_fixes] names of FixNeurons */
    size_t n_fixes, n_groups;
    cnnfi_quantize_group *groups; /* [n_groups] */
    const char **outputs;         /* [n_outputs] what to fetch for each output asked for */
} cnnfi_quantize_plan;

/* Runs passes with the options' inputs and outputs. */
cnnf_status cnnfi_quantize_run_passes(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_quantize_options *options,
                                      const char *passes, cnnf_error *error);

cnnf_status cnnfi_quantize_prepare(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_quantize_options *options,
                                   cnnfi_quantize_notes *notes, cnnf_error *error);
/* `plan` lives in `arena`. */
cnnf_status cnnfi_quantize_insert(cnnf_graph **out, cnnfi_quantize_plan *plan, cnnfi_arena *arena,
                                  const cnnf_graph *graph, const cnnfi_quantize_options *options,
                                  cnnfi_quantize_notes *notes, cnnf_error *error);
/* FixNeuron becomes _CalibrateFixNeuron. */
cnnf_status cnnfi_quantize_calibrate(cnnf_graph **out, const cnnf_graph *graph, cnnf_error *error);
/* Which FixNeurons what is fetched needs; [plan->n_fixes]. */
cnnf_status cnnfi_quantize_reach(bool *reached, const cnnf_graph *graph, const cnnfi_quantize_plan *plan,
                                 size_t n_outputs, cnnf_error *error);
/* positions: [plan->n_fixes], changed. */
cnnf_status cnnfi_quantize_adjust(int64_t *positions, const cnnf_graph *graph, const cnnfi_quantize_plan *plan,
                                  const cnnfi_quantize_options *options, cnnf_error *error);
cnnf_status cnnfi_quantize_position(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_quantize_plan *plan,
                                    const int64_t *positions, cnnf_error *error);
/* From what cnnfi_quantize_position() gave. */
cnnf_status cnnfi_quantize_deploy(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_quantize_plan *plan,
                                  const cnnfi_quantize_options *options, cnnf_error *error);

#endif
