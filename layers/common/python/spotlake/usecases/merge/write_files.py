"""Writes the files of a merge: the snapshots that are due, and the files that show the newest state."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from spotlake import keys
from spotlake.clock import Deadline
from spotlake.errors import ConflictError
from spotlake.merge.files import Files
from spotlake.merge.view import View
from spotlake.models import Run, slot_of_run_id
from spotlake.settings import Settings
from spotlake.state.figures import NOT_COUNTED, FiguresDocument, encode_figures
from spotlake.state.merged_states import Head, MergedRun, MergedStates
from spotlake.stores.objects import ObjectStore
from spotlake.usecases.merge.newest_file import put_newest, write_newest_files
from spotlake.usecases.merge.refold import FOLDING_SECONDS


@dataclass(frozen=True)
class Committed:
    """The chain, its newest state, and the state right after this run.

    Attributes:
        head: The chain.
        newest: The newest state.
        own: The state right after this run; None when later slots follow and it must be loaded to be seen.
        merged: Number of live workloads right after this run.
    """

    head: Head
    newest: View
    own: View | None
    merged: int


@dataclass(frozen=True, kw_only=True)
class FilesWriting:
    """Writes the files of one merge. One state beside the newest one is in memory at a time.

    Attributes:
        run: The attempt that is merged.
        objects: The write bucket.
        states: The merged states in it.
        settings: Days until retirement, casing of names.
        deadline: When the process ends.
        committed: Chain and states that the files show.
        figures: Figures of the own snapshot; None when they are not counted.
    """

    run: Run
    objects: ObjectStore
    states: MergedStates
    settings: Settings
    deadline: Deadline
    committed: Committed
    figures: FiguresDocument | None

    def write(self) -> list[str]:
        """Write the snapshots that are due, and the files of the newest state. Returns the written keys."""
        committed = self.committed
        head, run_id = committed.head, committed.head.runs[-1].run_id
        newest, newest_at = self._files(committed.newest), slot_of_run_id(run_id)
        if committed.own is committed.newest:
            self._write_snapshot(self.run.slot_at, newest, self._desired_count(head), head, self.figures)
        write_newest_files(self.objects, newest, newest_at, is_overtaken=lambda: self._is_overtaken(head))
        del newest
        if committed.own is not committed.newest:
            self._write_own_snapshot()
        files = [keys.snapshot(self.run.slot_at), keys.figures(self.run.slot_at), *keys.NEWEST_FILES]
        return [*files, *self._write_later_snapshots(head)]

    def _write_own_snapshot(self) -> None:
        """Write the snapshot of a late slot."""
        head, own = self.committed.head, self.committed.own
        entry = head.run(self.run.run_id)
        if own is not None:
            self._write_snapshot(self.run.slot_at, self._files(own), self._desired_count(head), head)
        elif entry is not None:
            with suppress(ConflictError):  # a merge of a newer state writes it
                self._write_stored(entry, head)

    def _write_later_snapshots(self, head: Head) -> list[str]:
        """Write snapshots of other slots with changed states, as far as time allows.

        The next merge writes the others.
        """
        done, written = {self.run.run_id}, []
        for run_id in head.due:
            entry = head.run(run_id)
            if entry is not None and run_id not in done:
                if self.deadline.seconds_left() < FOLDING_SECONDS:
                    break
                try:
                    written.append(self._write_stored(entry, head))
                except ConflictError:  # a merge of a newer state writes them
                    break
            done.add(run_id)
        self.states.change_head(
            lambda one: (
                replace(one, due=tuple(run_id for run_id in one.due if run_id not in done))
                if one.version == head.version
                else one
            )
        )
        return written

    def _write_stored(self, entry: MergedRun, head: Head) -> str:
        """Write the snapshot of a slot from its stored state, which is freed at the end."""
        files = self._files(View.of(self.states.load(entry.key), self.settings.retire_after_days))
        return self._write_snapshot(slot_of_run_id(entry.run_id), files, entry.desired_count, head)

    def _write_snapshot(
        self, slot_at: datetime, files: Files, desired_count: int, head: Head, figures: FiguresDocument | None = None
    ) -> str:
        """Write a snapshot and its figures. Figures of an older snapshot of the slot never stay."""
        key = keys.snapshot(slot_at)
        counted = encode_figures(slot_at, figures or NOT_COUNTED)
        for name, body in ((key, files.snapshot(slot_at, desired_count)), (keys.figures(slot_at), counted)):
            put_newest(self.objects, name, body, "application/gzip", is_overtaken=lambda: self._is_overtaken(head))
        return key

    def _desired_count(self, head: Head) -> int:
        """Desired count of the slot's snapshot; for a slot older than the chain, the count that this attempt asked."""
        entry = head.run(self.run.run_id)
        return entry.desired_count if entry else self.run.desired_counts[0]

    def _is_overtaken(self, head: Head) -> bool:
        return self.states.head().version > head.version

    def _files(self, view: View) -> Files:
        return Files(view, self.settings.name_casing)
