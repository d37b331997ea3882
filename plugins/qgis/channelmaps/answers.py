# Part of the plugin channelmaps for QGIS.
"""What the command answers, as rows and pages; nothing of QGIS."""

import html
import json


def spectrum_rows(text):
    """(start_mhz, stop_mhz, eirp_dbm, bandwidth_mhz) of a message of RFC 7545: pairs of its points.

    The e.i.r.p. is that in the bandwidth, any part of the range so wide.
    """
    rows = []
    for spec in json.loads(text)["spectrumSpecs"]:
        for schedule in spec["spectrumSchedules"]:
            for spectrum in schedule["spectra"]:
                for profile in spectrum["profiles"]:
                    width_mhz = spectrum["resolutionBwHz"] / 1e6
                    for place in range(0, len(profile) - 1, 2):
                        first, last = profile[place], profile[place + 1]
                        rows.append((first["hz"] / 1e6, last["hz"] / 1e6, first["dbm"], width_mhz))
    return rows


def page(title, text):
    """A page of HTML with a text as the command prints it."""
    title, text = html.escape(title), html.escape(text)
    head = f"<head><meta charset='utf-8'><title>{title}</title></head>"
    return f"<!doctype html><html>{head}<body><h1>{title}</h1><pre>{text}</pre></body></html>\n"
