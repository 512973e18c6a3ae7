"""Progress: a line for each change where nobody looks, rows that fit where somebody does."""

import io

import pytest
from rich.console import Console

import bnspec.progress
from bnspec.progress import Display

HEIGHT = 20


def test_without_a_terminal_every_change_is_a_line(capsys):
    with Display(2) as display:
        for verdicts in (1, 2):
            display.tell(target="a", doing="running", verdicts=verdicts)
        display.tell(target="b", doing="failed", verdicts=0)
        display.tell(target="a", doing="done", verdicts=2)
    assert capsys.readouterr().err == "a: running\nb: failed (1 of 2 targets)\na: done, 2 verdicts (2 of 2 targets)\n"


def test_a_single_target_is_not_counted(capsys):
    with Display(1) as display:
        display.tell(target="a", doing="done", verdicts=1)
    assert capsys.readouterr().err == "a: done, 1 verdicts\n"


@pytest.fixture
def terminal(monkeypatch) -> io.StringIO:
    """What a terminal of few lines is sent."""
    sent = io.StringIO()
    console = Console(file=sent, force_terminal=True, width=100, height=HEIGHT)
    monkeypatch.setattr(bnspec.progress, "Console", lambda **options: console)
    return sent


def test_a_terminal_shows_those_that_run_and_as_many_of_the_others_as_fit(terminal):
    with Display(100) as display:
        display.tell(target="slow", doing="running", verdicts=7)
        for number in range(99):
            display.tell(target=f"t{number}", doing="importing", verdicts=0)
            display.tell(target=f"t{number}", doing="done", verdicts=1)
            shown = [task.description for task in display.progress.tasks if task.visible]
            assert "slow" in shown
            assert f"t{number}" in shown
            assert len(shown) <= HEIGHT // 2 + 1
    assert "(99 of 100 targets)" in terminal.getvalue()


def test_a_name_is_no_markup(terminal):
    with Display(1) as display:
        display.tell(target="[red]x[/red]", doing="[bold]odd\nsecond", verdicts=1)
    assert "[red]x[/red]" in terminal.getvalue()
    assert "second" not in terminal.getvalue()
