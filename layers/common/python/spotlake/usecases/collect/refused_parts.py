"""A call that Azure refuses in unknown words is split until the refused name is alone; the other names are answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from spotlake.models import ScoreCall
from spotlake.scores.accounts import AnsweredCall
from spotlake.usecases.collect.delivery import Delivery

INVALID_REQUEST = "invalid_request"

type Part = tuple[str, ...]


@dataclass
class RefusedParts:
    """Splits refused calls of one collector; all splitting together stays within a budget of calls.

    Attributes:
        deliver: Delivers a part of a call.
        budget: Calls that may still be sent for parts.
    """

    deliver: Callable[[ScoreCall], Delivery]
    budget: int
    _answers: list[AnsweredCall] = field(default_factory=list)

    def split(self, call: ScoreCall) -> tuple[list[AnsweredCall], Part, Part]:
        """Answers of the parts, then the regions and the sizes that are refused alone.

        Sizes are split first. If every size is refused, the regions are split. If every region is refused too, the
        request is refused for another reason, and no name is to blame.
        """
        self._answers = []
        sizes = self._refused(call.instance_types, lambda part: replace(call, instance_types=part))
        if len(sizes) < len(call.instance_types):
            return self._answers, (), sizes
        regions = self._refused(call.regions, lambda part: replace(call, regions=part))
        return self._answers, () if len(regions) == len(call.regions) else regions, ()

    def _refused(self, names: Sequence[str], of: Callable[[Part], ScoreCall]) -> Part:
        """The names that are refused alone. Parts that the budget does not reach count as neither."""
        refused: list[str] = []
        waiting = _halves(tuple(names))
        while waiting and self.budget > 0:
            part = waiting.pop(0)
            self.budget -= 1
            delivery = self.deliver(of(part))
            if delivery.answer is not None:
                self._answers.append(delivery.answer)
            elif delivery.reason != INVALID_REQUEST:
                continue
            elif len(part) == 1:
                refused.extend(part)
            else:
                waiting.extend(_halves(part))
        return tuple(names) if len(names) == 1 else tuple(refused)


def _halves(names: Part) -> list[Part]:
    middle = (len(names) + 1) // 2
    return [names[:middle], names[middle:]] if len(names) > 1 else []
