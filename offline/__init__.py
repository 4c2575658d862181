"""From a video of a person to a target file, and the tools around it. The only package that imports torch."""

import face  # noqa: F401  keeps ONNX Runtime quiet, and so has to come first
