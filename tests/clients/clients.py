#!/usr/bin/env python3
"""Standard clients of the Open Inference Protocol against a running `serve`, as their users call them.

    python3 tests/clients/clients.py [--url http://127.0.0.1:8080] [--model pretrained]

Needs `tritonclient[http]`, `kserve` and numpy (tests/clients/requirements.txt). Exits with 1 at the first thing that is
not as it should be.
"""

import argparse
import asyncio
import gzip
import pathlib

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def mnist(count):
    folder = ROOT / "crates/data/mnist"
    images = gzip.open(folder / "t10k-images-idx3-ubyte.gz").read()[16:]
    labels = gzip.open(folder / "t10k-labels-idx1-ubyte.gz").read()[8:]
    images = np.frombuffer(images, np.uint8).reshape(-1, 1, 28, 28)
    return images[:count], np.frombuffer(labels, np.uint8)[:count]


def with_triton(url, model):
    client = triton.InferenceServerClient(url.split("://")[1])
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)
    metadata = client.get_model_metadata(model)
    version = metadata["versions"][0]
    assert metadata["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 1, 28, 28]}], metadata
    assert client.is_model_ready(model, version) and not client.is_model_ready(model, "1")
    assert [entry["name"] for entry in client.get_model_repository_index()].count(model) == 1
    images, labels = mnist(500)

    def infer(binary, outputs=None, images=images, **more):
        tensor = triton.InferInput("images", list(images.shape), "UINT8")
        tensor.set_data_from_numpy(images, binary_data=binary)
        wanted = outputs and [triton.InferRequestedOutput(name, binary_data=binary) for name in outputs]
        return client.infer(model, [tensor], outputs=wanted, request_id="seven", **more)

    names = ["probabilities", "logits", "class", "confidence", "accepted", "reason", "set"]
    binary, text = infer(True, names), infer(False, names)
    assert binary.get_response()["id"] == "seven" and binary.get_response()["model_version"] == version
    for name in names:
        a, b = binary.as_numpy(name), text.as_numpy(name)
        assert a.shape == b.shape and (a.astype(str) == b.astype(str)).all(), name
    by_default = infer(True)
    assert (by_default.as_numpy("class") == binary.as_numpy("class")).all()
    right = (binary.as_numpy("class") == labels).mean()
    assert right > 0.98, right
    for how in ("gzip", "deflate"):
        packed = infer(True, ["class"], request_compression_algorithm=how)
        assert (packed.as_numpy("class") == binary.as_numpy("class")).all(), how
    accepted, reasons = binary.as_numpy("accepted"), binary.as_numpy("reason")
    assert accepted.dtype == bool and ((reasons == b"") == accepted).all()
    assert infer(True, ["class"], images[:0]).as_numpy("class").shape == (0,)
    mixed = triton.InferInput("images", [1, 1, 28, 28], "UINT8")
    mixed.set_data_from_numpy(images[:1])
    outputs = [triton.InferRequestedOutput("class", binary_data=False), triton.InferRequestedOutput("probabilities")]
    assert client.infer(model, [mixed], outputs=outputs).as_numpy("probabilities").shape == (1, 10)
    for wrong, word in [
        (lambda: client.infer("nothing", [mixed]), "in service"),
        (lambda: infer(True, ["logit"]), "outputs are"),
        (lambda: infer(True, images=images.reshape(-1, 28, 28)), "shape"),
        (lambda: client.infer(model, [mixed], outputs=[triton.InferRequestedOutput("class", class_count=3)]), "not offered"),
    ]:
        try:
            wrong()
        except InferenceServerException as error:
            assert word in str(error), error
        else:
            raise AssertionError(word)
    return right


async def with_kserve(url, model):
    from kserve import InferenceRESTClient, RESTConfig
    from kserve.protocol.infer_type import InferInput, InferRequest

    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(url) and await client.is_server_ready(url) and await client.is_model_ready(url, model)
    images, labels = mnist(50)
    for binary in (False, True):
        tensor = InferInput("images", list(images.shape), "UINT8")
        tensor.set_data_from_numpy(images, binary_data=binary)
        request = InferRequest(model_name=model, infer_inputs=[tensor])
        response = await client.infer(url, request, model_name=model)
        found = {output.name: output.as_numpy() for output in response.outputs}
        assert (found["class"] == labels).mean() > 0.95
    await client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--model", default="pretrained")
    args = parser.parse_args()
    print(f"tritonclient: {100 * with_triton(args.url, args.model):.2f} % of 500 right")
    asyncio.run(with_kserve(args.url, args.model))
    print("kserve: JSON and binary answered")


if __name__ == "__main__":
    main()
