"""What requests and answers hold: API version 1."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, StringConstraints

MOST_GIVEN = 2**63 - 1
NO_CONTROLS = r"^[^\x00-\x1f\x7f]+$"
WholeNumber = Annotated[StrictInt, Field(ge=-MOST_GIVEN, le=MOST_GIVEN)]
Text = Annotated[StrictStr, StringConstraints(min_length=1, max_length=512, pattern=NO_CONTROLS)]
Id = Annotated[WholeNumber | Text, Field(description="An id as the data has it, a whole number or text.")]
BasedOn = Literal["history", "popular", "nothing"]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Wanted(_Request):
    """One list that is asked for: of a user whom the store knows, or for a history."""

    user: Id | None = None
    """Whose history is read from the store."""
    history: list[Id] | None = None
    """Items, oldest first, in place of a stored history; one that stands twice counts where it came last."""
    k: Annotated[StrictInt, Field(ge=1)] = 10
    """Length of the list."""
    exclude: list[Id] = Field(default_factory=list)
    """Further items that the list must not hold."""
    candidates: list[Id] | None = None
    """The only items that the list may hold."""
    include_seen: bool = False
    """Whether the list may hold items of the history."""
    explain: bool = False
    """Whether each item comes with the history items that speak most for it."""
    effect_of_newest: bool = False
    """Whether each item comes with its rank without the newest event, and the items that left the list are named."""


class WantedBatch(_Request):
    """Several lists."""

    lists: list[Wanted] = Field(min_length=1)


class Reason(BaseModel):
    """A history item that speaks for a recommended one."""

    item: int | str
    title: str | None = None
    effect: float
    """How much further the recommended item stands above the mean score with this item in the history than without."""


class Recommended(BaseModel):
    """An item of a list."""

    item: int | str
    title: str | None = None
    score: float
    because: list[Reason] | None = None
    """With `explain`: what speaks most for it, strongest first."""
    before: int | None = None
    """With `effect_of_newest`: its rank without the newest event; null where that is beyond ten times `k`."""


class Titled(BaseModel):
    """An item."""

    item: int | str
    title: str | None = None


class RecommendedList(BaseModel):
    """A list and what it was made from."""

    model: str
    version: str
    user: int | str | None = None
    based_on: BasedOn
    """`history`; `popular`, where there is none; `nothing`, where there is none and the model does not know what is popular."""
    note: str | None = None
    """A sentence where the list is not what was asked for."""
    history: int
    """Items of the history that the model knows."""
    unknown: list[int | str] = Field(default_factory=list)
    """Ids that the model does not know; they were left out."""
    items: list[Recommended]
    left: list[Titled] | None = None
    """With `effect_of_newest`: items that the newest event moved out of the list."""


class RecommendedLists(BaseModel):
    """Several lists, in the order asked."""

    lists: list[RecommendedList]


class SimilarItem(BaseModel):
    """An item and how near it is."""

    item: int | str
    title: str | None = None
    cosine: float


class Similar(BaseModel):
    """The items most like one."""

    model: str
    version: str
    item: int | str
    title: str | None = None
    items: list[SimilarItem]


class ItemSearch(BaseModel):
    """Items that a search found."""

    model: str
    items: list[Titled]


class StoredEvent(BaseModel):
    """An event of a user."""

    item: int | str
    title: str | None = None
    time: float
    """Seconds since 1970, UTC."""
    known: bool
    """Whether the model knows the item."""


class StoredHistory(BaseModel):
    """A user's events, oldest first."""

    user: int | str
    events: list[StoredEvent]


class Forgotten(BaseModel):
    """The number of events that were deleted."""

    user: int | str
    deleted: int


class GivenEvent(_Request):
    """Something that a user did."""

    user: Id
    item: Id
    time: Annotated[float, Field(ge=0, le=4e11)] | None = None
    """Seconds since 1970, UTC; the server's time unless given, one for all events of the request."""


class GivenEvents(_Request):
    """Events to append, all or none."""

    events: list[GivenEvent] = Field(min_length=1)


class Appended(BaseModel):
    """The outcome of appended events."""

    appended: int
    """Events that this request wrote: 0 where the same request came before."""
    repeated: bool
    """Whether its idempotency key came before."""
    unknown: list[int | str] = Field(default_factory=list)
    """Items that the default model does not know; they are kept for a later one."""


class About(BaseModel):
    """The nature of a model, and its training data."""

    name: str
    version: str
    model: str
    items: int
    default: bool
    titles: bool
    similar: bool
    """Whether it can say which items are similar."""
    explains: bool
    """Whether its lists can be explained."""
    newer_refused: bool
    """Whether its folder has a newer model that is damaged; the service's log says more."""
    settings: dict[str, Any]
    about: dict[str, Any]
    """Data, seed, versions, commit and figures of its training."""


class AboutAll(BaseModel):
    """The models that are served."""

    default: str
    models: list[About]
    split: dict[str, float]
    """Share of the users, by a hash of their id, whom a model answers in place of the default."""
    shadow: str | None
    writable: bool
    """Whether events may be appended."""
    limits: dict[str, float]


class State(BaseModel):
    """The state of the service."""

    status: str


class Mistake(BaseModel):
    """A mistake, in one sentence."""

    error: str
