import shlex

from training.data.options import DataOptions


def test_options_become_arguments_of_a_command_without_folders() -> None:
    options = DataOptions(
        exclude=("old", "*.gif"), labels="/home/ann/labels.csv", file_column="image id", max_pixels=1_000
    )
    assert shlex.join(options.words()) == (
        "--exclude old --exclude '*.gif' --labels labels.csv --file-column 'image id' --max-pixels 1000"
    )
    assert DataOptions().words() == []


def test_splits_are_read_from_pairs() -> None:
    options = DataOptions(split=("part1=Train", "a=b=test"))
    assert options.splits() == {"part1": "train", "a=b": "test"}
