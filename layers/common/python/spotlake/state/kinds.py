"""The three kinds of state documents, and what happens when a document is missing, damaged or unreadable.

* **Truth** (``merged_states``, ``attempts``, ``checkpoints``) is the content of the archive. It never starts empty:
  damage is an error that names the document and what to do.
* **Memory** is what runs know of earlier runs. It is changed on condition, so no change is lost. A damaged document
  starts empty, and the run says so.
* **Advice** makes runs better and is never needed. If a document cannot be read, the run works without it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from spotlake.errors import ConflictError, DamagedStateError, StoreError
from spotlake.stores.documents import decode_json, write_json
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects

_LOG = logging.getLogger(__name__)
_ROUNDS = 16  # few writers write one document at the same time

type Note = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Memory[Content]:
    """What runs know of earlier runs.

    Attributes:
        key: Key of the document.
        schema: Schema number to write.
        older: Past schema numbers that ``parse`` can read.
        parse: Makes the content from the document's JSON; ``["schema"]`` is its schema number.
        dump: Makes the JSON from the content.
        empty: Makes the content for a missing document.
    """

    key: str
    schema: int
    older: Collection[int] = ()
    parse: Callable[[Any], Content]
    dump: Callable[[Content], Mapping[str, object]]
    empty: Callable[[], Content]

    def read(self, objects: ReadOnlyObjects, note: Note = _LOG.warning) -> Content:
        """Read the content; empty for a missing or damaged document. ``note`` is called for a damaged one.

        Raises:
            StoreError: The store cannot be read.
        """
        return self._read(objects, note)[0]

    def change(self, objects: ObjectStore, change: Callable[[Content], Content], note: Note = _LOG.warning) -> Content:
        """Read the document, change it, and write it if nobody else wrote meanwhile; else start again.

        So no change of another writer is lost, however many write at once.

        Args:
            objects: The write bucket.
            change: Content before -> content after. Equal contents are not written. Called again after a conflict, so
                the result must depend on the argument alone.
            note: Called for a damaged document, which is replaced.

        Returns:
            The content after the change.

        Raises:
            StoreError: The document cannot be read or written, or others replaced it too often.
        """
        for _ in range(_ROUNDS):
            before, etag = self._read(objects, note)
            after = change(before)
            if after == before:
                return after
            try:
                write_json(
                    objects, self.key, self.dump(after), schema=self.schema, if_absent=etag is None, if_etag=etag
                )
            except ConflictError:
                continue
            return after
        raise StoreError(f"s3://{objects.bucket}/{self.key}: others replaced it {_ROUNDS} times in a row")

    def _read(self, objects: ReadOnlyObjects, note: Note) -> tuple[Content, str | None]:
        found = objects.get(self.key)
        if found is None:
            return self.empty(), None
        try:
            content = decode_json(found.body, self.key, schema=self.schema, older=self.older)
            return self.parse(content), found.etag
        except DamagedStateError as error:
            note(f"{error}; started empty")
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            note(f"{self.key}: damaged ({type(error).__name__}: {error}); started empty")
        return self.empty(), found.etag


@dataclass(frozen=True, kw_only=True)
class Advice[Content](Memory[Content]):
    """Documents that make runs better. A fault of such a document never stops a run."""

    def read(self, objects: ReadOnlyObjects, note: Note = _LOG.warning) -> Content:
        """Read the content. If it cannot be read, ``note`` is called, and the content is empty."""
        try:
            return super().read(objects, note)
        except StoreError as error:
            note(f"{error}; done without")
            return self.empty()

    def change(self, objects: ObjectStore, change: Callable[[Content], Content], note: Note = _LOG.warning) -> Content:
        """As ``Memory.change``.

        If the document cannot be read or written, an empty content is changed and not stored.
        """
        try:
            return super().change(objects, change, note)
        except StoreError as error:
            note(f"{error}; not kept")
            return change(self.empty())

    def write(self, objects: ObjectStore, content: Content, note: Note = _LOG.warning) -> None:
        """Replace the document, whatever its content."""
        try:
            write_json(objects, self.key, self.dump(content), schema=self.schema)
        except StoreError as error:
            note(f"{error}; not kept")
