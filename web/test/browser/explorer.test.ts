import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BROWSERS, click, drag, launch, moveTo, open, openNotebook, pixels, press, says, text } from "./browsers";

const PYTHON = process.env["PYTHON"] ?? join(import.meta.dirname, "../../../.venv/bin/python");
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const DECODED = ".room:nth-of-type(1) .look canvas";
const PLANE = ".room:nth-of-type(1) .plane";

/** Of what is decoded, in the range of the values; and half a step of a pixel. */
const CLOSE = 0.01 + 0.5 / 255;

let folder = "";
let known: Record<string, { code: number[]; image: number[] }[]>;
const file = (name: string): string => join(folder, `${name}.html`);

beforeAll(() => {
  folder = process.env["EXPLORER_PAGES"] ?? mkdtempSync(join(tmpdir(), "pages-"));
  if (!process.env["EXPLORER_PAGES"]) {
    execFileSync(PYTHON, [join(import.meta.dirname, "pages.py"), folder], { stdio: "inherit" });
  }
  known = JSON.parse(readFileSync(join(folder, "known.json"), "utf8"));
});

describe.each(BROWSERS)("in %s, from a file, with no network", (name) => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launch(name);
  });

  afterAll(async () => {
    await browser?.close();
  });

  test("the page opens without a fault or a request, and says what it shows", async () => {
    const { page, faults } = await open(browser, file("two"));
    expect(await text(page, "h1")).toBe("ae and vae on digits");
    expect(await text(page, "header .says")).toMatch(/^All \d+ test examples/);
    expect(await page.$$(".plane")).toHaveLength(2);
    expect(faults).toEqual([]);
    await page.close();
  });

  test.each(["ae", "vae", "wide"])("%s decodes as PyTorch does", async (model) => {
    const [page_, seat] = model === "wide" ? ["wide", 0] : ["two", model === "ae" ? 0 : 1];
    for (const { code, image } of known[model] ?? []) {
      const { page } = await open(browser, file(page_ as string), `#rest${seat}=${code.join("+")}`);
      const found = await pixels(page, `.room:nth-of-type(${Number(seat) + 1}) .look canvas`);
      expect(found).toHaveLength(image.length);
      const worst = Math.max(...found.map((value, i) => Math.abs(value - (image[i] as number))));
      expect(worst).toBeLessThan(CLOSE);
      await page.close();
    }
  });

  test("the cursor decodes, and the nearest example stands beside it", async () => {
    const { page, faults } = await open(browser, file("two"));
    const before = await pixels(page, DECODED);
    await moveTo(page, PLANE, 0.2, 0.3);
    const first = await pixels(page, DECODED);
    const where = await text(page, ".room:nth-of-type(1) .look .figure");
    await moveTo(page, PLANE, 0.7, 0.6);
    expect(first).not.toEqual(before);
    expect(await pixels(page, DECODED)).not.toEqual(first);
    expect(where).toMatch(/^\(−?\d+\.\d\d, −?\d+\.\d\d\)$/);
    expect(await text(page, ".room:nth-of-type(1) .look figure:nth-of-type(2)")).toMatch(/“\d”, \d+\.\d\d away/);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("an example that is pointed at in one model is shown in the other, both ways", async () => {
    const { page, faults } = await open(browser, file("two"));
    const look = (room: number): string => `.room:nth-of-type(${room}) .look`;
    for (const [here, there] of [[1, 2], [2, 1]] as const) {
      const plane = `.room:nth-of-type(${here}) .plane`;
      let met = false;
      // Across the middle, where the codes lie, until the cursor meets one.
      for (let x = 0.25; x < 0.75 && !met; x += 0.008) {
        await moveTo(page, plane, x, 0.5);
        met = !(await text(page, `${look(there)} .figure`)).startsWith("at rest");
      }
      expect(met).toBe(true);
      const [mine, other] = [await pixels(page, `${look(here)} figure:nth-of-type(2) canvas`), await pixels(page, `${look(there)} figure:nth-of-type(2) canvas`)];
      expect(other).toEqual(mine);
      await moveTo(page, "h1", 0.5, 0.5);
      expect(await text(page, `${look(there)} .figure`)).toMatch(/^at rest/);
    }
    expect(faults).toEqual([]);
    await page.close();
  });

  test("two pins make a strip whose ends are the pins, and a film", async () => {
    const { page, faults } = await open(browser, file("two"));
    await click(page, PLANE, 0.3, 0.4);
    const first = await pixels(page, DECODED);
    await click(page, PLANE, 0.7, 0.6);
    const last = await pixels(page, DECODED);
    const way = ".room:nth-of-type(1) .card";
    await says(page, way, /11 codes from pin A to pin B/);
    const strip = await pixels(page, `${way} canvas.row`);
    const [side, width] = [8, 11 * 9 - 1];
    const cut = (k: number): number[] =>
      Array.from({ length: side * side }, (_, i) => strip[Math.floor(i / side) * width + k * 9 + (i % side)] as number);
    expect(cut(0)).toEqual(first);
    expect(cut(10)).toEqual(last);
    const still = await pixels(page, `${way} .film canvas`);
    await press(page, "Play");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await pixels(page, `${way} .film canvas`)).not.toEqual(still);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("a path that is drawn is decoded along its way", async () => {
    const { page } = await open(browser, file("two"));
    await press(page, "path");
    await drag(page, PLANE, [[0.2, 0.2], [0.5, 0.7], [0.8, 0.3]]);
    await says(page, ".room:nth-of-type(1) .card", /11 codes at equal distances along the drawn path/);
    await page.close();
  });

  test("the lasso shows the examples inside and counts their classes, in both models", async () => {
    const { page, faults } = await open(browser, file("two"));
    await press(page, "lasso");
    await drag(page, PLANE, [[0.05, 0.05], [0.95, 0.05], [0.95, 0.95], [0.05, 0.95]]);
    const said = await says(page, ".shared .says", /^\d+ of \d+ examples/);
    const within = Number(said.split(" ")[0]);
    const counts = await page.$$eval(".bars span:last-child", (spans) => spans.map((span) => Number(span.textContent)));
    expect(within).toBeGreaterThan(50);
    expect(counts.reduce((sum, of) => sum + of, 0)).toBe(within);
    expect(await page.$$(".shared .pictures canvas")).toHaveLength(Math.min(within, 96));
    await click(page, PLANE, 0.5, 0.5);
    await says(page, ".shared .says", /^Take the lasso/);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("sliders move the code at rest, and the address keeps it", async () => {
    const { page, faults } = await open(browser, file("wide"));
    const before = await pixels(page, DECODED);
    const address = await page.evaluate(() => location.hash);
    await drag(page, ".sliders label:first-child input", [[0.5, 0.5], [0.95, 0.5]]);
    expect(await pixels(page, DECODED)).not.toEqual(before);
    const moved = await text(page, ".sliders label:first-child output");
    await page.waitForFunction((old) => location.hash !== old && location.hash.includes("rest0="), {}, address);
    const hash = await page.evaluate(() => location.hash);
    const image = await pixels(page, DECODED);
    await page.close();
    const again = await open(browser, file("wide"), hash);
    expect(await text(again.page, ".sliders label:first-child output")).toBe(moved);
    const shown = await pixels(again.page, DECODED);
    expect(Math.max(...shown.map((value, i) => Math.abs(value - (image[i] as number))))).toBeLessThan(0.01);
    expect(faults).toEqual([]);
    await again.page.close();
  });

  test("codes of many numbers are looked at on their principal plane or two numbers", async () => {
    const { page, faults } = await open(browser, file("wide"));
    await says(page, ".frame .says", /first two principal components/);
    await page.select(".charts select", "dims");
    await says(page, ".frame .says", /^Two of the 12 numbers/);
    await moveTo(page, PLANE, 0.4, 0.6);
    expect(await text(page, ".look .figure")).toMatch(/12 numbers/);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("a drawing is encoded, lands on the plane and is reconstructed", async () => {
    const { page, faults } = await open(browser, file("two"));
    const empty = await pixels(page, ".outcome figure:nth-of-type(2) canvas");
    await drag(page, ".pad", [[0.35, 0.2], [0.65, 0.2], [0.5, 0.85]]);
    await says(page, ".outcome figure:nth-of-type(2)", /squared error \d/);
    const seen = await pixels(page, ".outcome figure:nth-of-type(1) canvas");
    expect(Math.max(...seen)).toBeGreaterThan(0.5);
    expect(await pixels(page, ".outcome figure:nth-of-type(2) canvas")).not.toEqual(empty);
    await press(page, "Clear", ".drawing");
    expect(await pixels(page, ".outcome figure:nth-of-type(2) canvas")).toEqual(empty);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("a conditional model draws the class that is asked for", async () => {
    const { page, faults } = await open(browser, file("cvae"));
    const zero = await pixels(page, DECODED);
    await press(page, "7", ".card");
    expect(await pixels(page, DECODED)).not.toEqual(zero);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("an entry of a discrete code is changed by a click", async () => {
    const { page, faults } = await open(browser, file("vq"));
    await click(page, PLANE, 0.5, 0.5);
    const before = await pixels(page, DECODED);
    await says(page, ".room:nth-of-type(1) .card:nth-of-type(2)", /Group 1 holds entry \d+ of/);
    await page.$$eval(".pictures button", (buttons) => (buttons.at(-1) as HTMLElement).click());
    expect(await pixels(page, DECODED)).not.toEqual(before);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("noise is put on an example and taken off again", async () => {
    const { page, faults } = await open(browser, file("denoising"));
    const noisy = ".restored figure:nth-of-type(2) canvas";
    const before = await pixels(page, noisy);
    await drag(page, ".level input", [[0.5, 0.5], [0.95, 0.5]]);
    expect(await pixels(page, noisy)).not.toEqual(before);
    expect(await text(page, ".restored figure:nth-of-type(3)")).toMatch(/squared error \d/);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("two fingers zoom the plane, one pans it", async () => {
    const { page, faults } = await open(browser, file("two"));
    const box = await (await page.$(PLANE))?.boundingBox();
    if (!box) throw new Error("There is no plane.");
    const zoom = async (): Promise<number[]> => {
      // Longer than the address takes to follow.
      await new Promise((resolve) => setTimeout(resolve, 500));
      const hash = await page.evaluate(() => location.hash);
      return (new URLSearchParams(hash.slice(1)).get("view0") ?? "").split(" ").map(Number);
    };
    const at = (x: number, y: number): [number, number] => [box.x + x * box.width, box.y + y * box.height];
    const one = await page.touchscreen.touchStart(...at(0.45, 0.5));
    const other = await page.touchscreen.touchStart(...at(0.55, 0.5));
    await other.move(...at(0.7, 0.5));
    await other.move(...at(0.85, 0.5));
    await other.end();
    await one.end();
    const [x, , closer] = await zoom();
    expect(closer).toBeGreaterThan(2);
    const finger = await page.touchscreen.touchStart(...at(0.5, 0.5));
    await finger.move(...at(0.6, 0.5));
    await finger.move(...at(0.8, 0.5));
    await finger.end();
    const [moved, , same] = await zoom();
    expect(moved).toBeLessThan(x as number);
    expect(same).toBeCloseTo(closer as number, 3);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("the keyboard alone moves, pins and zooms", async () => {
    const { page, faults } = await open(browser, file("two"));
    await page.focus(PLANE);
    for (const key of ["ArrowLeft", "ArrowUp", "Enter", "ArrowRight", "ArrowRight", "Enter", "+"] as const) {
      await page.keyboard.press(key);
    }
    await says(page, ".room:nth-of-type(1) .card", /from pin A to pin B/);
    expect(await text(page, ".look .unseen")).toMatch(/Nearest example/);
    await page.keyboard.press("Escape");
    await says(page, ".room:nth-of-type(1) .card", /Click two places/);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("a decoder that the page cannot run is stood in for by pictures, and it says so", async () => {
    const { page, faults } = await open(browser, file("odd"));
    await says(page, ".warning", /cannot run the decoder.*fft.*32 × 32/);
    await moveTo(page, PLANE, 0.2, 0.3);
    const first = await pixels(page, DECODED);
    await moveTo(page, PLANE, 0.7, 0.6);
    expect(Math.max(...first)).toBeGreaterThan(0.2);
    expect(await pixels(page, DECODED)).not.toEqual(first);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("served, the program decodes what the page cannot, and stops when it is told", async () => {
    const run = join(folder, "runs", "odd");
    const trust = JSON.parse(readFileSync(join(run, "run.json"), "utf8")).network_sha256;
    const server = spawn(PYTHON, ["-m", "autoencode", "explore", run, "--no-browser"], {
      env: { ...process.env, AUTOENCODE_TRUST: trust },
    });
    const stopped = new Promise((resolve) => server.on("exit", resolve));
    try {
      const address = await new Promise<string>((resolve, reject) => {
        server.stdout.on("data", (said) => /http:\S+/.exec(String(said))?.map(resolve));
        server.stderr.on("data", (said) => reject(new Error(String(said))));
      });
      const page = await browser.newPage();
      await page.setViewport({ width: 1280, height: 900 });
      await page.goto(address);
      await says(page, ".warning", /The program that serves the page decodes/);
      await moveTo(page, PLANE, 0.2, 0.3);
      await page.waitForFunction(painted, {}, DECODED);
      const first = await pixels(page, DECODED);
      await moveTo(page, PLANE, 0.7, 0.6);
      await page.waitForFunction((selector, old) => {
        const canvas = document.querySelector(selector) as HTMLCanvasElement;
        const { data } = (canvas.getContext("2d") as CanvasRenderingContext2D).getImageData(0, 0, canvas.width, canvas.height);
        return old.some((value, i) => Math.abs(value - (data[4 * i] as number) / 255) > 0.01);
      }, {}, DECODED, first);
      await page.close();
    } finally {
      server.kill("SIGTERM");
    }
    expect(await stopped).toBe(0);
  });

  test("a notebook shows the page in a frame, and in it the cursor decodes", async () => {
    const { page, frame, box, faults } = await openNotebook(browser, file("notebook"));
    const before = await frame.$eval(".look .figure", (element) => element.textContent);
    await page.mouse.move(box.x + 0.3 * box.width, box.y + 0.4 * box.height, { steps: 3 });
    expect(await frame.$eval(".look .figure", (element) => element.textContent)).not.toBe(before);
    // Longer than the address takes to follow.
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(faults).toEqual([]);
    await page.close();
  });

  test("a widget and its kernel hear of each other", async () => {
    const { page, frame, box, faults } = await openNotebook(browser, file("widget"));
    // What was set before the page was there.
    await frame.waitForFunction("document.body.textContent.includes('1 of 359 examples')");
    await page.waitForFunction("kernel.codes.length === 1 && kernel.selected.length === 1");
    // From the page to the kernel.
    const before = await page.evaluate("kernel.codes[0]");
    await page.mouse.click(box.x + 0.3 * box.width, box.y + 0.4 * box.height);
    await page.waitForFunction("kernel.pins[0].length === 1");
    expect(await page.evaluate("kernel.pins[0][0]")).toEqual(await page.evaluate("kernel.codes[0]"));
    expect(await page.evaluate("kernel.codes[0]")).not.toEqual(before);
    expect(await page.evaluate("kernel.selected")).toEqual([5]);
    // And back.
    await page.evaluate("tell('codes', [[0.25, -0.5]]); tell('pins', [[]]); tell('selected', [3, 4, 9])");
    await frame.waitForFunction("document.querySelector('.look .figure').textContent === 'at rest (0.25, −0.50)'");
    await frame.waitForFunction("document.body.textContent.includes('3 of 359 examples')");
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await page.evaluate("[kernel.codes, kernel.pins, kernel.selected]")).toEqual([[[0.25, -0.5]], [[]], [3, 4, 9]]);
    // A widget that was taken away hears no more.
    await page.evaluate("end()");
    await page.evaluate("document.querySelector('iframe').contentWindow.postMessage({ autoencode: { selected: [] } }, '*')");
    await frame.waitForFunction("!document.body.textContent.includes('3 of 359 examples')");
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await page.evaluate("kernel.selected")).toEqual([3, 4, 9]);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("lines of Python are shown where a page may not copy them", async () => {
    const { page, faults } = await open(browser, file("two"));
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (t) => { window.copied = t; } } })");
    await press(page, "Copy as Python", ".room:nth-of-type(1)");
    await says(page, ".room:nth-of-type(1) .look > .says", /^Copied/);
    expect(await page.evaluate("copied")).toContain("model.decoder(z)");
    await page.evaluate("navigator.clipboard.writeText = async () => { throw new Error('no'); }");
    await press(page, "Copy as Python", ".room:nth-of-type(1)");
    await says(page, ".room:nth-of-type(1) .look > .says", /here are the lines/);
    expect(await page.$eval(".look .lines", (lines) => (lines as HTMLTextAreaElement).value)).toBe(await page.evaluate("copied"));
    expect(faults).toEqual([]);
    await page.close();
  });

  test("names that are HTML are shown as text", async () => {
    const { page, faults } = await open(browser, file("hostile"));
    expect(await text(page, "h1")).toContain("<img src=x onerror=");
    expect(await text(page, ".legend")).toContain("<img src=x onerror=");
    await press(page, "lasso");
    await drag(page, PLANE, [[0.05, 0.05], [0.95, 0.05], [0.95, 0.95], [0.05, 0.95]]);
    await says(page, ".bars", /<img src=x/);
    expect(await page.$$("img")).toHaveLength(0);
    expect(await page.title()).not.toBe("caught");
    expect(faults).toEqual([]);
    await page.close();
  });

  test.each([
    ["cut off", (html: string) => html.replace(/(id="content">\s*)(\d+:[^\n]{4000})[^\n]*/, "$1$2"), /damaged/],
    ["changed", (html: string) => html.replace(/(id="content">\s*\d+:[^\n]{2000})[^\n]{40}/, `$1${"!".repeat(40)}`), /damaged/],
    ["foreign", (html: string) => html.replace(/(id="content">\s*)\d+:[^\n]*/, "$1hello"), /damaged|no file/],
    ["empty", (html: string) => html.replace(/(id="content">\s*)\d+:[^\n]*/, "$1"), /nothing to show|damaged/],
  ])("content that is %s is refused in a sentence", async (how, spoil, sentence) => {
    const spoiled = join(folder, `${how.replace(" ", "-")}-${name}.html`);
    writeFileSync(spoiled, spoil(readFileSync(file("two"), "utf8")));
    const { page } = await open(browser, spoiled);
    expect(await text(page, ".failed")).toMatch(sentence);
    await page.close();
  });

  // Firefox is not told here which scheme to prefer.
  test.each(name === "chrome" ? ["light", "dark"] : ["light"])("a checker of accessibility finds no fault in %s", async (scheme) => {
    for (const each of ["two", "wide", "cvae", "vq", "denoising"]) {
      const { page } = await open(browser, file(each));
      if (name === "chrome") await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.evaluate(readFileSync(AXE, "utf8"));
      const faults = await page.evaluate(async () => {
        const axe = (window as unknown as { axe: { run: () => Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> } }).axe;
        const { violations } = await axe.run();
        return violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes[0]?.html}`);
      });
      expect(faults).toEqual([]);
      await page.close();
    }
  });
});

/** Whether a canvas holds anything; runs in the page. */
function painted(selector: string): boolean {
  const canvas = document.querySelector(selector) as HTMLCanvasElement;
  const { data } = (canvas.getContext("2d") as CanvasRenderingContext2D).getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, i) => i % 4 < 3 && value > 50);
}
