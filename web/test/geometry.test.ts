import { expect, test } from "vitest";
import { along, between, inside, places, ticks } from "../src/geometry";
import { nearestRow } from "../src/model";
import { View } from "../src/plane/view";

test("a straight way has both ends and equal steps", () => {
  const way = between(Float32Array.of(0, 2), Float32Array.of(4, 0), 5, false);
  expect(way.map((z) => [...z])).toEqual([[0, 2], [1, 1.5], [2, 1], [3, 0.5], [4, 0]]);
});

test("an arc keeps the length of codes that have one length", () => {
  const way = between(Float32Array.of(3, 0), Float32Array.of(0, 3), 7, true);
  for (const z of way) expect(Math.hypot(...z)).toBeCloseTo(3, 5);
  // Equal angles: the middle one is halfway.
  expect((way[3] as Float32Array)[0]).toBeCloseTo(3 / Math.SQRT2, 5);
});

test("codes in one direction have no arc, and are joined straight", () => {
  const way = between(Float32Array.of(1, 1), Float32Array.of(2, 2), 3, true);
  expect([...(way[1] as Float32Array)]).toEqual([1.5, 1.5]);
});

test("points along a line are at equal distances", () => {
  const points = along([[0, 0], [1, 0], [1, 3]], 5);
  expect(points).toEqual([[0, 0], [1, 0], [1, 1], [1, 2], [1, 3]]);
});

test("inside of a closed line, and outside", () => {
  const bent = [[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]] as const;
  expect(inside([1, 1], bent)).toBe(true);
  expect(inside([2, 3], bent)).toBe(false);
  expect(inside([5, 1], bent)).toBe(false);
});

test("ticks are round and few", () => {
  expect(ticks(-1.2, 3.9, 6)).toEqual([-1, 0, 1, 2, 3]);
  expect(ticks(0, 0.31, 3)).toHaveLength(2);
  expect(ticks(2, 2, 5)).toEqual([]);
  expect(places([0, 0.2])).toBe(1);
  expect(places([0, 10])).toBe(0);
});

test("the nearest row", () => {
  const found = nearestRow(Float32Array.of(0, 0, 3, 4, 6, 8), Float32Array.of(3, 3), 2);
  expect(found).toEqual({ which: 1, distance: 1 });
});

test("a view goes to the screen and back, and zooms about a place", () => {
  const view = new View(400);
  view.fit(Float32Array.of(-1, -2, 3, 2));
  const [px, py] = view.toScreen(0.5, 1);
  expect(view.toPlane(px, py)[0]).toBeCloseTo(0.5, 6);
  expect(view.toPlane(px, py)[1]).toBeCloseTo(1, 6);
  view.zoom(3, px, py);
  expect(view.toPlane(px, py)[0]).toBeCloseTo(0.5, 6);
  const kept = view.state;
  view.fit(Float32Array.of(-9, -9, 9, 9));
  view.fit(Float32Array.of(-1, -2, 3, 2));
  view.state = kept;
  expect(view.toScreen(0.5, 1)[0]).toBeCloseTo(px, 4);
});
