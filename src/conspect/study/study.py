"""The facade: one vision model, one lens, one data set, one concept set; and the only place that decides what to cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from conspect.adapters.store.places import Store, place_of
from conspect.core.diagnostics import UserError, user_error
from conspect.core.digests import digest_bytes, digest_file
from conspect.core.files import read_content, require_replaceable, write_atomically, writing_to
from conspect.core.protocols import ProgressBar, silent
from conspect.core.version import VERSION
from conspect.monitor.runtime.guarantee import TargetRates
from conspect.results.files import decoded, write_record
from conspect.results.results import Manifest, Results, decoded_results
from conspect.study.captions import CaptionTest
from conspect.study.config import MonitorConfig, NeighbourhoodsConfig, StudyConfig, read_config
from conspect.study.digests import digest_of_config, digest_of_metadata, digests_of
from conspect.study.inputs import StudyInputs, load_inputs
from conspect.study.measuring.measurements import Measurements, Timings, measure
from conspect.study.notebooks import ClassHeatmap, HeatmapKind, PicturedFailure, class_heatmap
from conspect.study.recording.assembly import assemble
from conspect.study.recording.failures import FAILURES_FILE
from conspect.study.recording.orders import ORDERS_FILE
from conspect.study.running import running

if TYPE_CHECKING:
    from conspect.analysis.mining import Criterion
    from conspect.language.syntax.tree import Specification
    from conspect.results.monitor import MonitorEvaluation
    from conspect.study.monitor.fitting import FittedMonitor
    from conspect.verification.queries.model import VerificationModel, VerifyOptions
    from conspect.verification.results import PropertyResult

CONFIG_FILE, RESULTS_FILE, REPORT_FILE, MANIFEST_FILE = "study.toml", "results.json", "report.html", "manifest.json"
TOO_FEW_FOR_MONITOR = ("MONITOR002", "MONITOR003")


class Study:
    """A folder with study.toml and what was made of it.

    >>> study = Study.open("my-study")          # doctest: +SKIP
    >>> results = study.run()                   # doctest: +SKIP
    """

    def __init__(
        self, folder: Path, config: StudyConfig, inputs: StudyInputs | None = None, *, store: str | Path | None = None
    ) -> None:
        """With `inputs` (your own model, VLM or data as objects) nothing that study.toml names is opened.

        `store`: a folder or URL where embeddings are kept (default: study.toml's, else `folder`/embeddings). Raises
        UserError STORE004 for a URL of no known kind.
        """
        self.folder = folder
        self.config = config
        self._inputs = inputs
        self._own_inputs = inputs is not None
        self.store = Store(place_of(store or config.settings.store or "embeddings", folder))
        self._measured: Measurements | None = None
        self.timings = Timings()

    @classmethod
    def open(cls, folder: str | Path, *, store: str | Path | None = None) -> Study:
        """Reads `folder`/study.toml; `store` as in the constructor. Raises UserError STUDY001, STUDY002 or STORE004."""
        return cls(Path(folder), read_config(Path(folder) / CONFIG_FILE), store=store)

    @classmethod
    def create(cls, folder: str | Path, config: StudyConfig) -> Study:
        """Makes the folder and writes study.toml."""
        path = Path(folder)
        with writing_to(path):
            write_atomically(path / CONFIG_FILE, config.to_toml().encode())
        return cls(path, config)

    @property
    def inputs(self) -> StudyInputs:
        """Data sets, model, VLM and concepts, opened on first use."""
        return self._opened(silent)

    def _opened(self, bar: ProgressBar) -> StudyInputs:
        if self._inputs is None:
            with self.timings.stage("opening"):
                self._inputs = load_inputs(self.config, self.folder, bar)
        return self._inputs

    @contextmanager
    def ray_workers(
        self, address: str | None = None, *, processors: int | None = None, bar: ProgressBar = silent
    ) -> Iterator[None]:
        """In this block Ray's workers embed, align, count and compare: those of the cluster at `address`, or of one here.

        They open what study.toml names themselves, and must find it there; objects of the caller's are sent to them. Raises
        OutsideError ENGINE001, ENGINE002 or ENGINE003, UserError ENGINE004 for an object that cannot be sent.
        """
        from conspect.adapters.engines.ray import RayEngine
        from conspect.study.workers import open_shared, shared_of

        shared = {} if self._own_inputs else shared_of(self._opened(bar))
        opener = partial(open_shared, self.config, self.folder.absolute())
        alone = self.store
        with RayEngine(address, shared=shared, opener=opener, processors=processors) as engine:
            self.store = Store(alone.place, engine)
            try:
                yield
            finally:
                self.store = alone

    def measurements(self, bar: ProgressBar = silent, *, counted: bool = True) -> Measurements:
        """Embeddings, lens and outputs; computed once, the embeddings kept in the store.

        `counted`: pairs of concepts are counted now, which takes minutes over a million images; else when that is asked for.
        """
        if self._measured is None:
            seed = self.config.settings.seed
            inputs = self._opened(bar)
            self._measured = measure(inputs, self.store, seed=seed, bar=bar, timings=self.timings)
        if counted:
            _ = self._measured.counted
        return self._measured

    def run(self, bar: ProgressBar = silent) -> Results:
        """Runs all analyses; writes results.json, manifest.json and report.html; returns the results."""
        with running(self.folder / CONFIG_FILE):
            require_replaceable(self.folder, (RESULTS_FILE, REPORT_FILE, MANIFEST_FILE, FAILURES_FILE, ORDERS_FILE))
            return self._run(bar)

    def _run(self, bar: ProgressBar) -> Results:
        from conspect.report.html import render

        measured = self.measurements(bar)
        table = self.folder / FAILURES_FILE
        results = assemble(
            self.config,
            self.inputs,
            measured,
            table=table,
            timings=self.timings,
            engine=self.store.engine,
            bar=bar,
        )
        with self.timings.stage("captions"):
            captions = CaptionTest.of(self.inputs.vlm, self.store, confidence=self.config.settings.confidence, bar=bar)
        results = replace(
            results,
            vlm=replace(
                results.vlm, caption_retrieval=captions.retrieval, caption_retrieval_left_out=captions.left_out
            ),
        )
        if self.config.properties.files:
            from conspect.study.proving.properties import property_results, with_neighbourhoods

            files = [self.folder / name for name in self.config.properties.files]
            with self.timings.stage("verification"):
                subject = self.verification_subject(bar)
                verified = property_results(files, subject, self.folder, bar=bar)
            if self.config.neighbourhoods is not None:
                with self.timings.stage("neighbourhoods"):
                    verified = with_neighbourhoods(
                        verified, files, subject, self.config.neighbourhoods, self.folder, bar=bar
                    )
            results = replace(results, verification=verified)
        if self.config.monitor is not None:
            try:
                results = replace(results, monitor=self._evaluated_monitor(None, bar))
            except UserError as error:
                # A quick look may have too few failures to learn from; the rest of the study is worth having all the same.
                if error.diagnostics[0].code not in TOO_FEW_FOR_MONITOR:
                    raise
                results = replace(results, monitor_left_out=error.diagnostics[0].problem)
        with self.timings.stage("report"):
            page = render(results, self.thumbnails(results))
        results = replace(results, timings=self.timings.rounded())
        with writing_to(self.folder):
            write_record(self.folder / RESULTS_FILE, results)
            write_atomically(self.folder / REPORT_FILE, page.encode())
            write_record(self.folder / MANIFEST_FILE, self._manifest())  # last: it vouches for the results
        return results

    def results(self) -> Results:
        """The results of the last run. Raises UserError STUDY003 when there are none, STUDY004 when they are stale."""
        path, fix = self.folder / RESULTS_FILE, f"conspect run {self.folder}"
        try:
            content = read_content(path)
            results = decoded_results(content)
            manifest = decoded(read_content(self.folder / MANIFEST_FILE), Manifest)
        except FileNotFoundError as error:
            raise user_error("STUDY003", f"{self.folder} has not been run to its end", fix) from error
        except (OSError, ValueError) as error:
            raise user_error("STUDY003", f"{path} cannot be read: {error}", fix) from error
        if manifest.results != digest_bytes(content):
            raise user_error("STUDY003", f"{path} is not what the last finished run wrote", fix)
        table = self.folder / FAILURES_FILE
        if not table.is_file() or manifest.failures != digest_file(table):
            raise user_error("STUDY003", f"{table} is not what the last finished run wrote", fix)
        if manifest.config != digest_of_config(self.folder, self.config):
            problem = f"{path} was made with another {CONFIG_FILE}, or with other files than it names now"
            raise user_error("STUDY004", problem, fix)
        if self._inputs is not None:
            made = {**digests_of(self._inputs), "metadata": digest_of_metadata(self._inputs)}
            # Runs of earlier versions did not keep all of these.
            other = [name for name, digest in made.items() if manifest.digests.get(name, digest) != digest]
            if other:
                raise user_error("STUDY004", f"{path} was made with another {', '.join(other)}", "run the study again")
        return results

    def verification_subject(self, bar: ProgressBar = silent) -> VerificationModel:
        """What verification takes: regions are estimated on training images, sized on one half of the test images, and
        coverage and satisfaction are measured on the other half, so that no image serves twice.
        """
        from conspect.study.packages import PROOFS, require_packages
        from conspect.study.proving.subject import subject_of

        require_packages(self.config, {"the proofs": PROOFS})
        return subject_of(
            self.inputs,
            self.measurements(bar, counted=False),
            seed=self.config.settings.seed,
            store=self.store,
            neighbourhoods=self.config.neighbourhoods or NeighbourhoodsConfig(),
            bar=bar,
        )

    def verify(
        self,
        specification: str | Specification,
        options: VerifyOptions | None = None,
        *,
        file: str = "",
        bar: ProgressBar = silent,
    ) -> list[PropertyResult]:
        """A result for each property of a Con_spec text or tree, in source order.

        Raises UserError with every mistake of the text, and for what the study cannot verify.
        """
        from conspect.study.proving.deciding import decided, source_of

        subject = self.verification_subject(bar)
        if isinstance(specification, str):
            specification = source_of(specification.encode(), file or "<text>", subject).tree
        return decided([(file, specification)], subject, options, bar=bar)

    def mined_specification(
        self, *, share: float = 0.95, criterion: Criterion = "bound", bar: ProgressBar = silent
    ) -> Specification:
        """`predict(x, c) => i > j` for the strength predicates that hold on at least `share` of the images of class c.

        Mined on the half of the test images that verification does not measure on. Raises UserError SPEC412 when none is.
        """
        from conspect.study.proving.subject import mined

        return mined(self.verification_subject(bar), share=share, criterion=criterion)

    @property
    def monitor_folder(self) -> Path:
        """Where the monitor is kept: `folder`/monitor."""
        return self.folder / "monitor"

    def fit_monitor(
        self,
        *,
        false_alarms: float | None = None,
        accepted_errors: float | None = None,
        confidence: float = 0.95,
        bar: ProgressBar = silent,
    ) -> FittedMonitor:
        """Fits the monitor on images beside those reported on and writes it into `monitor_folder`.

        Rates that are not given are those of study.toml's [monitor]. Raises UserError MONITOR002 or MONITOR003 when there
        are too few images, or too few that the model gets wrong.
        """
        from conspect.study.monitor.fitting import fit_monitor

        config = self.config.monitor or MonitorConfig()
        wanted = TargetRates(
            config.false_alarms if false_alarms is None else false_alarms,
            config.accepted_errors if accepted_errors is None else accepted_errors,
            confidence,
        )
        measured = self.measurements(bar)
        with self.timings.stage("monitor"):
            return fit_monitor(
                config,
                self.inputs,
                measured,
                self.folder,
                store=self.store,
                wanted=wanted,
                seed=self.config.settings.seed,
                bar=bar,
            )

    def evaluate_monitor(self, bar: ProgressBar = silent) -> MonitorEvaluation:
        """Compares the monitor with the paper's detectors and the baselines; what docs/results.md says of `monitor`.

        The rates are those that the monitor in `monitor_folder` was fitted for; without one it is fitted first. Kept by
        content, so that only what has changed is compared anew.
        """
        from conspect.study.monitor.fitting import rates_of

        return self._evaluated_monitor(rates_of(self.monitor_folder), bar)

    def _evaluated_monitor(self, rates: TargetRates | None, bar: ProgressBar) -> MonitorEvaluation:
        """At `rates`, or those of study.toml."""
        from conspect.study.monitor.evaluation import kept_or_made, monitor_results

        config, seed = self.config.monitor or MonitorConfig(), self.config.settings.seed
        wanted = rates or TargetRates(config.false_alarms, config.accepted_errors)
        asked = {"false_alarms": wanted.false_alarms, "accepted_errors": wanted.accepted_errors}
        recipe = [asdict(config), {**asked, "confidence": wanted.confidence}, seed]
        recipe += [self.measurements(bar).lens.digest, *digests_of(self.inputs).values()]
        held_out = self.inputs.held_out
        recipe.append(None if held_out is None else held_out.digest)

        def make() -> MonitorEvaluation:
            fitted = self.fit_monitor(
                false_alarms=wanted.false_alarms,
                accepted_errors=wanted.accepted_errors,
                confidence=wanted.confidence,
                bar=bar,
            )
            with self.timings.stage("monitor"):
                return monitor_results(fitted, seed=seed, bar=bar)

        return kept_or_made(self.monitor_folder, recipe, make)

    def thumbnails(self, results: Results) -> dict[str, str]:
        """Data URIs by id, of the images that the report shows, changed ones among them; see `study.pictures.thumbnails`."""
        from conspect.report.neighbourhoods import shown_pictures
        from conspect.report.pictures import pictured
        from conspect.study.pictures import thumbnails, with_changed

        changes = (self.config.neighbourhoods or NeighbourhoodsConfig()).changes
        images = [image for image, change in shown_pictures(results.verification) if change is not None]
        dataset = with_changed(self.inputs.test, images, changes, seed=self.config.settings.seed)
        return thumbnails(dataset, pictured(results))

    def heatmap(self, class_name: str, kind: HeatmapKind = "ground_truth") -> ClassHeatmap:
        """The last run's heatmap of a class, which a notebook shows as a picture. Raises ValueError for no such class."""
        return class_heatmap(self.results(), class_name, kind)

    def failure(self, image: str) -> PicturedFailure:
        """A mistake of the last run by the image's id, which a notebook shows with its picture. Raises KeyError for no such."""
        from conspect.study.pictures import thumbnails

        record = {failure.id: failure for failure in self.results().localization.images}[image]
        return PicturedFailure(record, thumbnails(self.inputs.test, [image]).get(image))

    def _repr_html_(self) -> str:
        """The report's first screen, or what to do to get one."""
        from conspect.report.notebook import summary, unfinished

        try:
            results = self.results()
        except UserError as error:
            return unfinished(str(self.folder), error.diagnostics[0].problem, error.diagnostics[0].fix)
        return summary(results, self.thumbnails(results))

    def _manifest(self) -> Manifest:
        return Manifest(
            conspect=VERSION,
            config=digest_of_config(self.folder, self.config),
            results=digest_file(self.folder / RESULTS_FILE),
            failures=digest_file(self.folder / FAILURES_FILE),
            seed=self.config.settings.seed,
            digests={
                **digests_of(self.inputs),
                "metadata": digest_of_metadata(self.inputs),
                "lens": self.measurements(counted=False).lens.digest,
            },
        )


def lens_of(folder: Path) -> str | None:
    """Digest of the lens that the last finished run of the study in `folder` had; None where none has finished."""
    try:
        return decoded(read_content(folder / MANIFEST_FILE), Manifest).digests.get("lens")
    except (OSError, ValueError):
        return None
