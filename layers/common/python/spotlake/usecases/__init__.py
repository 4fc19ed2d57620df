"""Use cases: one folder per step of the workflow. Lambda handlers, the Batch job and local commands call them."""
