"""Merge: shards into state, table, files and manifest."""
