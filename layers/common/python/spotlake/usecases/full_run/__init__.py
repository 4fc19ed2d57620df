"""FullRun: the Batch job that collects everything at once."""
