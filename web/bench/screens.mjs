// Screenshots of a page of two models, for the docs: node bench/screens.mjs FILE.html FOLDER
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [file, folder] = process.argv.slice(2);
const SIZES = [
  [1440, 1000],
  [1024, 1200],
  [390, 1500],
];
mkdirSync(folder, { recursive: true });
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
});
for (const [width, height] of SIZES) {
  for (const scheme of ["light", "dark"]) {
    const page = await browser.newPage();
    await page.setViewport({ width, height });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    // The address holds the view.
    await page.goto(`${pathToFileURL(resolve(file)).href}#backdrop=${scheme === "light" ? 1 : 0}`);
    await page.waitForFunction("document.documentElement.dataset.ready");
    for (const plane of await page.$$(".plane")) {
      const box = await plane.boundingBox();
      for (const [x, y] of [
        [0.3, 0.62],
        [0.72, 0.45],
      ]) {
        if (box.y + box.height < height) await page.mouse.click(box.x + x * box.width, box.y + y * box.height);
      }
    }
    await new Promise((done) => setTimeout(done, 1500));
    await page.screenshot({ path: join(folder, `${width}-${scheme}.webp`), type: "webp", quality: 82 });
    await page.close();
  }
}
await browser.close();
