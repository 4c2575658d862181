"""Teeth and tongue: where they lie, when they are seen, and in which colors."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import camera, units

from face.conditioning import CpuConditioning
from face.landmarks import INNER_LIPS, UNIT_NAMES
from face.morphable import Part
from face.mouth_image import free_between
from face.mouth_parts import COLORS, MouthParts, TeethPlacement
from face.nmfc import nmfc_colors
from face.parameters import FaceParameters

pytestmark = pytest.mark.fast
SIZE = 256
GRIN = {f"mouth{unit}{side}": 1.0 for unit in ("UpperUp", "LowerDown") for side in ("Left", "Right")}


def face(expression, identity=None, **pose):
    return FaceParameters(np.zeros(80) if identity is None else identity, expression, camera(**pose), np.zeros(2))


@pytest.fixture(scope="module")
def parts(model) -> MouthParts:
    return MouthParts(model)


@pytest.fixture(scope="module")
def renderers(model):
    return CpuConditioning(model, SIZE), CpuConditioning(model, SIZE, TeethPlacement())


def teeth_in(renderers, parameters):
    """Which pixels show a part, by its colors: ``{part: [H, W] bool}``, and all that differ from a black mouth."""
    without, with_teeth = (renderer.render(parameters) for renderer in renderers)
    changed = (without != with_teeth).any(-1)
    assert not without[changed].any()  # the face and the eyes are as they were
    seen = {}
    for part, (least, greatest) in COLORS.items():
        color = with_teeth[..., :2]
        seen[part] = changed & (color >= least).all(-1) & (color <= greatest).all(-1)
    assert (sum(seen.values()) == changed).all()  # one part each
    return seen, changed


def test_an_open_mouth_shows_upper_teeth_above_the_tongue_above_lower_teeth(renderers):
    seen, changed = teeth_in(renderers, face(units(**GRIN)))
    rows = [np.nonzero(seen[part])[0].mean() for part in (Part.UPPER_TEETH, Part.TONGUE, Part.LOWER_TEETH)]
    assert min(seen[part].sum() for part in seen) > 10 and rows == sorted(rows)
    columns = np.flatnonzero(changed.any(0))
    assert 90 < columns.min() and columns.max() < 166  # the mouth is in the middle


def test_closed_lips_show_nothing_whoever_and_however_turned(renderers):
    rng = np.random.default_rng(2)
    for k in range(20):
        pose = {"yaw": rng.uniform(-60, 60), "pitch": rng.uniform(-35, 35), "roll": rng.uniform(-20, 20)}
        expression = units(mouthSmileLeft=0.1 * (k % 5), mouthSmileRight=0.1 * (k % 5))
        _, changed = teeth_in(renderers, face(expression, rng.normal(0, 0.7, 80), **pose))
        assert changed.sum() <= 8  # where lips only just meet


def test_teeth_are_seen_between_the_lips_alone(model, renderers):
    opened = units(jawOpen=1)
    for pose in ({"yaw": 45}, {"yaw": -35, "pitch": -20}, {"pitch": -40}):
        parameters = face(opened, **pose)
        _, changed = teeth_in(renderers, parameters)
        lips = parameters.camera.project(model.landmarks_of(model.shape(np.zeros(80), opened))[list(INNER_LIPS)])
        rows, columns = np.nonzero(changed)
        assert lips[:, 0].min() - 1 < columns.min() and columns.max() < lips[:, 0].max() + 1
        assert lips[:, 1].min() - 1 < rows.min() and rows.max() < lips[:, 1].max() + 1


def test_upper_teeth_stay_with_the_skull_and_lower_teeth_go_with_the_jaw(parts):
    jaw = parts.expression[UNIT_NAMES.index("jawOpen")]
    moved = {part: np.abs(jaw[np.unique(parts.triangles[parts.parts == part])]).max() for part in COLORS}
    assert moved[Part.UPPER_TEETH] < 1e-4
    assert moved[Part.LOWER_TEETH] > 0.1 and moved[Part.TONGUE] > 0.1


def test_teeth_never_stick_through_the_lips(model):
    """Far forward they would lie before the lips: the face still covers them."""
    bare, forward = (CpuConditioning(model, SIZE, teeth) for teeth in (None, TeethPlacement(forward=0.4)))
    parameters = face(units(**GRIN))
    without = bare.render(parameters)
    changed = (without != forward.render(parameters)).any(-1)
    assert changed.any() and not without[changed].any()


def test_no_face_has_the_colors_of_teeth(model, parts):
    """Not even two levels farther, so that a lookup between colors mixes nothing in."""
    skin = nmfc_colors(model)[:, :2].astype(int)
    for part, (least, greatest) in COLORS.items():
        assert not ((skin >= np.subtract(least, 3)) & (skin <= np.add(greatest, 3))).all(1).any()
        colors = parts.colors[parts.parts == part][:, :2]
        assert (colors.min(0) == least).all() and (colors.max(0) == greatest).all()
    assert parts.colors.min() >= 1  # none is the background's


def test_a_place_on_a_tooth_keeps_its_color(renderers):
    """Eq. 3: red grows across, green upwards, on whomever, however turned."""
    rng = np.random.default_rng(1)
    smile = units(jawOpen=0.3, mouthSmileLeft=1, mouthSmileRight=1, mouthUpperUpLeft=1, mouthUpperUpRight=1)
    for k in range(4):
        parameters = face(smile, rng.normal(0, 0.5, 80), yaw=-15 + 10 * k, scale=150)
        upper = teeth_in(renderers, parameters)[0][Part.UPPER_TEETH]
        rows, columns = np.nonzero(upper)
        red, green = renderers[1].render(parameters)[upper][:, :2].T.astype(float)
        assert np.corrcoef(columns, red)[0, 1] > 0.97
        middle = np.abs(red - 26) < 4
        assert np.corrcoef(-rows[middle], green[middle])[0, 1] > 0.9


def test_a_placement_moves_and_scales(parts):
    plain = parts.at_rest(np.zeros(80), TeethPlacement())
    moved = parts.at_rest(np.zeros(80), TeethPlacement(0.05, -0.02, 1.1))
    lower = parts.at_rest(np.zeros(80), TeethPlacement(lower=0.03)) - plain
    assert moved.mean(0) - plain.mean(0) == pytest.approx([0, 0.05, -0.02], abs=1e-5)
    assert np.ptp(moved, axis=0) == pytest.approx(1.1 * np.ptp(plain, axis=0), rel=1e-4)
    upper = np.unique(parts.triangles[parts.parts == Part.UPPER_TEETH])
    jaw = np.setdiff1d(np.arange(len(plain)), upper)
    assert np.allclose(lower[upper], 0, atol=1e-6) and np.allclose(lower[jaw], [0, 0.03, 0], atol=1e-6)


def test_a_placement_is_as_a_file_holds_it():
    assert TeethPlacement.of([]) is None
    placement = TeethPlacement(0.02, 0.01, 1.05, -0.01)
    assert TeethPlacement.of(list(placement.values())) == placement


def test_what_lies_between_lips():
    image = np.zeros((10, 10, 3), np.uint8)
    image[4] = 9  # a lip across
    square = np.array([[2, 2], [8, 2], [8, 7], [2, 7]], np.float32)  # clockwise as seen
    free = free_between(image, square)
    assert free.sum() == 6 * 4 and not free[4].any()
    assert not free_between(image, square[::-1].copy()).any()  # lips that overlap
