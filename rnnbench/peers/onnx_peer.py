"""ONNX Runtime: a graph of one RNN, GRU or LSTM operator, made from the weights. It runs inference only."""

from __future__ import annotations

import numpy as np

from rnnbench.peers.tasks import Job, NotSupported, Task, check_common

OPERATORS = {"elman": "RNN", "gru_reset_after": "GRU", "lstm": "LSTM"}
# Where ONNX's gates stand among PyTorch's: z, r, h of r, z, n; i, o, f, c of i, f, g, o.
ORDERS = {"elman": (0,), "gru_reset_after": (1, 0, 2), "lstm": (0, 3, 1, 2)}
ACTIVATIONS = {None: "Tanh", "tanh": "Tanh", "relu": "Relu"}
OPSET, IR_VERSION = 17, 10


def load() -> None:
    """Import ONNX Runtime."""
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401


def model(task: Task, arrays: dict):
    """The ONNX model of a task."""
    from onnx import TensorProto, helper, numpy_helper

    order, units = ORDERS[task.cell], task.shape.H

    def stacked(*names):
        blocks = [arrays[name].reshape(len(order), units, -1)[list(order)] for name in names]
        return np.concatenate([block.reshape(len(order) * units, -1) for block in blocks]).astype(np.float32)

    weights = {
        "W": stacked("weight_ih")[None],
        "R": stacked("weight_hh")[None],
        "B": stacked("bias_ih", "bias_hh").reshape(1, -1),
    }
    options = {"elman": {"activations": [ACTIVATIONS[task.activation]]}, "gru_reset_after": {"linear_before_reset": 1}}
    outputs = ["Y", "Y_h", *(["Y_c"] if task.cell == "lstm" else [])]
    node = helper.make_node(
        OPERATORS[task.cell], ["X", *weights], outputs, hidden_size=units, **options.get(task.cell, {})
    )
    graph = helper.make_graph(
        [node],
        "rnn",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, list(arrays["x"].shape))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def prepare(task: Task, arrays: dict) -> Job:
    """A session on the model; input and outputs stay bound, so that a call only computes."""
    check_common(task, "ONNX Runtime")
    if task.training:
        raise NotSupported("ONNX Runtime runs inference only")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task.threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model(task, arrays).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    binding.bind_ortvalue_input("X", onnxruntime.OrtValue.ortvalue_from_numpy(arrays["x"]))
    names = [output.name for output in session.get_outputs()]
    for name in names:
        binding.bind_output(name)

    def call():
        session.run_with_iobinding(binding)
        return binding

    def arrays_of(bound):
        made = dict(zip(("y", "h", "c"), bound.copy_outputs_to_cpu(), strict=False))
        made["y"] = made["y"][:, 0]  # (T, directions, B, H)
        return {name: value if name == "y" else value[0] for name, value in made.items()}

    return Job(call, arrays_of)
