# mypy: ignore-errors
# ruff: noqa: F821  (the names of recipes.py)
"""Train the networks that people really use, at their real size, for `make.py --big`.

Runs in `__main__` behind recipes.py, whose names it uses. Nothing is downloaded: the weights are
random, then trained for one round.
"""

TORCHVISION = [
    "resnet18",
    "resnet34",
    "resnet50",
    "squeezenet1_1",
    "densenet121",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "convnext_tiny",
    "vgg11_bn",
]
TIMM = [
    "resnet26d",
    "resnetv2_50",
    "efficientnet_lite0",
    "convnext_atto",
    "convnext_nano",
    "regnetx_002",
    "mobilenetv3_small_050",
    "vit_tiny_patch16_224",
    "swin_tiny_patch4_window7_224",
    "levit_128s",
]
CUTS = {"mobilenet_v2": -1}


def big_loaders(size=96):
    tfms = [*aug_transforms(size=size), Normalize.from_stats(*imagenet_stats)]
    return loaders(item_tfms=Resize(size + 32), batch_tfms=tfms)


def big_torchvision(name):
    arch = getattr(torchvision.models, name)
    learner = globals().get("vision_learner") or cnn_learner
    if name in CUTS:
        model_meta[arch] = {"cut": CUTS[name], "split": default_split}
    return warmed(learner(big_loaders(), arch, pretrained=False, metrics=error_rate))


def big_timm(name):
    dls = big_loaders(224 if "224" in name or "levit" in name else 96)
    return warmed(vision_learner(dls, name, pretrained=False, metrics=error_rate))


def big_xresnet(name):
    return warmed(Learner(big_loaders(), globals()[name](n_out=3), metrics=error_rate))


def warmed(learn):
    """Train for one round, then let every batch norm measure what it gets, forgetting its start."""
    norms = [
        m for m in learn.model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)
    ]
    kept = [norm.momentum for norm in norms]
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-3)
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average of all batches
    settle(learn, rounds=2)
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    return learn


def add_big_recipes():
    homes = {big_torchvision: TORCHVISION, big_timm: TIMM, big_xresnet: ["xresnet34"]}
    for make, names in homes.items():
        for name in names:
            made, about = functools.partial(make, name), f"{name} at its full size"
            RECIPES[f"big_{name}"] = Recipe(made, about, name, spread=0.0001)


add_big_recipes()
