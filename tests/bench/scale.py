# SPDX-License-Identifier: Apache-2.0
"""How the time of loading, freezing and each pass grows with the graph: 10^4, 10^5, 10^6 nodes, in awkward forms.

    python scale.py [--build BUILD] [--sizes 10000,100000] [--only chain,functions] [--passes prune,fold_constants]

Prints CPU seconds (of this machine: look at the ratios) and the growth per decade; a line is marked when it
grows more than 13 times in a decade or takes more than 60 s. Standard library only.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_GROWTH, MOST_SECONDS = 13, 60
SHORT = 0.02  # seconds; below it the clock decides
REPEATS = 2

# ---- GraphDef, written by hand ----

FLOAT, INT32 = 1, 3


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, content):
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def attr(key, value):
    return field(5, field(1, key) + field(2, value))


def node(name, op, inputs=(), attrs=b""):
    body = field(1, name.encode()) + field(2, op) + b"".join(field(3, i.encode()) for i in inputs) + attrs
    return field(1, body)


TYPE = bytes([6 << 3, FLOAT])
T = attr(b"T", TYPE)
DTYPE = attr(b"dtype", TYPE)
SHAPE_4 = field(2, bytes([1 << 3, 4]))
INPUT = node("x", b"Placeholder", (), DTYPE + attr(b"shape", field(7, SHAPE_4)))
NUMBERS = b"\0\0\x80?\0\0\0@\0\0@@\0\0\x80@"  # 1, 2, 3, 4
VALUE = attr(b"value", field(8, bytes([1 << 3, FLOAT]) + field(2, SHAPE_4) + field(4, NUMBERS)))


def const(name):
    return node(name, b"Const", (), DTYPE + VALUE)


def join(names, op, inputs_each, tag):
    """A tree of AddN over the names; gives its nodes and its root."""
    nodes = []
    level = 0
    while len(names) > 1:
        above = []
        for at in range(0, len(names), inputs_each):
            group = names[at:at + inputs_each]
            name = f"{tag}{level}_{at // inputs_each}"
            nodes.append(node(name, op, group, T + attr(b"N", bytes([3 << 3]) + varint(len(group)))))
            above.append(name)
        names = above
        level += 1
    return nodes, names[0]


# ---- graphs: lists of nodes of which the last is called "out" ----

PER_STEP = 8


def step(i, source):
    """Eight nodes that give the passes something to do: fold, merge, splice, log, wait."""
    p = f"s{i}/"
    return [const(p + "c"), node(p + "neg", b"Neg", [p + "c"], T), node(p + "mul", b"Mul", [source, p + "neg"], T),
            node(p + "stop", b"StopGradient", [p + "mul"], T), node(p + "add", b"Add", [p + "stop", p + "c"], T),
            node(p + "wait", b"NoOp", ["^" + p + "add"]),
            node(p + "id", b"Identity", [p + "add", "^" + p + "wait"], T),
            node(p + ("elu" if i % 100 else "relu"), b"Relu" if i % 100 == 0 else b"Elu", [p + "id"], T)], \
        p + ("elu" if i % 100 else "relu")


def chain(n):
    nodes, last = [INPUT], "x"
    for i in range(n // PER_STEP):
        more, last = step(i, last)
        nodes += more
    return nodes + [node("out", b"Identity", [last], T)]


def reversed_order(n):
    return chain(n)[::-1]


def fan_out(n):
    """One tensor that everybody reads."""
    nodes, ends = [INPUT], []
    for i in range(n // PER_STEP):
        more, end = step(i, "x")
        nodes += more
        ends.append(end)
    more, root = join(ends, b"AddN", 100, "sum")
    return nodes + more + [node("out", b"Identity", [root], T)]


def fan_in(n):
    """Nodes with tens of thousands of inputs; half of what they read is constant."""
    nodes, ends = [INPUT], []
    for i in range(n // 4):
        nodes += [const(f"c{i}"), node(f"neg{i}", b"Neg", [f"c{i}"], T),
                  node(f"id{i}", b"Identity", [f"neg{i}"], T), node(f"mul{i}", b"Mul", ["x", f"id{i}"], T)]
        ends.append(f"mul{i}")
    more, root = join(ends, b"AddN", 60000, "sum")
    return nodes + more + [node("out", b"Identity", [root], T)]


def functions(n):
    """A function for every call of one; bodies hold half of the nodes."""
    nodes, library, ends = [INPUT], [], []
    list_of_types = field(1, field(6, bytes([FLOAT])))
    for i in range(n // 4):
        name = f"f{i}".encode()
        argument = field(1, b"a") + bytes([3 << 3, FLOAT])
        result = field(1, b"r") + bytes([3 << 3, FLOAT])
        body = field(3, field(1, b"m") + field(2, b"Neg") + field(3, b"a") + T) + \
            field(3, field(1, b"n") + field(2, b"Relu") + field(3, b"m:y:0") + T)
        library.append(field(1, field(1, field(1, name) + field(2, argument) + field(3, result)) + body +
                             field(4, field(1, b"r") + field(2, b"n:activations:0"))))
        call = attr(b"Tin", list_of_types) + attr(b"Tout", list_of_types) + attr(b"f", field(10, field(1, name)))
        nodes.append(node(f"call{i}", b"PartitionedCall", ["x"], call))
        ends.append(f"call{i}")
    more, root = join(ends, b"AddN", 100, "sum")
    return nodes + more + [node("out", b"Identity", [root], T), field(2, b"".join(library))]


def variables(n):
    """Reference variables with their initializers, as many as there can be."""
    nodes, ends, assigns = [INPUT], [], []
    shape = attr(b"shape", field(7, SHAPE_4))
    for i in range(n // 5):
        p = f"v{i}"
        nodes += [node(p, b"VariableV2", (), DTYPE + shape), const(p + "/init"),
                  node(p + "/Assign", b"Assign", [p, p + "/init"], T), node(p + "/read", b"Identity", [p], T),
                  node(p + "/mul", b"Mul", ["x", p + "/read"], T)]
        ends.append(p + "/mul")
        assigns.append("^" + p + "/Assign")
    groups = []
    for at in range(0, len(assigns), 1000):
        groups.append(f"^init{at}")
        nodes.append(node(f"init{at}", b"NoOp", assigns[at:at + 1000]))
    more, root = join(ends, b"AddN", 100, "sum")
    return nodes + [node("init", b"NoOp", groups)] + more + [node("out", b"Identity", [root], T)]


GRAPHS = {"chain": chain, "fan-in": fan_in, "fan-out": fan_out, "functions": functions, "reversed": reversed_order,
          "variables": variables}

# Passes that do nothing without arguments.
ARGUMENTS = {
    "insert_logging": "(op=Relu)",  # one node in eight hundred: a graph has a million nodes at the most
    "quantize_weights": "(minimum_size=100)",
    "remove_attribute": "(attribute_name=_output_shapes)",
    "remove_nodes": "(op=StopGradient, op=Identity)",
    "rename_attribute": "(old_attribute_name=T, new_attribute_name=Z)",
    "rename_node": "(old_node_name=x, new_node_name=y)",
    "rename_op": "(old_op_name=Elu, new_op_name=Relu)",
    "scale_dropout_weights": "(name=none)",
    "set_device": "(device=\"/cpu:0\")",
    "set_input_shape": "(batch=4)",
    "target_tf": "(version=1.15)",
}

# ---- one graph, in a process of its own ----


def graph_bytes(kind, size):
    return b"".join(GRAPHS[kind](size)) + field(4, bytes([1 << 3]) + varint(134))


def timed(action, graphs):
    """CPU seconds for each graph, the least of a few times, and what became of them. All results are kept meanwhile: ten small graphs want as much
    memory, and as many cache lines, as one that is ten times as large."""
    least = None
    for _ in range(REPEATS):
        start = time.process_time()
        results = [action(graph) for graph in graphs]
        seconds = (time.process_time() - start) / len(graphs)
        least = seconds if least is None else min(least, seconds)
    return least, results


def measure(kind, path, copies, wanted):
    import cnnfreeze
    context = cnnfreeze.Context(limits={"max_nodes": 10 ** 8})  # passes may add to a million nodes
    times = {}
    times["load"], graphs = timed(lambda name: cnnfreeze.load(name, context=context), [path] * copies)
    times["write"], _ = timed(lambda graph: graph.write(path + ".out"), graphs)
    # What reads variables' values cannot do without them: the passes get what was frozen.
    initializers = ["init"] if kind == "variables" else []
    times["freeze"], frozen = timed(lambda graph: graph.freeze(["out"], initializers=initializers), graphs)
    if kind == "variables":
        graphs = frozen
    for name in wanted or cnnfreeze.passes():
        text = name + ARGUMENTS.get(name, "")
        times[name], _ = timed(lambda graph: graph.transform(text, ["x"], ["out"]), graphs)
    print(json.dumps(times))


# ---- the table ----


def run(kind, size, copies, build, wanted):
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "graph.pb"))
        Path(path).write_bytes(graph_bytes(kind, size))
        environment = dict(os.environ, PYTHONPATH=str(ROOT / "bindings/python"),
                           CNNFREEZE_LIBRARY=str(build / "lib/libcnnfreeze.so.0"),
                           # Memory that was had once stays: new pages are the kernel's time.
                           MALLOC_TRIM_THRESHOLD_=str(1 << 40), MALLOC_MMAP_THRESHOLD_=str(1 << 30))
        done = subprocess.run([sys.executable, __file__, "--measure", kind, "--copies", str(copies),
                               "--passes", ",".join(wanted), "--path", path], env=environment, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"{kind} at {size}: failed")
    return json.loads(done.stdout)


def print_rows(kind, sizes, results):
    bad = 0
    for name in results[0]:
        seconds = [r[name] for r in results]
        growth = [b / max(a, 1e-9) for a, b in zip(seconds, seconds[1:])]
        mark = max(seconds) > MOST_SECONDS or any(g > MOST_GROWTH and s > SHORT for g, s in zip(growth, seconds[1:]))
        bad += mark
        print(f"{kind:<10} {name:<28}" + "".join(f"{s:>10.3f}" for s in seconds) +
              "".join(f"{g:>8.1f}x" for g in growth) + ("  <-- too much" if mark else ""), flush=True)
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=str(ROOT / "build"))
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--only", default=",".join(GRAPHS))
    parser.add_argument("--passes", default="")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--copies", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--path", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sizes = [int(s) for s in arguments.sizes.split(",")]
    wanted = [p for p in arguments.passes.split(",") if p]
    if arguments.measure:
        measure(arguments.measure, arguments.path, arguments.copies, wanted)
        return 0
    print(f"{'graph':<10} {'seconds of CPU at':<28}" + "".join(f"{s:>10}" for s in sizes) + "   growth per decade")
    bad = 0
    for kind in arguments.only.split(","):
        bad += print_rows(kind, sizes, [run(kind, s, max(sizes) // s, Path(arguments.build), wanted)
                                         for s in sizes])
    print(f"{bad} lines grow more than {MOST_GROWTH} times in a decade or take more than {MOST_SECONDS} s")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
