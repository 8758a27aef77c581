"""A new app of a model, ready to push: `voilearn new`; and its notebook alone, for JupyterLab.

In come a model's file, the name of a folder and of a repository; out goes that folder, with a
notebook, words to fill in, and all that Binder needs. The model is read before anything is written.

    new.py          the door: puts the app together, and says what is next
    facts.py        what an app has to know of its model, which opens here
    repository.py   where on GitHub the app will be, and its address on Binder
    words.py        a title and an introduction to begin with
    app_toml.py     app.toml, with a place for words of each class
    requirements.py what pip installs for the app
    space.py        what a Space on Hugging Face, or a host of containers, needs besides
    readme.py       README.md: for whoever finds the app, and for whoever pushes it
    notebook.py     app.ipynb
    folder.py       a folder that is written whole, or not at all, and over nothing
    lab.py          a model's notebook in JupyterLab
    template        the app's files, in which each {{name}} is a place for a value
"""
