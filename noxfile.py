"""Tasks: ``nox -l`` lists them, ``nox -s fast`` runs one. In environments of their own, of the lock file's versions."""

from __future__ import annotations

from pathlib import Path

import nox

LOCK = "requirements.lock"
LOCK_HEADER = """\
# The versions that CI and Docker install (pip install --constraint requirements.lock), of all extras but gpu.
# Made by 'nox -s lock' with torch's CPU build; PyPI's CUDA build of torch wants nvidia-cuda-nvrtc 13.0 beside it.
"""
nox.options.sessions = ["lint", "fast"]
nox.options.reuse_existing_virtualenvs = True


def _install(session: nox.Session) -> None:
    session.install("--constraint", LOCK, "-e", ".[test]")


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types."""
    _install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def fast(session: nox.Session) -> None:
    """Tests that neither open a socket nor train."""
    _install(session)
    session.run("pytest", "-m", "fast", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests; arguments after -- go to pytest."""
    _install(session)
    session.run("pytest", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it elsewhere, use it."""
    session.run("python", ".ci/check_wheel")


@nox.session
def bench(session: nox.Session) -> None:
    """Every stage of the live loop; arguments after -- go to live.bench."""
    _install(session)
    session.run("python", "-m", "live.bench", *session.posargs)


@nox.session
def animation(session: nox.Session) -> None:
    """The README's animation, from the demo target and the demo clip."""
    _install(session)
    session.run("python", "docs/animation.py")


@nox.session(reuse_venv=False)
def lock(session: nox.Session) -> None:
    """Renew the lock file with the newest versions that the ranges allow."""
    session.install(".[test]")
    frozen = session.run("python", "-m", "pip", "freeze", "--exclude", "head2head-live", silent=True)
    lines = [line.replace("+cpu", "") for line in str(frozen).splitlines()]
    Path(LOCK).write_text(LOCK_HEADER + "\n".join(lines) + "\n")
