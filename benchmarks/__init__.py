"""Side by side with peers, in one run each; every file here is run by itself.

With an export.pkl all of them measure the learner, for what is measured must not change midway; its
compiled form is measured by its own name.
"""

import os

os.environ.setdefault("VOILEARN_RUNTIME", "learner")
