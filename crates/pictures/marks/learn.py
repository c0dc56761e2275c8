"""Learns to tell digits that carry a mark from those that don't, and writes weights.bin.

    cargo run --release -p pictures --example marks -- train 36000 1 1.bin
    cargo run --release -p pictures --example marks -- train 36000 2 2.bin
    python3 learn.py 1.bin 2.bin

Needs numpy and torch; the drawing takes six minutes of one core for each file, the learning three. A tenth
of the digits is kept for the figures that it prints: the threshold LEAST in src/marks.rs lets one digit in
a hundred without a mark be taken for one with.
"""

import sys

import numpy as np
import torch
from torch import nn

EPOCHS, BATCH, RATE = 40, 128, 4e-3


def varied(images):
    """Turned, slanted, scaled and moved a little."""
    count = len(images)
    angle, slant = (0.35 * (torch.rand(count) - 0.5), 0.3 * (torch.rand(count) - 0.5))
    scale = 1 + 0.16 * (torch.rand(count) - 0.5)
    map_ = torch.zeros(count, 2, 3)
    map_[:, 0, 0], map_[:, 0, 1] = scale * angle.cos(), slant - angle.sin()
    map_[:, 1, 0], map_[:, 1, 1] = angle.sin(), scale * angle.cos()
    map_[:, :, 2] = 0.06 * (torch.rand(count, 2) - 0.5)
    grid = nn.functional.affine_grid(map_, images.shape, align_corners=False)
    return nn.functional.grid_sample(images, grid, align_corners=False)


def packed(layer):
    """A scale, a signed byte for each weight, the biases."""
    weights = layer.weight.detach().numpy().ravel()
    scale = np.abs(weights).max() / 127
    quantized = np.round(weights / scale).astype(np.int8)
    bias = layer.bias.detach().numpy().astype("<f4")
    return np.array([scale], "<f4").tobytes() + quantized.tobytes() + bias.tobytes()


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    read = [np.fromfile(file, np.uint8) for file in sys.argv[1:]]
    data = np.concatenate([bytes_[: len(bytes_) // 786 * 786].reshape(-1, 786) for bytes_ in read])
    data = data[np.random.default_rng(0).permutation(len(data))]
    kind = data[:, 0]
    images = torch.tensor(data[:, 2:].copy()).float().view(-1, 1, 28, 28) / 255
    marked = torch.tensor((kind > 0).astype(np.float32))
    kept = len(data) // 10
    network = nn.Sequential(
        nn.Conv2d(1, 12, 5, 2), nn.ReLU(), nn.Conv2d(12, 24, 3, 2), nn.ReLU(),
        nn.Flatten(), nn.Linear(600, 48), nn.ReLU(), nn.Linear(48, 1),
    )
    batches = (len(data) - kept) // BATCH
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=EPOCHS * batches)
    for epoch in range(EPOCHS):
        total = 0.0
        order = torch.randperm(len(data) - kept) + kept
        for batch in order[: batches * BATCH].view(batches, BATCH):
            odds = network(varied(images[batch]))[:, 0]
            loss = nn.functional.binary_cross_entropy_with_logits(odds, marked[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch}: loss {total / batches:.4f}", flush=True)
    with torch.no_grad():
        odds = network(images[:kept])[:, 0].numpy()
    plain = odds[kind[:kept] == 0]
    for share in (0.98, 0.99, 0.995, 0.998):
        least = np.quantile(plain, share)
        seen = {k: round(float((odds[kind[:kept] == k] > least).mean()), 3) for k in np.unique(kind)}
        print(f"{share:.1%} of plain digits below {least:.2f}; seen by kind: {seen}")
    with open("weights.bin", "wb") as file:
        for layer in network:
            if hasattr(layer, "weight"):
                file.write(packed(layer))


main()
