"""What an alert must be after any acts of any officers, told again in plain Python: the state machine compares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from consular.domain.alerts import AlertAction, AlertState

DONE, ISSUED_BEFORE, STALE, CONFLICT, NOT_ALLOWED, NO_NOTE, NOTHING = (
    "done",
    "already_issued",
    "edited_meanwhile",
    "conflict",
    "not_allowed",
    "invalid_input",
    "nothing",
)

_DECIDED_BY_ANOTHER = {
    AlertAction.RETURN: AlertState.RETURNED,
    AlertAction.REJECT: AlertState.REJECTED,
    AlertAction.APPROVE: AlertState.ISSUED,
}
_WRITABLE = (AlertState.DRAFTING, AlertState.RETURNED)


@dataclass(frozen=True)
class Page:
    """What an approver has on the screen: these words, for this number of people."""

    words: int
    people: int


@dataclass(frozen=True)
class Act:
    """One officer's click. version: of the form that is saved. page: of the release that is confirmed."""

    action: AlertAction
    officer: UUID
    words: int = 0
    version: int = 0
    page: Page = Page(0, 0)
    note: str = "Why."


@dataclass(frozen=True)
class Model:
    """An alert. version: how often it was changed. acts: what was done, by whom, with what was submitted."""

    state: AlertState
    author: UUID
    editor: UUID
    words: int
    version: int = 0
    submitted: Page | None = None
    issued: Page | None = None
    approver: UUID | None = None
    is_stopped: bool = False
    acts: tuple[tuple[AlertAction, UUID, Page | None], ...] = ()

    def done(self, act: Act, state: AlertState, **changes: object) -> Model:
        """The same alert after an act that was not refused."""
        after = replace(self, state=state, **changes)  # type: ignore[arg-type]
        return replace(after, acts=(*self.acts, (act.action, act.officer, after.submitted)))


def written(officer: UUID, words: int) -> Model:
    """A new alert."""
    first = (AlertAction.EDIT, officer, None)
    return Model(AlertState.DRAFTING, officer, officer, words, acts=(first,))


def after(model: Model, act: Act, people: int) -> tuple[Model, str]:
    """The alert after an act and what the officer is told. people: whom the alert selects now."""
    if act.action is AlertAction.EDIT:
        return _edit(model, act)
    if act.action is AlertAction.STOP:
        return _stop(model, act)
    if act.action in _DECIDED_BY_ANOTHER:
        return _decide(model, act, people)
    if act.action is AlertAction.SUBMIT and model.state in _WRITABLE and people:
        return _moved(model, act, AlertState.AWAITING_APPROVAL, submitted=Page(model.words, people))
    if act.action is AlertAction.WITHDRAW and model.state is AlertState.AWAITING_APPROVAL:
        return _moved(model, act, AlertState.DRAFTING)
    if act.action is AlertAction.CANCEL and model.state in (*_WRITABLE, AlertState.ISSUED):
        return _moved(model, act, AlertState.CANCELLED, is_stopped=model.issued is not None)
    return model, CONFLICT


def _moved(model: Model, act: Act, state: AlertState, **changes: object) -> tuple[Model, str]:
    return model.done(act, state, version=model.version + 1, **changes), DONE


def _edit(model: Model, act: Act) -> tuple[Model, str]:
    if act.version != model.version:
        return model, STALE
    if model.state not in _WRITABLE:
        return model, CONFLICT
    return _moved(model, act, AlertState.DRAFTING, editor=act.officer, words=act.words, submitted=None)


def _stop(model: Model, act: Act) -> tuple[Model, str]:
    if model.is_stopped:
        return model, NOTHING
    return model.done(act, model.state, is_stopped=True), DONE


def _decide(model: Model, act: Act, people: int) -> tuple[Model, str]:
    is_release = act.action is AlertAction.APPROVE
    if is_release and model.state is AlertState.ISSUED:
        return model, ISSUED_BEFORE
    if not is_release and not act.note.strip():
        return model, NO_NOTE
    if model.state is not AlertState.AWAITING_APPROVAL:
        return model, CONFLICT
    if act.officer in (model.author, model.editor):
        return model, NOT_ALLOWED
    if not is_release:
        return _moved(model, act, _DECIDED_BY_ANOTHER[act.action])
    if act.page != Page(model.words, people):
        return model, CONFLICT
    return _moved(model, act, AlertState.ISSUED, issued=act.page, approver=act.officer)
