from __future__ import annotations

import numpy as np
import pytest

from face.errors import FaceError
from live.frames import Generated
from live.recorder import Recorder

pytestmark = pytest.mark.unit


def test_a_failure_is_told_and_leaves_no_file(tmp_path):
    recorder = Recorder(tmp_path / "a.mp4")
    recorder.put(Generated(np.zeros((7, 0, 3), np.uint8), None, 0.0))
    with pytest.raises(FaceError, match="recording failed"):
        recorder.close()
    assert list(tmp_path.iterdir()) == []
