"""The live loop: sources, pipeline, generators, streaming. Never imports torch."""

import os

from platformdirs import user_cache_path

import face  # noqa: F401  keeps ONNX Runtime quiet, and so has to come first

# Compiled functions go to the user's cache, since an installation may be read-only; read as numba is imported.
os.environ.setdefault("NUMBA_CACHE_DIR", str(user_cache_path("head2head") / "numba"))
