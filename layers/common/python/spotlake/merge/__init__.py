"""Makes the next state and its outputs from shards and the last state (pure; I/O is in usecases)."""
