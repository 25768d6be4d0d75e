"""How the endpoint loads the network and answers; reading and writing are the image's own."""

from pathlib import Path

import torch
from network import Rings


def model_fn(model_dir):
    network = Rings()
    network.load_state_dict(torch.load(Path(model_dir) / "rings.pt"))
    return network.eval()


def predict_fn(points, network):
    with torch.no_grad():
        return torch.sigmoid(network(points)).squeeze(1)
