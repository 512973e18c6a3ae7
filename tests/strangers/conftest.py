"""Layers that are other or wrong on purpose, judged in this process by a part of the suite.

That every fault is found is for the mutants to show (`tests/mutants`, `bnspec selftest`). Here it is what is said
of it, and of what: the words, the numbers measured, the answers, and that nothing else is blamed.
"""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest

from bnspec.results import Row


class Verdicts(dict[str, Row]):
    """Rows by id, with questions to ask of them."""

    def of(self, clause: str) -> dict[str, Row]:
        """The rows whose id starts so, without what is unsupported; at least one is left."""
        rows = {identifier: row for identifier, row in self.items() if identifier.startswith(clause)}
        judged = {identifier: row for identifier, row in rows.items() if row.verdict != "unsupported"}
        assert judged, clause
        return judged

    def conform(self, *clauses: str) -> None:
        """Nothing of these is to be blamed."""
        for clause in clauses:
            for row in self.of(clause).values():
                assert row.verdict == "conforms", row

    def violate(self, *clauses: str, text: str) -> None:
        """Each of these says what is wrong, in these words among others."""
        for clause in clauses:
            for row in self.of(clause).values():
                assert row.verdict == "violates", row
                assert row.message
                assert text in row.message, row

    def answer(self, axis: str, variant: str) -> None:
        """The axis is decided so, wherever it was asked."""
        assert {row.variant for row in self.of(axis).values()} == {variant}

    def findings(self) -> set[str]:
        """The ids of everything that is not right."""
        return {identifier for identifier, row in self.items() if row.verdict not in ("conforms", "unsupported")}


@pytest.fixture
def judge(
    page: ModuleType, verdicts: Callable[..., Mapping[str, Row]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Verdicts]:
    """Judge a layer in the place of the page's BatchNorm, or a whole adapter, by a part of the suite."""

    def rows(only: str, layer: Any = None, *, adapter: Any = None) -> Verdicts:
        if layer is not None:
            monkeypatch.setattr(page, "BatchNorm", layer)
        return Verdicts(verdicts(adapter or page.Layer, only))

    return rows
