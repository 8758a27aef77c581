"""A fastai Learner of today, made of what an export.pkl records, without running its code.

In come an `ExportFile` and the open file; out goes a `Classify` that is fastai's `learn.predict`.
Opening `load.py` or `build.py` loads torch and fastai.

    load.py         the door: a path in, a Classify out
    quiet.py        what fastai and torch say while they are imported: nothing of it; no spinning
    build.py        today's Learner around a network: transforms, classes, loss
    network.py      each layer by `cls.__new__`, with what the record holds
    derived.py      weights that torch computes from others before each call, computed once
    old_layers.py   what today's class asks of a layer of an older release
    functions.py    functions that layers are known to keep
    cost.py         what one photo costs the network, or that it is too much
    ending.py       what its numbers are: probabilities or scores
    activation.py   what makes probabilities of them
    head.py         what the network's last layer is given, and what it gives itself
    lanes.py        several photos at once through one network, and which learners allow it
    trusted.py      the other way in: fastai's own load_learner, which runs the file's code
"""
