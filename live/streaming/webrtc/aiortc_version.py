"""The only versions of aiortc and aioice whose private parts this package reaches into."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from face.errors import UserError

REQUIRED = {"aiortc": "1.16.0", "aioice": "0.13.0"}


def check() -> None:
    """Stop before anything is imported from another version, whose private parts may have changed.

    Raises:
        UserError: another version is installed, or none.
    """
    for package, required in REQUIRED.items():
        try:
            installed = version(package)
        except PackageNotFoundError:
            installed = "none"
        if installed != required:
            raise UserError(
                f"This program needs {package} {required}, and {installed} is installed: run "
                f"pip install {package}=={required}."
            )
