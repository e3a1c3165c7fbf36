import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { fromText, readContent } from "../src/content";

const SIGNS = Array.from({ length: 94 }, (_, i) => String.fromCharCode(0x21 + i)).filter((sign) => !'"&<'.includes(sign));

/** As Python writes it. */
function asText(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const groups = bits.match(/.{1,13}/g) ?? [];
  const signs = groups.map((group) => {
    const value = Number.parseInt(group.padEnd(13, "0"), 2);
    return `${SIGNS[Math.floor(value / 91)]}${SIGNS[value % 91]}`;
  });
  return `${bytes.length}:${signs.join("")}`;
}

function packed(header: unknown, blobs: Uint8Array = new Uint8Array(), magic = "AEXPLORE"): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const whole = new Uint8Array(12 + text.length + blobs.length);
  whole.set(new TextEncoder().encode(magic));
  new DataView(whole.buffer).setUint32(8, text.length, true);
  whole.set(text, 12);
  whole.set(blobs, 12 + text.length);
  return new Uint8Array(gzipSync(whole));
}

const HEADER = { format: 1, models: [{}], examples: {} };

test.each([1, 2, 12, 13, 14, 999])("text stands for %i bytes", (n) => {
  const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 97 + 13) % 256);
  expect([...fromText(`\n${asText(bytes)}\n`)]).toEqual([...bytes]);
});

test.each(["", "12", "5:!!", "4:<<<<<<<<", "3:\u00e9\u00e9\u00e9\u00e9"])("text %j is refused", (text) => {
  expect(() => fromText(text)).toThrow(/damaged/);
});

test("numbers of every kind are read from their place", async () => {
  const blobs = new Uint8Array(16);
  new DataView(blobs.buffer).setFloat32(0, 1.5, true);
  // 1 and −2 in half precision, low bytes first.
  blobs.set([0x00, 0x00, 0x3c, 0xc0], 4);
  blobs.set([7, 0, 9, 1], 8);
  const content = await readContent(packed(HEADER, blobs));
  expect([...content.floats({ kind: "float32", shape: [1], offset: 0 })]).toEqual([1.5]);
  expect([...content.floats({ kind: "float16", shape: [2], offset: 4 })]).toEqual([1, -2]);
  expect([...content.whole({ kind: "uint16", shape: [2], offset: 8 })]).toEqual([7, 265]);
  expect(() => content.floats({ kind: "float32", shape: [2], offset: 12 })).toThrow(/damaged.*missing/);
});

test.each([
  ["no gzip", new Uint8Array([1, 2, 3]), /cannot be unpacked/],
  ["another file", packed(HEADER, undefined, "ANOTHER!"), /no file of the explorer/],
  ["another format", packed({ ...HEADER, format: 2 }), /format 2.*format 1/],
  ["no model", packed({ ...HEADER, models: [] }), /no model/],
])("%s is refused in a sentence", async (_, bytes, sentence) => {
  await expect(readContent(bytes as Uint8Array<ArrayBuffer>)).rejects.toThrow(sentence);
});
