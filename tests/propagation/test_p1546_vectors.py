"""P.1546-6 against the ITU's validation examples and links computed independently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.studies.predict import predict_table

TOLERANCE_DB = 1e-3


def predicted(shared, name):
    table = pd.read_csv(shared / "data" / "p1546" / f"{name}.csv")
    return table, predict_table(table, "p1546")


@pytest.mark.shared_data
def test_official_examples_are_met(shared):
    table, result = predicted(shared, "official")
    assert len(table) == 52
    np.testing.assert_allclose(result.field_dbuvm, table.E_expected_profile_dbuvm, rtol=0, atol=TOLERANCE_DB)
    np.testing.assert_allclose(result.loss_db, table.L_matlab_log, rtol=0, atol=TOLERANCE_DB)
    assert result.valid.all()


@pytest.mark.shared_data
def test_random_links_are_met(shared):
    table, result = predicted(shared, "random")
    assert len(table) == 160
    np.testing.assert_allclose(result.field_dbuvm, table.E_dbuvm, rtol=0, atol=TOLERANCE_DB)
    assert result.valid.all()


@pytest.mark.shared_data
def test_random_links_without_known_deviation_equal_the_reference_code(shared):
    table, result = predicted(shared, "random")
    # Flagged rows touch a rule on which the reference code departs from the Recommendation.
    same = table["flags"].isna()
    assert same.sum() >= 60
    np.testing.assert_allclose(
        result.field_dbuvm[same], table.E_py1546_dbuvm[same], rtol=0, atol=TOLERANCE_DB
    )


@pytest.mark.shared_data
def test_branch_agrees_with_the_kind_of_link(shared):
    table, result = predicted(shared, "random")
    near = result.branch.isin(["below_1km", "below_40m", "field_limit"])
    assert near[table.d_km < 1].all()
    only_land = ~table.path_c.str.contains("Cold|Warm")
    assert not result.branch[only_land].isin(["sea", "mixed", "sea_h1_below_10m"]).any()
    assert set(result.branch) >= {"land", "sea", "mixed", "land_h1_negative", "land_h1_above_1200m"}


# --- figures of the Recommendation that are part of the repository ------------------------------------------

PATHS = {"land": "Land", "cold_sea": "Cold", "warm_sea": "Warm"}
HEIGHTS_M = (10, 20, 37.5, 75, 150, 300, 600, 1200)
HEIGHT_COLUMNS = {f"h{height_m:g}".replace(".", "_"): float(height_m) for height_m in HEIGHTS_M}


def tabulated(repository: Path) -> pd.DataFrame:
    """A row per figure with the columns of a link that it is for."""
    table = pd.read_csv(repository / "tests/reference/p1546/fields.csv")
    kinds = ["frequency_mhz", "path", "time_percent", "distance_km", "emax"]
    long = table.melt(kinds, list(HEIGHT_COLUMNS), var_name="height", value_name="expected_dbuvm")
    return pd.DataFrame(
        {
            "f_mhz": long.frequency_mhz.astype(float),
            "t_pct": long.time_percent.astype(float),
            "d_km": long.distance_km.astype(float),
            "heff_m": long.height.map(HEIGHT_COLUMNS),
            "h2_m": 10.0,
            "R2_m": 10.0,
            "area": "Rural",
            "d_v_km": long.distance_km.astype(str),
            "path_c": long.path.map(PATHS),
            "expected_dbuvm": long.expected_dbuvm,
            "emax": long.emax,
        }
    )


def test_figures_of_the_recommendation_are_met(repository: Path) -> None:
    table = tabulated(repository)
    assert len(table) == 27 * 13 * 8
    result = predict_table(table.drop(columns=["expected_dbuvm", "emax"]), "p1546")
    np.testing.assert_allclose(result.field_dbuvm, table.expected_dbuvm, rtol=0, atol=TOLERANCE_DB)
    assert result.valid.all()
    assert (table.expected_dbuvm <= table.emax + TOLERANCE_DB).all()
    assert set(result.branch) == {"land", "sea"}


def test_between_figures_fields_lie_between_them(repository: Path) -> None:
    """Distance and height half-way in their logarithms: within the figures around, and half-way in dB."""
    table = tabulated(repository)
    low = table[(table.path_c == "Land") & (table.d_km == 15.0) & (table.heff_m == 37.5)]
    high = table[(table.path_c == "Land") & (table.d_km == 15.0) & (table.heff_m == 75.0)]
    middle = low.assign(heff_m=np.sqrt(37.5 * 75.0)).drop(columns=["expected_dbuvm", "emax"])
    found = predict_table(middle, "p1546").field_dbuvm.to_numpy()
    mean = 0.5 * (low.expected_dbuvm.to_numpy() + high.expected_dbuvm.to_numpy())
    np.testing.assert_allclose(found, mean, rtol=0, atol=2 * TOLERANCE_DB)
