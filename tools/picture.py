"""Take the README's picture: the first screen of reports/index.html, in a headless browser.

uv run python tools/picture.py [PAGE.html PICTURE.png]
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Open the page from disk and write the picture."""
    given = [Path(argument).resolve() for argument in sys.argv[1:]]
    page_file, picture = given or [ROOT / "reports" / "index.html", ROOT / "reports" / "report.png"]
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        raise SystemExit("no chromium on PATH; install one: sh tools/install-browser.sh")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1360, "height": 1000}, device_scale_factor=1)
        page.goto(page_file.as_uri())
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main()
