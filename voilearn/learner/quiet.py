"""Keep libraries quiet: on the terminal while they are imported, and on cores they only wait on.

Goes in and comes out nothing: it is called before fastai and torch are imported.
"""

import logging
import os
import warnings


def quiet_libraries() -> None:
    """Leave out what fastai, timm, torch and matplotlib are known to say, and that threads spin."""
    # that matplotlib builds a font cache on its first run, and that there is no compiler for GPUs
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)
    # that fastai's and timm's layers use a part of torch that will go
    warnings.filterwarnings("ignore", message=r".*torch\.jit\.", category=FutureWarning)
    # that threads of torch's wait for each other, at full speed: where others want the cores, too,
    # one photo took ten times as long with two threads as with one. OpenMP reads it when it loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
