"""A learner in a browser: JupyterLab, the offline pages, the quiz and the search, by keyboard too.

Needs Chromium, its driver, and ``pip install -e ".[browser]"``; without them it is skipped, with a
reason.
With ``SIMMIM_SCREENSHOTS=DIR``, pictures of what the tests saw are written there.
"""

import importlib.resources
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from notebooks.tools import builder, pages

pytestmark = pytest.mark.slow
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
if not CHROMIUM or not DRIVER:
    pytest.skip("Chromium or its driver is not installed", allow_module_level=True)

from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

DESKTOP, PHONE = (1280, 900), (390, 844)
MINUTES = 12  # for all cells of a notebook on a busy machine
Browser = webdriver.Chrome


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--mute-audio"):
        options.add_argument(argument)
    service = webdriver.ChromeService(executable_path=DRIVER)
    with webdriver.Chrome(options=options, service=service) as driver:
        driver.set_script_timeout(60)
        yield driver


def resize(browser: Browser, size: tuple[int, int]) -> None:
    """Give the page exactly this size, as the emulation of a device does."""
    width, height = size
    settings = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", settings)


def picture(browser: Browser, name: str) -> None:
    if folder := os.environ.get("SIMMIM_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(f"{folder}/{name}.png")


def until(browser: Browser, condition: Callable, seconds: float = 60):
    return WebDriverWait(browser, seconds, poll_frequency=0.5).until(condition)


# The offline pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of all notebooks, with the stored outputs."""
    output = tmp_path_factory.mktemp("site")
    assert pages.run(builder.FOLDER, output, stored=True, say=lambda line: None) == 0
    return output


def page_names(site: Path) -> list[str]:
    names = ["index", "quiz", "search", "00_start_here", "06_multimodal_infomax"]
    return names + sorted(path.stem for path in site.glob("*slides*06*.html"))[:1]


def open_page(browser: Browser, site: Path, name: str, size: tuple[int, int]) -> None:
    resize(browser, size)
    browser.get((site / f"{name}.html").as_uri())


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pages_load_nothing_and_have_no_serious_accessibility_fault(
    browser: Browser, site: Path, size: tuple[int, int]
):
    axe_core = pytest.importorskip("axe_core_python", reason="axe is not installed")
    axe = (importlib.resources.files(axe_core) / "axe.min.js").read_text(encoding="utf-8")
    found = []
    for name in page_names(site):
        open_page(browser, site, name, size)
        picture(browser, f"page_{name}_{size[0]}")
        script = "return performance.getEntriesByType('resource').map(entry => entry.name)"
        loaded = browser.execute_script(script)
        found += [f"{name}: loads {entry}" for entry in loaded if not entry.startswith("file:")]
        browser.execute_script(axe)
        result = browser.execute_async_script("axe.run().then(arguments[0])")
        for fault in result["violations"]:
            if fault["impact"] in ("serious", "critical"):
                found.append(f"{name}: {fault['id']}: {fault['nodes'][0]['html'][:120]}")
    assert found == []


def test_no_page_is_wider_than_a_phone(browser: Browser, site: Path):
    resize(browser, PHONE)
    wide = {}
    for page in site.glob("*.html"):
        browser.get(page.as_uri())
        width = browser.execute_script("return document.documentElement.scrollWidth")
        if width > PHONE[0]:
            wide[page.name] = width
    assert wide == {}


def test_an_answer_of_the_quiz_unfolds_by_keyboard(browser: Browser, site: Path):
    open_page(browser, site, "06_multimodal_infomax", DESKTOP)
    summary = browser.find_element(By.CSS_SELECTOR, "details summary")
    browser.execute_script("arguments[0].focus()", summary)
    summary.send_keys(Keys.ENTER)
    opened = browser.find_element(By.CSS_SELECTOR, "details[open]")
    assert "orrect." in opened.text
    picture(browser, "quiz_in_page")


def test_the_quiz_page_counts_by_keyboard_alone(browser: Browser, site: Path):
    open_page(browser, site, "quiz", DESKTOP)
    body = browser.find_element(By.TAG_NAME, "body")
    for _ in range(20):
        body.send_keys(Keys.TAB)
        if browser.switch_to.active_element.get_attribute("type") == "radio":
            break
    first = browser.switch_to.active_element
    first.send_keys(Keys.SPACE)
    score = browser.find_element(By.CSS_SELECTOR, ".score")
    right = int(first.get_attribute("data-right"))
    assert score.text == f"{right} of 1 correct"
    shown = [v for v in browser.find_elements(By.CSS_SELECTOR, ".verdict") if v.is_displayed()]
    assert len(shown) == 1
    for button in browser.find_elements(By.CSS_SELECTOR, "input[data-right='1']"):
        browser.execute_script("arguments[0].click()", button)
    total = len(browser.find_elements(By.TAG_NAME, "fieldset"))
    assert total >= 5
    assert score.text == f"{total} of {total} correct"
    picture(browser, "quiz_all")


def test_search_narrows_to_the_words(browser: Browser, site: Path):
    open_page(browser, site, "search", PHONE)
    rows = len(browser.find_elements(By.CSS_SELECTOR, ".found li"))
    browser.find_element(By.ID, "words").send_keys("memory forget")
    left = [r for r in browser.find_elements(By.CSS_SELECTOR, ".found li") if r.is_displayed()]
    assert 0 < len(left) < rows
    assert all("forget" in row.text.lower() for row in left)
    picture(browser, "search_phone")


# JupyterLab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab that stands in a copy of the notebooks."""
    root = tmp_path_factory.mktemp("lab")
    for name in builder.names(builder.FOLDER):
        shutil.copy(builder.FOLDER / f"{name}.ipynb", root)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--allow-root"]
    command += [
        "--IdentityProvider.token=",
        "--expose-app-in-browser",
        f"--ServerApp.root_dir={root}",
    ]
    command += ["--LabApp.news_url=None", "--ServerApp.disable_check_xsrf=True"]
    settings = {"JUPYTER_CONFIG_DIR": str(root / "config"), "JUPYTER_PLATFORM_DIRS": "1"}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, env=os.environ | settings, **silent)
    address = f"http://127.0.0.1:{port}/lab"
    try:
        for _ in range(120):
            try:
                urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(30)


NOTEBOOK = "const nb = jupyterapp.shell.currentWidget.content; "


def open_notebook(browser: Browser, lab: str, name: str) -> None:
    resize(browser, DESKTOP)
    browser.get(f"{lab}/tree/{name}.ipynb?reset")
    script = (
        "const panel = window.jupyterapp?.shell.currentWidget;"
        "return panel?.sessionContext?.session?.kernel?.status === 'idle' && "
        "panel.content.widgets.length"
    )
    until(browser, lambda b: b.execute_script(script), 180)


def run_all(browser: Browser) -> None:
    """Menu Run, Run All Cells; until each code cell has its number."""
    clear = "jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"
    browser.execute_script(clear)
    bar = browser.find_elements(By.CSS_SELECTOR, "#jp-MainMenu .lm-MenuBar-item")
    next(item for item in bar if item.text == "Run").click()
    entries = until(browser, lambda b: b.find_elements(By.CSS_SELECTOR, ".lm-Menu-item"))
    next(entry for entry in entries if entry.text.startswith("Run All Cells")).click()
    script = NOTEBOOK + (
        "const code = nb.widgets.filter(cell => cell.model.type === 'code');"
        "return code.every(cell => cell.model.executionCount) && "
        "jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"
    )
    until(browser, lambda b: b.execute_script(script), 60 * MINUTES)
    failed = NOTEBOOK + (
        "return nb.widgets.filter(cell => cell.model.type === 'code').flatMap(cell => "
        "cell.model.outputs.toJSON()).filter(out => out.output_type === 'error')"
        ".map(out => out.evalue)"
    )
    assert browser.execute_script(failed) == []


def go_to(browser: Browser, text: str) -> int:
    """Make the cell that contains this text the active one, and show it."""
    script = NOTEBOOK + (
        "const place = nb.widgets.findIndex("
        "cell => cell.model.sharedModel.getSource().includes(arguments[0]));"
        "nb.activeCellIndex = place; nb.mode = 'command'; nb.deselectAll();"
        "return nb.scrollToItem(place, 'center').then(() => place)"
    )
    place = browser.execute_script(script, text)
    assert place >= 0, text
    time.sleep(1)
    return place


def answer(browser: Browser, exercise: str, source: str) -> str:
    """Type ``source`` into the cell of an exercise and run it; the text of its output."""
    place = go_to(browser, f'exercises.check("{exercise}"')
    number = NOTEBOOK + "return nb.widgets[arguments[0]].model.executionCount"
    before = browser.execute_script(number, place)
    node = browser.execute_script(NOTEBOOK + "return nb.widgets[arguments[0]].node", place)
    node.find_element(By.CSS_SELECTOR, ".cm-content").click()
    keys = webdriver.ActionChains(browser)
    keys.key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys(Keys.DELETE).perform()
    for line in source.splitlines(keepends=True):  # an editor closes brackets and quotes itself
        node.find_element(By.CSS_SELECTOR, ".cm-content").send_keys(line)
    keys.key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT).perform()
    until(browser, lambda b: b.execute_script(number, place) not in (before, None))
    text = NOTEBOOK + (
        "return nb.widgets[arguments[0]].model.outputs.toJSON().map(out => out.text ?? out.evalue)"
    )
    time.sleep(1)
    return "".join("".join(part) for part in browser.execute_script(text, place))


def test_a_learner_in_notebook_00(browser: Browser, lab: str):
    open_notebook(browser, lab, "00_start_here")
    picture(browser, "lab_00_opened")
    run_all(browser)
    check = 'exercises.check("after shuffling", my_prediction'
    wrong = answer(browser, "after shuffling", f'my_prediction = "a"\n{check})')
    assert "counted from 4,000 images" in wrong
    hint = answer(browser, "after shuffling", f'my_prediction = "a"\n{check}, hint=1)')
    assert "Can it give 0 in every shuffle?" in hint
    right = answer(browser, "after shuffling", f'my_prediction = "b"\n{check})')
    assert "orrect" in right
    assert right != wrong
    picture(browser, "lab_00_answered")
    place = go_to(browser, "## Quiz")
    node = browser.execute_script(NOTEBOOK + "return nb.widgets[arguments[0]].node", place)
    option = node.find_elements(By.TAG_NAME, "summary")[2]
    option.click()
    assert "Correct." in node.text
    picture(browser, "lab_00_quiz")


def test_a_slider_redraws_the_figure_of_notebook_01(browser: Browser, lab: str):
    open_notebook(browser, lab, "01_entropy")
    run_all(browser)
    go_to(browser, "figures.explore(")
    handle = until(browser, lambda b: b.find_elements(By.CSS_SELECTOR, ".noUi-handle"))[0]
    image = "return document.querySelector('.jupyter-widgets img, .widget-output img')?.src"
    before = until(browser, lambda b: b.execute_script(image))
    handle.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    until(browser, lambda b: b.execute_script(image) not in (before, None))
    picture(browser, "lab_01_slider")


def test_notebook_06_runs_and_its_sound_plays(browser: Browser, lab: str):
    open_notebook(browser, lab, "06_multimodal_infomax")
    place = go_to(browser, "FAST = False")
    script = NOTEBOOK + (
        "const model = nb.widgets[arguments[0]].model.sharedModel;"
        "model.setSource(model.getSource().replace('FAST = False', 'FAST = True'))"
    )
    browser.execute_script(script, place)
    run_all(browser)
    wrong = answer(
        browser, "a low bound", 'my_choice = "a"\nexercises.check("a low bound", my_choice)'
    )
    assert wrong.strip()
    go_to(browser, "figures.audio_player(")
    player = until(browser, lambda b: b.find_elements(By.TAG_NAME, "audio"))[0]
    until(browser, lambda b: b.execute_script("return arguments[0].duration > 0.5", player))
    play = (
        "const done = arguments[1]; arguments[0].play().then(() => done(true), () => done(false))"
    )
    assert browser.execute_async_script(play, player)
    picture(browser, "lab_06_audio")
