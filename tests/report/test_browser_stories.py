"""The stories on the page, in a browser: readable, folded, addressable, and nothing of them is markup."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from bnspec.stories.page import page
from bnspec.stories.results import in_folder
from bnspec.stories.running import load_stories

RESULTS = in_folder(Path(__file__).parent.parent.parent / "reports" / "stories")
HOSTILE = '</script><img src=x onerror="window.owned=1">'


@pytest.fixture(scope="module")
def stories():
    """The pages of the committed results, their versions called by something hostile."""
    found = []
    for story in load_stories():
        results = RESULTS[story.name]
        runs = [{**run, "title": run["title"] + HOSTILE} for run in results["runs"]]
        explained = {**results["explained"], "text": results["explained"]["text"] + HOSTILE}
        found.append(page(story, {**results, "runs": runs, "explained": explained}))
    return found


def test_every_story_is_there_folded_and_opens(open_page, stories):
    shown = open_page(stories=stories)
    assert shown.locator("details.story").count() == len(stories) == 5
    expect(shown.locator(".story .cause").first).to_be_hidden()
    shown.locator(".story summary").first.click()
    expect(shown.locator(".story .cause").first).to_be_visible()
    assert shown.evaluate("window.owned") is None
    expect(shown.locator(".story .cause code").first).to_have_text("training")
    assert "`" not in "".join(shown.locator(".story .cause").all_inner_texts())


def test_the_address_of_a_story_opens_it(open_page, stories):
    shown = open_page("#story-twelve-images", stories=stories)
    expect(shown.locator("#story-twelve-images")).to_be_in_viewport()
    expect(shown.locator("#story-custom-layer")).to_be_hidden()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_stories_are_accessible(open_page, stories, theme):
    shown = open_page(stories=stories, color_scheme=theme)
    shown.evaluate("for (const one of document.querySelectorAll('#stories details')) one.open = true")
    found = Axe().run(shown, "#stories")
    assert found.violations_count == 0, found.generate_report()


def test_without_stories_there_is_no_section(open_page):
    assert open_page().locator("#stories").count() == 0
