"""Labelled photos are found in folders and in tables as people have them, and nothing is lost."""

from collections.abc import Callable
from pathlib import Path

import pytest

from voilearn.errors import PhotoNotFound
from voilearn.evaluate.photos import labelled_photos
from voilearn.prediction import ModelInfo

ONE = ModelInfo("export", "0" * 64, "single-label", ("black", "grizzly", "American Bulldog"))
MANY = ModelInfo("export", "0" * 64, "multi-label", ("car", "person", "dining table"))


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"photo")
    return folder


def found(where: Path, model: ModelInfo = ONE) -> list[tuple[str, list[str]]]:
    return [
        (each.file.name, sorted(each.labels)) for each in labelled_photos(where, model).labelled
    ]


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    put(tmp_path, "black/b.jpg", "black/a.PNG", "grizzly/c.webp", "grizzly/notes.txt")
    assert found(tmp_path) == [("a.PNG", ["black"]), ("b.jpg", ["black"]), ("c.webp", ["grizzly"])]


def test_folders_of_classes_in_folders_of_parts(tmp_path: Path) -> None:
    put(tmp_path, "train/black/a.jpg", "valid/black/more/b.jpg", "valid/grizzly/c.jpg")
    assert [labels for _, labels in found(tmp_path)] == [["black"], ["black"], ["grizzly"]]


@pytest.mark.parametrize("name", ["american_bulldog", "American-Bulldog", "AMERICAN BULLDOG"])
def test_a_class_is_known_however_its_folder_is_written(tmp_path: Path, name: str) -> None:
    assert found(put(tmp_path, f"{name}/a.jpg")) == [("a.jpg", ["American Bulldog"])]


def test_classes_that_differ_in_case_alone_are_told_apart(tmp_path: Path) -> None:
    model = ModelInfo("export", "0" * 64, "single-label", ("a", "A"))
    assert found(put(tmp_path, "a/1.jpg", "A/2.jpg"), model) == [("2.jpg", ["A"]), ("1.jpg", ["a"])]


def test_what_is_no_class_and_what_is_hidden_is_left_out_and_counted(tmp_path: Path) -> None:
    put(tmp_path, "black/a.jpg", "wolf/b.jpg", "wolf/c.jpg", "d.jpg", ".cache/black/e.jpg")
    photos = labelled_photos(tmp_path, ONE)
    assert len(photos.labelled) == 1
    assert photos.left_out == {"wolf": 2, "the folder itself": 1}


TABLES = [
    "file,label\na.jpg,black\nb.jpg,grizzly\n",
    "\ufefffname,labels,is_valid\na.jpg,black,True\nb.jpg,grizzly,False\n",
    "a.jpg,black\nb.jpg,grizzly\n",
    "label,filename\nblack,a.jpg\ngrizzly,b.jpg\n",
    "black,a.jpg\ngrizzly,b.jpg\n",
    "file;label\na.jpg;black\nb.jpg;grizzly\n",
    "photo,class\r\na.jpg,Black\r\nb.jpg, grizzly \r\n\r\n",
    '"file","label"\n"a.jpg","black"\n"b.jpg","grizzly"\n',
    "what,where\na.jpg,black\nb.jpg,grizzly\n",
]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_read_as_people_write_it(tmp_path: Path, table: str) -> None:
    put(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "labels.csv").write_bytes(table.encode())
    assert found(tmp_path / "labels.csv") == [("a.jpg", ["black"]), ("b.jpg", ["grizzly"])]


@pytest.mark.parametrize("between", [" ", ";", "|", ", "])
def test_several_labels_stand_in_one_cell(tmp_path: Path, between: str) -> None:
    put(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    cells = [f"car{between}person", "dining table", "", "car"]
    rows = "".join(f'{name}.jpg,"{cell}"\n' for name, cell in zip("abcd", cells, strict=True))
    (tmp_path / "labels.csv").write_text(f"file,labels\n{rows}")
    told = [labels for _, labels in found(tmp_path / "labels.csv", MANY)]
    assert told == [["car", "person"], ["dining table"], [], ["car"]]


def test_rows_of_other_labels_and_files_that_are_not_here_are_counted(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    (tmp_path / "t.csv").write_text("file,label\na.jpg,black\na.jpg,wolf\ngone.jpg,black\nshort\n")
    photos = labelled_photos(tmp_path / "t.csv", ONE)
    assert len(photos.labelled) == 1
    assert photos.left_out == {"wolf": 1, "no such file": 1}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "gone", "There is no folder .*gone here"),
        (lambda folder: put(folder, "photos.zip") / "photos.zip", "is a file. Name a folder"),
        (lambda folder: folder, "it has no folders in it. Put the photos of each class"),
        (
            lambda folder: put(folder, "wolf/a.jpg"),
            "classes black, grizzly, .* its folders are wolf",
        ),
        (lambda folder: folder / "gone.csv", "There is no file gone.csv here"),
        (lambda folder: table(folder, b""), "no two columns"),
        (lambda folder: table(folder, b"a.jpg\nb.jpg\n"), "no two columns"),
        (lambda folder: table(folder, b"\xff\xfe\x00"), "is no table in UTF-8"),
        (lambda folder: table(folder, b"file,label\nx.jpg,black\n"), "names no photo that is here"),
        (lambda folder: table(folder, b"file,label\n"), "names no photo that is here"),
        (lambda folder: table(folder, b"file,label\n\x00,black\n"), "t.csv"),
    ],
)
def test_where_there_are_none_it_is_told_what_to_do(
    tmp_path: Path, make: Callable[[Path], Path], sentence: str
) -> None:
    with pytest.raises(PhotoNotFound, match=sentence):
        labelled_photos(make(tmp_path), ONE)


def table(folder: Path, content: bytes) -> Path:
    (folder / "t.csv").write_bytes(content)
    return folder / "t.csv"
