"""A page for a class, in a JupyterHub that you have.

Whoever starts a server that is named `page` gets the page of the model in their home folder, and no
notebook. It needs voilearn and jupyter-server-proxy where jupyterhub-singleuser is. This goes

    The Littlest JupyterHub   as it is, into /opt/tljh/config/jupyterhub_config.d
    Zero to JupyterHub        below hub.extraConfig
    a hub of your own         to the end of jupyterhub_config.py
"""

TEACHER = "teacher"
CLASS = "class"  # a group of the hub's; its members may open the teacher's page, and nothing else
MODEL = "export.onnx"


def show_page(spawner):
    """Have a server that is named `page` be the page, behind the hub's login."""
    if spawner.name == "page":
        spawner.cmd = ["jupyter-standaloneproxy"]
        serve = ["voilearn", "serve", "--model", MODEL, "--port", "{port}", "--public"]
        spawner.args = ["--timeout=60", "--", *serve]


c.JupyterHub.allow_named_servers = True  # noqa: F821  # JupyterHub provides `c`
c.Spawner.pre_spawn_hook = show_page  # noqa: F821
# to what the hub has of these already, as its own that ends idle servers
c.JupyterHub.load_groups.update({CLASS: {"users": []}})  # noqa: F821
c.JupyterHub.load_roles.append(  # noqa: F821
    {"name": "page", "scopes": [f"access:servers!server={TEACHER}/page"], "groups": [CLASS]}
)
