"""What changes, as the page begins with it: of the made-up results, of two pairs of them, and of nasty ones."""

import re
from dataclasses import replace

import pytest

from bnspec.compare.diff import diff
from bnspec.compare.narrow import Narrowing
from bnspec.report import build
from bnspec.report.changes import changes_of, said
from bnspec.report.clean import cleaned

NUMPY_AND_TORCH = ("py312-keras-3.15.1/keras", "py36-keras-2.2.4/keras", "py312-flax-0.12.1/flax")
KERAS = ("numpy/numpy", "py312-torch-2.13.0/torch", "py312-flax-0.12.1/flax")


@pytest.fixture
def found(sample):
    """Return what compares the made-up old Keras with the new one."""

    def compared(**more):
        results = sample(skip=KERAS)
        names = ("py36-keras-2.2.4/keras", "py312-keras-3.15.1/keras")
        sides = [cleaned(sample(f"{n}.jsonl", skip=(*KERAS, other))) for n, other in enumerate(reversed(names))]
        return results, diff([sides[0]], [sides[1]], **more)

    return compared


def section(page):
    """Return the section of a page."""
    shown = re.search(r'<section id="changes".*?</section>', page, re.DOTALL)
    assert shown
    return shown[0]


def test_the_page_begins_with_what_changes(found, cases):
    results, one = found()
    page = build([results], cases, one)
    assert page.index('id="changes"') < page.index('id="differences"')
    assert '<h1 id="headline">keras 2.2.4 → keras 3.15.1: behaviour changed.</h1>' in page
    assert '<a href="#changes">Changes</a>' in page
    text = section(page)
    assert re.findall(r"</svg> (.*?)</h4>", text)[:2] == ["Output changes", "Only moving statistics"]
    assert "frozen.normalisation" in text
    assert "batch → moving" in text
    assert re.search(
        r'<a href="#case=stats\.stored-variance%5Brank4-last%5D"><code>stats\.stored-variance</code>', text
    )
    assert "variance × N/(N−1)" in text
    assert "answers cannot be compared" in text


def test_a_page_without_a_diff_has_no_such_section(found, cases):
    results, _ = found()
    assert 'id="changes"' not in build([results], cases)


def test_what_is_allowed_is_folded_and_a_choice_is_told(found, cases):
    results, one = found(allow=["stats.stored-variance"], narrowing=Narrowing(ranks=(4,)))
    text = section(build([results], cases, one))
    assert re.search(r"<details><summary>1 allowed</summary>.*stats\.stored-variance.*</details>", text, re.DOTALL)
    assert "Only what concerns layers that are: rank 4." in text


def test_several_pairs_are_told_one_after_the_other(sample, cases):
    results = cleaned(sample(skip=NUMPY_AND_TORCH))
    one = diff([results], [results])
    shown = changes_of(one)
    assert said(shown) == "Behaviour did not change."
    text = section(build([results], cases, one))
    assert text.count("<article>") == text.count("<h3>") == 2
    assert text.count("answers are the same") == 2


def test_nasty_strings_are_text(found, cases):
    nasty = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m"
    rows = {"forward.training[rank2]": {"verdict": "refuses", "message": nasty}}
    results, _ = found()
    target, told = next(iter(results.targets.items()))
    bad = replace(results, targets={target: replace(told, rows={**told.rows, **rows})})
    one = diff([cleaned(results)], [cleaned(bad)])
    text = section(build([results], cases, one))
    assert "newly raises" in text
    assert "<script>" not in text
    assert "<img" not in text
    assert "\x1b" not in text
