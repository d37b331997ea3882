# Part of the plugin channelmaps for QGIS.
"""The algorithms: each puts together a line of the command and hands back what came out."""

from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsField,
    QgsFields,
    QgsGeometry,
    QgsPointXY,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingOutputFile,
    QgsProcessingOutputFolder,
    QgsProcessingOutputString,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterPoint,
    QgsProcessingParameterString,
    QgsWkbTypes,
)
from qgis.PyQt import QtCore

from .answers import page, spectrum_rows
from .command import CommandError, call

LONLAT = "EPSG:4326"
# A field of numbers: PyQt 5 has the type at QVariant, PyQt 6 at QMetaType alone, which QGIS takes since 3.38.
NUMBERS = getattr(QtCore.QVariant, "Double", None) or QtCore.QMetaType.Type.Double
# Scoped since QGIS 3.36; the older names stay.
FOLDER = QgsProcessingParameterFile.Folder
WHOLE, REAL = QgsProcessingParameterNumber.Integer, QgsProcessingParameterNumber.Double


class Algorithm(QgsProcessingAlgorithm):
    """What all have in common; a subclass has NAME, TITLE, GROUP, HELP."""

    def name(self):
        return self.NAME

    def displayName(self):
        return self.TITLE

    def group(self):
        return self.GROUP

    def groupId(self):
        return self.GROUP.lower().replace(" ", "_")

    def shortHelpString(self):
        return self.HELP

    def createInstance(self):
        return type(self)()

    def ask(self, arguments, feedback, folder=None):
        """Standard output of the command; messages go to the window's log."""
        feedback.pushInfo(" ".join(map(str, ["channelmaps", *arguments])))
        try:
            return call(
                arguments,
                folder,
                told=feedback.pushInfo,
                progress=feedback.setProgress,
                cancelled=feedback.isCanceled,
            )
        except CommandError as error:
            raise QgsProcessingException(str(error)) from error

    def addResults(self):
        self.addParameter(QgsProcessingParameterFile("RESULTS", "Folder of a published run", FOLDER))

    def addPlace(self):
        self.addParameter(QgsProcessingParameterPoint("POINT", "Place, also by a click on the map"))

    def addText(self, name, title, default=None, optional=True, lines=False):
        self.addParameter(QgsProcessingParameterString(name, title, default, lines, optional))

    def place(self, parameters, context):
        """Arguments of the place, WGS84."""
        crs = QgsCoordinateReferenceSystem(LONLAT)
        found = self.parameterAsPoint(parameters, "POINT", context, crs)
        return found, ["--lon", f"{found.x():.7f}", "--lat", f"{found.y():.7f}"]

    def texts(self, parameters, context, **options):
        """``--option value`` of each text that is given."""
        found = []
        for name, option in options.items():
            value = self.parameterAsString(parameters, name, context).strip()
            found += [option, value] if value else []
        return found


class OfTerritory(Algorithm):
    """Computes maps of a territory file, in a working folder where results/ and build/ come to lie."""

    GROUP = "Compute"

    def initAlgorithm(self, configuration=None):
        self.addParameter(QgsProcessingParameterFile("CONFIG", "Territory file", extension="yaml"))
        self.addParameter(
            QgsProcessingParameterFile("FOLDER", "Working folder (of the paths in the file)", FOLDER)
        )
        self.addParameter(QgsProcessingParameterNumber("CORES", "Cores to use; 0 all", WHOLE, 0, minValue=0))
        self.addOutput(QgsProcessingOutputFolder("RESULTS", "Folder results/"))
        self.addOutput(QgsProcessingOutputString("SUMMARY", "What the command says"))

    def compute(self, name, more, parameters, context, feedback):
        folder = self.parameterAsString(parameters, "FOLDER", context)
        cores = self.parameterAsInt(parameters, "CORES", context)
        line = [name, self.parameterAsString(parameters, "CONFIG", context), *more]
        said = self.ask([*line, *(["--cores", cores] if cores else [])], feedback, folder)
        return {"RESULTS": str(Path(folder) / "results"), "SUMMARY": said}


class Run(OfTerritory):
    NAME, TITLE = "run", "Compute the maps of a territory"
    HELP = "Checks a territory file, computes what changed, publishes it under results/ there."

    def processAlgorithm(self, parameters, context, feedback):
        return self.compute("run", [], parameters, context, feedback)


class WhatIf(OfTerritory):
    NAME, TITLE = "whatif", "Maps after a change of settings"
    HELP = (
        "Computes the maps after a change of settings beside the published ones. One change a line: "
        "KEY=VALUE with a dotted key, for example devices.fixed30.dq_pct=2"
    )

    def initAlgorithm(self, configuration=None):
        self.addText("SETTINGS", "Changes, one KEY=VALUE a line", optional=False, lines=True)
        super().initAlgorithm(configuration)

    def processAlgorithm(self, parameters, context, feedback):
        lines = self.parameterAsString(parameters, "SETTINGS", context).splitlines()
        more = [part for line in lines if line.strip() for part in ("--set", line.strip())]
        return self.compute("what-if", more, parameters, context, feedback)


class Query(Algorithm):
    NAME, TITLE, GROUP = "query", "Channels available at a place", "Ask"
    HELP = (
        "What a device may use at a place, as the white-space database answers: ranges of frequency with "
        "their maximum e.i.r.p."
    )

    def initAlgorithm(self, configuration=None):
        self.addResults()
        self.addPlace()
        self.addText("DEVICE", "Device; the first of the run if empty")
        self.addText("HEIGHT", "Antenna above ground, m; that of the layer if empty")
        self.addText("AT", "Instant, UTC, such as 2026-12-05T08:00:00Z; now if empty")
        points = QgsProcessing.TypeVectorPoint
        self.addParameter(QgsProcessingParameterFeatureSink("OUTPUT", "Ranges of frequency", points))
        self.addOutput(QgsProcessingOutputString("ANSWER", "Message of RFC 7545"))

    def processAlgorithm(self, parameters, context, feedback):
        point, where = self.place(parameters, context)
        run = self.parameterAsString(parameters, "RESULTS", context)
        line = ["query", "--json", "--results", run, *where]
        line += self.texts(parameters, context, DEVICE="--device", HEIGHT="--height", AT="--at")
        answer = self.ask(line, feedback)
        fields = QgsFields()
        for name in ("start_mhz", "stop_mhz", "max_eirp_dbm", "in_mhz"):
            fields.append(QgsField(name, NUMBERS))
        crs = QgsCoordinateReferenceSystem(LONLAT)
        sink, where = self.parameterAsSink(parameters, "OUTPUT", context, fields, QgsWkbTypes.Point, crs)
        for row in spectrum_rows(answer):
            feature = QgsFeature(fields)
            feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(point)))
            feature.setAttributes(list(row))
            sink.addFeature(feature)
            feedback.pushInfo("{:.3f} to {:.3f} MHz: {:.2f} dBm in {:g} MHz".format(*row))
        return {"OUTPUT": where, "ANSWER": answer}


class Explain(Algorithm):
    NAME, TITLE, GROUP = "explain", "What limits a channel at a place", "Ask"
    HELP = (
        "The budget of the victim that decides the maximum e.i.r.p. at a place, and of the next three "
        "limits. Needs the intermediates of the run (build/)."
    )

    def initAlgorithm(self, configuration=None):
        self.addResults()
        self.addPlace()
        self.addText("DEVICE", "Device", optional=False)
        self.addText("CHANNEL", "Channel, or bond such as 20-21", optional=False)
        self.addText("BUILD", "Intermediates; build/<territory> beside results/ if empty")
        self.addParameter(QgsProcessingParameterFileDestination("OUTPUT", "Page", "HTML (*.html)"))
        self.addOutput(QgsProcessingOutputString("ANSWER", "The budget as text"))

    def processAlgorithm(self, parameters, context, feedback):
        _, where = self.place(parameters, context)
        line = ["explain", "--results", self.parameterAsString(parameters, "RESULTS", context), *where]
        line += self.texts(parameters, context, DEVICE="--device", CHANNEL="--channel", BUILD="--build")
        answer = self.ask(line, feedback)
        feedback.pushInfo(answer)
        path = self.parameterAsFileOutput(parameters, "OUTPUT", context)
        Path(path).write_text(page(" ".join(line[3:]), answer), encoding="utf-8")
        return {"OUTPUT": path, "ANSWER": answer}


class Compare(Algorithm):
    NAME, TITLE, GROUP = "compare", "What changed between two runs", "Ask"
    HELP = "Maps of the differences, tables and pictures, in a folder; of the same territory."

    def initAlgorithm(self, configuration=None):
        self.addParameter(QgsProcessingParameterFile("RUN_A", "Folder of the earlier run", FOLDER))
        self.addParameter(QgsProcessingParameterFile("RUN_B", "Folder of the later run", FOLDER))
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", "Folder of the comparison"))
        self.addOutput(QgsProcessingOutputFile("PAGE", "Page of the comparison"))
        self.addOutput(QgsProcessingOutputString("ANSWER", "What the command says"))

    def processAlgorithm(self, parameters, context, feedback):
        folder = Path(self.parameterAsString(parameters, "OUTPUT", context))
        runs = [self.parameterAsString(parameters, name, context) for name in ("RUN_A", "RUN_B")]
        answer = self.ask(["compare", *runs, "--out", folder], feedback)
        pages = sorted(folder.glob("*.html")) or sorted(folder.iterdir())
        return {"OUTPUT": str(folder), "PAGE": str(pages[0]) if pages else "", "ANSWER": answer}


ALGORITHMS = (Run, WhatIf, Query, Explain, Compare)
