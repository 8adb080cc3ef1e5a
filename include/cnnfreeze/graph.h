/* SPDX-License-Identifier: Apache-2.0 */
/**
 * graph.h - a TensorFlow graph, to look at.
 *
 * A graph is immutable and reference-counted: loaders and passes make new ones, which share every
 * tensor that did not change. A *variable* node may carry a bound value (from a Keras file or a
 * checkpoint); freezing turns bound variables into Const nodes.
 *
 * Strings and nodes are *borrowed* from the graph and live as long as it does.
 *
 * Thread-safety: safe.
 */
#ifndef CNNFREEZE_GRAPH_H
#define CNNFREEZE_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/context.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/tensor.h>

typedef struct cnnf_graph cnnf_graph;
typedef struct cnnf_node cnnf_node;

/** What an attribute holds (AttrValue's oneof). */
#define CNNF_ATTR_NONE        0
#define CNNF_ATTR_STRING      1
#define CNNF_ATTR_INT         2
#define CNNF_ATTR_FLOAT       3
#define CNNF_ATTR_BOOL        4
#define CNNF_ATTR_TYPE        5
#define CNNF_ATTR_SHAPE       6
#define CNNF_ATTR_TENSOR      7
#define CNNF_ATTR_FUNC        8
#define CNNF_ATTR_PLACEHOLDER 9
#define CNNF_ATTR_LIST        10

CNNF_BEGIN_DECLS

/** One more reference; returns its argument. NULL gives NULL. @since 0.1 */
CNNF_API cnnf_graph *cnnf_graph_ref(const cnnf_graph *graph);
/** Gives a reference back; NULL is allowed. @since 0.1 */
CNNF_API void cnnf_graph_unref(cnnf_graph *graph);

CNNF_API int64_t cnnf_graph_node_count(const cnnf_graph *graph); /**< @since 0.1 */
/** Node `index` in file order; NULL outside 0 .. count-1. @since 0.1 */
CNNF_API const cnnf_node *cnnf_graph_node(const cnnf_graph *graph, int64_t index);
/** The node called `name`, or NULL. @since 0.1 */
CNNF_API const cnnf_node *cnnf_graph_find(const cnnf_graph *graph, const char *name);

/** Declared inputs: what the Keras model or the signature says, else the Placeholder nodes. @since 0.1 */
CNNF_API int64_t cnnf_graph_input_count(const cnnf_graph *graph);
CNNF_API const char *cnnf_graph_input_name(const cnnf_graph *graph,
                                           int64_t index); /**< node name, or NULL. @since 0.1 */
/** Its dtype; CNNF_DTYPE_INVALID where the node does not say, or outside the range. @since 0.1 */
CNNF_API cnnf_dtype cnnf_graph_input_dtype(const cnnf_graph *graph, int64_t index);
/** Its rank; -1 where it is not known, or outside the range. @since 0.1 */
CNNF_API int32_t cnnf_graph_input_shape_rank(const cnnf_graph *graph, int64_t index);
/** Its size along `axis`, the batch first; -1 unknown or no such axis. @since 0.1 */
CNNF_API int64_t cnnf_graph_input_shape_dim(const cnnf_graph *graph, int64_t index, int32_t axis);
/** Declared outputs; 0 when the file does not say (cnnf_graph_guess_outputs() in inspect.h then helps). @since 0.1 */
CNNF_API int64_t cnnf_graph_output_count(const cnnf_graph *graph);
CNNF_API const char *cnnf_graph_output_name(const cnnf_graph *graph,
                                            int64_t index); /**< node name, or NULL. @since 0.1 */
/** Variable nodes, bound or not; 0 means frozen. @since 0.1 */
CNNF_API int64_t cnnf_graph_variable_count(const cnnf_graph *graph);
/** Functions in the library. @since 0.1 */
CNNF_API int64_t cnnf_graph_function_count(const cnnf_graph *graph);
CNNF_API const char *cnnf_graph_function_name(const cnnf_graph *graph,
                                              int64_t index); /**< NULL outside the range. @since 0.1 */

CNNF_API const char *cnnf_node_name(const cnnf_node *node);    /**< @since 0.1 */
CNNF_API const char *cnnf_node_op(const cnnf_node *node);      /**< @since 0.1 */
CNNF_API const char *cnnf_node_device(const cnnf_node *node);  /**< "" when none. @since 0.1 */
CNNF_API int64_t cnnf_node_input_count(const cnnf_node *node); /**< data and control inputs. @since 0.1 */
/** Input `index` as written: "node", "node:1", "^control"; NULL outside the range. @since 0.1 */
CNNF_API const char *cnnf_node_input(const cnnf_node *node, int64_t index);
CNNF_API int64_t cnnf_node_attr_count(const cnnf_node *node); /**< @since 0.1 */
/** Attribute names, sorted by byte; NULL outside the range. @since 0.1 */
CNNF_API const char *cnnf_node_attr_name(const cnnf_node *node, int64_t index);
/** CNNF_ATTR_*; CNNF_ATTR_NONE when there is no such attribute. @since 0.1 */
CNNF_API int32_t cnnf_node_attr_kind(const cnnf_node *node, const char *name);
/** The value, when the attribute is of that kind; else the fallback. @since 0.1 */
CNNF_API int64_t cnnf_node_attr_int(const cnnf_node *node, const char *name, int64_t fallback);
CNNF_API double cnnf_node_attr_float(const cnnf_node *node, const char *name, double fallback);  /**< @since 0.1 */
CNNF_API int32_t cnnf_node_attr_bool(const cnnf_node *node, const char *name, int32_t fallback); /**< @since 0.1 */
CNNF_API cnnf_dtype cnnf_node_attr_type(const cnnf_node *node, const char *name,
                                        cnnf_dtype fallback); /**< @since 0.1 */
/** Bytes of a string attribute (followed by a zero byte), *size (nullable) their number; NULL when it is none. @since
 * 0.1
 */
CNNF_API const char *cnnf_node_attr_string(size_t *size, const cnnf_node *node, const char *name);
/** Length of a list attribute; -1 when it is none. @since 0.1 */
CNNF_API int64_t cnnf_node_attr_list_count(const cnnf_node *node, const char *name);
/** What its elements are: CNNF_ATTR_*; CNNF_ATTR_NONE when it is no list or an empty one. @since 0.1 */
CNNF_API int32_t cnnf_node_attr_list_kind(const cnnf_node *node, const char *name);
/** Element `index` of a list of that kind; else what the getter of a single value gives. @since 0.1 */
CNNF_API int64_t cnnf_node_attr_list_int(const cnnf_node *node, const char *name, int64_t index, int64_t fallback);
CNNF_API double cnnf_node_attr_list_float(const cnnf_node *node, const char *name, int64_t index,
                                          double fallback); /**< @since 0.1 */
CNNF_API int32_t cnnf_node_attr_list_bool(const cnnf_node *node, const char *name, int64_t index,
                                          int32_t fallback); /**< @since 0.1 */
CNNF_API cnnf_dtype cnnf_node_attr_list_type(const cnnf_node *node, const char *name, int64_t index,
                                             cnnf_dtype fallback); /**< @since 0.1 */
CNNF_API const char *cnnf_node_attr_list_string(size_t *size, const cnnf_node *node, const char *name,
                                                int64_t index); /**< @since 0.1 */
CNNF_API int32_t cnnf_node_attr_list_shape_rank(const cnnf_node *node, const char *name,
                                                int64_t index); /**< @since 0.1 */
CNNF_API int64_t cnnf_node_attr_list_shape_dim(const cnnf_node *node, const char *name, int64_t index,
                                               int32_t axis); /**< @since 0.1 */
CNNF_API const cnnf_tensor *cnnf_node_attr_list_tensor(const cnnf_node *node, const char *name,
                                                       int64_t index); /**< @since 0.1 */
CNNF_API const char *cnnf_node_attr_list_func(const cnnf_node *node, const char *name,
                                              int64_t index); /**< @since 0.1 */
/** Name of the function that a function attribute (If's then_branch, PartitionedCall's f) calls; NULL when it is none.
 * @since 0.1 */
CNNF_API const char *cnnf_node_attr_func(const cnnf_node *node, const char *name);
/** Rank of a shape attribute: -1 unknown rank, -2 when the attribute is no shape. @since 0.1 */
CNNF_API int32_t cnnf_node_attr_shape_rank(const cnnf_node *node, const char *name);
/** Size along `axis` of a shape attribute; -1 unknown or no such axis. @since 0.1 */
CNNF_API int64_t cnnf_node_attr_shape_dim(const cnnf_node *node, const char *name, int32_t axis);
/** The tensor of a tensor attribute, *borrowed*; NULL when it is none. @since 0.1 */
CNNF_API const cnnf_tensor *cnnf_node_attr_tensor(const cnnf_node *node, const char *name);
/** Whether the node is a variable (VariableV2, Variable, VarHandleOp). @since 0.1 */
CNNF_API int32_t cnnf_node_is_variable(const cnnf_node *node);
/** The bound value of a variable, *borrowed*; NULL when it has none. @since 0.1 */
CNNF_API const cnnf_tensor *cnnf_node_value(const cnnf_node *node);

CNNF_END_DECLS

#endif
