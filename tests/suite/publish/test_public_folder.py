"""The folder for a static host: what is replaced, what stays, and what a failure leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.publish.public_folder import LIST, replaced_contents


def publish(folder: Path, **contents: str) -> None:
    """Write a folder with an `index.html` for each name."""
    with replaced_contents(folder) as new:
        for name, content in contents.items():
            (new / name).mkdir()
            (new / name / "index.html").write_text(content)


def read(folder: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in folder.glob("*/index.html")}


@pytest.mark.parametrize("line", ["", ".", "..", "../thesis", "/", "docs/../../thesis", "\0", LIST])
def test_a_damaged_list_removes_nothing_of_others(tmp_path, line):
    folder = tmp_path / "site"
    publish(folder, docs="first", data="first")
    (folder / "CNAME").write_text("example.org")
    (tmp_path / "thesis").mkdir()
    with (folder / LIST).open("a") as file:
        file.write(f"{line}\n\n")
    publish(folder, docs="second")
    assert read(folder) == {"docs": "second"}
    assert (folder / "CNAME").read_text() == "example.org"
    assert {path.name for path in tmp_path.iterdir()} == {"site", "thesis"}
    assert {path.name for path in folder.iterdir()} == {"docs", "CNAME", LIST}


def test_a_list_that_is_no_text_names_nothing(tmp_path):
    publish(tmp_path / "site", docs="first")
    (tmp_path / "site" / LIST).write_bytes(b"\xff\xfe docs")
    with pytest.raises(Exception, match="did not write docs"):
        publish(tmp_path / "site", docs="second")
    assert read(tmp_path / "site") == {"docs": "first"}


@pytest.mark.parametrize("num_good", range(5))
def test_former_contents_stay_if_the_new_ones_cannot_be_put_in_place(
    tmp_path, monkeypatch, num_good
):
    folder = tmp_path / "site"
    publish(folder, a="first", b="first", c="first")
    rename, done = Path.rename, []

    def rename_some(self: Path, target: Path) -> Path:
        done.append(self)
        if len(done) == num_good + 1:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_some)
    with pytest.raises(OSError, match="Input"):
        publish(folder, a="second", b="second", d="second")
    assert read(folder) == {"a": "first", "b": "first", "c": "first"}
    publish(folder, a="third")
    assert read(folder) == {"a": "third"}


def test_a_failed_block_leaves_no_new_folder(tmp_path):
    with pytest.raises(ValueError, match="no site"), replaced_contents(tmp_path / "a" / "site"):
        raise ValueError("no site")
    assert not (tmp_path / "a" / "site").exists()
