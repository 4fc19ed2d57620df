"""What the merge costs, beside other ways to do the same (see benchmarks/README.md)."""
