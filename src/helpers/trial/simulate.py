"""Children: the clinic before selection, and what is measured from a child at any visit.

Everything lives on arrays. One random stream per (measure, chunk, block) with children as rows: NumPy's
draws are prefix-stable in rows, so child i is the same child when more are drawn, and a further measure
moves no other. `clinic` draws children as a clinic sees them; the criteria, not the generator, decide who
is enrolled. `upcr_reported` and its sisters are the only places where truth turns into a measured value,
for screening and follow-up alike.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

from helpers.study import kidney
from helpers.study.codebook import LAB_LIMITS
from helpers.study.parameters import Parameters
from helpers.study.protocol import DAYS_PER_YEAR
from helpers.study.tables import code

BLOCK = 16384
"""Children drawn at once: enough to pay for the calls, few enough to stay in the processor's cache."""

X_LINKED, RECESSIVE, DOMINANT, DIGENIC = range(4)
PRECISION = {
    "upcr": 2,
    "protein_24h": 1,
    "rbc": 1,
    "rbc_dysmorphic": 1,
    "creatinine": 1,
    "cystatin_c": 2,
    "bun": 1,
    "height": 1,
    "weight": 1,
}
"""Decimals at which the laboratory reports."""

UPCR_AGES = (4.0, 7.0, 10.5)
"""Years of age at which upcr_median_3_5, upcr_median_6_8 and upcr_median_9_12 hold."""

DIPSTICK_CUTS = np.array([15.0, 30.0, 100.0, 300.0, 1000.0])
"""mg/dL from which trace, 1+, 2+, 3+, 4+ are read (DF07a to DF07d; trace from 15)."""


class Streams:
    """Named, independent random streams of one seed: `streams("upcr noise")` is a NumPy Generator.

    key: further integers (chunk of trials, block of children) that separate streams of the same name.
    """

    def __init__(self, seed: int, *key: int) -> None:
        self.seed, self.key = seed, key

    def __call__(self, name: str) -> np.random.Generator:
        spawn_key = (zlib.crc32(name.encode()), *self.key)
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(self.seed, spawn_key=spawn_key)))


def report(name: str, value: NDArray) -> NDArray:
    """A value at the laboratory's reporting precision, and within what its instrument reports."""
    value = np.rint(value * _scale(name)) / _scale(name)
    return value if name in ("height", "weight") else np.clip(value, *LAB_LIMITS[name])


def body(measure: str, age: NDArray, male: NDArray, z: NDArray) -> NDArray:
    """Height (cm) or weight (kg) as a clinic measures it: no scale goes further than the codebook."""
    return np.clip(report(measure, kidney.growth(measure, age, male, z)), *LAB_LIMITS[measure])


def _scale(name: str) -> float:
    return 10.0 ** PRECISION[name]


def clinic(
    p: Parameters, n: int, streams: Streams, everything: bool = True
) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """`n` children as the clinic sees them, before any criterion.

    Returns (recorded, latent): `recorded` has the columns of the table `screening` in the coding of
    `tables.to_arrays` but for `usubjid` and `consent_date`, event dates as days before consent
    (`infection_ago`, ...); `latent` the true values: log_upcr (mg/mg, log), gfr, log_rbc, wander, age, ...
    everything=False leaves out weight, 24-hour protein, cystatin C and BUN, which no criterion reads by default.
    """
    latent = children(p, n, streams)
    recorded = measured(p, n, streams, latent, everything)
    recorded.update(_facts(p, n, streams, latent))
    return recorded, latent


def children(p: Parameters, n: int, streams: Streams) -> dict[str, NDArray]:
    """The true children, (n,) arrays by name: log values in log mg/mg and log /uL, GFR, age, days on RAS inhibition."""
    shares = np.cumsum([p.share_x_linked, p.share_recessive, p.share_dominant])
    genotype = np.searchsorted(shares, streams("genotype").random(n), side="right").astype(np.int8)
    boys = np.where(genotype == X_LINKED, p.male_share_x_linked if p.share_x_linked else 0.5, 0.5)
    male = streams("sex").random(n) < boys
    age = _truncated_normal(p.age_mean, p.age_sd, p.age_min, p.age_max, streams("age").random(n))
    days = np.floor(age * DAYS_PER_YEAR)
    age = days / DAYS_PER_YEAR
    girl_x = (genotype == X_LINKED) & ~male
    severe = (genotype == RECESSIVE) | ((genotype == X_LINKED) & male)

    z = streams("growth").standard_normal((n, 2))
    height_z = z[:, 0] + p.height_shift
    r = p.height_weight_correlation
    weight_z = r * height_z + np.sqrt(1 - r * r) * z[:, 1]

    medians = np.log([p.upcr_median_3_5, p.upcr_median_6_8, p.upcr_median_9_12])
    factor = np.where(
        girl_x,
        p.upcr_ratio_girl,
        np.where(
            genotype == DOMINANT,
            p.upcr_ratio_dominant,
            np.where(genotype == DIGENIC, p.upcr_ratio_digenic, 1.0),
        ),
    )
    untreated = np.interp(age, UPCR_AGES, medians) + np.log(p.upcr_level * factor)
    untreated += p.upcr_log_sd * streams("log UPCR").standard_normal(n)
    untreated = np.minimum(untreated, np.log(p.upcr_max))

    treated = streams("RAS inhibition").random(n) < np.where(
        untreated >= np.log(p.ras_prevalence_from), p.ras_prevalence, p.ras_prevalence_mild
    )
    ras_effect = np.log(p.ras_effect) + p.ras_effect_sd * streams("RAS effect").standard_normal(n)
    u = streams("RAS recent").random((n, 2))
    years = -p.ras_mean_years * np.log1p(-u[:, 1])
    recent = np.floor(p.ras_recent_days * u[:, 1])
    ras_days = np.where(u[:, 0] < p.ras_recent, recent, p.ras_recent_days + np.floor(years * DAYS_PER_YEAR))
    ras_days = np.where(treated, np.minimum(ras_days, np.maximum(days - p.ras_first_age, 0)), np.nan)

    gfr = p.gfr_mean + p.gfr_sd * streams("GFR").standard_normal(n)
    older, above = age - p.gfr_age_from, untreated - np.log(p.gfr_upcr_from)
    gfr += severe * p.gfr_age_slope * np.maximum(older, 0) + p.gfr_upcr_slope * np.maximum(above, 0)
    gfr = np.clip(gfr, p.gfr_min, p.gfr_max)

    rbc_factor = np.where(girl_x, p.rbc_ratio_girl, np.where(genotype >= DOMINANT, p.rbc_ratio_dominant, 1.0))
    log_rbc = np.log(p.rbc_median * rbc_factor) + p.rbc_log_sd * streams("log red cells").standard_normal(n)
    without = girl_x & (streams("no haematuria").random(n) < p.no_haematuria_girl)
    log_rbc = np.where(without, np.log(p.rbc_normal_median), log_rbc)
    return {
        "genotype": genotype,
        "male": male,
        "severe": severe,
        "age": age,
        "age_days": days,
        "height_z": height_z,
        "weight_z": weight_z,
        "log_upcr_untreated": untreated,
        "ras_days": ras_days,
        "log_ras_effect": ras_effect,
        "log_upcr": untreated + ras_effect * ras_onset(p, ras_days),
        "wander": p.upcr_wander * streams("UPCR wander").standard_normal(n),
        "gfr": gfr,
        "log_rbc": log_rbc,
        "without_haematuria": without,
    }


def ras_onset(p: Parameters, days: NDArray) -> NDArray:
    """Share of the full RAS effect reached `days` after the start; 0 before it and where there is none (NaN)."""
    return 1 - np.exp2(-np.where(days > 0, days, 0.0) / p.ras_half_life)


def _truncated_normal(mean: float, sd: float, low: float, high: float, u: NDArray) -> NDArray:
    from scipy.special import ndtr, ndtri

    a, b = ndtr((low - mean) / sd), ndtr((high - mean) / sd)
    return np.clip(mean + sd * ndtri(a + u * (b - a)), low, high)


def upcr_reported(p: Parameters, level: NDArray, noise: NDArray) -> NDArray:
    """Reported UPCR (mg/mg) of a current level (log mg/mg, with wander) and standard normal visit noise.

    The noise's SD is upcr_noise (UPCR / upcr_noise_at)^upcr_noise_power within its limits: larger at low UPCR (CV01).
    """
    from helpers.trial import loops  # compiled code is loaded by whoever measures something

    flat = (level - np.log(p.upcr_noise_at)).ravel()
    flat *= p.upcr_noise_power
    np.exp(flat, out=flat)
    at = np.require(level.ravel(), float, ["W"])
    z = np.require(np.broadcast_to(noise, level.shape).ravel(), float, ["W"])
    loops.noisy(flat, at, z, p.upcr_noise, p.upcr_noise_min, p.upcr_noise_max)
    np.exp(flat, out=flat)
    loops.rounded(flat, _scale("upcr"), upcr_limit(p), p.upcr_reported_max)
    return flat.reshape(level.shape)


def upcr_limit(p: Parameters) -> float:
    """Limit of quantification at the reporting precision; values at it are reported as below it."""
    return float(np.ceil(p.upcr_limit * _scale("upcr")) / _scale("upcr"))


def dipstick_reported(upcr: NDArray, urine_creatinine: NDArray) -> NDArray:
    """Dipstick grade 0 to 5 from UPCR (mg/mg) and urine creatinine (mg/dL): it reads concentration (DF07)."""
    return np.searchsorted(DIPSTICK_CUTS, upcr * urine_creatinine, side="right").astype(np.int8)


def protein_reported(
    p: Parameters,
    level: NDArray,
    age: NDArray,
    height: NDArray,
    weight: NDArray,
    normals: NDArray,
    u: NDArray,
) -> NDArray:
    """Reported 24-hour protein (mg/m2/h) of a UPCR level (log mg/mg), with collection error.

    normals (..., 2): biology of the day and error of the collection; u: uniform, incomplete collections.
    """
    error = p.upcr_noise_min * normals[..., 0] + p.collection_cv * normals[..., 1]
    value = kidney.protein_24h(np.exp(level + error), age, height, weight)
    return report("protein_24h", value * np.where(u < p.incomplete_collection, p.incomplete_factor, 1.0))


def rbc_reported(p: Parameters, log_rbc: NDArray, noise: NDArray, u: NDArray, without: NDArray) -> NDArray:
    """Reported urine red cells (/uL) of a true log count; u: uniform, episodes of gross haematuria."""
    gross = (u < p.gross_haematuria) & ~without
    value = np.exp(log_rbc + p.rbc_noise * noise + gross * np.log(p.gross_factor))
    return report("rbc", np.minimum(value, p.rbc_reported_max))


def creatinine_reported(p: Parameters, gfr: NDArray, height: NDArray, noise: NDArray) -> NDArray:
    """Reported creatinine (umol/L) of a true GFR: bedside Schwartz turned round, with its variation (CV07)."""
    true = kidney.SCHWARTZ_K * height * kidney.UMOL_PER_MG_DL / gfr
    return report("creatinine", true * np.exp(p.creatinine_cv * noise))


def cystatin_reported(p: Parameters, gfr: NDArray, age: NDArray, male: NDArray, noise: NDArray) -> NDArray:
    """Reported cystatin C (mg/L) of a true GFR: CKiD U25 turned round, with its variation (CV08).

    An infant has that of the youngest children of U25.
    """
    k = kidney.u25_cystatin_k(np.maximum(age, kidney.U25_AGES[0]), male)
    return report("cystatin_c", k / gfr * np.exp(p.cystatin_cv * noise))


def bun_reported(p: Parameters, gfr: NDArray, noise: NDArray) -> NDArray:
    """Reported serum urea nitrogen (mmol/L): rises as GFR falls, varies with diet (CV10)."""
    return report("bun", p.bun_median * np.sqrt(p.bun_gfr / gfr) * np.exp(p.bun_cv * noise))


def measured(
    p: Parameters, n: int, streams: Streams, child: dict[str, NDArray], everything: bool
) -> dict[str, NDArray]:
    """Laboratory values of one sample of these children; NaN where it is missing."""
    age, male = child["age"], child["male"]
    height = body("height", age, male, child["height_z"])
    level = child["log_upcr"] + child["wander"]
    upcr = upcr_reported(p, level, streams("screening UPCR noise").standard_normal(n))
    urine_creatinine = p.urine_creatinine_median * np.exp(
        p.urine_creatinine_log_sd * streams("screening urine creatinine").standard_normal(n)
    )
    dipstick = dipstick_reported(upcr, urine_creatinine)
    rbc = rbc_reported(
        p,
        child["log_rbc"],
        streams("screening red cell noise").standard_normal(n),
        streams("screening gross haematuria").random(n),
        child["without_haematuria"],
    )
    found = {
        "upcr": upcr,
        "rbc": rbc,
        "rbc_dysmorphic": report("rbc_dysmorphic", rbc * p.dysmorphic_share),
        "creatinine": creatinine_reported(
            p, child["gfr"], height, streams("screening creatinine noise").standard_normal(n)
        ),
    }
    if everything or p.gfr_method in ("U25 cystatin C", "U25 mean"):
        noise = streams("screening cystatin C noise").standard_normal(n)
        found["cystatin_c"] = cystatin_reported(p, child["gfr"], age, male, noise)
    if everything:
        found["bun"] = bun_reported(p, child["gfr"], streams("screening BUN noise").standard_normal(n))
    samples = {"urine": ("upcr", "rbc", "rbc_dysmorphic"), "blood": ("creatinine", "cystatin_c", "bun")}
    for sample, names in samples.items():
        lost = streams(f"screening {sample} missing").random(n) < p.sample_missing
        for name in names:
            if name in found:
                found[name][lost] = np.nan
    dipstick[streams("screening dipstick missing").random(n) < p.missing_answer] = -1
    found |= {"height": height, "dipstick": dipstick}
    if everything:
        weight = body("weight", age, male, child["weight_z"])
        normals = streams("screening 24-h protein").standard_normal((n, 2))
        u = streams("screening collection").random(n)
        protein = protein_reported(p, level, age, height, weight, normals, u)
        protein[streams("screening collection missing").random(n) < p.collection_missing] = np.nan
        found |= {"weight": weight, "protein_24h": protein}
    return found


def _facts(p: Parameters, n: int, streams: Streams, child: dict[str, NDArray]) -> dict[str, NDArray]:
    """Answers on the case report form: +1 yes, -1 no, 0 not answered; dates as days before consent."""

    def fact(name: str, yes: float, missing: float = p.missing_answer) -> NDArray:
        u = streams(name).random(n, dtype=np.float32)
        return (u < yes * (1 - missing)).astype(np.int8) * 2 - 1 + (u >= 1 - missing)

    def ago(name: str, happened: NDArray, longest: int) -> NDArray:
        """Days before consent for those to whom it happened; NaN for the others and where the date is missing."""
        out = np.full(n, np.nan)
        yes = np.flatnonzero(happened > 0)
        u = streams(f"{name} date").random((yes.size, 2))
        days = np.minimum(np.floor(longest * u[:, 0]), child["age_days"][yes])  # not before birth
        out[yes] = np.where(u[:, 1] < p.missing_answer, np.nan, days)
        return out

    genotype, male = child["genotype"], child["male"]
    u = streams("variant").random(n)
    uncertain, none, untested = np.cumsum([p.variant_uncertain, p.variant_none, p.variant_untested])
    variant = np.where(
        u < uncertain,
        code("screening", "variant", "uncertain significance"),
        np.where(
            u < none,
            code("screening", "variant", "none found"),
            np.where(
                u < untested,
                code("screening", "variant", "not tested"),
                np.where(streams("likely pathogenic").random(n) < p.variant_likely, 1, 0),
            ),
        ),
    ).astype(np.int8)
    found = variant <= code("screening", "variant", "uncertain significance")
    # hemizygous, heterozygous, homozygous, compound heterozygous, two genes
    recessive = np.where(streams("homozygous").random(n) < p.recessive_homozygous, 2, 3)
    zygosity = np.select(
        [genotype == X_LINKED, genotype == RECESSIVE, genotype == DOMINANT],
        [np.where(male, 0, 1), recessive, 1],
        4,
    )
    gene = np.select([genotype == X_LINKED, genotype == DIGENIC], [0, 2], 1)
    u = streams("biopsy").random((n, 2))
    biopsy = np.where(u[:, 0] < p.biopsy_done, np.where(u[:, 1] < p.biopsy_diagnostic, 0, 1), 2)

    out = {
        "genotype": genotype,
        "sex": np.where(male, 1, -1).astype(np.int8),
        "variant": variant,
        "zygosity": np.where(found, zygosity, -1).astype(np.int8),
        "gene": np.where(found, gene, -1).astype(np.int8),
        "biopsy": biopsy.astype(np.int8),
        "ras_inhibitor": np.where(np.isnan(child["ras_days"]), -1, 1).astype(np.int8),
        "ras_since_ago": child["ras_days"],
        "birth_ago": np.where(
            streams("birth date missing").random(n) < p.missing_answer, np.nan, child["age_days"]
        ),
    }
    for name, yes, longest in (
        ("infection", p.infection_recent, p.infection_lookback),
        ("surgery", p.surgery_recent, p.event_lookback),
        ("trauma", p.trauma_recent, p.event_lookback),
        ("blood_loss", p.blood_loss_recent, p.event_lookback),
        ("other_study", p.other_study, p.event_lookback),
        ("cell_product", p.cell_product, p.cell_product_lookback),
    ):
        out[name] = fact(name, yes)
        out[f"{name}_ago"] = ago(name, out[name], longest)
    bled = np.flatnonzero(out["blood_loss"] > 0)
    out["blood_loss_ml"] = np.full(n, np.nan)
    spread = p.blood_loss_log_sd * streams("blood loss amount").standard_normal(bled.size)
    amount = np.rint(p.blood_loss_median * np.exp(spread))
    out["blood_loss_ml"][bled] = np.minimum(amount, p.blood_loss_max)
    for test in ("hbsag", "hcv", "hiv", "syphilis"):
        out[test] = fact(test, p.virology_positive, p.virology_missing)
    out["anti_hbs"] = fact("anti_hbs", p.anti_hbs_positive, p.virology_missing)
    for name in ("food_allergies", "drug_allergies"):
        allergies = streams(name).poisson(p.allergies_mean, n).astype(float)
        allergies[streams(f"{name} missing").random(n, dtype=np.float32) < p.missing_answer] = np.nan
        out[name] = allergies
    for name in ("heart", "liver", "lung", "other_organ", "tumour"):
        out[name] = fact(name, p.organ_dysfunction)
    for name, yes, missing in (
        ("allergic_state", p.allergic_state, p.missing_answer),
        ("consent", p.consent_given, p.missing_answer),
        ("other_renal", p.other_renal, p.missing_answer),
        ("severe_allergy", p.severe_allergy, p.missing_answer),
        ("stem_cell_allergy", p.stem_cell_allergy, p.missing_answer),
        ("malformation", p.malformation, p.imaging_missing),
        ("autoimmune", p.autoimmune, p.missing_answer),
        ("immunosuppressant", p.immunosuppressant, p.missing_answer),
        ("infection_uncontrolled", p.infection_uncontrolled, p.missing_answer),
        ("unsuitable", p.investigator_unsuitable, p.missing_answer),
    ):
        out[name] = fact(name, yes, missing)
    return out
