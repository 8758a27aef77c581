"""A shell: what `voilearn classify` does with what was typed, beyond opening a model.

In come names as somebody typed them, and a `Classify`; out go lines, one for each photo, in the
order of the names, with as much memory for a million photos as for ten.

    terminal.py   what was typed is read, and a line printed
    photos.py     which photos were named: files, folders, patterns, standard input, what is new
    many.py       many at a time, on all cores, and still in order
    answers.py    many photos asked about, and a line printed for each
    patience.py   a service that is full, or gone for a moment, is asked again
    lines.py      a photo's answer as words, JSON or CSV
    progress.py   how far it is, on a terminal
"""
