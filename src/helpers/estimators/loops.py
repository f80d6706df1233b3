"""What many mixed models ask of small matrices, as compiled loops; `batched_mixed` calls them.

Numba compiles each loop once and keeps it in the folder that build/environment.py names. Nothing is reordered or
contracted: every processor gives the same bits.

>>> inverses(4 * np.eye(2)[None], np.ones((1, 1, 2), bool), np.ones((1, 1))).tolist()
[[[[0.25, 0.0], [0.0, 0.25]]]]
"""

import numpy as np
from numba import boolean, float64, int64, njit, void
from numpy.typing import NDArray


@njit(float64[:, :, :, ::1](float64[:, :, ::1], boolean[:, :, ::1], float64[:, ::1]), cache=True)
def inverses(sigma: NDArray, seen: NDArray, n: NDArray) -> NDArray:
    """Inverse of the covariance over the visits of each pattern, 0 at others: (trials, patterns, visits, visits).

    sigma (trials, visits, visits); seen (trials, patterns, visits); n (trials, patterns): children, 0 = no such
    pattern. By Cholesky's factor, which is inverted; NaN where a covariance is not positive definite.
    """
    trials, patterns, visits = seen.shape
    out = np.zeros((trials, patterns, visits, visits))
    at = np.empty(visits, np.int64)
    factor = np.empty((visits, visits))
    for trial in range(trials):
        for pattern in range(patterns):
            if n[trial, pattern] == 0:
                continue
            size = 0
            for visit in range(visits):
                if seen[trial, pattern, visit]:
                    at[size] = visit
                    size += 1
            whole = True
            for j in range(size):
                for i in range(j, size):
                    rest = sigma[trial, at[i], at[j]]
                    for k in range(j):
                        rest -= factor[i, k] * factor[j, k]
                    if i == j:
                        whole &= rest > 0
                        factor[j, j] = np.sqrt(rest) if rest > 0 else np.nan
                    else:
                        factor[i, j] = rest / factor[j, j]
            # the factor's own inverse, in its place
            for j in range(size):
                factor[j, j] = 1 / factor[j, j]
                for i in range(j + 1, size):
                    rest = 0.0
                    for k in range(j, i):
                        rest -= factor[i, k] * factor[k, j]
                    factor[i, j] = rest / factor[i, i]
            for j in range(size):
                for i in range(j, size):
                    total = 0.0
                    for k in range(i, size):
                        total += factor[k, i] * factor[k, j]
                    out[trial, pattern, at[i], at[j]] = out[trial, pattern, at[j], at[i]] = total
    return out


@njit(float64[:, :, ::1](float64[:, :, ::1], int64[::1], int64[::1]), cache=True)
def paired(outer: NDArray, rows: NDArray, columns: NDArray) -> NDArray:
    """tr(A dS_j O dS_k) summed over patterns, symmetric: (trials, parameters, parameters).

    outer (trials, visits^2, visits^2): sum of vec(A) vec(O)'; rows, columns (parameters,): the place in the upper
    triangle of the covariance that each parameter is.
    """
    trials, count, visits = len(outer), len(rows), int(np.sqrt(outer.shape[1]))
    out = np.empty((trials, count, count))
    for trial in range(trials):
        form = outer[trial]
        for j in range(count):
            a, b = rows[j], columns[j]
            for k in range(j + 1):
                c, d = rows[k], columns[k]
                total = form[d * visits + a, b * visits + c] + form[b * visits + c, d * visits + a]
                if c != d:
                    total += form[c * visits + a, b * visits + d] + form[b * visits + d, c * visits + a]
                if a != b:
                    total += form[d * visits + b, a * visits + c] + form[a * visits + c, d * visits + b]
                if a != b and c != d:
                    total += form[c * visits + b, a * visits + d] + form[a * visits + d, c * visits + b]
                out[trial, j, k] = out[trial, k, j] = total / 2
    return out


@njit(void(float64[:, ::1], int64[::1], int64[::1], float64[:, ::1]), cache=True)
def spread(product: NDArray, rows: NDArray, columns: NDArray, out: NDArray) -> None:
    """What each element of the covariance moves of the coefficients' information, (parameters, pairs of coefficients).

    product (visits * coefficients, visits * coefficients), symmetric: sum over children; rows, columns as in `paired`.
    Pairs are the upper triangle, those off the diagonal times the root of 2, so that rows of `out` multiply as the
    whole matrices do.
    """
    size = int((np.sqrt(8.0 * out.shape[1] + 1.0) - 1.0) / 2.0 + 0.5)
    for j in range(len(rows)):
        s, t, place = rows[j] * size, columns[j] * size, 0
        half = 0.5 if s == t else 1.0
        for a in range(size):
            out[j, place] = half * 2 * product[s + a, t + a]
            for b in range(1, size - a):
                both = product[s + a, t + a + b] + product[t + a, s + a + b]
                out[j, place + b] = half * 1.4142135623730951 * both
            place += size - a
