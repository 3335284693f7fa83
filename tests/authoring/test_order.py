"""Options are shuffled, the same way for everybody."""

from __future__ import annotations

from unblocked._order import shuffled

OPTIONS = ["one", "two", "three", "four"]


def test_the_order_is_that_of_every_machine() -> None:
    assert shuffled("How many?", OPTIONS) == ["two", "one", "four", "three"]


def test_the_order_in_the_source_makes_no_difference() -> None:
    assert shuffled("How many?", reversed(OPTIONS)) == shuffled("How many?", OPTIONS)


def test_questions_with_the_same_options_have_orders_of_their_own() -> None:
    orders = {tuple(shuffled(f"Question {number}?", OPTIONS)) for number in range(20)}
    assert len(orders) > 10


def test_an_option_that_is_reworded_moves_alone() -> None:
    before = shuffled("How many?", OPTIONS)
    after = shuffled("How many?", ["one", "two", "3", "four"])
    assert [o for o in after if o != "3"] == [o for o in before if o != "three"]
