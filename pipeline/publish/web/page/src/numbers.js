// The numbers of a pixel from a block of numbers/<device>.pmtiles; the layout is told in publish/web/web_tiles.py.

export const NOT_PERMITTED = -9999;
export const NOT_EVALUATED = -9998;
export const OUTSIDE = -32768;

/** Which block a pixel lies in, and where in it. */
export function blockOf({ row, col }, blockPx) {
  return {
    x: Math.floor(col / blockPx),
    y: Math.floor(row / blockPx),
    row: row % blockPx,
    col: col % blockPx,
  };
}

/** [{raw, service}] of all channels at a pixel of a block; raw in 0.01 dBm or one of the codes above. */
export function readPixel(bytes, channels, blockPx, row, col) {
  const plane = blockPx * blockPx;
  const found = [];
  for (let channel = 0; channel < channels; channel += 1) {
    const low = channel * 3 * plane + row * blockPx;
    let sum = 0;
    for (let i = 0; i <= col; i += 1) sum += bytes[low + i] + 256 * bytes[low + plane + i];
    const raw = (sum << 16) >> 16;
    found.push({ raw, service: bytes[low + 2 * plane + col] });
  }
  return found;
}

/** The status of a raw value in words of the interface. */
export function statusOf(raw) {
  if (raw === NOT_PERMITTED) return "not_permitted";
  if (raw === NOT_EVALUATED) return "not_evaluated";
  return raw === OUTSIDE ? "outside" : "permitted";
}

/** Whether a device may send at a level, dBm; the raw values are rounded down already. */
export function availableAt(raw, levelDbm) {
  return statusOf(raw) === "permitted" && raw >= Math.ceil(Math.round(levelDbm * 1e8) / 1e6);
}

/** Position of a raw value among the classes of a family, as styles.py: class_index. */
export function classOf(classes, raw) {
  const code = classes.findIndex((entry) => entry.code === raw);
  if (code >= 0) return code;
  return classes.findLastIndex((entry) => entry.from_raw !== null && raw >= entry.from_raw);
}

/** A level with two decimals, exactly as published. */
export function levelText(raw) {
  return (raw / 100).toFixed(2);
}
