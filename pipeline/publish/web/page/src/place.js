// Lon/lat to pixels of the grid and back, by the polynomials in maps.json.

/** Chebyshev polynomials T0 .. T(count - 1) at t. */
function chebyshev(t, count) {
  const values = [1, t];
  for (let k = 2; k < count; k += 1) values.push(2 * t * values[k - 1] - values[k - 2]);
  return values.slice(0, count);
}

/** Both functions of a fit at (u, v), or null outside its box. */
export function evaluate(fit, u, v) {
  const [u0, v0, u1, v1] = fit.box;
  if (!(u >= u0 && u <= u1 && v >= v0 && v <= v1)) return null;
  const count = fit.first.length;
  const across = chebyshev((2 * u - u0 - u1) / (u1 - u0), count);
  const down = chebyshev((2 * v - v0 - v1) / (v1 - v0), count);
  return [fit.first, fit.second].map((rows) =>
    rows.reduce((sum, row, i) => sum + down[i] * row.reduce((part, c, j) => part + c * across[j], 0), 0),
  );
}

/** The longitude of the same place that lies nearest to the box: a map counts on beyond 180 degrees. */
export function wrapped(lon, [west, , east]) {
  const middle = (west + east) / 2;
  return middle + ((((lon - middle + 180) % 360) + 360) % 360) - 180;
}

/** {row, col} of the pixel that holds a place, or null where the grid has none. */
export function pixelOf(grid, lon, lat) {
  const found = evaluate(grid.to_pixel, wrapped(lon, grid.to_pixel.box), lat);
  if (!found) return null;
  const [col, row] = found.map(Math.floor);
  return col >= 0 && row >= 0 && col < grid.width && row < grid.height ? { row, col } : null;
}

/** The corners of a pixel as a closed ring of [lon, lat]; clamped to the box of the territory. */
export function outlineOf(grid, { row, col }) {
  const [c0, r0, c1, r1] = grid.to_lonlat.box;
  const corners = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]];
  return corners.map(([right, down]) =>
    evaluate(
      grid.to_lonlat,
      Math.min(Math.max(col + right, c0), c1),
      Math.min(Math.max(row + down, r0), r1),
    ),
  );
}
