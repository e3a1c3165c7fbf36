"""Numbers as text for readers: rounded, with units and intervals."""

from __future__ import annotations

from math import floor, log10

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def count(n: int) -> str:
    """An integer with thousands separators.

    >>> count(10000)
    '10,000'
    """
    return f"{n:,}"


def latent_dimensions(d: int) -> str:
    """The size of a code.

    >>> latent_dimensions(1), latent_dimensions(30)
    ('1 latent dimension', '30 latent dimensions')
    """
    return f"{count(d)} latent dimension{'' if d == 1 else 's'}"


def z_name(i: int) -> str:
    """The name of a latent dimension, counted from 1.

    >>> z_name(1), z_name(12)
    ('z₁', 'z₁₂')
    """
    return f"z{i}".translate(SUBSCRIPTS)


def short(value: float) -> str:
    """Three significant digits, or all digits before the decimal point.

    >>> short(31.074), short(17), short(0.0398), short(483.56), short(-1234.5), short(0)
    ('31.1', '17.0', '0.0398', '484', '−1,234', '0')
    """
    text = f"{value:,.0f}" if value == 0 or abs(value) >= 999.5 else f"{value:#.3g}".rstrip(".")
    return text.replace("-", "−")


def measure(
    value: float,
    unit: str = "",
    interval: tuple[float, float] | None = None,
    *,
    share: bool = False,
) -> str:
    """A value with its interval, rounded to the leading digit of half its width.

    share: show a fraction as a percentage.

    >>> measure(31.074, "nats", (30.81, 31.36)), measure(0.97126, "", (0.968, 0.9744), share=True)
    ('31.1 nats (30.8 to 31.4)', '97.1% (96.8 to 97.4)')
    >>> measure(-7654.3), measure(7), measure(0.0312, share=True), measure(0.5, "", (0.5, 0.5))
    ('−7,654', '7', '3.12%', '0.500')
    """
    scale, after = (100, "%") if share else (1, f" {unit}" if unit else "")
    if isinstance(value, int) and not share:
        return count(value).replace("-", "−") + after
    if interval is None or not interval[1] > interval[0]:
        return short(scale * value) + after
    low, high = (scale * end for end in interval)
    decimals = min(8, max(0, -floor(log10((high - low) / 2))))
    first, *ends = (
        f"{number:,.{decimals}f}".replace("-", "−") for number in (scale * value, low, high)
    )
    return f"{first}{after} ({' to '.join(ends)})"


def duration(seconds: float) -> str:
    """A time in its two largest units.

    >>> duration(31.1), duration(150), duration(7260)
    ('31 s', '2 min 30 s', '2 h 1 min')
    """
    total = round(seconds)
    if total < 60:
        return f"{total} s" if total >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(total, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
