"""JAX's side of bench/run.py: training steps of the same networks, compiled as a whole.

    python jax_training.py            images per second

Prints one JSON object.
"""

import argparse
import functools
import json

import jax
import numpy
from jax import lax
from jax import numpy as jnp

import common


def initial(random, norm):
    """Parameters, and what AdamW remembers of each."""
    def uniform(inputs, *shape):
        return jnp.asarray(random.uniform(-1, 1, shape) / inputs ** 0.5, jnp.float32)
    layers = {"conv1": uniform(9, 3, 3, 1, 16), "conv2": uniform(144, 3, 3, 16, 32), "dense": uniform(800, 800, 128)}
    parameters = {"output": (uniform(128, 128, 10), jnp.zeros(10))}
    for name, weights in layers.items():
        channels = weights.shape[-1]
        scale = (jnp.ones(channels),) if norm else ()
        parameters[name] = (weights, jnp.zeros(channels), *scale)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    running = {name: (jnp.zeros(weights.shape[-1]), jnp.ones(weights.shape[-1])) for name, weights in layers.items()} if norm else {}
    return parameters, zeros, jax.tree.map(jnp.zeros_like, parameters), running


def normalize(x, layer, running):
    """Batch normalization over all axes but the last, and the running mean and variance."""
    _, shift, scale = layer
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axes), x.var(axes)
    count = x.size // x.shape[-1]
    running = tuple(0.9 * old + 0.1 * new for old, new in zip(running, (mean, variance * count / (count - 1))))
    return (x - mean) * lax.rsqrt(variance + 1e-5) * scale + shift, running


def loss(parameters, running, images, labels, norm):
    def pool(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    after = {}

    def normalized(x, name):
        x, after[name] = normalize(x, parameters[name], running[name])
        return x

    x = images
    for name in ("conv1", "conv2"):
        x = lax.conv_general_dilated(x, parameters[name][0], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        if norm == "conv":
            x = pool(jax.nn.relu(normalized(x, name)))
        elif norm == "pool":
            x = jax.nn.relu(normalized(pool(x), name))
        else:
            x = jax.nn.relu(pool(x + parameters[name][1]))
    x = x.reshape(len(x), -1) @ parameters["dense"][0]
    x = jax.nn.relu(normalized(x, "dense") if norm else x + parameters["dense"][1])
    logits = x @ parameters["output"][0] + parameters["output"][1]
    right = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
    return -right.mean(), after


@functools.partial(jax.jit, static_argnames="norm", donate_argnums=0)
def train(state, step, images, labels, norm):
    """One step of AdamW with PyTorch's numbers."""
    parameters, first, second, running = state
    grads, running = jax.grad(loss, has_aux=True)(parameters, running, images, labels, norm)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grads)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, grads)

    def update(weights, m, v):
        m, v = m / (1 - 0.9 ** step), v / (1 - 0.999 ** step)
        return weights * (1 - 1e-5) - 1e-3 * m / (jnp.sqrt(v) + 1e-8)
    return jax.tree.map(update, parameters, first, second), first, second, running


def training(name, norm, images, labels, args):
    """Images per second: gathering a shuffled batch, forward, backward, AdamW."""
    random = numpy.random.default_rng(0)
    state = initial(random, norm)

    def step(state, index):
        chosen = random.choice(len(labels), args.batch, replace=False, shuffle=False)
        return train(state, float(index + 1), images[chosen], labels[chosen], norm)
    for index in range(args.warm_up):
        state = step(state, index)
    jax.block_until_ready(state)
    watch = common.Stopwatch()
    for index in range(args.warm_up, args.warm_up + args.steps):
        state = step(state, index)
    jax.block_until_ready(state)
    return watch.speed(name, args.steps * args.batch)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in [("steps", 60), ("warm-up", 10), ("batch", 128)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    images, labels = common.split("train")
    images = ((images.reshape(-1, 28, 28, 1) / 255 - common.MEAN) / common.DEVIATION).astype(numpy.float32)
    print(json.dumps({
        **training("train-norm", "conv", images, labels, args),
        **training("train-pool-norm", "pool", images, labels, args),
        **training("train-plain", None, images, labels, args),
    }))


if __name__ == "__main__":
    main()
