"""Decisions and plans survive the way through JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Capability, Category, Change, Choice, Decision, Field, LeftAlone, Plan, Usage
from bridge.records import dump_decision, dump_plan, load_decision, load_plan
from bridge.triage import Acted, Decided, Problem

text = st.text(max_size=20)
choice = st.builds(Choice, id=text, name=text)
category = st.one_of(
    st.builds(Category, type=choice),
    st.builds(Category, type=choice, subtype=choice),
    st.builds(Category, type=choice, subtype=choice, item=choice),
)
value = st.one_of(choice, category)
capability = st.sampled_from(Capability)
change = st.builds(
    Change, field=st.sampled_from(Field), before=st.none() | value, after=value, why=text, capability=capability
)
left = st.builds(LeftAlone, field=st.sampled_from(Field), why=text, capability=capability)
changes = st.lists(change, max_size=3).map(tuple)
plan = st.builds(
    Plan, apply=changes, suggest=changes, shadow=changes, left_alone=st.lists(left, max_size=3).map(tuple)
)
count = st.integers(0, 10**9)
usage = st.builds(Usage, count, count, count, count, st.none() | st.floats(0, 1e6))
decision = st.builds(
    Decision,
    capability=capability,
    category=st.none() | category,
    values=st.dictionaries(st.sampled_from(Field), choice, max_size=2),
    scores=st.dictionaries(text, st.integers(1, 5), max_size=3),
    confidence=st.integers(0, 100),
    reason=text,
    provider=text,
    model=text,
    fingerprint=text,
    usage=usage,
    remarks=st.lists(text, max_size=2).map(tuple),
)
problem = st.builds(
    Problem,
    where=text,
    hint=text,
    capability=st.none() | capability,
    temporary=st.booleans(),
    paused=st.booleans(),
    retry_after=st.none() | st.floats(0, 1e5),
    status=st.none() | st.integers(100, 599),
    kind=text,
)
decided = st.builds(
    Decided,
    number=text,
    url=text,
    skip=text,
    seen=st.dictionaries(st.sampled_from(Field), st.none() | value, max_size=3),
    decisions=st.lists(decision, max_size=2).map(tuple),
    problems=st.lists(problem, max_size=2).map(tuple),
    not_run=st.dictionaries(capability, text, max_size=2),
    warnings=st.lists(text, max_size=2).map(tuple),
)


@given(plan)
def test_a_plan_comes_back_as_it_was(planned: Plan) -> None:
    assert load_plan(json.loads(json.dumps(dump_plan(planned)))) == planned


@given(decision)
def test_a_decision_comes_back_as_it_was(made: Decision) -> None:
    assert load_decision(json.loads(json.dumps(dump_decision(made)))) == made


@given(decided)
def test_what_was_decided_comes_back_as_it_was(known: Decided) -> None:
    assert Decided.load(json.loads(json.dumps(known.dump()))) == known


@given(plan, st.lists(left, max_size=3).map(tuple), st.none() | problem)
def test_refusals_stay_apart_from_what_was_left_alone(
    planned: Plan, refused: tuple[LeftAlone, ...], trouble: Problem | None
) -> None:
    acted = Acted(plan=planned, refused=refused, problem=trouble)
    assert Acted.load(json.loads(json.dumps(acted.dump()))) == acted
