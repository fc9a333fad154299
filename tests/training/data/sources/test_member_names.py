import pytest

from training.data.sources.member_names import UnknownEncoding, canonical_encoding, clean_path, guess_encoding


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photos\\cat\\1.jpg", "photos/cat/1.jpg"),
        ("./cat/1.jpg", "cat/1.jpg"),
        ("cat//1.jpg", "cat/1.jpg"),
        ("cat/", "cat/"),
        ("cat\\", "cat/"),
        ("C:\\photos\\cat\\1.jpg", "C:/photos/cat/1.jpg"),
        ("./", ""),
        ("/abs/1.jpg", "abs/1.jpg"),
        ("../cat/1.jpg", "cat/1.jpg"),
        ("x\\..\\cat/1.jpg", "cat/1.jpg"),
    ],
)
def test_cleaned_paths_are_relative_with_slashes_between_folders(name: str, expected: str) -> None:
    assert clean_path(name) == expected


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-8", ["Käse", "猫"]),
        ("cp437", ["Kätzchen", "Hündchen"]),
        ("cp1252", ["Kätzchen", "Hündchen"]),
        ("cp1252", ["garçon", "fille"]),
        ("cp1251", ["кошки", "собаки"]),
        ("cp866", ["кошки", "собаки"]),
        ("cp1253", ["γάτες", "σκύλοι"]),
        ("cp1250", ["żółty", "czerwony"]),
        ("cp852", ["żółty", "czerwony"]),
        ("gbk", ["猫", "狗"]),
        ("gbk", ["苹果", "香蕉"]),
        ("big5", ["蘋果", "香蕉"]),
        ("shift_jis", ["ネコ", "イヌ"]),
        ("shift_jis", ["犬", "猫"]),
        ("euc_kr", ["고양이", "개"]),
        ("cp1255", ["חתול", "כלב"]),
        ("cp874", ["แมว", "สุนัข"]),
    ],
)
def test_the_code_page_of_names_is_guessed(encoding: str, words: list[str]) -> None:
    """The decoded text is compared, since several code pages may give the same text."""
    raw = [f"photos/{word}/{number}.jpg".encode(encoding) for word in words for number in range(3)]
    encoding_found = guess_encoding(raw)
    assert [word.encode(encoding).decode(encoding_found) for word in words] == words


def test_names_in_ascii_need_no_guess() -> None:
    assert guess_encoding([b"cat/1.jpg", b"dog/1.jpg"]) == "utf-8"


def test_an_encoding_that_does_not_exist_is_refused() -> None:
    assert canonical_encoding("GBK") == "gbk"
    with pytest.raises(UnknownEncoding, match="no text encoding 'cp9999'"):
        canonical_encoding("cp9999")
