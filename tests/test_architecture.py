"""Imports run one way, and the small install needs no torch."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import DEMO_TARGET, REPOSITORY

pytestmark = pytest.mark.fast

FILE_LINES, FUNCTION_LINES = 350, 60
ALLOWED = {
    "face": {"face"},
    "trt_engines": {"face", "trt_engines"},
    "live": {"face", "live", "trt_engines"},
    "offline": {"face", "offline", "trt_engines"},
}
FILES = [p for package in ALLOWED for p in sorted((REPOSITORY / package).rglob("*.py"))]


@functools.cache
def nodes(path: Path) -> list[ast.AST]:
    """A module's syntax tree, flat."""
    return list(ast.walk(ast.parse(path.read_text())))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_imports_point_one_way(path):
    home = path.relative_to(REPOSITORY).parts[0]
    for node in nodes(path):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            top = name.split(".")[0]
            assert top not in ALLOWED or top in ALLOWED[home], f"{path} imports {name}"
            assert top != "torch" or home == "offline", f"{path} imports torch"


def test_live_and_face_load_without_torch():
    modules = [
        ".".join(p.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        for p in FILES
        if p.relative_to(REPOSITORY).parts[0] != "offline"
    ]
    code = f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["live.generators.onnx_runtime", "offline.rollout", "face.gaze_estimation"])
def test_onnx_runtime_reports_to_nobody(module, tmp_path):
    """Where it would report, it keeps its reports in the user's cache; it holds back only where CI is set."""
    code = (
        f"import {module}, onnxruntime as ort\n"
        f"ort.InferenceSession({str(DEMO_TARGET)!r}, providers=['CPUExecutionProvider'])"
    )
    environment = {"PATH": "/usr/bin", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name or "Microsoft" in path.name]


def _lengths(path: Path) -> Iterator[tuple[str, int]]:
    """The module and each of its functions, with how many lines they have."""
    name = path.relative_to(REPOSITORY).as_posix()
    yield name, len(path.read_text().splitlines())
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_modules_and_functions_are_short(path):
    assert not [(name, n) for name, n in _lengths(path) if n > (FUNCTION_LINES if ":" in name else FILE_LINES)]
