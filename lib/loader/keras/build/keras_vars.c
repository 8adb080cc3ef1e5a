/* SPDX-License-Identifier: Apache-2.0 */
/* Variables: reference ones as TensorFlow 1's tf.Variable makes them, resource ones as tf.keras' add_weight(). */
#include <string.h>

#include "loader/keras/build/keras_build.h"
#include "graph/builder.h"

void cnnfi_kb_colocate(cnnfi_kb *b, cnnf_node *node, const char *name)
{
    const char *class_name = cnnfi_builder_printf(b->graph, "loc:@%s", name);
    if (class_name) cnnfi_node_set_strings(b->graph, node, "_class", &class_name, 1);
}

static cnnf_node *add(cnnfi_kb *b, const char *op, const char *name, const char *suffix, const char *input)
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

static void define(cnnfi_kb *b, const variable_spec *v, const char *initializer, const char *snapshot)
{
    cnnfi_variable_def def = {
        .variable_name = cnnfi_builder_printf(b->graph, "%s:0", v->name),
        .initial_value_name = cnnfi_builder_printf(b->graph, "%s:0", v->initial),
        .initializer_name = cnnfi_builder_printf(b->graph, "%s%s", v->name, initializer),
        .snapshot_name = cnnfi_builder_printf(b->graph, "%s%s:0", v->name, snapshot),
        .is_resource = b->resource,
        .trainable = v->trainable,
    };
    if (cnnfi_kb_ok(b)) cnnfi_builder_add_variable(b->graph, &def);
}

static cnnfi_kt reference_variable(cnnfi_kb *b, const variable_spec *v)
{
    cnnf_node *variable = add(b, "VariableV2", v->name, "", NULL);
    cnnfi_node_set_type(b->graph, variable, "dtype", v->dtype);
    cnnfi_node_set_shape(b->graph, variable, "shape", v->rank, v->dims);
    cnnfi_node_set_string(b->graph, variable, "container", "");
    cnnfi_node_set_string(b->graph, variable, "shared_name", "");
    if (strcmp(v->colocate, v->name) != 0) cnnfi_kb_colocate(b, variable, v->colocate);
    if (v->value) cnnfi_node_set_value(b->graph, variable, v->value);

    cnnf_node *assign = add(b, "Assign", v->name, "/Assign", v->name);
    cnnfi_node_add_input(b->graph, assign, v->initial);
    cnnfi_node_set_type(b->graph, assign, "T", v->dtype);
    cnnfi_node_set_bool(b->graph, assign, "use_locking", true);
    cnnfi_node_set_bool(b->graph, assign, "validate_shape", true);
    cnnfi_kb_colocate(b, assign, v->colocate);

    cnnf_node *read = add(b, "Identity", v->name, "/read", v->name);
    cnnfi_node_set_type(b->graph, read, "T", v->dtype);
    cnnfi_kb_colocate(b, read, v->colocate);
    define(b, v, "/Assign", "/read");
    const char *name = cnnfi_builder_printf(b->graph, "%s/read", v->name);
    return cnnfi_kt_shaped((cnnfi_kt){.name = name ? name : "", .dtype = v->dtype}, v->rank, v->dims);
}

static cnnfi_kt resource_variable(cnnfi_kb *b, const variable_spec *v)
{
    cnnf_node *handle = add(b, "VarHandleOp", v->name, "", NULL);
    cnnfi_node_set_type(b->graph, handle, "dtype", v->dtype);
    cnnfi_node_set_shape(b->graph, handle, "shape", v->rank, v->dims);
    cnnfi_node_set_string(b->graph, handle, "container", "");
    cnnfi_node_set_string(b->graph, handle, "shared_name", v->name);
    cnnfi_kb_colocate(b, handle, v->colocate);
    if (v->value) cnnfi_node_set_value(b->graph, handle, v->value);

    (void)add(b, "VarIsInitializedOp", v->name, "/IsInitialized/VarIsInitializedOp", v->name);
    cnnf_node *assign = add(b, "AssignVariableOp", v->name, "/Assign", v->name);
    cnnfi_node_add_input(b->graph, assign, v->initial);
    cnnfi_node_set_type(b->graph, assign, "dtype", v->dtype);
    cnnf_node *read = add(b, "ReadVariableOp", v->name, "/Read/ReadVariableOp", v->name);
    cnnfi_node_set_type(b->graph, read, "dtype", v->dtype);
    define(b, v, "/Assign", "/Read/ReadVariableOp");
    return cnnfi_kt_shaped((cnnfi_kt){.name = v->name, .dtype = v->dtype, .variable = true}, v->rank, v->dims);
}

/* The Const a variable starts from: `initial` under the variable's own scope ("Initializer/zeros"), or a full name. */
static const char *initial_value(cnnfi_kb *b, const variable_spec *v, double fill)
{
    struct cnnf_error error = {0};
    cnnf_tensor *tensor = NULL;
    cnnf_status status = cnnfi_tensor_splat(&tensor, b->context, v->dtype, v->rank, v->dims, fill, &error);
    if (status != CNNF_OK) cnnfi_builder_fail(b->graph, status, "%s", error.message);
    cnnf_node *node = cnnfi_kb_ok(b) ? cnnfi_builder_const(b->graph, v->initial, tensor) : NULL;
    if (b->resource || strcmp(v->colocate, v->name) != 0) cnnfi_kb_colocate(b, node, v->colocate);
    cnnf_tensor_unref(tensor);
    return v->initial;
}

cnnfi_kt cnnfi_kb_variable(cnnfi_kb *b, const char *name, const char *initial, cnnf_dtype dtype, int32_t rank,
                           const int64_t *dims, double fill, const cnnf_tensor *value, const char *colocate,
                           bool trainable)
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
    if (!value && cnnfi_kb_ok(b)) {
        cnnf_status status = cnnfi_tensor_splat(&made, b->context, dtype, rank, dims, fill, &error);
        if (status != CNNF_OK) cnnfi_builder_fail(b->graph, status, "%s", error.message);
        v.value = made;
    }
    cnnfi_kt t = cnnfi_kt_shaped((cnnfi_kt){.name = "", .dtype = dtype}, rank, dims);
    if (cnnfi_kb_ok(b)) {
        (void)initial_value(b, &v, fill);
        t = b->resource ? resource_variable(b, &v) : reference_variable(b, &v);
    }
    cnnf_tensor_unref(made);
    return t;
}

/* ---- a layer's weights ---- */

static const char *initial_name(cnnfi_kb *b, const char *name, const char *full, cnnfi_kinit init)
{
    /* multi-backend Keras runs the initializer before it makes the variable, in the layer's scope */
    if (!b->tf) return cnnfi_kb_unique(b, init == CNNFI_KINIT_RANDOM ? "random_uniform" : "Const");
    static const char *const names[] = {"zeros", "ones", "random_uniform"};
    return cnnfi_builder_printf(b->graph, "%s/Initializer/%s", full, names[init]);
}

static const cnnf_tensor *stored(cnnfi_kc *kc, const char *name, int32_t rank, const int64_t *dims)
{
    cnnfi_kstate *state = kc->state;
    if (state->used_weights >= kc->layer->n_weights) {
        cnnfi_kc_fail(kc, CNNF_E_MISMATCH, "weight '%s' is missing: the file has %zu for this layer", name,
                      kc->layer->n_weights);
        return NULL;
    }
    const cnnf_tensor *value = kc->layer->weights[state->used_weights++].value;
    cnnfi_shape want = {.rank = rank, .dims = dims};
    cnnfi_shape have = {.rank = cnnf_tensor_rank(value), .dims = cnnfi_tensor_dims(value)};
    if (!cnnfi_shape_equal(&want, &have)) {
        char a[128], c[128];
        cnnfi_builder_fail(kc->b->graph, CNNF_E_MISMATCH, "%s: layer '%s': %s is %s, config needs %s",
                           kc->b->model->path, kc->layer->name, name,
                           cnnfi_shape_print(a, sizeof a, have.rank, have.dims),
                           cnnfi_shape_print(c, sizeof c, rank, dims));
        return NULL;
    }
    return value;
}

static void remember(cnnfi_kc *kc, cnnfi_kt t, const char *handle)
{
    cnnfi_kstate *state = kc->state;
    cnnfi_kt *variables = cnnfi_builder_array(kc->b->graph, state->n_variables + 1, sizeof *variables);
    const char **handles = cnnfi_builder_array(kc->b->graph, state->n_variables + 1, sizeof *handles);
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

cnnfi_kt cnnfi_kc_weight(cnnfi_kc *kc, const char *name, int32_t rank, const int64_t *dims, cnnfi_kinit init,
                         bool trainable)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt t = cnnfi_kt_shaped((cnnfi_kt){.name = "", .dtype = CNNF_FLOAT}, rank, dims);
    if (!cnnfi_kb_ok(b)) return t;
    for (int32_t i = 0; i < rank; i++) {
        if (dims[i] < 0)
            cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "weight '%s' depends on a dimension that is not known", name);
    }
    const cnnf_tensor *value = cnnfi_kb_ok(b) ? stored(kc, name, rank, dims) : NULL;
    if (!value) return t;
    const char *initial = b->tf ? NULL : initial_name(b, name, NULL, init);
    const char *full = cnnfi_kb_unique(b, name);
    if (b->tf) initial = initial_name(b, name, full, init);
    if (!initial || !*full) return t;
    int32_t ghost = b->ghost; /* a nested model's variables are real */
    b->ghost = 0;
    t = cnnfi_kb_variable(b, full, initial, cnnf_tensor_dtype(value), rank, dims, init == CNNFI_KINIT_ONES ? 1 : 0,
                          value, NULL, trainable);
    b->ghost = ghost;
    remember(kc, t, full);
    return t;
}

cnnfi_kt cnnfi_kc_variable(const cnnfi_kc *kc, size_t index)
{
    if (index < kc->state->n_variables) return kc->state->variables[index];
    return (cnnfi_kt){.name = "", .dtype = CNNF_FLOAT, .rank = 1, .dims = {1}};
}
