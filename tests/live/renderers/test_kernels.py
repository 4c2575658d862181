"""The GPU's kernels, compiled as C++, draw what the CPU's renderer draws; and they compile for every GPU."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import camera, units

from face.conditioning import CpuConditioning
from face.mouth_parts import TeethPlacement
from face.parameters import EXPRESSION_SIZE, UNITS, FaceParameters, of_units
from live.renderers.packing import FACE, FaceMesh
from offline.synthetic.motion import natural_motion

pytestmark = pytest.mark.fast
SOURCE = Path(__file__).with_name("as_cpp.cpp")


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    if shutil.which("g++") is None:
        pytest.skip("no g++ is installed")
    built = tmp_path_factory.mktemp("kernels") / "kernels.so"
    # As on the GPU, multiply and add are not fused.
    command = [
        "g++", "-O2", "-ffp-contract=off", "-Wall", "-Werror", "-shared", "-fPIC",
        f"-DEXPRESSION_SIZE={EXPRESSION_SIZE}", str(SOURCE), "-o", str(built),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(built))


def draw(library: ctypes.CDLL, mesh: FaceMesh, parameters: FaceParameters, size: int) -> np.ndarray:
    neutral = mesh.neutral(parameters.identity)
    points, keys = np.empty_like(neutral), np.empty((size, size), np.uint64)
    image = np.empty((size, size, 6), np.uint8)
    face = mesh.pack(parameters)
    at = lambda array: array.ctypes.data_as(ctypes.c_void_p)  # noqa: E731
    triangles = np.ascontiguousarray(mesh.triangles)
    library.render(
        at(face), at(neutral), at(mesh.expression), len(neutral), mesh.face_vertices, at(triangles), len(triangles),
        mesh.face_triangles, at(mesh.colors), size, at(points), at(keys), at(image),
    )  # fmt: skip
    return image


def faces(model, size: int, count: int):
    rng = np.random.default_rng(5)
    motion = natural_motion(count * 10, 5)
    for k in range(0, count * 10, 10):
        pose = camera(*(motion.euler_deg[k] * 1.3), scale=size * rng.uniform(0.25, 0.6), size=size)
        expression = of_units(motion.expression[k])
        expression[UNITS.stop :] = rng.normal(0, 1, EXPRESSION_SIZE - UNITS.stop)
        yield FaceParameters(rng.normal(0, 1, 80), expression, pose, motion.gaze_deg[k])


@pytest.mark.slow
@pytest.mark.parametrize("size", [256, 512])
@pytest.mark.parametrize("teeth", [None, TeethPlacement(0.02, -0.01, 1.05)])
def test_the_kernels_draw_what_the_cpu_draws(model, library, size, teeth):
    mesh, reference = FaceMesh(model, teeth), CpuConditioning(model, size, teeth)
    for parameters in faces(model, size, 30):
        expected, drawn = reference.render(parameters), draw(library, mesh, parameters, size)
        other = np.abs(expected.astype(int) - drawn).max(2)
        assert (expected[..., :3].any(2)).mean() > 0.02 and expected[..., 5].any() | (parameters.expression[8] > 0.3)
        assert (other > 1).mean() <= 0.001
        # What differs lies on a triangle's border: within a pixel is its neighbor, whose color is a few levels off.
        for y, x in zip(*np.where(other > 1), strict=True):
            around = expected[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].astype(int)
            assert np.abs(around - drawn[y, x]).max(2).min() <= 8


@pytest.mark.parametrize("jaw", [0.0, 0.3, 1.0])
def test_the_kernels_draw_teeth_where_the_cpu_draws_them(model, library, jaw):
    teeth, size = TeethPlacement(), 256
    mesh, reference = FaceMesh(model, teeth), CpuConditioning(model, size, teeth)
    grin = units(jawOpen=jaw, mouthUpperUpLeft=0.8 * (jaw > 0), mouthUpperUpRight=0.8 * (jaw > 0))
    parameters = FaceParameters(np.zeros(80), grin, camera(20, 10, 5, scale=110), np.zeros(2))
    drawn, expected = (draw(library, mesh, parameters, size), reference.render(parameters))
    bare = CpuConditioning(model, size).render(parameters)
    assert (expected != bare).any(2).sum() > 100 * (jaw > 0)
    assert np.abs(expected.astype(int) - drawn).max(2).astype(bool).sum() <= 3


def test_a_face_beyond_the_image_is_cut_off(model, library):
    mesh, size = FaceMesh(model), 128
    parameters = FaceParameters(np.zeros(80), units(), camera(10, 5, 3, scale=200, size=size), np.array([5.0, 3]))
    assert (draw(library, mesh, parameters, size) != CpuConditioning(model, size).render(parameters)).mean() <= 0.001


def test_the_record_has_the_size_of_the_struct():
    assert FACE.itemsize == 4 * (EXPRESSION_SIZE + 9 + 1 + 2 + 4 + 2)


@pytest.mark.parametrize("architecture", [75, 80, 86, 89, 90, 100, 120])
def test_the_kernels_compile_for_every_gpu(architecture):
    pytest.importorskip("cuda.bindings", reason="cuda-bindings is not installed (extra gpu-rtx)")
    from live.renderers.cuda_launcher import compile_kernels

    assert compile_kernels(architecture).startswith(b"\x7fELF")
