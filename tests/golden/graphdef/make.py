# SPDX-License-Identifier: Apache-2.0
"""Makes the files here with TensorFlow 2.15.1: python make.py

all.pb         a GraphDef with every kind of attribute, tensor and function field, encoded as untidily as the wire allows
canonical.pb   the same as TensorFlow writes it (SerializeToString(deterministic=True))
all.pbtxt      the same in text format, as tf.io.write_graph writes it
graph.meta     a MetaGraphDef with a Saver, variables and two signatures; graph.meta.pbtxt the same in text format
saver.pb, saver.pbtxt   its SaverDef
saved_model    a SavedModel with two MetaGraphDefs, tagged {train} and {serve,gpu}; no variables
"""
import os

import numpy as np
from google.protobuf import text_format
from tensorflow.core.framework import graph_pb2, node_def_pb2, tensor_pb2, variable_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow.python.framework import dtypes, tensor_util


def varint(n):
    out = b""
    while n >= 128:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def entry(key, value):
    return field(5, field(2, value.SerializeToString()) + field(1, key.encode()))  # value before key


def attr(**kind):
    return node_def_pb2.NodeDef(attr={"a": kind_value(kind)}).attr["a"]


def kind_value(kind):
    from tensorflow.core.framework import attr_value_pb2
    return attr_value_pb2.AttrValue(**kind)


def node(name, op, inputs=(), attrs=(), device="", tail=b""):
    parts = [entry(k, v) for k, v in attrs] + [field(3, i.encode()) for i in inputs]
    return b"".join(parts) + tail + field(4, device.encode()) + field(2, op.encode()) + field(1, name.encode())


def tensors():
    for dtype in ("float32", "float64", "int32", "uint8", "int16", "int8", "complex64", "int64", "bool", "uint16",
                  "complex128", "float16", "uint32", "uint64"):
        for count in (1, 3):
            yield f"{dtype}_{count}", tensor_util.make_tensor_proto((np.arange(count) - (dtype[0] != "u")).astype(dtype))
    yield "bfloat16", tensor_util.make_tensor_proto([1.5, -2.0], dtypes.bfloat16)
    yield "strings", tensor_util.make_tensor_proto([b"a", b"", b"\x00\xff\"'\\\n\r\t?", "é".encode()])
    yield "empty", tensor_util.make_tensor_proto(np.zeros([2, 0, 3], "float32"))
    yield "splat", tensor_pb2.TensorProto(dtype=1, float_val=[0.25], tensor_shape=tensor_util.make_tensor_proto(
        np.zeros([4, 5], "float32")).tensor_shape)
    yield "shapeless", tensor_pb2.TensorProto(dtype=3, int_val=[-7])
    yield "content_1", tensor_pb2.TensorProto(dtype=1, tensor_content=b"\0\0\x80?", tensor_shape={"dim": [{"size": 1}]})
    yield "large", tensor_util.make_tensor_proto(np.arange(2048, dtype="float32"))


LISTS = [("s", [b"x", b""]), ("i", [0, -1, 1 << 40]), ("f", [0.1, float("inf"), -0.0]), ("b", [True, False]),
         ("type", [1, 101]), ("shape", [{"unknown_rank": True}, {"dim": [{"size": -1}, {"size": 0}]}, {},
                     {"dim": [{"size": 2, "name": "batch"}, {"name": "x"}]}]),
         ("func", [{"name": "g", "attr": {"T": kind_value({"type": 1}), "Tidx": kind_value({"type": 3})}}]), ]

ATTRS = [("s", {"s": b"\xfe\n"}), ("i", {"i": 0}), ("i2", {"i": -(1 << 63)}), ("f", {"f": 0.001}), ("f0", {"f": -0.0}),
         ("fn", {"f": float("nan")}), ("f5", {"f": 1e-5}), ("f16", {"f": 16777216.0}), ("b", {"b": False}),
         ("T", {"type": 0}), ("Tidx", {"type": 77}), ("shape", {"shape": {"dim": [{"size": 3}, {"size": -1}]}}),
         ("shape_", {"shape": {"unknown_rank": True}}), ("shape_0", {"shape": {}}), ("placeholder", {"placeholder": "p"}),
         ("func", {"func": {"name": "f", "attr": {"x": kind_value({"i": 1})}}}), ("none", {}), ("list", {"list": {}})]


def function():
    text = """
    signature { name: "f" description: "d"
      input_arg { name: "x" type: DT_FLOAT is_ref: true handle_data { dtype: DT_FLOAT shape { dim { size: 2 } } }
                  experimental_full_type { type_id: TFT_TENSOR args { type_id: TFT_FLOAT } } }
      input_arg { name: "n" type_attr: "T" number_attr: "N" description: "several" } input_arg { type_list_attr: "L" }
      output_arg { name: "y" type: DT_FLOAT } control_output: "c" is_stateful: true
      attr { name: "T" type: "type" default_value { type: DT_FLOAT } allowed_values { list { type: [1, 2] } } } }
    node_def { name: "r" op: "Relu" input: "x" attr { key: "T" value { type: DT_FLOAT } }
               attr { key: "v" value { tensor { dtype: DT_FLOAT tensor_shape {} float_val: 2 } } } }
    ret { key: "y" value: "r:activations:0" } ret { key: "y2" value: "" }
    control_ret { key: "c" value: "r" }
    attr { key: "a" value { b: true } } attr { key: "ab" value { i: 3 } }
    arg_attr { key: 0 value { attr { key: "_user_specified_name" value { s: "x" } } } } arg_attr { key: 300 value {} }
    resource_arg_unique_id { key: 0 value: 0 } resource_arg_unique_id { key: 2 value: 500 }"""
    from tensorflow.core.framework import function_pb2
    return text_format.Parse(text, function_pb2.FunctionDef()).SerializeToString()


def untidy_graph():
    unknown = varint(900 << 3) + varint(5) + field(901, b"kept") + varint(902 << 3 | 5) + b"abcd"
    debug = node_def_pb2.NodeDef(experimental_debug_info={"original_node_names": ["o"]},
                                 experimental_type={"type_id": 1000}).SerializeToString()
    twice = [("i", attr(i=1))] + [(k, attr(**v)) for k, v in ATTRS] + [("i", attr(i=2))]
    unpacked = field(5, field(1, b"u") + field(2, field(1, b"\x18\x01\x18\x02")))
    nodes = [node("x", "Placeholder", attrs=[("dtype", attr(type=1))], device="/cpu:0", tail=unknown + debug),
             node("attrs", "Any", ["x", "x:1", "^x"], twice, tail=unpacked),
             node("lists", "Any", [], [(k, attr(list={k: v})) for k, v in LISTS])]
    nodes += [node("t/" + k, "Const", [], [("dtype", attr(type=t.dtype)), ("value", attr(tensor=t))]) for k, t in tensors()]
    nodes.append(node("tensors", "Any", [], [("l", attr(list={"tensor": [t for _, t in tensors()][:4]}))]))
    versions = b"\x10\x0c" + field(3, b"\x07\x09") + b"\x08\x86\x01"
    library = field(2, field(2, b"g") + field(1, b"f")) + field(1, function())
    return field(4, versions) + unknown + b"\x18\x05" + field(2, library) + b"".join(field(1, n) for n in nodes)


def meta_graph():
    text = """
    graph_def { node { name: "v" op: "VariableV2" attr { key: "dtype" value { type: DT_FLOAT } }
                       attr { key: "shape" value { shape { dim { size: 2 } } } } }
                node { name: "x" op: "Placeholder" } node { name: "y" op: "Split" input: "x" input: "v" } versions { producer: 21 } }
    saver_def { filename_tensor_name: "save/Const:0" save_tensor_name: "save/control_dependency:0"
                restore_op_name: "save/restore_all" max_to_keep: 5 keep_checkpoint_every_n_hours: 10000 version: V2 }
    signature_def { key: "serving_default" value { inputs { key: "in" value { name: "x:0" dtype: DT_FLOAT } }
      outputs { key: "b" value { name: "y:1" } } outputs { key: "a" value { name: "y:0" } } method_name: "predict" } }
    signature_def { key: "other" value { outputs { key: "o" value { name: "v:0" } } } }"""
    meta = text_format.Parse(text, meta_graph_pb2.MetaGraphDef())
    meta.meta_info_def.tensorflow_version = "1.15.0"
    variable = variable_pb2.VariableDef(variable_name="v:0", initializer_name="v/Assign", snapshot_name="v/read:0",
                                        initial_value_name="v/init:0", trainable=True)
    meta.collection_def["variables"].bytes_list.value.append(variable.SerializeToString())
    return meta


def write(name, data):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def main():
    data = untidy_graph()
    graph = graph_pb2.GraphDef.FromString(data)
    write("all.pb", data)
    write("canonical.pb", graph.SerializeToString(deterministic=True))
    write("all.pbtxt", text_format.MessageToString(graph, float_format=""))
    meta = meta_graph()
    write("graph.meta", meta.SerializeToString(deterministic=True))
    write("graph.meta.pbtxt", text_format.MessageToString(meta))
    write("saver.pb", meta.saver_def.SerializeToString(deterministic=True))
    write("saver.pbtxt", text_format.MessageToString(meta.saver_def))
    saved = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    for tags, op in ((["train"], "Training"), (["serve", "gpu"], "Serving")):
        part = saved.meta_graphs.add()
        part.meta_info_def.tags.extend(tags)
        part.graph_def.node.add(name="x", op=op)
    write("saved_model/saved_model.pb", saved.SerializeToString(deterministic=True))


main()
