"""What somebody types for a repository on GitHub, and where its app is on Binder."""

import pytest

from voilearn.project.repository import Repository, repository_of


@pytest.mark.parametrize(
    "written",
    [
        "ann/bears",
        " ann/bears ",
        "ann/bears/",
        "ann/bears.git",
        "github.com/ann/bears",
        "https://github.com/ann/bears",
        "https://github.com/ann/bears/",
        "https://github.com/ann/bears.git",
        "http://www.github.com/ann/bears/tree/main",
        "https://github.com/ann/bears?tab=readme-ov-file",
        "https://github.com/ann/bears#readme",
        "https://ann:secret@github.com/ann/bears.git",
        "git@github.com:ann/bears.git",
        "ssh://git@github.com/ann/bears.git",
        "git://github.com/ann/bears",
    ],
)
def test_a_repository_is_known_however_it_is_written(written: str) -> None:
    assert repository_of(written) == Repository("ann", "bears")


@pytest.mark.parametrize("written", ["a/b", "Ann-1/bears_of.bern-2", "ann/b.git.git", "1/2"])
def test_names_may_have_what_github_allows(written: str) -> None:
    found = repository_of(written)
    assert f"{found.owner}/{found.name}" == written.removesuffix(".git")


@pytest.mark.parametrize(
    "written",
    [
        "",
        "bears",
        "/bears",
        "ann/",
        "ann/bears/tree",
        "ann/..",
        "ann/my bears",
        "ann/bears\n[x](https://evil.example)",
        "ann_b/bears",
        "-ann/bears",
        "änn/bears",
        f"{'a' * 40}/bears",
        "https://gitlab.com/ann/bears",
        "https://github.com.evil.example/ann/bears",
        "https://github.com/ann",
        "ann/bears)](https://evil.example",
        "\x1b[31mann/bears",
    ],
)
def test_what_is_no_repository_is_a_sentence(written: str) -> None:
    with pytest.raises(ValueError, match="it is OWNER/REPO") as error:
        repository_of(written)
    assert str(error.value).isprintable()


def test_the_placeholder_is_to_be_filled_in() -> None:
    assert not repository_of("OWNER/REPO").known
    assert repository_of("ann/REPO").known
