"""A small trial in which much goes wrong, for the tests of what chapters say."""

from types import SimpleNamespace

import pytest

from helpers.analysis import adam, flow
from helpers.study import scenario
from helpers.trial import conduct, record, run

MUCH_GOES_WRONG = {
    "n_randomised": 16, "seed": 5, "dropout": 0.4, "visit_missed": 0.2, "sample_missing": 0.2,
    "infusion_not_given": 0.25, "rescue_rate": 0.5, "ras_change_msc": 0.8, "infection_rate": 6.0, "fever_msc": 0.6,
    "fever_placebo": 0.3,
}  # fmt: skip


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Study and tables of chapters 01 to 04: screening, adie, raw, latent, unmeasured, adsl, adlb, adtte, adae.

    They lie in a folder of their own, `small.data`; who reads or writes there sets `scenario.DATA` to it.
    """
    data = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenario, "DATA", data)
        study = scenario.load("base", **MUCH_GOES_WRONG)
        _, columns, _ = conduct.screen(study.parameters)
        screening = study.write("screening", record.screening(columns))
        adie = study.write("adie", flow.criteria_met(screening, study.parameters))
        tables, latent, unmeasured = run.follow_up(study)
        adsl, adlb, adtte, adae = adam.analysis_tables(study)
    return SimpleNamespace(
        study=study, data=data, screening=screening, adie=adie, raw=adam.Raw(**tables), latent=latent,
        unmeasured=unmeasured, adsl=adsl, adlb=adlb, adtte=adtte, adae=adae,
    )  # fmt: skip
