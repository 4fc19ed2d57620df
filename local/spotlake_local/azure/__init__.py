"""The simulated Azure: token endpoint, placement scores, Resource Graph, retail prices, locations.

The catalogue of regions, sizes and on-demand prices is real (``data/ORIGIN.md``). Spot prices, eviction bands, scores
and zone numbers are synthetic. They follow from a seed, are the same in every process, and change with time.
"""
