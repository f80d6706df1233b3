"""The compiled loops of many mixed models beside NumPy's algebra on whole matrices."""

import numpy as np

from helpers.estimators import loops

VISITS = 4
ROWS, COLUMNS = np.triu_indices(VISITS)


def definite(rng: np.random.Generator, size: int) -> np.ndarray:
    half = rng.normal(size=(size, size + 2))
    return half @ half.T


def element(k: int) -> np.ndarray:
    """What an element of the covariance moves: one place of the diagonal, or both off it."""
    moved = np.zeros((VISITS, VISITS))
    moved[ROWS[k], COLUMNS[k]] = moved[COLUMNS[k], ROWS[k]] = 1.0
    return moved


def test_each_pattern_has_the_inverse_of_its_own_visits():
    rng = np.random.default_rng(1)
    sigma = np.stack([definite(rng, VISITS), definite(rng, VISITS)])
    seen = np.array([[[True] * 4, [True, False, True, True], [False, False, True, False], [True] * 4]] * 2)
    n = np.array([[9.0, 2.0, 1.0, 0.0]] * 2)
    found = loops.inverses(sigma, seen, n)
    for trial in range(2):
        for pattern in range(3):
            at = np.flatnonzero(seen[trial, pattern])
            wanted = np.zeros((VISITS, VISITS))
            wanted[np.ix_(at, at)] = np.linalg.inv(sigma[trial][np.ix_(at, at)])
            np.testing.assert_allclose(found[trial, pattern], wanted, rtol=1e-12, atol=1e-14)
    assert (found[:, 3] == 0).all(), "a place without children"


def test_a_matrix_that_is_not_positive_definite_has_no_inverse():
    bad = np.diag([1.0, -1.0, 1.0, 1.0])[None]
    found = loops.inverses(bad, np.ones((1, 1, 4), bool), np.ones((1, 1)))
    assert np.isnan(found).any()


def test_pairs_are_traces_with_what_each_element_moves():
    rng = np.random.default_rng(2)
    a, o = definite(rng, VISITS), definite(rng, VISITS)
    found = loops.paired(np.outer(a.ravel(), o.ravel())[None], ROWS, COLUMNS)[0]
    wanted = np.array(
        [[np.trace(a @ element(j) @ o @ element(k)) for k in range(len(ROWS))] for j in range(len(ROWS))]
    )
    np.testing.assert_allclose(found, (wanted + wanted.T) / 2, rtol=1e-12)


def test_what_elements_move_multiplies_as_whole_matrices_do():
    rng = np.random.default_rng(3)
    size = 3
    z = rng.normal(size=(5, VISITS, size))
    flat = z.reshape(5, -1)
    found = np.empty((len(ROWS), size * (size + 1) // 2))
    loops.spread(flat.T @ flat, ROWS, COLUMNS, found)
    whole = [sum(child.T @ element(k) @ child for child in z).ravel() for k in range(len(ROWS))]
    np.testing.assert_allclose(found @ found.T, np.array(whole) @ np.array(whole).T, rtol=1e-12)
