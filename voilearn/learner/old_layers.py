"""Give a layer of an older release what today's class asks for and the old one had not.

In comes a layer as its release left it; out goes one that today's `forward` runs, with the same
answer. Libraries came to compute the same from other attributes; each row says since when.
"""

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn
from torchvision.ops.misc import Permute

from voilearn.export.records import RefusedPickle


def add_what_is_new(module: nn.Module) -> None:
    """Give a layer the attributes that it lacks: a row's, or the plain default of an argument."""
    names = [f"{cls.__module__}.{cls.__qualname__}" for cls in type(module).__mro__]
    for name in (*names, names[0].partition(".")[0]):
        for key, make in ADDED.get(name, {}).items():
            if getattr(module, key, None) is None:
                setattr(module, key, make(module))
    for key, parameter in inspect.signature(type(module).__init__).parameters.items():
        default = parameter.default
        if isinstance(default, bool | int | float | str | None) and not hasattr(module, key):
            module.__dict__[key] = default


def _identity(_: Any) -> nn.Module:
    return nn.Identity()


def _none(_: Any) -> None:
    return None


def _false(_: Any) -> bool:
    return False


def _activated(module: Any) -> bool:
    """Call each activation with its norm; return whether there is a shortcut around the block.

    Until timm 0.5 they were two layers, of which today's forward() calls the first alone.
    """
    for norm, act in ((module._modules.get(f"bn{n}"), f"act{n}") for n in (1, 2)):
        if norm is not None and not hasattr(norm, "act") and act in module._modules:
            setattr(module, act.replace("act", "bn"), nn.Sequential(norm, getattr(module, act)))
    return getattr(module, "has_residual", False)


def _computed_otherwise(_: Any) -> None:
    raise RefusedPickle(
        "the network is a convnext of an early timm (0.5), whose LayerNorm2d computed something "
        "else than today's: its answers would differ"
    )


# What a layer of an older release lacks, or has as None, and today's class asks for: by class or
# package, what its layers get, and from which layer. Sources: the same file of timm's release that
# is named, beside that of 1.0.31; https://github.com/huggingface/pytorch-image-models/releases
ADDED: dict[str, dict[str, Callable[[Any], Any]]] = {
    # Of layers/: norm_act.py is so in timm 0.6.13, and was not in 0.5.4; classifier.py and mlp.py
    # in 0.9.2, not in 0.8.10 (drop1 and drop2 in 0.5.4, not in 0.4.12); attention.py's q_norm in
    # 0.9.2, the rest of it not yet in 1.0.3
    "timm.layers.norm_act.BatchNormAct2d": {"drop": _identity},
    "timm.layers.norm_act.GroupNormAct": {"drop": _identity},
    "timm.layers.classifier.ClassifierHead": {"drop": _identity},
    "timm.layers.mlp.Mlp": {"norm": _identity, "drop1": _identity, "drop2": _identity},
    "timm.layers.mlp.GluMlp": {"norm": _identity, "drop1": _identity, "drop2": _identity},
    "timm.layers.mlp.GatedMlp": {"norm": _identity, "drop1": _identity, "drop2": _identity},
    "timm.layers.attention.Attention": {
        **dict.fromkeys(("q_norm", "k_norm", "norm"), _identity),
        "gate": _none,
        "attn_dim": lambda m: m.proj.in_features,
        "head_dim": lambda m: m.proj.in_features // m.num_heads,
    },
    # models/_efficientnet_blocks.py: has_skip is in timm 0.6.13, not in 0.5.4; aa, conv_s2d and
    # mobilenetv3.py's norm_head are not yet in 1.0.3
    **{
        f"timm.models._efficientnet_blocks.{block}": {
            "has_skip": _activated,
            "drop_path": _identity,
            "aa": _identity,
            "conv_s2d": _none,
        }
        for block in ("ConvBnAct", "DepthwiseSeparableConv", "InvertedResidual", "EdgeResidual")
    },
    "timm.models.efficientnet.EfficientNet": {"grad_checkpointing": _activated},
    "timm.models.mobilenetv3.MobileNetV3": {
        "grad_checkpointing": _activated,
        "norm_head": _identity,
    },
    # models/resnet.py and its cousins: so in timm 0.6.13, not in 0.5.4
    "timm.models.resnet.BasicBlock": {"drop_block": _identity, "aa": _identity},
    "timm.models.resnet.Bottleneck": {"drop_block": _identity, "aa": _identity},
    "timm.models.resnest.ResNestBottleneck": {"drop_block": _identity},
    "timm.models.res2net.Bottle2neck": {"drop_block": _identity},
    "timm.layers.split_attn.SplitAttn": {"drop": _identity},
    "timm.models.regnet.RegNet": {"final_conv": _identity},
    "timm.models.regnet.Bottleneck": {
        # until 0.5.4 None was a shortcut as it is, in 0.6.13 it is none at all
        "downsample": lambda m: nn.Identity() if m.drop_path is None else None,
        "drop_path": _identity,
        "se": _identity,
    },
    "timm.models.cspnet.CrossStage": {
        "conv_down": _identity,
        "expand_chs": lambda m: m.conv_exp.conv.out_channels,
    },
    "timm.models.cspnet.BottleneckBlock": dict.fromkeys(("attn2", "attn3", "drop_path"), _identity),
    "timm.models.cspnet.DarkBlock": dict.fromkeys(("attn", "drop_path"), _identity),
    "timm.models.dla.DlaTree": {"root": _none},
    "timm.models.dla.DlaBottle2neck": {"pool": _none},
    "timm.models.ghostnet.GhostModule": {"out_chs": lambda m: m.oup},
    "timm.models.xception_aligned.XceptionAligned": {"act": _identity},
    "timm.models.xception_aligned.SeparableConv2d": dict.fromkeys(("act_dw", "act_pw"), _identity),
    # timm 0.9.2, not 0.8.10: drop-out before the last layer, which does nothing when predicting
    **{
        f"timm.models.{network}": {"head_drop": _identity}
        for network in (
            *("densenet.DenseNet", "dla.DLA", "hrnet.HighResolutionNet", "mlp_mixer.MlpMixer"),
            *("inception_v3.InceptionV3", "inception_v4.InceptionV4", "selecsls.SelecSls"),
            "inception_resnet_v2.InceptionResnetV2",
        )
    },
    "timm.models.inception_resnet_v2.Block35": {"act": lambda m: m.relu},
    "timm.models.inception_resnet_v2.Block17": {"act": lambda m: m.relu},
    # models/vision_transformer.py: fc_norm is in timm 0.6.13, not in 0.5.4; patch_drop in 0.9.2;
    # reg_token, attn_pool and dynamic_img_size in 0.9.16, not in 0.9.2
    "timm.models.vision_transformer.VisionTransformer": {
        "num_prefix_tokens": lambda m: m.num_tokens,
        "fc_norm": lambda m: m.pre_logits,
        **dict.fromkeys(("patch_drop", "norm_pre", "head_drop"), _identity),
        **dict.fromkeys(("reg_token", "attn_pool"), _none),
        "dynamic_img_size": _false,
    },
    "timm.models.vision_transformer.Block": {
        **dict.fromkeys(("ls1", "ls2"), _identity),
        **dict.fromkeys(("drop_path1", "drop_path2"), _identity),
    },
    "timm.models.beit.Beit": {"num_prefix_tokens": lambda _: 1, "head_drop": _identity},
    "timm.models.beit.Block": dict.fromkeys(("drop_path1", "drop_path2"), _identity),
    "timm.models.convnext.ConvNeXtBlock": {"shortcut": _identity},
    # layers/norm.py has it in timm 0.6.13; 0.5.4 took the unbiased variance, off by 1e-3
    "timm.layers.norm.LayerNorm2d": {"_fast_norm": _computed_otherwise},
    # torchvision 0.11: models/mobilenetv3.py, whose block became ops/misc.py
    "torchvision.ops.misc.SqueezeExcitation": {
        "avgpool": lambda _: nn.AdaptiveAvgPool2d(1),
        "activation": lambda _: nn.ReLU(),
        "scale_activation": lambda _: nn.Hardsigmoid(),
    },
    # torchvision 0.14: models/swin_transformer.py; 0.13.1 did both in forward()
    "torchvision.models.swin_transformer.SwinTransformer": {
        "permute": lambda _: Permute([0, 3, 1, 2]),
        "flatten": lambda _: nn.Flatten(1),
    },
    # choices between ways to compute the same
    "timm": dict.fromkeys(("fused_attn", "grad_checkpointing", "_fast_norm"), _false),
}
