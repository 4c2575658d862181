"""The Blender studio without Blender: the plan, resuming, the people a seed draws, the heads."""

from __future__ import annotations

import contextlib
import ctypes.util
import itertools
import signal
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from face.errors import UserError
from face.landmarks import UNIT_NAMES
from face.video import VideoReader
from offline.synthetic.blender import camera, environment, ict
from offline.synthetic.blender.film import film
from offline.synthetic.blender.hairstyles import grow_hair
from offline.synthetic.blender.head import HeadModel
from offline.synthetic.blender.person import Person, draw_person, shape_of
from offline.synthetic.blender.speech import speech_take
from offline.synthetic.blender.strands import Skull
from offline.synthetic.blender.takes import FPS, HELD_OUT, TAKE_FRAMES, Take, plan
from offline.synthetic.blender.voice import Spoken, speak, write_sound

pytestmark = pytest.mark.slow
_KIT = Path(__file__).parents[3] / "shared" / "studio2"
_SIZE = 64


class FakeCamera:
    """Films a plain gray that tells the jaw; breaks off after some frames."""

    landmarks = np.arange(68)

    def __init__(self, last: int = 10**9) -> None:
        self.shots, self._last = 0, last

    def shown(self, units):
        return {**units, "mouthSmileLeft": 0.25}

    def shoot(self, path, units, rotation, translation, gaze):
        if self.shots == self._last:
            raise KeyboardInterrupt
        self.shots += 1
        cv2.imwrite(str(path), np.full((_SIZE, _SIZE, 3), round(40 + 150 * units.get("jawOpen", 0)), np.uint8))
        return np.tile([0.0, camera.HEIGHT_DM, 0.0], (68, 1))


@pytest.fixture
def takes():
    return plan(seed=3, frames=100)


def test_a_minute_plays_every_unit_and_every_turn():
    takes = plan(seed=1, frames=1500)
    expression = np.concatenate([t.expression for t in takes])
    euler = np.concatenate([t.euler_deg for t in takes])
    gaze = np.concatenate([t.gaze_deg for t in takes])
    strongest = dict(zip(UNIT_NAMES, expression.max(0), strict=True))
    assert min(strongest.values()) > 0.2, strongest
    assert expression.min() >= 0 and expression.max() <= 1
    assert (np.abs(euler).max(0) <= [35, 20, 15]).all()
    assert (np.abs(euler).max(0) > [32, 18, 13]).all()
    assert (np.abs(gaze).max(0) > [20, 15]).all()


def test_a_longer_plan_begins_like_a_shorter_one():
    short = {t.name: t for t in plan(seed=5, frames=500)}
    long = {t.name: t for t in plan(seed=5, frames=1500)}
    assert short.keys() <= long.keys()
    for name, take in short.items():
        np.testing.assert_array_equal(take.expression, long[name].expression)


def test_held_out_motion_is_never_trained_on():
    assert sum(t.name.startswith(HELD_OUT) for t in plan(seed=2, frames=3000)) * TAKE_FRAMES == 300

    def windows(takes: list[Take]) -> np.ndarray:
        """How the head turns in every 20 frames, free of gain and offset."""
        turns = [np.diff(t.euler_deg, axis=0) for t in takes]
        rows = np.array([turn[k : k + 20].ravel() for turn in turns for k in range(0, len(turn) - 20)])
        rows = rows - rows.mean(1, keepdims=True)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)

    takes = plan(seed=2, frames=20_000)
    held_out = windows([t for t in takes if t.name.startswith(HELD_OUT)])
    trained = windows([t for t in takes if t.name.endswith("natural")])
    assert (trained @ held_out.T).max() < 0.98


def test_an_interrupted_film_goes_on_where_it_stopped(tmp_path, takes):
    person, first = Person(seed=3), FakeCamera(last=TAKE_FRAMES + 7)
    with pytest.raises(KeyboardInterrupt):
        film(lambda: first, person, takes, tmp_path, _SIZE)
    second = FakeCamera()
    film(lambda: second, person, takes, tmp_path, _SIZE)
    assert first.shots + second.shots == len(takes) * TAKE_FRAMES
    for take in takes:
        truth = np.load(tmp_path / f"{take.name}.npz")
        smile = UNIT_NAMES.index("mouthSmileLeft")
        assert (truth["expression"][:, smile] == 0.25).all()
        np.testing.assert_array_equal(np.delete(truth["expression"], smile, 1), np.delete(take.expression, smile, 1))
        np.testing.assert_allclose(truth["landmarks_px"], _SIZE / 2)
        with VideoReader(tmp_path / f"{take.name}.mp4") as video:
            gray = np.array([image.mean() for image, _ in video])
        jaw = take.expression[:, UNIT_NAMES.index("jawOpen")]
        np.testing.assert_allclose(gray, 40 + 150 * jaw, atol=3)
    film(lambda: pytest.fail("all is filmed"), person, takes, tmp_path, _SIZE)


def test_a_stop_that_the_renderer_swallows_still_stops(tmp_path, takes):
    class Swallowing(FakeCamera):
        def shoot(self, path, *rest):
            with contextlib.suppress(KeyboardInterrupt):  # as Blender does
                signal.raise_signal(signal.SIGTERM)
            return super().shoot(path, *rest)

    studio = Swallowing()
    with pytest.raises(KeyboardInterrupt):
        film(lambda: studio, Person(seed=3), takes, tmp_path, _SIZE)
    assert studio.shots == 1


def test_another_person_does_not_get_the_folder(tmp_path, takes):
    film(FakeCamera, Person(seed=3), takes, tmp_path, _SIZE)
    with pytest.raises(UserError, match="another film"):
        film(FakeCamera, Person(seed=4), takes, tmp_path, _SIZE)


def test_a_frame_that_was_not_written_is_one_sentence(tmp_path, takes):
    class FullDisk(FakeCamera):
        def shoot(self, path, *rest):
            path.touch()

    with pytest.raises(UserError, match="make room"):
        film(FullDisk, Person(seed=3), takes, tmp_path, _SIZE)


def test_projection_is_a_pinhole():
    # A lens of 97 mm before 20 mm: at 16 dm the image is 16 · 20 / 97 dm wide.
    half = 16 * 20 / 97 / 2
    points = np.array([[0, camera.HEIGHT_DM, 0], [half, camera.HEIGHT_DM, 0], [0, camera.HEIGHT_DM + half, 0]])
    np.testing.assert_allclose(camera.project(points, 100), [[50, 50], [100, 50], [50, 0]], atol=1e-9)


def test_twenty_seeds_are_twenty_people():
    people = [draw_person(seed) for seed in range(20)]
    assert {p.hair for p in people} >= {"pulled back", "short", "curly"}
    assert 20 <= min(p.age for p in people) and max(p.age for p in people) <= 65
    assert max(p.age for p in people) - min(p.age for p in people) > 25
    assert 5 <= sum(p.male > 0.5 for p in people) <= 15
    light = [sum(p.tone) for p in people]
    assert max(light) > 3 * min(light)
    assert all(p.beard == 0 for p in people if p.male < 0.5)
    assert draw_person(7).tone == people[7].tone


def test_no_kit_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="no ICT-FaceKit"):
        ict.load(tmp_path)


def test_an_unknown_platform_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(environment.platform, "machine", lambda: "sparc")
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="sparc"):
        environment.enter(tmp_path / "blender")
    assert not (tmp_path / "blender").exists()


@pytest.fixture(scope="module")
def head() -> HeadModel:
    if not _KIT.exists():
        pytest.skip("the scanned-face kit is not here")
    return ict.load(_KIT)


def test_units_move_the_scanned_head_as_their_names_say(head):
    marks = head.base[head.landmarks]

    def moved(**units: float) -> np.ndarray:
        return head.deform(head.base, units)[head.landmarks] - marks

    assert moved(jawOpen=1)[8, 1] < -1  # the chin falls by more than a centimeter
    assert moved(mouthSmileLeft=1)[54, 0] > 0.3 and abs(moved(mouthSmileLeft=1)[48, 0]) < 0.1  # left is x > 0
    assert moved(browDownLeft=1)[23:26, 1].mean() < -0.2
    blink = moved(eyeBlinkRight=1)
    assert blink[37:39, 1].mean() < -0.3 and np.abs(blink[43:45]).max() < 0.05
    assert not (set(UNIT_NAMES) - set(head.units) - {"tongueOut"})


def test_men_have_wider_jaws_and_noses_than_women(head):
    def landmarks(male: float) -> np.ndarray:
        return shape_of(Person(male=male, asymmetry=0), head)[head.landmarks]

    man, woman = landmarks(1), landmarks(0)
    for a, b in ((4, 12), (31, 35)):
        assert np.linalg.norm(man[a] - man[b]) > np.linalg.norm(woman[a] - woman[b])


def test_lips_close_for_m_and_open_for_a():
    phonemes = tuple((0.1 * k, "m" if k % 2 else "ɑː") for k in range(20))
    take = speech_take(Spoken(np.zeros(2000, np.int16), 1000, phonemes), seed=1)
    jaw = take.expression[:, UNIT_NAMES.index("jawOpen")]
    press = take.expression[:, UNIT_NAMES.index("mouthPressLeft")]
    spoken = slice(round(0.5 * FPS), round(2.2 * FPS))
    assert jaw[spoken].max() > 0.3 and jaw[spoken].min() < 0.1
    assert np.corrcoef(jaw[spoken], press[spoken])[0, 1] < -0.8
    assert max(jaw[0], jaw[-1], np.abs(take.euler_deg[[0, -1]]).max()) < 1e-9  # it loops


def test_the_voice_tells_when_it_says_what():
    if ctypes.util.find_library("espeak-ng") is None:
        pytest.skip("eSpeak NG is not installed")
    spoken = speak("mama, papa")
    assert [p[:1] for _, p in spoken.phonemes if p[:1] in "mp" and p] == ["m", "m", "p", "p"]
    starts = [start for start, _ in spoken.phonemes]
    assert starts == sorted(starts) and 0 <= starts[0] and starts[-1] <= spoken.duration_s
    assert np.abs(spoken.sound).max() > 1000


def test_no_voice_is_one_sentence(monkeypatch):
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    with pytest.raises(UserError, match="eSpeak NG"):
        speak("nothing")


def test_a_take_with_sound_gets_it_into_its_video(tmp_path):
    tone = (8000 * np.sin(np.arange(16_000) / 8)).astype(np.int16)
    take = speech_take(Spoken(tone, 16_000, ((0.0, "ɑ"),)), seed=1)
    write_sound(tmp_path / "speech.wav", Spoken(tone, 16_000, ()), 0.36, len(take.expression) / FPS)
    film(FakeCamera, Person(seed=3), [take], tmp_path, _SIZE)
    with av.open(str(tmp_path / "speech.mp4")) as file:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    rate = 16_000
    loud = np.flatnonzero(np.abs(sound) > 0.1) / rate
    assert loud[0] == pytest.approx(0.36, abs=0.08) and loud[-1] == pytest.approx(1.36, abs=0.1)


def test_neighboring_teeth_touch(head):
    front = [head.base[a:b] for a, b in zip(ict._TOOTH_STARTS[6:9], ict._TOOTH_STARTS[7:10], strict=True)]
    front.sort(key=lambda tooth: tooth[:, 0].mean())
    for left, right in itertools.pairwise(front):
        assert left[:, 0].max() > right[:, 0].min()


def test_combed_hair_lies_on_the_skin_not_in_it(head):
    person = Person(strands=2000, locks=())
    shape = shape_of(person, head)
    skull = Skull(head, shape)
    groups = [g for g in grow_hair(np.random.default_rng(1), head, person, shape) if g.name.startswith("hair")]
    strands = np.concatenate([g.strands for g in groups])
    height = skull.above(strands.reshape(-1, 3)).reshape(strands.shape[:2])
    assert len(strands) == 2000
    assert np.quantile(height[:, 1:-2], 0.05) > 0.05 and np.quantile(height, 0.99) < 1.6
    front = strands[(np.abs(strands[:, 0, 0]) < 1.5) & (strands[:, 0, 2] > 5), 0, 1]
    assert 3 < front.min() - shape[head.landmarks[[19, 24]], 1].mean() < 5  # cm: the forehead
