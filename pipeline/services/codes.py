"""Codes of the services: values of ``limiting_service`` and bit numbers of ``eval_flags``."""

from __future__ import annotations

from enum import IntEnum

from pipeline.config.services import ServiceName


class LimitingService(IntEnum):
    """What decides the maximum e.i.r.p. of a pixel (incumbents.md, section 10)."""

    NONE = 0
    DTT = 1
    PMSE = 2
    RADIO_ASTRONOMY = 3
    AERONAUTICAL = 4
    MOBILE = 5
    PPDR = 6
    FIXED = 7
    FOREIGN_DTT = 8
    DEVICE_CAP = 9
    RESERVED_CHANNEL = 10
    EXCLUSION_AREA = 11
    BORDER_FIELD = 12
    RECEIVER_OVERLOAD = 13
    NOT_EVALUATED = 14
    MANUAL_ADJUSTMENT = 15
    OUTSIDE = 255


SERVICE_CODES: dict[ServiceName, LimitingService] = {
    "dtt": LimitingService.DTT,
    "pmse": LimitingService.PMSE,
    "radio_astronomy": LimitingService.RADIO_ASTRONOMY,
    "aeronautical": LimitingService.AERONAUTICAL,
    "mobile": LimitingService.MOBILE,
    "ppdr": LimitingService.PPDR,
    "fixed": LimitingService.FIXED,
    "foreign_dtt": LimitingService.FOREIGN_DTT,
}
CODE_NAMES = {int(code): code.name.lower() for code in LimitingService}
