"""Replicas of the reference: what every step shows of each, by hand from the shares."""

import numpy as np
import pytest

from bnspec.case import Case, Layer, infer_shares, read_shares, train_shares, write
from bnspec.data import batch
from bnspec.simulate import questions, simulate
from bnspec.spec import AXES, Dialect, SuiteError, UndefinedError
from bnspec.suite import check_program, load_cases
from bnspec.worker.loop import load_adapter

SHARES = [batch((n, 3), -1, seed=60 + n, mean=mean) for n, mean in ((6, 1.0), (2, -1.0))]
DYS = [batch((n, 3), -1, seed=70 + n, mean=0.5) for n in (6, 2)]
WIDE = [x.astype(float) for x in SHARES]
UNION = np.concatenate(WIDE)
OLD = {"mean": [2.0, -1.5, 1.0], "variance": [4.0, 6.0, 9.0]}
SCALE = np.array([1.5, -0.5, 2.0])
START = write(**OLD, scale=SCALE, offset=np.zeros(3))
KEEP, EPSILON = 0.75, 1e-3


def case(*steps, synchronised=True, clause="replicas.union"):
    return Case((clause,), "2", Layer(), (START, *steps), "why", replicas=2, synchronised=synchronised)


def knowing(**answers):
    return Dialect().answering({f"replicas.{name.replace('_', '-')}": v for name, v in answers.items()}, "2")


def normalised(x, mean, variance):
    return SCALE * (x - mean) / np.sqrt(variance + EPSILON)


def moved(name, new):
    return KEEP * np.array(OLD[name]) + (1 - KEEP) * new


def mixture():
    """Mean and variance of shares that weigh the same."""
    mean = np.mean([x.mean(axis=0) for x in WIDE], axis=0)
    return mean, np.mean([(x**2).mean(axis=0) for x in WIDE], axis=0) - mean**2


POOLED = UNION.mean(axis=0), UNION.var(axis=0)


@pytest.mark.parametrize(("answer", "used"), [("pooled", [POOLED] * 2), ("averaged", [mixture()] * 2), ("local", None)])
def test_shares_are_normalised_by_the_moments_of_the_dialect(answer, used):
    used = used or [(x.mean(axis=0), x.var(axis=0)) for x in WIDE]
    *_, y, state = simulate(case(train_shares(*SHARES), read_shares()), knowing(moments=answer, stored_variance="none"))
    for n, (mean, variance) in enumerate(used):
        np.testing.assert_allclose(y.values[f"y{n}"].value, normalised(WIDE[n], mean, variance), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(state.values[f"mean{n}"].value, moved("mean", mean), rtol=1e-9)
        np.testing.assert_allclose(state.values[f"variance{n}"].value, moved("variance", variance), rtol=1e-9)


@pytest.mark.parametrize(
    ("answer", "factors"), [("global", (8 / 7, 8 / 7)), ("local", (6 / 5, 2 / 1)), ("none", (1, 1))]
)
def test_n_of_the_stored_variance_is_that_of_the_dialect(answer, factors):
    *_, state = simulate(case(train_shares(*SHARES), read_shares()), knowing(stored_variance=answer))
    for n, factor in enumerate(factors):
        expected = moved("variance", POOLED[1] * factor)
        np.testing.assert_allclose(state.values[f"variance{n}"].value, expected, rtol=1e-9)


def loss(shares, moments):
    """Return Σ dy·y over all shares."""
    return sum((dy * normalised(x, *moments(shares))).sum() for x, dy in zip(shares, DYS, strict=True))


@pytest.mark.parametrize("answer", ["pooled", "averaged"])
def test_input_gradients_are_those_of_the_loss_over_all_shares(answer):
    def moments(shares):
        weight = [1 / len(shares) if answer == "averaged" else len(x) / 8 for x in shares]
        mean = sum(w * x.mean(axis=0) for w, x in zip(weight, shares, strict=True))
        return mean, sum(w * (x**2).mean(axis=0) for w, x in zip(weight, shares, strict=True)) - mean**2

    _, shown = simulate(case(train_shares(*SHARES, dys=DYS)), knowing(moments=answer))
    for n, x in enumerate(WIDE):
        found = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            ends = []
            for step in (1e-5, -1e-5):
                changed = [share.copy() for share in WIDE]
                changed[n][index] += step
                ends.append(loss(changed, moments))
            found[index] = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(shown.values[f"dx{n}"].value, found, rtol=1e-5, atol=1e-7)


def test_parameter_gradients_are_added_up_averaged_or_left():
    shown = {
        answer: simulate(case(train_shares(*SHARES, dys=DYS)), knowing(gradient=answer))[1].values
        for answer in AXES["replicas.gradient"].variants
    }
    own = [dy.astype(float).sum(axis=0) for dy in DYS]
    for n in range(2):
        np.testing.assert_allclose(shown["own"][f"offset{n}"].value, own[n], rtol=1e-9)
        np.testing.assert_allclose(shown["summed"][f"offset{n}"].value, own[0] + own[1], rtol=1e-9)
        np.testing.assert_allclose(shown["averaged"][f"offset{n}"].value, (own[0] + own[1]) / 2, rtol=1e-9)
        xhat = normalised(UNION, *POOLED) / SCALE
        whole = (np.concatenate(DYS) * xhat).sum(axis=0)
        np.testing.assert_allclose(shown["summed"][f"scale{n}"].value, whole, rtol=1e-6)


def plain(answer):
    """Return what two plain replicas show in inference and when they are read, after two steps of training."""
    other = [x + np.float32(1) for x in SHARES]
    steps = (train_shares(*SHARES), train_shares(*other), infer_shares(*SHARES), read_shares("mean"))
    *_, y, state = simulate(case(*steps, synchronised=False, clause="replicas.shares"), knowing(plain=answer))
    own = [KEEP * moved("mean", x.mean(axis=0)) + (1 - KEEP) * (x.mean(axis=0) + 1) for x in WIDE]
    return y, [state.values[f"mean{n}"].value for n in range(2)], own


def test_statistics_of_plain_replicas_remain_as_the_dialect_says():
    first, means = {}, {}
    for answer in ("each-own", "first", "averaged", "first-when-read", "averaged-when-read"):
        y, means[answer], own = plain(answer)
        first[answer] = y.values["y1"].value
    both = np.mean(own, axis=0)
    read = {"each-own": own, "first": [own[0]] * 2, "averaged": [both] * 2}
    read.update({"first-when-read": [own[0]] * 2, "averaged-when-read": [both] * 2})
    for answer, expected in read.items():
        np.testing.assert_allclose(means[answer], expected, rtol=1e-6, err_msg=answer)
    for answer in ("first-when-read", "averaged-when-read"):
        np.testing.assert_array_equal(first[answer], first["each-own"])
    assert not np.allclose(first["first"], first["each-own"])


def test_a_local_layer_stores_as_a_plain_one():
    known = knowing(moments="local", stored_variance="none", plain="first-when-read")
    *_, state = simulate(case(train_shares(*SHARES), read_shares("mean")), known)
    np.testing.assert_array_equal(state.values["mean1"].value, state.values["mean0"].value)


def test_what_a_mask_leaves_out_is_in_no_moment_and_nobodys_question():
    masks = [np.arange(6) < 4, np.arange(6) < 2]
    shares = [batch((6, 3), -1, seed=80 + n, mean=float(n)) for n in range(2)]
    _, shown = simulate(case(train_shares(*shares, masks=masks)), Dialect())
    counted = np.concatenate([x[mask] for x, mask in zip(shares, masks, strict=True)]).astype(float)
    expected = normalised(shares[0][:4], counted.mean(axis=0), counted.var(axis=0))
    np.testing.assert_allclose(shown.values["y0"].value[:4], expected, rtol=1e-9)
    assert np.isinf(shown.values["y0"].allowance[4:]).all()
    assert np.isfinite(shown.values["y0"].allowance[:4]).all()


def test_replicas_that_raise_have_no_union():
    with pytest.raises(UndefinedError, match="a training step of these replicas raises"):
        simulate(case(train_shares(*SHARES)), knowing(moments="raises"))


def test_outputs_of_plain_replicas_do_not_depend_on_whose_statistics_remain():
    known = Dialect().not_deciding(["replicas.plain"], "2")
    steps = (train_shares(*SHARES, dys=DYS, asked=("y", "dx")),)
    _, shown = simulate(case(*steps, synchronised=False, clause="replicas.shares"), known)
    for n, x in enumerate(WIDE):
        expected = normalised(x, x.mean(axis=0), x.var(axis=0))
        np.testing.assert_allclose(shown.values[f"y{n}"].value, expected, rtol=1e-9)


def test_an_output_does_not_ask_what_is_stored():
    asked = {axis for axis, _ in questions(case(train_shares(*SHARES)), Dialect())}
    assert "replicas.moments" in asked
    assert "replicas.stored-variance" not in asked


def test_steps_of_replicas_and_of_a_layer_do_not_mix():
    with pytest.raises(SuiteError, match="no adapter can do step 2, 'train_shares'"):
        check_program(Case(("replicas.union",), "1", Layer(), (START, train_shares(*SHARES)), "why"))


# The suite on replicas in NumPy


def mutant(name):
    from bnspec.paths import mutants_folder

    return load_adapter(f"{mutants_folder()}/{name.replace('.', '.py:')}")


def test_correct_replicas_are_the_union(verdicts):
    rows = verdicts(mutant("correct.Correct"), "replicas")
    assert len(rows) == sum(len(case.ids) for case in load_cases() if case.replicas > 1) - 2  # masks.statistics
    assert {row.verdict for row in rows.values()} == {"conforms"}
    assert rows["replicas.moments[4-unequal-rank4-last]"].variant == "pooled"
    assert rows["replicas.plain[plain-2-equal-rank2]"].variant == "each-own"


@pytest.mark.parametrize(
    ("name", "identifier", "variant"),
    [
        ("replicas.Averaged", "replicas.moments[2-masked-rank2]", "averaged"),
        ("replicas.Averaged", "replicas.gradient[4-equal-rank4-first]", "averaged"),
        ("replicas.Local", "replicas.stored-variance[2-unequal-rank2]", "local"),
        ("replicas.Local", "replicas.plain[plain-4-unequal-rank4-first]", "first"),
        ("replicas.SampleOfAll", "replicas.stored-variance[2-unequal-rank2]", "global"),
        ("replicas.NotTogether", "replicas.moments[2-equal-rank2]", "raises"),
    ],
)
def test_another_dialect_is_told_and_has_no_finding(verdicts, name, identifier, variant):
    rows = verdicts(mutant(name), identifier.partition("[")[2][:-1])
    assert rows[identifier].variant == variant
    assert {row.verdict for row in rows.values()} <= {"conforms", "unsupported"}


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("replicas.VariancesAveraged", "replicas.stored-variance[2-equal-rank2]"),
        ("replicas.GradientOfItsShare", "replicas.union[4-unequal-rank4-last]"),
        ("replicas.SynchronisedUnasked", "replicas.shares[plain-2-equal-rank2]"),
    ],
)
def test_a_fault_is_named(verdicts, name, identifier):
    assert verdicts(mutant(name), identifier)[identifier].verdict == "violates"


def test_a_framework_that_lost_its_replicas_says_so():
    from bnspec.answers import parse_trace

    for status in ("timeout", "crash", "not-run"):
        trace = parse_trace({"status": status, "reason": "the replicas did not finish train"}, [])
        assert (trace.status, trace.reason) == (status, "the replicas did not finish train")
