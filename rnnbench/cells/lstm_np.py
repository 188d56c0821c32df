r"""LSTM without peepholes (NP).

The vanilla LSTM of ``lstm_peephole`` whose gates do not see the cell state: the equations of ``lstm``, and so its
functions.

.. math::

    i_t &= \sigma(W_i x_t + R_i h_{t-1} + b_i) \\
    f_t &= \sigma(W_f x_t + R_f h_{t-1} + b_f) \\
    g_t &= \tanh(W_g x_t + R_g h_{t-1} + b_g) \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    o_t &= \sigma(W_o x_t + R_o h_{t-1} + b_o) \\
    h_t &= o_t \odot \tanh(c_t)

Gate order i, f, g, o.

Source: K. Greff, R. K. Srivastava, J. Koutník, B. R. Steunebrink and J. Schmidhuber, LSTM: A Search Space Odyssey,
IEEE Transactions on Neural Networks and Learning Systems 28, 2017.
"""

from rnnbench.cells._lstm import peephole_cell
from rnnbench.cells.lstm import backward, forward


def build():
    """Build the cell; it has no options."""
    return peephole_cell(forward, backward, gates="ifgo", peepholes_of="")
