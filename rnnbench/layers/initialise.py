"""Initial parameters, by name.

===================  =====================================================================================
``uniform``          every number from U(-1/sqrt(H), 1/sqrt(H)), as PyTorch does
``gaussian``         matrices N(0, (gain/sqrt(columns))^2), biases 0
``orthogonal``       square blocks orthogonal times gain, others with orthonormal rows or columns
``identity``         square recurrent blocks gain times the identity, others gaussian with gain 1
``symmetric``        square recurrent blocks Q diag Q^T with a given spectral radius (gain), others gaussian
``spectral_radius``  square recurrent gaussian blocks scaled so that the largest \\|eigenvalue\\| is gain
``singular_value``   square recurrent gaussian blocks scaled so that the largest singular value is gain
``sparse``           square recurrent blocks with 15 gaussian numbers in each row, scaled like ``spectral_radius``
===================  =====================================================================================

A recipe is a name, or a dict ``{"name": ..., "gain": ..., "forget_bias": ..., "chrono": ..., "input": ...,
"input_std": ...}``: `gain` scales the recurrent blocks (every block that does not come from x; of ``uniform`` every
number), `forget_bias` is added to the bias of gate f, `chrono` T makes that bias ln U(1, T - 1) and the bias of gate i
its negative, so that the gates' time constants are spread up to T steps, `input` is the standard deviation times
sqrt(I) of the blocks from x (1 unless given), `input_std` that standard deviation itself, whatever I is; ``uniform``,
which a dict without a name stands for, takes neither.

Of their authors: the "smart tanh" of Pascanu, Mikolov and Bengio (On the difficulty of training recurrent neural
networks, ICML 2013) is ``{"name": "sparse", "gain": 0.95, "input_std": 0.01}``; chrono initialisation is that of
C. Tallec and Y. Ollivier, Can recurrent neural networks warp time?, ICLR 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import numpy as np

from rnnbench.contract import INPUT
from rnnbench.layout import Layout


def gaussian(rng, shape, gain):
    """Normal with standard deviation gain/sqrt(columns): spectral radius near gain when square and large."""
    return rng.normal(0.0, gain / np.sqrt(max(shape[1], 1)), shape)


def orthogonal(rng, shape, gain):
    """Orthonormal rows or columns (whichever are fewer), uniformly distributed, times gain."""
    long, short = max(shape), min(shape)
    q, r = np.linalg.qr(rng.normal(size=(long, short)))
    q = q * np.sign(np.where(np.diag(r) == 0, 1.0, np.diag(r)))
    return gain * (q if shape[0] >= shape[1] else q.T)


def identity(rng, shape, gain):
    """Gain times the identity matrix (ones on the diagonal of a rectangle)."""
    return gain * np.eye(*shape)


def symmetric(rng, shape, gain):
    """Q diag(eigenvalues) Q^T, eigenvalues from U(-gain, gain) with the largest magnitude exactly gain."""
    _square("symmetric", shape)
    q = orthogonal(rng, shape, 1.0)
    values = rng.uniform(-1.0, 1.0, shape[0])
    return (q * (gain * values / np.abs(values).max())) @ q.T


def spectral_radius(rng, shape, gain):
    """Gaussian, scaled so that the eigenvalue of largest magnitude has magnitude gain."""
    _square("spectral_radius", shape)
    w = gaussian(rng, shape, 1.0)
    return w * (gain / np.abs(np.linalg.eigvals(w)).max())


def singular_value(rng, shape, gain):
    """Gaussian, scaled so that the largest singular value is gain."""
    w = gaussian(rng, shape, 1.0)
    return w * (gain / np.linalg.norm(w, 2))


def sparse(rng, shape, gain):
    """As `spectral_radius`, of a matrix with 15 numbers that are not 0 in each row (all, if there are no more)."""
    _square("sparse", shape)
    kept = rng.permuted(np.tile(np.arange(shape[1]) < SPARSE, (shape[0], 1)), axis=1)
    w = np.where(kept, gaussian(rng, shape, 1.0), 0.0)
    return w * (gain / np.abs(np.linalg.eigvals(w)).max())


SPARSE = 15  # numbers of a row
SHAPED = (gaussian, orthogonal, identity, symmetric, spectral_radius, singular_value, sparse)
RECURRENT = {f.__name__: f for f in SHAPED}
NEEDS_SQUARE = {identity, symmetric, spectral_radius, sparse}


def initialise(layout: Layout, bias, init, rng) -> dict[str, np.ndarray]:
    """Make the parameters of one layer.

    Parameters
    ----------
    layout : Layout
    bias : True, False or "torch"
    init : str, dict or None
        A recipe, see the module's docstring; None: the cell's own.
    rng : numpy.random.Generator

    Returns
    -------
    dict of float64 arrays

    Raises
    ------
    ValueError
        For an unknown recipe or key, or a forget bias where no gate is called f.
    """
    recipe = _recipe(layout.cell.init if init is None else init)
    params = {key: np.zeros(shape) for key, shape in layout.weight_shapes.items()}
    for key in {True: ("bias",), False: (), "torch": ("bias_ih", "bias_hh")}[bias]:
        params[key] = np.zeros(_bias_size(layout, key))
    if recipe["name"] == "uniform":
        bound = recipe["gain"] / np.sqrt(layout.hidden_size)
        params = {key: rng.uniform(-bound, bound, value.shape) for key, value in params.items()}
    else:
        _fill_blocks(layout, params, recipe, rng)
    if recipe["forget_bias"]:
        value = recipe["forget_bias"]
        _gate_bias(layout, params, "f", bias, f"forget_bias {value}")[...] += value
    if recipe["chrono"] is not None:
        forget, enter = (_gate_bias(layout, params, gate, bias, f"chrono {recipe['chrono']}") for gate in "fi")
        forget[...] = np.log(rng.uniform(1.0, recipe["chrono"] - 1.0, forget.shape))
        enter[...] = -forget
        for gate in "fi" if bias == "torch" else "":
            params["bias_hh"][slice(*layout.torch_bias_rows("h")[gate])] = 0  # what counts is the sum of the two
    for parameter in layout.cell.parameters:
        params[parameter.name] = unit_values(parameter, layout.parameter_widths[parameter.name])
    for name in layout.learned:
        params[f"initial_{name}"] = np.zeros(layout.widths[name])
    return params


def recipes(init, replicas):
    """Return a recipe for each replica: those of the list `init`, or `init` for all."""
    if replicas is None or not isinstance(init, list | tuple):
        return [init] * (replicas or 1)
    if len(init) != replicas:
        raise ValueError(f"init: got {len(init)} recipes, expected one for each of {replicas} replicas")
    return list(init)


def unit_values(parameter, width):
    """Return the initial values of a unit parameter, (width,)."""
    value = parameter.initial(width) if callable(parameter.initial) else float(parameter.initial)
    if np.iscomplexobj(value):
        raise ValueError(f"parameter {parameter.name!r}: initial gave complex numbers, expected real ones")
    values = np.array(np.broadcast_to(value, width) if np.ndim(value) == 0 else value, float)
    if np.isnan(values).any():
        raise ValueError(f"parameter {parameter.name!r}: initial gave {value!r}, expected numbers")
    if values.shape != (width,):
        raise ValueError(f"parameter {parameter.name!r}: initial has shape {values.shape}, expected ({width},)")
    return values


def _recipe(init):
    if not isinstance(init, str | Mapping):
        raise ValueError(f"init: got {init!r}, expected a name or a dict")
    recipe = {"name": init} if isinstance(init, str) else init
    optional = "input_std", "chrono"
    defaults = {"name": "uniform", "gain": 1.0, "forget_bias": 0.0, "input": 1.0} | dict.fromkeys(optional)
    if unknown := set(recipe) - set(defaults):
        raise ValueError(f"init: got keys {sorted(unknown)}, expected some of {list(defaults)}")
    recipe = defaults | dict(recipe)
    allowed = ["uniform", *RECURRENT]
    if recipe["name"] not in allowed:
        raise ValueError(f"init: got {recipe['name']!r}, expected one of {', '.join(allowed)}")
    for key in ("gain", "forget_bias", "input", *(key for key in optional if recipe[key] is not None)):
        if isinstance(recipe[key], bool) or not (isinstance(recipe[key], Real) and np.isfinite(recipe[key])):
            raise ValueError(f"init: {key} {recipe[key]!r} is not a number")
    for key in ("input", "input_std"):
        if recipe["name"] == "uniform" and recipe[key] != defaults[key]:
            raise ValueError(f"init: got {key} {recipe[key]!r} with 'uniform', expected it with another name")
    if recipe["input_std"] is not None and not recipe["input_std"] >= 0:
        raise ValueError(f"init: input_std {recipe['input_std']!r}, expected at least 0")
    if recipe["chrono"] is not None and not recipe["chrono"] > 2:
        raise ValueError(f"init: chrono {recipe['chrono']!r}, expected more than 2 steps")
    if recipe["chrono"] is not None and recipe["forget_bias"]:
        raise ValueError(f"init: got forget_bias {recipe['forget_bias']!r} beside chrono, expected one of them")
    return recipe


def _fill_blocks(layout, params, recipe, rng):
    make = RECURRENT[recipe["name"]]
    for (_, source), block in layout.blocks.items():
        shape = (block.stop - block.start, params[block.key].shape[1])
        if source == INPUT:
            std = recipe["input_std"]
            value = gaussian(rng, shape, recipe["input"]) if std is None else rng.normal(0.0, std, shape)
        elif make in NEEDS_SQUARE and shape[0] != shape[1]:
            value = gaussian(rng, shape, 1.0)
        else:
            value = make(rng, shape, recipe["gain"])
        params[block.key][block.start : block.stop] = value


def _gate_bias(layout, params, gate, bias, asked):
    """The view of a gate's bias."""
    key = {True: "bias", "torch": "bias_ih"}.get(bias)
    rows = layout.torch_bias_rows(INPUT) if bias == "torch" else layout.bias_rows
    if key is None or gate not in rows:
        raise ValueError(f"init: {asked} given, but the layer has no bias of a gate called {gate!r}")
    return params[key][slice(*rows[gate])]


def _bias_size(layout, key):
    if key == "bias":
        return layout.bias_size
    rows = layout.torch_bias_rows({"bias_ih": INPUT, "bias_hh": "h"}[key])
    return sum(stop - start for start, stop in rows.values())


def _square(name, shape):
    if shape[0] != shape[1]:
        raise ValueError(f"init {name}: got shape {shape}, expected a square matrix")
