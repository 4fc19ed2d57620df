"""Which placement-score calls to send: covering the pairs, spreading, and what waits (pure)."""
