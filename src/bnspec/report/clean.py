"""Results as text that can be shown: nothing in them may act on a terminal, a browser or a reader's eye."""

from dataclasses import replace
from typing import Any

from bnspec.results import Results, TargetResults, printable


def cleaned(results: Results) -> Results:
    """Return results with every control, surrogate and direction-changing character replaced."""
    targets = {
        text(name): TargetResults(strings(target.info), strings(target.rows), target.complete)
        for name, target in results.targets.items()
    }
    implementations = tuple(strings(dict(record)) for record in results.implementations)
    run = strings(results.run)
    return replace(results, source=text(results.source), run=run, targets=targets, implementations=implementations)


def strings(value: Any) -> Any:
    """Return a JSON value with all its strings, keys included, cleaned."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {text(str(key)): strings(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strings(item) for item in value]
    return value


def text(value: str) -> str:
    """Return printable text; line ends and tabs stay."""
    if value.isprintable():
        return value
    return "\n".join("\t".join(printable(part) for part in line.split("\t")) for line in value.split("\n"))
