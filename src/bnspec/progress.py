"""Progress on stderr: live in a terminal, a line per target elsewhere."""

import sys
from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

ENDS = ("done", "failed")


class Display:
    """Shows what every target is doing; of those that are over, as many as the terminal has room for."""

    def __init__(self, count: int) -> None:
        """Show nothing yet. count: of the targets."""
        self.console = Console(stderr=True)
        self.count, self.over = count, 0
        self.doing: dict[str, str] = {}
        self.tasks: dict[str, TaskID] = {}
        self.shown: deque[TaskID] = deque()
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

    def tell(self, *, target: str, doing: str, verdicts: int) -> None:
        """Show that a target does something, and how many verdicts it has."""
        over = doing in ENDS
        self.over += over
        so_far = f" ({self.over} of {self.count} targets)" if over and self.count > 1 else ""
        if self.progress:
            if target not in self.tasks:
                self.tasks[target] = self.progress.add_task(escape(target), total=None, doing="")
            task = self.tasks[target]
            self.progress.update(task, completed=verdicts, doing=escape(doing.splitlines()[0][:60]) + so_far)
            if over:
                self.progress.update(task, total=verdicts)
                self.shown.append(task)
            while len(self.shown) > max(1, self.console.height // 2):
                self.progress.update(self.shown.popleft(), visible=False)
        elif self.doing.get(target) != doing:
            count = f", {verdicts} verdicts" if doing == "done" else ""
            print(f"{target}: {doing}{count}{so_far}", file=sys.stderr, flush=True)
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
