"""Text of a training config -> TrainingConfig and positions; edits -> text."""
