"""Making the truth again from raw shards."""
