"""The clinic before selection: far more children than are screened, so that its distributions show."""

import numpy as np
import pandas as pd

from helpers.study import kidney
from helpers.study.codebook import TABLES
from helpers.study.parameters import Parameters
from helpers.trial import simulate

CHILDREN = 20_000


def draw(p: Parameters, n: int = CHILDREN) -> pd.DataFrame:
    """`n` children as the clinic sees them, a row a child; the screened cohort is the first of them.

    Columns: sex (male, female), genotype (as in table `screening`), group (genotype, boys and girls apart
    where it is X-linked), age (years, exact), and as the laboratory reports them, NaN where not measured:
    height (cm), height_share (% of WHO's median for age and sex), creatinine (umol/L), egfr (bedside Schwartz,
    mL/min/1.73m2), upcr (mg/mg), rbc (urine red cells, /uL).

    Examples
    --------
    As notebook 01-screening calls it:

    >>> drawn = draw(study.parameters)
    """
    blocks = []
    for block in range(-(-n // simulate.BLOCK)):
        size = min(simulate.BLOCK, n - block * simulate.BLOCK)
        recorded, child = simulate.clinic(p, size, simulate.Streams(p.seed, 0, block), everything=False)
        blocks.append(_frame(recorded, child))
    return pd.concat(blocks, ignore_index=True)


def _frame(recorded: dict, child: dict) -> pd.DataFrame:
    genotypes = next(c.values for c in TABLES["screening"].columns if c.name == "genotype")
    genotype = np.array(genotypes, object)[child["genotype"]]
    male, age = child["male"], child["age"]
    apart = np.where(male, "X-linked, boys", "X-linked, girls")
    return pd.DataFrame(
        {
            "sex": np.where(male, "male", "female"),
            "genotype": genotype,
            "group": np.where(child["genotype"] == simulate.X_LINKED, apart, genotype),
            "age": age,
            "height": recorded["height"],
            "height_share": 100 * recorded["height"] / kidney.growth("height", age, male, np.zeros(age.size)),
            "creatinine": recorded["creatinine"],
            "egfr": kidney.schwartz(recorded["height"], recorded["creatinine"]),
            "upcr": recorded["upcr"],
            "rbc": recorded["rbc"],
        }
    )
