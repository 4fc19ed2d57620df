"""Reads an archive: what is true now, what was true at any time, and what changed (docs/history.md).

>>> archive = spotlake.open("s3://spotlake-test")  # doctest: +SKIP
>>> archive.history("Standard_D4s_v5", "koreacentral", zone="1").to_pandas()  # doctest: +SKIP
"""
