"""Other engines beside ours: each in a process of its own, held to the same numbers before it is timed.

================  =====================================================================================
``tasks``         what is to be run: cell, shape, direction, threads; which peers there are
``process``       a worker process: started, asked line by line, timed out, reaped
``worker``        the other end of the pipe
``own``           rnnbench itself, and its NumPy reference driver
``torch_peer``    PyTorch, eager with oneDNN and without it, compiled, and with packed sequences
``torch_loop``    any cell as an eager PyTorch loop over time
``torch_ops``     a cell's pure functions on PyTorch tensors
``onnx_peer``     ONNX Runtime (inference only)
``jax_peer``      JAX, jit and scan
``roof``          how fast this processor multiplies and adds when nothing has to be fetched
``agree``         are two engines' outputs and gradients the same?
``measure``       timing in turn, round by round
``quiet``         did others want the processors meanwhile?
``spread``        medians, their intervals, and when "faster" may be said
``trial``         all of it for one cell and shape
``model``         what a call of any cell may take, from the parts that ``alone`` measures
``alone``         those parts: the LSTM's products, the pointwise functions, a copy
``lengths``       rows of several lengths, beside full length and packed sequences
``workloads``     tasks and sizes on which training is timed
``own_steps``     our training steps, and ``torch_steps`` PyTorch's
``steps``         whole training steps, losses compared before they are timed
``growth``        how cost grows with T, B and H
``once``          peak memory and start-up time, in fresh processes
``frames``        the rows as tables to read
``cuda_engines``  who is timed on a GPU
``own_cuda``      rnnbench's CUDA drivers, and ``torch_cuda`` PyTorch's layers (cuDNN)
``cuda_parts``    what the floor is made of: a product, reading, waiting for the grid
``cuda_floor``    the least that a step can take on a GPU
``cuda_trial``    one cell, shape and precision on a GPU
``cuda_frames``   its rows as tables to read
================  =====================================================================================

A peer is a module with ``load()``, which imports its library, and ``prepare(task, arrays) -> Job``. Nothing of a
peer is imported here: what is not installed is told, not raised.
"""
