"""The document ``findings.json``: what runs have found in the data that needs eyes (``merge/findings.py``)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from spotlake import keys
from spotlake.merge.findings import Finding, Findings
from spotlake.state.kinds import Advice


def _parse(content: Any) -> Findings:
    return Findings(at=content["at"], seen={name: Finding(**one) for name, one in content["seen"].items()})


FINDINGS = Advice(key=keys.FINDINGS, schema=1, parse=_parse, dump=asdict, empty=Findings)
