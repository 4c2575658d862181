"""What the paper's objective is about: each of these has been broken on purpose (tests/mutants.py)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from face.recurrence import INPUTS
from offline.dataset.dataset import Dataset
from offline.dataset.mouth_and_eye_windows import part_window
from offline.networks.exported_step import ExportedStep
from offline.networks.paper_generator import PaperGenerator
from offline.training.discriminator_inputs import Motion, TrainingFrame
from offline.training.discriminators import Discriminators
from offline.training.history import History
from offline.training.loss_crops import Crops
from offline.training.perceptual_loss import PyramidDistance, Vgg19Perceptual
from offline.training.profiles import PAPER, Phase, Weights
from offline.training.trainer import Trainer

pytestmark = pytest.mark.fast
SIZE = 64
WHOLE = (slice(None), slice(None))


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(sum(shape))) * 2 - 1


@pytest.fixture(scope="module")
def scene():
    """A frame whose images, history and flows are all different."""
    images = [noise(1, 3, SIZE, SIZE + k)[..., :SIZE] for k in range(6)]
    flows = [20 * noise(1, 2, SIZE, SIZE), 20 * noise(1, 2, SIZE + 1, SIZE)[:, :, 1:]]
    crops = Crops(
        drawn=[WHOLE],
        mouths=[part_window(np.array([40.0, 44.0]), SIZE)],
        eyes=[part_window(np.array([32.0, 20.0]), SIZE)],
    )
    return TrainingFrame(
        conditioning=noise(1, 6, SIZE, SIZE), output=images[0], truth=images[1], weights=None, crops=crops,
        motions={1: Motion(images[2:4], images[4:6], flows)},
    )  # fmt: skip


def pair(scene, name):
    (found,) = Discriminators(8).pairs(scene, Weights(**{name: 1.0}))
    return found


def test_the_image_discriminator_sees_conditioning_and_image(scene):
    found = pair(scene, "image")
    assert torch.equal(found.real, torch.cat([scene.conditioning, scene.truth], 1))
    assert torch.equal(found.fake, torch.cat([scene.conditioning, scene.output], 1))


def test_the_mouth_discriminator_sees_the_mouth(scene):
    found = pair(scene, "mouth")
    side = 18  # 72 of 256
    rows, columns = slice(44 - side // 2, 44 + side // 2), slice(40 - side // 2, 40 + side // 2)
    assert torch.equal(found.real, torch.cat([scene.conditioning, scene.truth], 1)[..., rows, columns])
    assert torch.equal(found.fake, torch.cat([scene.conditioning, scene.output], 1)[..., rows, columns])


def test_the_dynamics_discriminator_sees_three_frames_and_the_flows_between_them(scene):
    found = pair(scene, "dynamics")
    motion = scene.motions[1]
    scaled = [flow / 20 for flow in motion.flows]
    assert torch.equal(found.real, torch.cat([scene.truth, *motion.truths, *scaled], 1))
    assert torch.equal(found.fake, torch.cat([scene.output, *motion.outputs, *scaled], 1))


def history_of(flows: dict, frames: int) -> History:
    """A history whose frame ``k`` is ``k`` in the outputs and ``-k`` in the truth."""
    history = History(flows)
    for k in range(frames):
        level = torch.full((1, 3, 8, 8), float(k))
        history.add(level, -level)
    return history


def test_the_dynamics_discriminators_see_frames_one_three_and_nine_apart():
    pairs = {(t, e): torch.full((1, 2, 8, 8), 100.0 * t + e) for t in range(20) for e in range(t)}
    history = history_of(pairs, 18)
    motions = history.motions(18)
    assert set(motions) == {1, 3, 9}
    for stride, motion in motions.items():
        a, b = 18 - stride, 18 - 2 * stride
        assert [float(x.mean()) for x in motion.outputs] == [a, b] and [float(x.mean()) for x in motion.truths] == [
            -a,
            -b,
        ]
        assert [float(x.mean()) for x in motion.flows] == [100 * 18 + a, 100 * a + b]
    assert set(history.motions(17)) == {1, 3}


def test_the_warping_loss_follows_the_flow():
    """Everything moves three pixels to the right from one frame to the next, so the flow back is -3."""
    wide = noise(1, 3, SIZE, SIZE + 3)
    before, now = wide[..., 3:], wide[..., :-3]
    flow = torch.zeros(1, 2, SIZE, SIZE)
    flow[:, 0] = -3
    history = History({(1, 0): flow})
    history.add(before, before)
    assert history.warping(1, now, now) < 0.02 < 0.2 < history.warping(1, before, now)


def test_the_papers_weights():
    assert all(phase.weights == Weights(perceptual=10, image=1, mouth=1, dynamics=1, matching=10, warping=10)
               for phase in PAPER.phases)  # fmt: skip
    assert PAPER.phases[0].length > 2 * 9  # the discriminator of stride nine learns from the first sequence on


def test_vgg19s_layers_weigh_what_the_paper_says():
    network = Vgg19Perceptual.__new__(Vgg19Perceptual)
    nn.Module.__init__(network)
    network.features = lambda image: [torch.full((1, 1, 2, 2), float(image.mean()))] * 5
    assert float(network(torch.ones(1, 3, 2, 2), torch.zeros(1, 3, 2, 2))) == 1 / 32 + 1 / 16 + 1 / 8 + 1 / 4 + 1


@pytest.mark.parametrize("channel", range(18))
def test_the_papers_generator_depends_on_each_conditioning_channel(channel):
    torch.manual_seed(0)
    network, conditioning, previous = PaperGenerator(32, width=4), noise(1, 18, 32, 32), noise(1, 6, 32, 32)
    changed = conditioning.clone()
    changed[:, channel] = changed[:, channel].flip(-1)
    with torch.no_grad():
        assert (network(conditioning, previous) - network(changed, previous)).abs().mean() > 0.01


@pytest.fixture(scope="module")
def seen_by_the_generator(dataset_folder, model, tmp_path_factory):
    """What the generator is given over a sequence in training, and what it answers."""
    only = Phase(until=9, length=4, rate=1e-4, weights=Weights(l1=1.0, perceptual=10.0))
    profile = replace(PAPER, generator=lambda size: PaperGenerator(size, width=4), phases=(only,))
    dataset = Dataset(dataset_folder, model)
    trainer = Trainer([dataset], tmp_path_factory.mktemp("run"), profile, PyramidDistance())
    calls = []
    trainer.generator.register_forward_hook(lambda _, given, made: calls.append((*given, made.detach().clamp(-1, 1))))
    losses = trainer.train_step()
    return calls, losses, trainer.loader.batch(0).clips[0]


@pytest.mark.slow
def test_training_feeds_outputs_back_in_the_exported_steps_order(seen_by_the_generator):
    calls, _, _ = seen_by_the_generator
    for t in range(2, 4):
        assert torch.equal(calls[t][1], torch.cat([calls[t - 2][2], calls[t - 1][2]], 1))

    class Shows(nn.Module):
        def forward(self, conditioning, previous):
            return previous[:, 3:] / 2 + previous[:, :3] / 4  # the latest output counts twice

    inputs = {name: np.zeros((8, 8, 6 if name.startswith("c") else 3), np.uint8) for name in INPUTS}
    inputs["output_1"] += 255
    image = ExportedStep(Shows())(*(torch.from_numpy(inputs[name]) for name in INPUTS))
    assert int(image.float().mean()) == round((0.5 - 0.25 + 1) * 127.5)


@pytest.mark.slow
def test_the_conditionings_are_those_of_the_frame_and_the_two_before(seen_by_the_generator):
    calls, _, clip = seen_by_the_generator
    x = torch.from_numpy(clip.conditionings).permute(0, 3, 1, 2).float() / 127.5 - 1
    x[:2] = x[2]  # where a sequence begins
    for t, (conditioning, _, _) in enumerate(calls):
        assert torch.equal(conditioning[0], x[t : t + 3].flatten(0, 1))


@pytest.mark.slow
def test_the_perceptual_loss_counts_tenfold(seen_by_the_generator):
    calls, losses, clip = seen_by_the_generator
    truth = torch.from_numpy(clip.frames).permute(0, 3, 1, 2).float() / 127.5 - 1
    raw = [PyramidDistance()(made, truth[t : t + 1]) for t, (_, _, made) in enumerate(calls)]
    assert losses["perceptual"] == pytest.approx(10 * float(torch.stack(raw).mean()), rel=1e-4)
