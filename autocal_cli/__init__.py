"""autocal sets the loss schedule of a super-resolution training, explains it, and carries it out."""
