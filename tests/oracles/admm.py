"""The recursion of ADMM on one choice, in plain Python, straight from the formulas.

With A for the mixing weights: the penalty is ``||A - Z + U||``; after every
`period` steps ``Z = P(A + U)`` and ``U = U + A - Z``; at first ``Z = A`` and ``U = 0``. P keeps the
candidate of the largest value times birth scalar.
"""


def admm_states(paths, births, period):
    """Return the penalty before each step, and Z and U after the last one."""
    target, dual, lengths = list(paths[0]), [0.0] * len(births), []
    for step, weights in enumerate(paths, start=1):
        triples = list(zip(weights, target, dual, strict=True))
        lengths.append(sum((a - z + u) ** 2 for a, z, u in triples) ** 0.5)
        if step % period == 0:
            worths = [(a + u) * b for (a, _, u), b in zip(triples, births, strict=True)]
            target = [float(i == worths.index(max(worths))) for i in range(len(worths))]
            dual = [u + a - z for a, u, z in zip(weights, dual, target, strict=True)]
    return lengths, target, dual
