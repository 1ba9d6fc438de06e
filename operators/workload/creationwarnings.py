"""What the API server warned of when it created pods: one Event for each revision, and a condition.

A pod with an unknown field is created without it, and with a warning that nobody else gets to see.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from operators.api.reasons import EventReason
from operators.planning.actions import Note
from operators.planning.creationwarnings import told_in
from operators.planning.workloads import Json
from operators.runtime.store import Key

#: Texts of a revision that are kept, and revisions of a workload.
_TEXTS, _REVISIONS = 8, 4


class CreationWarnings:
    """Warnings by workload, as of the last pod of each revision that this process created.

    Memory of the process. What was told before stands in the condition, which outlives it.
    """

    def __init__(self) -> None:
        self._of: dict[Key, tuple[str, dict[str, tuple[str, ...]]]] = {}
        self._told: dict[Key, dict[str, None]] = {}

    def of(self, key: Key, uid: str) -> Mapping[str, tuple[str, ...]]:
        """By revision; () where pods were created without a warning."""
        known = self._of.get(key)
        return known[1] if known is not None and known[0] == uid else {}

    def learn(self, key: Key, uid: str, status: Json, found: Mapping[str, Mapping[str, None]]) -> list[Note]:
        """Take what a pass met, by revision, and give what is new to the workload's Events."""
        if not found:
            return []
        known = {**self.of(key, uid)}
        notes = []
        for revision, texts in found.items():
            known.pop(revision, None)
            known[revision] = tuple(islice(texts, _TEXTS))
            told = self._told.setdefault(key, {})
            if texts and revision not in told and told_in(status, revision) is None:
                text = f"pods of revision {revision}: {'; '.join(known[revision])}"
                notes.append(Note("Warning", EventReason.POD_WARNING, text))
            if texts:
                told[revision] = None
            _shorten(told)
        _shorten(known)
        self._of[key] = uid, known
        return notes

    def forget(self, key: Key) -> None:
        """The workload is gone."""
        self._of.pop(key, None)
        self._told.pop(key, None)


def _shorten(revisions: dict[str, Any]) -> None:
    while len(revisions) > _REVISIONS:
        del revisions[next(iter(revisions))]
