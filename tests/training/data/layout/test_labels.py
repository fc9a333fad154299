from pathlib import Path
from typing import Any

import pytest

from training.data.layout.layout import Layout, layout
from training.data.options import DataOptions
from training.data.sources.open_source import open_source
from training.data.sources.source import BadData


def write_data(folder: Path, *names: str, **tables: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    for name, text in tables.items():
        (folder / f"{name}.csv").write_bytes(text.encode("utf-8"))
    return folder


def read(folder: Path, **options: Any) -> Layout:
    return layout(open_source(folder), DataOptions(**options))


TABLES = {
    "a header that says what is what": "file,label\n1.jpg,cat\n2.jpg,dog\n",
    "other words for it, upside down": "Breed;Image ID\ncat;1\ndog;2\n",
    "tabs, quotes and spaces": 'filename\tclass\n"1.jpg"\t cat\n2.jpg\tdog\n',
    "a byte order mark and Windows lines": "\ufeffimage,category\r\n1.jpg,cat\r\n2.jpg,dog\r\n",
    "paths of another machine": "path,target\nC:\\data\\images\\1.jpg,cat\n/home/ann/images/2.jpg,dog\n",
    "Excel's own first line": "sep=;\r\nfile;label\r\n1.jpg;cat\r\n2.jpg;dog\r\n",
    "line ends of an old Macintosh": "file,label\r1.jpg,cat\r2.jpg,dog\r",
    "lines and commas within quotes": 'file;note, if any;label\n1.jpg;"a\nb, c";cat\n2.jpg;;dog\n',
    "another case": "file,label\nIMAGES/1.JPG,cat\n2.JPG,dog\n",
    "rows without a label": "file,label\n1.jpg,cat\n2.jpg,dog\n3.jpg,NaN\n",
    "a cell that holds a picture": f"file,data,label\n1.jpg,{'x' * 200_000},cat\n2.jpg,,dog\n",
    "a column for each class": "filename, cat, dog\n1.jpg, 1, 0\n2.jpg, 0.0, 1.0\n",
    "a type that is a split": "file,type,category\n1.jpg,train,cat\n2.jpg,test,dog\n",
    "more columns than are needed": "id,width,class,x\n1.jpg,10,cat,0\n2.jpg,20,dog,0\n",
}


@pytest.mark.parametrize("text", TABLES.values(), ids=list(TABLES))
def test_labels_are_read_from_a_table_in_any_common_form(tmp_path: Path, text: str) -> None:
    result = read(
        write_data(tmp_path, "images/1.jpg", "images/2.jpg", "images/3.jpg", labels=text), labels="labels.csv"
    )
    assert result.folder_of == {"images/1.jpg": "cat", "images/2.jpg": "dog"} and result.folders == ("cat", "dog")
    assert result.outside == ("images/3.jpg",) and result.no_class_reason == "not listed in labels.csv"


def test_a_table_outside_the_data_can_have_the_splits(tmp_path: Path) -> None:
    text = "file,label,set\na/1.jpg,cat,Training\nb/1.jpg,dog,train\na/2.jpg,cat,val\nb/2.jpg,dog,holdout\n"
    (tmp_path / "elsewhere.csv").write_text(text)
    folder = write_data(tmp_path / "data", "a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg")
    result = read(folder, labels=str(tmp_path / "elsewhere.csv"))
    assert result.split_of == {"a/1.jpg": "train", "b/1.jpg": "train", "a/2.jpg": "validation", "b/2.jpg": "test"}


@pytest.mark.parametrize(
    ("column", "cells", "expected"),
    [
        ("is_valid", ("False", "True", "False"), ("train", "validation", "train")),
        ("is_training_image", ("1", "0", "1"), ("train", "test", "train")),
        ("fold", ("0", "1", "2"), ("train", "validation", "test")),
        ("kfold", ("1.0", "2.0", "2.0"), ("train", "test", "test")),
        ("data set", ("TRAIN", "dev", "hold-out"), ("train", "validation", "test")),
    ],
)
def test_the_split_of_a_row_can_be_a_word_a_mark_or_a_fold(
    tmp_path: Path, column: str, cells: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    files = ("1.jpg", "2.jpg", "3.jpg")
    rows = (f"{name},{label},{cell}\n" for name, label, cell in zip(files, ("cat", "dog", "cat"), cells, strict=True))
    result = read(write_data(tmp_path, *files, labels=f"file,label,{column}\n" + "".join(rows)), labels="labels.csv")
    assert result.split_of == dict(zip(files, expected, strict=True))
    assert any("contains folds" in note for note in result.notes) == ("fold" in column)


def test_two_words_for_one_split_do_not_contradict_each_other(tmp_path: Path) -> None:
    text = "file,label,set\n1.jpg,cat,train\n1.jpg,cat,Training\n2.jpg,dog,test\n"
    result = read(write_data(tmp_path, "1.jpg", "2.jpg", labels=text), labels="labels.csv")
    assert result.split_of == {"1.jpg": "train", "2.jpg": "test"}


def test_missing_files_and_contradictory_labels_are_reported(tmp_path: Path) -> None:
    text = "file,label\n1.jpg,cat\n2.jpg,dog\n3.jpg,cat\n3.jpg,dog\ngone.jpg,cat\n4.jpg,\n"
    result = read(write_data(tmp_path, "1.jpg", "2.jpg", "3.jpg", "4.jpg", labels=text), labels="labels.csv")
    assert result.folder_of == {"1.jpg": "cat", "2.jpg": "dog"}
    assert result.missing == ("gone.jpg",) and result.contradictory == {"3.jpg": "cat and dog"}
    assert result.outside == ("4.jpg",)


def test_columns_can_be_named_by_options(tmp_path: Path) -> None:
    folder = write_data(tmp_path, "1.jpg", "2.jpg", labels="photo of,animal seen,id\n1.jpg,cat,7\n2.jpg,dog,8\n")
    with pytest.raises(
        BadData,
        match=r"which column of labels.csv is the label; the columns are photo of, animal seen, id.*--label-column",
    ):
        read(folder, labels="labels.csv")
    result = read(folder, labels="labels.csv", file_column="photo of", label_column="animal seen")
    assert result.folder_of == {"1.jpg": "cat", "2.jpg": "dog"}
    with pytest.raises(BadData, match=r"--label-column: labels\.csv has no column 'breed'; it has photo of"):
        read(folder, labels="labels.csv", label_column="breed")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\nx.jpg,cat\n", "none of the 1 photos in the column 'file' of labels.csv is among the 3 files"),
        ("just words\n", "must be a table with a header"),
        ("a/1.jpg,cat\nb/1.jpg,dog\n", "labels.csv has no header: its first line is 'a/1.jpg,cat'"),
        ('file,label\na/1.jpg,"cat\nb/1.jpg,dog\n', "a quotation mark before"),
        ("file,label,label\na/1.jpg,cat,tabby\nb/1.jpg,dog,pug\n", "has 2 columns with the name 'label'"),
        ("file,type\na/1.jpg,train\nb/1.jpg,test\n", "is the label; the columns are"),
        ("file,cat,dog\na/1.jpg,1,1\nb/1.jpg,0,1\n", "is the label; the columns are"),
        ('{"file_name": "a/1.jpg", "label": "cat"}\n', "labels.csv is JSON, but a text table (CSV or TSV) is needed"),
        ("PK\x03\x04\x14", "labels.csv is an Excel workbook"),
        ("file,label\na/1.jpg,cat\n1.jpg,dog\n", "'1.jpg', which may mean a/1.jpg or b/1.jpg: write the whole path"),
        ("file,label,split\na/1.jpg,cat,train\nb/1.jpg,dog,tomorrow\n", "contains 'tomorrow', which is not train"),
        (
            "file,label,split\na/1.jpg,cat,train\na/1.jpg,cat,test\nb/1.jpg,dog,train\n",
            "has 'a/1.jpg' in several splits, test and train",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadData) as error:
        read(write_data(tmp_path, "a/1.jpg", "b/1.jpg", labels=text), labels="labels.csv")
    assert message in str(error.value)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_a_table_may_be_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    folder = write_data(tmp_path, "1.jpg", "2.jpg")
    (folder / "labels.csv").write_bytes("file,label\n1.jpg,Kätzchen\n2.jpg,Hündchen\n".encode(encoding))
    assert read(folder, labels="labels.csv").folders == ("Hündchen", "Kätzchen")


def test_labels_can_be_read_from_file_names(tmp_path: Path) -> None:
    """Kaggle's cats and dogs are called `train/cat.0.jpg`; the folder above is the split."""
    folder = write_data(
        tmp_path, "train/cat.0.jpg", "train/dog.0.jpg", "test/cat.1.jpg", "test/dog.1.jpg", "test/7.jpg"
    )
    result = read(folder, label_from=r"^(?P<label>cat|dog)\.")
    assert result.folders == ("cat", "dog") and result.outside == ("test/7.jpg",)
    assert result.split_of == {name: name.split("/")[0] for name in result.folder_of}


def test_a_pattern_with_a_slash_is_searched_for_in_the_path(tmp_path: Path) -> None:
    folder = write_data(tmp_path, "2019/cat/a.jpg", "2020/dog/a.jpg")
    assert read(folder, label_from=r"/(?P<label>\w+)/").folders == ("cat", "dog")


def test_a_pattern_without_a_slash_ignores_the_folders(tmp_path: Path) -> None:
    folder = write_data(tmp_path, "cat.photos/dog.0.jpg", "cat.photos/cat.0.jpg")
    result = read(folder, label_from=r"(?P<label>cat|dog)\.")
    assert result.folder_of == {"cat.photos/dog.0.jpg": "dog", "cat.photos/cat.0.jpg": "cat"}


@pytest.mark.parametrize(
    ("pattern", "message"), [("(cat|dog)", "no group named label"), ("(?P<label>cat", "not a valid regular")]
)
def test_a_pattern_that_cannot_be_used_is_refused(tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(BadData, match=message):
        read(write_data(tmp_path, "cat.jpg"), label_from=pattern)


@pytest.mark.parametrize(
    "options",
    [{"labels": "x.csv", "label_from": "(?P<label>x)"}, {"file_column": "x"}, {"labels": "x.csv", "class_level": 1},
     {"class_level": 0}, {"split": ("a",)}, {"split": ("a=tomorrow",)}, {"max_pixels": 0}],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadData, match="--"):
        DataOptions(**options)
