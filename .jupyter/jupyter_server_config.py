"""Where this folder is the home (Binder, JupyterHub), let Voilà find the page's template in it.

Voilà as an extension of Jupyter Server looks for templates below Jupyter's own folders alone;
what voila.json says of `template_paths` is for `voila` by itself.
"""

import logging
import os
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
ROOMS = [HOME / "voilearn" / "notebook", HOME / "voilearn"]  # the template; what it takes in
FOLDERS = [*map(str, ROOMS), *filter(None, [os.environ.get("JUPYTER_PATH")])]
sys.path.append(str(HOME))

from voilearn.notebook.server_log import name_cause  # noqa: E402  # it is in this folder

logging.getLogger("ServerApp").addFilter(name_cause)
os.environ["JUPYTER_PATH"] = os.pathsep.join(FOLDERS)
c.VoilaConfiguration.template = "voilearn"  # noqa: F821  # Jupyter provides `c`
c.VoilaConfiguration.resources = {"home": str(HOME)}  # noqa: F821  # where app.toml is
