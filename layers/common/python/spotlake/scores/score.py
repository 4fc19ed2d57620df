"""A placement score as Azure answers it, and Azure's words for scores (pure)."""

from __future__ import annotations

from dataclasses import dataclass

SCORES = {"High": 3, "Medium": 2, "Low": 1}
RESTRICTED = "RestrictedSkuNotAvailable"
STALE = "DataNotFoundOrStale"
INSUFFICIENT_QUOTA = "InsufficientQuota"  # of the asked subscription; since API version 2026-10-05-preview
_WORDS = {word.lower(): word for word in (*SCORES, RESTRICTED, STALE, INSUFFICIENT_QUOTA)}


def score_of_word(word: str) -> tuple[int | None, str]:
    """The score of a word, and the word in Azure's spelling. The casing of a known word does not matter.

    >>> score_of_word("high"), score_of_word("Excellent")
    ((3, 'High'), (None, 'Excellent'))
    """
    known = _WORDS.get(word.lower(), word)
    return SCORES.get(known), known


@dataclass(frozen=True)
class Score:
    """One row of an answer. Region and size are spelt as in the call.

    Attributes:
        region: ARM code.
        instance_type: ARM size.
        logical_zone: "1" to "3", as the asked subscription numbers its zones; None for a regional score.
        score: 3, 2, 1, or None when it is unknown (``score_text`` says why).
        score_text: As answered.
        is_quota_available: Whether the calling subscription has vCPU quota; None when the answer does not say.
        placement_preference: 0 to 10, since API version 2026-10-05-preview; None when the answer has none.
    """

    region: str
    instance_type: str
    logical_zone: str | None
    score: int | None
    score_text: str
    is_quota_available: bool | None
    placement_preference: int | None = None
