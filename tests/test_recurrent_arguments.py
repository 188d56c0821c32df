# ruff: noqa: E501  the tables have one line per case
"""Wrong arguments are refused with the argument's name, what came, and what was expected."""

import numpy as np
import odd_cells
import pytest

from rnnbench import Recurrent

T, B, I, H = 3, 2, 4, 5
X = np.zeros((T, B, I), np.float32)
DY = np.zeros((T, B, H), np.float32)
ROW = np.zeros((B, H), np.float32)
PAST = np.zeros((2, B, H), np.float32)
MASK = np.ones(T, bool)


def make(cell="lstm", **options):
    return Recurrent(cell, I, H, device="reference", **options)


CONSTRUCTOR = {
    "input_size -1": (("lstm", -1, 5), {}, "input_size: got -1, expected an integer >= 0"),
    "input_size 2.0": (("lstm", 2.0, 5), {}, "input_size: got 2.0, expected an integer"),
    "input_size True": (("lstm", True, 5), {}, "input_size: got True"),
    "input_size text": (("lstm", "4", 5), {}, "input_size: got '4'"),
    "hidden_size 0": (("lstm", 4, 0), {}, "hidden_size: got 0, expected an integer >= 1"),
    "hidden_size None": (("lstm", 4, None), {}, "hidden_size: got None"),
    "dtype float16": (("lstm", 4, 5), {"dtype": "float16"}, "dtype: got 'float16', expected one of 'float32', 'float64'"),
    "dtype int": (("lstm", 4, 5), {"dtype": int}, "dtype: got 'int64', expected one of"),
    "dtype nonsense": (("lstm", 4, 5), {"dtype": "flaot32"}, "dtype: got 'flaot32', expected one of"),
    "dtype None": (("lstm", 4, 5), {"dtype": None}, "dtype: got None, expected one of"),
    "dtype complex": (("lstm", 4, 5), {"dtype": complex}, "dtype: got 'complex128'"),
    "device gpu": (("lstm", 4, 5), {"device": "gpu"}, "device: got 'gpu', expected one of 'cpu'"),
    "device None": (("lstm", 4, 5), {"device": None}, "device: got None"),
    "bias 1": (("lstm", 4, 5), {"bias": 1}, "bias: got 1, expected one of True, False, 'torch'"),
    "bias None": (("lstm", 4, 5), {"bias": None}, "bias: got None"),
    "bias array": (("lstm", 4, 5), {"bias": np.ones(2)}, "bias: got array"),
    "torch's biases for a product with neither": (("jordan", 4, 5), {"bias": "torch"}, "bias: got 'torch', but cell 'jordan'"),
    "seed -1": (("lstm", 4, 5), {"seed": -1}, "seed: got -1, expected an integer >= 0"),
    "seed text": (("lstm", 4, 5), {"seed": "now"}, "seed: got 'now'"),
    "seed None": (("lstm", 4, 5), {"seed": None}, "seed: got None"),
    "seed 1.5": (("lstm", 4, 5), {"seed": 1.5}, "seed: got 1.5"),
    "an unknown cell": (("lsmt", 4, 5), {}, r"cell: got 'lsmt' \(did you mean 'lstm'\?\)"),
    "an unknown option": (("lstm", 4, 5), {"peephole": 1}, "option 'peephole' of cell 'lstm' is unknown"),
    "options of a built cell": ((odd_cells.clock(), 4, 5), {"speed": 1}, r"options \['speed'\]: a built Cell takes none"),
}  # fmt: skip


@pytest.mark.parametrize("given, options, message", CONSTRUCTOR.values(), ids=list(CONSTRUCTOR))
def test_constructor(given, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Recurrent(*given, **options)


@pytest.mark.parametrize(
    "bias, key, there", [(False, "bias", ""), (True, "bias_ih", "'bias'"), ("torch", "bias", "'bias_ih', 'bias_hh'")]
)
def test_a_bias_that_the_layer_has_not(bias, key, there):
    with pytest.raises(ValueError, match=rf"key: got '{key}', but the biases of Recurrent\('lstm'.* are \[{there}\]"):
        make(bias=bias).gate_bias("f", key)


@pytest.mark.parametrize("dtype", [np.float32, "float32", np.dtype("float32"), "f4"])
def test_a_dtype_by_any_of_its_names(dtype):
    assert make(dtype=dtype).dtype == np.float32


def test_numpy_integers_are_integers():
    layer = Recurrent("lstm", np.int64(4), np.int32(5), device="reference", seed=np.uint8(3))
    assert (layer.input_size, layer.hidden_size) == (4, 5)


FORWARD = {
    "x as a list": (dict(x=[[[0.0]]]), TypeError, "x: got list, expected a NumPy array of float32"),
    "x None": (dict(x=None), TypeError, "x: got NoneType"),
    "x float64": (dict(x=X.astype(float)), TypeError, "x: got dtype float64, expected float32"),
    "x int": (dict(x=X.astype(int)), TypeError, "x: got dtype int64, expected float32"),
    "x of the other byte order": (dict(x=X.astype(">f4")), TypeError, "x: got dtype >f4, expected float32"),
    "x 2-d": (dict(x=X[0]), ValueError, r"x: got shape \(2, 4\), expected \(any, any, 4\)"),
    "x 4-d": (dict(x=X[None]), ValueError, r"x: got shape \(1, 3, 2, 4\), expected"),
    "x of another width": (dict(x=X[..., :3]), ValueError, r"x: got shape \(3, 2, 3\), expected \(any, any, 4\)"),
    "state a tuple": (dict(state=(ROW, ROW)), TypeError, "state: got tuple, expected a dict with some of"),
    "state an array": (dict(state=ROW), TypeError, "state: got ndarray, expected a dict"),
    "state unknown": (dict(state={"s": ROW}), ValueError, r"state: got \['s'\], expected some of \['h', 'c'\]"),
    "state of too many rows": (dict(state={"h": DY[0][[0, 1, 1]]}), ValueError, r"state\['h'\]: got shape \(3, 5\), expected \(2, 5\)"),
    "state of another width": (dict(state={"c": ROW[:, 1:]}), ValueError, r"state\['c'\]: got shape \(2, 4\), expected \(2, 5\)"),
    "state float64": (dict(state={"c": ROW.astype(float)}), TypeError, r"state\['c'\]: got dtype float64, expected float32"),
    "state None inside": (dict(state={"c": None}), TypeError, r"state\['c'\]: got NoneType"),
    "lengths a number": (dict(lengths=3), ValueError, r"lengths: got int64 of shape \(\), expected integers of shape \(2,\)"),
    "lengths too many": (dict(lengths=[1, 2, 3]), ValueError, r"lengths: .*shape \(3,\), expected integers of shape \(2,\)"),
    "lengths float": (dict(lengths=[1.0, 2.0]), ValueError, "lengths: got float64 of shape"),
    "lengths bool": (dict(lengths=[True, False]), ValueError, "lengths: got bool of shape"),
    "lengths text": (dict(lengths=["1", "2"]), ValueError, "lengths: got"),
    "lengths ragged": (dict(lengths=[[1], [1, 2]]), ValueError, "lengths: got"),
    "lengths negative": (dict(lengths=[3, -1]), ValueError, "lengths: got values from -1 to 3, expected 0 to T = 3"),
    "lengths beyond T": (dict(lengths=np.array([4, 1])), ValueError, "lengths: got values from 1 to 4, expected 0 to T = 3"),
    "lengths beyond T, unsigned": (dict(lengths=np.array([2**63 + 1, 1], np.uint64)), ValueError, "lengths: got values from"),
    "reverse 1": (dict(reverse=1), ValueError, "reverse: got 1, expected one of True, False"),
    "outputs first": (dict(outputs="first"), ValueError, "outputs: got 'first', expected one of 'all', 'last'"),
    "tape text": (dict(tape="yes"), ValueError, "tape: got 'yes', expected None, True or False"),
    "tape 0": (dict(tape=0), ValueError, "tape: got 0, expected None, True or False"),
    "tape an array": (dict(tape=np.zeros(2)), ValueError, "tape: got .*expected None, True or False"),
    "feed an array": (dict(feed=DY), TypeError, "feed: got ndarray, expected a dict"),
    "feed unknown": (dict(feed={"y": (DY, MASK)}), ValueError, r"feed: got state 'y', expected one of \['h', 'c'\]"),
    "feed values only": (dict(feed={"h": DY}), TypeError, r"feed\['h'\]: got ndarray, expected a pair \(values, mask\)"),
    "feed of three": (dict(feed={"h": (DY, MASK, MASK)}), TypeError, r"feed\['h'\]: .*expected a pair"),
    "feed values of another width": (dict(feed={"h": (X, MASK)}), ValueError, r"feed\['h'\] values: got shape \(3, 2, 4\), expected \(3, 2, 5\)"),
    "feed values float64": (dict(feed={"h": (DY.astype(float), MASK)}), TypeError, r"feed\['h'\] values: got dtype float64"),
    "feed mask of ints": (dict(feed={"h": (DY, MASK.astype(int))}), ValueError, r"feed\['h'\] mask: got int64 of shape \(3,\), expected booleans"),
    "feed mask too long": (dict(feed={"h": (DY, np.ones(4, bool))}), ValueError, r"feed\['h'\] mask: .*shape \(4,\), expected .*\(3,\) or \(3, 2\)"),
    "feed mask per row only": (dict(feed={"h": (DY, np.ones(2, bool))}), ValueError, r"feed\['h'\] mask: .*shape \(2,\)"),
    "feed mask None": (dict(feed={"h": (DY, None)}), ValueError, r"feed\['h'\] mask: got"),
}  # fmt: skip


@pytest.mark.parametrize("given, error, message", FORWARD.values(), ids=list(FORWARD))
def test_forward(given, error, message):
    layer = make()
    with pytest.raises(error, match=message):
        layer.forward(**{"x": X} | given)
    layer.forward(X)
    layer.backward(DY)


BACKWARD = {
    "dy as a list": (dict(dy=[1.0]), TypeError, "dy: got list, expected a NumPy array of float32"),
    "dy float64": (dict(dy=DY.astype(float)), TypeError, "dy: got dtype float64, expected float32"),
    "dy of fewer steps": (dict(dy=DY[1:]), ValueError, r"dy: got shape \(2, 2, 5\), expected \(3, 2, 5\)"),
    "dy like x": (dict(dy=X), ValueError, r"dy: got shape \(3, 2, 4\), expected \(3, 2, 5\)"),
    "dy of the last step": (dict(dy=ROW), ValueError, r"dy: got shape \(2, 5\), expected \(3, 2, 5\)"),
    "dstate a list": (dict(dy=DY, dstate=[ROW]), TypeError, "dstate: got list, expected a dict"),
    "dstate unknown": (dict(dy=DY, dstate={"y": ROW}), ValueError, r"dstate: got \['y'\], expected some of"),
    "dstate of another shape": (dict(dy=DY, dstate={"h": DY}), ValueError, r"dstate\['h'\]: got shape \(3, 2, 5\), expected \(2, 5\)"),
    "dstate float64": (dict(dy=DY, dstate={"h": ROW.astype(float)}), TypeError, r"dstate\['h'\]: got dtype float64"),
    "truncate 0": (dict(dy=DY, truncate=0), ValueError, "truncate: got 0, expected an integer >= 1"),
    "truncate 1.5": (dict(dy=DY, truncate=1.5), ValueError, "truncate: got 1.5"),
    "truncate True": (dict(dy=DY, truncate=True), ValueError, "truncate: got True"),
    "tape text": (dict(dy=DY, tape="last"), TypeError, "tape: got str, expected"),
    "tape True": (dict(dy=DY, tape=True), TypeError, "tape: got bool, expected"),
}  # fmt: skip


@pytest.mark.parametrize("given, error, message", BACKWARD.values(), ids=list(BACKWARD))
def test_backward(given, error, message):
    layer = make()
    layer.forward(X)
    with pytest.raises(error, match=message):
        layer.backward(**given)
    assert not any(g.any() for g in layer.grads.values())


@pytest.mark.parametrize("device", ["reference", "cpu"])
def test_masked_arrays_are_refused(device):
    """A kernel would read the numbers that the mask takes out."""
    layer = Recurrent("lstm", I, H, device=device)
    refused = {
        "x": ((np.ma.array(X),), {}),
        r"state\['c'\]": ((X, {"c": np.ma.array(ROW)}), {}),
        "lengths": ((X,), {"lengths": np.ma.array([T, 1], mask=[0, 1])}),
        r"feed\['h'\] values": ((X,), {"feed": {"h": (np.ma.array(DY), MASK)}}),
        r"feed\['h'\] mask": ((X,), {"feed": {"h": (DY, np.ma.array(MASK))}}),
    }
    for name, (given, options) in refused.items():
        with pytest.raises(TypeError, match=f"^{name}: got a masked array, expected an array without a mask"):
            layer.forward(*given, **options)
    symbols = np.ma.masked_equal(np.zeros((T, B), np.int64), 0)
    with pytest.raises(TypeError, match="x: got a masked array"):
        layer.forward(symbols)
    layer.forward(X)
    with pytest.raises(TypeError, match="dy: got a masked array"):
        layer.backward(np.ma.array(DY))
    layer.grads["bias"] = np.ma.array(layer.grads["bias"])
    with pytest.raises(TypeError, match=r"grads\['bias'\]: got a masked array"):
        layer.backward(DY)
    layer.params["bias"] = np.ma.array(layer.params["bias"])
    with pytest.raises(TypeError, match=r"params\['bias'\]: got a masked array"):
        layer.forward(X)


def test_backward_of_the_last_step_only():
    layer = make()
    layer.forward(X, outputs="last")
    with pytest.raises(ValueError, match=r"dy: got shape \(3, 2, 5\), expected \(2, 5\)"):
        layer.backward(DY)
    layer.backward(ROW)


def test_a_lagged_state_has_a_shape_of_its_own():
    layer = make("skip")
    with pytest.raises(ValueError, match=r"state\['h'\]: got shape \(2, 5\), expected \(2, 2, 5\)"):
        Recurrent("skip", I, H, device="reference").forward(X, {"h": ROW})
    with pytest.raises(ValueError, match=r"state\['h'\]: got shape \(3, 2, 5\), expected \(2, 2, 5\)"):
        layer.forward(X, {"h": DY})
    layer.forward(X, {"h": PAST})


def test_a_lag_and_a_batch_are_not_mixed_up():
    with pytest.raises(ValueError, match=r"state\['h'\]: got shape \(4, 5\), expected \(2, 2, 5\)"):
        make("skip").forward(X, {"h": PAST.reshape(4, 5)})


@pytest.mark.parametrize(
    "change, error, message",
    [
        (lambda p: p.pop("bias"), KeyError, "params: 'bias' is missing"),
        (lambda p: p.update(bias=p["bias"].astype(float)), TypeError, r"params\['bias'\]: got dtype float64"),
        (
            lambda p: p.update(bias=p["bias"][1:]),
            ValueError,
            r"params\['bias'\]: got shape \(19,\), expected \(20,\)",
        ),
        (
            lambda p: p.update(weight_hh=p["weight_hh"].T),
            ValueError,
            r"params\['weight_hh'\]: got shape \(5, 20\)",
        ),
        (lambda p: p.update(weight_hh=[1]), TypeError, r"params\['weight_hh'\]: got list"),
        (lambda p: p.update(weight_hx=p["weight_hh"]), KeyError, "params: 'weight_hx' is unknown"),
    ],
)
def test_replaced_parameters(change, error, message):
    layer = make()
    change(layer.params)
    with pytest.raises(error, match=message):
        layer.forward(X)
    with pytest.raises(error, match=message), layer.frozen():
        pass


def test_a_weight_map_of_another_dtype_is_refused():
    from dataclasses import replace

    from rnnbench.contract import WeightMap

    cell = odd_cells.antisymmetric()
    wide = WeightMap(lambda raw: {"weight_hh": raw["weight_hh"].astype(np.float64)}, cell.weights.backward)
    with pytest.raises((TypeError, ValueError), match=r"weight_hh.*float64"):
        make(replace(cell, weights=wide)).forward(X)
    tall = WeightMap(lambda raw: {"weight_hh": raw["weight_hh"][1:]}, cell.weights.backward)
    with pytest.raises(ValueError, match=r"weight_hh.*\(4, 5\)"):
        make(replace(cell, weights=tall)).forward(X)


@pytest.mark.parametrize("given, error, message", FORWARD.values(), ids=list(FORWARD))
def test_the_cpu_engine_refuses_the_same(given, error, message):
    with pytest.raises(error, match=message):
        Recurrent("lstm", I, H).forward(**{"x": X} | given)
