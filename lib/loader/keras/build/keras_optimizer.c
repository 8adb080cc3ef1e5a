/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The optimizer's variables, as load_model() makes them for a compiled model: keras/optimizers.py of each Keras.
 * Multi-backend Keras has "<class>/<hyperparameter>" and slots "training/<class>/Variable_<n>"; tf.keras has its
 * hyperparameters at the root and slots below their variables ("conv2d/kernel/m").
 */
#include <string.h>

#include "base/str.h"
#include "graph/builder.h"
#include "loader/keras/build/keras_build.h"

#define MAX_HYPER 8

/* A class: its hyperparameters. */
typedef struct optimizer {
    const char *class_name;
    const char *multi[MAX_HYPER], *tf[MAX_HYPER];
} optimizer;

static const optimizer optimizers[] = {
    {"SGD", {"lr", "momentum", "decay"}, {"decay", "learning_rate", "momentum"}},
    {"RMSprop", {"lr", "rho", "decay"}, {"decay", "learning_rate", "momentum", "rho"}},
    {"Adagrad", {"lr", "decay"}, {"decay", "learning_rate"}},
    {"Adadelta", {"lr", "decay"}, {"decay", "learning_rate", "rho"}},
    {"Adam", {"lr", "beta_1", "beta_2", "decay"}, {"beta_1", "beta_2", "decay", "learning_rate"}},
    {"Adamax", {"lr", "beta_1", "beta_2", "decay"}, {"beta_1", "beta_2", "decay", "learning_rate"}},
    {"Nadam", {"m_schedule", "lr", "beta_1", "beta_2"}, {"beta_1", "beta_2", "decay", "learning_rate"}},
    {"Ftrl",
     {NULL},
     {"beta", "decay", "l1_regularization_strength", "l2_regularization_strength", "learning_rate",
      "learning_rate_power"}},
};

static const optimizer *find(const char *class_name)
{
    for (size_t i = 0; i < sizeof optimizers / sizeof optimizers[0]; i++) {
        if (strcmp(optimizers[i].class_name, class_name) == 0) return &optimizers[i];
    }
    return NULL;
}

/* "training/Adam/iter:0" -> "iter:0" */
static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static bool is_step(const char *name)
{
    const char *part = last_part(name);
    size_t length = strcspn(part, ":");
    return (length == 10 && strncmp(part, "iterations", 10) == 0) || (length == 4 && strncmp(part, "iter", 4) == 0);
}

/* An optimizer's variable in the current scope; value NULL: a scalar of `fill`. */
static void variable(cnnfi_keras_builder *b, const char *name, cnnf_dtype dtype, double fill, const cnnf_tensor *value)
{
    const char *full = cnnfi_build_unique(b, name);
    const char *initial = cnnfi_builder_printf(b->graph, b->tf ? "%s/Initializer/zeros" : "%s/initial_value", full);
    if (!initial || !*full) return;
    int32_t rank = value ? cnnf_tensor_rank(value) : 0;
    (void)cnnfi_build_variable(b, full, initial, value ? cnnf_tensor_dtype(value) : dtype, rank,
                               value ? cnnfi_tensor_dims(value) : NULL, fill, value, NULL, false);
}

static const cnnf_tensor *stored_step(const cnnfi_keras_model *model)
{
    for (size_t i = 0; i < model->n_optimizer_weights; i++) {
        if (is_step(model->optimizer_weights[i].name)) return model->optimizer_weights[i].value;
    }
    return NULL;
}

static void hyperparameters(cnnfi_keras_builder *b, const char *const *names, const cnnfi_json *config)
{
    for (size_t i = 0; i < MAX_HYPER && names[i]; i++) {
        const cnnfi_json *value = cnnfi_json_get(config, names[i]);
        if (cnnfi_json_is_object(value)) continue; /* a schedule is no variable */
        /* m_schedule starts at one; decay is left out by Keras versions where it is zero */
        double otherwise = strcmp(names[i], "m_schedule") == 0 ? 1 : 0;
        variable(b, names[i], CNNF_FLOAT, cnnfi_json_number(value, otherwise), NULL);
    }
}

static void multi_backend(cnnfi_keras_builder *b, const optimizer *o, const cnnfi_json *config)
{
    const cnnfi_keras_model *model = b->model;
    const char *saved = cnnfi_build_push(b, o->class_name);
    variable(b, "iterations", CNNF_INT64, 0, stored_step(model));
    hyperparameters(b, o->multi, config);
    cnnfi_build_pop(b, saved);
    saved = cnnfi_build_push(b, "training");
    (void)cnnfi_build_push(b, o->class_name);
    for (size_t i = 0; i < model->n_optimizer_weights; i++) {
        const cnnfi_keras_weight *weight = &model->optimizer_weights[i];
        if (!is_step(weight->name)) variable(b, "Variable", CNNF_FLOAT, 0, weight->value);
    }
    cnnfi_build_pop(b, saved);
}

/* tf.keras loads "training/Adam/conv2d/kernel/m" and "Adam/conv2d/kernel/m" as "conv2d/kernel/m". */
static const char *without_scope(const char *name, const char *class_name)
{
    size_t length = strlen(class_name);
    if (cnnfi_starts_with(name, "training/")) name += strlen("training/");
    return length && strncmp(name, class_name, length) == 0 && name[length] == '/' ? name + length + 1 : name;
}

static void as_stored(cnnfi_keras_builder *b, const cnnfi_keras_weight *weight, const char *class_name)
{
    const char *name = without_scope(weight->name, class_name);
    const char *plain = cnnfi_builder_printf(b->graph, "%.*s", (int)strcspn(name, ":"), name);
    if (plain && *plain) variable(b, plain, CNNF_FLOAT, 0, weight->value);
}

void cnnfi_keras_build_optimizer(cnnfi_keras_builder *b)
{
    const cnnfi_keras_model *model = b->model;
    const cnnfi_json *stored = cnnfi_json_get(model->training_config, "optimizer_config");
    const cnnfi_json *config = cnnfi_json_get(stored, "config");
    const char *class_name = cnnfi_json_string(cnnfi_json_get(stored, "class_name"), "");
    const optimizer *o = find(class_name);
    if (!model->training_config) return;
    if (!b->tf && o) {
        multi_backend(b, o, config);
        return;
    }
    if (o && !b->keras3) hyperparameters(b, o->tf, config);
    if (o && !b->keras3 && !stored_step(model)) variable(b, "iter", CNNF_INT64, 0, NULL);
    for (size_t i = 0; i < model->n_optimizer_weights; i++)
        as_stored(b, &model->optimizer_weights[i], class_name);
}
