"""Patches of block style, continued: where a line goes among comments, texts and lists.

The examples are written as differences: a line with `+` is new, one with `-` goes, all others stay as they are.
"""

from __future__ import annotations

import pytest
from config_patches import before_and_after, patched

BLOCK_IN_BLOCK = {
    "emoji before and beside": """
          "😀": 😀
          train: # 😀
            total_iter: 5 # 😀
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 😀
        """,
    "last value is a literal text": """
          train:
            note: |
              one
                two
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1
        """,
    "last value is a folded text, blank lines below": """
          train:
            note: >-
              one
              two

        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1
        """,
    "last value is a text that keeps its blank lines": """
          train:
            note: |+
              one


        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1
        """,
    "last value is plain text of two lines": """
          train:
            note: one
              two # note
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "last value is a list at the column of its key": """
          train:
            losses:
            - type: l1
              weight: 1.0
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1
        """,
    "last item of a list is empty": """
          train:
            losses:
              - a
              - # nothing
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1
        """,
    "last value is a flow list of several lines": """
          train:
            list: [1, # one
              2, ] # two
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1
        """,
    "merge keys beside": """
          base: &base
            total_iter: 5
          train:
            <<: *base
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "merge keys inside": """
          base: &base {rate: 0.1}
          train:
            sched:
              <<: *base
              early: {until: 0.1}
        +     rate: 0.5
        """,
    "an alias and an unused anchor beside": """
          x: &x 1
          train: &train
            total_iter: *x
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "a key with ? beside": """
          train:
            a: 1
            ? b
            : c
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "tabs in comments, spaces at line ends": """
          train:   \n            # a\ttab   \n            total_iter: 5   \n        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1  \n        """,
    "commented out, below the last value": """
          train:
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
            # sched:
            #   rate: 1.0
            #   early: {until: 0.2}
          name: x
        """,
    "commented out, indented as it would stand": """
          train:
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
            # sched:
              # rate: 1.0
              # early:
                # until: 0.2

          name: x
        """,
    "commented out, between two keys": """
          train:
            # sched:
            #   rate: 1.0
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "commented out, at the margin, at the end": """
          train:
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          #  sched:
          #    rate: 1.0
        """,
    "commented out, its keys below the key": """
          train:
            sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
              # rate: 1.0
            total_iter: 5
        """,
    "commented-out items stay with their list": """
          train:
            losses:
              - type: l1
                # weight: 1.0
              # - type: gan

              # - type: perceptual
                # weight: 0.1
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
            # below

              # far below
          z: 1
        """,
    "flow list with comments below it": """
          train:
            losses: [
              a,
            ]
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
            # - below
        """,
    "two copies merged, one beside": """
          a: &a {x: 1}
          b: &b {y: 1}
          train:
            <<: [*a, *b]
            x: 2
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          after: {<<: *a}
        """,
    "block merged in is written out beside": """
          base: &base
            sched: {rate: 0.1}
          train:
            <<: *base
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "eight spaces throughout": """
          datasets:
                  name: x
          train:
                  total_iter: 5
        +         sched:
        +                 rate: 0.5
        +                 early:
        +                         until: 0.1
        """,
    "one space": """
          train:
           total_iter: 5
        +  sched:
        +   rate: 0.5
        +   early:
        +    until: 0.1
        """,
    "tagged and commented documents": """
          %YAML 1.2
          ---
          train: !!map
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          ...
        """,
}


@pytest.mark.parametrize("difference", BLOCK_IN_BLOCK.values(), ids=BLOCK_IN_BLOCK)
def test_whole_lines(difference):
    before, after = before_and_after(difference)
    assert patched(before) == after
