"""The page of `bnspec explain` in a real browser, opened from disk with the network off, scripts off."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from bnspec.explain import explanation
from bnspec.explain.page import page

HOSTILE = '</style><script>window.owned=1</script><img src=x onerror="window.owned=1">'


@pytest.fixture(scope="module")
def made():
    """The makers of measured models."""
    path = Path(__file__).parent.parent / "explain" / "conftest.py"
    spec = importlib.util.spec_from_file_location("explain_makers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def open_explanation(open_page, made, tmp_path):
    """Open the page of a model of many layers, two of them at their start."""

    def opened(name="bn", **options):
        start = np.zeros(16), np.ones(16)
        layers = [made.layer_of(f"{name}{n}", **({"stored": start} if n in (3, 4) else {})) for n in range(20)]
        measured = made.measured_of(*layers, steps=7, notes=["DATA has no y"], model=name)
        file = tmp_path / "explain.html"
        file.write_text(page(explanation(f"{name}.py:make", "data.npz", measured)), "utf-8")
        return open_page(file=file, **options)

    return opened


def violations(page):
    found = Axe().run(page)
    return "" if found.violations_count == 0 else found.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_accessibility_scan_finds_nothing(open_explanation, scheme):
    shown = open_explanation(color_scheme=scheme)
    shown.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert violations(shown) == ""
    paper = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(253, 252, 250)", "dark": "rgb(22, 24, 27)"}[scheme]


def test_the_first_screen_has_the_cause_what_to_do_and_the_picture(open_explanation):
    shown = open_explanation(scripts=False)
    expect(shown.locator("h1")).to_contain_text(
        "The cause: The layers bn3 and bn4 have statistics still at their start"
    )
    expect(shown.get_by_text("What to do:")).to_be_in_viewport()
    expect(shown.locator("svg.chart")).to_be_in_viewport()
    expect(shown.locator("svg.chart .bar")).to_have_count(20)
    expect(shown.locator("svg.chart .bar.found")).to_have_count(2)


def test_layers_that_agree_are_folded_and_open_without_scripts(open_explanation):
    shown = open_explanation(scripts=False)
    folded = shown.get_by_role("rowheader", name="bn12")
    expect(folded).to_be_hidden()
    shown.get_by_text("more layers, whose own statistics are within 0.1 sd").click()
    expect(folded).to_be_visible()


def test_a_narrow_screen_never_scrolls_sideways(open_explanation):
    shown = open_explanation(viewport={"width": 400, "height": 800})
    assert shown.evaluate("document.documentElement.scrollWidth") <= 400
    assert violations(shown) == ""


def test_hostile_text_is_shown_and_does_nothing(open_explanation):
    shown = open_explanation(HOSTILE)
    expect(shown.locator("h1")).to_contain_text(HOSTILE)
    assert shown.evaluate("window.owned") is None
    assert shown.locator("img").count() == 0
