"""A results file as a run would write it, made up: five targets, a hundred questions, every verdict."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bnspec.case import PLACES, Case, Layer, place, read, train
from bnspec.report import build
from bnspec.results import Results, TargetResults, Writer
from bnspec.results import read as read_results
from bnspec.spec import AXES, CLAUSES
from bnspec.stories.page import Page as Story

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RUN = {
    "schema": 1,
    "suite": "0.1.0",
    "revision": "3f2a9c1",
    "date": "2025-11-21T08:00:00Z",
    "command": ["bnspec", "run", "numpy", "torch", "keras", "flax", "-o", "results.jsonl"],
    "selection": None,
    "os": "Linux 6.1 x86_64",
    "cpu": "Intel Xeon",
    "cores": 2,
    "seed": 0,
}

TARGETS: Mapping[str, Mapping[str, Any]] = {
    "numpy/numpy": {"framework": "numpy", "version": "2.3.5", "python": "3.11.7"},
    "py312-torch-2.13.0/torch": {"framework": "torch", "version": "2.13.0", "python": "3.12.8"},
    "py312-keras-3.15.1/keras": {"framework": "keras", "version": "3.15.1", "python": "3.12.8"},
    "py36-keras-2.2.4/keras": {"framework": "keras", "version": "2.2.4", "python": "3.6.15"},
    "py312-flax-0.12.1/flax": {"framework": "flax", "version": "0.12.1", "python": "3.12.8"},
}

ANSWERS: Mapping[str, Mapping[str, str]] = {
    "torch": {"stats.momentum-weight": "new", "stats.stored-variance": "sample", "frozen.update": "updates"},
    "keras 3": {"frozen.normalisation": "moving"},
    "keras 2": {"frozen.normalisation": "batch", "modes.nested": "fixed-infer", "modes.unstated": "raises"},
    "flax": {"precision.moments": "one-pass", "degenerate.single": "nan", "modes.unstated": "raises"},
}

ODD: Mapping[tuple[str, str], tuple[str, str]] = {
    ("keras 2", "stats.closed-form[rank4-first]"): (
        "violates",
        "step 3 (get_state): variance[0] = 1.33333337; expected 1.25 ± 6e-07 (error 0.0833). "
        "Measured: moving variance = 0.75·old + 0.333333·v + 0, residual 2e-08",
    ),
    ("keras 2", "gradient.training[rank5-last]"): ("crash", "the worker died of signal 11 (SIGSEGV)"),
    ("keras 2", "forward.channels[rank5-first]"): (
        "refuses",
        "step 1 (train): raised ValueError: no NCDHW on CPU",
    ),
    ("keras 2", "modes.toggle[rank4-last]"): ("timeout", "no answer after 60 s"),
    ("keras 3", "frozen.update[rank2]"): ("drifts", "keras documents `none` for 3.15.1; observed `updates`"),
    ("flax", "forward.training[rank4-last]"): (
        "imprecise",
        "421 allowances of two passes; one pass explains it",
    ),
    ("flax", "stats.averaging[rank2]"): ("inconclusive", "debiased and exponential fit alike"),
    ("flax", "stats.closed-form[rank2]"): (
        "blocked",
        "depends on stats.averaging[rank2], which was not decided",
    ),
    ("flax", "forward.inference[rank3-first]"): ("error", "the adapter raised KeyError: 'batch_stats'"),
    ("torch", "forward.affine[rank2]"): ("not-run", "interrupted"),
}

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

SITUATIONS = tuple(place(rank, axis) for rank, axis in PLACES)


def family_of(target: str) -> str:
    """Return which made-up framework a target is."""
    info = TARGETS[target]
    name = str(info["framework"])
    return f"{name} {str(info['version'])[0]}" if name == "keras" else name


def rows_of(target: str, random: Random) -> Iterator[dict[str, Any]]:
    """Yield the rows of a made-up target."""
    name = family_of(target)
    for clause in (*AXES, *CLAUSES):
        for situation in SITUATIONS if clause.startswith(("stats", "forward", "gradient")) else SITUATIONS[:4:3]:
            id = f"{clause}[{situation}]"
            row: dict[str, Any] = {
                "id": id,
                "verdict": "conforms",
                "ratio": random.random() / 3,
                "seconds": 0.001,
            }
            if clause in AXES:
                row["variant"] = ANSWERS.get(name, {}).get(clause, AXES[clause].default)
                row["margin"] = random.choice([1292.0, 40.0, float("inf")])
            if name == "keras 3" and clause == "stats.stored-variance" and situation.startswith("rank4"):
                row["variant"] = "sample"
            if clause == "modes.nested" and name in ("numpy", "torch"):
                row = {"id": id, "verdict": "unsupported", "message": "it has no trainer"}
            if (name, id) in ODD:
                verdict, message = ODD[name, id]
                row |= {"verdict": verdict, "message": message}
                if verdict in ("violates", "imprecise"):
                    row |= {"ratio": 138542.0, "index": [0], "arrays": {"3.variance": [1.3333334, 0.5, 2.25]}}
                else:
                    row.pop("ratio", None)
                    row.pop("variant", None) if verdict != "drifts" else row.update(variant="updates")
            yield row


def write_sample(path: Path, *, skip: tuple[str, ...] = (), run: Mapping[str, Any] | None = None) -> Results:
    """Write and read the made-up results, without some targets, with other provenance."""
    random = Random(0)
    with Writer(path) as writer:
        kept = [target for target in TARGETS if target not in skip]
        writer.write("run", **{**RUN, "cases": len(list(rows_of(kept[0], random))), **(run or {})})
        for target in kept:
            write_target(writer, target, rows_of(target, random))
    return read_results(path)


def write_target(writer: Writer, target: str, rows: Iterator[dict[str, Any]]) -> None:
    """Write one made-up target."""
    environment, _, adapter = target.partition("/")
    facts = {
        "momentum": 0.1 if "torch" in target else 0.99,
        "epsilon": 1e-3,
        "state": ["gamma", "beta", "moving_mean", "moving_variance"],
        "given another rank": "InvalidArgumentError: " + "the input must have as many axes as the layer; " * 4,
    }
    packages = {f"package-{number}": f"{number}.0.1" for number in range(40)}
    about = {"environment": environment, "adapter": adapter, "device": "cpu", "execution": "eager"}
    writer.write("target", target=target, packages=packages, facts=facts, **about, **TARGETS[target])
    for row in rows:
        writer.write("case", target=target, **row)
    writer.write("target-end", target=target, counts={})


def sample_cases() -> dict[str, Case]:
    """Return made-up cases for the ids of the sample, all but those of one clause."""
    cases = {}
    for rank, axis in PLACES:
        for clause in (*AXES, *CLAUSES):
            if clause == "gradient.inference":
                continue
            shape = [2] * rank
            shape[axis] = 3
            small = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / np.float32(10)
            large = np.zeros((256, *shape[1:]), dtype=np.float32)
            case = Case(
                (clause,),
                place(rank, axis),
                Layer(rank=rank, axis=axis),
                (train(small), read(), train(large), read()),
                "Two values per channel, so that N/(N−1) is 2: no estimator can hide behind a large N.",
                tuple({clause: variant} for variant in AXES[clause].variants) if clause in AXES else (),
            )
            cases[case.key] = case
    return cases


def implementation(name: str, **changes: Any) -> dict[str, Any]:
    """Return the record of a mutant that its clause caught."""
    own = {"clause": ["stats.stored-variance"], "killed": ["stats.stored-variance[rank2]"], "kills": 1, "named": True}
    return {"name": name, "kind": "mutant", "fault": "v/(N + 1) is stored", "findings": 0, **own, **changes}


def with_versions(results: Results, *versions: str) -> Results:
    """Return results with older versions of torch; two answers of 1.5.1 are others than those of all later ones."""
    name = "py312-torch-2.13.0/torch"
    newest = results.targets[name]
    older = {}
    for version in versions:
        rows = dict(newest.rows)
        if version == "1.5.1":
            rows["frozen.update[rank2]"] = {**rows["frozen.update[rank2]"], "variant": "none"}
            rows["forward.affine[rank4-last]"] = {"id": "", "verdict": "refuses", "message": "raised ValueError: no"}
        info = {**newest.info, "version": version, "environment": f"py38-torch-{version}"}
        older[f"py38-torch-{version}/torch"] = TargetResults(info, rows, True)
    return replace(results, targets={**older, **results.targets})


MANY = [f"1.{minor}.0" for minor in range(7, 28)]
"""Versions enough that they do not all stand beside each other."""

IMPLEMENTATIONS = (
    implementation("divides-by-one-more", kills=7, killed=[f"stats.stored-variance[{name}]" for name in SITUATIONS]),
    implementation("leaks-a-channel", kills=0, killed=[], named=False, clause=["forward.channels"]),
    implementation("rounds-its-state", named=False),
    implementation("two-pass", kind="correct", fault="", clause=[], killed=[], kills=0),
    implementation("welford", kind="correct", fault="", clause=[], killed=[], kills=0, findings=2),
)


def write_selftest(path: Path) -> Results:
    """Write and read the made-up results of a self-test, of no target."""
    with Writer(path) as writer:
        writer.write("run", **{**RUN, "cases": 100, "command": ["bnspec", "selftest"]})
        for record in IMPLEMENTATIONS:
            writer.write("implementation", **record)
    return read_results(path)


@pytest.fixture
def selftest(tmp_path: Path) -> Results:
    """Return the made-up results of a self-test."""
    return write_selftest(tmp_path / "selftest.jsonl")


@pytest.fixture
def sample(tmp_path: Path) -> Callable[..., Results]:
    """Return a maker of made-up results."""

    def make(name: str = "results.jsonl", **changes: Any) -> Results:
        return write_sample(tmp_path / name, **changes)

    return make


@pytest.fixture
def versions(sample: Callable[..., Results]) -> Results:
    """Return the made-up results with two older versions of torch."""
    return with_versions(sample(), "1.5.1", "1.6.0")


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Return the made-up results with more versions of torch than stand beside each other."""
    made = write_sample(tmp_path_factory.mktemp("many") / "results.jsonl")
    return with_versions(made, "1.5.1", "1.6.0", *MANY)


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    """Return the made-up cases by id."""
    return sample_cases()


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Return the browser of this machine."""
    # Only what is seen in a browser needs one.
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail(
            f"no browser: none of {', '.join(BROWSERS)} is on PATH. Install one: sh tools/install-browser.sh "
            "(or: apt-get install chromium)"
        )
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def open_page(
    browser: "Browser", tmp_path: Path, sample: Callable[..., Results], cases: Mapping[str, Case]
) -> Iterator[Callable[..., "Page"]]:
    """Open a page of results; nothing may be said on the console or asked of the network."""
    complaints: list[str] = []
    contexts = []

    def opened(
        fragment: str = "",
        *,
        results: Results | None = None,
        file: Path | None = None,
        scripts: bool = True,
        stories: Sequence[Story] = (),
        **options: object,
    ) -> "Page":
        if file is None:
            file = tmp_path / "report.html"
            file.write_text(build([results or sample()], cases, stories=stories), "utf-8")
        context = browser.new_context(
            java_script_enabled=scripts, **{"viewport": {"width": 1400, "height": 900}, **options}
        )
        contexts.append(context)
        context.set_offline(True)

        def only_files(route):
            if route.request.url.startswith("file:"):
                return route.continue_()
            complaints.append(f"asked for {route.request.url}")
            return route.abort()

        context.route("**/*", only_files)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{file.as_uri()}{fragment}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
