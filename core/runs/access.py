"""Who acts and what they may do: people and their roles, by a file of the operator. No torch.

Without the file everybody may do everything under the name that they give, as one person at one machine does.
"""

from __future__ import annotations

import os
import pwd
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from core.characters import brief, folded, line_of
from core.errors import InputError, Refused
from core.runs.parts import Part
from core.runs.plan import first_problem
from core.sandbox import read_file
from core.settings import roles_file

Role = Literal["none", "viewer", "reviewer", "approver"]
# Each may do what those before it may.
ROLES: tuple[Role, ...] = get_args(Role)
MOST_BYTES, MOST_PEOPLE = 2**20, 10_000

Named = Annotated[str, BeforeValidator(line_of), Field(min_length=1, max_length=100)]


def _distinct(values: Mapping[str, object]) -> Mapping[str, object]:
    names = [folded(name) for name in values]
    for name in values:
        if names.count(folded(name)) > 1:
            raise ValueError(f"{name!r} is listed twice (names are compared without case)")
    return values


HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]


class Header(Part):
    """The header by which a proxy says who is logged in. It counts only beside the secret that the proxy adds.

    `secret` stands in the header `proof`: whoever can reach the port of the app, but does not know it, cannot say who
    they are.
    """

    name: HeaderName
    groups: HeaderName | Literal[""] = ""
    proof: HeaderName = "X-Loupe-Proxy"
    secret: str = Field(min_length=32, max_length=200, pattern=r"^[!-~]+$")


class Oidc(Part):
    """Which claims of the identity provider name a person and their groups, where `[auth]` is configured."""

    claim: Named = "email"
    groups: Named = "groups"


class Roles(Part):
    """The file of the operator. `default` is the role of a verified person who is not listed.

    `unverified` is the role of whoever has only typed a name. `people` and `groups` give roles by name; a person's own
    entry goes before those of their groups, of which the highest counts. `accounts` says who the accounts of this
    machine are, for the command line.
    """

    version: Named
    default: Role = "viewer"
    unverified: Role = "viewer"
    people: Annotated[dict[Named, Role], AfterValidator(_distinct)] = Field({}, max_length=MOST_PEOPLE)
    groups: Annotated[dict[Named, Role], AfterValidator(_distinct)] = Field({}, max_length=MOST_PEOPLE)
    accounts: dict[Named, Named] = Field({}, max_length=MOST_PEOPLE)
    header: Header | None = None
    oidc: Oidc = Oidc()


@dataclass(frozen=True)
class Actor:
    """Who acts: a name, whether a proxy, an identity provider or the system vouches for it, and the person's groups."""

    name: str = ""
    verified: bool = False
    groups: tuple[str, ...] = ()


def roles() -> Roles | None:
    """The roles that hold now; None where the operator has written no file.

    Raises `InputError` in one line for a file that is missing or wrong: then nobody may change anything.
    """
    path = roles_file()
    if path is None:
        return None
    try:
        there = path.stat()
        return _read(path, there.st_ino, there.st_mtime_ns, there.st_size)
    except OSError as error:
        raise InputError(f"the file of roles cannot be read ({error.strerror}); see docs/deployment.md") from error


@lru_cache(maxsize=4)
def _read(path: Path, *state: int) -> Roles:
    """The file in a state of it, which changes whenever it is written."""
    try:
        return Roles.model_validate(tomllib.loads(read_file(path, MOST_BYTES).decode()))
    except Refused as refused:
        raise InputError(f"the file of roles {refused}") from refused
    except ValidationError as error:
        raise InputError(f"the file of roles is wrong: {first_problem(error)}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"the file of roles is not valid TOML: {brief(str(error))}") from error


def role_of(actor: Actor) -> Role:
    """The role that somebody has now. Raises `InputError` if the file of roles is wrong."""
    found = roles()
    if found is None:
        return "approver"
    if not actor.verified:
        return found.unverified
    own = _listed(found.people, actor.name)
    if own is not None:
        return own
    through = [role for group in actor.groups if (role := _listed(found.groups, group)) is not None]
    return max(through, key=ROLES.index) if through else found.default


def barrier(actor: Actor, needed: Role, act: str) -> str:
    """Why somebody may not do what takes the role `needed`, in one line; empty if they may.

    `act` continues "may not". Raises `InputError` if the file of roles is wrong.
    """
    found, role = roles(), role_of(actor)
    if found is not None and not actor.verified and _listed(found.people, actor.name) is not None:
        return f"{actor.name} is somebody whose identity is verified; log in to act under this name"
    if ROLES.index(role) >= ROLES.index(needed):
        return ""
    who = actor.name or "a person without a name"
    checked = "" if actor.verified else ", not verified"
    return f"{who} ({role}{checked}) may not {act}; that takes the role {needed}"


def check(actor: Actor, needed: Role, act: str) -> None:
    """Raises `InputError` with the line of `barrier`, if there is one."""
    problem = barrier(actor, needed, act)
    if problem:
        raise InputError(problem)


def actor_here(typed: str = "") -> Actor:
    """Who acts on the command line: the person whom the file of roles gives for the account, or the typed name.

    Raises `InputError` if somebody else's name was typed.
    """
    found = roles()
    name = " ".join(line_of(typed).split())
    person = None if found is None else found.accounts.get(account())
    if person is None:
        return Actor(name)
    if name and folded(name) != folded(person):
        raise InputError(f"this account belongs to {person}, who cannot act as {brief(name, 80)}; leave the name out")
    return Actor(person, verified=True)


def account() -> str:
    """The name of the account of this process; its number where the system knows no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _listed(entries: Mapping[str, Role], name: str) -> Role | None:
    wanted = folded(name)
    return next((role for listed, role in entries.items() if folded(listed) == wanted), None)
