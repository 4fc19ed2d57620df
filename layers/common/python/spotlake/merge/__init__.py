"""From shards and the last state to the next state and its outputs (pure; I/O is in usecases)."""
