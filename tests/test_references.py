"""What is known of the history: found in results by itself, or told as missing."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bnspec.columns import Column
from bnspec.history import Lineage, declared, lineages
from bnspec.references import Reference, Spot, find, known, matched, references
from bnspec.spec import AXES, CLAUSES

ROOT = Path(__file__).parent.parent


def lineages_of(*answers: tuple[str, dict[str, Any]], adapter: str = "torch.nn") -> Sequence[Lineage]:
    shown = []
    for version, rows in answers:
        info = {"framework": "torch", "version": version, "adapter": adapter, "facts": rows.pop("facts", {})}
        full = {
            id: {"id": id, "verdict": "conforms", "variant": given} if given in AXES[id.partition("[")[0]].variants
            else {"id": id, "verdict": given}
            for id, given in rows.items()
        }  # fmt: skip
        shown.append(Column(version, f"torch {version}", "", "", info, {}, full, complete=True))
    return lineages(shown)


MOVED = (
    ("1.3.1", {"frozen.update[rank2]": "updates"}),
    ("1.5.1", {"frozen.update[rank2]": "updates"}),
    ("1.6.0", {"frozen.update[rank2]": "none"}),
)


@pytest.mark.parametrize("since", ["1.5.2", "1.6", "1.6.0"])
def test_a_change_is_found_in_the_step_across_its_version(since: str) -> None:
    found = find(Spot("torch.nn", "frozen.update", since=since), lineages_of(*MOVED))
    assert found is not None
    assert found.versions == "1.5.1 → 1.6.0"
    assert found.ids == ("frozen.update[rank2]",)


@pytest.mark.parametrize("since", ["1.3.1", "1.5", "1.5.1", "1.7"])
def test_a_change_in_another_step_is_not_taken_for_it(since: str) -> None:
    assert find(Spot("torch.nn", "frozen.update", since=since), lineages_of(*MOVED)) is None


def test_a_change_of_another_subject_or_lineage_is_not_taken_for_it() -> None:
    assert find(Spot("torch.nn", "frozen.normalisation", since="1.6"), lineages_of(*MOVED)) is None
    assert find(Spot("keras", "frozen.update", since="1.6"), lineages_of(*MOVED)) is None


def test_a_fact_can_have_changed_too() -> None:
    every = lineages_of(("1.1.0", {"facts": {"epsilon": 1e-5}}), ("1.3.1", {"facts": {"epsilon": 1e-3}}))
    assert find(Spot("torch.nn", "epsilon", since="1.3"), every) is not None


ALWAYS = {"stats.recompute[rank2]": "twice", "stats.recompute[rank4-first]": "twice"}


def test_what_never_changed_is_found_with_the_versions_that_were_asked() -> None:
    silent = {"stats.recompute[rank2]": "unsupported", "stats.recompute[rank4-first]": "unsupported"}
    every = lineages_of(("1.0.0", silent), ("1.1.0", dict(ALWAYS)), ("1.3.1", dict(ALWAYS)))
    found = find(Spot("torch.nn", "stats.recompute", shows="twice"), every)
    assert found is not None
    assert (str(found), found.ids) == ("torch.nn 1.1.0 … 1.3.1", tuple(ALWAYS))


def test_one_version_that_answers_otherwise_is_enough_to_miss_it_unless_it_is_left_out() -> None:
    once = dict.fromkeys(ALWAYS, "once")
    every = lineages_of(("1.1.0", once), ("1.3.1", dict(ALWAYS)))
    assert find(Spot("torch.nn", "stats.recompute", shows="twice"), every) is None
    assert find(Spot("torch.nn", "stats.recompute", shows="twice", versions=">=1.3"), every) is not None
    assert find(Spot("torch.nn", "stats.recompute", shows="once", versions=">=1.3"), every) is None


def test_only_the_situations_that_are_named_count() -> None:
    mixed = {"stats.recompute[rank2]": "once", "stats.recompute[rank4-first]": "twice"}
    every = lineages_of(("1.1.0", mixed))
    assert find(Spot("torch.nn", "stats.recompute", shows="twice", situation="rank4"), every) is not None
    assert find(Spot("torch.nn", "stats.recompute", shows="twice", situation="rank2"), every) is None
    assert find(Spot("torch.nn", "stats.recompute", shows="twice", situation="rank3"), every) is None


def test_a_reference_explains_the_event_that_it_is_about_and_no_other() -> None:
    (lineage,) = lineages_of(*MOVED)
    one = Reference(Spot("torch.nn", "frozen.update", since="1.6"), "pytorch 1", "https://example.org/1", "It moves.")
    always = Reference(Spot("torch.nn", "frozen.update", shows="none"), "pytorch 2", "https://example.org/2", "Never.")
    assert [matched(event, lineage, [one, always]) for event in lineage.events] == [(), (one,)]


SPOTS = [*(spot for one in known() for spot in one.spots), *(one.spot for one in references())]


@pytest.mark.parametrize("spot", SPOTS, ids=str)
def test_a_spot_names_a_lineage_and_an_answer_that_exist(spot: Spot) -> None:
    assert spot.lineage.partition("@")[0] in {lineage.id for lineage in declared()}
    assert bool(spot.since) != bool(spot.shows)
    if spot.shows:
        assert spot.shows in (AXES[spot.subject].variants if spot.subject in AXES else ("conforms", "imprecise"))
    elif "." in spot.subject:
        assert spot.subject in AXES or spot.subject in CLAUSES


@pytest.mark.parametrize("one", references(), ids=lambda one: f"{one.title} {one.spot.subject}")
def test_a_reference_is_the_issue_that_its_title_says(one: Reference) -> None:
    repository, number = one.title.split()
    assert one.address.startswith("https://github.com/")
    assert one.address.endswith((f"/{repository}/issues/{number}", f"/{repository}/pull/{number}"))
    assert one.says.endswith(".")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("history_tool", ROOT / "tools" / "history.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def committed(tool: ModuleType) -> Sequence[Lineage]:
    return tool.lineages_in(tool.RESULTS)


def test_all_that_is_known_is_found_in_the_committed_results_from_behaviour_alone(
    tool: ModuleType, committed: Sequence[Lineage]
) -> None:
    assert tool.missing(committed) == []


def test_the_history_is_what_the_committed_results_say(tool: ModuleType, committed: Sequence[Lineage]) -> None:
    assert tool.PAGE.read_text("utf-8") == tool.page(committed), "run: uv run python tools/history.py"


def test_what_is_not_found_is_told(tool: ModuleType) -> None:
    told = tool.missing(lineages_of(*MOVED))
    assert "pytorch 96136: not found: torch.nn: stats.recompute, 'twice' in every version" in told
    assert len(told) == len(SPOTS)
    assert "| Flax | The variance is E[x²] − E[x]² by default | not found |" in tool.page(lineages_of(*MOVED))


def test_a_change_is_one_item_with_its_weight_its_places_and_what_explains_it(tool: ModuleType) -> None:
    page = tool.page(lineages_of(*MOVED))
    assert "### 1.5.1 → 1.6.0" in page
    assert "- **only moving statistics**: `frozen.update` A layer frozen" in page
    assert "Nothing changed: 1.3.1 → 1.5.1." in page


def test_text_of_results_stays_text_in_markdown(tool: ModuleType) -> None:
    assert tool.plain("a_b|<c>\n`d` [e]*") == "a\\_b\\|\\<c\\> \\`d\\` \\[e\\]\\*"
    assert tool.code("a`b\nc") == "`a'b c`"
