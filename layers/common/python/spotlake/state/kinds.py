"""The three kinds of state documents, and what each does when its document is missing, damaged or out of reach.

* **Truth** (``merged_states``, ``attempts``, ``checkpoints``) is what the archive holds. It is never started empty:
  damage is an error that names the document and the way out.
* **Memory** is what runs know of earlier runs. It is changed on condition, so no change is lost. A damaged
  document is started empty, and the run says so.
* **Advice** makes runs better and is never needed. What cannot be read, for whatever reason, is done without.
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
_ROUNDS = 16  # writers of one document at the same time are few

type Note = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Memory[Content]:
    """What runs know of earlier runs.

    Attributes:
        key: Of the document.
        schema: Number that is written.
        older: Numbers of past schemas that ``parse`` reads too.
        parse: Makes the content of the document's JSON; ``["schema"]`` says which schema it is.
        dump: Makes the JSON of the content.
        empty: Makes the content of a document that is not there.
    """

    key: str
    schema: int
    older: Collection[int] = ()
    parse: Callable[[Any], Content]
    dump: Callable[[Content], Mapping[str, object]]
    empty: Callable[[], Content]

    def read(self, objects: ReadOnlyObjects, note: Note = _LOG.warning) -> Content:
        """The content; empty when there is none, or when it is damaged: then ``note`` is told.

        Raises:
            StoreError: The store cannot be read.
        """
        return self._read(objects, note)[0]

    def change(self, objects: ObjectStore, change: Callable[[Content], Content], note: Note = _LOG.warning) -> Content:
        """Read the document, change it, and write it if it is still as it was read; else from the start.

        So no change of another writer is lost, however many there are at once.

        Args:
            objects: The write bucket.
            change: Content before -> content after; equal contents are not written. It is called again after a
                conflict, so it must depend on its argument alone.
            note: Told of a damaged document, which is replaced.

        Returns:
            The content after the change.

        Raises:
            StoreError: It cannot be read or written, or others replaced it too often.
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
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            note(f"{self.key}: damaged ({type(error).__name__}: {error}); started empty")
        return self.empty(), found.etag


@dataclass(frozen=True, kw_only=True)
class Advice[Content](Memory[Content]):
    """What makes runs better; nothing about it ever stops one."""

    def read(self, objects: ReadOnlyObjects, note: Note = _LOG.warning) -> Content:
        """The content; empty when it cannot be had, for whatever reason: then ``note`` is told."""
        try:
            return super().read(objects, note)
        except StoreError as error:
            note(f"{error}; done without")
            return self.empty()

    def change(self, objects: ObjectStore, change: Callable[[Content], Content], note: Note = _LOG.warning) -> Content:
        """As ``Memory.change``; when it cannot be read or written, an empty one is changed, and not kept."""
        try:
            return super().change(objects, change, note)
        except StoreError as error:
            note(f"{error}; not kept")
            return change(self.empty())

    def write(self, objects: ObjectStore, content: Content, note: Note = _LOG.warning) -> None:
        """Replace the document, whatever stands there."""
        try:
            write_json(objects, self.key, self.dump(content), schema=self.schema)
        except StoreError as error:
            note(f"{error}; not kept")
