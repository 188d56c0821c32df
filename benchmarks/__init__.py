"""Benchmarks of speed, memory and start-up for asv; see docs/benchmarks.md."""
