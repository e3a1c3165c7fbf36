/** Real browsers without a network, and user interaction in them. */

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer, { type BoundingBox, type Browser, type Frame, type Page } from "puppeteer-core";

export const BROWSERS = ["chrome", "firefox"] as const;
export type Name = (typeof BROWSERS)[number];

const PATHS: Record<Name, string> = {
  chrome: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  firefox: process.env["FIREFOX"] ?? "/usr/bin/firefox-esr",
};
const QUIET = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];

export function launch(name: Name): Promise<Browser> {
  return puppeteer.launch({
    browser: name,
    executablePath: PATHS[name],
    userDataDir: mkdtempSync(join(tmpdir(), "explorer-")),
    // Chromium has no sandbox for root, the user of many containers.
    args: name === "chrome" ? ["--no-sandbox", ...QUIET] : [],
    timeout: 60_000,
  });
}

/** An open page, and its errors, warnings and requests. */
export interface Opened {
  page: Page;
  faults: string[];
}

/** Opens a file and waits until the page is built or shows an error. */
export async function open(browser: Browser, file: string, hash = ""): Promise<Opened> {
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(`error: ${String(error)}`));
  page.on("console", (message) => {
    // Advice about reading canvases concerns these tests, which read them.
    const ours = message.text().includes("willReadFrequently");
    if ((message.type() === "error" || message.type() === "warn") && !ours) faults.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (!/^(file|data|blob|about):/.test(request.url())) faults.push(`request: ${request.url()}`);
  });
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(pathToFileURL(file).href + hash);
  await page.waitForFunction("document.documentElement.dataset.ready || document.querySelector('.failed')", { timeout: 20_000 });
  return { page, faults };
}

/** A page with the explorer in a frame, the frame, and the box of its first plane. */
export interface Notebook extends Opened {
  frame: Frame;
  box: BoundingBox;
}

/** Opens a file that shows the explorer in a frame, as a notebook does. */
export async function openNotebook(browser: Browser, file: string): Promise<Notebook> {
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(pathToFileURL(file).href);
  const frame = await (await page.waitForSelector("iframe"))?.contentFrame();
  const box = await (await frame?.waitForSelector(".plane"))?.boundingBox();
  if (!frame || !box) throw new Error("The frame has no plane.");
  return { page, frame, box, faults };
}

/** The red channel of the pixels of a canvas, in [0, 1]. */
export function pixels(page: Page, selector: string): Promise<number[]> {
  return page.$eval(selector, (found) => {
    const canvas = found as HTMLCanvasElement;
    const { data } = (canvas.getContext("2d") as CanvasRenderingContext2D).getImageData(0, 0, canvas.width, canvas.height);
    return Array.from({ length: data.length / 4 }, (_, i) => (data[4 * i] as number) / 255);
  });
}

/** Moves the mouse to a position in an element, as shares of its sides. */
export async function moveTo(page: Page, selector: string, x: number, y: number): Promise<void> {
  const [px, py] = await place(page, selector, x, y);
  await page.mouse.move(px, py, { steps: 3 });
}

export async function click(page: Page, selector: string, x: number, y: number): Promise<void> {
  const [px, py] = await place(page, selector, x, y);
  await page.mouse.click(px, py);
}

/** Drags the mouse through positions in an element. */
export async function drag(page: Page, selector: string, line: readonly (readonly [number, number])[]): Promise<void> {
  const places = [];
  for (const [x, y] of line) places.push(await place(page, selector, x, y));
  const [first, ...rest] = places as [number, number][];
  await page.mouse.move(...(first as [number, number]));
  await page.mouse.down();
  for (const to of rest) await page.mouse.move(...to, { steps: 4 });
  await page.mouse.up();
}

async function place(page: Page, selector: string, x: number, y: number): Promise<[number, number]> {
  await page.$eval(selector, (element) => element.scrollIntoView({ block: "center", behavior: "instant" }));
  const box = await (await page.$(selector))?.boundingBox();
  if (!box) throw new Error(`${selector} is not visible.`);
  return [box.x + x * box.width, box.y + y * box.height];
}

/** Clicks a control by its text. */
export async function press(page: Page, words: string, within = "body"): Promise<void> {
  const found = await page.evaluateHandle(
    (text, part) => {
      const all = [...document.querySelectorAll(`${part} button, ${part} label`)];
      return all.find((element) => element.textContent?.trim() === text) ?? null;
    },
    words,
    within,
  );
  const element = found.asElement();
  if (!element) throw new Error(`There is no control "${words}".`);
  await element.evaluate((control) => (control as HTMLElement).click());
}

export function text(page: Page, selector: string): Promise<string> {
  return page.$eval(selector, (element) => element.textContent ?? "");
}

/** Waits until the text of an element matches. */
export async function waitForText(page: Page, selector: string, wanted: RegExp): Promise<string> {
  const until = Date.now() + 8_000;
  for (;;) {
    const now = await text(page, selector);
    if (wanted.test(now)) return now;
    if (Date.now() > until) throw new Error(`${selector} contains "${now}", not ${wanted}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The address of the page once it has followed the last change, which it does after 0.3 s. */
export async function settledAddress(page: Page): Promise<string> {
  let [hash, now] = ["", await page.evaluate(() => location.hash)];
  while (now !== hash) {
    hash = now;
    await new Promise((resolve) => setTimeout(resolve, 600));
    now = await page.evaluate(() => location.hash);
  }
  return hash;
}
