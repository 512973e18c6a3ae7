"""The data that the page carries for its script: every cell, and what a case page needs, as one JSON text."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from bnspec.case import Case
from bnspec.columns import Column
from bnspec.report.documented import Documentation
from bnspec.report.inputs import CasePool, Pool, rounded
from bnspec.report.model import CLAUSE_ORDER, Matrix
from bnspec.spec import AXES, CLAUSES, sentence

SHOWN_CHARACTERS = 1_000_000
"""What all targets together may show in arrays; beyond it the reader is sent to the results file."""

MESSAGE_CHARACTERS = 2000


AS_BEFORE = 1
"""A cell that is the one before it: neighbouring versions mostly answer alike."""


def page_data(shown: Matrix, cases: Mapping[str, Case], choice: Mapping[str, Any], documented: Documentation) -> str:
    """Return the JSON of a page, safe inside a script element."""
    pool, answers = CasePool(), Pool()
    numbers = {  # what is folded comes last: where the room for inputs ends, it ends there
        line.id: pool.number(cases[line.id])
        for line in sorted(shown.lines, key=lambda line: line.folded)
        if line.id in cases
    }
    budget = SHOWN_CHARACTERS
    lines = []
    for line in shown.lines:
        cells: list[Any] = []
        for column in shown.columns:
            row = column.rows.get(line.id)
            extra, used = ({}, 0) if row is None else shown_extra(row, budget)
            budget -= used
            cells.append(0 if row is None else packed(row, answers, pool.texts, extra))
        told = [AS_BEFORE if n and cell == cells[n - 1] else cell for n, cell in enumerate(cells)]
        lines.append([line.id, numbers.get(line.id), told, *said_of(line.id, documented, pool.texts)])
    return escaped(
        {
            "targets": [
                {
                    "name": column.name,
                    "label": column.title,
                    "head": column.label,
                    "detail": column.detail,
                    "below": " · ".join(filter(None, (column.apart, column.detail))),
                    "command": command(column),
                }
                for column in shown.columns
            ],
            **choice,
            "clauses": {clause: clause_data(clause) for clause in sorted({x.clause for x in shown.lines}, key=place)},
            "lines": lines,
            "claims": [[claim.variant, claim.said, who] for claim, who in documented.claims],
            "answers": answers.values,
            "texts": pool.texts.values,
            "cases": pool.cases.values,
            "layers": pool.layers.values,
            "arrays": pool.arrays.values,
            "margins": pool.margins.values,
        }
    )


def said_of(id: str, documented: Documentation, texts: Pool) -> list[Any]:
    """Return [numbers of claims, text of who documents nothing] for a question that is an axis, else nothing."""
    said = documented.by_id.get(id)
    return [] if said is None else [said.claims, texts.number(said.silent, said.silent)]


def place(clause: str) -> tuple[int, str]:
    """Return where a clause stands in the specification; what it does not know comes last."""
    return CLAUSE_ORDER.get(clause, len(CLAUSE_ORDER)), clause


def command(column: Column) -> str:
    """Return what runs a target again, up to the choice of cases."""
    environment, adapter, device = (str(column.info[key]) for key in ("environment", "adapter", "device"))
    execution = str(column.info.get("execution"))
    if environment == "here":
        words = ["--here", "--adapter", adapter]
    elif "/" in environment:
        words = ["--python", environment, "--adapter", adapter]
    elif ":" in adapter:
        words = [environment, "--adapter", adapter]
    else:
        words = [f"{environment}/{adapter}"]
    if device != "cpu":
        words += ["--device", device]
    if column.name.endswith(f"@{execution}"):  # the target's name tells an execution that was asked for
        words += ["--execution", execution]
    return shlex.join(["bnspec", "run", *words])


def escaped(data: Any) -> str:
    """Return JSON in which nothing can end a script element or a line of script."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def packed(row: Mapping[str, Any], answers: Pool, texts: Pool, extra: Mapping[str, Any]) -> list[Any]:
    """Return [answer, ratio, message, extra], without what is missing at the end.

    An answer is verdict, variant and margin together: there are few, so a cell names one by its number.
    """
    answer = (row["verdict"], row.get("variant"), rounded(row.get("margin")))
    message = row.get("message")
    if message is not None and len(message) > MESSAGE_CHARACTERS:
        message = f"{message[:MESSAGE_CHARACTERS]}… (the results file has all {len(message)} characters)"
    cell = [
        answers.number(answer, answer),
        rounded(row.get("ratio")),
        None if message is None else texts.number(message, message),
        extra or None,
    ]
    while cell[-1] is None:
        cell.pop()
    return cell


def shown_extra(row: Mapping[str, Any], budget: int) -> tuple[dict[str, Any], int]:
    """Return index and arrays of a row that has them, and how much of the budget they take."""
    extra: dict[str, Any] = {name: row[name] for name in ("index",) if row.get(name) is not None}
    arrays = row.get("arrays")
    if not arrays:
        return extra, 0
    size = len(json.dumps(arrays))
    if size > budget:
        return {**extra, "arrays": None}, 0
    return {**extra, "arrays": arrays}, size


def clause_data(clause: str) -> dict[str, Any]:
    """Return the sentence of a clause, and the variants of an axis with their meanings."""
    if clause not in AXES and clause not in CLAUSES:
        return {}
    variants = {"variants": AXES[clause].variants} if clause in AXES else {}
    return {"sentence": sentence(clause), **variants}
