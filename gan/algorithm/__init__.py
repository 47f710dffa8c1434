"""The algorithm: losses, penalties, augmentation, the step with one tape per player."""
