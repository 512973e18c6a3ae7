"""The executions of a target side by side, and the causes of what differs."""

from dataclasses import replace

from bnspec import executions
from bnspec.columns import Column
from bnspec.executions import Cause, causes, groups


def column(execution="", rows=None, **info):
    name = f"env/a{'@' + execution if execution else ''}"
    about = {"adapter": "a", "device": "cpu", "execution": execution or "eager", **info}
    return Column(name, "frame 1.0", "", "", about, {}, rows or {}, True)


def row(verdict, variant=None, **more):
    return {"verdict": verdict, **({"variant": variant} if variant else {}), **more}


BASE = column(
    rows={
        "stats.timing[rank2]": row("conforms", "forward"),
        "stats.timing[rank4]": row("drifts", "forward"),
        "precision.bound[a]": row("imprecise", ratio=5.0),
        "forward.training[a]": row("conforms"),
        "masks.statistics[a]": row("unsupported"),
    }
)


def other(**rows):
    given = {f"{name.replace('__', '.')}": value for name, value in rows.items()}
    return column("jit", {**BASE.rows, **given}, compilations=7, wall_seconds=2.5)


def test_a_target_with_one_execution_is_no_group():
    assert groups([BASE]) == ()
    assert groups([column("jit")]) == ()


def test_the_default_execution_comes_first_and_what_differs_is_told():
    jit = other(
        **{"stats.timing[rank2]": row("conforms", "backward"), "forward.training[a]": row("crash", message="x")}
    )
    [group] = groups([jit, BASE])
    assert [one.name for one in group.executions] == ["eager", "jit"]
    assert group.title == "frame 1.0 (a)"
    crash, timing = group.executions[1].disagreements
    assert (crash.clause, crash.there, crash.here, crash.message) == ("forward.training", "conforms", "crash", "x")
    assert (timing.there, timing.here, timing.where) == ("forward", "backward", ("rank2",))
    assert (group.executions[1].compilations, group.executions[1].seconds) == (7, 2.5)


def test_documents_gaps_and_the_summary_itself_make_no_difference():
    jit = other(
        **{
            "stats.timing[rank4]": row("conforms", "forward"),
            "masks.statistics[a]": row("conforms", "excluded"),
            "execution.equivalence[stats]": row("violates"),
        }
    )
    [group] = groups([BASE, jit])
    assert group.executions[1].disagreements == ()


def test_one_that_cannot_run_is_told_with_its_reason():
    [group] = groups([BASE, replace(column("xla", failed="no compiler"), rows={})])
    assert [one.name for one in group.ran] == ["eager"]
    assert [(one.name, one.failed) for one in group.failed] == [("xla", "no compiler")]


def test_a_cause_explains_by_patterns_in_which_brackets_are_brackets(monkeypatch):
    cause = Cause(("a",), ("j*",), ("stats.timing[rank*",), ("backward",), "because")
    monkeypatch.setattr(executions, "causes", lambda: (cause,))
    jit = other(**{"stats.timing[rank2]": row("conforms", "backward"), "precision.bound[a]": row("conforms")})
    [group] = groups([BASE, jit])
    why = {one.clause: one.cause for one in group.executions[1].disagreements}
    assert why == {"stats.timing": "because", "precision.bound": None}
    assert cause.explains("a", "jit", "stats.timing[rank2]", "backward")
    assert not cause.explains("a", "eager", "stats.timing[rank2]", "backward")
    assert not cause.explains("a", "jit", "stats.timing[rank2]", "violates"), "it explains one answer, not every other"


def test_the_causes_are_whole():
    assert all(one.text and one.adapters and one.executions and one.ids and one.answers for one in causes())
