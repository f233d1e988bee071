"""Lists of classes in the forms in which people keep them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.datasets import read_texts
from core.errors import InputError

CLASSES = ("tench", "goldfish", "great white shark")
FORMS = {
    "lines.txt": "tench\ngoldfish\ngreat white shark\n",
    "numbered.txt": "0 tench\n1 goldfish\n2 great white shark\n",
    "numbered_from_one.txt": "1: tench\n2: goldfish\n3: great white shark\n",
    "synsets.txt": "n01440764 tench\nn01443537 goldfish\nn01484850 great white shark\n",
    "list.json": '["tench", "goldfish", "great white shark"]',
    "by_number.json": '{"0": "tench", "2": "great white shark", "1": "goldfish"}',
    "numbers.json": '{"tench": 0, "great white shark": 2, "goldfish": 1}',
    "imagenet.json": '{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"], "2": ["n0", "great white shark"]}',
    "objects.json": '[{"id": 5, "name": "tench"}, {"id": 6, "name": "goldfish"}, {"name": "great white shark"}]',
    "config.json": '{"id2label": {"0": "tench", "1": "goldfish", "2": "great white shark"}}',
    "list.yaml": "- tench\n- goldfish\n- great white shark\n",
    "data.yaml": "path: ../x\nnames:\n  0: tench\n  1: goldfish\n  2: great white shark\n",
    "python.txt": "{0: 'tench', 1: 'goldfish', 2: 'great white shark'}",
    "python_list.txt": "['tench', 'goldfish',\n 'great white shark',\n]",
    "first_column.csv": "tench,1\ngoldfish,2\ngreat white shark,3\n",
    "id_name.csv": "id,name\n0,tench\n1,goldfish\n2,great white shark\n",
    "id_without_header.csv": "0,tench\n1,goldfish\n2,great white shark\n",
    "semicolon.csv": "class;note\ntench;fish\ngoldfish;fish\ngreat white shark;fish\n",
    "list.toml": 'classes = ["tench", "goldfish", "great white shark"]\n',
    "by_number.toml": '[names]\n0 = "tench"\n2 = "great white shark"\n1 = "goldfish"\n',
    "lines.jsonl": '{"id": 0, "name": "tench"}\n{"id": 1, "name": "goldfish"}\n{"name": "great white shark"}\n',
    "assigned.py": "CLASSES: list[str] = [\n  'tench', 'goldfish',\n  'great white shark',\n]\n",
    "bullets.md": "- tench\n- goldfish\n- great white shark\n",
    "numbers.md": "1. tench\n2. goldfish\n3. great white shark\n",
    "quoted.txt": '"tench",\n"goldfish",\n"great white shark"\n',
    "number_behind.txt": "goldfish=1\ntench=0\ngreat white shark=2\n",
    "semicolon_without_header.csv": "tench;1\ngoldfish;2\ngreat white shark;3\n",
    "tabs.tsv": "id\tlabel\n0\ttench\n1\tgoldfish\n2\tgreat white shark\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_classes(name: str) -> None:
    assert read_texts(FORMS[name].encode(), name=name) == CLASSES


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("7 dwarfs\n101 dalmatians\n", ("7 dwarfs", "101 dalmatians")),
        ("2 cats\n1 dog\n", ("2 cats", "1 dog")),
        ("[a cat]\n", ("[a cat]",)),
        ("0 tench\ngoldfish\n", ("0 tench", "goldfish")),
        ("yes\nno\n", ("yes", "no")),
        ("<cat-toy> on a table\n<s> a dog\n", ("<cat-toy> on a table", "<s> a dog")),
        ("class photo\nimport car\nlet sleeping dogs lie\n", ("class photo", "import car", "let sleeping dogs lie")),
        ("from above\nitem 1\n", ("from above", "item 1")),
        ("a photo, 2\na dog, 7\n", ("a photo, 2", "a dog, 7")),
        ("- a cat\na dog\n", ("- a cat", "a dog")),
        ("'a' cat\n'b' dog\n", ("'a' cat", "'b' dog")),
    ],
)
def test_lines_that_only_look_like_a_form_stay_as_they_are(text: str, texts: tuple[str, ...]) -> None:
    assert read_texts(text.encode(), name="t.txt") == texts


def test_words_of_yaml_stay_words() -> None:
    assert read_texts(b"- yes\n- no\n- 1.50\n- 2026-01-01\n", name="t.yaml") == ("yes", "no", "1.50", "2026-01-01")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("t.json", "[1, 2]", "is JSON in an unknown form; provide a list of texts"),
        ("t.json", '{"a": {"b": 1}}', "is JSON in an unknown form"),
        ("t.json", '["a"', "is not valid JSON"),
        ("t.json", '["\\u0007"]', "contains control characters"),
        ("t.json", "[" * 100_000, "is not valid JSON"),
        ("t.yaml", "a: [", "is not valid YAML"),
        ("t.yaml", "!!python/object/apply:os.getcwd []", "is YAML in an unknown form"),
        ("t.yaml", "just a text", "is YAML in an unknown form"),
        ("t.toml", "classes = [", "is not valid TOML"),
        ("t.toml", "a = " + "[" * 100_000, "is not valid TOML"),
        ("t.toml", "a = 1\nb = 2.5\n", "is TOML in an unknown form"),
        ("t.jsonl", '{"name": "a"}\n{"name"\n', "is not valid JSON"),
        ("t.xml", "<classes>\n<class>tench</class>\n</classes>\n", "is XML or HTML, which is not read as a list"),
        ("t.html", "<!doctype html>\n<p>tench", "is XML or HTML"),
        ("t.pbtxt", "item {\n  id: 1\n  name: 'tench'\n}\n", "is a label map of TensorFlow"),
        ("t.js", "export const classes = ['tench'];\n", "is JavaScript"),
        ("t.py", "from x import y\nCLASSES = ['tench']\n", "is a Python program"),
        ("t.md", "| id | class |\n| --- | --- |\n| 0 | tench |\n", "is a table in Markdown"),
        ("t.ini", "[classes]\ntench = 1\n", "is an INI file"),
    ],
)
def test_another_form_is_refused_by_its_name(name: str, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as refusal:
        read_texts(text.encode(), name=name)
    assert str(refusal.value).startswith(name) and "\n" not in str(refusal.value)


@settings(deadline=None)
@given(st.binary(max_size=150), st.sampled_from(["t.json", "t.jsonl", "t.yaml", "t.toml", "t.csv", "t.txt"]))
def test_any_bytes_are_texts_or_one_line(data: bytes, name: str) -> None:
    try:
        texts = read_texts(data, name=name)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert len(set(texts)) == len(texts) and all(text == text.strip() != "" for text in texts)
