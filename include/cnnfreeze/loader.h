/* SPDX-License-Identifier: Apache-2.0 */
/**
 * loader.h - bytes to graph.
 *
 * One call reads every format: Keras H5 and .keras, GraphDef and MetaGraphDef (binary and text),
 * SavedModel folders; cnnf_bind_checkpoint() adds the values of a checkpoint. What a file is, is
 * decided by its content. Weights stay in the file and are read when they are needed: the graph
 * keeps the file open, and reading fails with CNNF_E_IO when it changed meanwhile.
 *
 * Thread-safety: the calls are safe; a cnnf_load_options is not.
 */
#ifndef CNNFREEZE_LOADER_H
#define CNNFREEZE_LOADER_H

#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/context.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/graph.h>

/** What a file can be; cnnf_format_name() gives the words. */
#define CNNF_FORMAT_UNKNOWN          0
#define CNNF_FORMAT_KERAS_H5         1
#define CNNF_FORMAT_KERAS_V3         2 /**< .keras zip */
#define CNNF_FORMAT_GRAPHDEF         3
#define CNNF_FORMAT_GRAPHDEF_TEXT    4
#define CNNF_FORMAT_META_GRAPH       5
#define CNNF_FORMAT_META_GRAPH_TEXT  6
#define CNNF_FORMAT_SAVED_MODEL      7 /**< the folder or its saved_model.pb */
#define CNNF_FORMAT_SAVED_MODEL_TEXT 8
#define CNNF_FORMAT_CHECKPOINT_INDEX 9
#define CNNF_FORMAT_CHECKPOINT_DATA  10
#define CNNF_FORMAT_CHECKPOINT_STATE 11 /**< the text file called `checkpoint` */
#define CNNF_FORMAT_CHECKPOINT_V1    12
#define CNNF_FORMAT_SAVER_DEF        13
#define CNNF_FORMAT_SAVER_DEF_TEXT   14
#define CNNF_FORMAT_HDF5             15 /**< HDF5 that is no Keras file */
#define CNNF_FORMAT_ZIP              16
#define CNNF_FORMAT_GIT_LFS          17 /**< a pointer instead of the file */
#define CNNF_FORMAT_HTML             18 /**< a web page saved under a model's name */
#define CNNF_FORMAT_EMPTY            19
#define CNNF_FORMAT_JSON             20

/** Which variables a Keras model gets. */
#define CNNF_VARIABLES_AUTO      0 /**< as the Keras that wrote the file: multi-backend reference, else resource */
#define CNNF_VARIABLES_REFERENCE 1 /**< VariableV2 and /read */
#define CNNF_VARIABLES_RESOURCE  2 /**< VarHandleOp and ReadVariableOp */

typedef struct cnnf_load_options cnnf_load_options;

CNNF_BEGIN_DECLS

/** *New* options holding the defaults. CNNF_OK, CNNF_E_NOMEM, CNNF_E_INVALID. @since 0.1 */
CNNF_API cnnf_status cnnf_load_options_new(cnnf_load_options **out, cnnf_context *context, cnnf_error *error);
/** Releases options; NULL is allowed. @since 0.1 */
CNNF_API void cnnf_load_options_free(cnnf_load_options *options);
/** Keras: a suffix for every node ("_1": the names of a model loaded a second time in one process). Default "". @since
 * 0.1 */
CNNF_API cnnf_status cnnf_load_options_set_name_suffix(cnnf_load_options *options, const char *suffix,
                                                       cnnf_error *error);
/** Keras: CNNF_VARIABLES_*. @since 0.1 */
CNNF_API cnnf_status cnnf_load_options_set_variables(cnnf_load_options *options, int32_t variables, cnnf_error *error);
/** Keras: whether the optimizer's state becomes variables too; default 1. @since 0.1 */
CNNF_API cnnf_status cnnf_load_options_set_training_state(cnnf_load_options *options, int32_t keep, cnnf_error *error);
/**
 * Keras: whether libhdf5 is asked too, if it opens an H5 that was understood (a second opinion: files are read by this
 * library alone). Default 0: libhdf5 does not survive a want of memory. An H5 that it refuses is CNNF_E_CORRUPT;
 * in a build without it (-Dlibhdf5=disabled) loading is CNNF_E_UNSUPPORTED. CNNF_OK or CNNF_E_INVALID. @since 0.1
 */
CNNF_API cnnf_status cnnf_load_options_set_ask_libhdf5(cnnf_load_options *options, int32_t ask, cnnf_error *error);
/** Keras: the JSON architecture for a weights-only file, or for weights saved as a checkpoint (its prefix). @since 0.1
 */
CNNF_API cnnf_status cnnf_load_options_set_architecture_file(cnnf_load_options *options, const char *path,
                                                             cnnf_error *error);
/**
 * Keras: the input shape of a Sequential that does not say one, with the batch or without: -1 is unknown. Rank 1 to 8.
 * @since 0.1
 */
CNNF_API cnnf_status cnnf_load_options_set_input_shape(cnnf_load_options *options, int32_t rank, const int64_t *dims,
                                                       cnnf_error *error);
/**
 * Keras: treat class `from` as class `to`. `to` may say what the fields of the class are made from: "ReLU(max_value: 6,
 * negative_slope: slope)" takes a constant and the field `slope` of the configuration of `from`. Other fields stay
 * under their own names. CNNF_OK, CNNF_E_INVALID, CNNF_E_LIMIT, CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_load_options_map_layer(cnnf_load_options *options, const char *from, const char *to,
                                                 cnnf_error *error);
/**
 * Keras: what a Lambda or a custom layer computes, since no code of a file is ever run. `name` is the layer's name or
 * its class; `expression` is what Python would say: "x / 127.5 - 1", "abs(x0 - x1)", "x[:, :, :, ::-1]",
 * "l2_normalize(x, axis=1)" (docs/formats/keras.md has its names). CNNF_OK, CNNF_E_INVALID with the place,
 * CNNF_E_LIMIT, CNNF_E_NOMEM; what does not fit the layer's inputs is said when the file is loaded. @since 0.1
 */
CNNF_API cnnf_status cnnf_load_options_add_lambda(cnnf_load_options *options, const char *name, const char *expression,
                                                  cnnf_error *error);
/** Keras: treat the layer called `name` as an identity. @since 0.1 */
CNNF_API cnnf_status cnnf_load_options_drop_layer(cnnf_load_options *options, const char *name, cnnf_error *error);
/** Keras: recurrent layers whose number of steps is not known are written out for `steps` of them, which inputs must
 * then have; 0, the default: they become loops. At most 65536. @since 0.1 */
CNNF_API cnnf_status cnnf_load_options_set_rnn_steps(cnnf_load_options *options, int64_t steps, cnnf_error *error);
/** SavedModel: a tag the meta graph must have; repeatable; default "serve". @since 0.1 */
CNNF_API cnnf_status cnnf_load_options_add_tag(cnnf_load_options *options, const char *tag, cnnf_error *error);
/** SavedModel: the signature whose inputs and outputs are declared; default "serving_default", else the only one.
 * @since 0.1 */
CNNF_API cnnf_status cnnf_load_options_set_signature(cnnf_load_options *options, const char *signature,
                                                     cnnf_error *error);
/**
 * Demand a kind of file: CNNF_FORMAT_GRAPHDEF, _META_GRAPH, _SAVED_MODEL or _KERAS_H5, each for its binary and text
 * (or .keras) form. Another file is CNNF_E_FORMAT and the message says what it is. CNNF_FORMAT_UNKNOWN, the default:
 * whatever holds a graph. @since 0.1
 */
CNNF_API cnnf_status cnnf_load_options_set_format(cnnf_load_options *options, int32_t format, cnnf_error *error);
/**
 * cnnf_bind_checkpoint(): a SaverDef file (binary or text). Values then follow its restore op: a variable takes the
 * checkpoint's tensor that this Saver would restore into it (a moving average, a renamed or partitioned tensor), as
 * freeze_graph's --input_saver asks for. @since 0.1
 */
CNNF_API cnnf_status cnnf_load_options_set_saver_file(cnnf_load_options *options, const char *path, cnnf_error *error);
/** Progress in bytes of the input; for a Keras file once, when it is read and its graph is about to be built. NULL:
 * none.
 * @since 0.1 */
CNNF_API cnnf_status cnnf_load_options_set_progress(cnnf_load_options *options, cnnf_progress_fn progress, void *user,
                                                    cnnf_error *error);

/**
 * Loads a model or graph. `path`: UTF-8; a file, a SavedModel folder, or what a training run left: its folder, a
 * checkpoint's prefix or any file of a checkpoint with a .meta beside it. `options` NULL = defaults.
 * On success *out is a *new* graph, released with cnnf_graph_unref(). A Keras model, a
 * SavedModel and a checkpoint have their variables bound; a GraphDef or MetaGraphDef has not.
 * CNNF_OK; CNNF_E_IO, CNNF_E_FORMAT (the message says what the file is), CNNF_E_CORRUPT,
 * CNNF_E_UNSUPPORTED, CNNF_E_LIMIT, CNNF_E_MISMATCH, CNNF_E_NOT_FOUND, CNNF_E_CANCELLED,
 * CNNF_E_INVALID, CNNF_E_NOMEM; on failure *out is NULL. @since 0.1
 */
CNNF_API cnnf_status cnnf_load_file(cnnf_graph **out, cnnf_context *context, const char *path,
                                    const cnnf_load_options *options, cnnf_error *error);
/** The same for the bytes of a file, which are copied. `name` stands for the path in messages. @since 0.1 */
CNNF_API cnnf_status cnnf_load_memory(cnnf_graph **out, cnnf_context *context, const void *data, size_t size,
                                      const char *name, const cnnf_load_options *options, cnnf_error *error);
/**
 * A *new* graph: `graph` with each variable bound to the checkpoint's tensor of that name. `path`:
 * a prefix, a folder with a `checkpoint` file, or any file of a checkpoint. Variables the
 * checkpoint lacks stay unbound; a shape or dtype that does not fit is CNNF_E_MISMATCH (all of
 * them in the message), but in a graph with functions (a SavedModel) the variable stays unbound: what its outputs do
 * not need does no harm. With a Saver in the options or the MetaGraph, its restore ops say which tensor is a
 * variable's. Status as cnnf_load_file(). @since 0.1
 */
CNNF_API cnnf_status cnnf_bind_checkpoint(cnnf_graph **out, const cnnf_graph *graph, const char *path,
                                          const cnnf_load_options *options, cnnf_error *error);

/**
 * Whether the file at `path` is a readable SaverDef, binary or text.
 * CNNF_OK, CNNF_E_FORMAT, CNNF_E_CORRUPT, CNNF_E_IO, CNNF_E_LIMIT, CNNF_E_INVALID, CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_check_saver_file(cnnf_context *context, const char *path, cnnf_error *error);

/** What the file at `path` is: one of CNNF_FORMAT_*. CNNF_OK, CNNF_E_IO, CNNF_E_INVALID, CNNF_E_NOMEM. @since 0.1 */
CNNF_API cnnf_status cnnf_format_detect(int32_t *out, cnnf_context *context, const char *path, cnnf_error *error);
/** "a Keras H5 model", "a checkpoint's data shard", ...; static. @since 0.1 */
CNNF_API const char *cnnf_format_name(int32_t format);

CNNF_END_DECLS

#endif
