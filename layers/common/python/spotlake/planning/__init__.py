"""Plans placement-score calls: cover the pairs, spread the calls, choose what waits (pure)."""
