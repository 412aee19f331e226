"""Two tables of the page: which value a score raises a field to, and what models cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from bridge.web.settings.fields import drop, plain, put

SCORES = ("1", "2", "3", "4", "5")
RAISED = (
    ("priority", "Priority", "the highest of the scores that act"),
    ("impact", "Impact", "the impact score"),
    ("urgency", "Urgency", "the urgency score"),
    ("severity", "Severity", "the urgency score"),
)
DERIVED, NEVER, OWN = "derived", "never", "own"
HOWS = ((DERIVED, "By the PSA’s order"), (NEVER, "Never raised"), (OWN, "As entered"))
PRICES = ("input", "cached", "output")
MOST = 50


@dataclass(frozen=True)
class Raised:
    """What raises one field. `cells` holds a value by score; `offered` what the PSA has, by rising seriousness."""

    key: str
    label: str
    by: str
    how: str
    cells: Mapping[str, str]
    error: str = ""
    offered: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"sentiment.raise.{self.key}"

    @property
    def derived(self) -> Mapping[str, str]:
        """What the PSA's order gives; the same rule as `bridge.policy.raise_target`."""
        if not self.offered:
            return {}
        return {"4": self.offered[-2] if len(self.offered) > 3 else self.offered[-1], "5": self.offered[-1]}


def raised_of(value: object) -> tuple[str, dict[str, str]]:
    """Return how a field is raised, and its values by score, from what the key holds."""
    if not isinstance(value, Mapping):
        return DERIVED, {}
    cells = {str(score): str(word) for score, word in value.items() if word is not None}
    return (OWN if cells else NEVER), cells


def read_raised(key: str, now: object, form: MultiDict[str, str]) -> tuple[str, dict[str, str]]:
    """Return what is entered for a field; `now` is what holds.

    Values that are typed while the way is left as it was mean "as entered"; a way that is chosen is meant.
    """
    path = f"sentiment.raise.{key}"
    entered = {score: plain(form.get(f"{path}.{score}", "")).strip() for score in SCORES}
    cells = {score: word for score, word in entered.items() if word}
    before = raised_of(now)[0]
    how = form.get(f"{path}.how", before)
    return (OWN if cells and how == before else how), cells


def set_raised(document: dict[str, Any], key: str, now: object, under: object, form: MultiDict[str, str]) -> str:
    """Put what the form says of one field into a document; return what is wrong with it.

    `now` is what holds, `under` what the file says.
    """
    how, cells = read_raised(key, now, form)
    path = ("sentiment", "raise", key)
    before_how, before = raised_of(under)
    if how == OWN and not cells:
        return "Enter a value for at least one score, or choose another way."
    wanted = cells if how == OWN else {}
    drop(document, path)
    if (how, wanted) == (before_how, before if how == OWN else {}):
        return ""
    if how == DERIVED:
        put(document, path, None)
    else:
        # Mappings are laid over each other score by score; null takes away what the file says.
        gone = {score: None for score in before if score not in wanted}
        put(document, path, {score: word for score, word in wanted.items() if before.get(score) != word} | gone)
    return ""


def said_raised(value: object) -> str:
    """Return what a key holds, in words."""
    how, cells = raised_of(value)
    if how == OWN:
        return ", ".join(f"{score}: {cells[score]}" for score in sorted(cells))
    return "the PSA’s order" if how == DERIVED else "never raised"


def read_prices(form: MultiDict[str, str]) -> list[tuple[str, str, str, str]]:
    """Return the rows (model, input, cached, output) in which something is entered."""
    columns = [form.getlist(f"price.{name}") for name in ("model", *PRICES)]
    rows = [tuple(plain(text).strip() for text in row) for row in zip(*columns, strict=False)]
    return [(row[0], row[1], row[2], row[3]) for row in rows if any(row)][:MOST]


def price_rows(prices: object) -> list[tuple[str, str, str, str]]:
    """Return the rows of what a key holds."""
    found = []
    for model, price in prices.items() if isinstance(prices, Mapping) else ():
        if isinstance(price, Mapping):
            numbers = ["" if price.get(name) is None else f"{price[name]:g}" for name in PRICES]
            found.append((str(model), numbers[0], numbers[1], numbers[2]))
    return found


def set_prices(document: dict[str, Any], under: object, form: MultiDict[str, str]) -> str:
    """Put the prices of a form into a document; return what is wrong with them."""
    before = dict(under) if isinstance(under, Mapping) else {}
    wanted: dict[str, Any] = {}
    for model, *numbers in read_prices(form):
        if not model:
            return "Name the model of every price."
        if model in wanted:
            return f"{model} stands here twice."
        try:
            price = {name: float(text) if text else None for name, text in zip(PRICES, numbers, strict=True)}
        except ValueError:
            return f"{model}: prices are numbers, in US dollars per million tokens."
        if price["input"] is None or price["output"] is None:
            return f"{model} needs a price for input and one for output."
        wanted[model] = price
    changed = {model: price for model, price in wanted.items() if not _same(before.get(model), price)}
    changed |= {model: None for model, price in before.items() if price is not None and model not in wanted}
    drop(document, ("ai", "prices"))
    if changed:
        put(document, ("ai", "prices"), changed)
    return ""


def _same(before: object, price: Mapping[str, float | None]) -> bool:
    return isinstance(before, Mapping) and all(before.get(name) == price[name] for name in PRICES)
