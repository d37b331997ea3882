"""From a regulator's registers to maps of the channels and powers that white-space devices may use.

Each folder is a stage, in the order the data flows; ``build/<territory>/`` holds what one hands to the next.

| stage | reads | writes | units |
|---|---|---|---|
| territory | boundaries, population | surface, country, coastal, population | codes, persons |
| registers | transmitter registers | (in memory) checked tables | MHz, kW, m, deg |
| terrain | terrain model, land mask | sweeps by 1-degree square | m, km, deg |
| propagation | - | (functions) field and loss | dB(uV/m), dB |
| coverage | territory, registers, terrain | fields, nuisance, best server, probability | dB(uV/m), 1 |
| protection | coverage, ratio tables | limits around the victims of a channel | dBm |
| availability | protection | maximum e.i.r.p., availability, statistics | 0.01 dBm, channels, % |
| coordination | networks, radars, links | RR 9.41, Resolution 612, F.1565 | %, km, ratios |
| publish | all final layers | the run's folder with its manifest | - |
"""

__version__ = "0.1.0"
