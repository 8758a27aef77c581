"""export.onnx: how it is made of a learner, checked, and run without torch.

In comes the path of an export.onnx; out goes a `Classify` that needs ONNX Runtime, numpy and
Pillow. Or in comes the path of an export.pkl; out go export.onnx and export.json, which holds how
far both agree. Only to compile are torch and fastai loaded.

To run:
    onnx_file.py     what is in the file: refused before any runtime opens it, or its operators
    description.py   the export.json beside it
    load.py          a session of ONNX Runtime as a Classify

To compile:
    compile.py       the door: both files or neither
    graph.py         the learner as one graph, from pixels to probabilities
    transforms.py    what happens to a photo before the network, as nodes
    resize.py        Pillow's resize, to its rounding
    nodes.py         what nodes are written with
    weights.py       the same with its weights in fewer bits
    int8.py          the same in whole numbers
    joined.py        the same with its layers joined, for the page of a device
    agreement.py     how far the answers of two models agree

For who has an export.pkl:
    kept.py          the form that was made of it before, in the user's cache folder
"""
