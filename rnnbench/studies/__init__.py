"""What experiments that train share: a training run told as rows, sizes that match, choices, figures.

``learning`` trains the replicas of a network and tells what happened; ``sizes`` finds hidden sizes for a number of
parameters; ``choices`` reads what a search has found; ``curves`` draws.
"""
