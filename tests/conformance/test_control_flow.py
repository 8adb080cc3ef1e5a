# SPDX-License-Identifier: Apache-2.0
"""Loops, branches, calls, lists and arrays against TensorFlow: each program built with TensorFlow 1's frames
(Enter, Switch, Merge, Exit, TensorArrayV3), with TensorFlow 2's functions (While, If, TensorList*), and called as a
function (PartitionedCall).

    CNNFREEZE_LIB=build/lib/libcnnfreeze.so python -m pytest tests/conformance/test_control_flow.py
"""
import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
np = pytest.importorskip("numpy")
tf = pytest.importorskip("tensorflow")
if not tf.__version__.startswith("2."):
    pytest.skip("needs TensorFlow 2", allow_module_level=True)
import cnnfreeze_ctypes as lib  # noqa: E402
from tensorflow.python.ops import control_flow_v2_toggles as toggles  # noqa: E402

v1 = tf.compat.v1
rng = np.random.default_rng(5)


def f32(*shape):
    return rng.normal(0, 1, shape).astype(np.float32)


def i32(*values):
    return np.array(values, np.int32)


# ---- programs: functions of their feeds; names say what they are about ----

def count(x):
    return tf.while_loop(lambda i, a: i < 10, lambda i, a: (i + 1, a * 1.5 + 1), [tf.constant(0), x])[1]


def count_to(n, x):
    return tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, a + tf.cast(i, tf.float32)), [tf.constant(0), x])


def nested(n, x):
    def outer(i, a):
        _, b = tf.while_loop(lambda j, b: j < i, lambda j, b: (j + 1, b * 1.25 + tf.cast(i * j, tf.float32)), [tf.constant(0), a])
        return i + 1, b
    return tf.while_loop(lambda i, a: i < n, outer, [tf.constant(0), x])[1]


def three_deep(x):
    def level(depth, a):
        if depth == 0:
            return a + 1
        return tf.while_loop(lambda i, b: i < 3, lambda i, b: (i + 1, level(depth - 1, b) * 0.5), [tf.constant(0), a])[1]
    return level(3, x)


def growing(n, x):
    return tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, tf.concat([a, a[-1:] * 2], 0)), [tf.constant(0), x],
                         shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, x.shape[1]])])[1]


def branch_in_loop(n, x):
    def body(i, a):
        a = tf.cond(tf.equal(i % 2, 0), lambda: a + 1., lambda: tf.cond(i > 4, lambda: a * 2., lambda: -a))
        return i + 1, a
    return tf.while_loop(lambda i, a: i < n, body, [tf.constant(0), x])[1]


def loop_in_branch(p, x):
    return tf.cond(p, lambda: tf.while_loop(lambda i, a: i < 5, lambda i, a: (i + 1, a * 1.1), [tf.constant(0), x])[1],
                   lambda: tf.reduce_sum(x) + x)


def swapped(x, y):
    return tf.while_loop(lambda i, a, b: i < 7, lambda i, a, b: (i + 1, b, a + b), [tf.constant(0), x, y])[1:]


def never(x):
    return tf.while_loop(lambda i, a: i < 0, lambda i, a: (i + 1, a * 2), [tf.constant(0), x])[1]


def data_decides(x):
    return tf.while_loop(lambda a: tf.reduce_sum(tf.abs(a)) < 1000., lambda a: (a * 1.7,), [x])[0]


def invariant_weights(x):
    w, b = tf.constant(f32(4, 4) * 0.3), tf.constant(f32(4))
    return tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, tf.nn.relu(tf.matmul(a, w) + b)), [tf.constant(0), x])[1]


def convolved(x):
    w = tf.constant(f32(3, 3, 3, 3) * 0.2)
    return tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, tf.nn.relu(tf.nn.conv2d(a, w, 1, "SAME"))), [tf.constant(0), x])[1]


def two_outputs(p, x):
    return tf.cond(p, lambda: (x * 2, tf.shape(x)), lambda: (x[:1] + 1, tf.shape(x) * 3))


def cond_captures(p, x, y):
    return tf.cond(p, lambda: tf.matmul(x, y), lambda: tf.matmul(x, tf.transpose(y)))


def constant_branches(p):
    return tf.cond(p, lambda: tf.constant([1., 2.]), lambda: tf.constant([3., 4., 5.]))


def switched(k, x):
    return tf.switch_case(k, [lambda: x + 1, lambda: x * 2, lambda: tf.zeros_like(x)])


def cases(x):
    s = tf.reduce_sum(x)
    return tf.case([(s > 3., lambda: x), (s < -3., lambda: -x)], default=lambda: x * 0.5)


def mapped(x):
    return tf.map_fn(lambda r: tf.reduce_sum(r) * r, x)


def mapped_pairs(x, y):
    return tf.map_fn(lambda r: (r[0] + r[1], tf.cast(r[1] > 0, tf.int32)), (x, y), fn_output_signature=(tf.float32, tf.int32))


def scanned(x):
    return tf.scan(lambda a, r: a * 0.5 + r, x)


def scanned_back(x):
    return tf.scan(lambda a, r: (a[0] + r, a[0] * a[1]), x, initializer=(tf.zeros(x.shape[1:]), tf.ones(x.shape[1:])), reverse=True)


def folded(x):
    return tf.foldl(lambda a, r: a * r + 1., x), tf.foldr(lambda a, r: tf.maximum(a, r), x)


def array_write_stack(n, x):
    ta = tf.TensorArray(tf.float32, size=n, element_shape=x.shape)
    return tf.while_loop(lambda i, t: i < n, lambda i, t: (i + 1, t.write(i, x * tf.cast(i, tf.float32))), [tf.constant(0), ta])[1].stack()


def array_grows(n, x):
    ta = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
    ta = tf.while_loop(lambda i, t: i < n, lambda i, t: (i + 1, t.write(i, x + tf.cast(i, tf.float32))), [tf.constant(0), ta])[1]
    return ta.stack(), ta.size()


def array_unstack_read(x):
    ta = tf.TensorArray(tf.float32, size=tf.shape(x)[0], clear_after_read=False).unstack(x)
    return ta.read(1) + ta.read(0), ta.gather([2, 0])


def array_read_before(x):
    ta = tf.TensorArray(tf.float32, size=tf.shape(x)[0], clear_after_read=False).unstack(x)
    out = tf.TensorArray(tf.float32, size=tf.shape(x)[0])
    body = lambda i, t: (i + 1, t.write(i, ta.read(i) - ta.read(tf.maximum(i - 1, 0))))
    return tf.while_loop(lambda i, t: i < tf.shape(x)[0], body, [tf.constant(0), out])[1].stack()


def array_scatter_concat(x):
    ta = tf.TensorArray(tf.float32, size=4, infer_shape=False).scatter([3, 0, 2, 1], tf.stack([x, x * 2, x * 3, x * 4]))
    return ta.concat()


def array_split(x):
    ta = tf.TensorArray(tf.float32, size=3, infer_shape=False, element_shape=[None, 2], clear_after_read=False)
    ta = ta.split(x, [1, 3, 2])
    return ta.read(1), ta.concat(), ta.size()


def array_unwritten(x):
    ta = tf.TensorArray(tf.float32, size=4, element_shape=[3])
    return ta.write(2, x).stack()


def array_in_branch(p, x):
    def fill(k):
        ta = tf.TensorArray(tf.float32, size=2)
        return ta.write(0, x).write(1, x * k).stack()
    return tf.cond(p, lambda: fill(2.), lambda: fill(3.))


def lists(x):
    from tensorflow.python.ops import list_ops
    a = list_ops.tensor_list_from_tensor(x, element_shape=[2])
    a = list_ops.tensor_list_push_back(a, x[0] * 5)
    b, last = list_ops.tensor_list_pop_back(a, element_dtype=tf.float32)
    c = list_ops.tensor_list_set_item(b, 0, x[1] + 9)
    d = list_ops.tensor_list_concat_lists(b, c, element_dtype=tf.float32)
    e = list_ops.tensor_list_resize(d, 5)
    g = list_ops.tensor_list_scatter(x, [2, 0, 5], element_shape=[2])
    h = list_ops.tensor_list_scatter(x, [1, 3, 4], element_shape=[2], input_handle=g)
    s = list_ops.tensor_list_split(x, element_shape=[-1, 2], lengths=[1, 0, 2])
    r = list_ops.tensor_list_reserve([2], 3, tf.float32)
    return (last, list_ops.tensor_list_stack(b, tf.float32), list_ops.tensor_list_stack(c, tf.float32),
            list_ops.tensor_list_length(d), list_ops.tensor_list_stack(e, tf.float32), list_ops.tensor_list_stack(h, tf.float32),
            list_ops.tensor_list_gather(g, [2, 0], tf.float32), list_ops.tensor_list_get_item(g, 1, tf.float32, element_shape=[2]),
            list_ops.tensor_list_concat(s, tf.float32, element_shape=[-1, 2]),
            list_ops.tensor_list_get_item(s, 2, tf.float32), list_ops.tensor_list_stack(r, tf.float32),
            list_ops.tensor_list_element_shape(g, tf.int32), list_ops.tensor_list_element_shape(s, tf.int64))


def list_kept(x):
    """A list is a value: what was made of it before does not change."""
    from tensorflow.python.ops import list_ops
    a = list_ops.tensor_list_from_tensor(x, element_shape=[2])
    outs = []
    for i in range(3):
        b = list_ops.tensor_list_set_item(a, i, x[i] * 10)
        outs.append(list_ops.tensor_list_stack(b, tf.float32))
    return outs + [list_ops.tensor_list_stack(a, tf.float32)]


def lists_of_lists(x):
    from tensorflow.python.ops import list_ops
    inner = list_ops.tensor_list_from_tensor(x, element_shape=[2])
    outer = list_ops.tensor_list_reserve([], 2, tf.variant)
    outer = list_ops.tensor_list_set_item(outer, 0, inner)
    outer = list_ops.tensor_list_set_item(outer, 1, list_ops.tensor_list_push_back(inner, x[0]))
    back = list_ops.tensor_list_get_item(outer, 1, tf.variant)
    return list_ops.tensor_list_stack(back, tf.float32)


def dynamic_rnn(x, n):
    cell = v1.nn.rnn_cell.LSTMCell(5, initializer=v1.constant_initializer(0.1))
    out, state = v1.nn.dynamic_rnn(cell, x, sequence_length=n, dtype=tf.float32)
    return out, state.h, state.c


def dynamic_rnn_time_major(x):
    cell = v1.nn.rnn_cell.MultiRNNCell([v1.nn.rnn_cell.GRUCell(4), v1.nn.rnn_cell.BasicRNNCell(3)])
    out, _ = v1.nn.dynamic_rnn(cell, x, dtype=tf.float32, time_major=True)
    return out


def bidirectional_rnn(x):
    cells = [v1.nn.rnn_cell.GRUCell(3) for _ in range(2)]
    (a, b), _ = v1.nn.bidirectional_dynamic_rnn(*cells, x, dtype=tf.float32)
    return a, b


BOOL = [np.array(True), np.array(False)]
PROGRAMS = [
    (count, [f32(3)]), (count_to, [np.array(n, np.int32) for n in (0, 1, 7)], [f32(2, 2)]), (nested, [np.array(5, np.int32)], [f32(3)]),
    (three_deep, [f32(2)]), (growing, [np.array(n, np.int32) for n in (0, 4)], [f32(2, 3)]),
    (branch_in_loop, [np.array(9, np.int32)], [f32(3)]), (loop_in_branch, BOOL, [f32(3)]), (swapped, [f32(2)], [f32(2)]), (never, [f32(2)]),
    (data_decides, [f32(3)]), (invariant_weights, [f32(2, 4)]), (convolved, [f32(2, 6, 6, 3)]), (two_outputs, BOOL, [f32(3, 2)]),
    (cond_captures, BOOL, [f32(3, 3)], [f32(3, 3)]), (constant_branches, BOOL), (switched, [np.array(k, np.int32) for k in (-1, 0, 1, 2, 9)], [f32(3)]),
    (cases, [f32(3) + 4, f32(3) - 4, f32(3) * 0.1]), (mapped, [f32(4, 3)]), (mapped_pairs, [f32(5)], [f32(5)]), (scanned, [f32(6, 2)]),
    (scanned_back, [f32(5, 2)]), (folded, [f32(5, 2)]), (array_write_stack, [np.array(4, np.int32)], [f32(3)]),
    (array_grows, [np.array(n, np.int32) for n in (1, 6)], [f32(2)]), (array_unstack_read, [f32(3, 2)]), (array_read_before, [f32(5, 2)]),
    (array_scatter_concat, [f32(2, 2)]), (array_split, [f32(6, 2)]), (array_unwritten, [f32(3)]), (array_in_branch, BOOL, [f32(3)]),
    (lists, [f32(3, 2)]), (list_kept, [f32(3, 2)]), (lists_of_lists, [f32(3, 2)]),
]
VARIABLES = [(dynamic_rnn, [f32(3, 7, 4)], [i32(7, 0, 3)]), (dynamic_rnn_time_major, [f32(6, 2, 3)]), (bidirectional_rnn, [f32(2, 5, 3)])]
MODES = ["frames", "functions", "called"]


def set_mode(mode):
    (toggles.disable_control_flow_v2 if mode == "frames" else toggles.enable_control_flow_v2)()


def build(program, feeds, mode, open_shapes):
    """A GraphDef, its feeds' and fetches' names, and TensorFlow's own answers."""
    set_mode(mode)
    tf.random.set_seed(1)
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        shapes = [[None] * f[0].ndim if open_shapes else f[0].shape for f in feeds]
        places = [v1.placeholder(f[0].dtype, s, name=f"feed_{i}") for i, (f, s) in enumerate(zip(feeds, shapes))]
        call = tf.function(program) if mode == "called" else program
        outputs = [tf.identity(o, name=f"out_{i}") for i, o in enumerate(tf.nest.flatten(call(*places)))]
        session.run(v1.global_variables_initializer())
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), [o.op.name for o in outputs])
        rounds = []
        for turn in range(max(len(f) for f in feeds)):
            values = [f[turn % len(f)] for f in feeds]
            try:
                wanted = session.run(outputs, dict(zip(places, values)))
            except tf.errors.OpError as failure:
                wanted = failure
            rounds.append((values, wanted))
        return frozen.SerializeToString(), [o.op.name for o in outputs], rounds


def compare(program, feeds, mode, open_shapes=False):
    graph, fetches, rounds = build(program, feeds, mode, open_shapes)
    evaluator = lib.Evaluator(graph)
    for values, wanted in rounds:
        given = {f"feed_{i}": v for i, v in enumerate(values)}
        if isinstance(wanted, Exception):
            with pytest.raises(lib.Failure):
                evaluator.run(given, fetches)
            continue
        for ours, theirs in zip(evaluator.run(given, fetches), wanted):
            assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
            if ours.dtype == np.float32:
                np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-6)
            else:
                np.testing.assert_array_equal(ours, theirs)


def name_of(case):
    return case[0].__name__


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", PROGRAMS, ids=name_of)
def test_program(case, mode):
    compare(case[0], case[1:], mode)


OPEN = (count, count_to, nested, branch_in_loop, mapped, scanned, array_write_stack, array_grows, array_read_before, convolved)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", [c for c in PROGRAMS if c[0] in OPEN and c[0] is not convolved], ids=name_of)
def test_program_with_open_shapes(case, mode):
    compare(case[0], case[1:], mode, open_shapes=True)


@pytest.mark.parametrize("mode", ["frames", "functions"])
@pytest.mark.parametrize("case", VARIABLES, ids=name_of)
def test_recurrent_network_of_tensorflow_1(case, mode):
    compare(case[0], case[1:], mode)


# ---- wrong programs: TensorFlow's own refusals ----

def read_twice(x):
    ta = tf.TensorArray(tf.float32, size=2, clear_after_read=True).unstack(x)
    first = ta.read(0)
    with tf.control_dependencies([first]):
        return first + ta.read(0)


def written_twice(x):
    ta = tf.TensorArray(tf.float32, size=2).write(0, x)
    return ta.write(0, x).stack()


def out_of_range(k, x):
    return tf.TensorArray(tf.float32, size=2, clear_after_read=False).unstack(x).read(k)


def never_written(x):
    return tf.TensorArray(tf.float32, size=2, infer_shape=False).write(0, x).read(1)


def empty_pop(x):
    from tensorflow.python.ops import list_ops
    return list_ops.tensor_list_pop_back(list_ops.empty_tensor_list([], tf.float32), tf.float32)[1] + x


WRONG = [(out_of_range, [np.array(k, np.int32) for k in (0, 2, -1)], [f32(2, 2)]), (empty_pop, [f32(1)])]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", WRONG, ids=name_of)
def test_what_tensorflow_refuses(case, mode):
    compare(case[0], case[1:], mode)


@pytest.mark.parametrize("case", [(read_twice, [f32(2, 2)]), (written_twice, [f32(2)]), (never_written, [f32(2)])], ids=name_of)
def test_what_arrays_of_tensorflow_1_refuse(case):
    compare(case[0], case[1:], "frames")


# ---- Keras layers of unknown length ----

def keras_model(kind):
    k = tf.keras
    layers = {
        "lstm": lambda: [k.layers.LSTM(4)], "gru": lambda: [k.layers.GRU(4, return_sequences=True)], "simple": lambda: [k.layers.SimpleRNN(3)],
        "masked": lambda: [k.layers.Masking(0.), k.layers.LSTM(4, return_sequences=True), k.layers.GRU(3)],
        "bidirectional": lambda: [k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True))],
        "backwards": lambda: [k.layers.LSTM(3, go_backwards=True, return_sequences=True)],
        "stacked": lambda: [k.layers.RNN([k.layers.LSTMCell(3), k.layers.GRUCell(2)])],
        "distributed": lambda: [k.layers.TimeDistributed(k.layers.Dense(3)), k.layers.GRU(2, reset_after=False)],
    }[kind]()
    return k.Sequential([k.layers.InputLayer((None, 3))] + layers)


KERAS = ["lstm", "gru", "simple", "masked", "bidirectional", "backwards", "stacked", "distributed"]


@pytest.mark.parametrize("lower", [False, True], ids=["functions", "lowered"])
@pytest.mark.parametrize("kind", KERAS)
def test_keras_layer(kind, lower):
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    if tuple(map(int, tf.__version__.split(".")[:2])) >= (2, 16):
        pytest.skip("needs tf.keras 2")
    set_mode("functions")
    tf.keras.utils.set_random_seed(3)
    model = keras_model(kind)
    call = tf.function(lambda x: model(x)).get_concrete_function(tf.TensorSpec([None, None, 3], tf.float32, name="x"))
    frozen = convert_variables_to_constants_v2(call, lower_control_flow=lower)
    evaluator = lib.Evaluator(frozen.graph.as_graph_def().SerializeToString())
    for shape in ((2, 5, 3), (1, 1, 3), (3, 8, 3)):
        x = f32(*shape)
        x[:, -1] = 0
        theirs = model(x).numpy()
        ours, = evaluator.run({"x": x}, [frozen.outputs[0].name])
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-6)
