"""How a ticket sounds, by cue words: sentiment, urgency, impact from 1 to 5, and a polite reply."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.simulator.ai.words import plain

FURIOUS = (
    r"unacceptable|furious|lawyer|legal action|solicitor|disgrace|outrageous|ridiculous|\bthe worst\b|"
    r"cancel (our|the|my)|"
    r"(leave|switch|terminate|end) .{0,20}(contract|provider)|fed up|sick of|incompetent|inakzeptabel|"
    r"unverschamt|frechheit|anwalt|inaceptable|indignante|abogado|inadmissible|scandaleux|avocat"
)
ANNOYED = (
    r"frustrat|annoy|disappoint|still not|still waiting|third time|again and again|"
    r"every (single )?(day|time|week)|"
    r"no(body| one) (has )?(answer|respond|call|repl)|unhappy|angry|verargert|wutend|enttauscht|"
    r"immer noch (nicht|kein)|zum (dritten|vierten) mal|enfadad|frustrad|hart[ao] de|tercera vez|sigue sin|"
    r"\bdecu|en colere|toujours pas|troisieme fois|ras le bol"
)
SARCASTIC = (
    r"oh,? (great|wonderful|joy|fantastic)|thanks for nothing|(great|nice|fantastic|brilliant|"
    r"excellent) (job|work)"
    r".{0,40}(again|still|broken|down)|love (it )?(how|that|when)|what a surprise|as (usual|"
    r"always),? (nothing|it)|"
    r"slow clap|wonderful,? (again|another)|just (great|perfect|wonderful)|take your time, it is not as if"
)
FRIENDLY = (
    r"\bthank|thanks|appreciate|no rush|no hurry|grateful|have a (nice|great|good)|kind regards|vielen dank|danke|"
    r"gracias|merci"
)
NOW = (
    r"\basap\b|urgent|immediately|right now|emergency|critical|as soon as possible|within the hour|"
    r"dringend|sofort|"
    r"urgente|inmediat|tout de suite|deadline|outage|ransomware"
)
SOON = (
    r"today|this (morning|afternoon)|before (noon|the meeting|lunch)|in an hour|tomorrow|heute|(?<!guten )morgen|"
    r"hoy|aujourd|meeting at|quickly"
)
LATER = (
    r"no rush|no hurry|whenever|when you (have|get) (time|a moment|a chance)|low priority|next month|"
    r"(keine|nicht) eile|eilt nicht|sin prisa|pas urgent|rien ne presse"
)
EVERYONE = (
    r"every(one|body)\b|all (users|staff|sites|of us)|whole (office|company|site)|entire (office|company)|"
    r"nobody (in .{0,20})?can|no one can|company[\s-]wide|outage|ransomware|data loss|"
    r"servers? (is|are) down|alle (mitarbeiter|benutzer|kollegen)|niemand kann|todos|nadie puede|tous les|"
    r"personne ne peut"
)
SEVERAL = (
    r"\b(our|the|whole) (team|department|floor)\b|several (people|users|colleagues)|\d+ (users|people)|"
    r"colleagues|all (computers|pcs)|unsere abteilung|notre equipe|nuestro equipo"
)
STOPPED = (
    r"(can ?not|can'?t|unable to|could(n'?t| not)) (work|log|sign|access|open|connect|start|do)|"
    r"stopped|(will not|won'?t) (start|turn|boot)|stays black|locked out|\bdead\b|"
    r"kann (ich )?(mich )?nicht|no puedo|ne peux (pas|plus)"
)
WISH = r"how (do|can) (i|we)|question|would like|wondering|could you tell|is it possible|wish|request|replace my"

MOODS = ("friendly", "calm", "tense", "frustrated", "angry")
PRESSURE = ("there is no hurry", "nothing presses", "it is wanted soon", "it presses", "it cannot wait")
REACH = (
    "it is a question or a wish",
    "one person is hindered",
    "one person is stopped",
    "several people are hindered",
    "the whole company is hindered",
)

_REPLIES = (
    (
        r"\b(guten|hallo|ich|nicht|bitte)\b",
        "Guten Tag,\n\nvielen Dank für Ihre Nachricht. Wir sehen uns das an. Bitte teilen Sie uns noch mit, seit "
        "wann es auftritt und ob eine Fehlermeldung erscheint.\n\nFreundliche Grüße",
    ),
    (
        r"\b(hola|gracias|por favor|puedo)\b",
        "Hola:\n\nGracias por su mensaje. Lo estamos revisando. Díganos, por favor, desde cuándo ocurre y si "
        "aparece algún mensaje de error.\n\nUn saludo",
    ),
    (
        r"\b(bonjour|merci|je|nous)\b",
        "Bonjour,\n\nMerci pour votre message. Nous regardons cela. Pouvez-vous nous dire depuis quand cela se "
        "produit et si un message d'erreur s'affiche ?\n\nCordialement",
    ),
)
_ENGLISH = (
    "Hello,\n\nThank you for letting us know. We are looking into this{about}. To help us, please tell us when "
    "it started and whether you see an error message.\n\nKind regards"
)


@dataclass(frozen=True)
class Scores:
    values: Mapping[str, int]
    confidence: int
    reason: str


def scores(title: str, body: str) -> Scores:
    """Score a ticket from 1 to 5 on three scales, by cue words only."""
    text = f"{title}\n{body}"
    flat = plain(text)
    furious, annoyed = _count(FURIOUS, flat), _count(ANNOYED, flat)
    loud = len(re.findall(r"\b[A-Z]{4,}\b", text)) >= 3 or "!!" in text
    sentiment = 2
    if furious:
        sentiment = 5
    elif annoyed or _count(SARCASTIC, flat):
        sentiment = 5 if annoyed > 2 or (annoyed and loud) else 4
    elif loud:
        sentiment = 3
    elif _count(FRIENDLY, flat):
        sentiment = 1
    later = bool(_count(LATER, flat))
    urgency = 1 if later else 5 if _count(NOW, flat) > 1 else 4 if _count(NOW, flat) else 2
    if urgency == 2 and _count(SOON, flat):
        urgency = 3
    impact = 2
    if _count(EVERYONE, flat):
        impact = 5
    elif _count(SEVERAL, flat):
        impact = 4
    elif _count(STOPPED, flat):
        impact = 3
    elif _count(WISH, flat):
        impact = 1
    if impact == 5 and not later:
        urgency = max(urgency, 4)
    found = _count(f"{FURIOUS}|{ANNOYED}|{SARCASTIC}|{NOW}|{EVERYONE}|{FRIENDLY}|{STOPPED}", flat)
    return Scores(
        {"sentiment": sentiment, "urgency": urgency, "impact": impact},
        min(95, 55 + 10 * found),
        f"The wording is {MOODS[sentiment - 1]}; {PRESSURE[urgency - 1]}; {REACH[impact - 1]}.",
    )


def reply(title: str, body: str, about: str) -> str:
    """Write a short, polite draft in the ticket's language."""
    flat = plain(f"{title}\n{body}")
    for cue, text in _REPLIES:
        if len(re.findall(cue, flat)) > 1:
            return text
    return _ENGLISH.format(about=f" ({about.replace(chr(34), '')})" if about else "")


def _count(pattern: str, text: str) -> int:
    return sum(1 for _ in re.finditer(pattern, text))
