"""Logical units of the stack, one per file."""
