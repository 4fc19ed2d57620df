"""Refuses a listing that has grown beyond belief, as one that has shrunk is refused.

A size costs an item in the table, and rows in every file, for as long as the region is kept. A proxy's answer or a
change of the API could bring tens of thousands.
"""

from __future__ import annotations

from spotlake.errors import UntrustedAnswerError
from spotlake.models import Dataset, Run, WorkItem
from spotlake.planning.doubt import MOST_SIZES, is_jump
from spotlake.state.doubts import is_believed
from spotlake.stores.objects import ObjectStore


def refuse_jump(objects: ObjectStore, run: Run, item: WorkItem, dataset: Dataset, *, found: int, api: str) -> int:
    """Refuse an answer with far more sizes than before, until it has lasted; one beyond ``MOST_SIZES`` always.

    What a region's first whole listing has is believed up to that bound: nothing is known to compare it with.

    Args:
        objects: The write bucket.
        run: The attempt.
        item: The region's work; it says what the last whole listing had. A filtered attempt keeps its own sizes only,
            so nothing can grow.
        dataset: Data set of the answer.
        found: Number of sizes in the answer.
        api: The API's name in the error.

    Returns:
        1 for a larger answer that is believed because it has lasted (``planning/doubt.py``), else 0.

    Raises:
        UntrustedAnswerError: The answer is not believed.
    """
    if item.filtered:
        return 0
    if found > MOST_SIZES:
        raise UntrustedAnswerError(
            api, f"{item.region}: {found} sizes, more than is ever believed of a region ({MOST_SIZES})"
        )
    before = item.last_good_rows.get(dataset.value, 0)
    known = max(before, len(item.instance_types)) if before else 0  # a catalogue of some sizes only is no listing
    if not is_jump(found, known):
        return 0
    if is_believed(objects, run, item, dataset, found):
        return 1
    raise UntrustedAnswerError(api, f"{item.region}: {found} sizes, the last good run had {known}")
