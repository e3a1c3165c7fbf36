import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BROWSERS, click, drag, launch, moveTo, open, openNotebook, pixels, press, settledAddress, text, waitForText } from "./browsers";
import { lessonTests } from "./lesson";

const PYTHON = process.env["PYTHON"] ?? join(import.meta.dirname, "../../../.venv/bin/python");
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const DECODED = ".model:nth-of-type(1) .inspector canvas";
const PLANE = ".model:nth-of-type(1) .plane";

/** The tolerance of decoded values: 0.01, and half a step of a pixel. */
const TOLERANCE = 0.01 + 0.5 / 255;

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

  test("the page opens without an error or a request, and describes its examples", async () => {
    const { page, faults } = await open(browser, file("two"));
    expect(await text(page, "h1")).toBe("ae and vae on digits");
    expect(await text(page, "header .note")).toMatch(/^All \d+ test examples/);
    expect(await page.$$(".plane")).toHaveLength(2);
    expect(faults).toEqual([]);
    await page.close();
  });

  test.each([
    ["the styles", (whole: string) => whole.indexOf("<style>") + 200],
    ["the title", (whole: string) => whole.indexOf("<title>") + 9],
    ["an attribute", (whole: string) => whole.indexOf('id="content"') + 5],
    ["the first content", (whole: string) => whole.indexOf('id="content"') + 100],
    ["the middle", (whole: string) => whole.length >> 1],
    ["the program", (whole: string) => whole.lastIndexOf("<script>") + 5000],
    ["the end of the program", (whole: string) => whole.lastIndexOf("</script>") + 4],
  ])("a page that is cut off in %s says so", async (_, place) => {
    const whole = readFileSync(file("two"), "utf8");
    writeFileSync(file("cut"), whole.slice(0, place(whole)));
    const { page } = await open(browser, file("cut"));
    expect(await text(page, "body")).toMatch(/^This page is damaged or incomplete/);
    await page.close();
  });

  test.each([
    ["content that is missing", (whole: string) => whole.replace(/(id="content">)[^<]*/, "$1"), /no content/],
    ["less content", (whole: string) => whole.replace(/(id="content">\n.{5000})[^<]*/s, "$1"), /damaged/],
    ["one other character", (whole: string) => whole.replace(/(id="content">\n.{5000})./s, "$1~"), /damaged/],
    ["another program", (whole: string) => whole.replace('"use strict"', '"use strict" '), /damaged/],
    ["no place for the page", (whole: string) => whole.replace('id="app"', 'id="apq"').replace(/id="content"/, ""), /no content/],
  ])("a page with %s says so", async (_, change, message) => {
    const whole = readFileSync(file("two"), "utf8");
    expect(change(whole)).not.toBe(whole);
    writeFileSync(file("cut"), change(whole));
    const { page } = await open(browser, file("cut"));
    expect(await text(page, ".failed")).toMatch(message);
    await page.close();
  });

  test.each(["ae", "vae", "wide"])("%s decodes as PyTorch does", async (model) => {
    const [page_, number] = model === "wide" ? ["wide", 0] : ["two", model === "ae" ? 0 : 1];
    for (const { code, image } of known[model] ?? []) {
      const { page } = await open(browser, file(page_ as string), `#code${number}=${code.join("+")}`);
      const found = await pixels(page, `.model:nth-of-type(${Number(number) + 1}) .inspector canvas`);
      expect(found).toHaveLength(image.length);
      const worst = Math.max(...found.map((value, i) => Math.abs(value - (image[i] as number))));
      expect(worst).toBeLessThan(TOLERANCE);
      await page.close();
    }
  });

  test("the cursor decodes, and the nearest example is shown", async () => {
    const { page, faults } = await open(browser, file("two"));
    const before = await pixels(page, DECODED);
    await moveTo(page, PLANE, 0.2, 0.3);
    const first = await pixels(page, DECODED);
    const where = await text(page, ".model:nth-of-type(1) .inspector .value");
    await moveTo(page, PLANE, 0.7, 0.6);
    expect(first).not.toEqual(before);
    expect(await pixels(page, DECODED)).not.toEqual(first);
    expect(where).toMatch(/^\(−?\d+\.\d\d, −?\d+\.\d\d\)$/);
    expect(await text(page, ".model:nth-of-type(1) .inspector figure:nth-of-type(2)")).toMatch(/class “\d”, distance \d+\.\d\d/);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("an example under the cursor in one model is shown in the other, both ways", async () => {
    const { page, faults } = await open(browser, file("two"));
    const inspector = (model: number): string => `.model:nth-of-type(${model}) .inspector`;
    for (const [here, there] of [[1, 2], [2, 1]] as const) {
      const plane = `.model:nth-of-type(${here}) .plane`;
      let marked = false;
      // Across the middle, until the cursor is on an example.
      for (let x = 0.25; x < 0.75 && !marked; x += 0.008) {
        await moveTo(page, plane, x, 0.5);
        marked = !(await text(page, `${inspector(there)} .value`)).startsWith("current code");
      }
      expect(marked).toBe(true);
      const [mine, other] = [await pixels(page, `${inspector(here)} figure:nth-of-type(2) canvas`), await pixels(page, `${inspector(there)} figure:nth-of-type(2) canvas`)];
      expect(other).toEqual(mine);
      await moveTo(page, "h1", 0.5, 0.5);
      expect(await text(page, `${inspector(there)} .value`)).toMatch(/^current code/);
    }
    expect(faults).toEqual([]);
    await page.close();
  });

  test("two pins make a row of images from one to the other, and an animation", async () => {
    const { page, faults } = await open(browser, file("two"));
    await click(page, PLANE, 0.3, 0.4);
    const first = await pixels(page, DECODED);
    await click(page, PLANE, 0.7, 0.6);
    const last = await pixels(page, DECODED);
    const way = ".model:nth-of-type(1) [data-card=interpolation]";
    await waitForText(page, way, /11 codes from pin A to pin B/);
    const strip = await pixels(page, `${way} canvas.row`);
    const [side, width] = [8, 11 * 9 - 1];
    const cut = (k: number): number[] =>
      Array.from({ length: side * side }, (_, i) => strip[Math.floor(i / side) * width + k * 9 + (i % side)] as number);
    expect(cut(0)).toEqual(first);
    expect(cut(10)).toEqual(last);
    const still = await pixels(page, `${way} .animation canvas`);
    await press(page, "Play");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await pixels(page, `${way} .animation canvas`)).not.toEqual(still);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("a drawn path is decoded", async () => {
    const { page } = await open(browser, file("two"));
    await press(page, "path");
    await drag(page, PLANE, [[0.2, 0.2], [0.5, 0.7], [0.8, 0.3]]);
    await waitForText(page, ".model:nth-of-type(1) [data-card=interpolation]", /11 codes at equal distances along the drawn path/);
    await page.close();
  });

  test("the lasso shows the examples inside and counts their classes, in both models", async () => {
    const { page, faults } = await open(browser, file("two"));
    await press(page, "lasso");
    await drag(page, PLANE, [[0.05, 0.05], [0.95, 0.05], [0.95, 0.95], [0.05, 0.95]]);
    const said = await waitForText(page, "[data-card=selection] .note", /^\d+ of \d+ examples/);
    const within = Number(said.split(" ")[0]);
    const counts = await page.$$eval(".bars span:last-child", (spans) => spans.map((span) => Number(span.textContent)));
    expect(within).toBeGreaterThan(50);
    expect(counts.reduce((sum, of) => sum + of, 0)).toBe(within);
    expect(await page.$$(".shared .pictures canvas")).toHaveLength(Math.min(within, 96));
    await click(page, PLANE, 0.5, 0.5);
    await waitForText(page, "[data-card=selection] .note", /^Choose the tool “lasso”/);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("sliders change the current code, and the address keeps it", async () => {
    const { page, faults } = await open(browser, file("wide"));
    const before = await pixels(page, DECODED);
    await drag(page, ".sliders label:first-child input", [[0.5, 0.5], [0.95, 0.5]]);
    expect(await pixels(page, DECODED)).not.toEqual(before);
    const moved = await text(page, ".sliders label:first-child output");
    const hash = await settledAddress(page);
    expect(hash).toContain("code0=");
    const image = await pixels(page, DECODED);
    await page.close();
    const again = await open(browser, file("wide"), hash);
    expect(await text(again.page, ".sliders label:first-child output")).toBe(moved);
    const shown = await pixels(again.page, DECODED);
    expect(Math.max(...shown.map((value, i) => Math.abs(value - (image[i] as number))))).toBeLessThan(0.01);
    expect(faults).toEqual([]);
    await again.page.close();
  });

  test("codes of many dimensions are shown by principal components or by two dimensions", async () => {
    const { page, faults } = await open(browser, file("wide"));
    await waitForText(page, ".plane-column .note", /first two principal components/);
    await page.select(".charts select", "dims");
    await waitForText(page, ".plane-column .note", /^Two of the 12 latent dimensions/);
    await moveTo(page, PLANE, 0.4, 0.6);
    expect(await text(page, ".inspector .value")).toMatch(/12 dimensions/);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("a drawing is encoded, marked on the plane and reconstructed", async () => {
    const { page, faults } = await open(browser, file("two"));
    const empty = await pixels(page, ".result figure:nth-of-type(2) canvas");
    await drag(page, ".pad", [[0.35, 0.2], [0.65, 0.2], [0.5, 0.85]]);
    await waitForText(page, ".result figure:nth-of-type(2)", /squared error \d/);
    const seen = await pixels(page, ".result figure:nth-of-type(1) canvas");
    expect(Math.max(...seen)).toBeGreaterThan(0.5);
    expect(await pixels(page, ".result figure:nth-of-type(2) canvas")).not.toEqual(empty);
    await press(page, "Clear", ".drawing");
    expect(await pixels(page, ".result figure:nth-of-type(2) canvas")).toEqual(empty);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("a conditional model draws the class that is asked for", async () => {
    const { page, faults } = await open(browser, file("cvae"));
    const zero = await pixels(page, DECODED);
    await press(page, "7", ".cards");
    expect(await pixels(page, DECODED)).not.toEqual(zero);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("a click changes a codebook entry", async () => {
    const { page, faults } = await open(browser, file("vq"));
    await click(page, PLANE, 0.5, 0.5);
    const before = await pixels(page, DECODED);
    await waitForText(page, ".model:nth-of-type(1) .cards > .card:nth-of-type(2)", /Group 1 has entry \d+ of/);
    await page.$$eval(".pictures button", (buttons) => (buttons.at(-1) as HTMLElement).click());
    expect(await pixels(page, DECODED)).not.toEqual(before);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("noise is added to an example, which is reconstructed", async () => {
    const { page, faults } = await open(browser, file("denoising"));
    const noisy = ".denoised figure:nth-of-type(1) canvas";
    const before = await pixels(page, noisy);
    await drag(page, ".level input", [[0.5, 0.5], [0.95, 0.5]]);
    expect(await pixels(page, noisy)).not.toEqual(before);
    expect(await text(page, ".denoised figure:nth-of-type(2)")).toMatch(/squared error \d/);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("two fingers zoom the plane, one pans it", async () => {
    const { page, faults } = await open(browser, file("two"));
    const box = await (await page.$(PLANE))?.boundingBox();
    if (!box) throw new Error("There is no plane.");
    const zoom = async (): Promise<number[]> => {
      const hash = await settledAddress(page);
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
    await waitForText(page, ".model:nth-of-type(1) [data-card=interpolation]", /from pin A to pin B/);
    expect(await text(page, ".inspector .visually-hidden")).toMatch(/Nearest example/);
    await page.keyboard.press("Escape");
    await waitForText(page, ".model:nth-of-type(1) [data-card=interpolation]", /Click two positions/);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("a decoder that the page cannot run is replaced by a grid of images, with a warning", async () => {
    const { page, faults } = await open(browser, file("odd"));
    await waitForText(page, ".warning", /cannot run the decoder.*fft.*32 × 32/);
    await moveTo(page, PLANE, 0.2, 0.3);
    const first = await pixels(page, DECODED);
    await moveTo(page, PLANE, 0.7, 0.6);
    expect(Math.max(...first)).toBeGreaterThan(0.2);
    expect(await pixels(page, DECODED)).not.toEqual(first);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("the server decodes what the page cannot, and stops on SIGTERM", async () => {
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
      await waitForText(page, ".warning", /The server of the page decodes/);
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
    expect(await stopped).toBe(143);
  });

  test("a notebook shows the page in a frame, in which the cursor decodes", async () => {
    const { page, frame, box, faults } = await openNotebook(browser, file("notebook"));
    const before = await frame.$eval(".inspector .value", (element) => element.textContent);
    await page.mouse.move(box.x + 0.3 * box.width, box.y + 0.4 * box.height, { steps: 3 });
    expect(await frame.$eval(".inspector .value", (element) => element.textContent)).not.toBe(before);
    // Longer than the address takes to follow.
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(faults).toEqual([]);
    await page.close();
  });

  test("a widget and its kernel exchange values", async () => {
    const { page, frame, box, faults } = await openNotebook(browser, file("widget"));
    // Values set before the page was ready.
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
    await page.evaluate("setTrait('codes', [[0.25, -0.5]]); setTrait('pins', [[]]); setTrait('selected', [3, 4, 9])");
    await frame.waitForFunction("document.querySelector('.inspector .value').textContent === 'current code (0.25, −0.50)'");
    await frame.waitForFunction("document.body.textContent.includes('3 of 359 examples')");
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await page.evaluate("[kernel.codes, kernel.pins, kernel.selected]")).toEqual([[[0.25, -0.5]], [[]], [3, 4, 9]]);
    // A removed widget receives nothing.
    await page.evaluate("end()");
    await page.evaluate("document.querySelector('iframe').contentWindow.postMessage({ autoencode: { selected: [] } }, '*')");
    await frame.waitForFunction("!document.body.textContent.includes('3 of 359 examples')");
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await page.evaluate("kernel.selected")).toEqual([3, 4, 9]);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("Python code is shown if the page may not copy it", async () => {
    const { page, faults } = await open(browser, file("two"));
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (t) => { window.copied = t; } } })");
    await press(page, "Copy as Python", ".model:nth-of-type(1)");
    await waitForText(page, ".model:nth-of-type(1) .inspector > .note", /^Copied/);
    expect(await page.evaluate("copied")).toContain("model.decoder(z)");
    await page.evaluate("navigator.clipboard.writeText = async () => { throw new Error('no'); }");
    await press(page, "Copy as Python", ".model:nth-of-type(1)");
    await waitForText(page, ".model:nth-of-type(1) .inspector > .note", /copy the code from here/);
    expect(await page.$eval(".inspector .code-lines", (lines) => (lines as HTMLTextAreaElement).value)).toBe(await page.evaluate("copied"));
    expect(faults).toEqual([]);
    await page.close();
  });

  test("names that are HTML are shown as text", async () => {
    const { page, faults } = await open(browser, file("hostile"));
    expect(await text(page, "h1")).toContain("<img src=x onerror=");
    expect(await text(page, ".legend")).toContain("<img src=x onerror=");
    await press(page, "lasso");
    await drag(page, PLANE, [[0.05, 0.05], [0.95, 0.05], [0.95, 0.95], [0.05, 0.95]]);
    await waitForText(page, ".bars", /<img src=x/);
    expect(await page.$$("img")).toHaveLength(0);
    expect(await page.title()).not.toBe("caught");
    expect(faults).toEqual([]);
    await page.close();
  });

  test.each([
    ["cut off", (html: string) => html.replace(/(id="content">\s*)([^\n]{4000})[^\n]*/, "$1$2"), /damaged/],
    ["changed", (html: string) => html.replace(/(id="content">\s*[^\n]{2000})[^\n]{40}/, `$1${"!".repeat(40)}`), /damaged/],
    ["foreign", (html: string) => html.replace(/(id="content">\s*)[^\n]*/, "$1hello"), /damaged|not a file/],
    ["empty", (html: string) => html.replace(/(id="content">\s*)[^\n]*/, "$1"), /no content|damaged/],
  ])("content that is %s is refused with a message", async (how, corrupt, sentence) => {
    const corrupted = join(folder, `${how.replace(" ", "-")}-${name}.html`);
    writeFileSync(corrupted, corrupt(readFileSync(file("two"), "utf8")));
    const { page } = await open(browser, corrupted);
    expect(await text(page, ".failed")).toMatch(sentence);
    await page.close();
  });

  lessonTests(name, () => browser, file);

  // The colour scheme can be set in Chromium only.
  test.each(name === "chrome" ? ["light", "dark"] : ["light"])("axe finds no accessibility violations in %s", async (scheme) => {
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

/** Whether a canvas is not blank; runs in the page. */
function painted(selector: string): boolean {
  const canvas = document.querySelector(selector) as HTMLCanvasElement;
  const { data } = (canvas.getContext("2d") as CanvasRenderingContext2D).getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, i) => i % 4 < 3 && value > 50);
}
