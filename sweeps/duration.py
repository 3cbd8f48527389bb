"""Seconds for people."""


def duration(seconds: float) -> str:
    """Write a duration in its two largest units.

    Example:
        >>> duration(7), duration(125), duration(7860), duration(190_000)
        ('7 s', '2 min 5 s', '2 h 11 min', '2 d 4 h')
    """
    whole = round(seconds)
    for size, unit, smaller, smaller_unit in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {smaller_unit}"
    return f"{whole} s"
