"""The live loop: sources, pipeline, generators, streaming. Never imports torch."""

import face  # noqa: F401  keeps ONNX Runtime quiet, and so has to come first
