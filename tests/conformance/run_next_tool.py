# SPDX-License-Identifier: Apache-2.0
"""One of the next tools, run over frozen graphs: started by test_next_tools.py with the Python that has the tool.

    python run_next_tool.py opencv|tflite|openvino|onnx|vitis-ai

Reads one JSON object a line, {"graph", "feeds": {name: x.npy}, "outputs": [name], "results": [y.npy], "made": FILE},
writes one a line: {"taken": bool, "why": text, "slow": text}.
"""
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np


def channels_first(x):
    """NHWC and NDHWC as OpenCV has them."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if x.ndim in (4, 5) else x


def channels_last(y):
    return np.moveaxis(y, 1, -1) if y.ndim in (4, 5) else y


def opencv(job, feeds):
    import cv2
    net = cv2.dnn.readNetFromTensorflow(job["graph"])
    for name, x in feeds.items():
        net.setInput(channels_first(x), name)
    layers = set(net.getLayerNames())
    # A name that went into its layer: the caller knows under which name that layer gives it.
    wanted = [next((n for n in [o] + job.get("aliases", {}).get(o, []) if n in layers), o) for o in job["outputs"]]
    return [channels_last(y) for y in net.forward(wanted)], ""


def tflite(job, feeds):
    import tensorflow as tf
    shapes = {name: list(x.shape) for name, x in feeds.items()}
    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
        job["graph"], list(feeds), job["outputs"], input_shapes=shapes)
    model = converter.convert()
    one = tf.lite.Interpreter(model_content=model, num_threads=1)
    one.allocate_tensors()
    details = {d["name"].split(":")[0]: d for d in one.get_input_details()}
    by_name = {d["name"].split(":")[0]: d for d in one.get_output_details()}
    outs = [by_name.get(o) or one.get_output_details()[k] for k, o in enumerate(job["outputs"])]
    for name, x in feeds.items():
        one.set_tensor(details[name]["index"], x)
    one.invoke()
    return [one.get_tensor(d["index"]) for d in outs], ""


def openvino(job, feeds):
    import openvino as ov
    model = ov.convert_model(job["graph"])
    names = {n.split(":")[0]: n for port in model.inputs for n in port.get_names()}
    compiled = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    # A result keeps the name of the TensorFlow node; its tensor may have that of the node before.
    outs = {port.get_node().get_friendly_name().split(":")[0]: k for k, port in enumerate(model.outputs)}
    request = compiled.create_infer_request()
    request.infer({names[n]: x for n, x in feeds.items()})
    missing = [o for o in job["outputs"] if o not in outs]
    if missing:
        raise KeyError(f"no output {missing}: others read it")
    return [request.get_tensor(compiled.outputs[outs[o]]).data.copy() for o in job["outputs"]], ""


def onnx(job, feeds):
    import tensorflow as tf
    import tf2onnx
    import onnxruntime
    graph = tf.compat.v1.GraphDef()
    with open(job["graph"], "rb") as f:
        graph.ParseFromString(f.read())
    model, _ = tf2onnx.convert.from_graph_def(graph, input_names=[n + ":0" for n in feeds],
                                              output_names=[o + ":0" for o in job["outputs"]], opset=13)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([o + ":0" for o in job["outputs"]], {n + ":0": x for n, x in feeds.items()}), ""


def tensorflow(job, feeds):
    """The TensorFlow inside the quantizer: 1.15 where there is one."""
    import tensorflow as tf
    tf = tf.compat.v1 if hasattr(tf, "compat") else tf
    graph = tf.GraphDef()
    with open(job["graph"], "rb") as f:
        graph.ParseFromString(f.read())
    with tf.Graph().as_default():
        tf.import_graph_def(graph, name="")
        with tf.Session() as session:
            return session.run([o + ":0" for o in job["outputs"]], {n + ":0": x for n, x in feeds.items()}), ""


TOOLS = {"opencv": opencv, "tflite": tflite, "openvino": openvino, "onnx": onnx, "vitis-ai": tensorflow}


def main():
    answers = os.fdopen(os.dup(1), "w")  # what a tool prints is not an answer
    os.dup2(2, 1)
    tool = TOOLS[sys.argv[1]]
    for line in sys.stdin:
        job = json.loads(line)
        feeds = {name: np.load(path) for name, path in job["feeds"].items()}
        answer = {"taken": True, "why": "", "slow": ""}
        try:
            results, answer["slow"] = tool(job, feeds)
            for path, y in zip(job["results"], results):
                np.save(path, y)
        except Exception as e:  # the tool's own refusal, of whatever class
            answer = {"taken": False, "why": f"{type(e).__name__}: {e}", "slow": ""}
        print(json.dumps(answer), file=answers, flush=True)


main()
