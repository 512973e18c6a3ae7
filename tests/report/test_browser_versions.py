"""Many versions in a real browser: which targets stand side by side, what changed since, the timeline."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from bnspec.case import Case
from bnspec.report import build
from bnspec.results import Results

AFFINE, FROZEN = "forward.affine[rank4-last]", "frozen.update[rank2]"

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def file(many: Results, cases: Mapping[str, Case], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of many versions."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(build([many], cases), "utf-8")
    return file


def heads(page: Page, table: str = "#matrix .matrix") -> list[str]:
    """Return the targets that a table shows."""
    return page.eval_on_selector_all(
        f"{table} thead th:not(:first-child)",
        "heads => heads.filter(h => h.checkVisibility()).map(h => h.firstChild.textContent)",
    )


def rows(page: Page) -> list[str]:
    return page.eval_on_selector_all(
        "#matrix .matrix tbody tr:not(.title)",
        "rows => rows.filter(r => r.checkVisibility())"
        ".map(r => new URLSearchParams(r.querySelector('a').hash.slice(1)).get('case'))",
    )


def questions(results: Results) -> int:
    return len({id for target in results.targets.values() for id in target.rows})


def fragment(page: Page) -> dict[str, list[str]]:
    return parse_qs(page.url.partition("#")[2], keep_blank_values=True)


NEWEST = ["keras 3.15.1", "keras 2.2.4", "torch 2.13.0", "numpy 2.3.5", "flax 0.12.1"]


def test_of_many_versions_the_newest_stand_side_by_side_and_others_can_be_called_up(
    open_page: Open, file: Path
) -> None:
    page = open_page(file=file)
    assert sorted(heads(page)) == sorted(NEWEST)
    assert heads(page, ".answers.facts") == heads(page)
    expect(page.locator(".how-many").first).to_have_text("5 of 28 targets are shown.")
    page.get_by_role("button", name="Choose targets").first.click()
    page.get_by_role("checkbox", name="1.5.1").check()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    assert "torch 1.5.1" in heads(page)
    assert heads(page, ".answers.facts") == heads(page)
    expect(page.locator(".how-many").first).to_have_text("6 of 28 targets are shown.")
    cell = page.locator("#matrix tr", has=page.locator(f'a[href="#case={quote(FROZEN)}"]')).locator("td")
    assert cell.all_text_contents()[heads(page).index("torch 1.5.1")].startswith("none")


def test_the_address_keeps_the_choice_of_targets(open_page: Open, file: Path) -> None:
    page = open_page(file=file)
    page.get_by_role("button", name="Choose targets").first.click()
    page.get_by_role("button", name="All: torch").click()
    page.get_by_role("button", name="None: torch").click()
    page.get_by_role("checkbox", name="1.5.1").check()
    page.get_by_role("checkbox", name="1.6.0").check()
    assert fragment(page)["targets"] == ["torch:1.5.1,1.6.0"]
    again = open_page(f"#{page.url.partition('#')[2]}", file=file)
    assert [head for head in heads(again) if head.startswith("torch")] == ["torch 1.5.1", "torch 1.6.0"]
    again.get_by_role("button", name="Choose targets").first.click()
    again.get_by_role("button", name="Newest of each lineage").click()
    assert "targets" not in fragment(again)
    assert sorted(heads(again)) == sorted(NEWEST)


def test_an_address_of_targets_that_are_not_there_shows_the_newest(open_page: Open, file: Path) -> None:
    page = open_page("#targets=torch:9.9,%25;nobody:1", file=file)
    assert sorted(heads(page)) == sorted(head for head in NEWEST if head != "torch 2.13.0")
    page = open_page("#targets=" + ";".join(f"{name}:" for name in ("tf.keras", "keras", "torch", "numpy", "flax")))
    assert len(heads(page)) == 5


def test_where_only_two_versions_are_chosen_agreement_is_folded_anew(open_page: Open, file: Path) -> None:
    chosen = "%3B".join(f"{name}:" for name in ("tf.keras", "keras", "numpy", "flax"))
    page = open_page(f"#targets=torch%3A1.5.1%2C1.6.0%3B{chosen}", file=file)
    assert heads(page) == ["torch 1.5.1", "torch 1.6.0"]
    page.get_by_label("Only differences").check()
    assert sorted(rows(page)) == sorted([AFFINE, FROZEN])
    page.get_by_role("button", name="Clear").click()
    box = page.locator(".matrix .fold input").first
    box.check()
    expect(page.locator(".matrix .folded td").first).to_contain_text("all 2")


def test_only_what_changed_since_a_version_is_a_view_that_can_be_sent(
    open_page: Open, file: Path, many: Results
) -> None:
    page = open_page(file=file)
    page.get_by_label("Changed since").select_option("py38-torch-1.5.1/torch")
    assert sorted(rows(page)) == sorted([AFFINE, FROZEN])
    expect(page.locator("#shown")).to_have_text(f"2 of {questions(many)} questions")
    assert fragment(page)["since"] == ["py38-torch-1.5.1/torch"]
    again = open_page(f"#{page.url.partition('#')[2]}", file=file)
    expect(again.get_by_label("Changed since")).to_have_value("py38-torch-1.5.1/torch")
    assert sorted(rows(again)) == sorted([AFFINE, FROZEN])
    again.get_by_label("Changed since").select_option("py38-torch-1.6.0/torch")
    expect(again.locator("#nothing")).to_be_visible()
    again.get_by_role("button", name="Clear").click()
    assert "since" not in fragment(again)


def test_a_search_says_how_many_more_fit_a_target_that_is_not_shown(open_page: Open, file: Path, many: Results) -> None:
    page = open_page("#q=affine&v=refuses", file=file)
    expect(page.locator("#shown")).to_have_text(
        f"0 of {questions(many)} questions; 1 more fit a target that is not shown"
    )


def test_a_case_tells_its_history_and_folds_the_targets_that_are_not_shown(open_page: Open, file: Path) -> None:
    page = open_page(f"#case={quote(FROZEN)}", file=file)
    dialog = page.get_by_role("dialog", name=FROZEN)
    expect(dialog.get_by_role("region", name="History over versions")).to_contain_text("none 1.5.1")
    expect(dialog.get_by_role("region", name="History over versions")).to_contain_text("updates 1.6.0 … 2.13.0")
    expect(dialog.locator(".pairs dd", has_text="as in training").first).to_contain_text("torch 1.6.0 … 2.13.0")
    older = dialog.get_by_role("cell", name="torch 1.5.1")
    expect(older).to_be_hidden()
    dialog.get_by_text("23 more targets").click()
    expect(dialog.get_by_text("torch 1.5.1 cpu")).to_be_visible()


def test_a_mark_of_the_picture_leads_to_what_changed(open_page: Open, file: Path) -> None:
    page = open_page("#q=frozen", file=file)
    step = page.locator(".step", has_text="1.5.1 → 1.6.0")
    expect(step).to_be_hidden()
    page.locator(".timeline a").first.focus()
    page.keyboard.press("Enter")
    expect(step).to_be_in_viewport()
    expect(step).to_be_focused()
    assert page.url.endswith("#q=frozen")


def test_without_scripts_the_timeline_is_read_and_every_target_can_be_shown(open_page: Open, file: Path) -> None:
    page = open_page(file=file, scripts=False)
    assert sorted(heads(page)) == sorted(NEWEST)
    assert sorted(heads(page, ".answers.facts")) == sorted(NEWEST)
    page.locator("#every-target").check()
    assert len(heads(page, ".answers.facts")) == 28
    step = page.locator(".step", has_text="1.5.1 → 1.6.0")
    page.locator(".chapter > summary").click()
    expect(step).to_contain_text("do its moving statistics change? no → yes, as in training")
    page.locator(".versions > summary").click()
    expect(page.locator(".eras")).to_contain_text("refuses")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_accessibility_scan_of_many_versions_finds_nothing(open_page: Open, file: Path, scheme: str) -> None:
    page = open_page(file=file, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.get_by_role("button", name="Choose targets").first.click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_narrow_screen_with_many_versions_never_scrolls_sideways(open_page: Open, file: Path) -> None:
    page = open_page(file=file, viewport={"width": 400, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_hostile_versions_are_text_in_the_timeline_and_in_the_choice(open_page: Open, many: Results) -> None:
    hostile = {f"1.{n}.": f'{n}<img src=x onerror="window.owned=1">;:,%' for n in (5, 6)}
    targets = {}
    for name, target in many.targets.items():
        version = next((text for start, text in hostile.items() if f"torch-{start}" in name), None)
        targets[name] = target if version is None else replace(target, info={**target.info, "version": version})
    page = open_page(results=replace(many, targets=targets))
    page.get_by_role("button", name="Choose targets").first.click()
    page.get_by_role("button", name="None: torch").click()
    page.get_by_role("checkbox", name=hostile["1.5."]).check()
    assert "targets" in fragment(page)
    page.reload()
    assert [head for head in heads(page) if head.startswith("torch")] == [f"torch {hostile['1.5.']}"]
    assert page.evaluate("window.owned") is None
    assert page.locator("img").count() == 0
