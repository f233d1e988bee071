"""Who acts in a session of the app: whom the proxy or the identity provider names, otherwise a name that is typed.

It is asked for at every act and never kept: a session acts for whoever is connected to it.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st
from starlette.datastructures import Headers
from starlette.types import Scope
from streamlit import config

from core.characters import line_of
from core.errors import LoupeError, first_line, missing
from core.runs.access import Actor, Header, Role, barrier, role_of, roles
from pages.parts.words import plain, problems_shown

TYPED = "typed_name"
# Under which names Streamlit keeps the headers of the proxy with a session, which only their owner can join again.
_NAME, _GROUPS = "loupe_name", "loupe_groups"
# What takes a role, as it continues "may not".
IMPORT, UPLOAD = "add or change images and annotations", "upload a model"
START, STOP, REPORT = "start or continue an audit", "cancel an audit", "generate a report"
LIST, DELETE = "change the list of audits", "delete or restore anything"
MARK, STUDY = "mark images of a spot check", "take part in a user study"
NAME_HELP = "It is stored as typed, and marked as not verified."


def actor() -> Actor:
    """Who acts now. Raises `InputError` if the file of roles is wrong."""
    name, groups = _vouched()
    return Actor(name, True, groups) if name else Actor(str(st.session_state.get(TYPED, "")))


def told(who: Actor) -> str:
    """A person as an entry shows them."""
    return who.name if who.verified else f"{who.name} (not verified)"


def ask_name(key: str) -> str:
    """The field for a name that nobody checks; what is typed there."""
    return str(st.text_input("Your name", key=key, max_chars=100, help=NAME_HELP))


def keep_name(typed: str) -> None:
    """Remember a typed name for this session."""
    st.session_state[TYPED] = " ".join(str(line_of(typed)).split())


def rename_button(key: str) -> None:
    """A way to act under another typed name; nothing where the identity is verified."""
    if not actor().verified and st.button("Change the name", icon=":material/edit:", type="tertiary", key=key):
        st.session_state.pop(TYPED, None)
        st.rerun()


def reason(needed: Role, act: str) -> str:
    """Why the person of this session may not do something, in one line; empty if they may."""
    try:
        return barrier(actor(), needed, act)
    except LoupeError as error:
        return first_line(error)


def button(label: str, act: str, *, needed: Role = "reviewer", form: bool = False, **options: Any) -> bool:
    """A button for what takes a role: without the role it is disabled, with the reason, and does nothing when pressed.

    `act` continues "may not"; the other options are those of Streamlit.
    """
    problem = reason(needed, act)
    if problem:
        options.update(disabled=True, help=plain(problem))
    pressed = (st.form_submit_button if form else st.button)(label, **options)
    return bool(pressed) and not problem


def enter() -> bool:
    """The person in the sidebar, with the way to log in and out; whether they may see the app."""
    with problems_shown():
        found = roles()
        offered = found is None or found.header is None
        who = actor()
        if who.verified:
            role = "" if found is None else f" · {role_of(who)}"
            st.caption(plain(f"{who.name}{role}"))
            if offered and st.button("Log out", type="tertiary", key="log-out"):
                st.logout()
        elif offered and _login_configured():
            if lacks := missing("authlib", "oidc"):
                st.warning(plain(f"Login {lacks}"))
            elif st.button("Log in", type="primary", key="log-in"):
                st.login()
        return role_of(who) != "none"
    return False


def turned_away() -> None:
    """What somebody sees who may not see the app."""
    st.title("Loupe")
    st.info("Your account has no access to this app. Log in, or ask its operator.", icon=":material/lock:")


def _vouched() -> tuple[str, tuple[str, ...]]:
    """The name and the groups that a proxy or an identity provider vouches for; empty without either."""
    found = roles()
    person = _person()
    if found is not None and found.header is not None:
        return _clean(person.get(_NAME)), _several(person.get(_GROUPS))
    if not person.get("is_logged_in"):
        return "", ()
    claim, groups = ("email", "groups") if found is None else (found.oidc.claim, found.oidc.groups)
    # An address that the provider has not confirmed may be anybody's.
    if claim == "email" and person.get("email_verified") is not True:
        return "", ()
    return _clean(person.get(claim)), _several(person.get(groups))


def _person() -> Mapping[str, Any]:
    """What Streamlit keeps of the person of this session. Only a provider's signed cookie says that they logged in."""
    person = dict(st.user.to_dict())
    if not _login_configured():
        person.pop("is_logged_in", None)
    return person


def _login_configured() -> bool:
    """Whether the operator has configured a provider, as `[auth]` in secrets.toml."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets


def _clean(value: object) -> str:
    name = " ".join(str(line_of(value)).split()) if isinstance(value, str) else ""
    return name if len(name) <= 100 else ""


def _several(value: object) -> tuple[str, ...]:
    """Groups, as a list of a claim or parted by commas in a header."""
    given: Iterable[object] = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else ()
    return tuple(name for each in given if (name := _clean(each)))


# -- the headers of the proxy ------------------------------------------------------------------------------------


def at_server_start() -> Header | None:
    """The header that names people, if the operator named one; sessions are bound to what it says from now on.

    A server reads this once. A file that is wrong names none, and no page then lets anybody change anything.
    """
    try:
        found = roles()
    except LoupeError as error:
        logging.getLogger("loupe").warning("%s", first_line(error))
        return None
    header = None if found is None else found.header
    if header is not None:
        kept = {header.name: _NAME, **({header.groups: _GROUPS} if header.groups else {})}
        config.set_option("server.trustedUserHeaders", kept)
    return header


def believed(scope: Scope, header: Header | None) -> Scope:
    """The request without headers that only the proxy may set, unless it bears the secret of the proxy.

    The secret itself goes in any case, and so does a name that is given twice.
    """
    if header is None:
        return scope
    given = Headers(scope=scope)
    proof = given.getlist(header.proof)
    sound = len(proof) == 1 and hmac.compare_digest(proof[0].encode(), header.secret.encode())
    gone = {header.proof.lower()}
    for name in filter(None, (header.name, header.groups)):
        if not sound or len(given.getlist(name)) != 1:
            gone.add(name.lower())
    kept = [(name, value) for name, value in scope["headers"] if name.decode("latin-1").lower() not in gone]
    return {**scope, "headers": kept}
