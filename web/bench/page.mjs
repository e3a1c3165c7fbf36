// Times opening, decoding under the cursor and panning: node bench/page.mjs FILE.html ...
import { statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const MOVES = 2000;
const PANNED = 3000;
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
});
console.log("file                       MB   ready ms   decoded and painted ms: p50, p99   panning, frames/s");
for (const file of process.argv.slice(2)) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1440, height: 900 });
  await page.goto(pathToFileURL(resolve(file)).href);
  await page.waitForFunction("document.documentElement.dataset.ready");
  const ready = await page.evaluate(() => Number(document.documentElement.dataset.ready));
  const times = await page.evaluate(moved, MOVES);
  const frames = await panned(page);
  const at = (share) => times[Math.floor(share * (times.length - 1))].toFixed(2);
  console.log(
    basename(file).padEnd(24),
    (statSync(file).size / 1e6).toFixed(2).padStart(6),
    String(ready).padStart(8),
    `${at(0.5)}, ${at(0.99)}`.padStart(26),
    frames.toFixed(0).padStart(24),
  );
  await page.close();
}
await browser.close();

// In the page: sorted milliseconds from the event to the image in its canvas.
async function moved(moves) {
  const plane = document.querySelector(".plane");
  const box = plane.getBoundingClientRect();
  const times = [];
  for (let i = 0; i < moves; i++) {
    const clientX = box.left + box.width * Math.random();
    const clientY = box.top + box.height * Math.random();
    const before = performance.now();
    plane.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY, bubbles: true }));
    times.push(performance.now() - before);
    // Like a mouse: a few events per frame.
    if (i % 3 === 0) await new Promise(requestAnimationFrame);
  }
  return times.sort((a, b) => a - b);
}

// Frames per second while the plane is dragged.
async function panned(page) {
  const box = await (await page.$(".plane")).boundingBox();
  await page.evaluate(() => {
    window.frames_ = 0;
    const count = () => {
      window.frames_++;
      requestAnimationFrame(count);
    };
    requestAnimationFrame(count);
  });
  const middle = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(...middle);
  await page.mouse.down();
  await page.evaluate(() => (window.frames_ = 0));
  const began = performance.now();
  for (let i = 0; performance.now() - began < PANNED; i++) {
    await page.mouse.move(middle[0] + 60 * Math.sin(i / 9), middle[1] + 60 * Math.cos(i / 7));
  }
  const frames = await page.evaluate(() => window.frames_);
  const seconds = (performance.now() - began) / 1000;
  await page.mouse.up();
  return frames / seconds;
}
