"""Texts in the encodings that systems have written by default: right, or refused, and never other words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.datasets.encoding import decode
from core.errors import InputError

CAPTIONS = {
    "German": ("Ein rotes Boot auf dem See", "Eine Katze schläft auf dem Stuhl", "Zwei Hunde laufen über die Straße"),
    "French": (
        "Un chat rouge dort sur le canapé",
        "Une fille mange une pêche à l'école",
        "Deux chiens près de la forêt",
    ),
    "Spanish": ("El niño está en la montaña", "Un perro pequeño", "La señora bebe café"),
    "Polish": ("Czerwona łódź na jeziorze", "Kot śpi na krześle", "Dwa psy biegną przez ulicę"),
    "Czech": ("Červená loď na jezeře", "Kočka spí na židli", "Dva psi běží přes ulici"),
    "Russian": ("Красная лодка на озере", "Кошка спит на стуле", "Две собаки бегут по улице"),
    "Greek": ("Μια κόκκινη βάρκα στη λίμνη", "Μια γάτα κοιμάται", "Δύο σκυλιά τρέχουν"),
    "simple": ("一只红色的猫", "草地上的狗", "海上的一艘船"),
    "traditional": ("一隻紅色的貓在草地上", "草地上的狗", "海上的一艘船"),
    "Japanese": ("赤い猫が草の上に座っている", "犬が走る", "海に船が浮かぶ"),
    "Korean": ("빨간 고양이가 풀밭에 앉아 있다", "개가 달린다", "바다 위의 배"),
    "Hebrew": ("חתול אדום יושב על הדשא", "כלב רץ", "סירה בים"),
    "Arabic": ("قطة حمراء تجلس على العشب", "كلب يجري", "قارب في البحر"),
    "Thai": ("แมวสีแดงนั่งบนหญ้า", "หมาวิ่ง", "เรือในทะเล"),
    "Turkish": ("Kırmızı bir tekne gölde", "Kedi sandalyede uyuyor", "İki köpek koşuyor şimdi"),
    "Icelandic": ("Rauður bátur á vatninu", "Þrír hundar hlaupa"),
}
# Read, also where a file holds three captions only.
READ = [
    ("German", "cp1252"), ("German", "latin-1"), ("French", "cp1252"), ("Spanish", "cp1252"), ("Czech", "cp1250"),
    ("Russian", "cp1251"), ("Russian", "koi8-r"), ("Greek", "cp1253"), ("simple", "gbk"), ("simple", "gb18030"),
    ("traditional", "big5"), ("Japanese", "shift_jis"), ("Japanese", "euc_jp"), ("Korean", "euc_kr"),
    ("Arabic", "cp1256"),
]  # fmt: skip
# These bytes are other words in another code page, or too few to tell.
NOT_READ = [
    ("German", "mac_roman"), ("French", "mac_roman"), ("Polish", "cp1250"), ("Polish", "iso8859_2"),
    ("Russian", "cp866"), ("Korean", "johab"), ("Hebrew", "cp1255"), ("Thai", "cp874"), ("Turkish", "cp1254"),
    ("Icelandic", "cp1252"),
]  # fmt: skip


def table(language: str, times: int = 1) -> str:
    names = ("cat.jpg", "dog.jpg", "boat.png")
    rows = [f"{names[number % 3]},{text}" for number, text in enumerate(CAPTIONS[language] * times)]
    return "\n".join(["image,caption", *rows, ""])


@pytest.mark.parametrize(("language", "encoding"), READ)
@pytest.mark.parametrize("times", [1, 50])
def test_a_recognised_encoding_gives_the_text_and_says_so(language: str, encoding: str, times: int) -> None:
    decoding = decode(table(language, times).encode(encoding))
    assert decoding.text == table(language, times)
    assert decoding.guess and f"was read as {decoding.guess}; if “" in decoding.remark
    assert all(word in table(language) for word in decoding.words)


@pytest.mark.parametrize(("language", "encoding"), [*READ, *NOT_READ])
@pytest.mark.parametrize("times", [1, 10, 100])
def test_no_text_becomes_another(language: str, encoding: str, times: int) -> None:
    data = table(language, times).encode(encoding)
    try:
        assert decode(data).text == table(language, times)
    except InputError as error:
        assert "cannot be recognised with confidence; save it as UTF-8" in str(error)


@pytest.mark.parametrize(("language", "encoding"), NOT_READ)
def test_what_is_not_recognised_is_refused(language: str, encoding: str) -> None:
    with pytest.raises(InputError, match="save it as UTF-8"):
        decode(table(language).encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("language", CAPTIONS)
def test_unicode_is_certain(language: str, encoding: str) -> None:
    decoding = decode(table(language).encode(encoding))
    assert (decoding.text, decoding.guess, decoding.remark) == (table(language), "", "")


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0", b"a\0b", b"\xef\xbb\xbf\xff", b"\xff\xfea", b"caf\x81"])
def test_bytes_that_are_not_text_are_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"is not a text file|cannot be recognised"):
        decode(data)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_one_line(data: bytes) -> None:
    try:
        assert "\0" not in decode(data).text
    except InputError as error:
        assert "\n" not in str(error)
