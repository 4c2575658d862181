"""What the GPU's own failures become."""

from __future__ import annotations

import pytest

from face.errors import UserError
from trt_engines.gpu import Gpu

pytestmark = pytest.mark.fast


class Device:
    def set_current(self) -> None:
        pass


def gpu() -> Gpu:
    made = object.__new__(Gpu)
    made.device, made.name = Device(), "GPU 0"
    return made


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("CUDA_ERROR_OUT_OF_MEMORY: The API call failed", "GPU 0 has too little free memory.*--device cpu"),
        ("CUDA_ERROR_DEVICE_UNAVAILABLE: busy", r"GPU 0 failed \(CUDA_ERROR_DEVICE_UNAVAILABLE\): check nvidia-smi"),
    ],
)
def test_failures_are_one_sentence(said, sentence):
    with pytest.raises(UserError, match=sentence), gpu().working():
        raise RuntimeError(said)


def test_memory_in_use(monkeypatch):
    driver = pytest.importorskip("cuda.bindings.driver")
    answers = [(driver.CUresult.CUDA_SUCCESS, 1000, 4000), (driver.CUresult.CUDA_ERROR_LAUNCH_FAILED, 0, 0)]
    monkeypatch.setattr(driver, "cuMemGetInfo", lambda: answers.pop(0))
    assert gpu().memory_in_use() == 3000
    with pytest.raises(UserError, match="CUDA_ERROR_LAUNCH_FAILED"):
        gpu().memory_in_use()


def test_our_own_mistakes_stay_what_they_are():
    with pytest.raises(ValueError, match="broken"), gpu().working():
        raise ValueError("broken")
