"""Keep from the terminal what libraries say while they are imported, which no user can help.

Goes in and comes out nothing: it is called before fastai and torch are imported.
"""

import logging
import warnings


def quiet_libraries() -> None:
    """Leave out what fastai, timm, torch and matplotlib are known to say as they are imported."""
    # that matplotlib builds a font cache on its first run, and that there is no compiler for GPUs
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)
    # that fastai's and timm's layers use a part of torch that will go
    warnings.filterwarnings("ignore", message=r".*torch\.jit\.", category=FutureWarning)
