"""The live loop: sources, pipeline, generators, streaming. Never imports torch."""

import os

from platformdirs import user_cache_path

import face  # noqa: F401  keeps ONNX Runtime quiet, and so has to come first
from face.folders import writable

# Compiled functions go to the user's cache, since an installation may be read-only; read as numba is imported.
if "NUMBA_CACHE_DIR" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = str(writable(user_cache_path("head2head") / "numba", "compiled functions"))
