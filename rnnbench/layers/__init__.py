"""Layers: a cell with parameters, run over sequences."""
