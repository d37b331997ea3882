"""The examples of CR/372, rebuilt from what the specification says of each of their lines."""

from __future__ import annotations

COLUMNS = [
    "Int",
    "Adm",
    "ctry",
    "stn_type",
    "freq_assgn",
    "bdwdth_kHz",
    "eirp_dBW",
    "emi_cls",
    "network_name",
    "synch",
    "util",
    "lat",
    "long",
    "site_name",
    "Adm_ref_id",
    "call_sign",
    "email_adm",
    "email_op",
    "d_inuse",
    "d_update",
    "op_time",
    "adm_remark",
]

LANCELIN = {
    "Int": "A",
    "Adm": "AUS",
    "ctry": "AUS",
    "stn_type": "TR",
    "freq_assgn": "4.463",
    "bdwdth_kHz": "50",
    "eirp_dBW": "22.8",
    "emi_cls": "N0N--",
    "network_name": "South01",
    "synch": "Y",
    "util": "N",
    "lat": "-311306",
    "long": "+1151942",
    "site_name": "Lancelin",
    "Adm_ref_id": "AUS - 011",
    "call_sign": "VZZ886",
    "email_adm": "freq@adm.example",
    "email_op": "radar@op.example",
    "d_inuse": "01.10.2014",
    "d_update": "",
    "op_time": "N",
    "adm_remark": "First 15 min of the hour",
}


def record(**changes: str) -> str:
    """One line: the first example with some columns changed."""
    assert set(changes) <= set(COLUMNS)
    return ",".join({**LANCELIN, **changes}[name] for name in COLUMNS)


BLACKFELLOWS = {
    "freq_assgn": "4.465",
    "network_name": "",
    "synch": "N",
    "lat": "-375622",
    "long": "+1402725",
    "site_name": "Blackfellows",
    "Adm_ref_id": "AUS - 012",
    "call_sign": "VZZ887",
}
NOVA_CREINA = {
    "freq_assgn": "4.468",
    "network_name": "",
    "synch": "N",
    "lat": "-371944",
    "long": "+1395056",
    "site_name": "Nova Creina",
    "Adm_ref_id": "AUS - 013",
    "call_sign": "VZZ888",
}
GREEN_HEAD = {
    "stn_type": "RX",
    "freq_assgn": "4.45",
    "eirp_dBW": " ",
    "network_name": "",
    "synch": "N",
    "lat": "-304204",
    "long": "+1145800",
    "site_name": "Green Head",
    "Adm_ref_id": "AUS - 014",
    "call_sign": "",
    "op_time": "Y",
}
FIRST = "\r\n".join([record(), record(**BLACKFELLOWS), record(**NOVA_CREINA), record(**GREEN_HEAD), ""])
WITHOUT_CALL_SIGN = {**NOVA_CREINA, "call_sign": ""}
MODIFICATION = "\r\n".join(
    [
        record(**{**WITHOUT_CALL_SIGN, "Int": "S"}),
        record(
            **{
                **WITHOUT_CALL_SIGN,
                "eirp_dBW": "19.2",
                "d_inuse": "10.01.2015",
                "op_time": "Y",
                "adm_remark": "",
            }
        ),
        "",
    ]
)
