"""The document ``refused_subscriptions.json``: subscriptions that Azure refused, and the run that found it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypedDict

from spotlake import keys
from spotlake.models import Run, slot_of_run_id
from spotlake.reports import CollectorReport
from spotlake.state.kinds import Advice
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

ASKED_AGAIN_AFTER = timedelta(hours=6)  # a role may have been assigned meanwhile

type Refused = Mapping[str, str]  # digest of a subscription -> run id of the last refusal


class RefusedJson(TypedDict):
    """The document."""

    subscriptions: Refused


def _parse(content: RefusedJson) -> Refused:
    return dict(content["subscriptions"].items())


def _dump(refused: Refused) -> RefusedJson:
    return {"subscriptions": refused}


REFUSED_SUBSCRIPTIONS: Advice[Refused] = Advice(
    key=keys.REFUSED_SUBSCRIPTIONS, schema=1, parse=_parse, dump=_dump, empty=dict
)


def refused_lately(objects: ReadOnlyObjects, now_at: datetime) -> tuple[str, ...]:
    """Sorted digests of the subscriptions that Azure refused, and that are not yet due to be asked again."""
    refused = REFUSED_SUBSCRIPTIONS.read(objects)
    return tuple(
        digest for digest, run_id in sorted(refused.items()) if now_at - slot_of_run_id(run_id) < ASKED_AGAIN_AFTER
    )


def note_refused(objects: ObjectStore, run: Run, reports: Sequence[CollectorReport]) -> None:
    """Remember which subscriptions a run found refused; refusals that count no more are dropped."""
    found = {digest for report in reports for digest in report.found.refused_subscriptions}

    def note(before: Refused) -> Refused:
        oldest = run.slot_at - ASKED_AGAIN_AFTER
        kept = {digest: run_id for digest, run_id in before.items() if slot_of_run_id(run_id) > oldest}
        return kept | {digest: max(run.run_id, kept.get(digest, "")) for digest in sorted(found)}

    REFUSED_SUBSCRIPTIONS.change(objects, note)
