"""The experiments, one file each; installed as ``rnnbench.experiments``."""
