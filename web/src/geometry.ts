/** Interpolation between codes, and geometry of the plane. */

export type Point = readonly [x: number, y: number];

/** Codes from a to b, both included: linear, or spherical with `arc`. */
export function between(a: Float32Array, b: Float32Array, steps: number, arc: boolean): Float32Array[] {
  const angle = arc ? angleBetween(a, b) : 0;
  return Array.from({ length: steps }, (_, i) => {
    const t = steps === 1 ? 0 : i / (steps - 1);
    // (Nearly) parallel or opposite codes have no arc between them.
    const bent = angle > 1e-4 && angle < Math.PI - 1e-4;
    const from = bent ? Math.sin((1 - t) * angle) / Math.sin(angle) : 1 - t;
    const to = bent ? Math.sin(t * angle) / Math.sin(angle) : t;
    return a.map((value, k) => from * value + to * (b[k] as number));
  });
}

function angleBetween(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let lengths = [0, 0] as [number, number];
  a.forEach((value, k) => {
    const other = b[k] as number;
    dot += value * other;
    lengths = [lengths[0] + value * value, lengths[1] + other * other];
  });
  const length = Math.sqrt(lengths[0] * lengths[1]);
  return length ? Math.acos(Math.min(1, Math.max(-1, dot / length))) : 0;
}

/** Points at equal distances along a line. */
export function along(line: readonly Point[], steps: number): Point[] {
  const reached = [0];
  for (let i = 1; i < line.length; i++) {
    const [a, b] = [line[i - 1] as Point, line[i] as Point];
    reached.push((reached[i - 1] as number) + Math.hypot(b[0] - a[0], b[1] - a[1]));
  }
  const length = reached[reached.length - 1] ?? 0;
  let i = 1;
  return Array.from({ length: line.length ? steps : 0 }, (_, k) => {
    const at = steps === 1 ? 0 : (length * k) / (steps - 1);
    while (i < line.length - 1 && (reached[i] as number) < at) i++;
    const [a, b] = [line[i - 1] ?? (line[0] as Point), line[i] ?? (line[0] as Point)];
    const span = (reached[i] ?? 0) - (reached[i - 1] ?? 0);
    const t = span > 0 ? (at - (reached[i - 1] as number)) / span : 0;
    return [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
  });
}

/** Whether a point is inside a closed line. */
export function inside([x, y]: Point, line: readonly Point[]): boolean {
  let result = false;
  for (let i = 0, j = line.length - 1; i < line.length; j = i++) {
    const [ax, ay] = line[i] as Point;
    const [bx, by] = line[j] as Point;
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) result = !result;
  }
  return result;
}

/** About so many round numbers from `low` to `high`, for an axis. */
export function ticks(low: number, high: number, about: number): number[] {
  const rough = (high - low) / Math.max(1, about);
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((of) => of * power).find((of) => of >= rough) as number;
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(k * step + 0);
  return found;
}

/** Decimal places that distinguish the ticks of an axis. */
export function places(ticksOf: readonly number[]): number {
  const step = ticksOf.length > 1 ? Math.abs((ticksOf[1] as number) - (ticksOf[0] as number)) : 1;
  return Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
}
