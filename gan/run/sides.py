"""Which sides of images the convolutional networks take, and how often they halve them."""

LEAST_LEFT, MOST_LEFT = 4, 7  # pixels of the shorter side that a network halves down to


def halvings_of(height: int, width: int) -> int | None:
    """Returns how often sides halve until the shorter one has 4 to 7 pixels; None: not evenly."""
    times = (min(height, width) // LEAST_LEFT).bit_length() - 1
    if times < 1 or height % 2**times or width % 2**times:
        return None
    return times


def nearest_sides(side: int) -> list[int]:
    """Returns the largest side below and the smallest one above that halve evenly, of a square."""
    below = next((n for n in range(side - 1, 0, -1) if halvings_of(n, n)), None)
    above = next(n for n in range(side + 1, 4 * side + 9) if halvings_of(n, n))
    return [above] if below is None else [below, above]
