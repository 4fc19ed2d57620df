"""The change history: a row each time a workload's values change, and the market of any past slot (pure).

``frames`` is the market at one slot, ``changes`` is what one slot changed, ``files`` is both as Parquet.
``usecases/keep_history`` writes the history.
"""
