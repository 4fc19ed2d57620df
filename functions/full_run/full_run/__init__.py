"""Entry point of the full run: ``python -m full_run --run JSON`` in the Batch image."""
