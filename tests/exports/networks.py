# mypy: ignore-errors
"""Build small networks out of the libraries' own classes, so that an export is far below 1 MB.

In comes the number of classes, or nothing for a body; out goes an untrained torch module. Nothing
of this room is named in an export: it only puts together what torchvision, timm and fastai have.
"""

import functools
import sys
from functools import partial

import torchvision
from torch import nn
from torchvision.models import (
    convnext,
    densenet,
    efficientnet,
    mnasnet,
    mobilenetv2,
    mobilenetv3,
    resnet,
    shufflenetv2,
    squeezenet,
)
from torchvision.ops.misc import Conv2dNormActivation


def stand_in(arch, net):
    """Put a function that makes `net` in the place of a library's, so that pickle finds it there.

    An export names the function its network came from, and usually that is a library's.
    """

    def narrow(pretrained=False, **settings):
        return net()

    functools.update_wrapper(narrow, arch)
    del narrow.__wrapped__
    setattr(sys.modules[arch.__module__], arch.__name__, narrow)
    return narrow


def narrow_resnet(block=resnet.BasicBlock, width=4, classes=10):
    """A torchvision ResNet whose four layers have one narrow block each."""
    net = resnet.ResNet(block, [1, 1, 1, 1])
    net.inplanes = width
    net.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
    net.bn1 = nn.BatchNorm2d(width)
    for number in range(4):
        layer = net._make_layer(block, width << number, 1, stride=1 if number == 0 else 2)
        setattr(net, f"layer{number + 1}", layer)
    net.fc = nn.Linear((width << 3) * block.expansion, classes)
    return net


def narrow_densenet():
    return densenet.DenseNet(growth_rate=8, block_config=(2, 2, 2), num_init_features=8)


def narrow_mobilenet_v2():
    setting = [[1, 8, 1, 1], [4, 16, 2, 2], [4, 24, 1, 2]]
    net = mobilenetv2.MobileNetV2(inverted_residual_setting=setting)
    net.features[-1] = Conv2dNormActivation(24, 64, kernel_size=1, activation_layer=nn.ReLU6)
    return net


def narrow_mobilenet_v3():
    setting, _ = mobilenetv3._mobilenet_v3_conf("mobilenet_v3_small", width_mult=0.25)
    norm = partial(nn.BatchNorm2d, eps=0.001)  # its own momentum of 0.01 asks for long training
    return mobilenetv3.MobileNetV3(setting[:4], 64, norm_layer=norm)


def narrow_mnasnet():
    """The first and last of an MNASNet's layers; in between are some fifty."""
    net = mnasnet.MNASNet(0.5)
    start, block = list(net.layers)[:8], net.layers[8]
    net.layers = nn.Sequential(*start, block)
    return net


def narrow_shufflenet():
    return shufflenetv2.ShuffleNetV2([1, 2, 1], [8, 16, 32, 64, 64])


def narrow_efficientnet():
    block = partial(efficientnet.MBConvConfig, width_mult=0.25, depth_mult=0.3)
    setting = [block(1, 3, 1, 32, 16, 1), block(6, 3, 2, 16, 24, 2), block(6, 5, 2, 24, 40, 2)]
    return efficientnet.EfficientNet(setting, dropout=0.2, last_channel=64)


def narrow_convnext():
    block = convnext.CNBlockConfig
    return convnext.ConvNeXt([block(16, 32, 1), block(32, 48, 1), block(48, None, 1)])


def narrow_squeezenet_body():
    """A SqueezeNet's layers: its class has no narrow variety, its Fire modules do."""
    fire = squeezenet.Fire
    pool = partial(nn.MaxPool2d, kernel_size=3, stride=2, ceil_mode=True)
    return nn.Sequential(
        nn.Sequential(
            nn.Conv2d(3, 16, kernel_size=3, stride=2),
            nn.ReLU(inplace=True),
            pool(),
            fire(16, 4, 16, 16),
            fire(32, 4, 16, 16),
            pool(),
            fire(32, 8, 32, 32),
        ),
        nn.AdaptiveAvgPool2d(1),
    )


def narrow_vgg_body():
    """A VGG's features: its class brings a classifier of 400 MB."""
    make_layers = torchvision.models.vgg.make_layers
    return nn.Sequential(make_layers([8, "M", 16, "M", 32, "M"], batch_norm=True), nn.Identity())


def plain(classes, channels=3):
    """The network that a student writes down: convolutions, pooling, one linear layer."""
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.LeakyReLU(0.1),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(64, classes),
    )
