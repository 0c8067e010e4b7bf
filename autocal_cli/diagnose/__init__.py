"""What a trainer wrote -> what happened in the training, and which checkpoint to keep."""
