"""Collect: one region, one data set, one shard."""
