"""SpotLake's library. The Lambda functions, the Batch job and the local command all call it.

Dependencies point one way::

    handlers -> usecases (plan, collect, merge, report) -> azure, stores -> models, errors

Pure modules (``planning``, ``merge``, ``names``, ``keys``, ``thresholds``) do no I/O. Nothing is
fetched or built at import. Clocks, sessions and stores are passed as arguments.
"""
