"""What is inside an export.pkl, read as data: nothing that it names is imported, called or built.

In comes the path of a file that anybody may have made; out goes an `ExportFile`: a `LearnerRecord`
with classes, transforms and network, or why there is none, in a sentence.

    file.py             opens the file once, and puts the rest together
    torch_file.py       torch.save's zip, or the file of older releases: pickle and numbers
    pickle_machine.py   the pickle's opcodes, done on notes
    records.py          those notes: Global, Instance, PersistentId
    old_names.py        what an older release called a class
    plain.py            records that are a list, dict, path or number in disguise
    classes.py          what a class of the author's own changes, by name
    tensors.py          records that are a tensor, checked against its storage
    learner.py          the parts of a learner, of which a prediction needs these
    labels.py           the names of its classes
    parts.py            where each release of fastai keeps them
    transforms.py       what a photo goes through
    network.py          layers, size, usual name
    ranges.py           between what a layer's numbers lie
    ending.py           what the network ends in: probabilities or scores
    loss.py             what makes probabilities of its numbers
    hindrances.py       what stands in the way of building it
    leftovers.py        what no prediction needs, and what is code
    other_files.py      what stands in an export's place: a sentence
"""
