/* SPDX-License-Identifier: Apache-2.0 */
/* The table of subcommands: one line each. */
#include "cli.h"

const command cli_commands[] = {
    {"keras2tf", "MODEL.{h5,keras} CKPT_PREFIX GRAPH_DIR [flags]", "Keras model to checkpoint and GraphDef",
     cmd_keras2tf},
    {"freeze_graph", "[flags]", "graph and checkpoint to frozen graph: TensorFlow's freeze_graph", cmd_freeze_graph},
    {"freeze", "INPUT OUT.pb [flags]", "any model to one frozen inference graph", cmd_freeze},
    {"export", "INPUT OUT.onnx|OUT.tflite [flags]", "any model to one ONNX or TFLite model", cmd_export},
    {"transform_graph", "[flags]", "runs passes: TensorFlow's Graph Transform Tool", cmd_transform_graph},
    {"convert", "IN OUT.{pb,pbtxt} [flags]", "any format of a graph to GraphDef, nothing changed", cmd_convert},
    {"strip_unused", "--input_graph=A --output_graph=B [flags]",
     "what lies between inputs and outputs: TensorFlow's strip_unused", cmd_strip_unused},
    {"optimize_for_inference", "--input=A --output=B [flags]",
     "what inference needs, batch norms folded: TensorFlow's optimize_for_inference", cmd_optimize_for_inference},
    {"summarize_graph", "GRAPH [flags]", "inputs, outputs, ops, parameters of a graph or model", cmd_summarize_graph},
    {"inspect_checkpoint", "PREFIX [flags]", "names, shapes and values of a checkpoint", cmd_inspect_checkpoint},
    {"compare_graphs", "A B [flags]", "two graphs side by side, structure and numbers", cmd_compare_graphs},
    {"check", "GRAPH --for=vitis-ai", "the demands of the next tool, one by one", cmd_check},
    {"predict", "--graph=G --feed NAME=x.npy --fetch NAME=y.npy [flags]", "runs a graph on arrays", cmd_predict},
    {"benchmark_model", "--graph=G [flags]", "images per second and latency", cmd_benchmark_model},
    {"quantize", "MODEL --for=vitis-ai --calibration=DATA -o DIR [flags]", "the graph that the DPU's quantizer makes",
     cmd_quantize},
    {"evaluate", "--graph=G --dataset=FILE [flags]", "accuracy on a data set", cmd_evaluate},
    {"help", "[SUBCOMMAND] [flags]", "the manual of a subcommand; completions for shells", cmd_help},
};

const size_t cli_command_count = sizeof cli_commands / sizeof *cli_commands;
