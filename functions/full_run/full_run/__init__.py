"""The full run's door: ``python -m full_run --run JSON`` in the Batch image."""
