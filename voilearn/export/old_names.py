"""Where the classes named in old exports live today: a table, with a source for each row.

In comes the name as an export has it; out goes the name in the releases that requirements.txt
pins. A row's name stands for itself and all that is below it; the longest row that fits counts.
"""

from functools import lru_cache

# Python 2's names, which protocol 2 writes: `REVERSE_NAME_MAPPING` in Lib/_compat_pickle.py
PYTHON_2 = {
    "__builtin__": "builtins",
    "__builtin__.unicode": "builtins.str",
    "__builtin__.long": "builtins.int",
    "__builtin__.xrange": "builtins.range",
    "copy_reg": "copyreg",
}
# Python 3.13 moved the paths: Lib/pathlib/_local.py of that release
PYTHON_3 = {"pathlib._local": "pathlib"}
# numpy 2.0 renamed its inner packages: https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
NUMPY = {"numpy.core": "numpy._core"}
# fastcore 1.8 gave its transforms and dispatch away: https://github.com/AnswerDotAI/fasttransform
FASTCORE = {
    "fastcore.transform": "fasttransform.transform",
    "fastcore.dispatch.TypeDispatch": "plum._function.Function",
    "fastcore.utils.fastuple": "fastcore.basics.fastuple",
    "fastcore.foundation.fastuple": "fastcore.basics.fastuple",
    "fastcore.foundation.Tuple": "fastcore.basics.fastuple",
    "fastcore.utils.Tuple": "fastcore.basics.fastuple",
}
# fastai 2.0 was fastai2 until August 2020; losses left layers.py in 2.0.16, and callback.fp16 and
# others have not moved since: https://github.com/fastai/fastai/blob/main/CHANGELOG.md
FASTAI = {
    "fastai2": "fastai",
    "fastai.layers.CrossEntropyLossFlat": "fastai.losses.CrossEntropyLossFlat",
    "fastai.layers.BCEWithLogitsLossFlat": "fastai.losses.BCEWithLogitsLossFlat",
    "fastai.layers.LabelSmoothingCrossEntropyFlat": "fastai.losses.LabelSmoothingCrossEntropyFlat",
    "fastai.layers.LabelSmoothingCrossEntropy": "fastai.losses.LabelSmoothingCrossEntropy",
    "fastai.layers.FocalLossFlat": "fastai.losses.FocalLossFlat",
    "fastai.layers.MSELossFlat": "fastai.losses.MSELossFlat",
    "fastai.layers.L1LossFlat": "fastai.losses.L1LossFlat",
    "fastai.layers.BaseLoss": "fastai.losses.BaseLoss",
}
# torch 1.13 moved quantizing: https://github.com/pytorch/pytorch/releases/tag/v1.13.0
TORCH = {
    "torch.quantization": "torch.ao.quantization",
    "torch.nn.intrinsic": "torch.ao.nn.intrinsic",
    "torch.nn.quantized": "torch.ao.nn.quantized",
    "torch.nn.qat": "torch.ao.nn.qat",
}
# torchvision 0.13: torchvision/models/mobilenetv2.py and torchvision/ops/misc.py of that release
TORCHVISION = {
    "torchvision.models.mobilenet.ConvBNReLU": "torchvision.ops.misc.Conv2dNormActivation",
    "torchvision.models.mobilenet": "torchvision.models.mobilenetv2",
    "torchvision.models.mobilenetv2.ConvBNReLU": "torchvision.ops.misc.Conv2dNormActivation",
    "torchvision.models.mobilenetv2.ConvBNActivation": "torchvision.ops.misc.Conv2dNormActivation",
    "torchvision.models.mobilenetv3.SqueezeExcitation": "torchvision.ops.misc.SqueezeExcitation",
    "torchvision.ops.misc.ConvNormActivation": "torchvision.ops.misc.Conv2dNormActivation",
    "torchvision.models.efficientnet.ConvNormActivation": (
        "torchvision.ops.misc.Conv2dNormActivation"
    ),
}
# timm 0.9: https://github.com/huggingface/pytorch-image-models/releases/tag/v0.9.0
TIMM = {
    "timm.models.layers": "timm.layers",
    "timm.models.efficientnet_blocks": "timm.models._efficientnet_blocks",
    "timm.models.features": "timm.models._features",
    "timm.models.helpers": "timm.models._helpers",
    # models/inception_*.py of 0.6.13: a convolution, a norm and a ReLU, as in torchvision's
    "timm.models.inception_v3.BasicConv2d": "torchvision.models.inception.BasicConv2d",
    "timm.models.inception_v4.BasicConv2d": "torchvision.models.inception.BasicConv2d",
    "timm.models.inception_resnet_v2.BasicConv2d": "torchvision.models.inception.BasicConv2d",
    # models/rexnet.py and selecsls.py of 0.6.13, models/cspnet.py of 0.5.4
    "timm.models.rexnet.ReXNetV1": "timm.models.rexnet.RexNet",
    "timm.models.selecsls.SelecSLS": "timm.models.selecsls.SelecSls",
    "timm.models.selecsls.SelecSLSBlock": "timm.models.selecsls.SelecSlsBlock",
    "timm.models.cspnet.ResBottleneck": "timm.models.cspnet.BottleneckBlock",
}
ROWS = {**PYTHON_2, **PYTHON_3, **NUMPY, **FASTCORE, **FASTAI, **TORCH, **TORCHVISION, **TIMM}


@lru_cache(maxsize=10_000)  # the names are the file's: a stranger's would stay for ever
def today(path: str) -> str:
    """Return the name of today for a name as an export has it; the same if it has not moved."""
    for _ in range(4):  # a row may lead to another
        parts = path.split(".")
        for length in range(len(parts), 0, -1):
            if (new := ROWS.get(".".join(parts[:length]))) is not None:
                path = ".".join((new, *parts[length:]))
                break
        else:
            return path
    return path
