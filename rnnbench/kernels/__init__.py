"""Drivers that run any cell over time; they know no cell by name."""
