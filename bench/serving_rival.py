"""FastAPI and onnxruntime, as bench/serving.py measures them: the same network behind a POST of an image's bytes.

    RIVAL=network.onnx uvicorn serving_rival:app --loop uvloop --http httptools --no-access-log --workers N

One thread of onnxruntime for each worker. The network answers within the coroutine, which is quickest for a network
that takes less than a thread's handing over; the answer is as short as it can be and still hold what is asked for.
"""

import os

import numpy
import onnxruntime
import orjson
from fastapi import FastAPI, Request, Response

options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
options.intra_op_num_threads = int(os.environ.get("RIVAL_THREADS", "1"))
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["RIVAL"], options, providers=["CPUExecutionProvider"])
app = FastAPI(openapi_url=None)


@app.post("/predict")
async def predict(request: Request):
    image = numpy.frombuffer(await request.body(), numpy.uint8).reshape(1, 1, 28, 28)
    probabilities = session.run(None, {"images": image})[0][0]
    best = int(probabilities.argmax())
    answer = {"class": best, "confidence": float(probabilities[best]), "probabilities": probabilities}
    return Response(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
