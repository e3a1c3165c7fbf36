import { expect, it } from "vitest";
import { fromHalf } from "../src/runtime/half";

it("reads half precision", () => {
  const known: [number, number][] = [
    [0x0000, 0],
    [0x8000, -0],
    [0x3c00, 1],
    [0xbc00, -1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x03ff, 1023 * 2 ** -24],
    [0x8001, -(2 ** -24)],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
  ];
  const found = fromHalf(Uint16Array.from(known, ([bits]) => bits));
  known.forEach(([, number], i) => expect(found[i]).toBe(number));
  expect(fromHalf(Uint16Array.of(0x7e00))[0]).toBeNaN();
});

it("reads every number but the infinite ones as its sign, exponent and fraction say", () => {
  const bits = Uint16Array.from({ length: 0x7c00 }, (_, i) => i);
  fromHalf(bits).forEach((x, i) => {
    const [exponent, fraction] = [i >> 10, i & 1023];
    expect(x).toBe(exponent ? 2 ** (exponent - 25) * (1024 + fraction) : fraction * 2 ** -24);
  });
});
