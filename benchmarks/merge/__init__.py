"""Measures the merge beside other ways to do the same (see benchmarks/README.md)."""
