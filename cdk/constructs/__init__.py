"""Logical units of the stack, one a file."""
