"""The rating page in Chromium, on a desktop and on a phone."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from browser import opened, until
from study_parts import make_study

from offline.experiments.study.answers import Answers
from offline.experiments.study.server import DATABASE, study_app

pytestmark = pytest.mark.browser


@pytest.fixture
def study_folder(tmp_path):
    return make_study(tmp_path)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the page."""
    server = uvicorn.Server(uvicorn.Config(study_app(folder), log_level="warning"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def answer(page, label: str, answered: int) -> None:
    """Click an answer, once the page shows that so many are given."""
    page.get_by_role("button", name=label).click()
    until(page, f"document.getElementById('progress').textContent.startsWith('{answered} of')")


def assert_answers_fit(page, width: int, height: int) -> None:
    """All answers are on the screen, large enough for a thumb."""
    for button in page.query_selector_all("#answers button"):
        box = button.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] >= 44
        assert box["y"] + box["height"] <= height


@pytest.mark.parametrize(("width", "height"), [(1200, 800), (390, 844)], ids=["desktop", "phone"])
def test_a_rater_answers_everything(chromium, study_folder, width, height):
    with served(study_folder) as address, opened(chromium, address, width=width, height=height) as page:
        page.get_by_role("button", name="Begin").click()
        until(page, "document.querySelector('#clips video')?.readyState >= 2")
        assert "how real does this video look?" in page.inner_text("#asked")
        assert_answers_fit(page, width, height)
        answer(page, "4", 1)
        page.reload()  # goes on where it was
        until(page, "document.getElementById('progress').textContent.startsWith('1 of 7')")
        for number in range(2, 7):
            answer(page, "3", number)
        until(page, "[...document.querySelectorAll('video')].every((video) => video.readyState >= 2)")
        assert "follows the movements" in page.inner_text("#asked") and page.is_visible("#source video")
        assert page.locator("video:visible").count() == 3
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert_answers_fit(page, width, height)
        page.get_by_role("button", name="Left").click()
        until(page, "!document.getElementById('end').hidden")
    answers = Answers(study_folder / DATABASE)
    assert answers.counts("pair").total() == 1


def test_what_was_answered_in_another_tab_is_passed_over(chromium, study_folder):
    with served(study_folder) as address, opened(chromium, address) as page:
        page.get_by_role("button", name="Begin").click()
        until(page, "document.querySelectorAll('#answers button').length === 5")
        page.evaluate(
            """async () => {
              const rater = `api/raters/${localStorage.getItem('rater')}`;
              const { next } = await (await fetch(rater)).json();
              await fetch(`${rater}/answers`, { method: 'POST', body: JSON.stringify({ item: next.item, answer: 5 }) });
            }"""
        )
        answer(page, "1", 1)
        assert page.is_hidden("#error")
