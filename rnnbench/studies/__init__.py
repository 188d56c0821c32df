"""What experiments that train share: a training run told as rows, sizes that match, choices, figures.

``learning`` trains the replicas of a network and tells what happened; ``descent`` is its loop for networks that read or
are asked more than one thing, on which ``pairs`` (sequence to sequence), ``facts`` (questions to a memory), ``context``
(a vector to a sequence) and ``softmaxes`` stand; ``language_models``, ``words`` and ``writing`` are about text.
``sizes`` finds hidden sizes for a number of parameters; ``choices`` reads what a search has found; ``curves`` draws.
``medians``, ``rates`` and ``significance`` make claims of what seeds tell; ``misses`` says what was tried where one did
not come out.
"""
