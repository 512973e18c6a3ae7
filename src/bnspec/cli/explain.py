"""`bnspec explain`: what is wrong with the batch normalization of the reader's own model."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bnspec.cli.shared import FILE, CannotDo, check_writable, own_environment

if TYPE_CHECKING:
    from bnspec.environments import Environment


@click.command("explain")
@click.argument("model", metavar="MODEL.py:FUNCTION")
@click.argument("data", type=FILE, metavar="DATA.npz")
@click.option("--here", is_flag=True, help="In this very Python; the default.")
@click.option("--python", metavar="PATH", help="The Python that has the model's framework.")
@click.option("--environment", metavar="NAME", help="Or an environment, made if need be: a name or a requirement.")
@click.option("--x", metavar="NAME", help="The array of DATA that is the batch; default: x, or the only one.")
@click.option("--y", metavar="NAME", help="The array of its targets; default: y, if there is one.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--report", type=FILE, metavar="FILE", help="Write a page, too: one HTML file.")
@click.option(
    "--timeout", type=click.FloatRange(0.1, 86_400), default=600.0, show_default=True, help="Seconds for the model."
)
def explain_command(
    model: str,
    data: Path,
    here: bool,
    python: str | None,
    environment: str | None,
    x: str | None,
    y: str | None,
    form: str,
    report: Path | None,
    timeout: float,
) -> None:
    """Say why your model's training and inference differ, layer by layer.

    FUNCTION takes nothing and returns the model: of Keras 3, tf.keras, torch or flax.nnx, or (module, variables) of
    flax.linen. The batch in DATA.npz goes through it in training and in inference mode; nothing in the model is
    changed. KERAS_BACKEND counts as ever. Exit status: 0 nothing wrong found, 1 a finding, 2 could not do it.
    """
    if sum((here, python is not None, environment is not None)) > 1:
        raise CannotDo("give --here, or --python PATH, or --environment NAME: one of them")
    if report is not None:
        check_writable(report)
    from bnspec.explain import BadData, NotExplained, explanation, measured, read_batch

    try:
        batch = read_batch(data, x, y)
        where, environ = chosen(python, environment)
        found = explanation(model, str(data), measured(where.interpreter, model, batch, environ, seconds=timeout))
    except (BadData, NotExplained) as problem:
        raise CannotDo(str(problem)) from None
    if form == "json":
        from bnspec.explain.records import as_json

        print(json.dumps(as_json(found), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        from bnspec.explain.text import print_explanation

        print_explanation(found)
    if report is not None:
        from bnspec.explain.page import page

        report.write_text(page(found), "utf-8")
        print(f"Page: {report}", file=sys.stdout if form == "text" else sys.stderr)
    sys.exit(1 if found.findings else 0)


def chosen(python: str | None, name: str | None) -> "tuple[Environment, Mapping[str, str]]":
    """Return the environment to run in, made if need be, and the variables that its Keras wants.

    An environment names its backend; what the reader has set wins, and so does their own Python's configuration.
    """
    existing = own_environment(name is None and python is None, python)
    if existing is not None:
        return existing, {}
    from bnspec.environments import find, make
    from bnspec.targets import adapters, declared_environ

    environment = find(str(name))
    make(environment)
    fitting = adapters(environment)
    wanted = declared_environ(fitting[0].path) if fitting else {}
    return environment, {key: value for key, value in wanted.items() if key not in os.environ}
