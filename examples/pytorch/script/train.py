"""Two rings of points told apart by a small network, trained on as many hosts as there are."""

import argparse
import os
from pathlib import Path

import torch
import torch.distributed as hosts
from network import Rings
from torch.nn.parallel import DistributedDataParallel

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=100)
parser.add_argument("--learning-rate", type=float, default=0.05)
given = parser.parse_args()

together = int(os.environ.get("WORLD_SIZE", "1")) > 1  # torchrun says so, on each host
if together:
    hosts.init_process_group("gloo")
rank, size = (hosts.get_rank(), hosts.get_world_size()) if together else (0, 1)

torch.manual_seed(1)
lines = (Path(os.environ["SM_CHANNEL_TRAINING"]) / "rings.csv").read_text().splitlines()
rows = torch.tensor([[float(cell) for cell in line.split(",")] for line in lines])
points, labels = rows[rank::size, :2], rows[rank::size, 2:]
network = Rings()
model = DistributedDataParallel(network) if together else network
optimizer = torch.optim.Adam(model.parameters(), lr=given.learning_rate)
for epoch in range(given.epochs):
    loss = torch.nn.functional.binary_cross_entropy_with_logits(model(points), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 20 == 19:
        print(f"epoch {epoch}: loss={loss.item():.4f} (host {rank} of {size})", flush=True)
if rank == 0:
    torch.save(network.state_dict(), Path(os.environ["SM_MODEL_DIR"]) / "rings.pt")
if together:
    hosts.destroy_process_group()
