"""Patches of block style: whole lines are inserted and replaced (more: test_config_patch_lines.py).

The examples are written as differences: a line with `+` is new, one with `-` goes, all others stay as they are.
"""

from __future__ import annotations

import pytest
from config_patches import before_and_after, patched

BLOCK_IN_BLOCK = {
    "absent, train first": """
          train:
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          name: x
        """,
    "absent, train last": """
          name: x
          train:
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "no train": """
          name: x
        + train:
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "train is omitted": """
          train: # note
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          # below
          name: x
        """,
    "train is null": """
        - train: ~  # note
        + train:  # note
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          name: x
        """,
    "train is null by a tag": """
        - train: !!null 'x'
        + train:
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "block is omitted": """
          train:
            sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
            total_iter: 5
        """,
    "block is null, with a note": """
          train:
        -   sched: ~ # note
        +   sched: # note
        +     rate: 0.5
        +     early:
        +       until: 0.1
            total_iter: 5
        """,
    "null on a line of its own; the note moves": """
          train:
        -   sched: # note
        -     null
        +   sched:
        +     # note
        +     rate: 0.5
        +     early:
        +       until: 0.1
            total_iter: 5
        """,
    "one key differs": """
          train:
            sched:
        -     rate: 0.25  # slow
        +     rate: 0.5  # slow
              early:
                until: 0.1
        """,
    "two keys are missing, at two levels": """
          train:
            sched:
              early:
                rate: 1.0
        +       until: 0.1
        +     rate: 0.5
            total_iter: 5
        """,
    "comments above, beside, between, below, far below": """
          # far above
          train:
            # above
            sched:  # beside
              # above it
        -     rate: 0.1 # beside it
        +     rate: 0.5 # beside it

              # between
              early:
                since: 0 # last
        +       until: 0.1
                # below
              # below
            # below
          # far below
        """,
    "the user's own keys and order stay": """
          train:
            sched:
              mine: [1,  2]
              early: {mine: x, until: 0.1}
        -     rate: null
        +     rate: 0.5
              more: 017
        """,
    "a tagged number is replaced with its tag": """
          train:
            sched:
        -     rate: !!float 1e-1
        +     rate: 0.5
              early: {until: 0.1}
        """,
    "a tag and an unused anchor go with their number": """
          train:
            sched:
        -     rate: !!float &rate 1e-1 # note
        +     rate: 0.5 # note
              early:
        -       until: &until !!float 1 # note
        +       until: 0.1 # note
        """,
    "a value is omitted": """
          train:
            sched:
        -     rate:   # note
        +     rate: 0.5   # note
              early: {until: 0.1}
        """,
    "a list gives way to a number": """
          train:
            sched:
        -     rate:
        -     - 1
        -     # inside
        -     - 2
        +     rate:
        +       # inside
        +       0.5
              early: {until: 0.1}
        """,
    "a block scalar gives way to a number": """
          train:
            sched:
        -     rate: | # head
        -       0.5
        +     rate:
        +       # head
        +       0.5
              early: {until: 0.1}
        """,
    "a mapping that ends with a block scalar gives way to a number": """
          train:
            sched:
        -     rate:
        -       why: |
        -         because
        +     rate: 0.5
              early: {until: 0.1}
        """,
    "a number gives way to a mapping": """
          train:
            sched:
              rate: 0.5
        -     early: 3 # note
        +     early: # note
        +       until: 0.1
        """,
    "a flow list gives way to a mapping, and the comment beside keeps its distance": """
          train:
            sched:
              rate: 0.5
        -     early:
        -       [a]# note
        +     early:
        +       until: 0.1 # note
        """,
    "four spaces": """
          name: x
          train:
              total_iter: 5
        +     sched:
        +         rate: 0.5
        +         early:
        +             until: 0.1
        """,
    "three spaces": """
          train:
             total_iter: 5
        +    sched:
        +       rate: 0.5
        +       early:
        +          until: 0.1
        """,
    "eight spaces, two above": """
          datasets:
            name: x
          train:
                  total_iter: 5
        +         sched:
        +           rate: 0.5
        +           early:
        +             until: 0.1
        """,
    "indented root": """
            train:
              total_iter: 5
        +     sched:
        +       rate: 0.5
        +       early:
        +         until: 0.1
            name: x
        """,
    "between document marks": """
          --- # start
          train:
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          ...
          # after
        """,
    "quoted keys": """
          "train":
            'sched' :
        -     "rate": 'x'
        +     "rate": 0.5
              'early':
                "since": 1
        +       until: 0.1
        """,
}


@pytest.mark.parametrize("difference", BLOCK_IN_BLOCK.values(), ids=BLOCK_IN_BLOCK)
def test_whole_lines(difference):
    before, after = before_and_after(difference)
    assert patched(before) == after
