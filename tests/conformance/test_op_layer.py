# SPDX-License-Identifier: Apache-2.0
"""tf.keras' TensorFlowOpLayer: ops kept as NodeDefs in a configuration. Graph shapes and numbers against tf.keras'."""
import os
import sys
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow")
try:
    from keras.src.engine.base_layer import TensorFlowOpLayer
except ImportError:
    pytest.skip("this Keras has no TensorFlowOpLayer", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CNNFREEZE_BUILD", ROOT / "build")).resolve()
os.environ["CNNFREEZE_LIBRARY"] = str(BUILD / "lib/libcnnfreeze.so.0")
sys.path[:0] = [str(ROOT / "bindings/python"), str(Path(__file__).parent)]
import cnnfreeze  # noqa: E402
from check_ops import attributes  # noqa: E402
from ops_cases import Case  # noqa: E402

I32, F32 = np.int32, np.float32
IMAGE, VECTOR = (4, 6, 8), (5,)
# op, shapes of the tensors (without the batch), constants by input index, attributes
CASES = [
    ("Abs", [VECTOR], {}, {}),
    ("AddN", [VECTOR, VECTOR], {}, {}),
    ("AddV2", [VECTOR], {1: F32(2.5)}, {}),
    ("ArgMax", [VECTOR], {1: I32(1)}, {}),
    ("BiasAdd", [IMAGE], {1: np.arange(8, dtype=F32)}, {}),
    ("Cast", [VECTOR], {}, {"DstT": tf.int32}),
    ("ConcatV2", [VECTOR, VECTOR], {2: I32(-1)}, {}),
    ("Conv2D", [IMAGE], {1: np.ones([3, 3, 8, 2], F32)}, {"strides": [1, 2, 2, 1], "padding": "SAME"}),
    ("Cumsum", [VECTOR], {1: I32(1)}, {}),
    ("DepthToSpace", [IMAGE], {}, {"block_size": 2}),
    ("Einsum", [IMAGE], {1: np.ones([8, 3], F32)}, {"equation": "bhwc,cd->bhwd"}),
    ("ExpandDims", [VECTOR], {1: I32(1)}, {}),
    ("GatherV2", [VECTOR], {1: np.array([3, 0], I32), 2: I32(1)}, {}),
    ("Greater", [VECTOR], {1: F32(0)}, {}),
    ("LeakyRelu", [VECTOR], {}, {"alpha": 0.3}),
    ("MatMul", [VECTOR], {1: np.ones([5, 2], F32)}, {}),
    ("Max", [IMAGE], {1: np.array([1, 2], I32)}, {"keep_dims": True}),
    ("MaxPool", [IMAGE], {}, {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "VALID"}),
    ("Mean", [IMAGE], {1: np.array([1, 2], I32)}, {}),
    ("MirrorPad", [IMAGE], {1: np.array([[0, 0], [1, 1], [2, 2], [0, 0]], I32)}, {"mode": "REFLECT"}),
    ("OneHot", [], {1: I32(4), 2: F32(1), 3: F32(0)}, {}),
    ("Pack", [VECTOR, VECTOR], {}, {"axis": 1}),
    ("PadV2", [VECTOR], {1: np.array([[0, 0], [1, 2]], I32), 2: F32(7)}, {}),
    ("RealDiv", [VECTOR], {0: F32(2)}, {}),
    ("Reshape", [IMAGE], {1: np.array([-1, 24, 8], I32)}, {}),
    ("ResizeBilinear", [IMAGE], {1: np.array([9, 7], I32)}, {"half_pixel_centers": True}),
    ("ReverseV2", [VECTOR], {1: np.array([1], I32)}, {}),
    ("Roll", [VECTOR], {1: I32(2), 2: I32(1)}, {}),
    ("Shape", [IMAGE], {}, {}),
    ("Slice", [IMAGE], {1: np.array([0, 1, 0, 2], I32), 2: np.array([-1, 2, -1, 3], I32)}, {}),
    ("Softmax", [VECTOR], {}, {}),
    ("Split", [IMAGE], {0: I32(3)}, {"num_split": 2}),
    ("SplitV", [IMAGE], {1: np.array([3, 5], I32), 2: I32(-1)}, {"num_split": 2}),
    ("SquaredDifference", [VECTOR, VECTOR], {}, {}),
    ("StridedSlice", [IMAGE], {1: np.array([0, 1, 0, 0], I32), 2: np.array([0, 3, 0, 8], I32), 3: np.array([1, 1, 2, 3], I32)},
     {"begin_mask": 5, "end_mask": 5}),
    ("Tile", [VECTOR], {1: np.array([1, 3], I32)}, {}),
    ("TopKV2", [VECTOR], {1: I32(2)}, {}),
    ("Transpose", [IMAGE], {1: np.array([0, 3, 1, 2], I32)}, {}),
    ("Unpack", [IMAGE], {}, {"axis": 1, "num": 4}),
]


def node_def(op, tensors, constants, attrs):
    """The op's NodeDef with all its attributes, as Keras' conversion left it in a configuration."""
    from tensorflow.python.framework import op_def_library, op_def_registry
    definition = op_def_registry.get(op)
    with tf.Graph().as_default() as graph:
        given = iter(tensors)
        places = [tf.constant(constants[i]) if i in constants else tf.compat.v1.placeholder(*next(given))
                  for i in range(len(tensors) + len(constants))]
        inputs, at = {}, 0
        for arg in definition.input_arg:
            count = len(places) - len(definition.input_arg) + 1 if arg.number_attr or arg.type_list_attr else 1
            inputs[arg.name] = places[at] if count == 1 and not arg.number_attr else places[at:at + count]
            at += count
        op_def_library.apply_op(op, name="the_op", **inputs, **attributes(Case(op, **attrs), definition))
        return graph.get_operation_by_name("the_op").node_def


@pytest.mark.parametrize("op, shapes, constants, attrs", CASES, ids=[c[0] for c in CASES])
def test_op(tmp_path, op, shapes, constants, attrs):
    tf.keras.backend.clear_session()
    integers = op == "OneHot"
    tensors = [(tf.int32, (None,))] if integers else [(tf.float32, (None, *shape)) for shape in shapes]
    inputs = [tf.keras.Input(shape[1:], dtype=dtype, name="in%d" % i) for i, (dtype, shape) in enumerate(tensors)]
    layer = TensorFlowOpLayer(node_def(op, tensors, constants, attrs).SerializeToString(), name="layer", constants=constants)
    model = tf.keras.Model(inputs, layer(inputs if len(inputs) > 1 else inputs[0]))
    path = str(tmp_path / "model.h5")
    model.save(path, include_optimizer=False)
    rng = np.random.default_rng(1)
    feeds = [rng.integers(0, 4, (3,)).astype(I32) if integers else rng.standard_normal((3, *shape[1:])).astype(F32)
             for _, shape in tensors]
    wanted = model.predict_on_batch(feeds if len(feeds) > 1 else feeds[0])
    wanted = [np.asarray(y) for y in (wanted if isinstance(wanted, (list, tuple)) else [wanted])]
    graph = cnnfreeze.load(path)
    got = graph.predict(dict(zip(graph.inputs, feeds)), graph.outputs)
    got = list(got) if isinstance(got, (list, tuple)) else [got]
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
