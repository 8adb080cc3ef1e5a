# SPDX-License-Identifier: Apache-2.0
"""Runs one frozen graph in this library, OpenVINO, ONNX Runtime, TFLite and TensorFlow, side by side, and prints ratios.

    python3 tests/bench/compare_runtimes.py GRAPH.pb --input input_1 --output activation_3/Softmax --shape 28,28,1

The peers are installed from PyPI into two virtual environments below --venv (made once; --python must be one that
TensorFlow 2.15 supports). Every runtime has a process of its own; for each point they take turns, --rounds times, so that
what else the machine does hits all of them alike. A figure is the best 50 ms block of a turn; printed is the median of
the turns. Results are compared with TensorFlow's first.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = os.environ.get("CNNFREEZE_LIB", os.path.join(HERE, "../../build/lib/libcnnfreeze.so"))
VENVS = {"tf": ["tensorflow-cpu==2.15.1", "tf2onnx==1.16.1", "onnx<1.17"], "run": ["openvino==2026.4.1", "onnxruntime==1.32.0"]}
WHERE = {"cnnfreeze": "run", "cnnfreeze-portable": "run", "cnnfreeze-onednn": "run", "openvino": "run", "onnxruntime": "run",
         "tflite": "tf", "tensorflow": "tf"}


# ---- workers: setup(threads, batch) gives a function that runs once and returns the output ----

def cnnfreeze_worker(a, backend):
    sys.path.insert(0, os.path.join(HERE, "../conformance"))
    os.environ["CNNFREEZE_LIB"] = LIBRARY
    import cnnfreeze_ctypes as cf

    def setup(threads, x):
        call, _ = cf.Evaluator(a.graph, threads, backend).prepare({a.input: x}, [a.output])

        def run():
            outputs = call()
            y = outputs[0]
            run.last = y
            cf.lib.cnnf_tensor_unref(y)

        def value():
            outputs = call()
            y = cf.array(outputs[0])
            cf.lib.cnnf_tensor_unref(outputs[0])
            return y
        run.value = value
        return run
    return setup


def openvino_worker(a):
    import openvino as ov
    core = ov.Core()

    def setup(threads, x):
        model = core.read_model(a.graph)
        model.reshape(list(x.shape))
        # float32 as everybody else: by itself it takes bfloat16 where the processor has it, and misses 1e-4
        compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
                                                     "INFERENCE_PRECISION_HINT": "f32"})
        request = compiled.create_infer_request()
        run = lambda: request.infer([x], share_inputs=True, share_outputs=True)
        run_value = lambda: list(request.infer([x]).values())[0]
        return with_value(run, run_value)
    return setup


def onnxruntime_worker(a):
    import onnxruntime as ort

    def setup(threads, x):
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = ort.InferenceSession(a.onnx, options, providers=["CPUExecutionProvider"])
        feeds = {session.get_inputs()[0].name: x}
        return with_value(lambda: session.run(None, feeds), lambda: session.run(None, feeds)[0])
    return setup


def graph_def(a):
    import tensorflow as tf
    g = tf.compat.v1.GraphDef()
    g.ParseFromString(open(a.graph, "rb").read())
    return tf, g


def tensorflow_worker(a):
    tf, g = graph_def(a)

    def setup(threads, x):
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(g, name="")
        config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
        call = tf.compat.v1.Session(graph=graph, config=config).make_callable(a.output + ":0", [a.input + ":0"])
        return with_value(lambda: call(x), lambda: call(x))
    return setup


def tflite_worker(a):
    tf, _ = graph_def(a)

    def setup(threads, x):
        converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(a.graph, [a.input], [a.output], {a.input: list(x.shape)})
        interpreter = tf.lite.Interpreter(model_content=converter.convert(), num_threads=threads)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        output = interpreter.get_output_details()[0]["index"]

        def value():
            interpreter.invoke()
            return interpreter.get_tensor(output)
        return with_value(interpreter.invoke, value)
    return setup


def with_value(run, value):
    class Runner:
        def __call__(self):
            return run()
    runner = Runner()
    runner.value = value
    return runner


def make_worker(a):
    if a.worker.startswith("cnnfreeze"):
        return cnnfreeze_worker(a, a.worker.partition("-")[2] or "auto")
    return {"openvino": openvino_worker, "onnxruntime": onnxruntime_worker, "tensorflow": tensorflow_worker, "tflite": tflite_worker}[a.worker](a)


def best_block(run, batch, seconds, now):
    best, end = 0.0, now() + seconds
    while now() < end:
        start, n = now(), 0
        while now() - start < 0.05:
            run()
            n += 1
        best = max(best, n * batch / (now() - start))
    return best


def serve(a):
    import numpy as np
    reply = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)   # what the runtimes print goes elsewhere
    setup, run, batch = make_worker(a), None, 0
    for line in sys.stdin:
        command = json.loads(line)
        if "threads" in command:
            batch = command["batch"]
            x = np.random.default_rng(1).random([batch] + a.shape, dtype=np.float32)
            run = setup(command["threads"], x)
            for _ in range(3):
                run()
            answer = [float(v) for v in np.asarray(run.value()).ravel()[:1000]]
        else:
            answer = best_block(run, batch, command["seconds"], time.process_time if a.clock == "cpu" else time.perf_counter)
        reply.write(json.dumps(answer) + "\n")
        reply.flush()


# ---- the conductor ----

class Worker:
    def __init__(self, name, a, argv):
        python = os.path.join(a.venv, WHERE[name], "bin/python")
        self.name = name
        env = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", CNNFREEZE_LIB=LIBRARY)
        self.process = subprocess.Popen([python, os.path.abspath(__file__), *argv, "--worker", name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)

    def ask(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.name + " died")
        return json.loads(line)


def install(a):
    for name, packages in VENVS.items():
        folder = os.path.join(a.venv, name)
        if os.path.exists(os.path.join(folder, "bin/python")):
            continue
        subprocess.run([a.python, "-m", "venv", folder], check=True)
        subprocess.run([os.path.join(folder, "bin/pip"), "install", "-q", *packages], check=True)


def convert(a):
    if not os.path.exists(a.onnx):
        subprocess.run([os.path.join(a.venv, "tf/bin/python"), "-m", "tf2onnx.convert", "--graphdef", a.graph, "--inputs", a.input + ":0",
                        "--outputs", a.output + ":0", "--output", a.onnx], check=True, capture_output=True)


def point(workers, a, threads, batch):
    values = {w: w.ask(threads=threads, batch=batch) for w in workers}
    truth = values[workers[-1]]
    for w in workers:
        worst = max(abs(p - q) for p, q in zip(values[w], truth)) / max(1.0, max(map(abs, truth)))
        if worst > 1e-4:
            print(f"{w.name} differs from {workers[-1].name} by {worst:.1e}")
    figures = {w: [] for w in workers}
    for _ in range(a.rounds):
        for w in workers:
            figures[w].append(w.ask(seconds=a.seconds))
    return {w.name: statistics.median(f) for w, f in figures.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("graph")
    p.add_argument("--input", required=True)
    p.add_argument("--output", required=True)
    p.add_argument("--shape", required=True, type=lambda t: [int(v) for v in t.split(",")], help="of one example")
    p.add_argument("--batches", default="1,32,256")
    p.add_argument("--threads", default="1,2")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=0.5)
    p.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: one thread on a machine that does other things too")
    p.add_argument("--runtimes", default="cnnfreeze,openvino,onnxruntime,tflite,tensorflow")
    p.add_argument("--venv", default=os.path.expanduser("~/.cache/cnnfreeze-peers"))
    p.add_argument("--python", default=sys.executable)
    p.add_argument("--onnx", help="kept here; default beside the graph")
    p.add_argument("--worker", help=argparse.SUPPRESS)
    a = p.parse_args()
    a.onnx = a.onnx or os.path.splitext(a.graph)[0] + ".onnx"
    if a.worker:
        return serve(a)
    install(a)
    convert(a)
    names = a.runtimes.split(",")
    workers = [Worker(n, a, sys.argv[1:]) for n in names]
    print(f"{'threads':>7} {'batch':>5} " + " ".join(f"{n:>18}" for n in names) + "   ours/best  (images/s)")
    ratios = []
    for threads in map(int, a.threads.split(",")):
        for batch in map(int, a.batches.split(",")):
            f = point(workers, a, threads, batch)
            peers = [v for n, v in f.items() if not n.startswith("cnnfreeze")]
            ratios.append(f[names[0]] / max(peers))
            print(f"{threads:>7} {batch:>5} " + " ".join(f"{f[n]:>18.1f}" for n in names) + f"   {ratios[-1]:.2f}", flush=True)
    print(f"geometric mean of ours/best: {statistics.geometric_mean(ratios):.2f}, least {min(ratios):.2f}")
    for w in workers:
        w.process.stdin.close()
        w.process.wait(20)


if __name__ == "__main__":
    main()
