"""SpotLake's library. The Lambda functions, the Batch job and the local command all call it.

Dependencies point one way::

    handlers -> usecases (plan, collect, merge, report) -> azure, stores -> models, errors

Pure modules (``planning``, ``merge``, ``names``, ``keys``, ``thresholds``) do no I/O. Nothing is
fetched or built at import. Clocks, sessions and stores are passed as arguments.

Who reads an archive begins here::

    import spotlake

    archive = spotlake.open("s3://spotlake-test")
    archive.history("Standard_D4s_v5", "koreacentral", "1").to_pandas()
    archive.latest(spotlake.Where(geographies=("Europe",), min_t3=10)).to_polars()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spotlake.archive.archive import Archive
    from spotlake.archive.filters import Where

__all__ = ["Where", "open"]


def open(address: str) -> Archive:
    """Open an archive for reading: a folder, ``s3://bucket``, or the https address that serves its keys.

    Raises:
        ConfigurationError: There is no such folder, or the address has another form.
    """
    from spotlake.archive.archive import open_archive

    return open_archive(address)


def __getattr__(name: str) -> object:
    """``spotlake.Where``, loaded when it is used: the functions must not pay for it."""
    if name == "Where":
        from spotlake.archive.filters import Where

        return Where
    raise AttributeError(f"module 'spotlake' has no attribute {name!r}")
