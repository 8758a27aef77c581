"""Ask a service as kserve's own client does. It runs where kserve is, which is not here.

In come the address and three photos, the last of them bad; out goes what was answered, as JSON.
"""

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput


def request(*photos: bytes, binary: bool, outputs: bool | None = None) -> InferRequest:
    photo = InferInput(name="photo", shape=[len(photos)], datatype="BYTES")
    texts = photos if binary else [base64.b64encode(each) for each in photos]
    photo.set_data_from_numpy(np.array(texts, dtype=np.object_), binary_data=binary)
    names = ["probabilities", "label"]
    return InferRequest(
        model_name="colours",
        infer_inputs=[photo],
        request_id="mine",
        request_outputs=None
        if outputs is None
        else [RequestedOutput(name, {"binary_data": outputs}) for name in names],
    )


def told(response: Any) -> dict[str, Any]:
    """What came, as plain values; texts that came in binary are texts here too."""
    values = {}
    for output in response.outputs:
        found = output.as_numpy().tolist()
        values[output.name] = [x.decode() if isinstance(x, bytes) else x for x in found]
    return {"id": response.id, "model": response.model_name, **values}


async def ask(url: str, good: bytes, other: bytes, bad: bytes) -> dict[str, Any]:
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:

        async def infer(asked: Any, model: str = "colours") -> Any:
            try:
                return told(await client.infer(url, asked, model_name=model))
            except httpx.HTTPStatusError as error:
                return str(error)

        several = [infer(request(each, binary=True)) for each in [good, other] * 4]
        plain = {
            "name": "photo",
            "datatype": "BYTES",
            "shape": [1],
            "data": [base64.b64encode(good).decode()],
        }
        return {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model": await client.is_model_ready(url, "colours"),
            "no model": await client.is_model_ready(url, "none"),
            "json": await infer(request(good, other, binary=False)),
            "binary": await infer(request(good, other, binary=True)),
            "binary both ways": await infer(request(good, other, binary=True, outputs=True)),
            "binary in, json out": await infer(request(good, other, binary=True, outputs=False)),
            "dict": await infer({"inputs": [plain]}),
            "bad": await infer(request(good, bad, binary=True)),
            "unknown": await infer(request(good, binary=True), "none"),
            "several": await asyncio.gather(*several),
        }


if __name__ == "__main__":
    address, *files = sys.argv[1:]
    print(json.dumps(asyncio.run(ask(address, *(Path(file).read_bytes() for file in files)))))
