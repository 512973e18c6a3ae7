"""Claims: what a framework documents about an axis, for a range of its versions, with the words and where they are.

They are written down in `conformance/claims/*.toml` (the schema is `claims.schema.json` beside this file). A
framework whose observed variant is another one than it documents contradicts itself: the verdict is `drifts`.
"""

import fnmatch
import functools
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from itertools import combinations
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from bnspec.paths import suite_folder
from bnspec.results import DECIDED, Row, TargetResults
from bnspec.spec import AXES, SuiteError
from bnspec.suite import load_cases
from bnspec.targets import BUILT_IN


@dataclass(frozen=True)
class Claim:
    """What a framework documents about an axis.

    situations: patterns of those that the words speak of; adapters: the interfaces; versions: per distribution,
    as results name the framework, a packaging specifier; quote: the words, verbatim; source: the object whose
    docstring has them, or the address of a page; read: the distributions and versions in which somebody read
    the docstring (`torch 2.0.1`); place: the file, and the number of the claim in it.
    """

    axis: str
    variant: str
    adapters: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    quote: str
    source: str
    read: tuple[str, ...] = ()
    situations: tuple[str, ...] = ("*",)
    place: str = ""

    @property
    def is_page(self) -> bool:
        """Whether the source is a page, not a docstring of the package."""
        return self.source.startswith("https://")

    @property
    def said(self) -> str:
        """The words, and where they are."""
        return f"“{' '.join(self.quote.split())}” ({'' if self.is_page else 'docstring of '}{self.source})"

    @property
    def who(self) -> str:
        """The distributions with their versions, and the interfaces."""
        versions = ", ".join(f"{name} {specifier}" for name, specifier in self.versions)
        return f"{versions}: {', '.join(self.adapters)}"

    def speaks_of(self, framework: str, version: str, adapter: str) -> bool:
        """Return whether it is about this interface of this version."""
        return adapter in self.adapters and any(
            framework == name and within(version, versions) for name, versions in self.versions
        )

    def covers(self, situation: str) -> bool:
        """Return whether its words speak of a situation of its axis."""
        return any(fnmatch.fnmatchcase(situation, pattern) for pattern in self.situations)


@functools.cache
def within(version: str, versions: str) -> bool:
    """Return whether a version is in a specifier; one that PEP 440 does not know is in none."""
    try:
        return SpecifierSet(versions).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


# What is asked of them


@functools.cache
def claims() -> tuple[Claim, ...]:
    """Return the claims of the suite. Raises SuiteError, naming file and claim, where one breaks a rule."""
    return load(suite_folder() / "claims")


@functools.cache
def spoken_of(framework: str, version: str, adapter: str) -> Mapping[str, tuple[Claim, ...]]:
    """Return the claims about an interface of a version, by axis."""
    found: dict[str, tuple[Claim, ...]] = {}
    for claim in claims():
        if claim.speaks_of(framework, version, adapter):
            found[claim.axis] = (*found.get(claim.axis, ()), claim)
    return found


def documented(framework: str, version: str, adapter: str, id: str) -> Claim | None:
    """Return what a framework documents on the axis and situation of an id; None where it documents nothing."""
    axis, _, rest = id.partition("[")
    situation = rest.removesuffix("]")
    about = spoken_of(framework, version, adapter).get(axis, ())
    return next((claim for claim in about if claim.covers(situation)), None)


def held_to(row: Row, framework: str, version: str, adapter: str) -> Row:
    """Return a row with what the framework documents; another variant than that is `drifts`.

    Only the verdict changes: the variant stays what was observed.
    """
    claim = documented(framework, version, adapter, row.id)
    if claim is None:
        return row
    if row.verdict != "conforms" or row.variant == claim.variant:
        return replace(row, claimed=claim.variant)
    message = f"documented: {claim.variant}, observed: {row.variant}. {claim.said}"
    if row.message:
        message = f"{message}. {row.message}"
    return replace(row, verdict="drifts", claimed=claim.variant, message=message)


def used(targets: Iterable[TargetResults]) -> frozenset[Claim]:
    """Return the claims that some target's behaviour was held to: on their axis it gave an answer."""
    found = set()
    for target in targets:
        about = named(target.info)
        for id, row in target.rows.items():
            if row["verdict"] in DECIDED and (claim := documented(*about, id)):
                found.add(claim)
    return frozenset(found)


def unused(targets: Sequence[TargetResults]) -> tuple[Claim, ...]:
    """Return the claims about the very versions of some targets that nothing was held to."""
    about = {named(target.info) for target in targets if target.rows}
    held = used(targets)
    return tuple(claim for claim in claims() if claim not in held and any(claim.speaks_of(*one) for one in about))


def named(info: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return framework, version and adapter of a target's record."""
    return str(info.get("framework", "")), str(info.get("version", "")), str(info["adapter"])


# Reading them


def load(folder: Path) -> tuple[Claim, ...]:
    """Return the claims of the files in a folder. Raises SuiteError, naming file and claim, for one that is wrong."""
    found = [claim for path in sorted(folder.glob("*.toml")) for claim in read(path)]
    for one, other in combinations(found, 2):
        if contradict(one, other):
            raise SuiteError(
                f"{one.place} says {one.variant} and {other.place} says {other.variant} of the same versions and "
                f"situations; expected one answer: narrow the versions or the situations of one of them"
            )
    return tuple(found)


def read(path: Path) -> list[Claim]:
    """Return the claims of one file. Raises SuiteError, naming file and claim, where one breaks a rule."""
    import fastjsonschema

    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SuiteError(f"{path.name}: is not TOML: {error}") from None
    try:
        validator()(content)
    except fastjsonschema.JsonSchemaValueException as error:
        fault = re.sub(r"claim\[(\d+)\]", lambda found: f"claim {int(found[1]) + 1}", str(error.message))
        fault = fault.removeprefix("data").lstrip(".")[:200]
        raise SuiteError(f"{path.name}: {fault}; expected what claims.schema.json describes") from None
    sources = content.get("docstrings", {})
    found = []
    for number, fields in enumerate(content["claim"], start=1):
        lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        fields = {**fields, **lists, "versions": tuple(fields["versions"].items())}
        claim = Claim(**fields, place=f"{path.name}: claim {number} ({fields['axis']})")
        check(claim, sources)
        found.append(claim)
    for source in sources:
        if not any(claim.source == source for claim in found):
            raise SuiteError(f"{path.name}: no claim has the docstring of {source} as its source; take it out")
    return found


@functools.cache
def validator() -> Any:
    """Return the compiled schema of a file."""
    import fastjsonschema

    schema = resources.files("bnspec").joinpath("claims.schema.json").read_text("utf-8")
    return fastjsonschema.compile(json.loads(schema))


@functools.cache
def situations(axis: str) -> tuple[str, ...]:
    """Return the situations in which the suite asks an axis."""
    return tuple(case.situation for case in load_cases() if axis in case.clauses)


def check(claim: Claim, sources: Iterable[str]) -> None:
    """Raise SuiteError where a claim is about nothing that there is.

    An axis, variant, situation, adapter or distribution that bnspec does not know; versions that are no specifier,
    or others than were read; a source that is neither an address nor one of `sources`.
    """
    if claim.axis not in AXES:
        raise SuiteError(f"{claim.place}: there is no such axis; `bnspec show` knows them")
    expect(claim, "variant", claim.variant, AXES[claim.axis].variants)
    for pattern in claim.situations:
        if not fnmatch.filter(situations(claim.axis), pattern):
            expect(claim, "situation", pattern, situations(claim.axis))
    for adapter in claim.adapters:
        expect(claim, "adapter", adapter, dict.fromkeys(built_in.name for built_in in BUILT_IN))
    own = [(b.name, name) for b in BUILT_IN if b.name in claim.adapters for name in b.distributions]
    for name, versions in claim.versions:
        expect(claim, "distribution", name, dict.fromkeys(name for _, name in own))
        try:
            SpecifierSet(versions)
        except InvalidSpecifier:
            raise SuiteError(
                f"{claim.place}: versions {versions!r} is no specifier; expected such as '>=2.1,<2.4'"
            ) from None
    names = [name for name, _ in claim.versions]
    for adapter in claim.adapters:
        if not any((adapter, name) in own for name in names):
            raise SuiteError(f"{claim.place}: {adapter} is no interface of {' or '.join(names)}; take one of them out")
    for read in claim.read:
        name, _, version = read.partition(" ")
        if not any(name == known and within(version, versions) for known, versions in claim.versions):
            raise SuiteError(f"{claim.place}: read {read!r} is not among its versions; expected such as 'torch 2.0.1'")
    if not claim.is_page:
        expect(claim, "source", claim.source, ["https://…", *sources])


def expect(claim: Claim, what: str, given: str, known: Iterable[str]) -> None:
    """Raise SuiteError where what is given is not known."""
    if given not in (names := list(known)):
        raise SuiteError(f"{claim.place}: {what} {given!r} is not known; expected one of {', '.join(names)}")


def contradict(one: Claim, other: Claim) -> bool:
    """Return whether two claims give different answers in one situation of one version of one interface.

    The versions tried are those that the two name: ranges that meet have one of their ends in common.
    """
    if one.axis != other.axis or one.variant == other.variant:
        return False
    if set(one.adapters).isdisjoint(other.adapters):
        return False
    if not any(one.covers(situation) and other.covers(situation) for situation in situations(one.axis)):
        return False
    return any(
        name == known and meet(versions, others) for name, versions in one.versions for known, others in other.versions
    )


def meet(one: str, other: str) -> bool:
    """Return whether two specifiers have a version in common: ranges that do have one of their ends in common."""
    ends = [spec.version.removesuffix(".*") for versions in (one, other) for spec in SpecifierSet(versions)]
    return any(within(version, one) and within(version, other) for version in ends)
