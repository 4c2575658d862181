"""Another person on the stage while live: found by name, changed at once, never two in one image."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from dataclasses import replace

import httpx
import numpy as np
import pytest
import websockets
from live_parts import ListSource, NmfcGenerator, pipeline
from live_serving import serving
from untrained import write_two_sizes

from face.conditioning import CpuConditioning
from face.errors import UserError
from face.target import write_engine, write_onnx
from live.loaded_target import LoadedTarget
from live.sources.video_file import DEMO_CLIP, FileSource
from live.target_gallery import Gallery
from live.target_loading import load_target
from offline.synthetic.motion import natural_motion
from offline.synthetic.raster_people import Person, act

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def folder(model, module_target, network, tmp_path_factory):
    """Two small targets with a portrait, one for another model, and one that is damaged."""
    folder = tmp_path_factory.mktemp("targets")
    for name in ("anna", "bert"):
        info = replace(module_target, name=name, title=name.title(), portrait=base64.b64encode(b"jpeg").decode())
        write_onnx(folder / f"{name}.onnx", network, info)
    (folder / "anna.int8.onnx").write_bytes((folder / "anna.onnx").read_bytes())
    write_onnx(folder / "other.onnx", network, replace(module_target, name="other", model_hash="another"))
    write_onnx(folder / "short.onnx", network, replace(module_target, name="short", identity=[0.1] * 3))
    (folder / "junk.onnx").write_bytes(b"junk")
    return folder


def test_the_gallery_shows_what_can_be_shown(model, folder):
    gallery = Gallery(model, [folder])
    assert [one["name"] for one in gallery.describe()] == ["anna", "bert"]
    assert gallery.portrait("anna") == b"jpeg" and gallery.portrait("../anna") is None
    assert gallery.load("bert").info.title == "Bert"
    for name in ("nobody", "other", "short", "../anna", "anna.onnx", ""):
        with pytest.raises(UserError, match="anna or bert"):
            gallery.load(name)


def test_a_copy_stands_beside_its_original_by_the_name_of_its_file(model, module_target, network, tmp_path, caplog):
    for name in ("first", "second"):
        write_onnx(tmp_path / f"{name}.onnx", network, replace(module_target, name="anna", title="Anna"))
    gallery = Gallery(model, [tmp_path])
    assert [entry["name"] for entry in gallery.describe()] == ["first", "second"]
    assert gallery.load("second").info.name == "second"
    assert "several targets are called Anna: they are listed as first and second" in caplog.text


def test_a_network_of_another_size_is_refused_before_it_is_shown(model, module_target, network, tmp_path):
    write_onnx(tmp_path / "large.onnx", network, replace(module_target, size=96))
    with pytest.raises(UserError, match="large.onnx is damaged .its network makes images of 64 px, not 96"):
        load_target(tmp_path / "large.onnx", model)


def test_without_a_gpu_the_onnx_target_stands_in_for_its_engine(model, module_target, network, tmp_path, capsys):
    engine = tmp_path / "anna.engine"
    write_engine(engine, b"plan", module_target)
    with pytest.raises(UserError, match="needs an NVIDIA GPU: give the .onnx target instead"):
        load_target(engine, model)
    write_onnx(tmp_path / "anna.onnx", network, module_target)
    assert load_target(engine, model).generator.on_cpu
    assert "anna.onnx is used instead" in capsys.readouterr().out


def test_twins_share_the_network_and_not_the_state(model, folder):
    loaded = Gallery(model, [folder]).load("anna")
    twin = loaded.clone()
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 255, (2, 64, 64, 6), dtype=np.uint8)
    first = loaded.generator.step(a)
    loaded.generator.step(b)
    assert twin.generator._session is loaded.generator._session
    assert np.array_equal(twin.generator.step(a), first)


def test_no_image_mixes_two_people(model, module_target):
    """Each image comes from the generator of whom its conditioning was drawn for, of another size even."""
    person = Person(model, 5)
    portraits = [person.render(p, 192, 192) for p in act(person, natural_motion(12, 5), 192)]
    loop = pipeline(model, module_target, ListSource(portraits))
    larger = replace(module_target, name="larger", size=96)
    other = LoadedTarget(larger, CpuConditioning(model, 96), NmfcGenerator())
    seen, ended = [], threading.Event()

    def note(generated):
        seen.append(generated)
        if len(seen) == 4:
            loop.show(other)

    loop.sinks.append(note)
    loop.on_end = ended.set
    loop.start()
    assert ended.wait(60)
    loop.stop()
    assert loop.error is None and len(seen) == 12
    sizes = [generated.image.shape[0] for generated in seen]
    assert sizes == sorted(sizes) and set(sizes) == {64, 96}
    assert all(g.image.shape[0] == g.conditioned.loaded.info.size for g in seen)
    assert loop.target.name == "larger"


def test_the_target_changes_by_a_command(model, module_target, folder):
    loop = pipeline(model, module_target, FileSource(DEMO_CLIP), drop=True)

    async def talk(address):
        async with websockets.connect(address.replace("http", "ws") + "/live") as socket:

            async def told(key):
                while True:
                    message = await asyncio.wait_for(socket.recv(), 30)
                    if isinstance(message, str) and key in json.loads(message):
                        return json.loads(message)[key]

            await socket.send(json.dumps({"target": "../bert"}))
            assert "anna or bert" in await told("error")
            await socket.send(json.dumps({"target": 7}))
            assert "by its name" in await told("error")
            await socket.send(json.dumps({"target": "bert"}))
            while (await told("target"))["name"] != "bert":
                pass

    with serving(loop, gallery=Gallery(model, [folder])) as address:
        asyncio.run(talk(address))
        assert [one["title"] for one in httpx.get(f"{address}/targets").json()] == ["Anna", "Bert"]
        assert httpx.get(f"{address}/targets/anna.jpg").content == b"jpeg"
        assert httpx.get(f"{address}/targets/nobody.jpg").status_code == 404
    assert loop.error is None


def test_a_target_of_two_sizes_is_shown_at_the_one_asked_for(model, module_target, tmp_path):
    write_two_sizes(tmp_path / "carla.onnx", replace(module_target, name="carla", other_sizes=[128]))
    gallery = Gallery(model, [tmp_path])
    assert [one["sizes"] for one in gallery.describe()] == [[64, 128]]
    for asked, given in ((None, 128), (64, 64), (100, 128), (9, 64)):
        loaded = gallery.load("carla", asked)
        image = loaded.generator.step(loaded.renderer.render(loaded.info.resting()))
        assert loaded.info.size == given and image.shape == (given, given, 3)
