"""Look for the words of every claim in the packages that are installed: python tools/claims.py.

A claim quotes a docstring (conformance/claims), says where its object is in the package and in which versions
somebody read it. Every environment of the matrix that is made, and is of a version that a claim is about, is
searched. A version that is listed as read and does not have the words is a fault; so is one that has them and is
not listed. What no environment here has, and pages, cannot be looked at: they are told.
"""

import ast
import functools
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.version import Version

from bnspec.claims import Claim, claims, within
from bnspec.environments import Environment, listed
from bnspec.paths import suite_folder
from bnspec.targets import adapters

ONNX = "onnx.defs: "
ONNX_PROGRAM = """
import onnx
schema = onnx.defs.get_schema({name!r}, min(15, onnx.defs.onnx_opset_version()))
print(schema.doc)
for part in (*schema.attributes.values(), *schema.inputs, *schema.outputs):
    print(part.description)
"""


def words(text: str) -> str:
    """Return a text as its words, without the line ends between them."""
    return " ".join(text.split())


def docstrings() -> Mapping[str, list[str]]:
    """Return where the objects are whose docstrings are quoted: `package/file.py: Class.method`."""
    files = [tomllib.loads(path.read_text("utf-8")) for path in sorted((suite_folder() / "claims").glob("*.toml"))]
    return {name: places for content in files for name, places in content.get("docstrings", {}).items()}


@functools.cache
def texts(environment: Environment, place: str) -> str:
    """Return every text within an object of an environment's packages; nothing where there is no such object."""
    if place.startswith(ONNX):
        program = ONNX_PROGRAM.format(name=place.removeprefix(ONNX))
        run = subprocess.run([environment.interpreter, "-c", program], capture_output=True, text=True, check=True)
        return words(run.stdout)
    path, _, name = place.partition(": ")
    found = []
    for file in environment.home.glob(f"lib/python3*/site-packages/{path}"):
        nodes: list[ast.AST] = [parsed(file)]
        for part in name.split("."):  # a property has two functions of one name
            nodes = [n for node in nodes for n in ast.iter_child_nodes(node) if getattr(n, "name", "") == part]
        found += [c.value for node in nodes for c in ast.walk(node) if isinstance(c, ast.Constant)]
    return words("\n".join(value for value in found if isinstance(value, str)))


@functools.cache
def parsed(file: Path) -> ast.Module:
    """Return the syntax of a file."""
    return ast.parse(file.read_text("utf-8"))


def versions(environment: Environment) -> Mapping[str, str]:
    """Return the versions that an environment pins, as results name the frameworks."""
    return {name.removesuffix("-cpu"): version for name, version in environment.pins.items()}


def asked(claim: Claim, environment: Environment) -> Iterator[str]:
    """Yield the frameworks of an environment, with their versions, that a claim is about."""
    fitting = [built_in for built_in in adapters(environment) if built_in.name in claim.adapters]
    for framework, specifier in claim.versions:
        version = versions(environment).get(framework)
        runs = any(framework in built_in.distributions for built_in in fitting)
        if version and runs and within(version, specifier):
            yield f"{framework} {version}"


def found_in(claim: Claim) -> tuple[list[str], list[str]]:
    """Return the versions here that have a claim's words, and those that do not."""
    places = docstrings()[claim.source]
    having, lacking = set(), set()
    for environment in listed():
        about = list(asked(claim, environment)) if environment.made else []
        there = about and any(words(claim.quote) in texts(environment, place) for place in places)
        (having if there else lacking).update(about)
    return in_order(having), in_order(lacking - having)


def in_order(found: set[str]) -> list[str]:
    """Return distributions and versions in order."""
    return sorted(found, key=lambda text: (text.partition(" ")[0], Version(text.partition(" ")[2])))


def main() -> None:
    """Check every claim; exit status 1 where one does not say what is in the packages."""
    faults = 0
    for claim in claims():
        if claim.is_page:
            print(f"{claim.place}: a page, not looked at: {claim.source}")
            continue
        having, lacking = found_in(claim)
        faults += (wrong := [*(set(claim.read) & set(lacking)), *(set(having) - set(claim.read))]) != []
        for version in wrong:
            said = "has the words and is not listed" if version in having else "was listed and does not have the words"
            print(f"{claim.place}: {version} {said}")
        for version in set(claim.read) - {*having, *lacking}:
            print(f"{claim.place}: {version} was read and is not here")
        for version in set(lacking) - set(claim.read):
            print(f"{claim.place}: is also about {version}, which does not have these words")
    print(f"{len(claims())} claims, {faults} wrong")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
