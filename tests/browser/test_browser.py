"""The built book in a real browser, opened from the disk, without a network."""

import re
import shutil
import tempfile
from pathlib import Path

import pytest

from labelkit.papers import ROOT

BOOK = ROOT / "build" / "book"
CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM.exists() and DRIVER.exists()), reason="chromium and its driver are not installed"),
    pytest.mark.skipif(not (BOOK / "index.html").exists(), reason="the book has not been built (make book)"),
]


SPEED_ADVICE = ("willReadFrequently", "GL Driver Message (OpenGL, Performance", "fallback to software WebGL")
"""What chromium says where it draws point clouds without a GPU: how fast, and by which renderer."""


def pages() -> list[Path]:
    return sorted(path for path in BOOK.rglob("*.html") if "_static" not in path.parts)


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    profile = tempfile.mkdtemp()
    options = Options()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
        "--hide-scrollbars", "--proxy-server=127.0.0.1:9", f"--user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


def width(browser, pixels: int) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": pixels, "height": 900, "deviceScaleFactor": 1, "mobile": pixels < 600},
    )


def wait(browser, script: str, seconds: float = 15.0):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, seconds).until(lambda driver: driver.execute_script(f"return {script}"))


def test_no_page_refers_to_scripts_or_styles_elsewhere():
    for path in pages():
        text = path.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=\"(https?:)?//", text)
        loaded += re.findall(r"<link[^>]*rel=\"(?:stylesheet|preload|icon)\"[^>]*href=\"(?:https?:)?//", text)
        assert not loaded, path
        assert not re.search(r"unpkg|jsdelivr|cdnjs|googleapis", text), path


def test_every_page_opens_without_a_message_and_with_its_pictures(browser):
    width(browser, 1280)
    for path in pages():
        browser.get(path.as_uri())
        # Pictures further down load when they are needed; ask for all of them.
        browser.execute_script("document.querySelectorAll('img').forEach(i => { i.loading = 'eager'; })")
        wait(browser, "document.readyState === 'complete' && [...document.images].every(i => i.complete)")
        log = [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        log = [message for message in log if not any(advice in message for advice in SPEED_ADVICE)]
        assert not log, f"{path.name}: {log[:3]}"
        bad = browser.execute_script(
            "return [...document.querySelectorAll('main img')]"
            ".filter(i => !(i.naturalWidth > 0) || !i.alt.trim()).map(i => i.src.slice(0, 80))"
        )
        assert not bad, f"{path.name}: pictures that are not there or have no alternative text: {bad}"
        if path != BOOK / "index.html" and path.name not in ("genindex.html", "search.html"):
            assert len(browser.execute_script("return document.querySelector('main').innerText")) > 200, path.name


def test_every_page_fits_a_phone(browser):
    width(browser, 390)
    for path in pages():
        browser.get(path.as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 391, path.name


def test_dark_mode_changes_the_colours_and_keeps_text_readable(browser):
    width(browser, 1280)
    browser.get((BOOK / "book" / "verdicts.html").as_uri())
    colours = {}
    for _ in range(3):
        theme = browser.execute_script("return document.documentElement.dataset.theme")
        colours[theme] = browser.execute_script(
            "return ['color', 'backgroundColor'].map(c => "
            "getComputedStyle(document.querySelector(c === 'color' ? 'main p' : 'body'))[c])"
        )
        browser.execute_script("document.querySelector('.theme-switch-button').click()")
    assert set(colours) == {"light", "dark"}
    for text, background in colours.values():
        light, dark = (sum(map(int, re.findall(r"\d+", c)[:3])) for c in (text, background))
        assert abs(light - dark) > 350, colours
    assert colours["light"] != colours["dark"]


def test_search_finds_a_word_offline(browser):
    width(browser, 1280)
    browser.get((BOOK / "search.html").as_uri() + "?q=confusion")
    links = "[...document.querySelectorAll('ul.search li a')].map(a => a.getAttribute('href'))"
    assert wait(browser, f"{links}.some(link => link.includes('protocols.html'))")


def test_mathematics_is_drawn_offline(browser):
    width(browser, 390)
    browser.get((BOOK / "book" / "verdicts.html").as_uri())
    assert wait(browser, "document.querySelectorAll('mjx-container svg').length") >= 3


def test_the_filter_of_the_results_page(browser):
    width(browser, 1280)
    browser.get((BOOK / "book" / "results.html").as_uri())
    if not browser.execute_script("return document.querySelectorAll('table.records').length"):
        pytest.skip("there are no records yet, so there is no table")
    total = "document.querySelectorAll('table.records tbody tr').length"
    shown = "document.querySelectorAll('table.records tbody tr:not([hidden])').length"
    assert browser.execute_script(f"return {shown} === {total}")
    browser.execute_script(
        "const i = document.querySelector('.records-filter input'); i.value = 'last streets';"
        "i.dispatchEvent(new Event('input'))"
    )
    assert 0 < browser.execute_script(f"return {shown}") < browser.execute_script(f"return {total}")
    rows = browser.execute_script(
        "return [...document.querySelectorAll('table.records tbody tr:not([hidden])')].map(r => r.textContent)"
    )
    assert all("last" in row and "streets" in row for row in rows)


def test_chapters_can_be_launched():
    chapters = sorted((BOOK / "notebooks").glob("*.html"))
    if not chapters:
        pytest.skip("the book has no chapter yet")
    for path in chapters:
        text = path.read_text(encoding="utf-8")
        assert f"mybinder.org/v2/gh/labelkit/labelkit/main?urlpath=lab/tree/notebooks/{path.stem}.ipynb" in text
        assert f"colab.research.google.com/github/labelkit/labelkit/blob/main/notebooks/{path.stem}.ipynb" in text
        assert 'class="provenance"' in text, f"{path.name} has no provenance strip"
