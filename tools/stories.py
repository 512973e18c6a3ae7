"""Run the stories, and write docs/stories from their results.

uv run python tools/stories.py run                       every story in every environment, into reports/stories
uv run python tools/stories.py run NAME [ENVIRONMENT]    one story, in one environment
uv run python tools/stories.py                           write docs/stories from reports/stories
uv run python tools/stories.py --check                   exit 1 where they differ from what stands there
"""

import sys
from pathlib import Path
from typing import Any

from bnspec.environments import find
from bnspec.explain.of_story import of_story
from bnspec.explain.text import as_text
from bnspec.report.clean import strings
from bnspec.stories.markdown import index, markdown, svg
from bnspec.stories.page import Page, page
from bnspec.stories.results import in_folder, write
from bnspec.stories.running import Story, load_stories, run_in, title

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "reports" / "stories"
PAGES = ROOT / "docs" / "stories"


def run(names: list[str]) -> None:
    """Run stories, all or one, in all environments or one; the results are written after every environment."""
    stories = [story for story in load_stories() if not names or story.name == names[0]]
    if not stories:
        raise SystemExit(f"no story {names[0]!r}; there are {', '.join(story.name for story in load_stories())}")
    RESULTS.mkdir(exist_ok=True)
    for story in stories:
        for environment in names[1:] or story.environments:
            runs = run_in(story, find(environment))
            write(RESULTS / f"{story.name}.json", story.name, runs, explained(story, environment))
            failed = [f"{one.get('scene', 'all')}: {one['failed']}" for one in runs if "failed" in one]
            print(f"{story.name} in {environment}: {len(runs) - len(failed)} scenes", *failed, sep="; ", flush=True)


def explained(story: Story, name: str) -> dict[str, Any] | None:
    """Return what explain says of the model of a story, in the environment in which that is told; else None."""
    if name != story.module.EXPLAINED_IN:
        return None
    environment = find(name)
    scene, _ = story.module.EXPLAINED[story.kind(environment)]
    found = of_story(story, scene, environment)
    causes = [cause.id for cause in found.findings]
    return {"title": title(environment), "scene": scene, "causes": causes, "text": as_text(found)}


def pages() -> list[Page]:
    """Return the pages of the stories that have results."""
    found = in_folder(RESULTS)
    return [page(story, strings(found[story.name])) for story in load_stories() if story.name in found]


def files() -> dict[Path, str]:
    """Return what is to stand in docs/stories."""
    found = {PAGES / "README.md": index(pages())}
    for one in pages():
        found[PAGES / f"{one.name}.md"] = markdown(one)
        for number, picture in enumerate(one.pictures, 1):
            found[PAGES / f"{one.name}-{number}.svg"] = svg(picture)
    return found


def main() -> None:
    """Run, write or check."""
    if sys.argv[1:2] == ["run"]:
        return run(sys.argv[2:])
    new = files()
    if "--check" in sys.argv:
        there = {path for path in PAGES.glob("*") if path.is_file()}
        if there != set(new) or any(path.read_text("utf-8") != text for path, text in new.items()):
            raise SystemExit("docs/stories is not what the results say; run: uv run python tools/stories.py")
        return None
    PAGES.mkdir(exist_ok=True)
    for path, text in new.items():
        path.write_text(text, "utf-8")
    return None


if __name__ == "__main__":
    main()
