"""Whole tables to CSV and back on the embedded pair: the sample with its dirt, and files of any length."""

from __future__ import annotations

import io
import tracemalloc
from itertools import islice
from pathlib import Path

from benchmarks import crm_import, harness
from crm_model import MODELS, Crm, install
from crm_model.entities import Customer
from crm_model.model import Standard
from crm_model.sample import TABLES, Sample, Size
from platform_store import Platform

LITTLE = Size("little", 700, 3_000, 500, 500)


def test_the_sample_comes_back_dirt_and_all(tmp_path: Path) -> None:
    sample = Sample(LITTLE)
    with Platform.embedded(tmp_path / "pair.db") as platform:
        install(platform)
        for table in TABLES:
            platform.write_many(table, islice(sample.rows(table), 300))
        crm = Crm(platform, 1)
        for number, model in enumerate(model for model in MODELS if issubclass(model, Standard)):
            path = tmp_path / f"{model.table}.csv"
            count = crm.export(model, path, labelled=bool(number % 2), encoding=("utf-8", "gb18030")[number % 2])
            report = crm.import_csv(model, path).preview()
            assert report.counts["unchanged"] == report.rows == count > 0, (model.table, report.problems[:3])


def test_the_benchmark_measures_equal_things(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "pair.db") as platform:
        install(platform, ["customer", "operator", "audit_log"])
        platform.write_many("operator", Sample(LITTLE).rows("operator"))
        prepared = crm_import.import_csv(Crm(platform, 1), harness.Size(5, 1, 30))
        (batch,) = prepared.inputs(0)
        for variant in prepared.variants:
            variant.call(batch)
        prepared.check()
        assert len(list(platform.scan("customer", columns=["id"]))) == 60


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(crm: Crm, rows: int) -> int:
        text = "cust_no,name,vip_level\n" + "".join(f"C{number},客户{number},1\n" for number in range(rows))
        ready = crm.import_csv(Customer, io.BytesIO(text.encode()), mode="update", batch_size=200)
        tracemalloc.start()
        try:
            assert ready.preview().counts["rejected"] == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    with Platform.embedded(tmp_path / "pair.db") as platform:
        install(platform, ["customer"])
        crm = Crm(platform, 1)
        peak(crm, 200)
        short, long = peak(crm, 3000), peak(crm, 9000)
    assert long < short + 6000 * 100, f"{short} bytes for 3,000 rows, {long} for 9,000"
