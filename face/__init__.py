"""The core that the live loop and the offline tools share: model, tracking, fitting, conditioning, target files.

Numpy in, numpy out: no torch, no CUDA, no web code. ``docs/conventions.md`` states axes, units and frames.
"""

import os

# Unless told so before it is loaded, ONNX Runtime reports models, machine and errors to Microsoft.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
