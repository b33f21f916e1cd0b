"""The networks: torch modules that load and save themselves with huggingface_hub's mixin."""

from course_utils.networks.autoencoder import Autoencoder
from course_utils.networks.checkpoints import NetworkError, load_network, training_record
from course_utils.networks.classifier import NoisyClassifier
from course_utils.networks.clip import CLIP, NoisyCLIP
from course_utils.networks.controlnet import ControlledUNet
from course_utils.networks.frozen_text import FrozenTextEncoder, Neighbours, SentenceEncoder, load_text_encoder
from course_utils.networks.gan import GAN
from course_utils.networks.gligen import GroundedUNet
from course_utils.networks.latent_unet import LatentUNet, LayoutTokenizer, LayoutUNet
from course_utils.networks.low_rank import LowRankUNet
from course_utils.networks.recogniser import Recogniser
from course_utils.networks.scene_recogniser import SceneRecogniser
from course_utils.networks.text_unet import FrozenTextUNet, TextUNet
from course_utils.networks.unclip import UnCLIPDecoder, UnCLIPPrior
from course_utils.networks.unet import UNet, widened
from course_utils.networks.weights import device_of

__all__ = ["CLIP", "GAN", "Autoencoder", "ControlledUNet", "FrozenTextEncoder", "FrozenTextUNet", "GroundedUNet",
           "LatentUNet", "LayoutTokenizer", "LayoutUNet", "LowRankUNet", "Neighbours", "NetworkError", "NoisyCLIP",
           "NoisyClassifier", "Recogniser", "SceneRecogniser", "SentenceEncoder", "TextUNet", "UNet", "UnCLIPDecoder",
           "UnCLIPPrior", "device_of", "load_network", "load_text_encoder", "training_record", "widened"]
