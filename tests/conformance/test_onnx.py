# SPDX-License-Identifier: Apache-2.0
"""ONNX models as ONNX Runtime runs them: op by op against TensorFlow, and whole networks against Keras."""
import numpy as np
import pytest

import export_cases
from export_cases import GOLDEN, NETWORKS, cnnfreeze, golden, saved_network, tf

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

ort.set_default_logger_severity(4)


def new_runtime(model, level=ort.GraphOptimizationLevel.ORT_ENABLE_ALL):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = level
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(model, feeds):
    """Checked, and run by ONNX Runtime; None where that has no kernel for the dtype."""
    onnx.checker.check_model(model, full_check=True)
    names = {i.name for i in onnx.load_from_string(model).graph.input}
    feeds = {n: a for n, a in feeds.items() if n in names}
    try:
        return new_runtime(model).run(None, feeds)
    except Exception as e:  # its classes have no common base
        if "NOT_IMPLEMENTED" in str(e) or "NotImplemented" in type(e).__name__ or "data type is not supported" in str(e):
            return None
        if "ScalesValidation" not in str(e):
            raise
    # Before 1.21 its optimiser moves a Transpose over a cubic Resize, which that then refuses.
    return new_runtime(model, ort.GraphOptimizationLevel.ORT_DISABLE_ALL).run(None, feeds)


FORMAT = export_cases.Format(lambda graph, outputs: graph.onnx(outputs, opset=18), run)


def is_bfloat16(case):
    """NumPy and ONNX have none in common."""
    return any(a.dtype == tf.bfloat16.as_numpy_dtype for a in export_cases.arrays(case)) or tf.bfloat16 in case.attrs.values()


@pytest.mark.parametrize("op", export_cases.ops_with(cnnfreeze.onnx_opset_of))
def test_op(op):
    FORMAT.check_op(op, skip=is_bfloat16)


# ---- networks ----


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda p: p.name)
@pytest.mark.parametrize("opset", [13, 17, 21])
def test_golden_model(folder, opset):
    graph, feeds, wanted = golden(folder)
    ops = {op for _, op in graph.nodes()} - {"NoOp", "Assert"}
    if any(not 0 < cnnfreeze.onnx_opset_of(op) <= opset for op in ops):
        with pytest.raises(cnnfreeze.UnsupportedError):
            graph.onnx(opset=opset)
        return
    assert FORMAT.largest_difference(graph.onnx(opset=opset), feeds, wanted) < 1e-4


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name, tmp_path):
    """Equal numbers, and no Transpose but where an image comes in."""
    _, graph, x, y = saved_network(name, tmp_path)
    model = graph.transform("fold_batch_norms fold_constants").onnx()
    assert FORMAT.largest_difference(model, {graph.inputs[0]: x}, [y]) < 1e-4
    ops = [n.op_type for n in onnx.load_from_string(model).graph.node]
    assert ops.count("Transpose") <= 1
    assert not {"Identity", "Shape", "BatchNormalization"} & set(ops)


def test_inputs_as_nchw(tmp_path):
    _, graph, x, y = saved_network("MobileNetV2", tmp_path)
    model = graph.onnx(inputs_as_nchw=True)
    assert FORMAT.largest_difference(model, {graph.inputs[0]: np.moveaxis(x, -1, 1)}, [y]) < 1e-4
    assert "Transpose" not in [n.op_type for n in onnx.load_from_string(model).graph.node]


def test_external_data(tmp_path):
    _, graph, x, y = saved_network("MobileNetV2", tmp_path, batch=1)
    graph.write_onnx(tmp_path / "out.onnx", external_data=True)
    assert (tmp_path / "out.onnx.data").stat().st_size > 10 * (tmp_path / "out.onnx").stat().st_size
    onnx.checker.check_model(str(tmp_path / "out.onnx"), full_check=True)
    got, = new_runtime(str(tmp_path / "out.onnx")).run(None, {graph.inputs[0]: x})
    assert np.abs(got - y).max() < 1e-4
