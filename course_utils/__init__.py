"""Hands-on Diffusion: the package behind the thirteen notebooks."""

__version__ = "0.1.0"
