"""The cases of vectors.py: shapes in memory order, options, and what the data look like."""

from generator import uniforms

FIRST, LAST = "channels-first", "channels-last"

SHAPES = [
    ([8, 5], FIRST),
    ([33, 3], LAST),
    ([40, 18], FIRST),
    ([4, 3, 10], FIRST),
    ([2, 5, 17], FIRST),
    ([6, 9, 4], LAST),
    ([5, 7, 16], LAST),
    ([4, 3, 5, 4], FIRST),
    ([2, 4, 3, 3], FIRST),
    ([2, 6, 6, 3], LAST),
    ([3, 4, 4, 5], LAST),
    ([2, 3, 2, 3, 4], FIRST),
    ([1, 2, 4, 4, 4], FIRST),
    ([2, 2, 3, 4, 3], LAST),
    ([1, 4, 4, 4, 2], LAST),
]
EPS = [1e-5, 1e-3, 0.0, 0.1, 1e-12]
MOMENTUM = [0.1, None, 0.5, 1.0, 0.01, 0.0]
AFFINE = [(1, 1), (1, 1), (1, 1), (0, 0), (1, 0), (0, 1)]
# Mean and deviation. A mean of about 0 is what rounding leaves of a sum that cancels: such data are `centred` below.
DATA = [(2.0, 1.0), (-3.0, 1.0), (5.0, 2.0), (0.004, 1e-3), (-400.0, 100.0), (-3e-8, 1e-8), (3e4, 1e4)]
STEPS = [1, 2, 2, 3]


def case(shape, layout, dtype, kind="normal", mean=0.0, std=1.0, **options):
    base = {"eps": 1e-5, "momentum": 0.1, "weight": True, "bias": True, "track": True, "steps": 2}
    return {"shape": shape, "layout": layout, "dtype": dtype, "kind": kind, "mean": mean, "std": std, **base, **options}


def ordinary():
    """Every shape with both types, five times, with options drawn at random."""
    draws = iter(uniforms(1, 0, 5000))

    def draw(options):
        return options[int(next(draws) * len(options))]

    for _ in range(5):
        for shape, layout in SHAPES:
            for dtype in ("float32", "float64"):
                weight, bias = draw(AFFINE)
                mean, std = draw(DATA)
                options = {"weight": bool(weight), "bias": bool(bias), "eps": draw(EPS), "momentum": draw(MOMENTUM)}
                yield case(shape, layout, dtype, mean=mean, std=std, steps=draw(STEPS), **options)


def special(dtype):
    """Data and shapes that need care."""
    images = [([4, 3, 4, 4], FIRST), ([4, 4, 4, 3], LAST)]
    for shape, layout in images:
        for kind in ("relu", "constant", "outlier"):
            yield case(shape, layout, dtype, kind, mean=0.5)
        yield case(shape, layout, dtype, mean=3e12, std=1e12)
        yield case(shape, layout, dtype, mean=3e-12, std=1e-12, eps=1e-30)
        yield case(shape, layout, dtype, mean=2.0, track=False)
        # Large means: of a power of two of values on float32's grid, so that the mean is a float64 number.
        for mean in (30.0, 1e3, -1e4, 1e6):
            yield case(shape, layout, dtype, "grid", mean=mean)
    yield case([64, 16], FIRST, dtype, "grid", mean=1e5, momentum=None)
    for shape, layout in SHAPES:
        yield case(shape, layout, dtype, "centred", momentum=1.0, steps=1)
    # 1-D has one value per channel: inference only. So have batches of one.
    yield case([7], LAST, dtype, mean=2.0, steps=0)
    yield case([1, 6], FIRST, dtype, mean=2.0, steps=0)
    yield case([1, 6, 1, 1], FIRST, dtype, steps=0, weight=False, bias=False)
    yield case([1, 3, 3, 6], LAST, dtype, mean=2.0, steps=0)
    # Tiny batches. Of two values with eps = 0, dx is 0 in exact arithmetic: eps of the size of the variance.
    for shape, layout in (([2, 6], FIRST), ([1, 6, 2], FIRST), ([1, 2, 1, 6], LAST)):
        yield case(shape, layout, dtype, mean=2.0, eps=1.0)
    for shape, layout in (([3, 6], FIRST), ([1, 5, 1, 3], FIRST), ([3, 1, 1, 6], LAST), ([1, 4, 1, 1, 8], LAST)):
        yield case(shape, layout, dtype, mean=2.0)
    yield case([2100, 1], LAST, dtype, mean=2.0, steps=1)


def blocks():
    """More than one block of the other walks."""
    for shape, layout in (([1, 2, 45, 46], FIRST), ([150, 16], FIRST), ([150, 3, 7], FIRST), ([5, 30, 18], LAST)):
        yield case(shape, layout, "float32", mean=2.0, steps=1)


def all_cases():
    cases = [*ordinary(), *special("float32"), *special("float64"), *blocks()]
    return [{**fields, "seed": 100 * (i + 1)} for i, fields in enumerate(cases)]
