"""How good a model is, on photos whose classes are known: `voilearn evaluate`.

In come a model and labelled photos; out go a report, a few lines, and the model's scope.

    evaluate.py       the door: all that follows, one after the other
    photos.py         the photos and their labels, in folders or in a table
    hard_photos.py    harder copies of them
    made_pictures.py  pictures that are no photos
    asking.py         what the network gives for all of them
    temperature.py    what makes its probabilities mean what they say
    outsiders.py      what tells a photo of something else
    measure.py        shares, their intervals, and how far to believe probabilities
    lines.py          the evaluation in the terminal
    report.py, report.html   the same as a page to look at and to send
"""
