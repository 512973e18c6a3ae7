"""`bnspec diff`: what changed from some results to others."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnspec.cli.shared import FILE, CannotDo, check_writable, results_files

if TYPE_CHECKING:
    from bnspec.compare.diff import Diff
    from bnspec.compare.narrow import Narrowing

FORMATS = ("text", "md", "json")
RANKS = (2, 3, 4, 5)
DTYPES = (
    "float32", "float64", "float16", "bfloat16", "float16-mixed", "float16-pure", "bfloat16-mixed", "bfloat16-pure",
)  # fmt: skip

OPTIONS = (
    click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True),
    click.option(
        "--allow", multiple=True, metavar="NAME",
        help="Accept a change: an axis, a clause, AXIS[SITUATION] with * for any characters, or a fact; repeat it.",
    ),
    click.option("--rank", "ranks", multiple=True, type=click.IntRange(2, 5), help="My layers' rank, batch included."),
    click.option(
        "--dtype", "dtypes", multiple=True, type=click.Choice(DTYPES),
        help="My layers' type; float16 is mixed (float32 parameters) and pure. Questions asked of float32 alone, "
        "such as those on modes and freezing, hold for every type and are kept.",
    ),
    click.option("--channels", type=click.Choice(["first", "last"]), help="Where my channels are."),
    click.option(
        "--frozen/--no-frozen", default=None,
        help="All my layers are frozen (the questions of training are then left out, unless one of the two trains "
        "frozen layers), or none ever is.",
    ),
    click.option("--no-mask", is_flag=True, help="I use no masks."),
    click.option("--no-trainer", is_flag=True, help="I use no fit, evaluate or predict of the framework."),
)  # fmt: skip
"""What `diff` and `upgrade` both take: the form of the answer, what is accepted, what my layers are."""


def narrowed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a diff."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command("diff")
@click.argument("base", type=FILE)
@click.argument("candidate", type=FILE)
@narrowed
@click.option(
    "--pair", "pairs", multiple=True, metavar="BASE=CANDIDATE",
    help="Compare these two targets, by name or a part of it; repeat it.",
)  # fmt: skip
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Write the answer here, not to stdout.")
def diff_command(base: Path, candidate: Path, pairs: tuple[str, ...], output: Path | None, **options: Any) -> None:
    """Say what changed from BASE to CANDIDATE, two results files or folders of them.

    Targets of one name are compared, or else those of one adapter. Exit status: 0 behaviour is the same (names
    and arguments may differ), 1 it changed, 2 it could not be compared.
    """
    from bnspec.report.clean import cleaned
    from bnspec.results import read

    files = [results_files([side]) for side in (base, candidate)]
    if output:
        if output.resolve() in [file.resolve() for side in files for file in side]:
            raise CannotDo(f"-o {output} is one of the results files; name another file for the answer")
        check_writable(output)
    sides = [[cleaned(read(file)) for file in side] for side in files]
    found = compared(sides[0], sides[1], pairs=pairs, **options)
    answer(found, options["form"], output)
    sys.exit(1 if found.changed else 0)


def compared(
    base: Any, candidate: Any, *, pairs: tuple[str, ...] = (), allow: tuple[str, ...], **options: Any
) -> "Diff":
    """Return the diff that the options ask for. Raises CannotDo where there is nothing to compare."""
    from bnspec.compare.allow import UnknownAllowance
    from bnspec.compare.diff import NothingToCompare, diff
    from bnspec.compare.pairs import NoPair

    try:
        return diff(base, candidate, pairs=pairs, allow=allow, narrowing=narrowing(options))
    except (NothingToCompare, NoPair, UnknownAllowance) as problem:
        raise CannotDo(str(problem)) from None


def narrowing(options: dict[str, Any]) -> "Narrowing":
    """Return what the options say of my layers."""
    from bnspec.compare.narrow import Narrowing

    return Narrowing(
        ranks=options["ranks"],
        dtypes=options["dtypes"],
        channels=options["channels"],
        frozen=options["frozen"],
        masks=not options["no_mask"],
        trainer=not options["no_trainer"],
    )


def answer(found: "Diff", form: str, output: Path | None) -> None:
    """Print a diff or write it to a file; what is not needed any more is told beside it."""
    from bnspec.compare.text import as_text, print_diff

    for name in found.unused:
        print(f"bnspec: --allow {name} is not needed: nothing changed there", file=sys.stderr)
    if form == "text" and output is None:
        print_diff(found)
        return
    text = as_text(found) if form == "text" else formatted(found, form)
    if output:
        output.write_text(text, "utf-8")
    else:
        sys.stdout.write(text)


def formatted(found: "Diff", form: str) -> str:
    """Return a diff as Markdown or JSON."""
    import json

    from bnspec.compare.data import as_data
    from bnspec.compare.markdown import as_markdown

    return as_markdown(found) if form == "md" else json.dumps(as_data(found), indent=2, ensure_ascii=False) + "\n"
