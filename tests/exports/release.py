# mypy: ignore-errors
"""Let old releases of fastai run with today's Python, torch, torchvision and Pillow.

To be called before fastai is imported; it patches what is loaded and leaves every file alone. In
comes the release as three numbers; nothing goes out.
"""

import functools
import sys
import types
import typing
import warnings

import PIL.Image
import torch

# Of torch 1.8. A loss of fastai carries them along, and Python can't pickle some of today's.
ANNOTATIONS = {
    "dump_patches": bool,
    "_version": int,
    "training": bool,
    "_is_full_backward_hook": typing.Optional[bool],  # noqa: UP045  (pickled as it was then)
}


def prepare(release):
    """Put back what the release expects to find. Call `after_import` once fastai is there."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.load = functools.partial(torch.load, weights_only=False)  # as it was before torch 2.6
    if release < (2, 7, 19):
        torch.nn.Module.__annotations__ = ANNOTATIONS
    if release < (2, 5):
        _torchvision_models_utils()
        torch.solve = lambda b, a: (torch.linalg.solve(a, b), None)  # gone since torch 1.13
    if release < (2, 6):
        _filters_as_numbers()
    if release < (2, 1):
        _tensor_of_torch_1_6()


def after_import(release):
    """Take back what would disturb the training."""
    if release < (2, 1):
        del torch.Tensor.__dir__
        fastai_tensor = sys.modules["fastai.torch_core"].TensorBase
        fastai_tensor.__torch_function__ = torch._C._disabled_torch_function_impl
        loader = sys.modules["fastai.data.load"]._FakeLoader
        loader.persistent_workers, loader.pin_memory_device = False, ""
        loader.in_order, loader.prefetch_factor = True, None


def _torchvision_models_utils():
    """The module of one function that torchvision 0.12 took away."""
    module = types.ModuleType("torchvision.models.utils")
    module.load_state_dict_from_url = torch.hub.load_state_dict_from_url
    sys.modules[module.__name__] = module


def _filters_as_numbers():
    """Pillow before 9.1 named its filters with plain numbers, and so do the exports of the time."""
    for filters in (PIL.Image.Resampling, PIL.Image.Transpose):
        for name in filters.__members__:
            setattr(PIL.Image, name, int(filters[name]))


def _tensor_of_torch_1_6():
    """fastai 2.0 wraps every method of a tensor: show it those that torch 1.6 had."""
    newer = ("H", "mH", "mT", "__torch", "__cuda", "__dlpack", "__array_")
    names = [n for n in object.__dir__(torch.tensor([1])) if not n.startswith(newer)]
    torch.Tensor.__dir__ = lambda self: names
