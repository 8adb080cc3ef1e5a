/* SPDX-License-Identifier: Apache-2.0 */
/* K.rnn() over an unknown number of steps: a loop that reads and writes TensorArrays. */
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/rnn_cells.h"

/* ---- TensorArrays ---- */

typedef struct tensor_array {
    cnnfi_keras_tensor handle, flow;
    cnnf_dtype dtype;
} tensor_array;

/* rank -1: of any shape */
static tensor_array make_array(cnnfi_keras_builder *b, const char *called, cnnfi_keras_tensor size, cnnf_dtype dtype,
                               int32_t rank, const int64_t *dims)
{
    tensor_array a = {.dtype = dtype};
    cnnf_node *node = cnnfi_build_node(b, &a.handle, "TensorArrayV3", "TensorArray", 1, &size);
    cnnfi_node_set_type(b->graph, node, "dtype", dtype);
    cnnfi_node_set_shape(b->graph, node, "element_shape", rank, dims);
    cnnfi_node_set_bool(b->graph, node, "dynamic_size", false);
    cnnfi_node_set_bool(b->graph, node, "clear_after_read", true);
    cnnfi_node_set_bool(b->graph, node, "identical_element_shapes", true);
    cnnfi_node_set_string(b->graph, node, "tensor_array_name", called);
    a.handle = cnnfi_keras_tensor_shaped(a.handle, 0, NULL);
    a.flow = cnnfi_build_port(b, &a.handle, 1);
    a.handle.dtype = CNNF_RESOURCE;
    a.flow.dtype = CNNF_FLOAT;
    return a;
}

static cnnfi_keras_tensor length_of(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    return cnnfi_build_slice(b, "strided_slice", cnnfi_build_shape_of(b, "Shape", x), 0, 1, false, false, true);
}

/* tf.range(size) */
static cnnfi_keras_tensor range(cnnfi_keras_builder *b, cnnfi_keras_tensor size)
{
    cnnfi_keras_tensor out;
    const char *saved = cnnfi_build_push(b, "range");
    cnnfi_keras_tensor inputs[3] = {cnnfi_build_int(b, "start", 0), size, cnnfi_build_int(b, "delta", 1)};
    cnnf_node *node = cnnfi_build_node(b, &out, "Range", "", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    return cnnfi_keras_tensor_shaped(out, 1, (const int64_t[]){-1});
}

/* TensorArray.unstack() */
static void fill_array(cnnfi_keras_builder *b, tensor_array *a, cnnfi_keras_tensor x)
{
    const char *saved = cnnfi_build_push(b, "TensorArrayUnstack");
    cnnfi_keras_tensor indices = range(b, length_of(b, x)), inputs[4] = {a->handle, indices, x, a->flow};
    (void)cnnfi_build_push(b, "TensorArrayScatter");
    b->colocate = x.name;
    cnnf_node *node = cnnfi_build_node(b, &a->flow, "TensorArrayScatterV3", "TensorArrayScatterV3", 4, inputs);
    cnnfi_node_set_type(b->graph, node, "T", x.dtype);
    b->colocate = NULL;
    cnnfi_build_pop(b, saved);
    a->flow = cnnfi_keras_tensor_shaped(a->flow, 0, NULL);
    a->flow.dtype = CNNF_FLOAT;
}

/* An element, which looks like x without its first dimension. */
static cnnfi_keras_tensor read_array(cnnfi_keras_builder *b, const tensor_array *a, cnnfi_keras_tensor index,
                                     cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor out, inputs[3] = {a->handle, index, a->flow};
    cnnf_node *node = cnnfi_build_node(b, &out, "TensorArrayReadV3", "TensorArrayReadV3", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "dtype", a->dtype);
    out.dtype = a->dtype;
    return cnnfi_keras_tensor_shaped(out, x.rank - 1, &x.dims[1]);
}

static cnnfi_keras_tensor write_array(cnnfi_keras_builder *b, const tensor_array *a, cnnfi_keras_tensor flow,
                                      cnnfi_keras_tensor index, cnnfi_keras_tensor value)
{
    cnnfi_keras_tensor out, inputs[4] = {a->handle, index, value, flow};
    const char *saved = cnnfi_build_push(b, "TensorArrayWrite");
    b->colocate = value.name;
    cnnf_node *node = cnnfi_build_node(b, &out, "TensorArrayWriteV3", "TensorArrayWriteV3", 4, inputs);
    cnnfi_node_set_type(b->graph, node, "T", a->dtype);
    b->colocate = NULL;
    cnnfi_build_pop(b, saved);
    out.dtype = CNNF_FLOAT;
    return cnnfi_keras_tensor_shaped(out, 0, NULL);
}

/* TensorArray.stack(); TensorFlow 1 asks the array how long it is. */
static cnnfi_keras_tensor stack_array(cnnfi_keras_builder *b, const tensor_array *a, cnnfi_keras_tensor size,
                                      cnnfi_keras_tensor like)
{
    cnnfi_keras_tensor out;
    int64_t dims[CNNFI_KERAS_MAX_RANK] = {-1};
    const char *saved = cnnfi_build_push(b, "TensorArrayStack");
    if (b->tf1) {
        b->colocate = a->handle.name;
        const cnnfi_keras_tensor inputs[2] = {a->handle, a->flow};
        (void)cnnfi_build_node(b, &out, "TensorArraySizeV3", "TensorArraySizeV3", 2, inputs);
        out.dtype = CNNF_INT32;
        size = out;
    }
    cnnfi_keras_tensor inputs[3] = {a->handle, range(b, size), a->flow};
    b->colocate = a->handle.name;
    cnnf_node *node = cnnfi_build_node(b, &out, "TensorArrayGatherV3", "TensorArrayGatherV3", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "dtype", a->dtype);
    cnnfi_node_set_shape(b->graph, node, "element_shape", like.rank, like.dims);
    b->colocate = NULL;
    cnnfi_build_pop(b, saved);
    memcpy(&dims[1], like.dims, (size_t)like.rank * sizeof dims[0]);
    out.dtype = a->dtype;
    return cnnfi_keras_tensor_shaped(out, like.rank + 1, dims);
}

/* x[index] */
static cnnfi_keras_tensor element(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int64_t index)
{
    cnnfi_keras_tensor out = x;
    const cnnfi_keras_index at = {.kind = CNNFI_KERAS_INDEX_AT, .begin = index};
    return cnnfi_build_index(b, &out, x, 1, &at) ? out : x;
}

/* ---- the loop ---- */

typedef struct over_time {
    cnnfi_rnn_run *run;
    cnnfi_keras_tensor x, mask, size, time; /* x, mask: time first */
    tensor_array in, out, masks;
    cnnfi_keras_tensor first,
        zero; /* a step before the loop, whose output says what outputs look like; zeros like it */
} over_time;

/* The output of a step that is used for nothing but its shape. */
static cnnfi_keras_tensor first_output(over_time *o, cnnfi_keras_tensor x)
{
    cnnfi_rnn_run *run = o->run;
    cnnfi_keras_tensor *state = cnnfi_builder_array(run->b->graph, run->rnn->n_states, sizeof *state);
    if (!state) return x;
    memcpy(state, run->state, run->rnn->n_states * sizeof *state);
    return cnnfi_rnn_step(run->rnn, element(run->b, x, 0), state);
}

static void make_mask_array(over_time *o)
{
    cnnfi_keras_builder *b = o->run->b;
    if (o->run->backwards) o->mask = cnnfi_build_reverse(b, o->mask, 0);
    o->masks = make_array(b, "mask_ta", o->size, CNNF_BOOL, -1, NULL);
    fill_array(b, &o->masks, o->mask);
}

static void prepare_tf(over_time *o)
{
    cnnfi_rnn_run *run = o->run;
    cnnfi_keras_builder *b = run->b;
    o->x = run->time_major ? run->x : cnnfi_rnn_swap_time(b, run->x);
    o->size = length_of(b, o->x);
    if (run->mask) o->mask = cnnfi_rnn_turned_mask(run);
    o->in = make_array(b, "input_ta_0", o->size, o->x.dtype, -1, NULL);
    fill_array(b, &o->in, run->backwards ? cnnfi_build_reverse(b, o->x, 0) : o->x);
    o->first = first_output(o, o->x);
    o->out = make_array(b, "output_ta_0", o->size, o->first.dtype, o->first.rank, o->first.dims);
    o->time = cnnfi_build_int(b, "time", 0);
    if (!run->mask) return;
    make_mask_array(o);
    o->zero = cnnfi_build_unary(b, "ZerosLike", "zeros_like", o->first);
}

static void prepare_multi(over_time *o)
{
    cnnfi_rnn_run *run = o->run;
    cnnfi_keras_builder *b = run->b;
    o->x = cnnfi_rnn_swap_time(b, run->x);
    if (run->mask) o->mask = cnnfi_rnn_turned_mask(run);
    if (run->backwards) o->x = cnnfi_build_reverse(b, o->x, 0);
    o->size = length_of(b, o->x);
    o->first = first_output(o, o->x);
    o->out = make_array(b, "output_ta", o->size, o->first.dtype, -1, NULL);
    o->zero = cnnfi_build_unary(b, "ZerosLike", "zeros_like", o->first);
    o->in = make_array(b, "input_ta", o->size, o->x.dtype, -1, NULL);
    fill_array(b, &o->in, o->x);
    o->time = cnnfi_build_int(b, "time", 0);
    if (run->mask) make_mask_array(o);
}

/* vars: time, the outputs' flow, the output before where there is a mask, states */
static void body(over_time *o, cnnfi_keras_tensor *vars)
{
    cnnfi_rnn_run *run = o->run;
    cnnfi_keras_builder *b = run->b;
    size_t n = run->rnn->n_states;
    cnnfi_keras_tensor *held = vars + (run->mask ? 3 : 2), x = read_array(b, &o->in, vars[0], o->x), mask;
    if (run->mask) mask = read_array(b, &o->masks, vars[0], o->mask);
    memcpy(run->state, held, n * sizeof *held);
    cnnfi_keras_tensor y = cnnfi_rnn_step(run->rnn, x, run->state);
    if (run->mask) {
        y = cnnfi_build_where(b, cnnfi_rnn_fit_mask(b, mask, y, mask.rank), y, run->zero_output ? o->zero : vars[2]);
        cnnfi_rnn_hold_states(run, mask, held, mask.rank);
        vars[2] = y;
    }
    vars[1] = write_array(b, &o->out, vars[1], vars[0], y);
    vars[0] = cnnfi_build_binary_const(b, "AddV2", "add", vars[0], 1);
    memcpy(held, run->state, n * sizeof *held);
}

void cnnfi_rnn_loop(cnnfi_rnn_run *run)
{
    cnnfi_keras_builder *b = run->b;
    cnnfi_keras_loop loop;
    over_time o = {.run = run};
    const size_t n = run->rnn->n_states, head = run->mask ? 3 : 2;
    cnnfi_keras_tensor *vars = cnnfi_builder_array(b->graph, head + n, sizeof *vars);
    if (!vars) return;
    if (b->tf)
        prepare_tf(&o);
    else
        prepare_multi(&o);
    if (!cnnfi_build_ok(b)) return;
    vars[0] = o.time;
    vars[1] = o.out.flow;
    if (run->mask) vars[2] = o.zero;
    memcpy(vars + head, run->state, n * sizeof *vars);
    if (cnnfi_build_loop_begin(b, &loop, head + n, vars, o.size)) body(&o, vars);
    if (!cnnfi_build_ok(b)) return;
    cnnfi_build_loop_end(b, &loop, vars);
    o.out.flow = vars[1];
    run->all = stack_array(b, &o.out, o.size, o.first);
    if (b->tf)
        run->last = element(b, run->all, -1);
    else
        run->last = read_array(b, &o.out, cnnfi_build_binary_const(b, "Sub", "sub", vars[0], 1), run->all);
    if (!run->time_major) run->all = cnnfi_rnn_swap_time(b, run->all);
    memcpy(run->state, vars + head, n * sizeof *vars);
}
