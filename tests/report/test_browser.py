"""The page in a real browser, opened from disk with the network off."""

import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from bnspec.columns import columns
from bnspec.report.model import Matrix, matrix
from bnspec.results import Results, TargetResults

VIOLATED = "stats.closed-form[rank4-first]"
HOSTILE = '</script><script>window.owned=1</script><img src=x onerror="window.owned=1">'

Open = Callable[..., Page]


@pytest.fixture
def made(sample: Callable[..., Results]) -> Matrix:
    """The matrix of the results that the page shows."""
    return matrix([column for column in columns([sample("matrix.jsonl")]) if column.rows])


def visible_rows(page: Page) -> list[str]:
    return page.eval_on_selector_all(
        ".matrix tbody tr:not(.title)",
        "rows => rows.filter(r => r.checkVisibility()).map(r => r.querySelector('a').textContent)",
    )


def violations(page: Page) -> str:
    found = Axe().run(page)
    return "" if found.violations_count == 0 else found.generate_report()


def test_the_first_screen_has_the_verdict_and_the_differences(open_page: Open) -> None:
    page = open_page()
    expect(page.locator("h1")).to_contain_text("3 of 5 targets have findings")
    expect(page.locator("h1")).to_be_in_viewport()
    expect(page.locator(".answers tbody tr").first).to_be_in_viewport()


def test_agreement_is_folded_and_opens(open_page: Open) -> None:
    page = open_page()
    before = len(visible_rows(page))
    page.locator(".matrix .fold input").first.check()
    assert len(visible_rows(page)) > before
    expect(page.locator(".matrix .folded td").first).to_contain_text("all 5")


def test_search_finds_also_what_is_folded_and_announces_how_many(open_page: Open, made: Matrix) -> None:
    page, total = open_page(), len(made.lines)
    page.get_by_label("Search").fill("Detached rank3")
    expect(page.locator("#nothing")).to_be_visible()
    expect(page.locator("#shown")).to_have_text(f"0 of {total} questions")
    page.get_by_label("Search").fill("gradient.statistics rank3")
    assert visible_rows(page) == ["statistics rank3-last", "statistics rank3-first"]
    expect(page.locator("#shown")).to_have_text(f"2 of {total} questions")
    assert "q=gradient.statistics+rank3" in page.url
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#shown")).to_have_text(f"{total} questions")
    assert "statistics rank3-last" not in visible_rows(page)


def test_chips_choose_verdicts_and_the_address_keeps_the_view(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("checkbox", name="violates").check()
    page.get_by_role("checkbox", name="crash").check()
    assert visible_rows(page) == ["closed-form rank4-first", "training rank5-last"]
    again = open_page(f"#{page.url.partition('#')[2]}")
    assert visible_rows(again) == ["closed-form rank4-first", "training rank5-last"]
    expect(again.get_by_role("checkbox", name="crash")).to_be_checked()


def test_only_differences_hides_agreement(open_page: Open, made: Matrix) -> None:
    page = open_page()
    page.get_by_label("Only differences").check()
    expect(page.locator("#shown")).to_have_text(f"{made.disagreeing} of {len(made.lines)} questions")
    expect(page.get_by_role("heading", name="inference", exact=True)).to_be_hidden()


def test_a_permalink_opens_the_page_of_a_case(open_page: Open) -> None:
    page = open_page(f"#case={quote(VIOLATED)}")
    dialog = page.get_by_role("dialog", name=VIOLATED)
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("closed form of the dialect")
    expect(dialog).to_contain_text("Measured: moving variance = 0.75·old")
    expect(dialog).to_contain_text("Two values per channel")
    expect(dialog.locator("#command")).to_have_text(f"bnspec run py36-keras-2.2.4/keras -k '{VIOLATED}'")
    dialog.get_by_text("What keras 2.2.4 showed").click()
    expect(dialog.get_by_text("[1.33333, 0.5, 2.25]")).to_be_visible()
    dialog.locator(".program summary").first.click()
    expect(dialog.locator(".program pre").first).to_contain_text("[[[0, 0.1],\n")


def test_the_page_of_an_axis_case_tells_how_far_every_pair_of_answers_is_apart(open_page: Open) -> None:
    page = open_page(f"#case={quote('frozen.update[rank2]')}")
    table = page.get_by_role("region", name="Distances of frozen.update").locator("table")
    head = table.locator("thead").inner_text()
    assert "to none" in head, head
    assert re.search(r"updates\s.*[\d,∞]+", table.locator("tbody tr").last.inner_text())


def test_what_is_folded_in_the_sections_opens_without_scripts(
    open_page: Open, sample: Callable[..., Results], selftest: Results
) -> None:
    page = open_page(scripts=False, results=replace(sample(), implementations=selftest.implementations))
    page.get_by_text("Which questions, by reason").click()
    expect(page.locator(".places dd").first).to_contain_text("numpy 2.3.5; torch 2.13.0 modes.nested")
    alike = page.locator(".facts .folded th", has_text="epsilon")
    expect(alike).to_be_hidden()
    page.locator(".facts .fold input").check()
    expect(alike).to_be_visible()
    page.get_by_text("All 3 mutants").click()
    expect(page.locator("#score details code", has_text="divides-by-one-more")).to_be_visible()


def test_a_case_of_another_suite_is_told(open_page: Open) -> None:
    page = open_page(f"#case={quote('gradient.inference[rank2]')}")
    expect(page.get_by_role("dialog")).to_contain_text("not in the version of the suite")
    page = open_page("#case=no.such[case]")
    expect(page.get_by_role("dialog")).to_contain_text("There is no such case")


def test_the_command_can_be_copied(open_page: Open) -> None:
    page = open_page(f"#case={quote(VIOLATED)}", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy command").click()
    expect(page.locator("#copied")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()").startswith("bnspec run py36-keras-2.2.4/keras -k")


def test_everything_is_reached_with_the_keyboard(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the matrix")).to_be_focused()
    link = page.locator(".matrix tbody a").first
    link.focus()
    page.keyboard.press("Enter")
    title = page.locator("#case-title")
    expect(title).to_be_focused()
    first = title.text_content()
    page.keyboard.press("j")
    expect(title).not_to_have_text(first)
    page.keyboard.press("k")
    expect(title).to_have_text(first)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(link).to_be_focused()
    assert "case=" not in page.url
    box = page.locator(".matrix .fold input").first
    box.focus()
    page.keyboard.press("Space")
    expect(box).to_be_checked()


def test_back_closes_a_case_and_forward_opens_it(open_page: Open) -> None:
    page = open_page("#q=closed-form")
    page.locator(".matrix tbody a:visible").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.url.endswith("#q=closed-form")
    page.go_forward()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_and_the_switch(open_page: Open, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    paper = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(paper)
    assert before == {"light": "rgb(253, 252, 250)", "dark": "rgb(22, 24, 27)"}[scheme]
    page.get_by_role("button", name="theme").click()
    assert page.evaluate(paper) != before
    page.get_by_role("button", name="theme").click()
    assert page.evaluate(paper) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("fragment", ["", "#v=violates&q=stats", f"#case={quote(VIOLATED)}"])
def test_an_accessibility_scan_finds_nothing(
    open_page: Open, sample: Callable[..., Results], selftest: Results, scheme: str, fragment: str
) -> None:
    results = replace(sample(), implementations=selftest.implementations)
    page = open_page(fragment, results=results, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate("document.querySelectorAll('.fold input').forEach(box => box.checked = true)")
    assert violations(page) == ""


def test_a_narrow_screen_never_scrolls_sideways(open_page: Open) -> None:
    page = open_page(viewport={"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert violations(page) == ""


def test_without_scripts_the_matrix_is_complete(open_page: Open, made: Matrix) -> None:
    page = open_page(scripts=False)
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.locator("#filters")).to_be_hidden()
    expect(page.locator("#theme")).to_be_hidden()
    expect(page.locator(".matrix tbody tr:not(.title)")).to_have_count(len(made.lines))
    hidden = page.locator(".matrix .folded tr").first
    expect(hidden).to_be_hidden()
    page.locator(".matrix .fold input").first.check()
    expect(hidden).to_be_visible()


def test_hostile_text_is_shown_and_does_nothing(open_page: Open, sample: Callable[..., Results]) -> None:
    results = sample()
    first, *others = results.targets.items()
    name, target = first
    id = "forward.training[rank2]"
    row = {
        **target.rows[id],
        "verdict": "violates",
        "message": f"{HOSTILE}\x00\x1b",
        "arrays": {HOSTILE: [HOSTILE]},
    }
    info = {**target.info, "version": HOSTILE, "environment": HOSTILE, "packages": {HOSTILE: HOSTILE}}
    odd = {f"stats.initial[{HOSTILE}]": {"verdict": "conforms", "variant": HOSTILE, "ratio": 0.1}}
    changed = TargetResults(info, {**target.rows, id: row, **odd}, True)
    page = open_page(
        f"#case={quote(id)}", results=replace(results, targets={f"{name}{HOSTILE}": changed, **dict(others)})
    )
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    expect(page.locator("#case-body .message").first).to_contain_text(HOSTILE)
    page.get_by_role("button", name="Close").click()
    page.locator("a", has_text="onerror").first.evaluate("link => link.click()")
    expect(page.locator("#case-title")).to_have_text(f"stats.initial[{HOSTILE}]")
    assert page.evaluate("window.owned") is None
    assert page.locator("img").count() == 0


def test_a_case_page_quotes_what_a_framework_documents_and_names_who_documents_nothing(open_page):
    page = open_page("#case=stats.stored-variance%5Brank4-last%5D")
    body = page.locator("#case-body")
    expect(body.get_by_role("heading", name="What the frameworks document")).to_be_visible()
    expect(body).to_contain_text("“moving_var = moving_var * momentum + var(batch) * (1 - momentum)”")
    expect(body).to_contain_text("Undocumented: keras 2.2.4; numpy 2.3.5")
    page.goto(page.url.partition("#")[0] + "#case=stats.closed-form%5Brank2%5D")
    expect(body.get_by_role("heading", name="What each target gave")).to_be_visible()
    expect(body.get_by_role("heading", name="What the frameworks document")).to_have_count(0)
