"""All networks that were ever compared, by name: (channels, predicts) -> network, and whether it runs in bfloat16."""

from __future__ import annotations

from course_utils.networks import UNet
from tests.bench.candidates import DiT, conv_unet
from tests.bench.peers import diffusers_unet, lucidrains_unet

NETWORKS = {
    "hybrid (64, 192), 5 blocks": lambda c, p: UNet(c, (64, 192), 1, 5, predicts=p),
    "hybrid (64, 128, 192), 4 blocks": lambda c, p: UNet(c, (64, 128, 192), 1, 4, predicts=p),
    "hybrid (64, 128, 256), 4 blocks": lambda c, p: UNet(c, (64, 128, 256), 1, 4, predicts=p),
    "hybrid (32, 64, 192), 4 blocks, no unshuffle": lambda c, p: UNet(c, (32, 64, 192), 1, 4, 1, predicts=p),
    "residual (64, 128), 2 blocks a level": lambda c, p: conv_unet(c, predicts=p),
    "residual (64, 128, 192), 2 blocks a level": lambda c, p: conv_unet(c, (64, 128, 192), side=4, predicts=p),
    "transformer, patch 4": lambda c, p: DiT(c, predicts=p),
    "diffusers UNet2DModel(32, 64, 128)": diffusers_unet,
    "denoising-diffusion-pytorch Unet(40)": lucidrains_unet,
}
COURSE = "hybrid (64, 128, 192), 4 blocks"  # the default of UNet
PEERS = ("diffusers UNet2DModel(32, 64, 128)", "denoising-diffusion-pytorch Unet(40)")
# The peers in float32: with autocast diffusers' network trains slower
FLOAT32 = PEERS[:1]
