"""What every shipped system draws stays what it was: a few fixed calls, compared with what they gave before.

Where processor and torch are those of the record the bits must be equal, elsewhere the images within rounding.
After a change that is meant to change them: `python -m tests.systems.test_frozen_samples` writes the record anew.
"""

import hashlib
import json
import platform
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from course_utils.datasets import masks, photographs, to_model_range
from course_utils.diffusion import ddim, ddpm, dpmpp, dynamic_threshold
from course_utils.runtime import seeded
from course_utils.systems import cfg, classifier, gan, glide, inpainting, sr3, unconditional

RECORD = Path(__file__).parent / "frozen" / "samples"
CAPTIONS = ["a flat cat on a blue background", "a red apple left of a shaded dog"]
LABELS = torch.tensor([1, 7])
# diffusers hands numpy a tensor, which numpy 2 deprecates; Python itself hides that from users
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def known(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two crops of a test photograph with holes."""
    image = to_model_range(photographs.square("red_panda", 2 * size))[None]
    images = torch.cat([image[..., :size, :size], image[..., -size:, -size:]])
    return images, masks.mixed(2, size, seeded(3))


def of_dynamic(system) -> torch.Tensor:
    return system.model.sample(dynamic_threshold(system.denoiser(LABELS, 9.0), 0.99), (2, 1, 32, 32), steps=3, seed=1)


def calls() -> dict:
    """A function for each sample, by name."""
    return {
        "ddpm, ddim": lambda: unconditional.load().sample(2, 3, 1),
        "ddpm, ddim eta": lambda: unconditional.load().sample(2, 3, 1, sampler=ddim, eta=0.5),
        "ddpm, ddpm": lambda: unconditional.load().sample(2, 3, 1, sampler=ddpm),
        "ddpm, dpm++": lambda: unconditional.load().sample(2, 3, 1, sampler=dpmpp),
        "cfg, 1": lambda: cfg.load().sample(LABELS, 1.0, 3, 1),
        "cfg, 0": lambda: cfg.load().sample(LABELS, 0.0, 3, 1),
        "cfg, 3": lambda: cfg.load().sample(LABELS, 3.0, 3, 1),
        "cfg, dynamic": lambda: of_dynamic(cfg.load()),
        "cfg, ddpm": lambda: cfg.load().sample(LABELS, 3.0, 3, 1, sampler=ddpm),
        "classifier, 1": lambda: classifier.load().sample(LABELS, 4.0, 3, 1),
        "classifier, 2": lambda: classifier.load().sample(LABELS, 4.0, 3, 1, sampler=ddim),
        "gan": lambda: gan.load().sample(LABELS, seed=1),
        "gan, truncated": lambda: gan.load().sample(LABELS, 0.5, seed=1),
        "sr3": lambda: sr3.load().sample(known(16)[0], 3, 1),
        "sr3, regression": lambda: sr3.load().regression(known(16)[0]),
        "repaint": lambda: inpainting.load("repaint").sample(*known(64), 4, 1, 2, 2),
        "palette": lambda: inpainting.load("palette").sample(*known(64), 3, 1),
        "masked image": lambda: inpainting.load("masked-image").sample(*known(64), 3, 1),
        "masked image, ddim": lambda: inpainting.load("masked-image").sample(*known(64), 3, 1, sampler=ddim),
        "glide base": lambda: glide.load("base").sample(CAPTIONS, 2.0, 3, 1),
        "glide upsampler": lambda: glide.load("upsampler").sample(CAPTIONS, known(32)[0], 2.0, 3, 1),
        "glide cascade": lambda: glide.load("cascade").sample(CAPTIONS, 2.0, 3, 1),
        "glide inpaint": lambda: glide.load("inpaint").sample(CAPTIONS, *known(32), 2.0, 3, 1),
        "glide clip": lambda: glide.load("clip").sample(CAPTIONS, 50.0, 3, 1),
    }


def drawn(name: str) -> tuple[np.ndarray, str]:
    """A call's images, shrunk to 8 x 8 numbers a channel, and the hash of all their bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        images = calls()[name]().float().cpu()
    finally:
        torch.set_num_threads(threads)
    bits = hashlib.sha256(images.contiguous().numpy().tobytes()).hexdigest()[:16]
    return avg_pool2d(images, images.shape[-1] // 8).numpy(), bits


def machine() -> str:
    """Where bits are expected to be equal."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if platform.system() == "Linux" else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{model}, torch {torch.__version__}"


@pytest.mark.parametrize("name", calls())
def test_a_system_draws_what_it_drew(name, monkeypatch):
    monkeypatch.setenv("COURSE_PRECISION", "no")
    record = json.loads(RECORD.with_suffix(".json").read_text())
    small, bits = drawn(name)
    assert np.abs(small - np.load(RECORD.with_suffix(".npz"))[name]).max() < 0.02
    if record["machine"] == machine():
        assert bits == record["bits"][name]


if __name__ == "__main__":
    import os

    os.environ["COURSE_PRECISION"] = "no"
    made = {name: drawn(name) for name in calls()}
    RECORD.parent.mkdir(exist_ok=True)
    np.savez_compressed(RECORD.with_suffix(".npz"), **{name: small for name, (small, _) in made.items()})
    text = json.dumps({"machine": machine(), "bits": {name: bits for name, (_, bits) in made.items()}}, indent=1)
    RECORD.with_suffix(".json").write_text(text + "\n")
