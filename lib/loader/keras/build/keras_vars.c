/* SPDX-License-Identifier: Apache-2.0 */
/* Variables: reference ones as TensorFlow 1's tf.Variable makes them, resource ones as tf.keras' add_weight(). */
#include <string.h>

#include "loader/keras/build/keras_build.h"
#include "graph/builder.h"

void cnnfi_build_colocate(cnnfi_keras_builder *b, cnnf_node *node, const char *name)
{
    const char *class_name = cnnfi_builder_printf(b->graph, "loc:@%s", name);
    if (class_name) cnnfi_node_set_strings(b->graph, node, "_class", &class_name, 1);
}

static cnnf_node *add(cnnfi_keras_builder *b, const char *op, const char *name, const char *suffix, const char *input)
{
    const char *full = cnnfi_builder_printf(b->graph, "%s%s", name, suffix);
    if (!full) return NULL;
    cnnf_node *node = cnnfi_builder_add(b->graph, op, full);
    if (input) cnnfi_node_add_input(b->graph, node, input);
    return node;
}

typedef struct variable_spec {
    const char *name, *initial, *colocate;
    cnnf_dtype dtype;
    int32_t rank;
    const int64_t *dims;
    const cnnf_tensor *value;
    bool trainable;
} variable_spec;

static void define(cnnfi_keras_builder *b, const variable_spec *v, const char *initializer, const char *snapshot)
{
    cnnfi_variable_def def = {
        .variable_name = cnnfi_builder_printf(b->graph, "%s:0", v->name),
        .initial_value_name = cnnfi_builder_printf(b->graph, "%s:0", v->initial),
        .initializer_name = cnnfi_builder_printf(b->graph, "%s%s", v->name, initializer),
        .snapshot_name = cnnfi_builder_printf(b->graph, "%s%s:0", v->name, snapshot),
        .is_resource = b->resource,
        .trainable = v->trainable,
    };
    if (cnnfi_build_ok(b)) cnnfi_builder_add_variable(b->graph, &def);
}

static cnnfi_keras_tensor reference_variable(cnnfi_keras_builder *b, const variable_spec *v)
{
    cnnf_node *variable = add(b, "VariableV2", v->name, "", NULL);
    cnnfi_node_set_type(b->graph, variable, "dtype", v->dtype);
    cnnfi_node_set_shape(b->graph, variable, "shape", v->rank, v->dims);
    cnnfi_node_set_string(b->graph, variable, "container", "");
    cnnfi_node_set_string(b->graph, variable, "shared_name", "");
    if (strcmp(v->colocate, v->name) != 0) cnnfi_build_colocate(b, variable, v->colocate);
    if (v->value) cnnfi_node_set_value(b->graph, variable, v->value);

    cnnf_node *assign = add(b, "Assign", v->name, "/Assign", v->name);
    cnnfi_node_add_input(b->graph, assign, v->initial);
    cnnfi_node_set_type(b->graph, assign, "T", v->dtype);
    cnnfi_node_set_bool(b->graph, assign, "use_locking", true);
    cnnfi_node_set_bool(b->graph, assign, "validate_shape", true);
    cnnfi_build_colocate(b, assign, v->colocate);

    cnnf_node *read = add(b, "Identity", v->name, "/read", v->name);
    cnnfi_node_set_type(b->graph, read, "T", v->dtype);
    cnnfi_build_colocate(b, read, v->colocate);
    define(b, v, "/Assign", "/read");
    const char *name = cnnfi_builder_printf(b->graph, "%s/read", v->name);
    return cnnfi_keras_tensor_shaped((cnnfi_keras_tensor){.name = name ? name : "", .dtype = v->dtype}, v->rank,
                                     v->dims);
}

static cnnfi_keras_tensor resource_variable(cnnfi_keras_builder *b, const variable_spec *v)
{
    cnnf_node *handle = add(b, "VarHandleOp", v->name, "", NULL);
    cnnfi_node_set_type(b->graph, handle, "dtype", v->dtype);
    cnnfi_node_set_shape(b->graph, handle, "shape", v->rank, v->dims);
    cnnfi_node_set_string(b->graph, handle, "container", "");
    cnnfi_node_set_string(b->graph, handle, "shared_name", v->name);
    cnnfi_build_colocate(b, handle, v->colocate);
    if (v->value) cnnfi_node_set_value(b->graph, handle, v->value);

    (void)add(b, "VarIsInitializedOp", v->name, "/IsInitialized/VarIsInitializedOp", v->name);
    cnnf_node *assign = add(b, "AssignVariableOp", v->name, "/Assign", v->name);
    cnnfi_node_add_input(b->graph, assign, v->initial);
    cnnfi_node_set_type(b->graph, assign, "dtype", v->dtype);
    cnnf_node *read = add(b, "ReadVariableOp", v->name, "/Read/ReadVariableOp", v->name);
    cnnfi_node_set_type(b->graph, read, "dtype", v->dtype);
    define(b, v, "/Assign", "/Read/ReadVariableOp");
    return cnnfi_keras_tensor_shaped((cnnfi_keras_tensor){.name = v->name, .dtype = v->dtype, .variable = true},
                                     v->rank, v->dims);
}

/* The Const a variable starts from: `initial` under the variable's own scope ("Initializer/zeros"), or a full name. */
static const char *initial_value(cnnfi_keras_builder *b, const variable_spec *v, double fill)
{
    struct cnnf_error error = {0};
    cnnf_tensor *tensor = NULL;
    cnnf_status status = cnnfi_tensor_splat(&tensor, b->context, v->dtype, v->rank, v->dims, fill, &error);
    if (status != CNNF_OK) cnnfi_builder_fail(b->graph, status, "%s", error.message);
    cnnf_node *node = cnnfi_build_ok(b) ? cnnfi_builder_const(b->graph, v->initial, tensor) : NULL;
    if (b->resource || strcmp(v->colocate, v->name) != 0) cnnfi_build_colocate(b, node, v->colocate);
    cnnf_tensor_unref(tensor);
    return v->initial;
}

cnnfi_keras_tensor cnnfi_build_variable(cnnfi_keras_builder *b, const char *name, const char *initial, cnnf_dtype dtype,
                                        int32_t rank, const int64_t *dims, double fill, const cnnf_tensor *value,
                                        const char *colocate, bool trainable)
{
    variable_spec v = {.name = name,
                       .initial = initial,
                       .colocate = colocate ? colocate : name,
                       .dtype = dtype,
                       .rank = rank,
                       .dims = dims,
                       .value = value,
                       .trainable = trainable};
    cnnf_tensor *made = NULL;
    struct cnnf_error error = {0};
    if (!value && cnnfi_build_ok(b)) {
        cnnf_status status = cnnfi_tensor_splat(&made, b->context, dtype, rank, dims, fill, &error);
        if (status != CNNF_OK) cnnfi_builder_fail(b->graph, status, "%s", error.message);
        v.value = made;
    }
    cnnfi_keras_tensor t = cnnfi_keras_tensor_shaped((cnnfi_keras_tensor){.name = "", .dtype = dtype}, rank, dims);
    if (cnnfi_build_ok(b)) {
        (void)initial_value(b, &v, fill);
        t = b->resource ? resource_variable(b, &v) : reference_variable(b, &v);
    }
    cnnf_tensor_unref(made);
    return t;
}

/* ---- a layer's weights ---- */

static const char *initial_name(cnnfi_keras_builder *b, const char *name, const char *full, cnnfi_keras_init init)
{
    /* multi-backend Keras runs the initializer before it makes the variable, in the layer's scope */
    if (!b->tf) return cnnfi_build_unique(b, init == CNNFI_KERAS_INIT_RANDOM ? "random_uniform" : "Const");
    static const char *const names[] = {"zeros", "ones", "random_uniform"};
    return cnnfi_builder_printf(b->graph, "%s/Initializer/%s", full, names[init]);
}

static const cnnf_tensor *stored(cnnfi_layer_call *call, const char *name, int32_t rank, const int64_t *dims)
{
    cnnfi_keras_state *state = call->state;
    if (state->used_weights >= call->layer->n_weights) {
        cnnfi_layer_fail(call, CNNF_E_MISMATCH, "weight '%s' is missing: the file has %zu for this layer", name,
                         call->layer->n_weights);
        return NULL;
    }
    const cnnf_tensor *value = call->layer->weights[state->used_weights++].value;
    cnnfi_shape want = {.rank = rank, .dims = dims};
    cnnfi_shape have = {.rank = cnnf_tensor_rank(value), .dims = cnnfi_tensor_dims(value)};
    if (!cnnfi_shape_equal(&want, &have)) {
        char a[128], c[128];
        cnnfi_builder_fail(call->b->graph, CNNF_E_MISMATCH, "%s: layer '%s': %s is %s, config needs %s",
                           call->b->model->path, call->layer->name, name,
                           cnnfi_shape_print(a, sizeof a, have.rank, have.dims),
                           cnnfi_shape_print(c, sizeof c, rank, dims));
        return NULL;
    }
    return value;
}

static void remember(cnnfi_layer_call *call, cnnfi_keras_tensor t, const char *handle)
{
    cnnfi_keras_state *state = call->state;
    cnnfi_keras_tensor *variables = cnnfi_builder_array(call->b->graph, state->n_variables + 1, sizeof *variables);
    const char **handles = cnnfi_builder_array(call->b->graph, state->n_variables + 1, sizeof *handles);
    if (!variables || !handles) return;
    if (state->n_variables) {
        memcpy(variables, state->variables, state->n_variables * sizeof *variables);
        memcpy(handles, state->handles, state->n_variables * sizeof *handles);
    }
    variables[state->n_variables] = t;
    handles[state->n_variables] = handle;
    state->variables = variables;
    state->handles = handles;
    state->n_variables++;
}

cnnfi_keras_tensor cnnfi_layer_weight(cnnfi_layer_call *call, const char *name, int32_t rank, const int64_t *dims,
                                      cnnfi_keras_init init, bool trainable)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor t = cnnfi_keras_tensor_shaped((cnnfi_keras_tensor){.name = "", .dtype = CNNF_FLOAT}, rank, dims);
    if (!cnnfi_build_ok(b)) return t;
    for (int32_t i = 0; i < rank; i++) {
        if (dims[i] < 0)
            cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "weight '%s' depends on a dimension that is not known", name);
    }
    const cnnf_tensor *value = cnnfi_build_ok(b) ? stored(call, name, rank, dims) : NULL;
    if (!value) return t;
    const char *initial = b->tf ? NULL : initial_name(b, name, NULL, init);
    const char *full = cnnfi_build_unique(b, name);
    if (b->tf) initial = initial_name(b, name, full, init);
    if (!initial || !*full) return t;
    int32_t ghost = b->ghost; /* a nested model's variables are real */
    b->ghost = 0;
    t = cnnfi_build_variable(b, full, initial, cnnf_tensor_dtype(value), rank, dims,
                             init == CNNFI_KERAS_INIT_ONES ? 1 : 0, value, NULL, trainable);
    b->ghost = ghost;
    remember(call, t, full);
    return t;
}

cnnfi_keras_tensor cnnfi_layer_variable(const cnnfi_layer_call *call, size_t index)
{
    if (index < call->state->n_variables) return call->state->variables[index];
    return (cnnfi_keras_tensor){.name = "", .dtype = CNNF_FLOAT, .rank = 1, .dims = {1}};
}
