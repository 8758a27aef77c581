"""How good a model is, on photos whose classes are known: `voilearn evaluate`.

In come a model and labelled photos; out go a report, a few lines, and the model's scope. In the
order in which data meets them: `photos.py` finds the photos and their labels, `hard_photos.py`
makes harder copies of them and `made_pictures.py` pictures of nothing, `asking.py` asks the model
about all of them, `temperature.py` makes its probabilities mean what they say, `outsiders.py` finds
what tells a photo of something else, `measure.py` counts, and `report.py` and `lines.py` tell it.
`evaluate.py` does all that, one after the other.
"""
