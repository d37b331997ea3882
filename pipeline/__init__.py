"""From a regulator's registers to maps of the channels and powers that white-space devices may use.

The folders that the data of a map go through; ``build/<territory>/`` has what one hands to the next. All
folders are in ``docs/architecture.md``.

| folder | reads | writes | units |
|---|---|---|---|
| territory | boundaries, population | surface, country, coastal, population | codes, population |
| registers | transmitter registers | (in memory) checked tables | MHz, kW, m, deg |
| terrain | terrain model, land mask | sweeps by terrain tile | m, km, deg |
| propagation | - | (functions) field and loss | dB(uV/m), dB |
| coverage | territory, registers, terrain | fields, nuisance, best server, probability | dB(uV/m), 1 |
| dtt | coverage, ratio tables | limits around the victims of a channel | dBm |
| services | limits of DTT reception, registers of others | (functions) limit of each service | dBm |
| availability | services | maximum e.i.r.p., availability, statistics | 0.01 dBm, channels, % |
| coordination | networks, radars, links | RR 9.41, 9.7A/B, Resolution 612, F.1565 | %, km, ratios |
| publish | all final layers | the run's folder with its manifest | - |
"""

__version__ = "0.1.0"
