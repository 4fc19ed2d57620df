"""The simulated Azure: token endpoint, placement scores, Resource Graph, retail prices, locations.

The catalogue of regions, sizes and on-demand prices is real (``data/ORIGIN.md``); spot prices, eviction
bands, scores and zone numbers are synthetic: made from a seed, the same in every process, moving with time.
"""
