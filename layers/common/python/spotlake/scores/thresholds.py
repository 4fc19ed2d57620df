"""T3 and T2: the largest desired count that recently scored 3 (at least 2), lowered by later failures.

For each workload and count the state keeps the last slot of each score. T follows from these slots alone, in whatever
order runs were merged (docs/data.md)::

    T = max over counts c with a success of  min(c, below(c') for every c' whose last failure is not
                                                  older than c's last success)

0 means that the smallest count was asked and failed. If count 1 was not asked, T of a workload that no count reached is
unknown (-1): a failure at 20 machines does not show that one machine would fail. Within one slot a failure counts as
later than a success.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from spotlake.models import DESIRED_COUNTS

type Seen = npt.NDArray[np.uint32]  # workloads x counts x scores (index 0 = score 1): slot number, 0 = never
type Counts = npt.NDArray[np.int16]
_SCORES = 3
_CHUNK_ROWS = 8192
_COUNTS: Counts = np.array((0, *DESIRED_COUNTS), np.int16)
UNKNOWN = -1


def below(count: int) -> int:
    """The next smaller desired count, 0 for the smallest.

    >>> below(1), below(5), below(50)
    (0, 1, 45)
    """
    place = DESIRED_COUNTS.index(count)
    return DESIRED_COUNTS[place - 1] if place else 0


def threshold(last_seen: Mapping[int, Mapping[int, int]], least_score: int) -> int:
    """T of one workload; ``UNKNOWN`` when no count reached the score and the smallest count is not known to fail.

    Args:
        last_seen: Desired count -> score (1 to 3) -> slot number of the last such answer.
        least_score: 3 for T3, 2 for T2.

    >>> threshold({1: {3: 1}, 5: {3: 2}, 10: {3: 3}}, 3)
    10
    >>> threshold({1: {3: 1}, 5: {3: 2, 2: 4}, 10: {3: 3}}, 3)
    1
    >>> threshold({20: {1: 1}}, 3), threshold({1: {1: 1}}, 3)
    (-1, 0)
    """
    seen = np.zeros((1, len(DESIRED_COUNTS), _SCORES), np.uint32)
    for count, scores in last_seen.items():
        for score, slot in scores.items():
            seen[0, DESIRED_COUNTS.index(count), score - 1] = slot
    return int(thresholds(seen, least_score).item())


def thresholds(seen: Seen, least_score: int) -> Counts:
    """T of many workloads at once.

    An equal form of the rule: T reaches count c if a count of at least c succeeded after the last failure of every
    count up to c. A part of the workloads at a time stays in the processor's cache, and takes little memory.
    """
    parts = (seen[begin : begin + _CHUNK_ROWS] for begin in range(0, len(seen), _CHUNK_ROWS))
    return np.concatenate([np.empty(0, np.int16), *(_thresholds(part, least_score) for part in parts)])


def _thresholds(seen: Seen, least_score: int) -> Counts:
    succeeded = _by_count(seen, range(least_score, _SCORES + 1))
    failed = _by_count(seen, range(1, least_score))
    smallest_failed = failed[0] > 0
    last = len(DESIRED_COUNTS) - 1
    for place in range(last):
        # failed: by any count up to this one; succeeded: by any count from this one on
        np.maximum(failed[place + 1], failed[place], out=failed[place + 1])
        np.maximum(succeeded[last - place - 1], succeeded[last - place], out=succeeded[last - place - 1])
    # Both are monotonic in the count, so the number of reached counts gives the largest one.
    reached = np.zeros(len(seen), np.int8)
    for place in range(last + 1):
        reached += succeeded[place] > failed[place]
    return np.where((reached > 0) | smallest_failed, _COUNTS[reached], np.int16(UNKNOWN))


def _by_count(seen: Seen, scores: Iterable[int]) -> Seen:
    """By count and workload: the last slot in which any of the scores was seen."""
    latest = functools.reduce(np.maximum, (seen[:, :, score - 1] for score in scores))
    return latest.T.copy()  # with each count's workloads side by side
