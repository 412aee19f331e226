"""What a score may do: which field it raises, to which value, and who gets an escalated ticket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.model import Choice, Field, Taxonomy
from bridge.settings.model import Sentiment

RAISED_BY = {
    Field.PRIORITY: ("sentiment", "urgency", "impact"),
    Field.IMPACT: ("impact",),
    Field.URGENCY: ("urgency",),
    Field.SEVERITY: ("urgency",),
}
"""Which scores may raise which field; the highest one above its threshold counts."""

ESCALATED = (Field.OWNER, Field.TEAM, Field.STATUS)


def triggered(settings: Sentiment, scores: Mapping[str, int]) -> dict[str, int]:
    """Return the scores that may act: chosen in `act_on` and strictly above their threshold."""
    return {
        name: score
        for name, score in scores.items()
        if name in settings.act_on and score > settings.thresholds.get(name, 3)
    }


def mood(settings: Sentiment, score: int) -> str:
    """Put a sentiment score into a word: above the threshold negative, at it neutral, below positive."""
    threshold = settings.thresholds.get("sentiment", 3)
    return "negative" if score > threshold else "neutral" if score == threshold else "positive"


def raise_target(
    settings: Sentiment, field_: Field, score: int, choices: Sequence[Choice]
) -> tuple[Choice | None, str]:
    """Find the value a score raises a field to, or the reason why there is none.

    An operator's map names the value for a score or for the nearest lower one; an empty one raises nothing, which
    needs no reason. Without a map: 5 takes the most serious value and each lower score the one below it; of at
    most three values 4 takes the most serious one too.
    """
    mapping = settings.raise_.get(field_)
    if mapping is None:
        if not choices:
            return None, "there is no value this ticket can have"
        place = len(choices) - 1 - (5 - score if len(choices) > 3 else max(0, 4 - score))
        return (choices[place], "") if place >= 0 else (None, f"{score} is too low for any of its values")
    reached = [key for key in mapping if key <= score]
    if not reached:
        return None, f"no value is configured for {score}" if mapping else ""
    word = mapping[max(reached)]
    meant = [choice for choice in choices if choice.answers_to(word)]
    # Where one value's name is another's id, the name counts: it is what people see in the PSA.
    named = [choice for choice in meant if choice.name.strip().casefold() == word.strip().casefold()] or meant
    if len(named) > 1:
        return None, f"'{word}' means {len(named)} different ones; configure the id"
    return (named[0], "") if named else (None, f"'{word}' is no {field_.value} this ticket can have")


def escalation_target(taxonomy: Taxonomy, field_: Field, word: str) -> tuple[Choice | None, str]:
    """Find the one owner, team or status an operator's word means, or the reason why there is none."""
    found = [choice for choice in taxonomy.choices.get(field_, ()) if choice.answers_to(word)]
    exact = [choice for choice in found if choice.id == word.strip()] or found
    if len(exact) > 1:
        return None, f"'{word}' means {len(exact)} different ones; configure an e-mail address or id"
    return (exact[0], "") if exact else (None, f"'{word}' is not known in this PSA or not allowed for this ticket")
