/** Tests of the lesson, run in each browser. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, dirname } from "node:path";
import type { Browser, Page } from "puppeteer-core";
import { expect, test } from "vitest";
import { type Name, open, pixels, press, text, waitForText } from "./browsers";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const STEPS: Record<string, string[]> = {
  two: ["hover", "encode", "random", "pins", "class"],
  cvae: ["hover", "encode", "random", "pins", "class"],
  sparse: ["hover", "encode", "random", "pins", "class"],
  // Discrete codes cannot be interpolated.
  vq: ["hover", "encode", "random", "class"],
  // Rows of a table are not drawn, and these have no labels.
  table: ["hover", "random", "pins"],
  denoising: ["noise", "hover", "encode", "random", "pins", "class"],
  // The page cannot run the decoder.
  odd: ["hover", "class"],
};

/** Pages whose lesson is tested in every browser; the others, and accessibility, in Chromium only. */
const EVERYWHERE = ["two", "cvae", "vq", "table"];

export function lessonTests(name: Name, browser: () => Browser, file: (name: string) => string): void {
  const all = name === "chrome";
  test.each(all ? Object.keys(STEPS) : EVERYWHERE)("the lesson of %s has the steps that its models can show", async (name) => {
    const { page, faults } = await open(browser(), file(name));
    await page.setViewport({ width: 390, height: 844 });
    const steps = STEPS[name] as string[];
    await press(page, "Start the lesson");
    for (const [i, key] of steps.entries()) {
      expect(await text(page, ".lesson h2")).toMatch(new RegExp(`^Step ${i + 1} of ${steps.length}\\. \\S`));
      expect(await text(page, ".lesson .instruction")).toMatch(/^[A-Z][^.]*\.$/);
      expect(await text(page, ".lesson .look")).toMatch(/^Look at .*\.$/);
      expect(await text(page, ".lesson .measured")).toMatch(/\d|no two pins yet/);
      expect(await text(page, ".lesson [aria-current=step]")).toBe(String(i + 1));
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
      // The address follows after a pause.
      if (i === 1) await page.waitForFunction((wanted) => location.hash.includes(`lesson=${wanted}`), {}, key);
      await press(page, i === steps.length - 1 ? "Finish" : "Next", ".lesson");
    }
    expect(await shown(page, ".lesson")).toBe(false);
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Start the lesson");
    // Every card is at its place again.
    expect(await page.$$eval(".stage .card", (cards) => cards.length)).toBe(0);
    expect(await shown(page, ".card[data-card=selection]")).toBe(true);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("the keyboard alone goes through the lesson, with a visible focus", async () => {
    const { page, faults } = await open(browser(), file("two"));
    await tabTo(page, "Start the lesson");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.className")).toBe("lesson");
    await tabTo(page, "Next");
    await page.keyboard.press("Enter");
    await waitForText(page, ".lesson h2", /two loss terms/);
    await tabTo(page, "Draw ε again");
    await page.keyboard.press("Enter");
    await waitForText(page, ".lesson .result:nth-of-type(2) .code-table", /σ ε/);
    await tabTo(page, "3", true);
    await page.keyboard.press("Enter");
    await tabTo(page, "4");
    await page.keyboard.press("Enter");
    await tabTo(page, "Pin a 1 and a 0");
    await page.keyboard.press("Enter");
    const said = await waitForText(page, ".measured", /“ae”: the largest change .* of the classes 1 .* 0\..*“vae”/s);
    expect(said).toMatch(/\d+\.\d times the mean/);
    await waitForText(page, ".stage [data-card=interpolation]", /11 codes from pin A to pin B/);
    await tabTo(page, "Leave the lesson", true);
    await page.keyboard.press("Enter");
    expect(await shown(page, ".lesson")).toBe(false);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("loss terms and neighbours are PyTorch's", async () => {
    const known = JSON.parse(readFileSync(join(dirname(file("two")), "lesson.json"), "utf8"));
    const { page, faults } = await open(browser(), file("two"), "#lesson=encode");
    for (const [i, name] of ["ae", "vae"].entries()) {
      const said = await waitForText(page, `.stage .result:nth-of-type(${i + 1}) .terms`, /nats/);
      const [nll, kl] = [...said.matchAll(/= (−?[\d.]+) nats/g)].map(([, value]) => Number(value?.replace("−", "-")));
      expect(Math.abs((nll as number) - known[name].nll)).toBeLessThan(0.06 + 0.01 * Math.abs(known[name].nll));
      if (name === "ae") expect(kl).toBeUndefined();
      else expect(Math.abs((kl as number) - known[name].kl)).toBeLessThan(0.02 + 0.01 * known[name].kl);
    }
    await press(page, "5", ".progress");
    await page.select(".lesson select", "3");
    for (const name of ["ae", "vae"]) {
      const said = await waitForText(page, ".measured", new RegExp(`“${name}”: the nearest other example is of the same class for ([\\d.]+).% of \\d+ examples of class “3”`));
      const [, share] = new RegExp(`“${name}”: the nearest other example is of the same class for ([\\d.]+)`).exec(said) as unknown as [string, string];
      expect(Math.abs(Number(share) - 100 * known[name].same)).toBeLessThanOrEqual(0.5);
    }
    expect(faults).toEqual([]);
    await page.close();
  });

  test("z is μ + σ ε, for every ε", async () => {
    const { page, faults } = await open(browser(), file("two"), "#lesson=encode");
    const vae = ".stage .result:nth-of-type(2)";
    await waitForText(page, `${vae} .terms`, /KL/);
    const output = `${vae} figure:nth-of-type(2) canvas`;
    const mean = await pixels(page, output);
    await press(page, "Draw ε again", ".stage");
    const rows = await page.$$eval(`${vae} .code-table tr + tr`, (found) =>
      found.map((row) => [...row.querySelectorAll("td")].map((cell) => Number((cell.textContent ?? "").replace("−", "-")))),
    );
    expect(rows).toHaveLength(2);
    for (const [mu, sigma, e, product, z] of rows as [number, number, number, number, number][]) {
      expect(Math.abs(product - sigma * e)).toBeLessThan(0.03);
      expect(Math.abs(z - (mu + product))).toBeLessThan(0.016);
    }
    expect(rows.some((row) => row[2] !== 0)).toBe(true);
    expect(await pixels(page, output)).not.toEqual(mean);
    await press(page, "ε = 0", ".stage");
    expect(await pixels(page, output)).toEqual(mean);
    expect(faults).toEqual([]);
    await page.close();
  });

  test("the address keeps the step, and an unknown step is ignored", async () => {
    const { page } = await open(browser(), file("two"), "#lesson=random");
    expect(await text(page, ".lesson h2")).toBe("Step 3 of 5. Random codes: ae against vae");
    expect(await text(page, ".measured")).toMatch(/“ae”: [\d.]+.% of 256 random codes are far.*“vae”: [\d.]+.% of 256/s);
    const before = await pixels(page, ".stage canvas");
    await press(page, "Draw others", ".stage");
    expect(await pixels(page, ".stage canvas")).not.toEqual(before);
    await page.close();
    const other = await open(browser(), file("table"), "#lesson=class");
    expect(await shown(other.page, ".lesson")).toBe(false);
    await other.page.close();
  });

  test.runIf(all)("a saved projection is shown first, and decoded images are behind two latent dimensions", async () => {
    for (const [name, chart, backdrop] of [["sparse", "tsne", false], ["two", "plane", true], ["table", "plane", false]] as const) {
      const { page } = await open(browser(), file(name));
      expect(await page.$$eval(".charts select", (all) => (all[0] as HTMLSelectElement | undefined)?.value ?? "plane")).toBe(chart);
      expect(await page.$eval(".ticks input", (box) => (box as HTMLInputElement).checked)).toBe(backdrop);
      await page.close();
    }
  });

  test.runIf(all)("axe finds no accessibility violations in the lesson", async () => {
    for (const name of ["two", "denoising"]) {
      const { page } = await open(browser(), file(name), `#lesson=${STEPS[name]?.[0]}`);
      await page.evaluate(readFileSync(AXE, "utf8"));
      for (const [i] of (name === "two" ? (STEPS[name] as string[]) : ["noise"]).entries()) {
        await press(page, String(i + 1), ".progress");
        const found = await page.evaluate(async () => {
          const axe = (window as unknown as { axe: { run: () => Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> } }).axe;
          const { violations } = await axe.run();
          return violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes[0]?.html}`);
        });
        expect(found).toEqual([]);
      }
      await page.close();
    }
  });
}

function shown(page: Page, selector: string): Promise<boolean> {
  return page.$eval(selector, (element) => (element as HTMLElement).getClientRects().length > 0);
}

/** Presses Tab, or Shift and Tab, until a control with this text has the focus, and checks that this is visible. */
async function tabTo(page: Page, words: string, back = false): Promise<void> {
  for (let i = 0; i < 80; i++) {
    if (back) await page.keyboard.down("Shift");
    await page.keyboard.press("Tab");
    if (back) await page.keyboard.up("Shift");
    const [said, outline] = await page.evaluate(() => {
      const element = document.activeElement as HTMLElement;
      return [element.textContent, getComputedStyle(element).outlineStyle];
    });
    if (said !== words) continue;
    expect(outline).not.toBe("none");
    return;
  }
  throw new Error(`Tab does not reach "${words}".`);
}
