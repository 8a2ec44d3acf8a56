"""Comparisons with named peers: ``python -m benchmarks.NAME [--quick] [--data DIR] [--json]``."""
