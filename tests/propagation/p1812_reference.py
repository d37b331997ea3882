"""P.1812-8 once more: plain Python, every maximum from all samples, nothing of the package."""

from __future__ import annotations

import math

LAMBDA_FACTOR = 0.2998


def inverse_q(x):
    x = min(max(x, 1e-6), 1 - 1e-6)
    if x > 0.5:
        return -inverse_q_tail(1 - x)
    return inverse_q_tail(x)


def inverse_q_tail(x):
    t = math.sqrt(-2 * math.log(x))
    return t - ((0.010328 * t + 0.802853) * t + 2.515516698) / (
        ((0.001308 * t + 0.189269) * t + 1.432788) * t + 1
    )


def runs(d, zones, wanted):
    """(from, to) of each unbroken run of samples whose zone is in ``wanted``."""
    found, start = [], None
    for i, zone in enumerate(zones):
        inside = zone in wanted
        if inside and start is None:
            start = d[0] if i == 0 else (d[i - 1] + d[i]) / 2
        if start is not None and (not inside or i == len(d) - 1):
            found.append((start, d[-1] if inside else (d[i - 1] + d[i]) / 2))
            start = None
    return found


def knife_edge(nu):
    return 0.0 if nu <= -0.78 else 6.9 + 20 * math.log10(math.sqrt((nu - 0.1) ** 2 + 1) + nu - 0.1)


def bullington(d, g, ht, hr, radius, wavelength):
    """Loss, nu and whether the path is clear."""
    length, inner = d[-1], range(1, len(d) - 1)
    bulged = [g[i] + 500 / radius * d[i] * (length - d[i]) for i in range(len(d))]
    stim = max((bulged[i] - ht) / d[i] for i in inner)
    clear = stim < (hr - ht) / length

    def nu_at(x, height):
        line = (ht * (length - x) + hr * x) / length
        return (height - line) * math.sqrt(0.002 * length / (wavelength * x * (length - x)))

    if clear:
        nu = max(nu_at(d[i], bulged[i]) for i in inner)
    else:
        srim = max((bulged[i] - hr) / (length - d[i]) for i in inner)
        if stim + srim <= 0:
            nu = 0.0
        else:
            x = (hr - ht + srim * length) / (stim + srim)
            nu = nu_at(x, ht + stim * x)
    loss = knife_edge(nu)
    return loss + (1 - math.exp(-loss / 6)) * (10 + 0.02 * length), nu, clear


def first_term(f, vertical, length, h1, h2, radius, eps, sigma):
    k = 0.036 / ((radius * f) ** (1 / 3) * ((eps - 1) ** 2 + (18 * sigma / f) ** 2) ** 0.25)
    if vertical:
        k *= (eps**2 + (18 * sigma / f) ** 2) ** 0.5
    beta = (1 + 1.6 * k**2 + 0.67 * k**4) / (1 + 4.5 * k**2 + 1.53 * k**4)
    x = 21.88 * beta * (f / radius**2) ** (1 / 3) * length
    fx = 11 + 10 * math.log10(x) - 17.6 * x if x >= 1.6 else -20 * math.log10(x) - 5.6488 * x**1.425
    total = -fx
    for h in (h1, h2):
        b = beta * 0.9575 * beta * (f**2 / radius) ** (1 / 3) * h
        if b > 2:
            g = 17.6 * math.sqrt(b - 1.1) - 5 * math.log10(b - 1.1) - 8
        else:
            g = 20 * math.log10(b + 0.1 * b**3)
        total -= max(g, 2 + 20 * math.log10(k))
    return total


def spherical(f, vertical, omega, length, h1, h2, radius):
    def first(a):
        parts = ((omega, 80, 5), (1 - omega, 22, 0.003))
        return sum(
            w * first_term(f, vertical, length, h1, h2, a, eps, sigma) for w, eps, sigma in parts if w > 0
        )

    if length >= math.sqrt(2 * radius) * (math.sqrt(0.001 * h1) + math.sqrt(0.001 * h2)):
        return first(radius)
    c, m = (h1 - h2) / (h1 + h2), 250 * length**2 / (radius * (h1 + h2))
    inner = max(-1.0, min(1.0, 1.5 * c * math.sqrt(3 * m / (m + 1) ** 3)))
    b = 2 * math.sqrt((m + 1) / (3 * m)) * math.cos(math.pi / 3 + math.acos(inner) / 3)
    d1 = length * (1 + b) / 2
    d2 = length - d1
    hse = ((h1 - 500 * d1**2 / radius) * d2 + (h2 - 500 * d2**2 / radius) * d1) / length
    need = 17.456 * math.sqrt(d1 * d2 * LAMBDA_FACTOR / f / length)
    if hse > need:
        return 0.0
    return (1 - hse / need) * max(0.0, first(500 * (length / (math.sqrt(h1) + math.sqrt(h2))) ** 2))


def loss(d, h, cover, zones, *, f_mhz, p, htg, hrg, vertical, phi, dn=45.0, n0=325.0):
    """Basic transmission loss Lbc in dB at the median location, and a dictionary of what lies between."""
    f, n, length = f_mhz / 1000, len(d) - 1, d[-1]
    inner, wavelength = range(1, n), LAMBDA_FACTOR / f
    hts, hrs = h[0] + htg, h[n] + hrg
    ae, ab = 6371 * 157 / (157 - dn), 3 * 6371.0
    # zones
    sea, land, inland = runs(d, zones, {1}), runs(d, zones, {3, 4}), runs(d, zones, {4})
    omega = sum(b - a for a, b in sea) / length
    dtm = max((b - a for a, b in land), default=0.0)
    dlm = max((b - a for a, b in inland), default=0.0)
    coasts = [0.0 if z == 1 else None for z in (zones[0], zones[n])]
    dct = coasts[0] if coasts[0] is not None else (sea[0][0] if sea else 500.0)
    dcr = coasts[1] if coasts[1] is not None else (length - sea[-1][1] if sea else 500.0)
    tau = 1 - math.exp(-4.12e-4 * dlm**2.41)
    mu1 = min(1.0, (10 ** (-dtm / (16 - 6.6 * tau)) + 10 ** (-5 * (0.496 + 0.354 * tau))) ** 0.2)
    if abs(phi) <= 70:
        b0 = 10 ** (-0.015 * abs(phi) + 1.67) * mu1 * mu1 ** (-0.935 + 0.0176 * abs(phi))
    else:
        b0 = 4.17 * mu1 * mu1**0.3
    # horizons
    slopes = [(h[i] - hts) / (1000 * d[i]) - d[i] / (2 * ae) for i in inner]
    straight = (hrs - hts) / (1000 * length) - length / (2 * ae)
    trans = max(slopes) > straight
    theta_t = 1000 * math.atan(max(max(slopes), straight))
    if trans:
        lt = 1 + slopes.index(max(slopes))
        back = [(h[i] - hrs) / (1000 * (length - d[i])) - (length - d[i]) / (2 * ae) for i in inner]
        lr = max(i for i in inner if back[i - 1] == max(back))
        theta_r, lr = 1000 * math.atan(max(back)), max(lr, lt)
    else:
        theta_r = 1000 * math.atan((hts - hrs) / (1000 * length) - length / (2 * ae))
        nus = [
            (h[i] + 500 * d[i] * (length - d[i]) / ae - (hts * (length - d[i]) + hrs * d[i]) / length)
            * math.sqrt(0.002 * length / (d[i] * (length - d[i])))
            for i in inner
        ]
        lt = lr = max(i for i in inner if nus[i - 1] == max(nus))
    dlt, dlr = d[lt], length - d[lr]
    theta = 1000 * length / ae + theta_t + theta_r
    # smooth surfaces
    v1 = sum((d[i] - d[i - 1]) * (h[i] + h[i - 1]) for i in range(1, n + 1))
    v2 = sum(
        (d[i] - d[i - 1]) * (h[i] * (2 * d[i] + d[i - 1]) + h[i - 1] * (d[i] + 2 * d[i - 1]))
        for i in range(1, n + 1)
    )
    hst, hsr = (2 * v1 * length - v2) / length**2, (v2 - v1 * length) / length**2
    over = [h[i] - (hts * (length - d[i]) + hrs * d[i]) / length for i in inner]
    hobs = max(over)
    a_t = max(o / d[i] for o, i in zip(over, inner, strict=True))
    a_r = max(o / (length - d[i]) for o, i in zip(over, inner, strict=True))
    low_t, low_r = (
        (hst - hobs * a_t / (a_t + a_r), hsr - hobs * a_r / (a_t + a_r)) if hobs > 0 else (hst, hsr)
    )
    h1, h2 = hts - min(low_t, h[0]), hrs - min(low_r, h[n])
    hst, hsr = min(hst, h[0]), min(hsr, h[n])
    hm = max(h[i] - (hst + (hsr - hst) / length * d[i]) for i in range(lt, lr + 1))
    # free space and diffraction
    lbfs = 92.4 + 20 * math.log10(f) + 10 * math.log10(length**2 + ((hts - hrs) / 1000) ** 2)
    spread = 2.6 * (1 - math.exp(-(dlt + dlr) / 10))
    lb0p, lb0b = lbfs + spread * math.log10(p / 50), lbfs + spread * math.log10(b0 / 50)
    g = [h[i] + (cover[i] if 0 < i < n else 0.0) for i in range(n + 1)]
    ld, clear, nu = {}, None, None
    for a in (ae, ab):
        actual, nu_a, clear_a = bullington(d, g, hts, hrs, a, wavelength)
        smooth = bullington(d, [0.0] * (n + 1), h1, h2, a, wavelength)[0]
        ld[a] = actual + max(spherical(f, vertical, omega, length, h1, h2, a) - smooth, 0)
        if a == ae:
            clear, nu = clear_a, nu_a
    fi = 1.0 if p <= b0 else inverse_q(p / 100) / inverse_q(b0 / 100)
    ldp = ld[ae] if p == 50 else ld[ae] + fi * (ld[ab] - ld[ae])
    lbd50, lbd = lbfs + ld[ae], lb0p + ldp
    # troposcatter
    lbs = 190.1 + 25 * math.log10(f) - 2.5 * math.log10(f / 2) ** 2 + 20 * math.log10(length)
    lbs += 0.573 * theta - 0.15 * n0 - 10.125 * max(0.0, math.log10(50 / p)) ** 0.7
    # ducting
    af = 102.45 + 20 * math.log10(f) + 20 * math.log10(dlt + dlr)
    af += 45.375 - 137 * f + 92.5 * f**2 if f < 0.5 else 0.0
    for angle, horizon, coast, height in ((theta_t, dlt, dct, hts), (theta_r, dlr, dcr, hrs)):
        e = angle - 0.1 * horizon
        if e > 0:
            af += 20 * math.log10(1 + 0.361 * e * math.sqrt(f * horizon)) + 0.264 * e * f ** (1 / 3)
        if omega >= 0.75 - 1e-9 and coast <= horizon and coast <= 5:
            af -= 3 * math.exp(-0.25 * coast**2) * (1 + math.tanh(0.07 * (50 - height)))
    angle = 1000 * length / ae + min(theta_t, 0.1 * dlt) + min(theta_r, 0.1 * dlr)
    alpha = max(-3.4, -0.6 - 3.5e-9 * length**3.1 * tau)
    mu2 = min(1.0, (500 * length**2 / (ae * (math.sqrt(hts - hst) + math.sqrt(hrs - hsr)) ** 2)) ** alpha)
    between = min(length - dlt - dlr, 40)
    mu3 = 1.0 if hm <= 10 else math.exp(-4.6e-5 * (hm - 10) * (43 + 6 * between))
    beta = b0 * mu2 * mu3
    lb = math.log10(beta)
    gam = 1.076 / (2.0058 - lb) ** 1.012 * math.exp(-(9.51 - 4.8 * lb + 0.198 * lb**2) * 1e-6 * length**1.13)
    ap = -12 + (1.2 + 0.0037 * length) * math.log10(p / beta) + 12 * (p / beta) ** gam
    lba = af + 5e-5 * ae * f ** (1 / 3) * angle + ap
    # together
    fj = 1 - 0.5 * (1 + math.tanh(2.4 * (theta - 0.3) / 0.3))
    fk = 1 - 0.5 * (1 + math.tanh(1.5 * (length - 20) / 20))
    least = lb0p + (1 - omega) * ldp if p < b0 else lbd50 + (lb0b + (1 - omega) * ldp - lbd50) * fi
    top = max(lba, lb0p)
    duct = top + 2.5 * math.log(math.exp((lba - top) / 2.5) + math.exp((lb0p - top) / 2.5))
    lbda = lbd if duct > lbd else duct + (lbd - duct) * fk
    lbam = lbda + (least - lbda) * fj
    low = min(lbs, lbam)
    lbc = low - 5 * math.log10(10 ** (-0.2 * (lbs - low)) + 10 ** (-0.2 * (lbam - low)))
    between = {"clear": clear, "nu": nu, "trans": trans, "b0": b0, "theta": theta, "hm": hm, "Lba": lba}
    return max(lb0p, lbc), between | {"Lbs": lbs, "Lbc": lbc, "Lb0p": lb0p, "Ldp": ldp, "omega": omega}
