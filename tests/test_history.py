"""Lineages: which targets are versions of one interface, in which order, and what changed between two of them."""

from collections.abc import Mapping
from typing import Any

import pytest

from bnspec.columns import Column
from bnspec.compare import Weight
from bnspec.environments import listed
from bnspec.history import Lineage, declared, lineages
from bnspec.targets import BUILT_IN, adapters

ID = "frozen.update[rank2]"


def column(
    adapter: str, version: str, variant: str = "none", *, name: str = "", framework: str = "", **packages: str
) -> Column:
    framework = framework or adapter.partition(".")[0]
    name = name or f"{framework}-{version}-{'-'.join(packages.values())}/{adapter}"
    info = {"framework": framework, "version": version, "adapter": adapter, "packages": packages}
    rows: Mapping[str, Any] = {ID: {"id": ID, "verdict": "conforms", "variant": variant}}
    return Column(name, f"{framework} {version}", "", "", info, {}, rows, complete=True)


def named(found: Lineage) -> list[str]:
    return [stop.name for stop in found.stops]


def test_versions_are_in_order_of_release_and_not_of_their_letters() -> None:
    (found,) = lineages([column("torch.nn", version) for version in ("2.9.1", "1.10.2", "2.10.0", "1.9.1")])
    assert (found.id, found.title) == ("torch.nn", "torch.nn")
    assert named(found) == ["1.9.1", "1.10.2", "2.9.1", "2.10.0"]
    assert found.newest.column.label == "torch 2.10.0"
    assert found.span == "1.9.1 … 2.10.0"


def test_what_is_local_to_one_build_is_no_part_of_a_version() -> None:
    (found,) = lineages([column("torch.nn", "2.13.0+cpu")])
    assert named(found) == ["2.13.0"]
    assert found.span == "2.13.0"
    assert found.events == ()


def test_one_version_beside_two_others_is_told_twice_the_older_companion_first() -> None:
    shown = [column("keras", "2.2.4", tensorflow=version) for version in ("1.12.0", "1.10.0")]
    (found,) = lineages([*shown, column("keras", "2.1.6", tensorflow="1.8.0")])
    assert named(found) == ["2.1.6", "2.2.4 (tensorflow 1.10.0)", "2.2.4 (tensorflow 1.12.0)"]
    assert [event.beside for event in found.events] == ["tensorflow 1.8.0 → 1.10.0", "tensorflow 1.10.0 → 1.12.0"]


def test_two_targets_that_nothing_tells_apart_are_named_by_their_environments() -> None:
    shown = [
        Column(name, "", "", "", {**column("tf.nn", "1.8.0").info, "environment": name}, {}, {ID: {}}, complete=True)
        for name in ("py36-a", "py36-b")
    ]
    (found,) = lineages(shown)
    assert named(found) == ["1.8.0 (py36-a)", "1.8.0 (py36-b)"]


def test_keras_3_on_tensorflow_follows_tf_keras_and_standalone_keras_goes_its_own_way() -> None:
    found = lineages(
        [
            column("keras", "3.0.5", tensorflow="2.16.2"),
            column("keras", "2.3.1", tensorflow="2.0.0"),
            column("tf.keras", "2.15.1", framework="tensorflow", tensorflow="2.15.1"),
            column("keras-jax", "3.6.0", framework="keras", jax="0.4.30"),
        ]
    )
    assert [(one.id, named(one)) for one in found] == [
        ("tf.keras", ["tf.keras 2.15.1", "Keras 3.0.5"]),
        ("keras-jax", ["3.6.0"]),
        ("keras", ["2.3.1"]),
    ]
    assert found[0].events[0].between == "tf.keras 2.15.1 → Keras 3.0.5"


def test_another_execution_is_a_lineage_of_its_own_and_is_not_ported() -> None:
    found = lineages([column("torch.nn", "2.9.1"), column("torch.nn", "2.9.1", name="e/torch.nn@cuda")])
    assert [(one.id, one.port) for one in found] == [("torch.nn", True), ("torch.nn@cuda", False)]


def test_targets_of_no_declared_lineage_follow_those_of_their_own_framework_and_adapter() -> None:
    mine = [column("mine.py:Layer", version, framework="numpy") for version in ("2.0", "1.0")]
    found = lineages([*mine, column("torch.nn", "2.9.1"), column("other.py:Layer", "1.0", framework="numpy")])
    assert [named(one) for one in found] == [["2.9.1"], ["1.0", "2.0"], ["1.0"]]
    assert found[1].title == "numpy (mine.py:Layer)"


def test_targets_that_did_not_say_their_framework_are_not_thrown_together() -> None:
    silent = [Column(name, name, "", "", {}, {}, {ID: {}}, complete=True) for name in ("a", "b")]
    assert [one.title for one in lineages(silent)] == ["a", "b"]


def test_a_version_that_is_none_comes_last() -> None:
    (found,) = lineages([column("torch.nn", "main"), column("torch.nn", "2.9.1")])
    assert named(found) == ["2.9.1", "main"]


def test_an_event_tells_what_changed_and_how_heavy_it_is() -> None:
    shown = [column("keras", version, variant) for version, variant in (("2.1.2", "updates"), ("2.1.3", "none"))]
    (found,) = lineages(shown)
    (event,) = found.events
    assert event.between == "2.1.2 → 2.1.3"
    (line,) = event.news
    assert (line.title, line.weight, event.heaviest) == ("frozen.update", Weight.STATISTICS, Weight.STATISTICS)


def test_neighbours_that_answer_alike_have_no_news() -> None:
    (found,) = lineages([column("torch.nn", "2.8.0"), column("torch.nn", "2.9.1")])
    assert found.events[0].news == ()
    assert found.events[0].heaviest is None


@pytest.mark.parametrize("adapter", sorted({built.name for built in BUILT_IN if built.distributions}))
def test_every_adapter_has_its_lineage(adapter: str) -> None:
    assert adapter in {member.adapter for lineage in declared() for member in lineage.members}


def test_no_environment_is_of_two_lineages() -> None:
    for environment in listed():
        for adapter in adapters(environment):
            version = str(environment.pins.get(environment.families[0], "3.0"))
            homes = [one.id for one in declared() if one.place(column(adapter.name, version)) is not None]
            assert len(homes) == 1, (environment.name, adapter.name, homes)


def test_ids_of_lineages_are_their_own() -> None:
    ids = [lineage.id for lineage in declared()]
    assert len(ids) == len(set(ids))
