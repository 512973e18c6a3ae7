"""Why requirements cannot be installed: which versions there are, which pins conflict, which Python would do."""

import sys

import pytest

from bnspec.environments import Environment, EnvironmentProblem, make
from bnspec.environments.explain import closest, explained
from bnspec.environments.uv import pythons, said

HOST = f"{sys.version_info.major}.{sys.version_info.minor}"


def why(*requirements: str) -> str:
    """Return why an environment cannot be made, behind what was wanted where."""
    with pytest.raises(EnvironmentProblem) as problem:
        make(Environment(requirements[0], HOST, requirements))
    text = str(problem.value)
    begin = f"{requirements[0]}: {' '.join(requirements)} cannot be installed on Python {HOST}: "
    assert text.startswith(begin)
    assert "\n" not in text
    return text.removeprefix(begin)


def test_a_version_that_does_not_exist_is_told_with_those_next_to_it(packages):
    for version in ("1.0", "1.2", "1.10", "3.0"):
        packages.add("tiny", version)
    assert why("tiny==1.11") == "there is no tiny 1.11; near it are 1.10 and 3.0"
    assert why("tiny==4.0") == "there is no tiny 4.0; near it is 3.0"
    assert why("tiny==0.1") == "there is no tiny 0.1; near it is 1.0"
    assert why("tiny>=4") == "there is no tiny>=4, only tiny<=3.0"


def test_a_package_that_does_not_exist_is_named(packages):
    packages.add("tiny", "1.0")
    assert why("tiny==1.0", "other==1.0") == "the package index has no other"


def test_pins_that_conflict_are_named_with_the_reason(packages):
    packages.add("tiny", "1.0", "friend>=2,<3")
    for version in ("1.0", "2.0"):
        packages.add("friend", version)
    assert why("tiny==1.0", "friend==1.0") == (
        "tiny==1.0 and friend==1.0 do not go together: tiny depends on friend>=2,<3"
    )


def test_a_pin_that_conflicts_with_what_lies_deeper_is_named_with_the_reasons(packages):
    packages.add("tiny", "1.0", "middle")
    packages.add("middle", "1.0", "friend>=2")
    for version in ("1.0", "2.0"):
        packages.add("friend", version)
    text = why("tiny==1.0", "friend==1.0")
    assert text.startswith("tiny==1.0 and friend==1.0 do not go together: ")
    assert "middle depends on friend>=2 and tiny depends on middle" in text


def test_another_python_that_is_wanted_is_named_with_what_to_type(packages):
    other = next(version for version in reversed(pythons()) if version != HOST)
    packages.add("tiny", "1.0", python=f"=={other}.*")
    assert why("tiny==1.0") == f'tiny==1.0 wants Python=={other}.*; type "tiny==1.0 + python=={other}"'


def test_a_python_that_is_nowhere_is_told_with_those_that_are_here(packages):
    packages.add("tiny", "1.0", python=">=3.99")
    assert why("tiny==1.0") == (
        f"tiny==1.0 wants Python>=3.99, and none of these is here ({', '.join(pythons())} are); get one with "
        "`uv python install VERSION` or pyenv"
    )


def test_wheels_for_other_pythons_name_these(packages):
    packages.add("tiny", "1.0", tag="cp36-cp36m-any")
    packages.add("tiny", "1.0", tag="cp35-cp35m-any")
    here = "3.6" in pythons()
    expected = '; type "tiny==1.0 + python==3.6"' if here else ", and none of these is here"
    assert why("tiny==1.0").startswith(f"tiny==1.0 wants Python 3.5, 3.6{expected}")


def test_what_a_companion_wants_of_the_python_is_no_reason_to_take_another(packages):
    packages.add("tiny", "1.0")
    packages.add("friend", "1.0", python=">=3.99")
    assert why("tiny==1.0", "friend==1.0") == (
        "friend==1.0 wants Python>=3.99; take another version of it, or another Python"
    )


def test_words_that_nobody_expected_are_given_as_they_are():
    environment = Environment("tiny==1.0", HOST, ("tiny==1.0",))
    words = "error: Request failed\n  cause: Connection refused\n  ╰─▶ (os error 111)"
    assert explained(environment, words) == "uv says: Request failed cause: Connection refused (os error 111)"
    assert len(explained(environment, "word " * 1000)) < 700
    assert said("") == ""


@pytest.mark.parametrize(
    ("python", "others", "expected"),
    [
        ("3.8", ["3.6", "3.12"], "3.6"),
        ("3.11.7", ["3.6", "3.12"], "3.12"),
        ("3.9", ["3.8", "3.10"], "3.10"),
        ("3.9", [], None),
    ],
)
def test_the_closest_python_is_by_number(python, others, expected):
    assert closest(python, others) == expected
