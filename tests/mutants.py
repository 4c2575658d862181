"""Breaks the code on purpose, one mutation at a time in a copy, and tells which of them the tests notice. Run by hand.

    python tests/mutants.py [NAME …]

The mutations are those of an audit that found most of them unnoticed. The exit status is the number that survive.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
LOSSES = "tests/offline/test_paper_losses.py"


@dataclass(frozen=True)
class Mutation:
    """A piece of a file replaced by another, and the tests that are to fail then."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTATIONS = (
    Mutation("D_D sees no flow", "offline/training/discriminator_inputs.py",
             "scaled = [flow / _FLOW_SCALE for flow in motion.flows]",
             "scaled = [0 * flow for flow in motion.flows]", LOSSES),
    Mutation("D_D sees one frame three times", "offline/training/discriminator_inputs.py",
             "torch.cat([frame.output, *motion.outputs, *scaled], 1)",
             "torch.cat([frame.output, frame.output, frame.output, *scaled], 1)", LOSSES),
    Mutation("D_M looks at the image's corner", "offline/dataset/dataset.py",
             "round(float(center) - side / 2)", "round(0 * float(center))", LOSSES),
    Mutation("D_I and D_M see no conditioning", "offline/training/discriminator_inputs.py",
             "torch.cat([frame.conditioning, image], 1)", "torch.cat([0 * frame.conditioning, image], 1)", LOSSES),
    Mutation("the perceptual loss counts once", "offline/training/trainer.py",
             "weights.perceptual * self.perceptual(output, truth)", "self.perceptual(output, truth)", LOSSES),
    Mutation("the paper's weights are 1", "offline/training/profiles.py",
             "_PAPER = Weights(perceptual=10.0,", "_PAPER = Weights(perceptual=1.0, matching=1.0,", LOSSES),
    Mutation("VGG's layers weigh the same", "offline/training/perceptual_loss.py",
             "WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)", "WEIGHTS = (1.0, 1.0, 1.0, 1.0, 1.0)", LOSSES),
    Mutation("the warping loss goes against the flow", "offline/training/pixel_losses.py",
             "follows = (truth", "flow = -flow\n    follows = (truth", LOSSES),
    Mutation("previous outputs are swapped in training", "offline/training/trainer.py",
             "previous = torch.cat([previous[:, 3:], output], 1)\n            history",
             "previous = torch.cat([output, previous[:, 3:]], 1)\n            history", LOSSES),
    Mutation("the paper's generator sees no conditioning", "offline/networks/paper_generator.py",
             "self.conditioning_encoder(conditioning) +", "self.conditioning_encoder(conditioning * 0) +", LOSSES),
    Mutation("the first step hangs on rounding", "offline/networks/paper_generator.py",
             "torch.where(has_history, history,", "torch.where(has_history | True, history,",
             "tests/offline/test_networks_and_losses.py -k rounding"),
    Mutation("training begins from zero", "offline/training/trainer.py",
             "self.device)[:, None, None, None]\n",
             "self.device)[:, None, None, None]\n        previous = previous * 0\n",
             "tests/offline/test_training.py -k begins"),
    Mutation("cameras are not aligned", "offline/reconstruct/pose_refinement.py",
             "_moved(face.camera, move, size)",
             "_moved(face.camera, 0 * move, size)", "tests/offline/test_align.py"),
    Mutation("expression is the tracker's scores", "face/fitting.py",
             "FrameFit(equations.camera_at(expression), expression)",
             "FrameFit(equations.camera_at(expression), expression_prior(landmarks.scores))",
             "tests/face/test_fitting.py"),
    Mutation("file sources are not paced", "live/sources/video_file.py",
             "stop.wait(max(0.0, due_s - self._clock()))", "pass",
             "tests/live/test_sources.py"),
    Mutation("the own source goes on beside a guest", "live/pipeline.py",
             "if self._guest is None and not isinstance(media, SourceGone):",
             "if not isinstance(media, SourceGone):",
             "tests/live/test_pipeline.py"),
    Mutation("recorded sound keeps no pauses", "live/recording/crash_safe_muxer.py",
             '"avoid_negative_ts": "disabled"', '"avoid_negative_ts": "auto"',
             "tests/live/recording/test_recorder.py"),
    Mutation("a recording is not locked", "live/recording/output_file.py",
             "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH | fcntl.LOCK_NB",
             "tests/live/recording/test_recorder.py"),
)  # fmt: skip


def run(folder: Path, tests: str) -> bool:
    """Whether tests pass in a copy."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-W",
        "ignore",
        "-p",
        "no:cacheprovider",
        *tests.split(" ", 2),
    ]
    return subprocess.run(command, cwd=folder, capture_output=True).returncode == 0


def main() -> int:
    """Command line."""
    wanted = [m for m in MUTATIONS if not sys.argv[1:] or any(word in m.name for word in sys.argv[1:])]
    alive = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "copy"
        folder.mkdir()
        files = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
        copy = ["tar", "c", "--null", "-T", "-"]
        archive = subprocess.run(copy, cwd=REPOSITORY, input=files, capture_output=True, check=True).stdout
        subprocess.run(["tar", "x"], cwd=folder, input=archive, check=True)
        (Path(temporary) / "shared").symlink_to(REPOSITORY.parent / "shared")
        for tests in sorted({m.tests for m in wanted}):
            if not run(folder, tests):
                raise SystemExit(f"{tests} fail without any mutation: mend them first.")
        print("| mutation | |\n|---|---|")
        for mutation in wanted:
            path = folder / mutation.file
            whole = path.read_text()
            if whole.count(mutation.old) != 1:
                raise SystemExit(f"{mutation.file} does not hold the piece of '{mutation.name}' once: update it.")
            path.write_text(whole.replace(mutation.old, mutation.new))
            begin = time.monotonic()
            survived = run(folder, mutation.tests)
            path.write_text(whole)
            alive += survived
            print(
                f"| {mutation.name} | {'ALIVE' if survived else 'killed'} ({time.monotonic() - begin:.0f} s) |",
                flush=True,
            )
    return alive


if __name__ == "__main__":
    sys.exit(main())
