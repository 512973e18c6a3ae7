"""Progress on stderr: live in a terminal, a line per target elsewhere."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Display:
    """Shows what every target is doing."""

    def __init__(self, targets: Sequence[str]) -> None:
        self.console = Console(stderr=True)
        self.doing: dict[str, str] = {}
        self.progress: Progress | None = None
        if self.console.is_terminal:
            self.progress = Progress(
                SpinnerColumn(finished_text="·"),
                TextColumn("{task.description}"),
                TextColumn("{task.completed:>4} verdicts"),
                TimeElapsedColumn(),
                TextColumn("[dim]{task.fields[doing]}"),
                console=self.console,
            )
            self.tasks = {name: self.progress.add_task(escape(name), total=None, doing="waiting") for name in targets}

    def tell(self, *, target: str, doing: str, verdicts: int) -> None:
        """Show that a target does something, and how many verdicts it has."""
        if self.progress:
            shown = escape(doing.splitlines()[0][:60])
            self.progress.update(self.tasks[target], completed=verdicts, doing=shown)
            if doing == "done" or doing.startswith("failed"):
                self.progress.update(self.tasks[target], total=verdicts)
        elif self.doing.get(target) != doing:
            count = f", {verdicts} verdicts" if doing == "done" else ""
            print(f"{target}: {doing}{count}", file=sys.stderr, flush=True)
        self.doing[target] = doing

    def __enter__(self) -> Self:
        if self.progress:
            self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.progress:
            self.progress.stop()
