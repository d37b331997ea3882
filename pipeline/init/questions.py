"""What `init` has to be told: questions with their keys, and answers from options, a file or a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.config.load import read_yaml
from pipeline.errors import InputError, raise_first

_MOST_SHOWN = 12


def _nothing(content: dict[str, object], answer: str) -> None:
    del content, answer


class Question(NamedTuple):
    """One thing that is not guessed.

    ``key`` what an answer names; ``choices`` what may be answered (none: any text); ``several``: words of
    the choices with commas between them, or `all`; ``shown`` cells or files to judge by; ``apply`` enters
    the answer into the content of a mapping; ``about`` and ``column`` say more than the key.
    """

    key: str
    text: str
    choices: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    several: bool = False
    apply: Callable[[dict[str, object], str], None] = _nothing
    about: str = ""
    column: str = ""

    def fault_of(self, answer: str) -> str:
        """What is wrong with an answer; empty if nothing."""
        words = answers_of(answer) if self.several else [answer.strip()]
        if not words or not all(words):
            return "is empty"
        unknown = [word for word in words if self.choices and word not in (*self.choices, *self._all())]
        return "is none of the answers" if unknown else ""

    def _all(self) -> tuple[str, ...]:
        return ("all",) if self.several else ()

    def allowed(self) -> str:
        """What may be answered, in words."""
        listed = ", ".join(self.choices[:_MOST_SHOWN]) if self.choices else "a text"
        more = f" and {len(self.choices) - _MOST_SHOWN} more" if len(self.choices) > _MOST_SHOWN else ""
        return f"{'all, or some of ' if self.several else ''}{listed}{more}"


Asker = Callable[[Question], str]
"""How a question is put to somebody."""


def answers_of(text: str) -> list[str]:
    """The words of an answer with commas between them."""
    return [word.strip() for word in text.split(",")]


def stated_answers(file: Path | None, options: Sequence[str]) -> dict[str, str]:
    """Answers by key, of a YAML file and of options KEY=VALUE, which win."""
    answers: dict[str, str] = {}
    if file is not None:
        content = read_yaml(file)
        if not isinstance(content, dict):
            raise InputError("is not a mapping", file=file, allowed="a key and its answer in each line")
        for key, value in content.items():
            words = value if isinstance(value, list) else [value]
            answers[str(key)] = ", ".join(map(str, words))
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise InputError("is no answer", field="--answer", value=option, allowed="KEY=VALUE")
        answers[key.strip()] = value.strip()
    return answers


def answered(
    questions: Iterable[Question], stated: Mapping[str, str], ask: Asker | None, *, later: Sequence[str] = ()
) -> dict[str, str]:
    """An answer to every question; those without one are asked, or (``ask`` None) refused all together.

    InputError for answers that are none of the choices, and for keys that no question has, now or ``later``.
    """
    asked = [*questions]
    keys = [*(question.key for question in asked), *later]
    faults = [
        InputError("no such question", field="--answer", value=key, allowed=", ".join(keys))
        for key in stated
        if key not in keys
    ]
    answers: dict[str, str] = {}
    for question in asked:
        answer = stated.get(question.key)
        if answer is None and ask is None:
            faults.append(_unanswered(question))
        elif answer is not None and (fault := question.fault_of(answer)):
            faults.append(
                InputError(
                    f"{question.key}: {fault}", field="--answer", value=answer, allowed=question.allowed()
                )
            )
        elif answer is not None:
            answers[question.key] = answer
    raise_first(faults)
    for question in asked:
        if question.key not in answers and ask is not None:
            answers[question.key] = ask(question)
    return answers


def _unanswered(question: Question) -> InputError:
    shown = f" ({'; '.join(question.shown)})" if question.shown else ""
    return InputError(
        f"{question.text}{shown}", field="--answer", value=question.key, allowed=question.allowed()
    )


def ask_at_terminal(question: Question) -> str:
    """The answer of somebody at the terminal, asked until it is one of the choices."""
    print(f"\n{question.key}: {question.text}")
    for line in question.shown:
        print(f"    {line}")
    while True:
        answer = input(f"  [{question.allowed()}] ").strip()
        fault = question.fault_of(answer)
        if not fault:
            return answer
        print(f"  {answer!r} {fault}")
