"""The change history: a row each time a workload's values change, and everything that was true at any past slot (pure).

``frames`` is the market at one slot, ``changes`` is what one slot changed, ``files`` is both as Parquet. The functions that
keep the history are in ``usecases/keep_history``; ``archive`` reads it.
"""
