"""The annexes in their order, by what they contain; sentences elsewhere refer to them by letter."""

LETTERS = {
    "settings": "A", "methods": "B", "chapters": "C", "maps": "D", "requirements": "E", "log": "F", "environment": "G",
    "images": "H", "glossary": "I", "files": "J",
}  # fmt: skip
