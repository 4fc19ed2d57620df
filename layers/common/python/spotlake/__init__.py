"""SpotLake's one library: the Lambdas, the Batch job and the local command are three doors to it.

Dependencies point one way::

    handlers -> usecases (plan, collect, merge, report) -> azure, stores -> models, errors

Pure modules (``planning``, ``merge``, ``names``, ``keys``, ``thresholds``) do no I/O. Nothing is
fetched or built at import; clocks, sessions and stores come in as arguments.
"""
