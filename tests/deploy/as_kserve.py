"""Build an InferenceService of KServe's own Python models; run in an environment with kserve.

In comes the path of a manifest; it ends with what is wrong, or with nothing. The models set each
value through its setter, which is where they check it; a name that they do not know is an error
here, for a cluster would prune it without a word.
"""

import re
import sys
from pathlib import Path
from typing import Any

import kserve.models
import kubernetes.client
from ruamel.yaml import YAML

SIMPLE: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
SERIALIZE = kubernetes.client.ApiClient().sanitize_for_serialization


def build(kind: str, value: Any, place: str) -> Any:
    """Return `value` as the model that is called `kind`, or end with the place of what is wrong."""
    if many := re.fullmatch(r"list\[(.+)\]", kind):
        if not isinstance(value, list):
            raise SystemExit(f"{place}: {value!r} is no list")
        return [build(many[1], each, f"{place}[{index}]") for index, each in enumerate(value)]
    model = getattr(kserve.models, kind, None)
    if model is not None:
        names = {json: name for name, json in model.attribute_map.items()}
        if unknown := value.keys() - names.keys():
            raise SystemExit(f"{place}: {kind} has no {', '.join(sorted(unknown))}")
        parts = {
            names[key]: build(model.openapi_types[names[key]], each, f"{place}.{key}")
            for key, each in value.items()
        }
        return model(**parts)
    if (model := getattr(kubernetes.client, kind, None)) is not None:
        built = model.from_dict(value)
        if (back := SERIALIZE(built)) != value:
            raise SystemExit(f"{place}: {kind} makes {back} of {value}")
        return built
    if not isinstance(value, SIMPLE.get(kind, object)):
        raise SystemExit(f"{place}: {value!r} is no {kind}")
    return value


given = YAML(typ="safe").load(Path(sys.argv[1]))
if (given["apiVersion"], given["kind"]) != ("serving.kserve.io/v1beta1", "InferenceService"):
    raise SystemExit("This is no InferenceService.")
service = build("V1beta1InferenceService", given, "service")
print(service.spec.predictor.containers[0].name)
