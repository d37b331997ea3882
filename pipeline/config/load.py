"""Reading territory files and other YAML, turning each of their faults into one clear line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.config.base import FORMS
from pipeline.config.config import Config
from pipeline.errors import InputError, fault_of_value
from pipeline.rows.text_records import PRINTABLE_TEXT, decoded, unfit_character
from pipeline.shipped import shipped

_Model = TypeVar("_Model", bound=BaseModel)
_MERGE_TAG = "tag:yaml.org,2002:merge"
# Settings that people write have a hundredth of all this.
_MOST_BYTES = 20_000_000
_MOST_DEPTH = 50
_MOST_VALUES = 100_000
_TABLES = "configs/tables/"


# What the parser says, in part, and how it is told here.
_WORDS = {
    "mapping values are not allowed": "a colon where none may be; a text with a colon needs quotes",
    "could not find expected ':'": "a key without its colon",
    "cannot start any token": "a character that nothing begins with, such as a tab, % or @",
    "undefined alias": "an alias of no anchor",
    "could not determine a constructor": "a tag (!) that is not allowed",
    "unexpected end of stream": "quotes or brackets that do not end",
    "another document": "a second document (---)",
    "duplicate anchor": "an anchor given twice",
}


class _Refused(yaml.MarkedYAMLError):
    """YAML that is valid and refused all the same; its words are ours."""


class _BoundedLoader(yaml.SafeLoader):
    """YAML loader that refuses a key given twice (the second would silently win) and endless contents.

    Aliases that name each other make gigabytes of a few lines: what they stand for is counted before it is
    built.
    """

    _depth = 0
    _nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node, not nested too deeply."""
        self._depth += 1
        self._nodes += 1
        try:
            if self._depth > _MOST_DEPTH or self._nodes > _MOST_VALUES:
                many = f"nested deeper than {_MOST_DEPTH}, or more than {_MOST_VALUES} values"
                raise _Refused(None, None, many, self.peek_event().start_mark)
            found: yaml.Node | None = super().compose_node(parent, index)
        finally:
            self._depth -= 1
        return found

    def construct_document(self, node: yaml.Node) -> object:
        """The content of the document, if it is not too much."""
        _written_out(node, {})
        return super().construct_document(node)


def _written_out(node: yaml.Node, known: dict[int, int]) -> int:
    """Number of values of a node with all aliases written out; ``known`` by identity, 0 while counting."""
    if known.get(id(node)) == 0:
        raise _Refused(None, None, "an anchor contains itself", node.start_mark)
    if id(node) not in known:
        known[id(node)] = 0
        parts = chain.from_iterable(node.value) if isinstance(node, yaml.MappingNode) else node.value
        values = 1 if isinstance(node, yaml.ScalarNode) else 1 + sum(_written_out(p, known) for p in parts)
        if values > _MOST_VALUES:
            raise _Refused(
                None, None, f"more than {_MOST_VALUES} values with all aliases written out", node.start_mark
            )
        known[id(node)] = values
    return known[id(node)]


def _mapping_without_duplicates(loader: _BoundedLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        if key_node.tag == _MERGE_TAG:  # `<<: *anchor` brings in keys that the mapping's own ones override
            continue
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise _Refused(None, None, f"key {key!r} is given twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_BoundedLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_duplicates)


def read_config(path: Path, context: Mapping[str, object]) -> Config:
    """Read and check one territory file; InputError names the key, the value and what is allowed.

    ``context``: what sections must know of the rooms above, such as the names of the services.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError("is not a mapping of settings", file=path)
    _check_texts(path, content)
    content.setdefault("name", path.stem)
    _name_shipped(content)
    _fill_in_profiles(path, content)
    try:
        return Config.model_validate(content, context=dict(context)).from_file(path)
    except ValidationError as error:
        raise _as_input_error(path, error) from None


def _name_shipped(content: object) -> None:
    """Tables that come with the program are found outside a checkout, too, by the path in documents."""
    seen: set[int] = set()
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if not isinstance(value, (dict, list)) or id(value) in seen:
            continue
        seen.add(id(value))
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            if isinstance(item, str) and item.startswith(_TABLES) and not Path(item).exists():
                carried = shipped(item)
                value[key] = str(carried) if carried.is_file() else item
            waiting.append(item)


def _check_texts(path: Path, content: object) -> None:
    """Refuse characters that break documents and terminals, in all texts and names of settings."""
    seen: set[int] = set()
    waiting: list[tuple[str, object]] = [("", content)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, str) and (found := unfit_character(value)):
            raise InputError(
                f"holds the character {found}",
                file=path,
                row=key or "(whole file)",
                value=value,
                allowed=PRINTABLE_TEXT,
            )
        if isinstance(value, bytes):
            allowed = f"text as it reads, {PRINTABLE_TEXT}"
            raise InputError("is binary", file=path, row=key or "(whole file)", value=value, allowed=allowed)
        if isinstance(value, (dict, list)) and id(value) not in seen:  # an alias stands for what was read
            seen.add(id(value))
            waiting += _parts(key, value)


def _parts(key: str, value: dict[Any, Any] | list[Any]) -> Iterator[tuple[str, object]]:
    """The items with their dotted keys, each after its own name, the first one last."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    for name, item in reversed(items):
        yield f"{key}.{name}" if key else str(name), item
        yield key, name


def _fill_in_profiles(path: Path, content: dict[str, Any]) -> None:
    """Give every device that names a profile the profile's values, in place; its own values win."""
    listed = content.get("devices")
    devices = listed if isinstance(listed, list) else []
    if all(_profile_of(device) is None for device in devices):
        return
    file = Path(str(content.get("device_profiles", Config.model_fields["device_profiles"].default)))
    profiles = read_yaml(file)
    if not isinstance(profiles, dict):
        raise InputError("is not a mapping of device profiles", file=file)
    _check_texts(file, profiles)
    known = sorted(str(name) for name in profiles if not str(name).startswith("_"))
    for i, device in enumerate(devices):
        name = _profile_of(device)
        if name is not None and (name not in known or not isinstance(profiles[name], dict)):
            allowed = f"{', '.join(known)} ({file})"
            raise InputError(
                "no such device profile", file=path, row=f"devices.{i}.profile", value=name, allowed=allowed
            )
        if name is not None:
            devices[i] = profiles[name] | device


def _profile_of(device: object) -> str | None:
    name = device.get("profile") if isinstance(device, dict) else None
    return None if name is None else str(name)


def read_yaml(path: Path) -> object:
    """Content of a YAML file; see ``parse_yaml`` for what is refused besides other encodings than UTF-8."""
    return parse_yaml(decoded(path, _MOST_BYTES), path)


def parse_yaml(text: str, path: Path | None = None) -> object:
    """Content of YAML text; InputError for a key given twice, too much of it, and faulty YAML.

    ``path``: the file to name in the error.
    """
    try:
        return yaml.load(text, Loader=_BoundedLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        row = None if mark is None else mark.line + 1
        problem = _told(error)
        if isinstance(error, yaml.reader.ReaderError):
            row = text.count("\n", 0, error.position) + 1
            problem = f"holds the character U+{ord(text[error.position]):04X}"
        raise InputError(f"is not valid YAML: {problem}", file=path, row=row) from None
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        # Faults that the parser does not report as such: 30 February, a list as a key, `!!bool maybe`.
        raise InputError("is not valid YAML: a day, a number or a key that cannot be", file=path) from None


def _told(error: yaml.YAMLError) -> str:
    """What is wrong with YAML: our own words, those for what the parser says, or what is wrong most often."""
    said = str(getattr(error, "problem", None) or "")
    if isinstance(error, _Refused):
        return said
    return next(
        (words for part, words in _WORDS.items() if part in said),
        "indentation, brackets or quotes that do not fit",
    )


def _as_input_error(path: Path, error: ValidationError) -> InputError:
    # A misspelt key comes first: that the key it stands for is missing as well is no news.
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    return _first_of([_of_setting(path, problem) for problem in problems])


def _first_of(faults: list[InputError]) -> InputError:
    """The first fault, which says how many there are and knows them all."""
    first = faults[0]
    if len(faults) == 1:
        return first
    problem = f"{first.problem} (and {len(faults) - 1} more)"
    counted = InputError(
        problem, file=first.file, row=first.row, field=first.field, value=first.value, allowed=first.allowed
    )
    counted.faults = tuple(faults)
    return counted


def _of_setting(path: Path, problem: ErrorDetails) -> InputError:
    key = ".".join(str(part) for part in problem["loc"]) or "(whole file)"
    if problem["type"] == "extra_forbidden":
        return InputError("unknown key", file=path, row=key, allowed=_known_keys(Config, problem["loc"]))
    value = None if problem["type"] == "missing" else problem["input"]
    return InputError(
        fault_of_value(problem),
        file=path,
        row=key,
        value=value if not isinstance(value, (dict, list)) else None,
        allowed=FORMS.get(problem.get("ctx", {}).get("pattern", "")),
    )


# --- other files of settings --------------------------------------------------------------------------------


def read_model(path: Path, model: type[_Model], key_of_list: str | None = None) -> _Model:
    """Content of a YAML file as a checked model; InputError names file, key, value and what is allowed.

    A file that is a list holds the value of ``key_of_list``.
    """
    content = read_yaml(path)
    if isinstance(content, list) and key_of_list is not None:
        content = {key_of_list: content}
    if not isinstance(content, dict):
        known = ", ".join(model.model_fields)
        raise InputError("is not a mapping", file=path, allowed=f"the keys {known}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise _model_error(path, model, error) from None


def _model_error(path: Path, model: type[BaseModel], error: ValidationError) -> InputError:
    return _first_of([_of_model(path, model, problem) for problem in error.errors()])


def _of_model(path: Path, model: type[BaseModel], problem: ErrorDetails) -> InputError:
    place, given = tuple(problem["loc"]), problem["input"]
    unknown = problem["type"] == "extra_forbidden"
    value = None if problem["type"] == "missing" or isinstance(given, (dict, list)) else given
    return InputError(
        fault_of_value(problem),
        file=path,
        row=".".join(map(str, place)) or "(whole file)",
        value=None if isinstance(value, BaseModel) else value,
        allowed=_allowed_at(model, place, unknown=unknown),
    )


def _allowed_at(model: type[BaseModel], place: tuple[int | str, ...], *, unknown: bool) -> str | None:
    """Description of the field at a location; the keys of its section if the field is unknown."""
    section, description = model, None
    for part in place:
        if part not in section.model_fields:
            continue
        field = section.model_fields[str(part)]
        description = field.description or _first_description(field.annotation)
        section = next(iter(_sections(field.annotation)), section)
    return _known_keys(model, place) if unknown else description


def _known_keys(model: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """The keys that the section of a misspelt one takes."""
    section = model
    for part in place[:-1]:
        if part in section.model_fields:
            section = next(iter(_sections(section.model_fields[str(part)].annotation)), section)
    return ", ".join(section.model_fields)


def _sections(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _sections(inner)


def _first_description(annotation: object) -> str | None:
    """The description inside an optional annotation."""
    for inner in (annotation, *get_args(annotation)):
        for extra in getattr(inner, "__metadata__", ()):
            if getattr(extra, "description", None):
                return str(extra.description)
    return None
