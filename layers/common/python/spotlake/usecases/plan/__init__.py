"""Plan: what an execution is to do."""
