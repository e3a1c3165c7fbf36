/** Matrix products, where a network spends its time. */

/**
 * out[i, j] = Σ a[i, p] b[j, p] for `rows` rows of a and `columns` rows of b, of k numbers each.
 *
 * Row i of out begins at `to + i * pitch`; a begins at `from`, b at `start`. Blocks of 4 × 2 use
 * each number they load 2 or 4 times. Sums are in double precision, the fastest in JavaScript.
 */
export function product(
  a: Float32Array,
  from: number,
  b: Float32Array,
  start: number,
  out: Float32Array,
  to: number,
  pitch: number,
  rows: number,
  columns: number,
  k: number,
): void {
  let i = 0;
  for (; i + 3 < rows; i += 4) {
    const a0 = from + i * k;
    const a1 = a0 + k;
    const a2 = a1 + k;
    const a3 = a2 + k;
    const o0 = to + i * pitch;
    const o1 = o0 + pitch;
    const o2 = o1 + pitch;
    const o3 = o2 + pitch;
    let j = 0;
    for (; j + 1 < columns; j += 2) {
      const b0 = start + j * k;
      const b1 = b0 + k;
      let s00 = 0;
      let s01 = 0;
      let s10 = 0;
      let s11 = 0;
      let s20 = 0;
      let s21 = 0;
      let s30 = 0;
      let s31 = 0;
      for (let p = 0; p < k; p++) {
        const x = b[b0 + p]!;
        const y = b[b1 + p]!;
        const w0 = a[a0 + p]!;
        const w1 = a[a1 + p]!;
        const w2 = a[a2 + p]!;
        const w3 = a[a3 + p]!;
        s00 += w0 * x;
        s01 += w0 * y;
        s10 += w1 * x;
        s11 += w1 * y;
        s20 += w2 * x;
        s21 += w2 * y;
        s30 += w3 * x;
        s31 += w3 * y;
      }
      out[o0 + j] = s00;
      out[o0 + j + 1] = s01;
      out[o1 + j] = s10;
      out[o1 + j + 1] = s11;
      out[o2 + j] = s20;
      out[o2 + j + 1] = s21;
      out[o3 + j] = s30;
      out[o3 + j + 1] = s31;
    }
    if (j < columns) {
      const b0 = start + j * k;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let p = 0; p < k; p++) {
        const x = b[b0 + p]!;
        s0 += a[a0 + p]! * x;
        s1 += a[a1 + p]! * x;
        s2 += a[a2 + p]! * x;
        s3 += a[a3 + p]! * x;
      }
      out[o0 + j] = s0;
      out[o1 + j] = s1;
      out[o2 + j] = s2;
      out[o3 + j] = s3;
    }
  }
  for (; i < rows; i++) row(a, from + i * k, b, start, out, to + i * pitch, columns, k);
}

/** One row of a `product`. */
function row(
  a: Float32Array,
  from: number,
  b: Float32Array,
  start: number,
  out: Float32Array,
  to: number,
  columns: number,
  k: number,
): void {
  let j = 0;
  for (; j + 3 < columns; j += 4) {
    const b0 = start + j * k;
    const b1 = b0 + k;
    const b2 = b1 + k;
    const b3 = b2 + k;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let p = 0; p < k; p++) {
      const w = a[from + p]!;
      s0 += w * b[b0 + p]!;
      s1 += w * b[b1 + p]!;
      s2 += w * b[b2 + p]!;
      s3 += w * b[b3 + p]!;
    }
    out[to + j] = s0;
    out[to + j + 1] = s1;
    out[to + j + 2] = s2;
    out[to + j + 3] = s3;
  }
  for (; j < columns; j++) {
    const b0 = start + j * k;
    let s = 0;
    for (let p = 0; p < k; p++) s += a[from + p]! * b[b0 + p]!;
    out[to + j] = s;
  }
}

/** Transposes a matrix of rows × columns. */
export function transpose(
  x: Float32Array,
  from: number,
  out: Float32Array,
  rows: number,
  columns: number,
): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[j * rows + i] = x[from + i * columns + j]!;
  }
}
