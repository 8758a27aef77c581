"""Where this folder is the home (Binder, JupyterHub), let Voilà find the page's template in it.

Voilà as an extension of Jupyter Server looks for templates below Jupyter's own folders alone;
what voila.json says of `template_paths` is for `voila` by itself.
"""

import logging
import os
import runpy
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
ROOMS = [HOME / "voilearn" / "notebook", HOME / "voilearn"]  # the template; what it takes in
FOLDERS = [*map(str, ROOMS), *filter(None, [os.environ.get("JUPYTER_PATH")])]
LOG = runpy.run_path(str(ROOMS[0] / "server_log.py"))  # this folder's, whatever is installed
logging.getLogger("ServerApp").addFilter(LOG["name_cause"])
KERNELS = runpy.run_path(str(ROOMS[0] / "page_kernels.py"))
c.ServerApp.kernel_manager_class = KERNELS["PageKernels"]  # noqa: F821  # Jupyter provides `c`
os.environ["JUPYTER_PATH"] = os.pathsep.join(FOLDERS)
c.VoilaConfiguration.template = "voilearn"  # noqa: F821
c.VoilaConfiguration.resources = {"home": str(HOME)}  # noqa: F821  # where app.toml is
