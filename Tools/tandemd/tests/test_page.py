# SPDX-License-Identifier: Apache-2.0
"""The chat page in a real browser: Chromium, headless."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from conftest import Daemon

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    if not BROWSER or not DRIVER:
        pytest.skip("Chromium or its driver is not installed (Debian: chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=900,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield driver
    driver.quit()


def _wait(browser: webdriver.Chrome, test, text: str) -> None:
    WebDriverWait(browser, 20, 0.02).until(lambda _: test(), text)


def _status(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.ID, "status").text


def _set(browser: webdriver.Chrome, name: str, value: str) -> None:
    field = browser.find_element(By.ID, name)
    field.clear()
    field.send_keys(value)


def _articles(browser: webdriver.Chrome) -> list[tuple[str, str]]:
    # In one step: articles come and go meanwhile.
    script = "return [...document.querySelectorAll('article')].map(item => [item.className, item.textContent])"
    return [(kind, text) for kind, text in browser.execute_script(script)]


def _open(browser: webdriver.Chrome, daemon: Daemon) -> None:
    browser.get(daemon.url + "/")
    browser.execute_script("sessionStorage.clear()")
    browser.get(daemon.url + "/")


def _no_errors(browser: webdriver.Chrome) -> None:
    entries = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not [entry for entry in entries if "401" not in entry["message"]], entries


def test_a_conversation(browser: webdriver.Chrome, daemon: Daemon) -> None:
    _open(browser, daemon)
    _wait(browser, lambda: _status(browser) == "Ready.", "models are loaded")
    _set(browser, "temperature", "0")
    _set(browser, "tokens", "30")
    browser.find_element(By.ID, "text").send_keys("Once upon a time", Keys.ENTER)
    _wait(browser, lambda: "tokens/s" in _status(browser), "the answer ends")
    (first, question), (second, answer) = _articles(browser)
    assert (first, question) == ("user", "Once upon a time")
    assert second == "assistant" and answer.startswith(", there was a little")
    assert _status(browser).startswith("The limit of tokens is reached · 30 tokens · ")
    # The next turn carries the conversation.
    browser.find_element(By.ID, "text").send_keys("The dog", Keys.SHIFT, Keys.ENTER, Keys.NULL, "and the cat")
    browser.find_element(By.ID, "send").click()
    _wait(browser, lambda: len(_articles(browser)) == 4 and "tokens/s" in _status(browser), "the second answer ends")
    assert _articles(browser)[2] == ("user", "The dog\nand the cat")
    messages = [
        {"role": "user", "content": "Once upon a time"}, {"role": "assistant", "content": answer},
        {"role": "user", "content": "The dog\nand the cat"},
    ]
    expected = daemon.client().chat.completions.create(
        model="demo", messages=messages, temperature=0, max_tokens=30)
    assert _articles(browser)[3][1] == expected.choices[0].message.content
    browser.find_element(By.ID, "clear").click()
    assert _articles(browser) == []
    _no_errors(browser)


def test_what_is_typed_stays_text(browser: webdriver.Chrome, daemon: Daemon) -> None:
    _open(browser, daemon)
    _wait(browser, lambda: _status(browser) == "Ready.", "models are loaded")
    _set(browser, "tokens", "5")
    text = "<img src=x onerror=document.title='broken'>"
    browser.find_element(By.ID, "text").send_keys(text, Keys.ENTER)
    _wait(browser, lambda: "tokens/s" in _status(browser), "the answer ends")
    assert _articles(browser)[0][1] == text
    assert browser.title == "Tandem"


def test_stop(browser: webdriver.Chrome, slow_daemon: Daemon) -> None:
    _open(browser, slow_daemon)
    _wait(browser, lambda: _status(browser) == "Ready.", "models are loaded")
    cancelled = 'tandem_generations_total{reason="cancelled"}'
    before = slow_daemon.metrics().get(cancelled, 0)
    _set(browser, "tokens", "400")
    # The end token would end some stories early: a sampled one goes on for long enough.
    _set(browser, "temperature", "1.5")
    browser.find_element(By.ID, "text").send_keys("Once upon a time", Keys.ENTER)
    _wait(browser, lambda: len(_articles(browser)) == 2 and len(_articles(browser)[1][1]) > 5, "an answer begins")
    assert not browser.find_element(By.ID, "send").is_displayed()
    browser.find_element(By.ID, "stop").click()
    _wait(browser, lambda: _status(browser).startswith("Stopped"), "the answer is stopped")
    slow_daemon.wait_metric(cancelled, lambda value: value == before + 1, limit=3)
    assert browser.find_element(By.ID, "send").is_displayed()


def test_key(browser: webdriver.Chrome, launch) -> None:
    daemon = launch(api_key="open-sesame")
    _open(browser, daemon)
    _wait(browser, lambda: browser.find_element(By.ID, "unlock").is_displayed(), "a key is asked for")
    for key in ("wrong", "open-sesame"):
        browser.find_element(By.ID, "key").send_keys(key, Keys.ENTER)
        if key == "wrong":
            _wait(browser, lambda: browser.find_element(By.ID, "unlock").is_displayed(), "the key is refused")
    _wait(browser, lambda: _status(browser) == "Ready.", "models are loaded")
    assert not browser.find_element(By.ID, "unlock").is_displayed()
    _set(browser, "tokens", "5")
    browser.find_element(By.ID, "text").send_keys("Once", Keys.ENTER)
    _wait(browser, lambda: "tokens/s" in _status(browser), "the answer ends")


def test_errors_are_shown(browser: webdriver.Chrome, daemon: Daemon) -> None:
    _open(browser, daemon)
    _wait(browser, lambda: _status(browser) == "Ready.", "models are loaded")
    browser.execute_script("document.getElementById('text').value = 'word '.repeat(2000)")
    browser.find_element(By.ID, "send").click()
    _wait(browser, lambda: any(kind == "error" for kind, _ in _articles(browser)), "the error is shown")
    assert "512" in _articles(browser)[-1][1]


def test_models_without_template(browser: webdriver.Chrome, launch) -> None:
    _open(browser, launch(chat_template=None))
    _wait(browser, lambda: "continues your text" in _status(browser), "the page says so")
    _set(browser, "temperature", "0")
    _set(browser, "tokens", "10")
    browser.find_element(By.ID, "text").send_keys("Once upon a time", Keys.ENTER)
    _wait(browser, lambda: "tokens/s" in _status(browser), "the answer ends")
    assert _articles(browser)[1][1].startswith(", there was a little girl")


def test_nothing_comes_from_elsewhere(browser: webdriver.Chrome, daemon: Daemon) -> None:
    policy = daemon.http().get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy
    _open(browser, daemon)
    _wait(browser, lambda: _status(browser) == "Ready.", "models are loaded")
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert loaded and all(name.startswith(daemon.url) for name in loaded)
    blocked = browser.execute_async_script(
        "const done = arguments[0]; fetch('https://example.org').then(() => done(false), () => done(true))")
    assert blocked
