"""Change the library in small ways, and see whether the quick tests notice (``make mutants``)."""
