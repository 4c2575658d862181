"""Documents that must keep pace with the code."""

from __future__ import annotations

import re

import pytest
from conftest import REPOSITORY

pytestmark = pytest.mark.fast

_SOURCES = {".py", ".cu", ".js", ".ts", ".html", ".css"}
_UNLISTED = {"__init__.py", "__main__.py"}
_MOST_WORDS = 6
_DOCUMENTS = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]


def _source_files() -> set[str]:
    packages = [REPOSITORY / name for name in ("face", "live", "offline", "trt_engines", "web")]
    files = [p for package in packages for p in package.rglob("*") if p.suffix in _SOURCES and p.name not in _UNLISTED]
    return {"run_live.py", *(p.relative_to(REPOSITORY).as_posix() for p in files if "node_modules" not in p.parts)}


def test_architecture_describes_each_file_in_six_words():
    rows = re.findall(r"^\| `([\w/.]+)` \| (.+) \|$", (REPOSITORY / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    listed = dict(rows)
    assert len(listed) == len(rows), "a file is listed twice"
    assert _source_files() - set(listed) == set(), "files that ARCHITECTURE.md does not describe"
    assert set(listed) - _source_files() == set(), "files that are gone"
    assert {name: words for name, words in rows if len(words.split()) > _MOST_WORDS} == {}


@pytest.mark.parametrize("path", _DOCUMENTS, ids=lambda p: p.relative_to(REPOSITORY).as_posix())
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
        assert re.match(r"https?://|mailto:", link) or (path.parent / link).exists(), f"{path}: {link}"


def test_the_glossary_is_short():
    terms = re.findall(r"^\| \*\*", (REPOSITORY / "docs" / "glossary.md").read_text(), re.MULTILINE)
    assert 0 < len(terms) <= 40
