import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { fromBase85, readContent } from "../src/content";

/** Texts that Python wrote: container.as_text(bytes((i * 97 + 13) % 256 for i in range(n))). */
const TEXTS: Readonly<Record<number, string>> = {
  1: "4F",
  2: "4Q/",
  3: "4Q|f",
  4: "4Q|gc",
  5: "4Q|gckp",
  12: "4Q|gck@8ct6?WG+",
  13: "4Q|gck@8ct6?WG+nE",
  256: "4Q|gck@8ct6?WG+nfhD29e.?Hp#o#XC5GonsS0b%EspO{u@ZCCHJ0~Sxf*-iJ)Zwy!6Jj?MWzR6$tsKNO|B1c(K3_tRkjy+**cs2UA`ZH;X,PXWyU9n=}M~%ZO$){@lvxCb=EhS`C7XiecnHy0b;`/h2}@732MtMjqXpd5pvTsmG)P-8G741o.I0IA%f#Xr3PonDT?b%tqyO{F_QCCwH9~SIhy-iy.iwyL81d/#U_X7NvaEM%`T7dQL+,s)i#.-S-Km1-9DcHVZtMX,wmCnY04{%?M|-{anduC^;WkSdD=Ui{a(Kyf#O4?1!l)6iRw$N",
};

function packed(header: unknown, blobs: Uint8Array = new Uint8Array(), magic = "AEXPLORE"): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(12 + text.length + blobs.length);
  file.set(new TextEncoder().encode(magic));
  new DataView(file.buffer).setUint32(8, text.length, true);
  file.set(text, 12);
  file.set(blobs, 12 + text.length);
  return new Uint8Array(gzipSync(file));
}

const HEADER = { format: 1, models: [{}], examples: {} };

test.each(Object.entries(TEXTS))("text encodes %s bytes", (n, text) => {
  const bytes = Uint8Array.from({ length: Number(n) }, (_, i) => (i * 97 + 13) % 256);
  expect([...fromBase85(`\n${text}\n`)]).toEqual([...bytes]);
});

test.each(["", "1", "000000", "~~~~~", "<0", "ab&cd", "\u00e9\u00e9\u00e9\u00e9\u00e9"])("text %j is refused", (text) => {
  expect(() => fromBase85(text)).toThrow(/damaged/);
});

test("arrays of every kind are read", async () => {
  const blobs = new Uint8Array(16);
  new DataView(blobs.buffer).setFloat32(0, 1.5, true);
  // 1 and −2 in half precision, low bytes first.
  blobs.set([0x00, 0x00, 0x3c, 0xc0], 4);
  blobs.set([7, 0, 9, 1], 8);
  const content = await readContent(packed(HEADER, blobs));
  expect([...content.floats({ kind: "float32", shape: [1], offset: 0 })]).toEqual([1.5]);
  expect([...content.floats({ kind: "float16", shape: [2], offset: 4 })]).toEqual([1, -2]);
  expect([...content.integers({ kind: "uint16", shape: [2], offset: 8 })]).toEqual([7, 265]);
  expect(() => content.floats({ kind: "float32", shape: [2], offset: 12 })).toThrow(/damaged.*missing/);
});

test.each([
  ["no gzip", new Uint8Array([1, 2, 3]), /cannot be decompressed/],
  ["another file", packed(HEADER, undefined, "ANOTHER!"), /not a file of the explorer/],
  ["another format", packed({ ...HEADER, format: 2 }), /format 2.*format 1/],
  ["no model", packed({ ...HEADER, models: [] }), /no model/],
])("%s is refused with a message", async (_, bytes, sentence) => {
  await expect(readContent(bytes as Uint8Array<ArrayBuffer>)).rejects.toThrow(sentence);
});
