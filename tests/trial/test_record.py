"""The site's tables: they fit the codebook, agree with the arrays they come from, and with each other."""

import ast

import numpy as np
import pandas as pd
import pytest

from helpers import ROOT
from helpers.study import eligibility, tables
from helpers.study.codebook import LAB_LIMITS, RESCUE_AGENTS, UNITS
from helpers.study.parameters import Parameters
from helpers.study.protocol import VISITS
from helpers.trial import conduct, details, record, simulate
from helpers.trial.simulate import Streams

PARAMETERS = [
    Parameters(),
    Parameters(seed=2, dropout=0.5, dropout_early=0.2, visit_missed=0.3, sample_missing=0.3, rescue_rate=1.0,
               ras_change_msc=1.0, infusion_not_given=0.3, infection_rate=6.0, fever_msc=0.6),
    Parameters(seed=3, baseline_samples="separate", n_randomised=13, gfr_method="U25 mean", upcr_limit=0.1),
]  # fmt: skip


@pytest.fixture(scope="module", params=PARAMETERS, ids=["plan", "much goes wrong", "separate baseline"])
def site(request):
    """(parameters, what happened, screening table, raw tables, truth) of one trial."""
    p = request.param
    enrolled, columns, _ = conduct.screen(p)
    screening = record.screening(columns)
    raw, truth = record.trial(p, enrolled, screening)
    return p, conduct.follow(p, enrolled, Streams(p.seed, 0)), screening, raw, truth


def days(dates, zero) -> np.ndarray:
    """Days from time zero; NaN where there is no date."""
    return (pd.Series(dates) - pd.Series(zero)).dt.days.to_numpy(float)


def zero_of(raw) -> pd.Series:
    second = raw["infusions"][raw["infusions"]["infusion"] == 2]
    return second.set_index("usubjid")["planned_date"]


def test_every_table_fits_the_codebook(site):
    _, _, screening, raw, _ = site
    tables.check("screening", screening)
    for name, frame in raw.items():
        tables.check(name, frame)
        assert frame["usubjid"].isin(screening["usubjid"]).all(), name


def test_the_screening_table_gives_the_same_verdicts_back(site):
    """Rules on simulated columns and on the table read back from the file agree."""
    p, f, screening, raw, _ = site
    values = eligibility.evaluate(tables.to_arrays("screening", screening), p)
    eligible = screening["usubjid"][eligibility.status(values) == eligibility.ELIGIBLE]
    assert eligible.tolist() == raw["randomisation"]["usubjid"].tolist()
    assert len(screening) == f.enrolled.screened[0]


def test_randomisation(site):
    p, f, screening, raw, _ = site
    frame = raw["randomisation"]
    assert frame["sequence"].tolist() == list(range(1, p.n_randomised + 1))
    assert frame["arm"].tolist() == [("Placebo", "hUC-MSC")[a] for a in f.arm[0]]
    consent = screening.set_index("usubjid").loc[frame["usubjid"], "consent_date"]
    assert (days(frame["randomisation_date"].to_numpy(), consent.to_numpy()) == p.days_to_randomisation).all()
    counts = frame.groupby("block")["arm"].value_counts().unstack(fill_value=0)
    assert (counts["Placebo"] == counts["hUC-MSC"]).iloc[:-1].all()


def test_infusions(site):
    p, f, _, raw, _ = site
    frame = raw["infusions"].set_index(["usubjid", "infusion"])
    assert len(frame) == 2 * p.n_randomised
    zero = zero_of(raw)
    for k, ids in enumerate(raw["randomisation"]["usubjid"]):
        first, second = frame.loc[(ids, 1)], frame.loc[(ids, 2)]
        assert (first["given"] == "yes") == f.given[0, k, 0]
        assert (second["given"] == "yes") == f.given[0, k, 1]
        if first["given"] == "yes":
            assert (zero[ids] - first["date"]).days == p.infusion_gap
            assert (first["date"] - first["planned_date"]).days == f.delay[0, k]
    given = raw["infusions"][raw["infusions"]["given"] == "yes"]
    not_given = raw["infusions"][raw["infusions"]["given"] == "no"]
    assert not_given[["date", "product", "cells"]].isna().all(axis=None)
    assert not_given["reason"].str.contains("not given").all()
    weight = raw["labs"][raw["labs"]["test"] == "weight"].groupby("usubjid")["value"].first()
    cells = given[given["product"] == "hUC-MSC"]
    expected = cells["usubjid"].map(weight) * p.cells_per_kg
    assert (cells["cells"] / expected - 1).abs().max() < 0.05
    assert (given.loc[given["product"] == "Placebo", "cells"] == 0).all()


def test_visits_lie_within_their_windows(site):
    p, f, _, raw, _ = site
    zero = zero_of(raw)
    frame = raw["visits"]
    per_child = 12 + (p.baseline_samples != "eligibility")
    assert (frame.groupby("usubjid").size() == per_child).all()
    later = frame[frame["visit_no"] >= 2]
    day = days(later["date"].to_numpy(), later["usubjid"].map(zero).to_numpy())
    target = later["visit_no"].map({v.number: v.day for v in VISITS}).to_numpy(float)
    planned = days(later["planned_date"].to_numpy(), later["usubjid"].map(zero).to_numpy())
    assert np.array_equal(planned, target)
    window = np.where(target <= 56, p.window_to_week_8, p.window_after_month_6)
    window = np.where((target > 56) & (target <= 183), p.window_to_month_6, window)
    seen = (later["attended"] == "yes").to_numpy()
    assert np.array_equal(seen.reshape(-1, 11), f.attended[0, :, 1:])
    assert np.array_equal(seen, ~np.isnan(day))
    assert (np.abs(day - target) <= window)[seen].all()
    off = day[seen] - target[seen]
    assert off.min() < 0 < off.max()
    order = later[seen].groupby("usubjid")["date"].apply(lambda d: d.is_monotonic_increasing)
    assert order.all()


def test_nobody_is_seen_after_leaving(site):
    _, f, _, raw, _ = site
    end = raw["disposition"].set_index("usubjid")
    left = end["status"] == "left"
    assert np.array_equal(left.to_numpy(), np.isfinite(f.left[0]))
    assert (end["reason"].notna() == left).all()
    last = end["date"]
    assert (raw["labs"]["date"] <= raw["labs"]["usubjid"].map(last)).all()
    assert (raw["events"]["start_date"] <= raw["events"]["usubjid"].map(last)).all()
    assert (raw["treatments"]["date"] <= raw["treatments"]["usubjid"].map(last)).all()
    gone = raw["visits"][raw["visits"]["reason"] == "left the trial"]
    assert (gone["planned_date"] > gone["usubjid"].map(last)).all()
    assert gone["usubjid"].isin(end.index[left]).all()


def test_labs_hold_the_simulated_values_and_only_at_attended_visits(site):
    p, f, screening, raw, _ = site
    labs = raw["labs"]
    assert (labs["unit"] == labs["test"].map(UNITS)).all()
    upcr = labs[labs["test"] == "upcr"].pivot(index="usubjid", columns="visit_no", values="value")
    upcr = upcr.reindex(index=raw["randomisation"]["usubjid"], columns=[v.number for v in VISITS])
    assert np.array_equal(upcr.to_numpy(), f.upcr[0, :, 1:], equal_nan=True)
    visits = raw["visits"].set_index(["usubjid", "visit_no"])
    date = visits["date"].reindex(pd.MultiIndex.from_frame(labs[["usubjid", "visit_no"]]))
    assert (date.to_numpy() == labs["date"].to_numpy()).all()
    first = labs[labs["visit_no"] == 0]
    for test in ("upcr", "creatinine", "rbc", "height"):
        own = first[first["test"] == test].set_index("usubjid")["value"]
        recorded = screening.set_index("usubjid").loc[raw["randomisation"]["usubjid"], test]
        pd.testing.assert_series_equal(own, recorded.dropna(), check_names=False)
    below = labs["qualifier"] == "<"
    assert (labs.loc[below, "test"] == "upcr").all()
    limit = p.upcr_limit
    at_limit = (labs["test"] == "upcr") & (labs["value"] == limit)
    assert np.array_equal(below, at_limit)
    assert labs.loc[labs["test"] == "upcr", "value"].min() >= limit


def test_events_and_treatments(site):
    p, f, screening, raw, _ = site
    events = raw["events"]
    ongoing = events["end_date"].isna()
    assert (events["end_date"] >= events["start_date"])[~ongoing].all()
    given = raw["infusions"][raw["infusions"]["given"] == "yes"].groupby("usubjid")["date"].apply(set)
    within = events[events["within_24h"] == "yes"]
    fevers = within[within["event"] == "fever"]
    assert all(row.start_date in given[row.usubjid] for row in fevers.itertuples())
    expected = f.fevers[0] & ~(np.array([-p.infusion_gap, 0]) > f.left[0][:, None])
    assert len(fevers) == expected.sum()
    treatments = raw["treatments"]
    on = screening.set_index("usubjid")["ras_inhibitor"] == "yes"
    ras = treatments[treatments["treatment"] == "RAS inhibitor"]
    up = ras["change"] != "stopped"
    assert ((ras["change"] == "raised") == ras["usubjid"].map(on))[up].all()
    assert ras["usubjid"].map(on)[~up].all()
    last = days(
        raw["disposition"]["date"].to_numpy(), raw["disposition"]["usubjid"].map(zero_of(raw)).to_numpy()
    )
    assert (~up).sum() == (f.ras_stop_day[0] <= last).sum()
    assert (treatments["dose_ratio"].notna() == (treatments["change"] == "raised")).all()
    assert set(treatments.loc[treatments["treatment"] == "rescue", "agent"]) <= set(RESCUE_AGENTS)
    assert (treatments.loc[treatments["treatment"] == "rescue", "change"] == "started").all()
    assert (days(treatments["date"].to_numpy(), treatments["usubjid"].map(zero_of(raw)).to_numpy()) > 0).all()


def test_the_truth_stands_apart(site):
    _, f, screening, raw, truth = site
    assert truth["usubjid"].tolist() == raw["randomisation"]["usubjid"].tolist()
    assert np.array_equal(truth["upcr_log_effect"], f.effect[0])
    assert np.array_equal(truth["log_upcr_day_365"], f.level[0, :, -1])
    assert (truth.loc[truth["arm"] == "Placebo", "upcr_log_effect"] == 0).all()
    latent = record.screening_truth(f.enrolled).set_index("usubjid")
    assert len(latent) == len(screening)
    assert np.array_equal(latent.loc[truth["usubjid"], "gfr"], truth["gfr"])
    assert not {c for c in screening if c in ("gfr", "log_upcr", "wander")}


def test_the_latent_values_of_the_screened_are_those_of_the_clinic():
    """Drawn anew from the clinic's streams, block by block; the same whether one or many trials are screened."""
    p = Parameters(n_randomised=400, max_screened=50_000)
    one, columns, _ = conduct.screen(p)
    many, _, _ = conduct.screen(p, 40)
    latent = record.screening_truth(one)
    pd.testing.assert_frame_equal(latent, record.screening_truth(many))
    assert len(latent) == columns["consent_date"].size
    child = simulate.children(p, len(latent), Streams(p.seed, 0, 0))
    for name in child:
        assert np.array_equal(latent[name], child[name], equal_nan=name == "ras_days"), name


def test_recording_draws_nothing():
    """What the site writes down was drawn by `conduct` and `details`: no stream is named a second time here."""
    tree = ast.parse((ROOT / "src" / "helpers" / "trial" / "record.py").read_text("utf-8"))
    words = {
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute | ast.Name)
    }
    assert not words & {"streams", "Streams", "random", "clinic", "children"}


def test_no_stream_of_a_trial_is_drawn_from_twice():
    """Names of streams in `conduct` and `details` (one key: the chunk), and in `simulate` (chunk and block)."""
    for modules in (("conduct", "details"), ("simulate",)):
        trees = [ast.parse((ROOT / f"src/helpers/trial/{m}.py").read_text("utf-8")) for m in modules]
        names = [
            ast.unparse(node.args[0])
            for tree in trees
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "streams"
            if not isinstance(node.args[0], ast.Name)
        ]
        assert len(names) > 15
        assert {name for name in names if names.count(name) > 1} == set()


def events_of(p: Parameters) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Table `events` of one trial, with each child's last contact (`contact`); table `infusions`."""
    enrolled, columns, _ = conduct.screen(p)
    raw = record.trial(p, enrolled, record.screening(columns))[0]
    last = raw["disposition"].set_index("usubjid")["date"]
    return raw["events"].assign(contact=raw["events"]["usubjid"].map(last)), raw["infusions"]


def test_events_last_as_long_as_stated_unless_the_last_contact_is_before():
    p = Parameters(
        n_randomised=60, fever_msc=0.9, fever_days=5, other_event_days=9, infection_rate=0.0,
        infusion_reaction=0.5, other_event_rate=5.0, dropout=0.5,
    )  # fmt: skip
    events, _ = events_of(p)
    assert set(events["event"]) == {"fever", "other"}
    days = events["event"].map({"fever": 5, "other": 9}).mask(events["term"] == "infusion reaction", 1)
    end = events["start_date"] + pd.to_timedelta(days - 1, unit="D")
    assert (end > events["contact"]).sum() > 3
    assert (events["end_date"] == end.mask(end > events["contact"])).sum() == events["end_date"].notna().sum()
    assert np.array_equal(events["end_date"].isna(), end > events["contact"])


def test_infections_vary_around_their_mean_length():
    """Log-normal with the stated mean and spread, a few thousand of them, each a whole day at least."""
    p = Parameters(n_randomised=600, infection_rate=6.0, infection_days_ill=12.0, infection_days_sd=6.0)
    f = conduct.first_trial(p, conduct.screen(p)[0])
    length, begins = details.diary(f).length, f.infections[1]
    assert (length % 1 == 0).all()
    assert length.min() >= 1
    free = length[begins > -p.infusion_gap]
    assert free.size > 3000
    assert free.mean() == pytest.approx(12, abs=4 * 6 / free.size**0.5)
    assert free.std() == pytest.approx(6, rel=0.1)
    alike = details.diary(
        conduct.first_trial(Parameters(infection_days_sd=0.0), conduct.screen(Parameters())[0])
    )
    assert set(alike.length) == {10.0}


@pytest.mark.parametrize("exactly", [True, False])
def test_whoever_is_infused_is_free_of_infections_as_recorded(exactly):
    """The first infusion waits for the end of an infection; what the site records of it does not deny that."""
    p = Parameters(
        n_randomised=400, infection_rate=12.0, infection_days_sd=20.0, exactly_counts_as_within=exactly
    )
    events, infusions = events_of(p)
    first = infusions[infusions["infusion"] == 1].set_index("usubjid")["date"]
    infections = events[events["event"] == "infection"]
    since = (infections["usubjid"].map(first) - infections["end_date"]).dt.days
    before = infections["start_date"] <= infections["usubjid"].map(first)
    assert before.sum() > 100
    assert since[before & since.notna()].min() == p.infection_days + exactly


def test_what_the_site_notes_of_events():
    p = Parameters(
        n_randomised=400, infusion_reaction=0.5, event_moderate=0.4, event_severe=0.2, serious_share=0.3
    )
    events, infusions = events_of(p)
    first = infusions[infusions["given"] == "yes"].groupby("usubjid")["date"].min()
    assert set(events["severity"]) == {"mild", "moderate", "severe"}
    assert (events.loc[events["serious"] == "yes", "severity"] == "severe").all()
    for kind, terms in details.TERMS.items():
        rows = events[events["event"] == ("other" if kind == "reaction" else kind)]
        assert set(terms) <= set(rows["term"])
    assert set(events["term"]) == {term for terms in details.TERMS.values() for term in terms}
    before = ~(events["start_date"] >= events["usubjid"].map(first))
    assert before.sum() > 20
    assert (events.loc[before, "related"] == "no").all()
    other = events["serious"] == "no"
    for chosen, share in (
        (other & (events["severity"] == "moderate"), p.event_moderate * (1 - p.event_severe)),
        (other & (events["severity"] == "severe"), p.event_severe),
    ):
        assert chosen.sum() / other.sum() == pytest.approx(share, abs=4 * (share / other.sum()) ** 0.5)
    near = events["within_24h"] == "yes"
    reactions = events["term"] == "infusion reaction"
    given = (infusions["given"] == "yes").sum()
    assert near[reactions].all()
    assert reactions.sum() / given == pytest.approx(0.5, abs=4 * (0.25 / given) ** 0.5)
    for chosen, share in ((near, p.related_within_24h), (~near & ~before, p.related_later)):
        found = (events.loc[chosen, "related"] == "yes").mean()
        assert found == pytest.approx(share, abs=4 * (share / chosen.sum()) ** 0.5)


def test_the_same_seed_gives_the_same_tables():
    p = Parameters(n_randomised=6)
    made = []
    for _ in range(2):
        enrolled, columns, _ = conduct.screen(p)
        raw, _ = record.trial(p, enrolled, record.screening(columns))
        made.append({name: tables.to_csv(frame) for name, frame in raw.items()})
    assert made[0] == made[1]


def test_the_first_of_many_trials_is_recorded():
    """Enrolled children of 8 trials give the tables of the single trial."""
    p = Parameters(n_randomised=6)
    one, columns, _ = conduct.screen(p)
    many, _, _ = conduct.screen(p, 8)
    screening = record.screening(columns)
    first, _ = record.trial(p, one, screening)
    again, _ = record.trial(p, many, screening)
    for name in first:
        pd.testing.assert_frame_equal(first[name], again[name])


def test_every_missing_value_has_its_reason(site):
    """What `labs` lacks of the planned grid is what the truth explains, each once, with a reason that fits."""
    p, _, screening, raw, _ = site
    enrolled, _, _ = conduct.screen(p)
    reasons = record.missing(p, enrolled, screening)
    numbers = sorted(raw["visits"]["visit_no"].unique())
    ids = raw["randomisation"]["usubjid"]
    planned = pd.MultiIndex.from_product([ids, numbers, UNITS], names=["usubjid", "visit_no", "test"])
    there = pd.MultiIndex.from_frame(raw["labs"][["usubjid", "visit_no", "test"]])
    explained = pd.MultiIndex.from_frame(reasons[["usubjid", "visit_no", "test"]])
    assert not explained.duplicated().any()
    assert set(planned.difference(there)) == set(explained)
    visits = raw["visits"].set_index(["usubjid", "visit_no"])["reason"]
    told = {"left the trial": "left the trial", "visit missed": "missed"}
    for row in reasons.itertuples():
        assert visits[(row.usubjid, row.visit_no)] == told.get(row.reason) or row.reason not in told
    collections = reasons["reason"] == "collection not done"
    assert set(reasons.loc[collections, "test"]) <= {"protein_24h"}


def test_the_truth_holds_noise_free_courses(site):
    p, f, _, _, truth = site
    measures = details.serum_and_cells(f)
    for name, values in (("log_upcr", f.level), ("gfr", measures["gfr"]), ("log_rbc", measures["log_rbc"])):
        columns = [f"{name}_day_{day:g}" for day in conduct.grid(p)]
        assert np.array_equal(truth[columns].to_numpy(), values[0])
    assert np.array_equal(truth["gfr_slope"], measures["gfr_slope"][0])


def test_what_an_instrument_can_t_report_stands_at_its_end_and_says_so():
    p = Parameters(
        seed=4, n_randomised=60, collection_cv=1.0, upcr_wander=2.0, bun_cv=1.0, upcr_reported_max=2.0
    )
    enrolled, columns, _ = conduct.screen(p)
    raw, _ = record.trial(p, enrolled, record.screening(columns))
    labs = raw["labs"].set_index("test")
    tables.check("labs", raw["labs"])
    ends = {**LAB_LIMITS, "upcr": (simulate.upcr_limit(p), 2.0), "rbc": (0.0, p.rbc_reported_max)}
    for test in UNITS:
        rows, (low, high) = labs.loc[[test]], ends[test]
        assert rows["value"].between(low, high).all()
        if test in record.WITHOUT_LIMITS:
            assert rows["qualifier"].isna().all()
            continue
        assert ((rows["qualifier"] == ">") == (rows["value"] == high)).all()
        assert ((rows["qualifier"] == "<") == ((rows["value"] == low) & (low > 0))).all()
    assert (labs.loc["upcr", "qualifier"] == ">").any()
    assert (labs.loc["protein_24h", "qualifier"] == ">").any()


def test_true_gfr_has_a_floor_and_a_ceiling():
    p = Parameters(
        seed=4, gfr_sd=40.0, gfr_slope_mild_sd=20.0, gfr_slope_severe_sd=20.0, gfr_max=150.0, gfr_min=60.0
    )
    enrolled, _, _ = conduct.screen(p)
    gfr = details.serum_and_cells(conduct.follow(p, enrolled, Streams(p.seed, 0)))["gfr"]
    assert (gfr.min(), gfr.max()) == (60.0, 150.0)
    assert enrolled.child["gfr"].max() == 150.0
