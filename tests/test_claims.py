"""Claims: one clear line for each that is wrong, and a framework that contradicts its own words drifts."""

import re
from pathlib import Path

import pytest

import bnspec.claims
from bnspec.claims import Claim, claims, contradict, documented, held_to, load, meet, spoken_of, unused, used
from bnspec.driver import Driver, Timeouts
from bnspec.environments import listed, reference
from bnspec.results import FINDINGS, Results, Row, TargetResults, read
from bnspec.runner import judged
from bnspec.runs import Run, carry_out
from bnspec.spec import AXES, SuiteError
from bnspec.suite import load_cases, with_axes
from bnspec.targets import BuiltIn, Target, adapters

TARGET = Target(reference(), "numpy", "bnspec.worker.adapters.reference:Reference")
NUMPY = BuiltIn("numpy", "bnspec.worker.adapters.reference:Reference", ("numpy",))

CLAIM = """
[docstrings]
"torch.nn.BatchNorm2d" = ["torch/nn/modules/batchnorm.py: BatchNorm2d"]

[[claim]]
axis = "stats.stored-variance"
situations = ["rank4*"]
adapters = ["torch.nn"]
versions = { torch = ">=2.2,<2.16" }
variant = "sample"
quote = "calculated via the unbiased estimator"
source = "torch.nn.BatchNorm2d"
read = ["torch 2.2.2"]
"""


@pytest.fixture
def written(tmp_path):
    """Write a file of claims, with parts of CLAIM replaced, and load it."""

    def write(*replaced: tuple[str, str], text: str = CLAIM) -> tuple[Claim, ...]:
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "torch.toml").write_text(text, "utf-8")
        return load(tmp_path)

    return write


@pytest.fixture
def documented_of_numpy(tmp_path, monkeypatch):
    """Put claims of the reference's framework in the place of the suite's."""

    def put(*answers: tuple[str, str, str]) -> None:
        folder = tmp_path / "suite" / "claims"
        folder.mkdir(parents=True)
        (folder / "numpy.toml").write_text(
            "".join(
                f'[[claim]]\naxis = "{axis}"\nsituations = ["{pattern}"]\nvariant = "{variant}"\n'
                'adapters = ["numpy"]\nversions = { numpy = ">=1" }\n'
                'quote = "the words\\nof it"\nsource = "https://example.org/page"\n'
                for axis, pattern, variant in answers
            ),
            "utf-8",
        )
        monkeypatch.setattr(bnspec.claims, "BUILT_IN", (NUMPY,))
        monkeypatch.setattr(bnspec.claims, "suite_folder", lambda: folder.parent)
        forget()

    yield put
    monkeypatch.undo()
    forget()


def forget() -> None:
    """Let the claims be read anew."""
    claims.cache_clear()
    spoken_of.cache_clear()


def run_selected(tmp_path: Path, expression: str) -> Results:
    """Run the reference on some cases, as the command does."""
    carry_out(Run([TARGET]), tmp_path / "results.jsonl", jobs=1, expression=expression)
    return read(tmp_path / "results.jsonl")


# The committed claims


def test_the_committed_claims_are_valid_and_each_names_what_it_quotes():
    for claim in claims():
        assert claim.variant in AXES[claim.axis].variants
        assert claim.is_page or claim.read, f"{claim.place}: nobody read it in a version"
        assert len(claim.quote) > 20, claim.place


ABOUT = [(claim, framework) for claim in claims() for framework, _ in claim.versions]
MATRIX = {
    (name.removesuffix("-cpu"), version, built_in.name)
    for environment in listed()
    for built_in in adapters(environment)
    for name, version in environment.pins.items()
    if name in built_in.distributions
}


@pytest.mark.parametrize("about", ABOUT, ids=lambda about: f"{about[0].place}: {about[1]}")
def test_an_environment_of_the_matrix_is_what_a_claim_is_about(about):
    claim, framework = about
    assert any(claim.speaks_of(*one) for one in MATRIX if one[0] == framework), "no environment has these versions"


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim.place)
def test_every_interface_of_a_claim_is_in_an_environment_of_its_versions(claim):
    assert {one[2] for one in MATRIX if claim.speaks_of(*one)} == set(claim.adapters)


# Reading


def test_a_claim_is_what_its_file_says(written):
    (claim,) = written()
    assert claim == Claim(
        axis="stats.stored-variance",
        variant="sample",
        adapters=("torch.nn",),
        versions=(("torch", ">=2.2,<2.16"),),
        quote="calculated via the unbiased estimator",
        source="torch.nn.BatchNorm2d",
        read=("torch 2.2.2",),
        situations=("rank4*",),
        place="torch.toml: claim 1 (stats.stored-variance)",
    )
    assert claim.speaks_of("torch", "2.13.0+cpu", "torch.nn")
    for about in (
        ("torch", "2.1.2", "torch.nn"),
        ("torch", "2.16.0", "torch.nn"),
        ("torch", "2.13.0", "torch.functional"),
        ("flax", "2.13.0", "torch.nn"),
        ("torch", "no version", "torch.nn"),
    ):
        assert not claim.speaks_of(*about)
    assert claim.covers("rank4-last")
    assert not claim.covers("rank2")


WRONG = {
    "no TOML": (("[[claim]]", "[[claim"), "is not TOML"),
    "no axis": (('axis = "stats', 'axes = "stats'), "claim 1 must contain"),
    "unknown axis": (("stored-variance", "stored-varience"), "no such axis"),
    "unknown variant": (
        ('"sample"', '"samples"'),
        "variant 'samples' is not known; expected one of population, sample",
    ),
    "unknown situation": (("rank4*", "rank9*"), "situation 'rank9*' is not known"),
    "unknown adapter": (('["torch.nn"]', '["torch.NN"]'), "adapter 'torch.NN' is not known"),
    "unknown distribution": (
        ("{ torch =", "{ pytorch ="),
        "distribution 'pytorch' is not known; expected one of torch",
    ),
    "adapter of another": (('["torch.nn"]', '["torch.nn", "flax.linen"]'), "flax.linen is no interface of torch"),
    "bad specifier": ((">=2.2,<2.16", "from 2.2 on"), "'from 2.2 on' is no specifier; expected such as '>=2.1,<2.4'"),
    "read elsewhere": (("torch 2.2.2", "torch 2.0.1"), "read 'torch 2.0.1' is not among its versions"),
    "read nowhere": (("torch 2.2.2", "2.2.2"), "read '2.2.2' is not among its versions"),
    "unknown source": (('source = "torch', 'source = "torhc'), "source 'torhc.nn.BatchNorm2d' is not known"),
    "unused docstring": (('source = "torch.nn.BatchNorm2d"', 'source = "https://example.org"'), "no claim has"),
    "empty quote": (('"calculated via the unbiased estimator"', '""'), "quote"),
    "unknown field": (('variant = "', 'page = "x"\nvariant = "'), "claim 1 must not contain {'page'}"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_a_claim_is_one_clear_line_with_file_and_claim(written, wrong):
    replaced, expected = WRONG[wrong]
    with pytest.raises(SuiteError) as raised:
        written(replaced)
    said = str(raised.value)
    assert "\n" not in said
    assert re.search(r"^torch\.toml: ", said)
    assert expected in said
    if wrong not in ("no TOML", "no axis", "unused docstring", "empty quote", "unknown field"):
        assert "claim 1 (stats." in said


SECOND = CLAIM.partition("\n[[claim]]")[2].replace("rank4*", "*").replace('"sample"', '"population"')


@pytest.mark.parametrize(
    ("change", "agrees"),
    [
        (("population", "population"), False),
        (("population", "sample"), True),
        (('["*"]', '["rank2"]'), True),
        ((">=2.2,<2.16", ">=1.0,<2.2"), True),
        ((">=2.2,<2.16", ">=2.8"), False),
        (('["torch.nn"]', '["torch.functional"]'), True),
    ],
)
def test_two_claims_that_contradict_each_other_are_told_both(written, change, agrees):
    text = f"{CLAIM}\n[[claim]]{SECOND.replace(*change)}".replace('read = ["torch 2.2.2"]', "")
    if agrees:
        assert len(written(text=text)) == 2
        return
    with pytest.raises(
        SuiteError, match=r"^torch\.toml: claim 1 .* says sample and torch\.toml: claim 2 .* population"
    ):
        written(text=text)


def test_ranges_meet_where_one_begins_in_the_other():
    assert meet(">=1,<3", ">=2,<4")
    assert meet(">=2,<4", ">=1")
    assert not meet(">=1,<2", ">=2,<4")
    assert meet("==2.1.*", ">=2,<2.2")


def test_claims_of_different_axes_do_not_contradict(written):
    (claim,) = written()
    other = Claim("stats.averaging", "exponential", claim.adapters, claim.versions, "q", claim.source)
    assert not contradict(claim, other)


def test_a_run_with_wrong_claims_says_so_before_it_judges(documented_of_numpy, tmp_path):
    documented_of_numpy(("stats.averaging", "*", "sliding"))
    with pytest.raises(SuiteError, match="variant 'sliding' is not known"):
        carry_out(Run([TARGET]), tmp_path / "results.jsonl", jobs=1, expression="stats.averaging")
    assert not (tmp_path / "results.jsonl").exists()


# Observed against documented


def test_a_variant_that_is_not_the_documented_one_drifts_and_says_both_and_the_words(documented_of_numpy, tmp_path):
    documented_of_numpy(("stats.stored-variance", "rank2", "sample"), ("stats.averaging", "*", "exponential"))
    results = run_selected(tmp_path, "rank2] and stats. or closed-form[k3]")
    rows = results.targets[TARGET.name].rows
    drifted = rows["stats.stored-variance[rank2]"]
    assert (drifted["verdict"], drifted["variant"], drifted["claimed"]) == ("drifts", "population", "sample")
    assert drifted["message"] == (
        "documented: sample, observed: population. “the words of it” (https://example.org/page)"
    )
    agreeing = rows["stats.averaging[rank2]"]
    assert (agreeing["verdict"], agreeing["variant"], agreeing["claimed"]) == ("conforms", "exponential", "exponential")
    assert "claimed" not in rows["stats.initial[rank2]"]


def test_what_is_judged_after_a_drift_is_judged_as_observed(documented_of_numpy, tmp_path):
    documented_of_numpy(("stats.momentum-weight", "*", "new"), ("forward.statistics", "*", "running"))
    rows = (
        run_selected(tmp_path, "closed-form[k3 or forward.statistics[rank2 or forward.training[rank2")
        .targets[TARGET.name]
        .rows
    )
    assert rows["forward.statistics[rank2]"]["verdict"] == "drifts"
    others = {row["verdict"] for id, row in rows.items() if not id.startswith("forward.statistics")}
    assert others == {"conforms"}


def test_a_claim_covers_its_own_situations_alone(documented_of_numpy, tmp_path):
    documented_of_numpy(("stats.stored-variance", "rank4*", "sample"))
    rows = (
        run_selected(tmp_path, "stats.stored-variance[rank2] or stats.stored-variance[rank4").targets[TARGET.name].rows
    )
    assert {id: row["verdict"] for id, row in rows.items()} == {
        "stats.stored-variance[rank2]": "conforms",
        **{id: "drifts" for id in rows if "rank4" in id},
    }
    assert len(rows) > 2


@pytest.mark.parametrize("verdict", sorted({"violates", "refuses", "blocked", "unsupported", "crash"}))
def test_a_verdict_that_is_no_answer_stays_and_is_told_the_claim(documented_of_numpy, verdict):
    documented_of_numpy(("stats.averaging", "*", "debiased"))
    row = Row("stats.averaging[rank2]", verdict, message="so it is")
    held = held_to(row, "numpy", "2.0", "numpy")
    assert (held.verdict, held.message, held.claimed) == (verdict, "so it is", "debiased")


def test_the_message_of_a_drift_keeps_what_was_said_before(documented_of_numpy):
    documented_of_numpy(("modes.unstated", "*", "train"))
    held = held_to(Row("modes.unstated[rank2]", "conforms", "raises", message="raised X"), "numpy", "2.0", "numpy")
    assert held.message.startswith("documented: train, observed: raises. ")
    assert held.message.endswith("raised X")


def test_of_another_framework_version_or_adapter_nothing_is_documented(documented_of_numpy):
    documented_of_numpy(("stats.averaging", "*", "debiased"))
    id = "stats.averaging[rank2]"
    assert documented("numpy", "2.0", "numpy", id).variant == "debiased"
    for about in (("torch", "2.0", "numpy"), ("numpy", "0.9", "numpy"), ("numpy", "2.0", "mine.py:Layer")):
        assert documented(*about, id) is None
        assert held_to(Row(id, "conforms", "exponential"), *about).verdict == "conforms"
    assert documented("numpy", "2.0", "numpy", "stats.initial[rank2]") is None


def test_the_conformance_tests_hold_a_framework_to_its_words_too(documented_of_numpy):
    documented_of_numpy(("stats.averaging", "rank2", "debiased"))
    driver = Driver(TARGET, Timeouts())
    driver.connect()
    rows = {row.id: row for row in judged(driver, with_axes(load_cases(), {"stats.averaging[rank2]"}))}
    assert rows["stats.averaging[rank2]"].verdict == "drifts"
    assert "drifts" in FINDINGS


# Which claims were used


def test_a_claim_that_nothing_was_held_to_is_told(documented_of_numpy, tmp_path):
    documented_of_numpy(
        ("stats.averaging", "rank2", "debiased"),
        ("stats.averaging", "rank5*", "debiased"),
        ("modes.nested", "*", "inherits"),
    )
    target = run_selected(tmp_path, "rank2] and stats. or modes.nested").targets[TARGET.name]
    assert target.rows["modes.nested[user-layer-call]"]["claimed"] == "inherits"
    assert target.rows["modes.nested[user-layer-call]"]["verdict"] == "unsupported"
    assert [(claim.axis, claim.situations) for claim in used([target])] == [("stats.averaging", ("rank2",))]
    assert [(claim.axis, claim.situations) for claim in unused([target])] == [
        ("stats.averaging", ("rank5*",)),
        ("modes.nested", ("*",)),
    ]
    elsewhere = TargetResults({**target.info, "version": "0.9"}, target.rows, complete=True)
    assert used([elsewhere]) == frozenset()
    assert unused([elsewhere]) == ()
